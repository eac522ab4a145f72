//! Creations, updates, upserts, deletions of one record: checked whole, then applied and noted in the audit.
//!
//! Whatever asks for it (a request of its own, an item of a collection, a part of a composite, a row of a job), a record is
//! written here and nowhere else.

use serde_json::{Map, Value};

use super::Salesforce;
use super::audit::{Write, WriteKind};
use super::faults::RowFault;
use super::ids::RecordId;
use super::records::{ObjectKind, Record};
use super::replies::Failure;
use super::schema::Field;
use super::values::{accepted, from_text};
use crate::fakes::FieldWrite;

/// Who writes, when, and in which request.
#[derive(Debug, Clone)]
pub(super) struct Hand {
    pub(super) now_ms: i64,
    pub(super) request_no: u64,
    pub(super) user: RecordId,
    /// Whether the user may make custom fields.
    pub(super) admin: bool,
    /// Version of the API in the path.
    pub(super) version: u32,
    /// Whether the request asks to save what a duplicate rule would stop.
    pub(super) allow_duplicates: bool,
}

/// What an upsert did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Upserted {
    Created(RecordId),
    Updated(RecordId),
    /// Nothing: several records have the key.
    Several(Vec<RecordId>),
}

impl Salesforce {
    /// Makes a record.
    pub(super) fn insert(
        &mut self,
        hand: &Hand,
        object: ObjectKind,
        given: &Map<String, Value>,
    ) -> Result<RecordId, Failure> {
        self.strike_row(None)?;
        if let Some(name) = given.keys().find(|name| name.eq_ignore_ascii_case("id")) {
            return Err(Failure::record(
                "INVALID_FIELD_FOR_INSERT_UPDATE",
                "cannot specify Id in an insert call",
                &[name],
            ));
        }
        let mut fields = self.checked(object, None, given)?;
        if object == ObjectKind::Contact && !hand.allow_duplicates_by(self.config.duplicate_rule) {
            self.look_for_duplicates(&fields)?;
        }
        self.add_defaults(hand, object, &mut fields);
        let contact = fields.get("ContactId").cloned();
        let id = self.apply(hand, object, None, fields);
        if let (ObjectKind::Opportunity, Some(contact)) = (object, contact) {
            let role = Map::from_iter([
                ("OpportunityId".to_owned(), id.as_str().into()),
                ("ContactId".to_owned(), contact),
                ("IsPrimary".to_owned(), true.into()),
            ]);
            self.apply(hand, ObjectKind::OpportunityContactRole, None, role);
        }
        Ok(id)
    }

    /// Changes the record with this id, in either form.
    pub(super) fn change(
        &mut self,
        hand: &Hand,
        object: ObjectKind,
        id: &str,
        given: &Map<String, Value>,
    ) -> Result<RecordId, Failure> {
        let id = self.present(object, id)?;
        self.strike_row(Some(&id))?;
        let mut fields = self.checked(object, Some(&id), given)?;
        self.follow(hand, object, &id, &mut fields);
        Ok(self.apply(hand, object, Some(&id), fields))
    }

    /// Deletes the record with this id, in either form. What hung on it stays where it is.
    pub(super) fn delete(
        &mut self,
        hand: &Hand,
        object: ObjectKind,
        id: &str,
    ) -> Result<RecordId, Failure> {
        if !object.is_written() {
            return Err(Failure::record(
                "INSUFFICIENT_ACCESS_OR_READONLY",
                "insufficient access rights on object id",
                &[],
            ));
        }
        let id = self.present(object, id)?;
        self.strike_row(Some(&id))?;
        self.mark_deleted(hand.now_ms, hand.request_no, &id, None);
        Ok(id)
    }

    /// Changes the record with this key, or makes one with it.
    pub(super) fn upsert(
        &mut self,
        hand: &Hand,
        object: ObjectKind,
        (key, value): (&str, &Value),
        given: &Map<String, Value>,
        update_only: bool,
    ) -> Result<Upserted, Failure> {
        let field = self.key_field(object, key)?.clone();
        let text = match value {
            Value::String(text) => from_text(&field, text),
            other => other.clone(),
        };
        let value = accepted(&field, &[], &text)?;
        if value.is_null() {
            let said = format!("{} not specified", field.name);
            return Err(Failure::record("MISSING_ARGUMENT", said, &[]));
        }
        let ids = self.with_key(object, &field, &value);
        match ids.as_slice() {
            [] if update_only => Err(Failure::not_found()),
            [] => {
                let mut given = given.clone();
                given.insert(field.name, value);
                Ok(Upserted::Created(self.insert(hand, object, &given)?))
            }
            [id] => Ok(Upserted::Updated(self.change(hand, object, id, given)?)),
            _ => Ok(Upserted::Several(ids)),
        }
    }

