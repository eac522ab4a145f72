//! Requests about one record, and about what the org is.

use serde_json::{Map, Value, json};

use super::Salesforce;
use super::ids::RecordId;
use super::query::shown;
use super::records::ObjectKind;
use super::replies::{Answer, Failure};
use super::route::{Call, VERSIONS};
use super::values::{accepted, from_text};
use super::writes::{Hand, Upserted};

/// From this version on an upsert that changes a record says which.
const TELLS_UPDATED: u32 = 46;

/// The object of a body.
pub(super) fn object_of(body: Value) -> Result<Map<String, Value>, Failure> {
    match body {
        Value::Object(fields) => Ok(fields),
        _ => Err(Failure::unreadable("The body must be one JSON object")),
    }
}

/// The address of a record.
pub(super) fn url(version: u32, object: ObjectKind, id: &str) -> String {
    let name = object.name();
    format!("/services/data/v{version}.0/sobjects/{name}/{id}")
}

impl Salesforce {
    pub(super) fn create(
        &mut self,
        hand: &Hand,
        object: ObjectKind,
        call: &Call<'_>,
    ) -> Result<Answer, Failure> {
        let given = object_of(call.json()?)?;
        let id = self.insert(hand, object, &given)?;
        let body = json!({"id": id, "success": true, "errors": []});
        Ok(Answer {
            location: Some(url(hand.version, object, &id)),
            ..Answer::json(201, body)
        })
    }

    pub(super) fn read(
        &self,
        hand: &Hand,
        object: ObjectKind,
        id: &str,
        call: &Call<'_>,
    ) -> Result<Answer, Failure> {
        let id = self.present(object, id).map_err(|_| Failure::not_found())?;
        self.shown_one(hand, object, &id, call)
    }

    pub(super) fn update(
        &mut self,
        hand: &Hand,
        object: ObjectKind,
        id: &str,
        call: &Call<'_>,
    ) -> Result<Answer, Failure> {
        let given = object_of(call.json()?)?;
        if let Some(name) = given.keys().find(|name| name.eq_ignore_ascii_case("id")) {
            let said = "The Id field should not be specified in the sobject data.";
            return Err(Failure::record("INVALID_FIELD", said, &[name]));
        }
        let id = self.addressed(object, id)?;
        self.change(hand, object, &id, &given)?;
        Ok(Answer::empty(204))
    }

    pub(super) fn remove(
        &mut self,
        hand: &Hand,
        object: ObjectKind,
        id: &str,
    ) -> Result<Answer, Failure> {
        let id = self.addressed(object, id)?;
        self.delete(hand, object, &id)?;
        Ok(Answer::empty(204))
    }

    /// The record that a path names: what isn't there is the path's fault, 404.
    fn addressed(&self, object: ObjectKind, id: &str) -> Result<RecordId, Failure> {
        self.present(object, id)
            .map_err(|failure| match failure.code {
                "ENTITY_IS_DELETED" => Failure {
                    status: 404,
                    ..failure
                },
                "MALFORMED_ID" => Failure::no_such_key(id),
                _ => Failure::not_found(),
            })
    }

    pub(super) fn read_by_key(
        &self,
        hand: &Hand,
        object: ObjectKind,
        key: &str,
        value: &str,
        call: &Call<'_>,
    ) -> Result<Answer, Failure> {
        let field = self.key_field(object, key)?;
        let value = accepted(field, &[], &from_text(field, value))?;
        let ids = self.with_key(object, field, &value);
        match ids.as_slice() {
            [] => Err(Failure::not_found()),
            [id] => self.shown_one(hand, object, id, call),
            _ => Ok(several(hand, object, &ids)),
        }
    }

