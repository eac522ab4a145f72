//! Every request that is ever built, in both families of paths, is one that HubSpot's OpenAPI describes.

use std::collections::BTreeSet;

use callflume_core::effect::{DISPOSITIONS, Field, Fields, Object, Value as FieldValue};
use callflume_core::event::Phone;
use callflume_core::reference::{DISPOSITIONS as OUTCOMES, OWNERS, PIPELINES, Page};
use callflume_core::time::WallTime;
use callflume_core::vendor::{HttpRequest, Item, Operation, Vendor, Verb};
use callflume_crm::hubspot::{HubSpot, setup};
use callflume_crm::{ApiVersion, Settings};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::deals::of_contacts;
use crate::recorded::VERBS;
use crate::schema::{DESCRIPTION, faults};
use crate::shown::response;
use crate::support::operation;

/// Both families of paths, the dated one with its releases.
fn families() -> [Settings; 3] {
    ["v3", "2026-03", "2026-09"].map(|api| {
        let api: ApiVersion = api.parse().unwrap();
        let own = [("abandoned".to_owned(), "an-outcome".to_owned())];
        Settings::new(api, own.into()).unwrap()
    })
}

fn text(value: &str) -> FieldValue {
    FieldValue::Text(value.to_owned())
}

/// A value for every field there is, in the form that mappings give it.
fn all_fields(title: &str, body: &str, disposition: &str) -> Fields {
    [
        (Field::FirstName, text("Ada")),
        (Field::LastName, text("Roe")),
        (Field::Phone, text("+12025550143")),
        (Field::Email, text("a@example.org")),
        (Field::OptedOut, FieldValue::Flag(true)),
        (Field::At, FieldValue::At(WallTime(1_793_610_900_250))),
        (Field::Title, text(title)),
        (Field::Text, text(body)),
        (Field::Direction, text("outbound")),
        (Field::Duration, FieldValue::DurationMs(61_500)),
        (Field::Disposition, text(disposition)),
        (Field::From, text("+12025550143")),
        (Field::To, text("+12025550144")),
        (Field::RecordingUrl, text("https://r.example/1")),
        (Field::Sentiment, text("negative")),
        (Field::CallId, text("C-9")),
        (Field::Priority, text("high")),
        (Field::Pipeline, text("default")),
        (Field::Stage, text("closedwon")),
        (Field::Amount, text("24.00")),
        (Field::Owner, text("77")),
        (Field::Custom("own_campaign".into()), text("autumn")),
        (Field::Custom("own_score".into()), FieldValue::DurationMs(9)),
        (Field::Custom("callflume_key".into()), text("forged")),
    ]
    .into()
}

/// How many records a request names.
fn named(verb: Verb, body: &Value) -> usize {
    let entries = match verb {
        Verb::SearchByPhone => &body["filterGroups"][0]["filters"][0]["values"],
        _ => &body["inputs"],
    };
    entries.as_array().map_or(0, Vec::len)
}

#[test]
fn every_verb_with_every_object_and_fields_of_every_kind() {
    let long = "\u{1f4de}".repeat(40_000);
    let mut sets = vec![(Fields::new(), 1), (all_fields("Call", "sum", "busy"), 1)];
    // The longest texts only one at a time: a hundred of them are no more telling.
    sets.push((all_fields(&long, &long, "own-outcome"), 1));
    sets.extend(
        DISPOSITIONS
            .iter()
            .map(|name| (all_fields("", "", name), 1)),
    );
    sets.push((all_fields("Call", "sum", "connected"), usize::MAX));
    for settings in families() {
        let hubspot = HubSpot::new(settings);
        for object in Object::ALL {
            for (name, verb) in VERBS {
                for (fields, count) in &sets {
                    let count = hubspot.batch_max(verb, object).min(*count);
                    let mut operation = operation(verb, count as u64);
                    operation.object = object;
                    for (index, item) in operation.items.iter_mut().enumerate() {
                        item.fields.clone_from(fields);
                        item.stamp = index % 2 == 0;
                        let linked = object != Object::Contact && index % 3 == 0;
                        item.contact = linked.then(|| format!("51{index}"));
                    }
                    let request = Vendor::request(&hubspot, &operation);
                    assert_eq!(faults(&request), [""; 0], "{name} {object}");
                    if verb == Verb::List {
                        assert_eq!(request.body, None);
                        continue;
                    }
                    let body = serde_json::from_slice(&request.body.unwrap()).unwrap();
                    assert_eq!(named(verb, &body), count, "{name} {object}");
                }
            }
        }
    }
}

/// Every request of `setup`, with the credential in the two that show it.
fn of_setup(settings: &Settings) -> Vec<HttpRequest> {
    let empty = response(200, &json!({"results": []}));
    let mut requests = vec![
        setup::account_request(settings),
        setup::token_request("pat-na1-0"),
        setup::oauth_token_request("a/b c"),
    ];
    for object in Object::ALL {
        requests.push(setup::groups_request(settings, object));
        requests.push(setup::properties_request(settings, object));
        let mut findings = setup::object_properties(settings, object, &empty);
        findings.push(setup::group(settings, object, &empty));
        requests.extend(findings.into_iter().map(|finding| finding.repair.unwrap()));
    }
    requests
}

/// Every request for reference data.
fn of_reference(settings: &Settings) -> Vec<HttpRequest> {
    let hubspot = HubSpot::new(settings.clone());
    let pages = [
        (OWNERS, None),
        (OWNERS, Some("9&2")),
        (PIPELINES, None),
        (OUTCOMES, None),
    ];
    pages
        .map(|(what, mark)| {
            let mark = mark.map(str::to_owned);
            let references = hubspot.references().unwrap();
            references.request(&Page { what, mark })
        })
        .into()
}

