//! Writes of one record: check, plan, apply.
//!
//! Invariants: everything that can refuse a write is checked while planning; applying never fails; each applied write stands
//! in the audit before the reply is built.

use serde_json::{Map, Value, json};

use super::HubSpot;
use super::associations;
use super::audit::{Write, WriteKind};
use super::config::UniqueConflict;
use super::records::{Claims, ObjectKind, Planned, RecordId, Values, unique_key};
use super::replies::{Refusal, batch};
use crate::fakes::{Reply, Request};

impl HubSpot {
    /// Plans the creation of a record. `key` is a property set besides those of the input (an upsert's key).
    pub(super) fn plan_create(
        &mut self,
        object: ObjectKind,
        input: &Value,
        key: Option<(&str, &str)>,
        claims: &mut Claims,
    ) -> Result<Planned, Refusal> {
        let mut properties = properties_of(input)?.clone();
        if let Some((name, value)) = key {
            properties.entry(name).or_insert_with(|| json!(value));
        }
        let stored = self.schema.checked(
            object,
            &properties,
            None,
            &self.account,
            self.account.portal_id,
        )?;
        let missing: Vec<String> = object
            .required()
            .iter()
            .filter(|&&name| {
                !stored
                    .iter()
                    .any(|(it, value)| &**it == name && !value.is_empty())
            })
            .map(|&name| name.to_owned())
            .collect();
        if !missing.is_empty() {
            return Err(Refusal::invalid(format!(
                "Error creating {}. Some required properties were not set.",
                object.singular().to_uppercase()
            ))
            .with_context("properties", missing));
        }
        let associations = associations::wanted(object, input.get("associations"), &self.store)?;
        let id = self.store.new_id();
        self.claim(object, id, &stored, claims)?;
        Ok(Planned {
            object,
            id,
            creates: true,
            properties: stored,
            associations,
        })
    }

    /// Plans the update of an existing record.
    pub(super) fn plan_update(
        &self,
        object: ObjectKind,
        id: RecordId,
        input: &Value,
        claims: &mut Claims,
    ) -> Result<Planned, Refusal> {
        let pipeline = self
            .store
            .living(object, id)
            .and_then(|record| record.property("pipeline"));
        let stored = self.schema.checked(
            object,
            properties_of(input)?,
            pipeline,
            &self.account,
            self.account.portal_id,
        )?;
        self.claim(object, id, &stored, claims)?;
        Ok(Planned {
            object,
            id,
            creates: false,
            properties: stored,
            associations: Vec::new(),
        })
    }

    /// Takes the unique values of a write, or refuses it naming who holds one.
    fn claim(
        &self,
        object: ObjectKind,
        id: RecordId,
        stored: &Values,
        claims: &mut Claims,
    ) -> Result<(), Refusal> {
        let mut taken = Vec::new();
        for (name, value) in stored {
            let unique = self
                .schema
                .property(object, name)
                .is_some_and(|it| it.unique);
            if !unique || value.is_empty() {
                continue;
            }
            let claim = (name.clone(), unique_key(name, value));
            let holder = self
                .store
                .holder(object, name, value)
                .or_else(|| claims.get(&claim).copied());
            if let Some(holder) = holder.filter(|&holder| holder != id) {
                return Err(self.conflict(object, id, name, value, holder));
            }
            taken.push(claim);
        }
        claims.extend(taken.into_iter().map(|claim| (claim, id)));
        Ok(())
    }

    fn conflict(
        &self,
        object: ObjectKind,
        id: RecordId,
        property: &str,
        value: &str,
        holder: RecordId,
    ) -> Refusal {
        if self.unique_conflict == UniqueConflict::Conflict409 {
            let label = match object {
                ObjectKind::Contacts => "Contact",
                ObjectKind::Calls => "Call",
                ObjectKind::Notes => "Note",
                ObjectKind::Tasks => "Task",
                ObjectKind::Deals => "Deal",
            };
            return Refusal::new(
                409,
                "CONFLICT",
                format!("{label} already exists. Existing ID: {holder}"),
            );
        }
        Refusal::invalid(format!(
            "Cannot set PropertyValueCoordinates{{portalId={}, objectTypeId=ObjectTypeId{{legacyObjectType={}}}, \
             propertyName={property}, value={value}}} on {id}. {holder} already has that value.",
            self.account.portal_id,
            object.singular().to_uppercase(),
        ))
    }

