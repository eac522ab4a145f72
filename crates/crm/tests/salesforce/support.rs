//! Operations and answers for these tests.

use std::collections::BTreeMap;

pub(crate) use crate::shown::{response, shown, shown_account};
use callflume_core::effect::{Fields, Object, Value as FieldValue};
use callflume_core::event::Phone;
use callflume_core::time::WallTime;
use callflume_core::vendor::{HttpRequest, Interpretation, Item, Method, Operation, Vendor, Verb};
use callflume_crm::Settings;
use callflume_crm::salesforce::Salesforce;
use serde_json::Value;

pub(crate) const WRITES: [Verb; 4] = [
    Verb::UpsertByKey,
    Verb::UpdateById,
    Verb::UpdateByKey,
    Verb::Create,
];

pub(crate) fn salesforce() -> Salesforce {
    Salesforce::new(Settings::default())
}

pub(crate) fn with_fields(fields: &[(&str, &str)]) -> Salesforce {
    let fields: BTreeMap<String, String> = fields
        .iter()
        .map(|(name, field)| ((*name).to_owned(), (*field).to_owned()))
        .collect();
    Salesforce::new(Settings::default().with_custom_fields(fields).unwrap())
}

pub(crate) fn text(value: &str) -> FieldValue {
    FieldValue::Text(value.into())
}

/// 2026-10-30, 03:30:17 UTC.
pub(crate) const AT: FieldValue = FieldValue::At(WallTime(1_793_331_017_000));

/// A record's id in the shape of Salesforce's, of 15 characters.
pub(crate) fn id(number: u64) -> String {
    format!("0035g{number:010}")
}

/// Item `number` of 1 to 99: trace, key, ids, address and phone all carry the number.
pub(crate) fn item(number: u64) -> Item {
    Item {
        trace: number,
        key: format!("k-{number}"),
        crm_id: Some(id(9_000 + number)),
        contact: Some(id(9_100 + number)),
        email: Some(format!("p{number}@example.org")),
        phone: Phone::parse(&format!("+120255501{number:02}")),
        ..Item::default()
    }
}

/// An operation with `count` items, none for a listing. Deals have the stage that they can't be made without.
pub(crate) fn operation(verb: Verb, object: Object, count: u64) -> Operation {
    let count = if verb == Verb::List { 0 } else { count };
    let mut operation = Operation {
        verb,
        object,
        items: (1..=count).map(item).collect(),
        after: None,
    };
    if object == Object::Deal {
        for item in &mut operation.items {
            item.fields
                .insert(callflume_core::effect::Field::Stage, text("Qualification"));
        }
    }
    operation
}

/// An operation with one item that writes these fields.
pub(crate) fn writing(verb: Verb, object: Object, fields: Fields) -> Operation {
    let mut operation = operation(verb, object, 1);
    for item in &mut operation.items {
        item.fields.clone_from(&fields);
    }
    operation
}

pub(crate) fn shown_request(request: &HttpRequest) -> (Method, String, Value) {
    let body = request
        .body
        .as_ref()
        .map_or(Value::Null, |body| serde_json::from_slice(body).unwrap());
    (request.method, request.path.clone(), body)
}

pub(crate) fn sent(operation: &Operation) -> (Method, String, Value) {
    shown_request(&salesforce().request(operation))
}

/// The fields of the only record that an operation writes, without its kind.
pub(crate) fn record(operation: &Operation) -> Value {
    let (_, _, mut body) = sent(operation);
    let mut record = if operation.verb == Verb::UpdateByKey {
        body["compositeRequest"][0]["body"].take()
    } else {
        body["records"][0].take()
    };
    if let Some(fields) = record.as_object_mut() {
        fields.remove("attributes");
    }
    record
}

/// The query of a request, decoded.
pub(crate) fn query(request: &HttpRequest) -> String {
    let encoded = request.path.split_once("?q=").unwrap().1.as_bytes();
    let mut decoded = Vec::new();
    let mut rest = encoded.iter();
    while let Some(byte) = rest.next() {
        if *byte == b'%' {
            let mut digit = || char::from(*rest.next().unwrap()).to_digit(16).unwrap();
            decoded.push((digit() * 16 + digit()) as u8);
        } else {
            decoded.push(*byte);
        }
    }
    String::from_utf8(decoded).unwrap()
}

pub(crate) fn shown_items(meaning: &Interpretation) -> Vec<String> {
    meaning.items.iter().map(shown).collect()
}
