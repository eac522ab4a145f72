//! What is sent to HubSpot, byte for byte where it matters.

use callflume_core::effect::{Field, Object, Value as FieldValue};
use callflume_core::event::Phone;
use callflume_core::time::WallTime;
use callflume_core::vendor::{HttpRequest, Method, Operation, Verb};
use callflume_crm::{ApiVersion, Settings, limit_profile};
use serde_json::{Value, json};
use std::collections::BTreeMap;

use crate::recorded::VERBS;
use crate::support::{hubspot, item, operation};

fn text(value: &str) -> FieldValue {
    FieldValue::Text(value.into())
}

fn body(request: &HttpRequest) -> Value {
    serde_json::from_slice(request.body.as_ref().unwrap()).unwrap()
}

fn sent(operation: &Operation) -> (Method, String, Option<Value>) {
    let request = hubspot().request(operation);
    let body = request.body.as_ref().map(|_| body(&request));
    (request.method, request.path, body)
}

#[test]
fn contacts_are_read_by_key_each_once() {
    let mut operation = operation(Verb::ReadByKey, 2);
    operation.items.push(item(1));
    assert_eq!(
        sent(&operation),
        (
            Method::Post,
            "/crm/v3/objects/contacts/batch/read".into(),
            Some(json!({
                "idProperty": "callflume_key",
                "properties": ["callflume_key", "phone", "mobilephone", "email", "firstname", "lastname", "hubspot_owner_id"],
                "propertiesWithHistory": [],
                "inputs": [{"id": "k-1"}, {"id": "k-2"}],
            }))
        )
    );
}

#[test]
fn contacts_are_read_by_address_each_once_and_in_lower_case() {
    let mut operation = operation(Verb::ReadByEmail, 4);
    for (item, email) in operation.items.iter_mut().zip([
        Some("a+b/../c@example.org"),
        Some(" Bo@Example.ORG "),
        Some("bo@example.org"),
        None,
    ]) {
        item.email = email.map(Into::into);
    }
    assert_eq!(
        sent(&operation),
        (
            Method::Post,
            "/crm/v3/objects/contacts/batch/read".into(),
            Some(json!({
                "idProperty": "email",
                "properties": ["callflume_key", "phone", "mobilephone", "email", "firstname", "lastname", "hubspot_owner_id"],
                "propertiesWithHistory": [],
                "inputs": [{"id": "a+b/../c@example.org"}, {"id": "bo@example.org"}],
            }))
        )
    );
}

#[test]
fn a_search_asks_for_all_national_numbers_as_landline_and_as_mobile() {
    let mut operation = operation(Verb::SearchByPhone, 2);
    // The same local number abroad and the same person twice: each value once.
    operation.items.push(item(2));
    operation.items.push(item(3));
    operation.items[3].phone = Phone::parse("+44 2025550101");
    let group = |property: &str| {
        json!({"filters": [{
            "propertyName": property,
            "operator": "IN",
            "values": ["2025550101", "2025550102"],
        }]})
    };
    assert_eq!(
        sent(&operation),
        (
            Method::Post,
            "/crm/v3/objects/contacts/search".into(),
            Some(json!({
                "filterGroups": [
                    group("hs_searchable_calculated_phone_number"),
                    group("hs_searchable_calculated_mobile_number"),
                ],
                "properties": ["callflume_key", "phone", "mobilephone", "email", "firstname", "lastname", "hubspot_owner_id"],
                "limit": 200,
            }))
        )
    );
}

#[test]
fn the_fullest_search_of_the_longest_numbers_is_within_hubspots_3000_characters() {
    let most = hubspot().batch_max(Verb::SearchByPhone, Object::Contact) as u64;
    let mut operation = operation(Verb::SearchByPhone, most);
    for (number, item) in (0_u64..).zip(&mut operation.items) {
        item.phone = Phone::parse(&format!("+1{}", 20_255_501_000_000 + number));
        assert_eq!(item.phone.as_ref().unwrap().as_str().len(), 16);
    }
    let length = hubspot().request(&operation).body.unwrap().len();
    assert!((1_900..=3_000).contains(&length), "{length}");
}

#[test]
fn a_search_without_a_number_finds_nobody_rather_than_everybody() {
    let mut operation = operation(Verb::SearchByPhone, 1);
    operation.items[0].phone = None;
    let (_, _, body) = sent(&operation);
    assert_eq!(
        body.unwrap()["filterGroups"],
        json!([{"filters": [{"propertyName": "hs_object_id", "operator": "EQ", "value": "0"}]}])
    );
}

#[test]
fn an_upsert_names_each_record_by_our_key_and_each_input_by_its_trace() {
    let mut operation = operation(Verb::UpsertByKey, 2);
    operation.items[0].fields = [
        (Field::FirstName, text("Ada")),
        (Field::Email, text("p1@example.org")),
    ]
    .into();
    assert_eq!(
        sent(&operation),
        (
            Method::Post,
            "/crm/v3/objects/contacts/batch/upsert".into(),
            Some(json!({"inputs": [
                {"idProperty": "callflume_key", "id": "k-1", "objectWriteTraceId": "1", "properties": {
                    "callflume_key": "k-1", "firstname": "Ada", "email": "p1@example.org"}},
                {"idProperty": "callflume_key", "id": "k-2", "objectWriteTraceId": "2", "properties": {
                    "callflume_key": "k-2"}},
            ]}))
        )
    );
}

