//! Pipedrive, from operation to request and from answer to outcome.

mod answers;
mod deals;
#[path = "../openapi/mod.rs"]
mod openapi;
mod pages;
#[path = "../recorded/mod.rs"]
mod recorded;
mod reference;
mod requests;
mod schema;
mod setup;
#[path = "../shown/mod.rs"]
mod shown;

use std::collections::BTreeMap;
use std::sync::Arc;

use callflume_core::effect::{Fields, Object};
use callflume_core::event::Phone;
use callflume_core::vendor::{Item, Operation, Vendor, Verb};
use callflume_crm::Settings;

/// A prepared account: keys of our fields are `aaaa`, `bbbb` and `cccc`.
pub(crate) fn settings() -> Settings {
    let fields = [
        ("contact_key", "aaaa"),
        ("contact_opted_out", "bbbb"),
        ("deal_key", "cccc"),
    ];
    with_fields(&fields)
}

pub(crate) fn with_fields(fields: &[(&str, &str)]) -> Settings {
    let fields: BTreeMap<String, String> = fields
        .iter()
        .map(|(name, key)| ((*name).to_owned(), (*key).to_owned()))
        .collect();
    Settings::default().with_custom_fields(fields).unwrap()
}

pub(crate) fn pipedrive() -> Arc<dyn Vendor> {
    Arc::new(callflume_crm::pipedrive::Pipedrive::new(settings()))
}

/// Item `number` of 1 to 99: trace, key, ids, address and phone all carry the number.
pub(crate) fn item(number: u64) -> Item {
    Item {
        trace: number,
        key: format!("k-{number}"),
        crm_id: Some(format!("{}", 9_000 + number)),
        contact: Some(format!("{}", 9_100 + number)),
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
        items: (1..=count).map(item).collect(),
        after: None,
    }
}

/// An operation with one item that writes these fields.
pub(crate) fn writing(verb: Verb, object: Object, fields: Fields) -> Operation {
    let mut operation = operation(verb, object, 1);
    for item in &mut operation.items {
        item.fields.clone_from(&fields);
    }
    operation
}
