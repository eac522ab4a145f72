//! Operations as HubSpot requests.
//!
//! Writes always use the batch endpoints, for one item too, and name each input by its trace: that turns on per-item
//! answers (207), so that one bad record doesn't fail its neighbours. An item that lacks what its verb needs is left
//! out here and refused by the interpreter, for both ask [`lack`].

use std::collections::{BTreeMap, BTreeSet};

use callflume_core::effect::Object;
use callflume_core::vendor::{Content, HttpRequest, Item, Method, Operation, Verb};
use serde_json::{Map, Value, json};

use super::deals;
use super::numbers::national;
use super::paths::{objects, percent_encoded};
use super::properties::{CONTACT_PROPERTIES, KEY_PROPERTY, write};
use crate::settings::Settings;
use crate::values::address;

/// Contacts per page of a listing.
const PAGE: usize = 100;

/// Most results on a page of a search, the largest that HubSpot's search guide allows: more than the numbers of one search, for
/// one number may have several contacts, and strangers abroad share its national part.
const SEARCH_RESULTS: usize = 200;

/// HubSpot's properties with area code and local number, without country code.
const PHONE_SEARCH_PROPERTIES: [&str; 2] = [
    "hs_searchable_calculated_phone_number",
    "hs_searchable_calculated_mobile_number",
];

/// What an item lacks to be sent with this verb.
pub(crate) fn lack(verb: Verb, item: &Item) -> Option<&'static str> {
    let empty = |text: &Option<String>| text.as_deref().is_none_or(str::is_empty);
    match verb {
        Verb::UpdateById if empty(&item.crm_id) => Some("the item has no CRM id"),
        Verb::ReadByEmail if address(item).is_none() => Some("the item has no e-mail address"),
        Verb::SearchByPhone if item.phone.is_none() => Some("the item has no phone number"),
        Verb::ReadByKey | Verb::UpsertByKey | Verb::UpdateByKey | Verb::Create | Verb::Probe
            if item.key.is_empty() =>
        {
            Some("the item has no key")
        }
        _ => None,
    }
}

/// The request for an operation.
pub(crate) fn request(settings: &Settings, operation: &Operation) -> HttpRequest {
    let base = objects(settings.api(), operation.object);
    let items = || {
        operation
            .items
            .iter()
            .filter(|item| lack(operation.verb, item).is_none())
    };
    match operation.verb {
        Verb::ReadByKey => {
            let keys = items().map(|item| item.key.clone());
            batch_read(&base, KEY_PROPERTY, &CONTACT_PROPERTIES, keys)
        }
        Verb::Probe => {
            let keys = items().map(|item| item.key.clone());
            batch_read(&base, KEY_PROPERTY, &[KEY_PROPERTY], keys)
        }
        Verb::ReadByEmail => batch_read(
            &base,
            "email",
            &CONTACT_PROPERTIES,
            items().filter_map(address),
        ),
        Verb::SearchByPhone => post(
            format!("{base}/search"),
            &search(items(), operation.after.as_deref()),
        ),
        Verb::UpsertByKey => batch(
            format!("{base}/batch/upsert"),
            items().map(|item| {
                let mut properties = write(settings, operation.object, &item.fields);
                properties.insert(KEY_PROPERTY.to_owned(), item.key.clone());
                json!({
                    "idProperty": KEY_PROPERTY,
                    "id": item.key,
                    "objectWriteTraceId": item.trace.to_string(),
                    "properties": properties,
                })
            }),
        ),
        Verb::UpdateById => batch(
            format!("{base}/batch/update"),
            items().map(|item| {
                let mut properties = write(settings, operation.object, &item.fields);
                // An empty text would clear the key that is there.
                if item.stamp && !item.key.is_empty() {
                    properties.insert(KEY_PROPERTY.to_owned(), item.key.clone());
                }
                json!({
                    "id": item.crm_id,
                    "objectWriteTraceId": item.trace.to_string(),
                    "properties": properties,
                })
            }),
        ),
        Verb::UpdateByKey => batch(
            format!("{base}/batch/update"),
            items().map(|item| {
                json!({
                    "idProperty": KEY_PROPERTY,
                    "id": item.key,
                    "objectWriteTraceId": item.trace.to_string(),
                    "properties": write(settings, operation.object, &item.fields),
                })
            }),
        ),
        Verb::Create => batch(
            format!("{base}/batch/create"),
            items().map(|item| create(settings, operation.object, item)),
        ),
        Verb::List if deals::is_asked(operation) => deals::request(settings, operation),
        Verb::List => {
            let after = operation
                .after
                .as_deref()
                .map(|mark| format!("&after={}", percent_encoded(mark)))
                .unwrap_or_default();
            let properties = CONTACT_PROPERTIES.join(",");
            get(format!(
                "{base}?limit={PAGE}{after}&properties={properties}"
            ))
        }
    }
}

