//! Links between records: which types exist, and reading them off a request.
//!
//! The forward numbers are those of the vendor's SDK; the way back (contact → call and so on) is one less, from general
//! knowledge. A type that doesn't fit its two objects, or a record that isn't there, is refused before anything is written.

use serde_json::{Value, json};

use super::records::{Association, ObjectKind, Record, Store};
use super::replies::{Refusal, batch};
use crate::fakes::Reply;

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

/// Records whose links one request reads at most.
const MAX_ASSOCIATION_INPUTS: usize = 1_000;
/// Links of one record in one answer; the rest waits behind a mark. Chosen, as for the listing of one record's links.
const LINKS_MAX: usize = 500;

/// Links of many records to an object (`POST /crm/v4/associations/…/batch/read`). A record without any, or one that isn't
/// there, is named among the errors of a 207.
pub(super) fn batch_read(
    store: &Store,
    at_ms: i64,
    from: ObjectKind,
    to: ObjectKind,
    body: &Value,
) -> Result<Reply, Refusal> {
    let inputs = body
        .get("inputs")
        .and_then(Value::as_array)
        .filter(|inputs| !inputs.is_empty())
        .ok_or_else(|| Refusal::invalid("Invalid input JSON: inputs were not set"))?;
    if inputs.len() > MAX_ASSOCIATION_INPUTS {
        return Err(Refusal::invalid(format!(
            "The batch holds {} inputs: at most {MAX_ASSOCIATION_INPUTS} are allowed",
            inputs.len()
        )));
    }
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for input in inputs {
        let text = |name: &str| input.get(name).and_then(Value::as_str);
        let id = text("id")
            .ok_or_else(|| Refusal::invalid("Invalid input JSON: id of an input was not set"))?;
        let after: u64 = match text("after") {
            None => 0,
            Some(after) => after
                .parse()
                .map_err(|_| Refusal::invalid("after of an input is no mark of ours"))?,
        };
        let record = id.parse().ok().and_then(|id| store.living(from, id));
        let mut page = record.map(|record| page(record, to, after, LINKS_MAX));
        let links = page.as_mut().map(|page| page["results"].take());
        let linked = links.filter(|links| links.as_array().is_some_and(|it| !it.is_empty()));
        let Some(linked) = linked else {
            errors.push(json!({
                "status": "error",
                "category": "OBJECT_NOT_FOUND",
                "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
                "message": format!("No {} is associated with {} {id}.", to.singular(), from.singular()),
                "context": {
                    "fromObjectId": [id],
                    "fromObjectType": [from.singular()],
                    "toObjectType": [to.singular()],
                },
                "links": {},
                "errors": [],
            }));
            continue;
        };
        let mut result = json!({"from": {"id": id}, "to": linked});
        if let Some(paging) = page.and_then(|mut page| page.get_mut("paging").map(Value::take)) {
            result["paging"] = paging;
        }
        results.push(result);
    }
    Ok(batch(200, results, errors, at_ms))
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
