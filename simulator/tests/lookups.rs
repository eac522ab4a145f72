//! Look-ups of many people in one request: what the HubSpot translation asks, the fake HubSpot answers.

use callflume_core::effect::Object;
use callflume_core::event::Phone;
use callflume_core::vendor::{
    AccountSignal, Answer, Interpretation, Item, ItemOutcome, Operation, Vendor, Verb,
};
use callflume_sim::fakes::{Method, Request};
use callflume_sim::hubspot::{CustomProperty, HubSpot, HubSpotConfig, ObjectKind};
use serde_json::{Value, json};

/// 15 June 2026, 12:00 UTC.
const NOON_MS: i64 = 1_781_524_800_000;
/// When the search index has taken in what was written at noon.
const LATER_MS: i64 = NOON_MS + 60_000;

fn account() -> HubSpot {
    HubSpot::new(HubSpotConfig {
        properties: vec![CustomProperty::unique(
            ObjectKind::Contacts,
            "callflume_key",
        )],
        ..HubSpotConfig::default()
    })
    .unwrap()
}

fn handled(crm: &mut HubSpot, at_ms: i64, target: &str, body: Vec<u8>) -> (u16, Vec<u8>) {
    let mut request = Request::new(Method::Post, target).with_bearer("sim-token");
    request.body = body;
    let reply = crm.handle(at_ms, &request);
    (reply.status, reply.body)
}

/// Makes contacts as people did before; their ids.
fn contacts(crm: &mut HubSpot, people: &[Value]) -> Vec<String> {
    people
        .iter()
        .map(|properties| {
            let body = json!({"properties": properties}).to_string().into_bytes();
            let (status, body) = handled(crm, NOON_MS, "/crm/v3/objects/contacts", body);
            assert_eq!(status, 201);
            let record: Value = serde_json::from_slice(&body).unwrap();
            record["id"].as_str().unwrap().to_owned()
        })
        .collect()
}

/// One look-up of everyone, in one request.
fn looked_up(crm: &mut HubSpot, verb: Verb, items: Vec<Item>) -> (u16, Interpretation) {
    let vendor = callflume_crm::hubspot::HubSpot::default();
    assert!(items.len() <= vendor.batch_max(verb, Object::Contact));
    let operation = Operation {
        verb,
        object: Object::Contact,
        items,
        after: None,
    };
    let request = vendor.request(&operation);
    assert_eq!(request.method, callflume_core::vendor::Method::Post);
    let (status, body) = handled(crm, LATER_MS, &request.path, request.body.unwrap());
    let answer = Answer::Response {
        status,
        headers: Vec::new(),
        body,
    };
    (status, vendor.interpret(&operation, &answer))
}

fn ids(outcome: &ItemOutcome) -> Vec<&str> {
    match outcome {
        ItemOutcome::Matches(found) => found.iter().map(|found| found.crm_id.as_str()).collect(),
        other => panic!("not an answer to a look-up: {other:?}"),
    }
}

#[test]
fn three_addresses_are_read_in_one_request_and_the_missing_one_is_absent() {
    let mut crm = account();
    let known = contacts(
        &mut crm,
        &[
            json!({"email": "Ada@Example.com", "callflume_key": "k-ada"}),
            json!({"email": "bo@example.com"}),
            json!({"email": "somebody.else@example.com"}),
        ],
    );
    let items = ["bo@example.com", "nobody@example.com", "ada@example.com"]
        .map(|email| Item {
            email: Some(email.to_owned()),
            ..Item::default()
        })
        .to_vec();
    let (status, meaning) = looked_up(&mut crm, Verb::ReadByEmail, items);
    assert_eq!((status, &meaning.account), (207, &AccountSignal::Fine));
    let found: Vec<Vec<&str>> = meaning.items.iter().map(ids).collect();
    assert_eq!(found, [vec![known[1].as_str()], vec![], vec![&known[0]]]);
}

