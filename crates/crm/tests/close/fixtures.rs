//! Every answer of the fixtures means what its rows say.

use std::collections::BTreeMap;

use callflume_core::effect::Object;
use callflume_core::vendor::{Answer, Vendor};
use serde::Deserialize;
use serde_json::Value;

use crate::recorded::verb;
use crate::support::{close, operation, shown_account, shown_items};

#[derive(Deserialize)]
struct File {
    fixtures: Vec<Fixture>,
}

#[derive(Deserialize)]
struct Fixture {
    name: String,
    status: u16,
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Value,
    body_text: Option<String>,
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
    let file: File = serde_json::from_str(include_str!("fixtures.json")).unwrap();
    assert!(file.fixtures.len() > 40);
    for fixture in &file.fixtures {
        assert!(!fixture.cases.is_empty(), "{}", fixture.name);
        for case in &fixture.cases {
            let operation = operation(verb(&case.verb), case.object, case.items);
            let meaning = close().interpret(&operation, &answer(fixture));
            let place = format!(
                "{} / {} {} × {}",
                fixture.name, case.verb, case.object, case.items
            );
            assert_eq!(shown_account(&meaning.account), case.account, "{place}");
            assert_eq!(shown_items(&meaning), case.outcomes, "{place}");
        }
    }
}
