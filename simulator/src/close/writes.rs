//! Making, changing, moving and deleting records. Everything that is applied goes through [`Close::commit`], which writes
//! the audit and tells the search index.

use serde_json::{Map, Value, json};

use super::Close;
use super::audit::{Write, WriteKind};
use super::fields::Reference;
use super::records::{ObjectKind, Record};
use super::replies::{Refusal, iso};
use crate::fakes::{FieldWrite, Request};

impl Reference for Close {
    fn lead_lives(&self, id: &str) -> bool {
        self.store.living(ObjectKind::Lead, id).is_some()
    }

    fn user_exists(&self, id: &str) -> bool {
        self.config.users.iter().any(|user| user == id)
    }

    fn status_exists(&self, of: ObjectKind, id: &str) -> bool {
        self.statuses(of).iter().any(|status| status == id)
    }

    fn pipeline_exists(&self, id: &str) -> bool {
        self.config.pipeline == id
    }

    fn outcome_exists(&self, id: &str) -> bool {
        self.config.outcomes.iter().any(|outcome| outcome == id)
    }
}

impl Close {
    pub(super) fn statuses(&self, of: ObjectKind) -> &[String] {
        if of == ObjectKind::Lead {
            &self.config.lead_statuses
        } else {
            &self.config.opportunity_statuses
        }
    }

    /// `POST` of a record: all of it is checked before any of it is made.
    pub(super) fn create(
        &mut self,
        now_ms: i64,
        request_no: u64,
        kind: ObjectKind,
        body: &Map<String, Value>,
    ) -> Result<Value, Refusal> {
        if kind == ObjectKind::Lead {
            return self.create_lead(now_ms, request_no, body);
        }
        let mut fields = self.schema.kept(kind, body, self)?;
        if kind == ObjectKind::Contact {
            if !fields.contains_key("lead_id") {
                // A contact without lead gets one that is called after it.
                let name = fields.get("name").cloned().unwrap_or_default();
                let lead = Map::from_iter([("name".to_owned(), name)]);
                let lead = self.complete_lead(lead);
                let id = self.make(
                    now_ms,
                    request_no,
                    ObjectKind::Lead,
                    lead,
                    WriteKind::Create,
                );
                fields.insert("lead_id".to_owned(), id.into());
            }
        } else {
            self.complete(now_ms, kind, &mut fields)?;
        }
        let id = self.make(now_ms, request_no, kind, fields, WriteKind::Create);
        Ok(self.view_of(&id))
    }

