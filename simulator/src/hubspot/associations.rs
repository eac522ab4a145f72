//! Links between records: which types exist, and reading them off a request.
//!
//! The forward numbers are those of the vendor's SDK; the way back (contact → call and so on) is one less, from general
//! knowledge. A type that doesn't fit its two objects, or a record that isn't there, is refused before anything is written.

use serde_json::{Value, json};

use super::records::{Association, ObjectKind, Record, Store};
use super::replies::Refusal;

/// Type number of the default link between two objects; `None` when they can't be linked.
pub fn default_type(from: ObjectKind, to: ObjectKind) -> Option<u32> {
    use ObjectKind::{Calls, Contacts, Deals, Notes, Tasks};
    Some(match (from, to) {
        (Contacts, Deals) => 4,
        (Deals, Contacts) => 3,
        (Calls, Contacts) => 194,
        (Contacts, Calls) => 193,
        (Calls, Deals) => 206,
        (Deals, Calls) => 205,
        (Notes, Contacts) => 202,
        (Contacts, Notes) => 201,
        (Notes, Deals) => 214,
        (Deals, Notes) => 213,
        (Tasks, Contacts) => 204,
        (Contacts, Tasks) => 203,
        (Tasks, Deals) => 216,
        (Deals, Tasks) => 215,
        _ => return None,
    })
}

fn target_of(from: ObjectKind, type_id: u64) -> Option<ObjectKind> {
    ObjectKind::ALL
        .into_iter()
        .find(|&to| default_type(from, to).is_some_and(|it| u64::from(it) == type_id))
}

/// Reads the `associations` of a create. Missing means none.
pub(super) fn wanted(
    from: ObjectKind,
    associations: Option<&Value>,
    store: &Store,
) -> Result<Vec<Association>, Refusal> {
    let list = match associations {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(_) => {
            return Err(Refusal::invalid(
                "Invalid input JSON: associations is not a list",
            ));
        }
    };
    let mut links = Vec::new();
    for wish in list {
        let id = wish
            .pointer("/to/id")
            .and_then(Value::as_str)
            .ok_or_else(|| {
                Refusal::invalid("Invalid input JSON: to.id of an association was not set")
            })?;
        let types = wish
            .get("types")
            .and_then(Value::as_array)
            .filter(|types| !types.is_empty())
            .ok_or_else(|| {
                Refusal::invalid("Invalid input JSON: types of an association were not set")
            })?;
        for kind in types {
            let category = kind.get("associationCategory").and_then(Value::as_str);
            let type_id = kind.get("associationTypeId").and_then(Value::as_u64);
            let to = type_id
                .filter(|_| category == Some("HUBSPOT_DEFINED"))
                .and_then(|type_id| target_of(from, type_id))
                .ok_or_else(|| {
                    let named = type_id.map_or_else(|| "none".to_owned(), |it| it.to_string());
                    Refusal::invalid(format!(
                        "One or more associations are invalid: association type {named} of category {} does not exist \
                         for {}",
                        category.unwrap_or("none"),
                        from.type_id()
                    ))
                })?;
            links.push(existing(from, to, id, store)?);
        }
    }
    Ok(links)
}

/// The default link from an object to a record that exists.
pub(super) fn existing(
    from: ObjectKind,
    to: ObjectKind,
    id: &str,
    store: &Store,
) -> Result<Association, Refusal> {
    let type_id = default_type(from, to).ok_or_else(|| {
        Refusal::invalid(format!(
            "No default association exists between {} and {}",
            from.as_str(),
            to.as_str()
        ))
    })?;
    let record = id.parse().ok().and_then(|id| store.living(to, id));
    record.map_or_else(
        || {
            let label = to.singular().to_uppercase();
            Err(Refusal::invalid("One or more associations are invalid")
                .with_context(
                    "INVALID_OBJECT_IDS",
                    vec![format!("{label}={id} is not valid")],
                )
                .with_context("objectId", vec![id.to_owned()])
                .with_context("objectType", vec![label]))
        },
        |record| {
            Ok(Association {
                to,
                id: record.id,
                type_id,
            })
        },
    )
}

/// Results of a default association, both directions.
pub(super) fn default_results(from: ObjectKind, id: u64, link: Association) -> Vec<Value> {
    let entry = |from: u64, to: u64, type_id: u32| {
        json!({
            "from": {"id": from.to_string()},
            "to": {"id": to.to_string()},
            "associationSpec": {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id},
        })
    };
    let mut results = vec![entry(id, link.id, link.type_id)];
    results.extend(default_type(link.to, from).map(|back| entry(link.id, id, back)));
    results
}

/// One page of a record's links to an object (`GET /crm/v4/objects/…/associations/…`).
pub(super) fn page(record: &Record, to: ObjectKind, after: u64, limit: usize) -> Value {
    let linked: Vec<&Association> = record
        .associations
        .iter()
        .filter(|link| link.to == to && link.id > after)
        .take(limit + 1)
        .collect();
    let results: Vec<Value> = linked
        .iter()
        .take(limit)
        .map(|link| {
            json!({
                "toObjectId": link.id.to_string(),
                "associationTypes": [{"category": "HUBSPOT_DEFINED", "typeId": link.type_id, "label": null}],
            })
        })
        .collect();
    let mut body = json!({"results": results});
    if linked.len() > limit
        && let Some(last) = linked.get(limit - 1)
    {
        body["paging"] = json!({"next": {"after": last.id.to_string()}});
    }
    body
}

/// The `associations` of a read that asks for them; objects without links are left out.
pub(super) fn of_read(record: &Record, asked: &[String]) -> Value {
    let mut body = serde_json::Map::new();
    for to in asked.iter().filter_map(|name| ObjectKind::parse(name)) {
        let results: Vec<Value> = record
            .associations
            .iter()
            .filter(|link| link.to == to)
            .map(|link| {
                json!({
                    "id": link.id.to_string(),
                    "type": format!("{}_to_{}", record.object.singular(), to.singular()),
                })
            })
            .collect();
        if !results.is_empty() {
            body.insert(to.as_str().to_owned(), json!({"results": results}));
        }
    }
    Value::Object(body)
}
