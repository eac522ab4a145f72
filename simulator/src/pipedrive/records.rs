//! The records of the company, and how each version of the API shows them.
//!
//! A record keeps every field as its API takes it; what people and the API see is made here. Ids rise within a kind and are
//! never given twice. Deleted records stay for the oracle, but nobody finds them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Id of a record, unique within its kind.
pub type RecordId = u64;

/// Kinds of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Person,
    Activity,
    Deal,
    Note,
    CallLog,
}

impl Kind {
    /// The kind with this plural in this version's paths.
    pub(super) fn of(version: &str, plural: &str) -> Option<Self> {
        match (version, plural) {
            ("v2", "persons") => Some(Self::Person),
            ("v2", "activities") => Some(Self::Activity),
            ("v2", "deals") => Some(Self::Deal),
            ("v1", "notes") => Some(Self::Note),
            ("v1", "callLogs") => Some(Self::CallLog),
            _ => None,
        }
    }

    /// Whether the older version serves it.
    pub(super) const fn is_v1(self) -> bool {
        matches!(self, Self::Note | Self::CallLog)
    }

    /// The vendor's word for one of them.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Person => "Person",
            Self::Activity => "Activity",
            Self::Deal => "Deal",
            Self::Note => "Note",
            Self::CallLog => "Call log",
        }
    }

    const fn first_id(self) -> RecordId {
        match self {
            Self::Person => 5_001,
            Self::Activity => 70_001,
            Self::Deal => 301,
            Self::Note => 9_001,
            Self::CallLog => 1,
        }
    }
}

/// A record.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub kind: Kind,
    pub id: RecordId,
    /// Fields as the API takes them.
    pub fields: Map<String, Value>,
    /// Custom fields by their code.
    pub custom: BTreeMap<String, Value>,
    pub added_ms: i64,
    pub updated_ms: i64,
    pub deleted: bool,
    /// The person that took this one up.
    pub merged_into: Option<RecordId>,
    /// Places of its writes in the audit.
    pub(super) writes: Vec<usize>,
}

impl Record {
    /// A field, null without one.
    pub fn field(&self, name: &str) -> &Value {
        self.fields.get(name).unwrap_or(&Value::Null)
    }

    /// The person it is on: a deal's or note's, an activity's primary participant.
    pub fn person(&self) -> Option<RecordId> {
        let primary = self
            .field("participants")
            .as_array()
            .and_then(|all| {
                all.iter()
                    .find(|one| one["primary"] == true)
                    .or_else(|| all.first())
            })
            .and_then(|one| one["person_id"].as_u64());
        primary.or_else(|| self.field("person_id").as_u64())
    }

    /// Values of its phones or e-mails.
    pub fn entries(&self, name: &str) -> Vec<&str> {
        self.field(name)
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|entry| entry["value"].as_str())
            .collect()
    }

    /// As the API shows it, with custom fields of these codes.
    pub(super) fn shown(&self, codes: &[&str]) -> Value {
        let mut shown = self.fields.clone();
        shown.insert("id".into(), self.id.into());
        match self.kind {
            Kind::Person | Kind::Activity | Kind::Deal => {
                shown.insert("is_deleted".into(), self.deleted.into());
                shown.insert("add_time".into(), rfc3339(self.added_ms).into());
                shown.insert("update_time".into(), rfc3339(self.updated_ms).into());
            }
            Kind::Note => {
                shown.insert("active_flag".into(), (!self.deleted).into());
                shown.insert("add_time".into(), spaced(self.added_ms).into());
                shown.insert("update_time".into(), spaced(self.updated_ms).into());
            }
            Kind::CallLog => {
                shown.insert("id".into(), format!("CA{}", self.id).into());
                shown.insert("has_recording".into(), false.into());
            }
        }
        let absent: &[&str] = match self.kind {
            Kind::Person => &["org_id"],
            Kind::Activity => &["deal_id", "org_id", "lead_id", "note"],
            Kind::Deal => &["org_id", "person_id", "lost_reason"],
            Kind::Note | Kind::CallLog => &["deal_id", "org_id", "lead_id", "person_id"],
        };
        for name in absent {
            shown.entry(*name).or_insert(Value::Null);
        }
        if self.kind == Kind::Activity {
            shown.insert("person_id".into(), json!(self.person()));
        }
        if matches!(self.kind, Kind::Person | Kind::Deal) {
            let custom: Map<String, Value> = codes
                .iter()
                .map(|code| {
                    let value = self.custom.get(*code).cloned().unwrap_or(Value::Null);
                    ((*code).to_owned(), value)
                })
                .collect();
            shown.insert("custom_fields".into(), Value::Object(custom));
        }
        Value::Object(shown)
    }
}

/// An instant as the newer version writes it.
pub(super) fn rfc3339(at_ms: i64) -> String {
    formatted(at_ms, "%Y-%m-%dT%H:%M:%SZ")
}

/// An instant as the older version writes it.
pub(super) fn spaced(at_ms: i64) -> String {
    formatted(at_ms, "%Y-%m-%d %H:%M:%S")
}

/// An instant as HTTP writes it.
pub(super) fn http_date(at_ms: i64) -> String {
    formatted(at_ms, "%a, %d %b %Y %H:%M:%S GMT")
}

fn formatted(at_ms: i64, form: &str) -> String {
    Timestamp::from_millisecond(at_ms)
        .map_or_else(|_| at_ms.to_string(), |at| at.strftime(form).to_string())
}

/// All records.
#[derive(Debug, Default)]
pub(super) struct Store {
    records: BTreeMap<(Kind, RecordId), Record>,
    next: BTreeMap<Kind, RecordId>,
}

impl Store {
    /// Adds a record and returns its id.
    pub(super) fn add(
        &mut self,
        now_ms: i64,
        kind: Kind,
        fields: Map<String, Value>,
        custom: BTreeMap<String, Value>,
    ) -> RecordId {
        let next = self.next.entry(kind).or_insert_with(|| kind.first_id());
        let id = *next;
        *next += 1;
        let record = Record {
            kind,
            id,
            fields,
            custom,
            added_ms: now_ms,
            updated_ms: now_ms,
            deleted: false,
            merged_into: None,
            writes: Vec::new(),
        };
        self.records.insert((kind, id), record);
        id
    }

    pub(super) fn any(&self, kind: Kind, id: RecordId) -> Option<&Record> {
        self.records.get(&(kind, id))
    }

    pub(super) fn living(&self, kind: Kind, id: RecordId) -> Option<&Record> {
        self.any(kind, id).filter(|record| !record.deleted)
    }

    pub(super) fn any_mut(&mut self, kind: Kind, id: RecordId) -> Option<&mut Record> {
        self.records.get_mut(&(kind, id))
    }

    /// All of a kind in id order, deleted ones included.
    pub(super) fn all(&self, kind: Kind) -> impl Iterator<Item = &Record> {
        self.records
            .range((kind, 0)..=(kind, RecordId::MAX))
            .map(|(_, record)| record)
    }
}
