//! Operations and answers for these tests.

use crate::shown::shown;
pub(crate) use crate::shown::{response, shown_account};
use callflume_core::effect::{Field, Fields, Object, Value as FieldValue};
use callflume_core::event::Phone;
use callflume_core::time::WallTime;
use callflume_core::vendor::{HttpRequest, Interpretation, Item, Method, Operation, Vendor, Verb};
use callflume_crm::Settings;
use callflume_crm::close::Close;
use serde_json::Value;

/// The fields that `account prepare` makes, and some of a customer's.
pub(crate) fn settings() -> Settings {
    let fields = [
        ("contact_key", "cf_key"),
        ("contact_opted_out", "cf_out"),
        ("contact_sentiment", "cf_mood"),
        ("contact_lead_score", "cf_score"),
        ("deal_key", "cf_deal"),
    ];
    let fields = fields.map(|(name, id)| (name.to_owned(), id.to_owned()));
    Settings::default()
        .with_custom_fields(fields.into())
        .unwrap()
}

pub(crate) fn close() -> Close {
    Close::new(settings())
}

pub(crate) fn text(value: &str) -> FieldValue {
    FieldValue::Text(value.into())
}

pub(crate) fn at(ms: i64) -> FieldValue {
    FieldValue::At(WallTime(ms))
}

/// Id of record `number` as we know it.
pub(crate) fn crm_id(object: Object, number: u64) -> String {
    match object {
        Object::Contact => format!("lead_{number}/cont_{number}"),
        Object::Call => format!("cont_{number}/acti_{number}"),
        Object::Note => format!("acti_{number}"),
        Object::Task => format!("task_{number}"),
        Object::Deal => format!("oppo_{number}"),
    }
}

/// Item `number` of 1 to 99: key, ids, address and phone all carry the number.
pub(crate) fn item(object: Object, number: u64) -> Item {
    Item {
        trace: number,
        key: format!("k-{number}"),
        crm_id: Some(crm_id(object, number)),
        contact: (object != Object::Contact).then(|| crm_id(Object::Contact, number)),
        email: Some(format!("p{number}@example.org")),
        phone: Phone::parse(&format!("+120255501{number:02}")),
        ..Item::default()
    }
}

/// An operation with `count` items, none for a listing.
pub(crate) fn operation(verb: Verb, object: Object, count: u64) -> Operation {
    let count = if verb == Verb::List { 0 } else { count };
    Operation {
        verb,
        object,
        items: (1..=count).map(|number| item(object, number)).collect(),
        after: None,
    }
}

/// An operation with one item that has these fields.
pub(crate) fn with_fields(verb: Verb, object: Object, fields: &[(Field, FieldValue)]) -> Operation {
    let mut operation = operation(verb, object, 1);
    operation.items[0].fields = fields.iter().cloned().collect::<Fields>();
    operation
}

pub(crate) fn body(request: &HttpRequest) -> Value {
    serde_json::from_slice(request.body.as_deref().unwrap_or(b"null")).unwrap()
}

pub(crate) fn sent(operation: &Operation) -> (Method, String, Value) {
    let request = close().request(operation);
    let body = body(&request);
    (request.method, request.path, body)
}

pub(crate) fn meaning(operation: &Operation, status: u16, body: &Value) -> Interpretation {
    close().interpret(operation, &response(status, body))
}

pub(crate) fn shown_items(meaning: &Interpretation) -> Vec<String> {
    meaning.items.iter().map(shown).collect()
}