    fn create_lead(
        &mut self,
        now_ms: i64,
        request_no: u64,
        body: &Map<String, Value>,
    ) -> Result<Value, Refusal> {
        let mut body = body.clone();
        let nested = match body.remove("contacts") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(contacts)) => contacts,
            Some(_) => return Err(Refusal::field("contacts", "A list is needed.")),
        };
        let fields = self.schema.kept(ObjectKind::Lead, &body, self)?;
        let mut contacts = Vec::with_capacity(nested.len());
        for contact in &nested {
            let contact = contact
                .as_object()
                .ok_or_else(|| Refusal::field("contacts", "A list of contacts is needed."))?;
            contacts.push(self.schema.kept(ObjectKind::Contact, contact, self)?);
        }
        let fields = self.complete_lead(fields);
        let lead = self.make(
            now_ms,
            request_no,
            ObjectKind::Lead,
            fields,
            WriteKind::Create,
        );
        for mut contact in contacts {
            contact.insert("lead_id".to_owned(), lead.clone().into());
            self.make(
                now_ms,
                request_no,
                ObjectKind::Contact,
                contact,
                WriteKind::Create,
            );
        }
        Ok(self.view_of(&lead))
    }

    pub(super) fn complete_lead(&self, mut fields: Map<String, Value>) -> Map<String, Value> {
        if let Some(status) = self.config.lead_statuses.first() {
            fields
                .entry("status_id")
                .or_insert_with(|| status.clone().into());
        }
        fields
    }

    /// What hangs on a lead: its lead and contact must belong together, and what was left out is filled in.
    fn complete(
        &self,
        now_ms: i64,
        kind: ObjectKind,
        fields: &mut Map<String, Value>,
    ) -> Result<(), Refusal> {
        let contact = fields.get("contact_id").and_then(Value::as_str);
        if let Some(contact) = contact {
            let lead = self
                .store
                .living(ObjectKind::Contact, contact)
                .and_then(|contact| contact.text("lead_id"))
                .map(ToOwned::to_owned)
                .ok_or_else(|| Refusal::field("contact_id", "No contact has this id."))?;
            let given = fields
                .entry("lead_id")
                .or_insert_with(|| lead.clone().into());
            if given.as_str() != Some(&lead) {
                return Err(Refusal::field(
                    "contact_id",
                    "The contact is on another lead.",
                ));
            }
        }
        if fields.get("lead_id").is_none_or(Value::is_null) {
            return Err(Refusal::field("lead_id", "This field is required."));
        }
        let mut fill = |name: &str, value: Value| {
            fields.entry(name).or_insert(value);
        };
        match kind {
            ObjectKind::Call => {
                fill("status", "completed".into());
                fill("source", "External".into());
                fill("activity_at", iso(now_ms).into());
            }
            ObjectKind::Note => fill("activity_at", iso(now_ms).into()),
            ObjectKind::Task => {
                fill("_type", "lead".into());
                fill("is_complete", false.into());
            }
            ObjectKind::Opportunity => {
                fill("pipeline_id", self.config.pipeline.clone().into());
                fill("value_period", "one_time".into());
                fill("confidence", 50.into());
                if let Some(status) = self.config.opportunity_statuses.first() {
                    fill("status_id", status.clone().into());
                }
            }
            ObjectKind::Lead | ObjectKind::Contact => {}
        }
        texts_agree(fields);
        Ok(())
    }

    /// `PUT` of a record: sets the fields that are named, whole; lists too.
    pub(super) fn update(
        &mut self,
        now_ms: i64,
        request_no: u64,
        kind: ObjectKind,
        id: &str,
        body: &Map<String, Value>,
    ) -> Result<Value, Refusal> {
        self.store.living(kind, id).ok_or_else(Refusal::not_found)?;
        let mut fields = self.schema.kept(kind, body, self)?;
        texts_agree(&mut fields);
        let moved = fields.remove("lead_id");
        self.commit(now_ms, request_no, id, fields, WriteKind::Update);
        if let Some(Value::String(lead)) = moved {
            self.move_record(now_ms, request_no, id, &lead);
        }
        Ok(self.view_of(id))
    }

    /// `PUT /task/` without id: every task that the query matches is changed. A trap that Close documents.
    pub(super) fn update_tasks(
        &mut self,
        now_ms: i64,
        request_no: u64,
        request: &Request,
        body: &Map<String, Value>,
    ) -> Result<Value, Refusal> {
        let fields = self.schema.kept(ObjectKind::Task, body, self)?;
        let matches = |task: &Record| {
            ["lead_id", "assigned_to"].iter().all(|name| {
                request
                    .parameter(name)
                    .is_none_or(|value| task.text(name) == Some(value))
            })
        };
        let ids: Vec<String> = self
            .store
            .all(ObjectKind::Task)
            .filter(|task| !task.deleted && matches(task))
            .map(|task| task.id.clone())
            .collect();
        for id in &ids {
            self.commit(now_ms, request_no, id, fields.clone(), WriteKind::Update);
        }
        Ok(json!({}))
    }

    /// `DELETE` of a record; a lead takes everything on it along.
    pub(super) fn delete(
        &mut self,
        now_ms: i64,
        request_no: u64,
        kind: ObjectKind,
        id: &str,
    ) -> Result<Value, Refusal> {
        self.store.living(kind, id).ok_or_else(Refusal::not_found)?;
        if kind == ObjectKind::Lead {
            for child in self.children(id) {
                self.commit(now_ms, request_no, &child, Map::new(), WriteKind::Delete);
            }
        }
        self.commit(now_ms, request_no, id, Map::new(), WriteKind::Delete);
        Ok(json!({}))
    }

    /// Moves everything of one lead to another and deletes the first.
    pub(super) fn merge(
        &mut self,
        now_ms: i64,
        request_no: u64,
        source: &str,
        destination: &str,
    ) -> Result<Value, Refusal> {
        for (name, id) in [("source", source), ("destination", destination)] {
            if !self.lead_lives(id) {
                return Err(Refusal::field(name, "No lead has this id."));
            }
        }
        if source == destination {
            return Err(Refusal::field(
                "source",
                "A lead can't be merged with itself.",
            ));
        }
        for child in self.children(source) {
            self.move_record(now_ms, request_no, &child, destination);
        }
        self.commit(now_ms, request_no, source, Map::new(), WriteKind::Delete);
        Ok(json!({}))
    }

    fn children(&self, lead: &str) -> Vec<String> {
        [
            ObjectKind::Contact,
            ObjectKind::Call,
            ObjectKind::Note,
            ObjectKind::Task,
            ObjectKind::Opportunity,
        ]
        .into_iter()
        .flat_map(|kind| self.store.on_lead(lead, kind))
        .map(|record| record.id.clone())
        .collect()
    }

    fn move_record(&mut self, now_ms: i64, request_no: u64, id: &str, lead: &str) {
        self.store.move_to(id, lead);
        let fields = Map::from_iter([("lead_id".to_owned(), lead.to_owned().into())]);
        self.commit(now_ms, request_no, id, fields, WriteKind::Move);
    }

    /// Makes a record of fields that were checked.
    pub(super) fn make(
        &mut self,
        at_ms: i64,
        request_no: u64,
        kind: ObjectKind,
        fields: Map<String, Value>,
        write: WriteKind,
    ) -> String {
        let (id, number) = self.store.new_id(kind);
        let lead = fields.get("lead_id").cloned();
        self.store.insert(Record {
            id: id.clone(),
            kind,
            fields: lead
                .map(|lead| Map::from_iter([("lead_id".to_owned(), lead)]))
                .unwrap_or_default(),
            created_ms: at_ms,
            updated_ms: at_ms,
            deleted: false,
            number,
        });
        self.commit(at_ms, request_no, &id, fields, write);
        id
    }

    /// Applies a write.
    fn commit(
        &mut self,
        at_ms: i64,
        request_no: u64,
        id: &str,
        fields: Map<String, Value>,
        kind: WriteKind,
    ) {
        let Some(record) = self.store.any_mut(id) else {
            return;
        };
        let object = record.kind;
        record.updated_ms = at_ms;
        record.deleted |= kind == WriteKind::Delete;
        let fields: Vec<FieldWrite> = fields
            .into_iter()
            .map(|(name, value)| {
                let before = record.fields.insert(name.clone(), value.clone());
                FieldWrite {
                    changed: before.as_ref() != Some(&value),
                    name,
                    value,
                }
            })
            .collect();
        let snapshot = record.clone();
        let visible_ms = if kind == WriteKind::Seeded {
            at_ms
        } else {
            at_ms.saturating_add(self.config.search_lag_ms)
        };
        self.events.note(at_ms, kind, &snapshot);
        self.index.note(visible_ms, snapshot);
        self.audit.writes.push(Write {
            at_ms,
            request_no,
            object,
            id: id.to_owned(),
            kind,
            fields,
        });
    }
}

/// A note's text and its HTML are one: who sets one sets the other; the HTML wins.
fn texts_agree(fields: &mut Map<String, Value>) {
    if let Some(html) = fields.get("note_html").and_then(Value::as_str) {
        let mut text = String::new();
        let mut tag = false;
        for c in html.chars() {
            match c {
                '<' => tag = true,
                '>' => tag = false,
                c if !tag => text.push(c),
                _ => {}
            }
        }
        fields.insert("note".to_owned(), text.into());
    }
}
