//! Creations, updates, deletions: references checked, defaults filled in, everything applied in the audit.
//!
//! Nothing is unique: a body that is sent twice makes two records. An update replaces what it names, lists as a whole.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Pipedrive;
use super::audit::{Write, WriteKind};
use super::config::{Token, User};
use super::records::{Kind, RecordId};
use super::replies::{Refusal, success};
use super::schema::Parts;
use crate::fakes::{FieldWrite, Reply};

/// Who writes, when, and in which request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hand<'a> {
    pub(super) now_ms: i64,
    pub(super) request_no: u64,
    pub(super) token: &'a Token,
}

impl Pipedrive {
    pub(super) fn create(
        &mut self,
        hand: Hand<'_>,
        kind: Kind,
        body: &Value,
    ) -> Result<Reply, Refusal> {
        let (mut fields, custom) = self.schema.parts(kind, body, true)?;
        self.check_references(kind, &fields)?;
        let user = self.user(hand.token.user_id)?.clone();
        match kind {
            Kind::Person => {}
            Kind::Activity => {
                fields.entry("type").or_insert_with(|| "call".into());
                let named = fields["type"].clone();
                fields.entry("subject").or_insert(named);
                fields.entry("done").or_insert(false.into());
            }
            Kind::Deal => self.deal_defaults(&mut fields)?,
            Kind::Note => check_note(&user, &fields, true)?,
            Kind::CallLog => self.log_call(hand, &mut fields)?,
        }
        let owner = if kind.is_v1() { "user_id" } else { "owner_id" };
        fields.entry(owner).or_insert(user.id.into());
        let id = self.apply(hand.now_ms, hand.request_no, kind, None, (fields, custom));
        let status = if kind.is_v1() {
            200
        } else {
            self.created_status
        };
        Ok(success(status, &self.shown(kind, id), None))
    }

    pub(super) fn update(
        &mut self,
        hand: Hand<'_>,
        kind: Kind,
        id: RecordId,
        body: &Value,
    ) -> Result<Reply, Refusal> {
        let living = self.store.living(kind, id).is_some();
        if !living {
            return Err(Refusal::not_found(kind.word()));
        }
        let (mut fields, custom) = self.schema.parts(kind, body, false)?;
        self.check_references(kind, &fields)?;
        if kind == Kind::Note {
            check_note(&self.user(hand.token.user_id)?.clone(), &fields, false)?;
        }
        if kind == Kind::Deal {
            self.follow_stage(&mut fields)?;
        }
        self.apply(
            hand.now_ms,
            hand.request_no,
            kind,
            Some(id),
            (fields, custom),
        );
        Ok(success(200, &self.shown(kind, id), None))
    }

    pub(super) fn delete(
        &mut self,
        hand: Hand<'_>,
        kind: Kind,
        id: RecordId,
    ) -> Result<Reply, Refusal> {
        if self.delete_record(hand.now_ms, hand.request_no, kind, id) {
            Ok(success(200, &json!({"id": id}), None))
        } else {
            Err(Refusal::not_found(kind.word()))
        }
    }

    /// Deletes a record. `false` when there is none.
    pub(super) fn delete_record(
        &mut self,
        now_ms: i64,
        request_no: u64,
        kind: Kind,
        id: RecordId,
    ) -> bool {
        if self.store.living(kind, id).is_none() {
            return false;
        }
        self.note_write(now_ms, request_no, kind, id, WriteKind::Delete, Vec::new());
        if let Some(record) = self.store.any_mut(kind, id) {
            record.deleted = true;
            record.updated_ms = now_ms;
        }
        self.reindex(now_ms, kind, id);
        true
    }

    /// Makes a record or changes one; returns its id.
    pub(super) fn apply(
        &mut self,
        now_ms: i64,
        request_no: u64,
        kind: Kind,
        id: Option<RecordId>,
        (fields, custom): Parts,
    ) -> RecordId {
        let what = match (id, request_no) {
            (Some(_), _) => WriteKind::Update,
            (None, 0) => WriteKind::Seeded,
            (None, _) => WriteKind::Create,
        };
        let id = id.unwrap_or_else(|| self.store.add(now_ms, kind, Map::new(), BTreeMap::new()));
        let mut written = Vec::new();
        if let Some(record) = self.store.any_mut(kind, id) {
            record.updated_ms = now_ms;
            for (name, value) in fields {
                let before = record.fields.insert(name.clone(), value.clone());
                written.push(FieldWrite {
                    name,
                    changed: before.as_ref() != Some(&value),
                    value,
                });
            }
            for (name, value) in custom {
                let before = record.custom.insert(name.clone(), value.clone());
                written.push(FieldWrite {
                    name,
                    changed: before.as_ref() != Some(&value),
                    value,
                });
            }
        }
        self.note_write(now_ms, request_no, kind, id, what, written);
        self.reindex(now_ms, kind, id);
        id
    }

    pub(super) fn note_write(
        &mut self,
        at_ms: i64,
        request_no: u64,
        kind: Kind,
        id: RecordId,
        what: WriteKind,
        fields: Vec<FieldWrite>,
    ) {
        let place = self.audit.writes.len();
        if let Some(record) = self.store.any_mut(kind, id) {
            record.writes.push(place);
        }
        self.audit.writes.push(Write {
            at_ms,
            request_no,
            kind,
            id,
            what,
            fields,
        });
    }

    fn reindex(&mut self, now_ms: i64, kind: Kind, id: RecordId) {
        if kind == Kind::Person {
            let record = self.store.living(kind, id);
            self.index.note(now_ms, id, record);
        }
    }