#[test]
fn nobody_of_several_is_known() {
    let mut crm = account();
    let items = ["x@example.com", "y@example.com"]
        .map(|email| Item {
            email: Some(email.to_owned()),
            ..Item::default()
        })
        .to_vec();
    let (_, meaning) = looked_up(&mut crm, Verb::ReadByEmail, items);
    assert_eq!(meaning.items, vec![ItemOutcome::Matches(Vec::new()); 2]);
}

#[test]
fn fifty_numbers_are_searched_in_one_request_however_they_were_typed() {
    let mut crm = account();
    let spelt = [
        ("+447700900012", "phone", "+44 (0)7700 900012"),
        ("+447700900013", "phone", "0044 7700 900013"),
        ("+447700900014", "mobilephone", "07700 900014"),
        ("+12025550100", "phone", "(202) 555-0100 ext. 7"),
        ("+12025550101", "phone", "1-202-555-0101"),
        ("+12025550102", "mobilephone", "+1 202.555.0102 x9"),
        ("+12025550103", "phone", "202/555 0103"),
        ("+390612345678", "phone", "+39 06 1234 5678"),
        ("+35315550199", "phone", "00353 1 555 0199"),
    ];
    let typed: Vec<Value> = spelt
        .iter()
        .map(|(_, property, typed)| json!({*property: typed}))
        .collect();
    let known = contacts(&mut crm, &typed);
    // The same digits in another country, and a number that nobody asks for.
    contacts(
        &mut crm,
        &[
            json!({"phone": "+44 202 555 0100"}),
            json!({"phone": "+1 202 555 0199"}),
        ],
    );
    let strangers = (0..50 - spelt.len()).map(|number| format!("+1303555{:04}", 100 + number));
    let items: Vec<Item> = spelt
        .iter()
        .map(|(e164, ..)| (*e164).to_owned())
        .chain(strangers)
        .map(|e164| Item {
            phone: Some(Phone::parse(&e164).unwrap()),
            ..Item::default()
        })
        .collect();
    assert_eq!(items.len(), 50);

    let (status, meaning) = looked_up(&mut crm, Verb::SearchByPhone, items);
    assert_eq!((status, &meaning.account), (200, &AccountSignal::Fine));
    for (place, outcome) in meaning.items.iter().enumerate() {
        let expect: Vec<&str> = known.get(place).map(String::as_str).into_iter().collect();
        assert_eq!(ids(outcome), expect, "number {place}");
    }
}

#[test]
fn a_search_that_finds_more_than_it_may_show_takes_nobody_for_absent() {
    let mut crm = account();
    // A switchboard: more contacts than a search shows have its number, all of them made before the person asked for.
    let crowd = vec![json!({"phone": "+1 202 555 0100"}); 200];
    for (minute, people) in (0..).zip(crowd.chunks(100)) {
        let inputs: Vec<Value> = people.iter().map(|it| json!({"properties": it})).collect();
        let body = json!({"inputs": inputs}).to_string().into_bytes();
        let target = "/crm/v3/objects/contacts/batch/create";
        assert_eq!(handled(&mut crm, NOON_MS + minute, target, body).0, 201);
    }
    let last = contacts(&mut crm, &[json!({"phone": "(202) 555-0101"})]);
    let items: Vec<Item> = ["+12025550100", "+12025550101"]
        .iter()
        .map(|e164| Item {
            phone: Phone::parse(e164),
            ..Item::default()
        })
        .collect();
    let (_, meaning) = looked_up(&mut crm, Verb::SearchByPhone, items.clone());
    assert_eq!(ids(&meaning.items[0]).len(), 200);
    assert_eq!(meaning.items[1], ItemOutcome::Split);
    let (_, alone) = looked_up(&mut crm, Verb::SearchByPhone, items[1..].to_vec());
    assert_eq!(ids(&alone.items[0]), [last[0].as_str()]);
}