#[test]
fn an_update_by_id_stamps_our_key_only_when_told_to() {
    let mut operation = operation(Verb::UpdateById, 2);
    operation.object = Object::Deal;
    for item in &mut operation.items {
        item.fields = [(Field::Stage, text("closedwon"))].into();
    }
    operation.items[1].stamp = true;
    assert_eq!(
        sent(&operation),
        (
            Method::Post,
            "/crm/v3/objects/deals/batch/update".into(),
            Some(json!({"inputs": [
                {"id": "9001", "objectWriteTraceId": "1", "properties": {"dealstage": "closedwon"}},
                {"id": "9002", "objectWriteTraceId": "2", "properties": {
                    "dealstage": "closedwon", "callflume_key": "k-2"}},
            ]}))
        )
    );
}

#[test]
fn a_stamp_without_a_key_leaves_the_key_that_is_there() {
    let mut operation = operation(Verb::UpdateById, 1);
    operation.items[0].stamp = true;
    operation.items[0].key.clear();
    let (_, _, body) = sent(&operation);
    assert_eq!(body.unwrap()["inputs"][0]["properties"], json!({}));
}

#[test]
fn an_update_by_key_leaves_the_key_alone() {
    let mut operation = operation(Verb::UpdateByKey, 1);
    operation.object = Object::Call;
    operation.items[0].fields = [(Field::Sentiment, text("negative"))].into();
    assert_eq!(
        sent(&operation),
        (
            Method::Post,
            "/crm/v3/objects/calls/batch/update".into(),
            Some(json!({"inputs": [{
                "idProperty": "callflume_key", "id": "k-1", "objectWriteTraceId": "1",
                "properties": {"callflume_sentiment": "negative"},
            }]}))
        )
    );
}

#[test]
fn a_new_record_carries_our_key_and_its_link_to_the_contact() {
    for (object, plural, type_id) in [
        (Object::Call, "calls", 194),
        (Object::Note, "notes", 202),
        (Object::Task, "tasks", 204),
        (Object::Deal, "deals", 3),
    ] {
        let mut operation = operation(Verb::Create, 1);
        operation.object = object;
        operation.items[0].contact = Some("512".into());
        operation.items[0].fields = [(Field::Owner, text("77"))].into();
        let (method, path, body) = sent(&operation);
        assert_eq!(
            (method, path),
            (
                Method::Post,
                format!("/crm/v3/objects/{plural}/batch/create")
            )
        );
        let mut properties = json!({"callflume_key": "k-1", "hubspot_owner_id": "77"});
        if object == Object::Task {
            properties["hs_task_status"] = json!("NOT_STARTED");
            properties["hs_task_type"] = json!("TODO");
        }
        assert_eq!(
            body.unwrap(),
            json!({"inputs": [{
                "objectWriteTraceId": "1",
                "properties": properties,
                "associations": [{
                    "to": {"id": "512"},
                    "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id}],
                }],
            }]})
        );
    }
}

#[test]
fn a_whole_call_in_hubspots_terms() {
    let mut operation = operation(Verb::Create, 1);
    operation.object = Object::Call;
    operation.items[0].fields = [
        (Field::At, FieldValue::At(WallTime(1_793_610_900_250))),
        (Field::Title, text("Call")),
        (Field::Direction, text("outbound")),
        (Field::Duration, FieldValue::DurationMs(61_500)),
        (Field::Disposition, text("connected")),
        (Field::CallId, text("C-9")),
        (Field::Custom("campaign".into()), text("autumn")),
    ]
    .into();
    let (_, _, body) = sent(&operation);
    assert_eq!(
        body.unwrap(),
        json!({"inputs": [{"objectWriteTraceId": "1", "properties": {
            "callflume_key": "k-1",
            "hs_timestamp": "1793610900250",
            "hs_call_title": "Call",
            "hs_call_direction": "OUTBOUND",
            "hs_call_duration": "61500",
            "hs_call_status": "COMPLETED",
            "hs_call_disposition": "f240bbac-87c9-4f6e-bf70-924b57d47db7",
            "hs_call_external_id": "C-9",
            "campaign": "autumn",
        }}]})
    );
}

#[test]
fn a_listing_goes_on_where_the_last_page_ended() {
    let mut operation = operation(Verb::List, 0);
    for (after, part) in [(None, ""), (Some("9&2"), "&after=9%262")] {
        operation.after = after.map(Into::into);
        assert_eq!(
            sent(&operation),
            (
                Method::Get,
                format!(
                    "/crm/v3/objects/contacts?limit=100{part}&properties=callflume_key,phone,mobilephone,email,firstname,lastname,hubspot_owner_id"
                ),
                None
            )
        );
    }
}

#[test]
fn the_dated_family_differs_in_the_path_only() {
    let settings = Settings::new(ApiVersion::Dated("2026-09".into()), BTreeMap::new()).unwrap();
    let dated = callflume_crm::vendor("hubspot", &settings).unwrap();
    for (_, verb) in VERBS {
        let operation = operation(verb, 1);
        let (old, new) = (hubspot().request(&operation), dated.request(&operation));
        assert_eq!(
            new.path,
            old.path
                .replace("/crm/v3/objects/", "/crm/objects/2026-09/")
        );
        assert_eq!((new.method, new.body), (old.method, old.body));
    }
}

#[test]
fn every_verb_counts_in_windows_that_every_profile_has() {
    for (name, verb) in VERBS {
        let names: Vec<&str> = hubspot()
            .windows(verb, Object::Contact)
            .iter()
            .map(|charge| {
                assert_eq!(charge.cost, 1, "{name}");
                limit_profile("hubspot", "private_professional").unwrap()[charge.window].name
            })
            .collect();
        let expect = if verb == Verb::SearchByPhone {
            ["search", "daily"]
        } else {
            ["ten_secondly", "daily"]
        };
        assert_eq!(names, expect, "{name}");
        let most = match verb {
            Verb::SearchByPhone => 50,
            Verb::List => 1,
            _ => 100,
        };
        assert_eq!(hubspot().batch_max(verb, Object::Contact), most, "{name}");
    }
}