    /// Applies a planned write.
    pub(super) fn commit(
        &mut self,
        at_ms: i64,
        request_no: u64,
        kind: WriteKind,
        planned: Planned,
    ) -> RecordId {
        let id = planned.id;
        let object = planned.object;
        let schema = &self.schema;
        let write = self.store.apply(
            at_ms,
            request_no,
            kind,
            planned,
            |name| schema.property(object, name).is_some_and(|it| it.unique),
            self.audit.writes.len(),
        );
        self.audit.writes.push(write);
        id
    }

    /// Commits and shows what was written besides the record's own properties.
    pub(super) fn commit_and_show(
        &mut self,
        at_ms: i64,
        request_no: u64,
        planned: Planned,
    ) -> Value {
        let names: Vec<String> = planned
            .properties
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, _)| name.to_string())
            .collect();
        let object = planned.object;
        let kind = if planned.creates {
            WriteKind::Create
        } else {
            WriteKind::Update
        };
        let id = self.commit(at_ms, request_no, kind, planned);
        let asked = if names.is_empty() {
            vec!["hs_object_id".to_owned()]
        } else {
            names
        };
        self.shown(object, id, Some(&asked)).unwrap_or(Value::Null)
    }

    pub(super) fn create(
        &mut self,
        at_ms: i64,
        request_no: u64,
        object: ObjectKind,
        input: &Value,
    ) -> Result<Reply, Refusal> {
        let planned = self.plan_create(object, input, None, &mut Claims::new())?;
        let body = self.commit_and_show(at_ms, request_no, planned);
        Ok(Reply::json(201, &body))
    }

    pub(super) fn update(
        &mut self,
        at_ms: i64,
        request_no: u64,
        object: ObjectKind,
        id: &str,
        request: &Request,
        input: &Value,
    ) -> Result<Reply, Refusal> {
        let id = self.resolve(object, id, request.parameter("idProperty"))?;
        let planned = self.plan_update(object, id, input, &mut Claims::new())?;
        let body = self.commit_and_show(at_ms, request_no, planned);
        Ok(Reply::json(200, &body))
    }

    /// Links two records by the default type; doing it again changes nothing and is answered alike.
    pub(super) fn associate(
        &mut self,
        at_ms: i64,
        request_no: u64,
        (from, id): (ObjectKind, &str),
        (to, to_id): (ObjectKind, &str),
    ) -> Result<Reply, Refusal> {
        let id = self.resolve(from, id, None)?;
        let link = associations::existing(from, to, to_id, &self.store)?;
        let write_no = self.audit.writes.len();
        self.store.link(from, id, link);
        self.store.note_write(from, id, write_no);
        self.audit.writes.push(Write {
            at_ms,
            request_no,
            object: from,
            id,
            kind: WriteKind::Associate,
            properties: Vec::new(),
            associations: vec![link],
        });
        let results = associations::default_results(from, id, link);
        Ok(batch(200, results, Vec::new(), at_ms))
    }

    /// Archives a record; `false` when there is none.
    pub(super) fn archive_record(
        &mut self,
        at_ms: i64,
        request_no: u64,
        object: ObjectKind,
        id: RecordId,
    ) -> bool {
        let done = self
            .store
            .archive(at_ms, object, id, self.audit.writes.len());
        if done {
            self.audit.writes.push(Write {
                at_ms,
                request_no,
                object,
                id,
                kind: WriteKind::Archive,
                properties: Vec::new(),
                associations: Vec::new(),
            });
        }
        done
    }
}

fn properties_of(input: &Value) -> Result<&Map<String, Value>, Refusal> {
    input
        .get("properties")
        .and_then(Value::as_object)
        .ok_or_else(|| Refusal::invalid("Invalid input JSON: properties were not set"))
}
