//! What the organisation holds, and how its ids are made.
//!
//! Records are never removed: a deleted one is marked, so that an oracle can still read it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The kinds of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObjectKind {
    Lead,
    Contact,
    Call,
    Note,
    Task,
    Opportunity,
}

impl ObjectKind {
    /// The name in the event log.
    pub const fn event_name(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Contact => "contact",
            Self::Call => "activity.call",
            Self::Note => "activity.note",
            Self::Task => "task.lead",
            Self::Opportunity => "opportunity",
        }
    }

    const fn prefix(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Contact => "cont",
            Self::Call | Self::Note => "acti",
            Self::Task => "task",
            Self::Opportunity => "oppo",
        }
    }
}

/// A record: what it holds, by Close's names (`custom.cf_…` for custom fields), without what is computed.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub id: String,
    pub kind: ObjectKind,
    pub fields: Map<String, Value>,
    pub created_ms: i64,
    pub updated_ms: i64,
    pub deleted: bool,
    /// Place in the order of creation.
    pub number: u64,
}

impl Record {
    /// A text it holds.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name)?.as_str()
    }

    /// The lead it hangs on; a lead's own id.
    pub fn lead_id(&self) -> Option<&str> {
        if self.kind == ObjectKind::Lead {
            Some(&self.id)
        } else {
            self.text("lead_id")
        }
    }
}

/// All records, by id.
#[derive(Debug, Default)]
pub(super) struct Store {
    records: BTreeMap<String, Record>,
    /// Ids of what hangs on a lead, by kind, in the order of creation.
    by_lead: BTreeMap<(String, ObjectKind), Vec<String>>,
    made: u64,
}

impl Store {
    /// An id that no record has had.
    pub(super) fn new_id(&mut self, kind: ObjectKind) -> (String, u64) {
        self.made += 1;
        (format!("{}_{:010}", kind.prefix(), self.made), self.made)
    }

    pub(super) fn insert(&mut self, record: Record) {
        if let Some(lead) = record.text("lead_id") {
            self.by_lead
                .entry((lead.to_owned(), record.kind))
                .or_default()
                .push(record.id.clone());
        }
        self.records.insert(record.id.clone(), record);
    }

    /// A living record of this kind.
    pub(super) fn living(&self, kind: ObjectKind, id: &str) -> Option<&Record> {
        self.any(id).filter(|it| it.kind == kind && !it.deleted)
    }

    pub(super) fn any(&self, id: &str) -> Option<&Record> {
        self.records.get(id)
    }

    pub(super) fn any_mut(&mut self, id: &str) -> Option<&mut Record> {
        self.records.get_mut(id)
    }

    /// All records of a kind, deleted ones too.
    pub(super) fn all(&self, kind: ObjectKind) -> impl Iterator<Item = &Record> {
        self.records.values().filter(move |it| it.kind == kind)
    }

    /// What lives on a lead, in the order of creation.
    pub(super) fn on_lead(&self, lead: &str, kind: ObjectKind) -> Vec<&Record> {
        let ids = self.by_lead.get(&(lead.to_owned(), kind));
        ids.into_iter()
            .flatten()
            .filter_map(|id| self.living(kind, id))
            .collect()
    }

    /// Hangs a record on another lead.
    pub(super) fn move_to(&mut self, id: &str, lead: &str) {
        let Some(record) = self.records.get_mut(id) else {
            return;
        };
        let kind = record.kind;
        if let Some(Value::String(from)) = record
            .fields
            .insert("lead_id".to_owned(), lead.to_owned().into())
            && let Some(ids) = self.by_lead.get_mut(&(from, kind))
        {
            ids.retain(|other| other != id);
        }
        self.by_lead
            .entry((lead.to_owned(), kind))
            .or_default()
            .push(id.to_owned());
    }
}
