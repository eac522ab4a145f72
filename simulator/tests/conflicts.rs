//! Values that somebody else holds: whichever way the fake HubSpot says so, the HubSpot translation reads the holder off it.

use std::collections::BTreeMap;

use callflume_core::effect::{self, Field, Object};
use callflume_core::vendor::{
    AccountSignal, Answer, Interpretation, Item, ItemOutcome, Operation, Vendor, Verb,
};
use callflume_sim::fakes::{Method, Request};
use callflume_sim::hubspot::{CustomProperty, HubSpot, HubSpotConfig, ObjectKind, UniqueConflict};
use serde_json::{Value, json};

/// 15 June 2026, 12:00 UTC.
const NOON_MS: i64 = 1_781_524_800_000;

fn account(unique_conflict: UniqueConflict) -> HubSpot {
    HubSpot::new(HubSpotConfig {
        properties: vec![CustomProperty::unique(
            ObjectKind::Contacts,
            "callflume_key",
        )],
        unique_conflict,
        ..HubSpotConfig::default()
    })
    .unwrap()
}

fn handled(crm: &mut HubSpot, target: &str, body: Vec<u8>) -> (u16, Vec<u8>) {
    let mut request = Request::new(Method::Post, target).with_bearer("sim-token");
    request.body = body;
    let reply = crm.handle(NOON_MS, &request);
    (reply.status, reply.body)
}

/// A contact as somebody made it before; its id.
fn made(crm: &mut HubSpot, properties: Value) -> String {
    let body = json!({"properties": properties}).to_string().into_bytes();
    let (status, body) = handled(crm, "/crm/v3/objects/contacts", body);
    assert_eq!(status, 201);
    let record: Value = serde_json::from_slice(&body).unwrap();
    record["id"].as_str().unwrap().to_owned()
}

fn item(trace: u64, key: &str, email: &str) -> Item {
    Item {
        trace,
        key: key.to_owned(),
        fields: BTreeMap::from([(Field::Email, effect::Value::Text(email.to_owned()))]),
        ..Item::default()
    }
}

fn written(crm: &mut HubSpot, verb: Verb, items: Vec<Item>) -> Interpretation {
    let vendor = callflume_crm::hubspot::HubSpot::default();
    let operation = Operation {
        verb,
        object: Object::Contact,
        items,
        after: None,
    };
    let request = vendor.request(&operation);
    let (status, body) = handled(crm, &request.path, request.body.unwrap());
    let answer = Answer::Response {
        status,
        headers: Vec::new(),
        body,
    };
    vendor.interpret(&operation, &answer)
}

const SHAPES: [UniqueConflict; 2] = [
    UniqueConflict::Conflict409,
    UniqueConflict::AlreadyHasThatValue400,
];

#[test]
fn creating_with_a_key_or_address_that_is_there_names_the_holder() {
    for shape in SHAPES {
        let mut crm = account(shape);
        let keyed = made(&mut crm, json!({"callflume_key": "k-1"}));
        let addressed = made(&mut crm, json!({"email": "bo@example.com"}));
        for (items, holder) in [
            (item(7, "k-1", "ada@example.com"), &keyed),
            (item(7, "k-2", "Bo@Example.com"), &addressed),
        ] {
            let meaning = written(&mut crm, Verb::Create, vec![items]);
            assert_eq!(meaning.account, AccountSignal::Fine, "{shape:?}");
            assert_eq!(meaning.items, [conflict(holder)], "{shape:?}");
        }
    }
}

#[test]
fn an_upsert_with_an_address_of_somebody_else_names_the_holder_and_its_neighbours_are_written() {
    for shape in SHAPES {
        let mut crm = account(shape);
        let ours = made(&mut crm, json!({"callflume_key": "k-1"}));
        let holder = made(&mut crm, json!({"email": "bo@example.com"}));
        let items = vec![
            item(11, "k-1", "bo@example.com"),
            item(12, "k-2", "bo@example.com"),
            item(13, "k-3", "cy@example.com"),
        ];
        let meaning = written(&mut crm, Verb::UpsertByKey, items);
        assert_eq!(meaning.account, AccountSignal::Fine, "{shape:?}");
        assert_eq!(meaning.items[..2], [conflict(&holder), conflict(&holder)]);
        let new = crm.holder(ObjectKind::Contacts, "callflume_key", "k-3");
        let new = new.expect("the neighbour").id.to_string();
        assert_eq!(meaning.items[2], ItemOutcome::Done { crm_id: new });
        let ours = crm.record(ObjectKind::Contacts, ours.parse().unwrap());
        assert_eq!(ours.unwrap().property("email"), None, "{shape:?}");
    }
}

fn conflict(holder: &str) -> ItemOutcome {
    ItemOutcome::Conflict {
        existing: Some(holder.to_owned()),
    }
}