fn create(settings: &Settings, object: Object, item: &Item) -> Value {
    let mut properties: BTreeMap<String, String> = BTreeMap::new();
    if object == Object::Task {
        // A task without them would be of no kind and in no list. A mapping may say otherwise.
        properties.insert("hs_task_status".to_owned(), "NOT_STARTED".to_owned());
        properties.insert("hs_task_type".to_owned(), "TODO".to_owned());
    }
    properties.extend(write(settings, object, &item.fields));
    properties.insert(KEY_PROPERTY.to_owned(), item.key.clone());
    let mut input = Map::new();
    input.insert("objectWriteTraceId".into(), item.trace.to_string().into());
    input.insert("properties".into(), json!(properties));
    if let (Some(contact), Some(type_id)) = (&item.contact, association_to_contact(object)) {
        input.insert(
            "associations".into(),
            json!([{
                "to": {"id": contact},
                "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id}],
            }]),
        );
    }
    Value::Object(input)
}

/// HubSpot's own association types from an object to a contact (`AssociationType` of its client libraries).
const fn association_to_contact(object: Object) -> Option<u32> {
    match object {
        Object::Contact => None,
        Object::Call => Some(194),
        Object::Note => Some(202),
        Object::Task => Some(204),
        Object::Deal => Some(3),
    }
}

/// Finds the contacts that have one of these numbers as landline or mobile.
///
/// `IN` rather than one group of filters per number and property: of groups there may be five. Evidence for it is
/// HubSpot's search guide, not an account that was tried: the operator takes a list `values` and matches a value
/// exactly; the values of a text property must be in lower case, which digits are.
fn search<'a>(items: impl Iterator<Item = &'a Item>, after: Option<&str>) -> Value {
    let numbers: BTreeSet<&str> = items
        .filter_map(|item| item.phone.as_ref())
        .map(national)
        .collect();
    let groups: Vec<Value> = if numbers.is_empty() {
        // A search without filters would find everyone; no record has this id.
        vec![json!({"filters": [{"propertyName": "hs_object_id", "operator": "EQ", "value": "0"}]})]
    } else {
        PHONE_SEARCH_PROPERTIES
            .iter()
            .map(|property| {
                json!({"filters": [{"propertyName": property, "operator": "IN", "values": numbers}]})
            })
            .collect()
    };
    let mut body = json!({
        "filterGroups": groups,
        "properties": CONTACT_PROPERTIES,
        "limit": SEARCH_RESULTS,
    });
    if let Some(mark) = after {
        body["after"] = mark.into();
    }
    body
}

/// Reads `wanted` of records by a unique property, each value once: HubSpot refuses a batch that names a record twice.
/// Its OpenAPI requires a list of the properties wanted with their history, too: an empty one.
fn batch_read(
    base: &str,
    property: &str,
    wanted: &[&str],
    values: impl Iterator<Item = String>,
) -> HttpRequest {
    let values: BTreeSet<String> = values.collect();
    let inputs: Vec<Value> = values.iter().map(|value| json!({"id": value})).collect();
    post(
        format!("{base}/batch/read"),
        &json!({
            "idProperty": property,
            "properties": wanted,
            "propertiesWithHistory": [],
            "inputs": inputs,
        }),
    )
}

fn batch(path: String, inputs: impl Iterator<Item = Value>) -> HttpRequest {
    let inputs: Vec<Value> = inputs.collect();
    post(path, &json!({"inputs": inputs}))
}

pub(crate) fn post(path: String, body: &Value) -> HttpRequest {
    HttpRequest {
        method: Method::Post,
        path,
        body: Some(body.to_string().into_bytes()),
        content: Content::Json,
    }
}

pub(crate) const fn get(path: String) -> HttpRequest {
    HttpRequest {
        method: Method::Get,
        path,
        body: None,
        content: Content::Json,
    }
}
