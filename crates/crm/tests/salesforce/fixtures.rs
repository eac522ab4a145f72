//! Every answer of the fixtures means what its rows say.

use callflume_core::effect::Object;
use callflume_core::vendor::Vendor;
use callflume_crm::salesforce::token_expired;
use serde::Deserialize;

use crate::recorded::{self, Fixture, answer, verb};
use crate::support::{operation, salesforce, shown_account, shown_items};

#[derive(Deserialize)]
struct Case {
    verb: String,
    object: Object,
    items: u64,
    account: String,
    outcomes: Vec<String>,
}

fn fixtures() -> Vec<Fixture<Case>> {
    recorded::fixtures(include_str!("fixtures.json"))
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
