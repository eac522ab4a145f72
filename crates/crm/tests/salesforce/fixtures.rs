//! Every answer of the fixtures means what its rows say.

use std::collections::BTreeMap;

use callflume_core::effect::Object;
use callflume_core::vendor::{Answer, Vendor, Verb};
use callflume_crm::salesforce::token_expired;
use serde::Deserialize;
use serde_json::Value;

use crate::support::{VERBS, operation, salesforce, shown_account, shown_items};

#[derive(Deserialize)]
struct File {
    fixtures: Vec<Fixture>,
}

#[derive(Deserialize)]
struct Fixture {
    name: String,
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Value,
    body_text: Option<String>,
    #[serde(default)]
    token_expired: bool,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    verb: String,
    object: Object,
    items: u64,
    account: String,
    outcomes: Vec<String>,
}

fn verb(name: &str) -> Verb {
    VERBS
        .iter()
        .find(|(known, _)| *known == name)
        .map_or_else(|| panic!("no verb {name}"), |(_, verb)| *verb)
}

fn fixtures() -> Vec<Fixture> {
    serde_json::from_str::<File>(include_str!("fixtures.json"))
        .unwrap()
        .fixtures
}

fn answer(fixture: &Fixture) -> Answer {
    let body = fixture
        .body_text
        .clone()
        .unwrap_or_else(|| fixture.body.to_string());
    Answer::Response {
        status: fixture.status,
        headers: fixture.headers.clone().into_iter().collect(),
        body: body.into_bytes(),
    }
}

#[test]
fn every_fixture_means_what_the_table_says() {
    let fixtures = fixtures();
    assert!(fixtures.len() > 50);
    for fixture in &fixtures {
        assert!(!fixture.cases.is_empty(), "{}", fixture.name);
        for case in &fixture.cases {
            let operation = operation(verb(&case.verb), case.object, case.items);
            let meaning = salesforce().interpret(&operation, &answer(fixture));
            let place = format!(
                "{} / {} {} × {}",
                fixture.name, case.verb, case.object, case.items
            );
            assert_eq!(shown_account(&meaning.account), case.account, "{place}");
            assert_eq!(shown_items(&meaning), case.outcomes, "{place}");
        }
    }
}

#[test]
fn only_a_session_that_is_over_is_worth_another_token() {
    for fixture in fixtures() {
        assert_eq!(
            token_expired(&answer(&fixture)),
            fixture.token_expired,
            "{}",
            fixture.name
        );
    }
}
