//! The records of the org, found by id and by what they hold, with a way back for transactions.
//!
//! Ids rise within an object and are never given twice, also when a transaction is rolled back. Deleted records stay for
//! the oracle, but no index finds them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::ids::{self, RecordId};
use super::replies::instant;
use super::schema::Schema;

/// Objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    Contact,
    Task,
    Opportunity,
    OpportunityContactRole,
    OpportunityStage,
    User,
}

impl ObjectKind {
    pub(super) const ALL: [Self; 6] = [
        Self::Contact,
        Self::Task,
        Self::Opportunity,
        Self::OpportunityContactRole,
        Self::OpportunityStage,
        Self::User,
    ];

    /// The object with this name, whatever its case.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(name))
    }

    /// The object whose ids begin as this one does.
    pub(super) fn of_id(id: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| id.starts_with(kind.prefix()))
    }

    /// As the API names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Contact => "Contact",
            Self::Task => "Task",
            Self::Opportunity => "Opportunity",
            Self::OpportunityContactRole => "OpportunityContactRole",
            Self::OpportunityStage => "OpportunityStage",
            Self::User => "User",
        }
    }

    /// The first characters of its ids.
    pub(super) const fn prefix(self) -> &'static str {
        match self {
            Self::Contact => "003",
            Self::Task => "00T",
            Self::Opportunity => "006",
            Self::OpportunityContactRole => "00K",
            Self::OpportunityStage => "01J",
            Self::User => "005",
        }
    }

    /// Whether the API writes it here; users and stages are read only.
    pub(super) const fn is_written(self) -> bool {
        !matches!(self, Self::OpportunityStage | Self::User)
    }
}

/// A record.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub object: ObjectKind,
    pub id: RecordId,
    /// What was written, under the names of the schema; no nulls.
    pub fields: Map<String, Value>,
    pub created_ms: i64,
    pub updated_ms: i64,
    pub created_by: RecordId,
    pub deleted: bool,
    /// The contact that took this one up.
    pub merged_into: Option<RecordId>,
    /// Places of its writes in the audit.
    pub(super) writes: Vec<usize>,
}

impl Record {
    /// A field as the API shows it, null without one. Names are the schema's.
    pub fn value(&self, name: &str) -> Value {
        match name {
            "Id" => self.id.as_str().into(),
            "IsDeleted" => self.deleted.into(),
            "CreatedDate" => instant(self.created_ms).into(),
            "LastModifiedDate" | "SystemModstamp" => instant(self.updated_ms).into(),
            "CreatedById" => self.created_by.as_str().into(),
            "MasterRecordId" => self.merged_into.as_deref().into(),
            "Name" if self.object == ObjectKind::Contact => {
                let parts: Vec<&str> = ["Salutation", "FirstName", "LastName"]
                    .into_iter()
                    .filter_map(|part| self.text(part))
                    .collect();
                parts.join(" ").into()
            }
            _ => self.fields.get(name).cloned().unwrap_or(Value::Null),
        }
    }

    /// A text that was written.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name).and_then(Value::as_str)
    }
}

/// Where a transaction began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Savepoint(usize);

/// All records.
#[derive(Debug, Default)]
pub(super) struct Store {
    records: BTreeMap<RecordId, Record>,
    /// Living records by object, field and folded value.
    index: BTreeMap<(ObjectKind, String, String), BTreeSet<RecordId>>,
    last: BTreeMap<ObjectKind, u64>,
    /// What each change of this request took the place of.
    undo: Vec<(RecordId, Option<Record>)>,
}

impl Store {
    /// An id that no record has had.
    pub(super) fn next_id(&mut self, object: ObjectKind) -> RecordId {
        let number = self.last.entry(object).or_insert(0);
        *number += 1;
        ids::made(object.prefix(), *number)
    }

    /// Puts a record in the place of the one with its id.
    pub(super) fn put(&mut self, schema: &Schema, record: Record) {
        let before = self.set(schema, record.id.clone(), Some(record.clone()));
        self.undo.push((record.id, before));
    }

    fn set(&mut self, schema: &Schema, id: RecordId, record: Option<Record>) -> Option<Record> {
        let keys = record.as_ref().map(|it| keys(schema, it));
        let before = match record {
            Some(record) => self.records.insert(id.clone(), record),
            None => self.records.remove(&id),
        };
        self.unindex(schema, before.as_ref());
        for key in keys.into_iter().flatten() {
            self.index.entry(key).or_default().insert(id.clone());
        }
        before
    }

    fn unindex(&mut self, schema: &Schema, record: Option<&Record>) {
        for (record, key) in record.into_iter().flat_map(|it| {
            let keys = keys(schema, it);
            keys.into_iter().map(move |key| (it, key))
        }) {
            if let Some(held) = self.index.get_mut(&key) {
                held.remove(&record.id);
                if held.is_empty() {
                    self.index.remove(&key);
                }
            }
        }
    }

    /// Empties a field of every record, as when it is removed.
    pub(super) fn drop_field(&mut self, object: ObjectKind, name: &str) {
        self.index
            .retain(|(on, field, _), _| *on != object || field != name);
        for record in self.records.values_mut() {
            if record.object == object {
                record.fields.remove(name);
            }
        }
    }

    /// Forgets the way back: what is done so far stays.
    pub(super) fn commit(&mut self) {
        self.undo.clear();
    }

    pub(super) const fn savepoint(&self) -> Savepoint {
        Savepoint(self.undo.len())
    }

    /// Takes back everything since a savepoint; the records it was done to.
    pub(super) fn roll_back(&mut self, schema: &Schema, to: Savepoint) -> Vec<RecordId> {
        let mut touched = Vec::new();
        while self.undo.len() > to.0 {
            if let Some((id, before)) = self.undo.pop() {
                self.set(schema, id.clone(), before);
                touched.push(id);
            }
        }
        touched
    }

    /// A record, also a deleted one.
    pub(super) fn any(&self, id: &str) -> Option<&Record> {
        self.records.get(id)
    }

    /// A record that isn't deleted.
    pub(super) fn living(&self, object: ObjectKind, id: &str) -> Option<&Record> {
        self.any(id)
            .filter(|record| record.object == object && !record.deleted)
    }

    /// All records of an object, also deleted ones, in id order.
    pub(super) fn all(&self, object: ObjectKind) -> impl Iterator<Item = &Record> {
        self.records
            .range(object.prefix().to_owned()..)
            .map(|(_, record)| record)
            .take_while(move |record| record.id.starts_with(object.prefix()))
    }

    /// Living records with this folded value in an indexed field.
    pub(super) fn with<'a>(
        &'a self,
        object: ObjectKind,
        field: &str,
        folded: &str,
    ) -> impl Iterator<Item = &'a RecordId> + use<'a> {
        self.index
            .get(&(object, field.to_owned(), folded.to_owned()))
            .into_iter()
            .flatten()
    }
}

/// Under what a record is found.
fn keys(schema: &Schema, record: &Record) -> Vec<(ObjectKind, String, String)> {
    if record.deleted {
        return Vec::new();
    }
    schema
        .all(record.object)
        .filter(|field| field.is_indexed())
        .filter_map(|field| {
            let text = match record.fields.get(&field.name)? {
                Value::String(text) => field.folded(text),
                other => other.to_string(),
            };
            Some((record.object, field.name.clone(), text))
        })
        .collect()
}