#[test]
fn the_requests_of_check_and_prepare_and_for_reference_data() {
    for settings in families() {
        let setup = of_setup(&settings);
        // Three of the account, then per object two questions, a group and a key; and two properties more.
        assert_eq!(setup.len(), 3 + 5 * 4 + 2);
        for request in setup.iter().chain(&of_reference(&settings)) {
            assert_eq!(faults(request), [""; 0], "{}", request.path);
        }
    }
}

#[test]
fn the_subset_has_nothing_that_is_not_used() {
    let mut used: BTreeSet<String> = BTreeSet::new();
    let mut use_up = |request: &HttpRequest| {
        let path = DESCRIPTION.described(request).map(|it| it.path).unwrap();
        used.insert(format!("{} {path}", request.method).to_lowercase());
    };
    for settings in families() {
        of_setup(&settings).iter().for_each(&mut use_up);
        of_reference(&settings).iter().for_each(&mut use_up);
        let hubspot = HubSpot::new(settings);
        for (_, verb) in VERBS {
            use_up(&Vendor::request(&hubspot, &operation(verb, 1)));
        }
        use_up(&Vendor::request(&hubspot, &of_contacts(&["101"])));
    }
    let document: Value = serde_json::from_str(include_str!("openapi.json")).unwrap();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            let entry = format!("{method} {path}");
            assert!(method == "parameters" || used.contains(&entry), "{entry}");
        }
    }
}

fn one_of(all: &'static [&'static str]) -> impl Strategy<Value = FieldValue> {
    prop::sample::select(all).prop_map(text)
}

/// Any fields, of whichever object: what has no place is left out.
fn arbitrary_fields() -> impl Strategy<Value = Fields> {
    let plain = prop::sample::select(
        "first_name last_name phone email title text from to recording_url call_id pipeline stage amount owner"
            .split_whitespace()
            .map(|name| Field::parse(name).unwrap())
            .collect::<Vec<Field>>(),
    );
    let any_value = prop_oneof![
        "\\PC{0,40}|[0-9]{1,6}|true".prop_map(FieldValue::Text),
        any::<i64>().prop_map(|at| FieldValue::At(WallTime(at))),
        any::<u64>().prop_map(FieldValue::DurationMs),
        any::<bool>().prop_map(FieldValue::Flag),
    ];
    let own = "own_[a-z]{1,8}|callflume_key".prop_map(Field::Custom);
    let field = prop_oneof![
        4 => (prop_oneof![3 => plain, 1 => own], any_value),
        1 => any::<bool>().prop_map(|flag| (Field::OptedOut, FieldValue::Flag(flag))),
        1 => any::<i64>().prop_map(|ms| (Field::At, FieldValue::At(WallTime(ms)))),
        1 => any::<u64>().prop_map(|ms| (Field::Duration, FieldValue::DurationMs(ms))),
        1 => one_of(DISPOSITIONS).prop_map(|name| (Field::Disposition, name)),
        1 => one_of(&["inbound", "outbound"]).prop_map(|said| (Field::Direction, said)),
        1 => one_of(&["positive", "neutral", "negative"]).prop_map(|said| (Field::Sentiment, said)),
        1 => one_of(&["high", "medium", "low"]).prop_map(|said| (Field::Priority, said)),
    ];
    prop::collection::vec(field, 0..12).prop_map(|all| all.into_iter().collect())
}

/// An item, now and then without what a verb needs.
fn arbitrary_item() -> impl Strategy<Value = Item> {
    (
        (
            prop_oneof![9 => "\\PC{1,20}", 1 => Just(String::new())],
            prop::option::weighted(0.9, "[0-9]{0,19}"),
            prop::option::of("[0-9]{1,19}"),
        ),
        prop::option::weighted(0.9, "[ ]?[A-Za-z0-9.+]{0,20}@[a-z]{1,8}\\.example[ ]?|[ ]"),
        prop::option::weighted(0.9, "\\+[1-9][0-9]{7,14}"),
        arbitrary_fields(),
        any::<bool>(),
    )
        .prop_map(
            |((key, crm_id, contact), email, phone, fields, stamp)| Item {
                trace: 0,
                key,
                crm_id,
                fields,
                contact,
                email,
                phone: phone.as_deref().and_then(Phone::parse),
                stamp,
            },
        )
}

/// Items as the dispatcher puts them into a batch: each with a trace of its own, no record twice.
fn told_apart(items: Vec<Item>) -> Vec<Item> {
    let (mut keys, mut ids) = (BTreeSet::new(), BTreeSet::new());
    let mut kept: Vec<Item> = items
        .into_iter()
        .filter(|item| keys.insert(item.key.clone()) && ids.insert(item.crm_id.clone()))
        .collect();
    for (trace, item) in (u64::MAX - 100..).zip(&mut kept) {
        item.trace = trace;
    }
    kept
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn whatever_the_items_the_request_is_one_that_the_openapi_describes(
        settings in prop::sample::select(families().to_vec()),
        verb in prop::sample::select(VERBS.map(|(_, verb)| verb).to_vec()),
        object in prop::sample::select(Object::ALL.to_vec()),
        items in prop::collection::vec(arbitrary_item(), 0..6).prop_map(told_apart),
        after in prop::option::of("[0-9]{1,5}|\\PC{1,9}"),
    ) {
        let operation = Operation { verb, object, items, after };
        let hubspot = HubSpot::new(settings);
        let request = Vendor::request(&hubspot, &operation);
        prop_assert_eq!(faults(&request), Vec::<String>::new());
        prop_assert_eq!(Vendor::request(&hubspot, &operation), request);
    }
}