    pub(super) fn upsert_by_key(
        &mut self,
        hand: &Hand,
        object: ObjectKind,
        key: &str,
        value: &str,
        call: &Call<'_>,
    ) -> Result<Answer, Failure> {
        let given = object_of(call.json()?)?;
        let field = self.key_field(object, key)?;
        if let Some(name) = given
            .keys()
            .find(|name| name.eq_ignore_ascii_case(&field.name))
        {
            let said = format!("The {name} field should not be specified in the sobject data.");
            return Err(Failure::record("INVALID_FIELD", said, &[name]));
        }
        let key = field.name.clone();
        let update_only = match call.parameter("updateOnly") {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => {
                let said = "updateOnly must be true or false";
                return Err(Failure::request(400, "INVALID_PARAMETER", said));
            }
        };
        let value = Value::from(value);
        let done = self.upsert(hand, object, (&key, &value), &given, update_only)?;
        let (status, id) = match done {
            Upserted::Created(id) => (201, id),
            Upserted::Updated(_) if hand.version < TELLS_UPDATED => return Ok(Answer::empty(204)),
            Upserted::Updated(id) => (200, id),
            Upserted::Several(ids) => return Ok(several(hand, object, &ids)),
        };
        let mut body = json!({"id": id, "success": true, "errors": []});
        if hand.version >= TELLS_UPDATED {
            body["created"] = (status == 201).into();
        }
        Ok(Answer {
            location: Some(url(hand.version, object, &id)),
            ..Answer::json(status, body)
        })
    }

    fn shown_one(
        &self,
        hand: &Hand,
        object: ObjectKind,
        id: &str,
        call: &Call<'_>,
    ) -> Result<Answer, Failure> {
        let fields = match call.parameter("fields") {
            None => self
                .schema
                .fields(object)
                .map(|field| field.name.clone())
                .collect(),
            Some(names) => self.fields_named(object, names.split(','))?,
        };
        let record = self.store.any(id).ok_or_else(Failure::not_found)?;
        Ok(Answer::json(200, shown(hand.version, record, &fields)))
    }

    /// Fields that are asked for by name, and the id.
    pub(super) fn fields_named<'a>(
        &self,
        object: ObjectKind,
        names: impl Iterator<Item = &'a str>,
    ) -> Result<Vec<String>, Failure> {
        let mut fields = Vec::new();
        for name in names {
            let field = self.schema.field(object, name.trim()).ok_or_else(|| {
                let said = format!(
                    "No such column '{name}' on sobject of type {}",
                    object.name()
                );
                Failure::request(400, "INVALID_FIELD", said)
            })?;
            fields.push(field.name.clone());
        }
        if !fields.iter().any(|name| name == "Id") {
            fields.push("Id".to_owned());
        }
        Ok(fields)
    }

    pub(super) fn describe(&self, object: ObjectKind) -> Answer {
        let stages: Vec<&str> = self
            .config
            .stages
            .iter()
            .map(|stage| stage.name.as_str())
            .collect();
        Answer::json(200, self.schema.described(object, &stages))
    }

    /// `GET /limits`: the figures of the org. Only the day's calls and rows are counted here.
    pub(super) fn limit_list(&mut self, hand: &Hand) -> Answer {
        let day = self.limits.day(hand.now_ms);
        let left = day.limit.saturating_sub(day.used);
        Answer::json(
            200,
            json!({
                "DailyApiRequests": {"Max": day.limit, "Remaining": left},
                "DailyBulkApiBatches": {"Max": 15_000, "Remaining": 15_000},
                "DailyBulkV2QueryJobs": {"Max": 10_000, "Remaining": 10_000},
            }),
        )
    }

    /// `GET /services/data/`
    pub(super) fn version_list() -> Answer {
        let versions: Vec<Value> = VERSIONS
            .map(|number| {
                json!({"label": format!("Release {number}"), "url": format!("/services/data/v{number}.0"),
                    "version": format!("{number}.0")})
            })
            .collect();
        Answer::json(200, versions.into())
    }

    /// `POST /tooling/sobjects/CustomField`
    pub(super) fn create_field(&mut self, hand: &Hand, call: &Call<'_>) -> Result<Answer, Failure> {
        if !hand.admin {
            return Err(Failure::request(
                403,
                "INSUFFICIENT_ACCESS",
                "insufficient access rights: this user can't customize the application",
            ));
        }
        let visible = self.config.made_fields_are_visible;
        let number = self.schema.create(&call.json()?, visible)?;
        let id = super::ids::made("00N", number);
        let body = json!({"id": id, "success": true, "errors": [], "warnings": [], "infos": []});
        Ok(Answer::json(201, body))
    }
}

/// 300: the records that have a key which should be one record's.
fn several(hand: &Hand, object: ObjectKind, ids: &[RecordId]) -> Answer {
    let urls: Vec<String> = ids.iter().map(|id| url(hand.version, object, id)).collect();
    Answer::json(300, json!(urls))
}