    pub(super) fn shown(&self, kind: Kind, id: RecordId) -> Value {
        let codes = self.schema.codes(kind);
        self.store
            .any(kind, id)
            .map_or(Value::Null, |record| record.shown(&codes))
    }

    fn user(&self, id: u64) -> Result<&User, Refusal> {
        self.users
            .iter()
            .find(|user| user.id == id)
            .ok_or_else(|| Refusal::new(400, format!("User with id {id} not found")))
    }

    /// Every record and user that a body names must be there. The two versions answer differently.
    fn check_references(&self, kind: Kind, fields: &Map<String, Value>) -> Result<(), Refusal> {
        for name in ["owner_id", "user_id"] {
            if let Some(id) = fields.get(name).and_then(Value::as_u64) {
                self.user(id).map_err(|_| Refusal::invalid(name))?;
            }
        }
        let participants = fields.get("participants").and_then(Value::as_array);
        let persons = participants
            .into_iter()
            .flatten()
            .filter_map(|one| one["person_id"].as_u64())
            .chain(fields.get("person_id").and_then(Value::as_u64))
            .map(|id| (Kind::Person, id));
        let deals = fields
            .get("deal_id")
            .and_then(Value::as_u64)
            .map(|id| (Kind::Deal, id));
        for (of, id) in persons.chain(deals) {
            if self.store.living(of, id).is_none() {
                return Err(if kind.is_v1() {
                    Refusal::not_found(of.word())
                } else {
                    Refusal::new(400, format!("{} with id {id} not found", of.word()))
                });
            }
        }
        Ok(())
    }

    fn deal_defaults(&self, fields: &mut Map<String, Value>) -> Result<(), Refusal> {
        self.follow_stage(fields)?;
        fields.entry("status").or_insert_with(|| "open".into());
        fields
            .entry("currency")
            .or_insert_with(|| self.currency.clone().into());
        fields.entry("value").or_insert(0.into());
        let pipeline = match fields.get("pipeline_id").and_then(Value::as_u64) {
            Some(id) => self.pipelines.iter().find(|pipeline| pipeline.id == id),
            None => self.pipelines.first(),
        };
        if let Some(pipeline) = pipeline {
            fields.entry("pipeline_id").or_insert(pipeline.id.into());
            if let Some((stage, _)) = pipeline.stages.first() {
                fields.entry("stage_id").or_insert((*stage).into());
            }
        }
        Ok(())
    }

    /// A stage is one of a pipeline's, and brings its pipeline along.
    fn follow_stage(&self, fields: &mut Map<String, Value>) -> Result<(), Refusal> {
        let given = fields.get("pipeline_id").and_then(Value::as_u64);
        if given.is_some_and(|id| self.pipelines.iter().all(|pipeline| pipeline.id != id)) {
            return Err(Refusal::invalid("pipeline_id"));
        }
        if let Some(stage) = fields.get("stage_id").and_then(Value::as_u64) {
            let of = self
                .pipelines
                .iter()
                .find(|pipeline| pipeline.stages.iter().any(|(id, _)| *id == stage))
                .ok_or_else(|| Refusal::invalid("stage_id"))?;
            if given.is_some_and(|id| id != of.id) {
                return Err(Refusal::invalid("stage_id"));
            }
            fields.insert("pipeline_id".into(), of.id.into());
        }
        Ok(())
    }

    /// A call log turns an activity of its call into the logged one, or makes one. Whether an activity may be turned twice
    /// isn't documented; chosen: it may not.
    fn log_call(&mut self, hand: Hand<'_>, fields: &mut Map<String, Value>) -> Result<(), Refusal> {
        if let Some(id) = fields.get("activity_id").and_then(Value::as_u64) {
            let activity = self
                .store
                .living(Kind::Activity, id)
                .ok_or_else(|| Refusal::not_found(Kind::Activity.word()))?;
            let logged = self
                .store
                .all(Kind::CallLog)
                .any(|log| !log.deleted && log.field("activity_id") == id);
            if logged || activity.field("type") != "call" {
                return Err(Refusal::invalid("activity_id"));
            }
            return Ok(());
        }
        let mut activity = Map::new();
        for name in ["subject", "note", "deal_id", "person_id", "org_id"] {
            if let Some(value) = fields.get(name) {
                activity.insert(name.to_owned(), value.clone());
            }
        }
        activity.entry("subject").or_insert_with(|| "Call".into());
        activity.insert("type".into(), "call".into());
        activity.insert("done".into(), true.into());
        activity.insert("owner_id".into(), hand.token.user_id.into());
        let parts = (activity, BTreeMap::new());
        let id = self.apply(hand.now_ms, hand.request_no, Kind::Activity, None, parts);
        fields.insert("activity_id".into(), id.into());
        Ok(())
    }
}

/// A note hangs on something; its author and date are an administrator's to give.
fn check_note(user: &User, fields: &Map<String, Value>, creates: bool) -> Result<(), Refusal> {
    let linked = ["person_id", "deal_id", "lead_id", "org_id"]
        .iter()
        .any(|name| fields.get(*name).is_some_and(|value| !value.is_null()));
    if creates && !linked {
        return Err(Refusal::new(
            400,
            "One of deal_id, lead_id, person_id and org_id is required",
        ));
    }
    let reserved = ["user_id", "add_time"]
        .iter()
        .any(|name| fields.contains_key(*name));
    if reserved && !user.admin {
        return Err(Refusal::new(403, "Admin access is required"));
    }
    Ok(())
}
