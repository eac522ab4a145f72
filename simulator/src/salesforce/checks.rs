//! What a write must be before any of it is applied: fields that there are, values of their types, records that are there,
//! values that nobody else has.

use serde_json::{Map, Value};

use super::Salesforce;
use super::ids::{self, RecordId};
use super::records::ObjectKind;
use super::replies::Failure;
use super::schema::{Field, Type};
use super::standard::Writing;
use super::values::accepted;

impl Salesforce {
    /// The long form of the id of a record that is there.
    pub(super) fn present(&self, object: ObjectKind, id: &str) -> Result<RecordId, Failure> {
        let Some(id) = ids::canonical(id).filter(|id| ObjectKind::of_id(id) == Some(object)) else {
            let said = format!("{} ID: id value of incorrect type: {id}", object.name());
            return Err(Failure::record("MALFORMED_ID", said, &["Id"]));
        };
        match self.store.any(&id) {
            Some(record) if record.deleted => Err(Failure::record(
                "ENTITY_IS_DELETED",
                "entity is deleted",
                &[],
            )),
            Some(_) => Ok(id),
            None => Err(Failure::record(
                "INVALID_CROSS_REFERENCE_KEY",
                "invalid cross reference id",
                &[],
            )),
        }
    }

    /// The fields of a write, each checked, references and unique values too; nulls for what is emptied.
    pub(super) fn checked(
        &self,
        object: ObjectKind,
        changes: Option<&str>,
        given: &Map<String, Value>,
    ) -> Result<Map<String, Value>, Failure> {
        let stages: Vec<&str> = self
            .config
            .stages
            .iter()
            .map(|it| it.name.as_str())
            .collect();
        let (mut fields, mut closed) = (Map::new(), Vec::new());
        for (name, value) in given {
            let its_id = name.eq_ignore_ascii_case("id") && changes.is_some();
            if name == "attributes" || its_id {
                continue;
            }
            let Some(field) = self.schema.field(object, name) else {
                let said = format!(
                    "No such column '{name}' on sobject of type {}",
                    object.name()
                );
                return Err(Failure::record("INVALID_FIELD", said, &[]));
            };
            let open = match field.writing {
                Writing::Always => true,
                Writing::OnCreation => changes.is_none(),
                Writing::Never => false,
            };
            if !open || !object.is_written() {
                closed.push(field.name.as_str());
                continue;
            }
            let value = accepted(field, &stages, value)?;
            self.check_reference(field, &value)?;
            self.check_unique(object, changes, field, &value)?;
            fields.insert(field.name.clone(), value);
        }
        if !closed.is_empty() {
            let said = format!(
                "Unable to create/update fields: {}. Please check the security settings of this field and verify that it is read/write for your profile or permission set.",
                closed.join(", ")
            );
            return Err(Failure::record(
                "INVALID_FIELD_FOR_INSERT_UPDATE",
                said,
                &closed,
            ));
        }
        let lacking: Vec<&str> = self
            .schema
            .fields(object)
            .filter(|field| field.required)
            .filter(|field| match fields.get(&field.name) {
                Some(value) => value.is_null(),
                None => changes.is_none(),
            })
            .map(|field| field.name.as_str())
            .collect();
        if lacking.is_empty() {
            return Ok(fields);
        }
        let said = format!("Required fields are missing: [{}]", lacking.join(", "));
        Err(Failure::record("REQUIRED_FIELD_MISSING", said, &lacking))
    }

    fn check_reference(&self, field: &Field, value: &Value) -> Result<(), Failure> {
        let (Type::Reference(_), Some(id)) = (field.kind, value.as_str()) else {
            return Ok(());
        };
        match self.store.any(id) {
            None => Err(Failure::record(
                "INVALID_CROSS_REFERENCE_KEY",
                "invalid cross reference id",
                &[],
            )),
            Some(record) if record.deleted => Err(Failure::record(
                "ENTITY_IS_DELETED",
                "entity is deleted",
                &[],
            )),
            Some(user) if user.value("IsActive") == false && user.object == ObjectKind::User => {
                let said = format!("operation performed with inactive user [{id}] as owner");
                Err(Failure::record(
                    "INACTIVE_OWNER_OR_USER",
                    said,
                    &[&field.name],
                ))
            }
            Some(_) => Ok(()),
        }
    }

    fn check_unique(
        &self,
        object: ObjectKind,
        changes: Option<&str>,
        field: &Field,
        value: &Value,
    ) -> Result<(), Failure> {
        if !field.unique || value.is_null() {
            return Ok(());
        }
        let held = self.with_key(object, field, value);
        match held.iter().find(|id| Some(id.as_str()) != changes) {
            None => Ok(()),
            Some(id) => {
                let said = format!(
                    "duplicate value found: {} duplicates value on record with id: {id}",
                    field.name
                );
                Err(Failure::record("DUPLICATE_VALUE", said, &[]))
            }
        }
    }
}
