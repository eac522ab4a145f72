//! Collections: up to 200 records in one call, each with a result of its own; up to 2,000 when they are only read.
//!
//! A well-formed request is answered with 200 however its items fared, results in the order of the items. With
//! `allOrNone` the first refusal takes everything back.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Salesforce;
use super::ids::RecordId;
use super::query::shown;
use super::records::ObjectKind;
use super::replies::{Answer, Failure};
use super::route::Call;
use super::sobjects::object_of;
use super::writes::{Hand, Upserted};

/// The most records of one call.
pub const COLLECTION_MAX: usize = 200;

/// The most records read in one call.
pub const COLLECTION_READ_MAX: usize = 2_000;

/// What became of an item: its id and, of an upsert, whether it was made.
type Outcome = Result<(RecordId, Option<bool>), Failure>;

/// The items of a collection and whether all or none of them count.
fn items(call: &Call<'_>) -> Result<(bool, Vec<Map<String, Value>>), Failure> {
    let body = object_of(call.json()?)?;
    let all_or_none = match body.get("allOrNone") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(flag)) => *flag,
        Some(_) => return Err(Failure::unreadable("allOrNone must be true or false")),
    };
    let Some(Value::Array(records)) = body.get("records") else {
        return Err(Failure::unreadable("records must be a list"));
    };
    if records.len() > COLLECTION_MAX {
        return Err(too_many());
    }
    let mut items = Vec::with_capacity(records.len());
    for record in records {
        match record {
            Value::Object(item) => items.push(item.clone()),
            _ => return Err(Failure::unreadable("every record must be an object")),
        }
    }
    Ok((all_or_none, items))
}

fn too_many() -> Failure {
    let said = "record limit reached. cannot submit more than 200 records into this call";
    Failure::request(400, "EXCEEDED_ID_LIMIT", said)
}

/// The object that an item says it is of.
fn object_of_item(item: &Map<String, Value>) -> Result<ObjectKind, Failure> {
    let named = item
        .get("attributes")
        .and_then(|attributes| attributes["type"].as_str());
    let name = named.ok_or_else(|| {
        Failure::record(
            "INVALID_TYPE",
            "sObject type is missing: give attributes.type",
            &[],
        )
    })?;
    ObjectKind::named(name).ok_or_else(|| {
        let said = format!("sObject type '{name}' is not supported.");
        Failure::record("INVALID_TYPE", said, &[])
    })
}

impl Salesforce {
    pub(super) fn create_many(&mut self, hand: &Hand, call: &Call<'_>) -> Result<Answer, Failure> {
        let (all_or_none, items) = items(call)?;
        Ok(self.each(hand, all_or_none, &items, |org, item| {
            let id = org.insert(hand, object_of_item(item)?, item)?;
            Ok((id, None))
        }))
    }