    /// The field that upserts go by: an external id that may be seen.
    pub(super) fn key_field(&self, object: ObjectKind, name: &str) -> Result<&Field, Failure> {
        self.schema
            .field(object, name)
            .filter(|field| field.external_id)
            .ok_or_else(|| Failure::no_such_key(name))
    }

    /// Living records with this value in an indexed field.
    pub(super) fn with_key(
        &self,
        object: ObjectKind,
        field: &Field,
        value: &Value,
    ) -> Vec<RecordId> {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        let folded = field.folded(&text);
        self.store
            .with(object, &field.name, &folded)
            .cloned()
            .collect()
    }

    /// Applies checked fields to a record, or to a new one, and notes the write.
    pub(super) fn apply(
        &mut self,
        hand: &Hand,
        object: ObjectKind,
        id: Option<&str>,
        fields: Map<String, Value>,
    ) -> RecordId {
        let present = id.and_then(|id| self.store.any(id)).cloned();
        let what = match (&present, hand.request_no) {
            (Some(_), _) => WriteKind::Update,
            (None, 0) => WriteKind::Seeded,
            (None, _) => WriteKind::Create,
        };
        let mut record = present.unwrap_or_else(|| Record {
            object,
            id: self.store.next_id(object),
            fields: Map::new(),
            created_ms: hand.now_ms,
            updated_ms: hand.now_ms,
            created_by: hand.user.clone(),
            deleted: false,
            merged_into: None,
            writes: Vec::new(),
        });
        let mut written = Vec::with_capacity(fields.len());
        for (name, value) in fields {
            let before = if value.is_null() {
                record.fields.remove(&name)
            } else {
                record.fields.insert(name.clone(), value.clone())
            };
            written.push(FieldWrite {
                changed: before.unwrap_or(Value::Null) != value,
                name,
                value,
            });
        }
        record.updated_ms = hand.now_ms;
        let id = record.id.clone();
        self.settle(hand.now_ms, hand.request_no, record, what, written);
        id
    }

    /// Marks a record as deleted, or as taken up by another.
    pub(super) fn mark_deleted(
        &mut self,
        now_ms: i64,
        request_no: u64,
        id: &str,
        merged_into: Option<&str>,
    ) {
        let Some(mut record) = self.store.any(id).cloned() else {
            return;
        };
        record.deleted = true;
        record.updated_ms = now_ms;
        record.merged_into = merged_into.map(str::to_owned);
        let what = if merged_into.is_some() {
            WriteKind::Merge
        } else {
            WriteKind::Delete
        };
        self.settle(now_ms, request_no, record, what, Vec::new());
    }

    fn settle(
        &mut self,
        at_ms: i64,
        request_no: u64,
        mut record: Record,
        kind: WriteKind,
        fields: Vec<FieldWrite>,
    ) {
        record.writes.push(self.audit.writes.len());
        self.audit.writes.push(Write {
            at_ms,
            request_no,
            object: record.object,
            id: record.id.clone(),
            kind,
            fields,
        });
        self.index.note(at_ms, &record);
        self.store.put(&self.schema, record);
    }

    /// Lets a scripted fault have this row, if it is one of those it hits.
    fn strike_row(&mut self, id: Option<&str>) -> Result<(), Failure> {
        let place = self.rows_seen;
        self.rows_seen += 1;
        match &self.row_fault {
            Some((RowFault::Locked, rows)) if rows.contains(&place) => {
                let records =
                    id.map_or_else(|| "1 records".to_owned(), |id| format!("1 records: {id}"));
                Err(Failure::record(
                    "UNABLE_TO_LOCK_ROW",
                    format!("unable to obtain exclusive access to this record or {records}"),
                    &[],
                ))
            }
            Some((RowFault::Refused, rows)) if rows.contains(&place) => Err(Failure::record(
                "FIELD_CUSTOM_VALIDATION_EXCEPTION",
                "A rule of this org refuses the record",
                &[],
            )),
            _ => Ok(()),
        }
    }
}
