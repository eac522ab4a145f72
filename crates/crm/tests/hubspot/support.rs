//! Operations for the tests of HubSpot.

use std::sync::Arc;

use callflume_core::effect::Object;
use callflume_core::event::Phone;
use callflume_core::vendor::{Item, Operation, Vendor, Verb};
use callflume_crm::Settings;

pub(crate) fn hubspot() -> Arc<dyn Vendor> {
    callflume_crm::vendor("hubspot", &Settings::default()).unwrap()
}

/// Item `number` of 1 to 99: trace, key, id, address and phone all carry the number.
pub(crate) fn item(number: u64) -> Item {
    Item {
        trace: number,
        key: format!("k-{number}"),
        crm_id: Some(format!("{}", 9_000 + number)),
        email: Some(format!("p{number}@example.org")),
        phone: Phone::parse(&format!("+120255501{number:02}")),
        ..Item::default()
    }
}

/// An operation with `count` items, none for a listing.
pub(crate) fn operation(verb: Verb, count: u64) -> Operation {
    let count = if verb == Verb::List { 0 } else { count };
    Operation {
        verb,
        object: Object::Contact,
        items: (1..=count).map(item).collect(),
        after: None,
    }
}