    pub(super) fn update_many(&mut self, hand: &Hand, call: &Call<'_>) -> Result<Answer, Failure> {
        let (all_or_none, items) = items(call)?;
        Ok(self.each(hand, all_or_none, &items, |org, item| {
            let object = object_of_item(item)?;
            let id = item
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case("id"))
                .and_then(|(_, id)| id.as_str())
                .ok_or_else(|| {
                    Failure::record(
                        "MISSING_ARGUMENT",
                        "Id not specified in an update call",
                        &["Id"],
                    )
                })?;
            Ok((org.change(hand, object, id, item)?, None))
        }))
    }

    pub(super) fn upsert_many(
        &mut self,
        hand: &Hand,
        object: ObjectKind,
        key: &str,
        call: &Call<'_>,
    ) -> Result<Answer, Failure> {
        let field = self.key_field(object, key)?.clone();
        let (all_or_none, items) = items(call)?;
        let key_of = |item: &Map<String, Value>| {
            item.iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(&field.name))
                .map(|(_, value)| value.clone())
        };
        let mut uses: BTreeMap<String, u32> = BTreeMap::new();
        for text in items.iter().filter_map(&key_of) {
            *uses.entry(field.folded(&plain(&text))).or_insert(0) += 1;
        }
        Ok(self.each(hand, all_or_none, &items, |org, item| {
            let of_item = object_of_item(item)?;
            if of_item != object {
                let said = format!("sObject type '{}' isn't the collection's", of_item.name());
                return Err(Failure::record("INVALID_TYPE", said, &[]));
            }
            let value = key_of(item).unwrap_or(Value::Null);
            if uses
                .get(&field.folded(&plain(&value)))
                .is_some_and(|uses| *uses > 1)
            {
                return Err(specified_twice(&plain(&value)));
            }
            let mut given = item.clone();
            given.retain(|name, _| !name.eq_ignore_ascii_case(&field.name));
            match org.upsert(hand, object, (&field.name, &value), &given, false)? {
                Upserted::Created(id) => Ok((id, Some(true))),
                Upserted::Updated(id) => Ok((id, Some(false))),
                Upserted::Several(ids) => Err(held_by_several(&field.name, &ids)),
            }
        }))
    }

    /// `POST /composite/sobjects/Contact` with ids and fields: the records in the order of the ids, null where there is none.
    pub(super) fn read_many(
        &self,
        hand: &Hand,
        object: ObjectKind,
        call: &Call<'_>,
    ) -> Result<Answer, Failure> {
        let body = object_of(call.json()?)?;
        let texts = |name: &str| -> Result<Vec<String>, Failure> {
            let list = body.get(name).and_then(Value::as_array);
            list.and_then(|list| {
                list.iter()
                    .map(|it| it.as_str().map(str::to_owned))
                    .collect()
            })
            .ok_or_else(|| Failure::unreadable(&format!("{name} must be a list of texts")))
        };
        let (ids, names) = (texts("ids")?, texts("fields")?);
        if ids.len() > COLLECTION_READ_MAX {
            let said = "record limit reached. cannot retrieve more than 2000 records in this call";
            return Err(Failure::request(400, "EXCEEDED_ID_LIMIT", said));
        }
        let fields = self.fields_named(object, names.iter().map(String::as_str))?;
        let found = ids.iter().map(|id| {
            let id = self.present(object, id).ok()?;
            Some(shown(hand.version, self.store.any(&id)?, &fields))
        });
        Ok(Answer::json(200, found.collect()))
    }

    /// `DELETE /composite/sobjects?ids=…`: records of whichever objects.
    pub(super) fn delete_many(&mut self, hand: &Hand, call: &Call<'_>) -> Result<Answer, Failure> {
        let all_or_none = match call.parameter("allOrNone") {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(Failure::unreadable("allOrNone must be true or false")),
        };
        let ids = call.parameter("ids").unwrap_or_default();
        let ids: Vec<&str> = ids.split(',').filter(|id| !id.is_empty()).collect();
        if ids.is_empty() {
            let said = "The ids parameter is required";
            return Err(Failure::request(400, "MISSING_ARGUMENT", said));
        }
        if ids.len() > COLLECTION_MAX {
            return Err(too_many());
        }
        Ok(self.each(hand, all_or_none, &ids, |org, id| {
            let object = ObjectKind::ALL
                .into_iter()
                .find(|object| id.starts_with(object.prefix()))
                .ok_or_else(|| {
                    Failure::record("MALFORMED_ID", format!("malformed id {id}"), &["Id"])
                })?;
            Ok((org.delete(hand, object, id)?, None))
        }))
    }

    /// Carries out every item and tells what became of each.
    fn each<T>(
        &mut self,
        hand: &Hand,
        all_or_none: bool,
        items: &[T],
        mut carry_out: impl FnMut(&mut Self, &T) -> Outcome,
    ) -> Answer {
        let begun = self.savepoint();
        let outcomes: Vec<Outcome> = items.iter().map(|item| carry_out(self, item)).collect();
        let rolled_back = all_or_none && outcomes.iter().any(Result::is_err);
        if rolled_back {
            self.roll_back(hand.now_ms, begun);
        }
        let results: Vec<Value> = outcomes
            .into_iter()
            .map(|outcome| match outcome {
                Err(failure) => failure.item(),
                Ok(_) if rolled_back => Failure::record(
                    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
                    "Record rolled back because not all records were valid and the request was using AllOrNone header",
                    &[],
                )
                .item(),
                Ok((id, made)) => {
                    let mut result = json!({"id": id, "success": true, "errors": []});
                    if let Some(made) = made {
                        result["created"] = made.into();
                    }
                    result
                }
            })
            .collect();
        Answer::json(200, results.into())
    }
}

/// A key's value as text.
fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Several items name one key: none of them is carried out.
pub(super) fn specified_twice(key: &str) -> Failure {
    let said = format!("Duplicate external id specified: {key}");
    Failure::record("DUPLICATE_VALUE", said, &[])
}

/// Several records have one key.
pub(super) fn held_by_several(field: &str, ids: &[RecordId]) -> Failure {
    let said = format!(
        "{field}: more than one record found for external id field: [{}]",
        ids.join(", ")
    );
    Failure::record("DUPLICATE_EXTERNAL_ID", said, &[field])
}
