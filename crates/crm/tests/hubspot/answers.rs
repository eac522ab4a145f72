//! Every answer of HubSpot's has one meaning: a table of fixtures, and properties over arbitrary answers.

use callflume_core::vendor::{AccountSignal, Answer, Interpretation, ItemOutcome, Verb};
use callflume_crm::hubspot::token_expired;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::recorded::{self, Fixture, VERBS, answer, verb};
use crate::shown::{response, shown, shown_account};
use crate::support::{hubspot, item, operation};

#[derive(Deserialize)]
struct Case {
    verb: String,
    items: u64,
    account: String,
    outcomes: Vec<String>,
}

fn fixtures() -> Vec<Fixture<Case>> {
    recorded::fixtures(include_str!("fixtures.json"))
}

fn shown_items(meaning: &Interpretation) -> Vec<String> {
    meaning.items.iter().map(shown).collect()
}

#[test]
fn every_fixture_means_what_the_table_says() {
    let fixtures = fixtures();
    assert!(fixtures.len() > 60);
    for fixture in &fixtures {
        for case in &fixture.cases {
            let meaning =
                hubspot().interpret(&operation(verb(&case.verb), case.items), &answer(fixture));
            let place = format!("{} / {} × {}", fixture.name, case.verb, case.items);
            assert_eq!(shown_account(&meaning.account), case.account, "{place}");
            assert_eq!(shown_items(&meaning), case.outcomes, "{place}");
        }
    }
}

#[test]
fn no_answer_at_all() {
    for (name, verb) in VERBS {
        let reads = !matches!(
            verb,
            Verb::UpsertByKey | Verb::UpdateById | Verb::UpdateByKey | Verb::Create
        );
        for (answer, expect) in [
            (Answer::NotSent, "not executed"),
            (Answer::Lost, if reads { "not executed" } else { "unknown" }),
        ] {
            let meaning = hubspot().interpret(&operation(verb, 2), &answer);
            assert_eq!(meaning.account, AccountSignal::Failing, "{name}");
            assert!(
                shown_items(&meaning).iter().all(|shown| shown == expect),
                "{name} {answer:?}"
            );
        }
    }
}

#[test]
fn only_an_expired_token_is_worth_refreshing() {
    for fixture in fixtures() {
        assert_eq!(
            token_expired(&answer(&fixture)),
            fixture.name == "token expired",
            "{}",
            fixture.name
        );
    }
}

#[test]
fn what_was_found_is_read_with_all_that_tells_who_it_is() {
    let body = json!({"results": [{"id": 9001, "properties": {
        "callflume_key": "k-1", "phone": "202 555 0101", "mobilephone": "+12025550199", "email": "p1@example.org",
        "firstname": "Mira", "lastname": "", "hubspot_owner_id": "77"}}]});
    let meaning = hubspot().interpret(&operation(Verb::ReadByEmail, 1), &response(200, &body));
    let ItemOutcome::Matches(found) = &meaning.items[0] else {
        panic!("{meaning:?}");
    };
    assert_eq!(found[0].crm_id, "9001");
    assert_eq!(found[0].own_key.as_deref(), Some("k-1"));
    assert_eq!(found[0].phones, ["202 555 0101", "+12025550199"]);
    assert_eq!(found[0].email.as_deref(), Some("p1@example.org"));
    assert_eq!(found[0].first_name.as_deref(), Some("Mira"));
    assert_eq!(found[0].last_name, None);
    assert_eq!(found[0].owner.as_deref(), Some("77"));
}

#[test]
fn a_listing_says_where_the_next_page_starts() {
    for (after, expect) in [
        (json!({"paging": {"next": {"after": "9002"}}}), Some("9002")),
        (json!({"paging": {"next": {"after": 9002}}}), Some("9002")),
        (json!({"paging": {}}), None),
        (json!({}), None),
    ] {
        let mut body = after;
        body["results"] = json!([]);
        let meaning = hubspot().interpret(&operation(Verb::List, 0), &response(200, &body));
        assert_eq!(meaning.next_page.as_deref(), expect, "{body}");
    }
}

#[test]
fn an_item_that_lacks_what_its_verb_needs_is_refused_and_its_neighbour_is_not() {
    let mut operation = operation(Verb::UpdateById, 2);
    operation.items[0].crm_id = None;
    let body = json!({"results": [{"id": "9002", "objectWriteTraceId": "2"}]});
    let meaning = hubspot().interpret(&operation, &response(200, &body));
    assert_eq!(
        shown_items(&meaning),
        [
            "refused CF2101 not sent: the item has no CRM id",
            "done 9002"
        ]
    );
}

fn arbitrary_verb() -> impl Strategy<Value = Verb> {
    (0..VERBS.len()).prop_map(|index| VERBS[index].1)
}

/// Bodies near HubSpot's shapes, and bytes that are none.
fn arbitrary_body() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[0-9]{1,3}|k-[0-9]|p[0-9]@example.org|\\PC{0,12}".prop_map(Value::from),
        prop_oneof![
            "VALIDATION_ERROR|CONFLICT|OBJECT_NOT_FOUND|RATE_LIMITS|DAILY|TEN_SECONDLY_ROLLING",
            "Existing ID: [0-9]{0,5}|[0-9]{0,4} already has that value|\\[\\{\"name\":\"email\"\\}\\]",
        ]
        .prop_map(Value::from),
    ];
    let names = prop_oneof![
        "id|results|errors|properties|context|objectWriteTraceId|ids|category|message|status",
        "policyName|paging|next|after|total|callflume_key|phone|email|errors|name|code|in",
    ];
    let value = leaf.prop_recursive(5, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(names.clone(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    prop_oneof![
        3 => value.prop_map(|value| value.to_string().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..200),
    ]
}

fn arbitrary_status() -> impl Strategy<Value = u16> {
    prop_oneof![
        3 => prop::sample::select(vec![200_u16, 201, 207, 400, 401, 403, 404, 409, 423, 429, 477, 500]),
        1 => any::<u16>(),
    ]
}

proptest! {
    #[test]
    fn any_answer_has_exactly_one_outcome_per_item(
        verb in arbitrary_verb(),
        count in 1_u64..6,
        status in arbitrary_status(),
        retry_after in "[0-9]{0,25}|-1|NaN|inf|\\PC{0,8}",
        body in arbitrary_body(),
    ) {
        let operation = operation(verb, count);
        let answer = Answer::Response {
            status,
            headers: vec![("retry-after".into(), retry_after)],
            body,
        };
        let meaning = hubspot().interpret(&operation, &answer);
        let expected = if verb == Verb::List { 1 } else { operation.items.len() };
        prop_assert_eq!(meaning.items.len(), expected);
        // Nothing is done but by a success, and a lone item is never to be split.
        if !matches!(status, 200 | 201 | 207) {
            let done = |outcome: &ItemOutcome| matches!(outcome, ItemOutcome::Done { .. });
            prop_assert!(!meaning.items.iter().any(done));
        }
        if count == 1 {
            prop_assert!(!meaning.items.contains(&ItemOutcome::Split));
        }
        // Asked twice, the answer means the same.
        prop_assert_eq!(hubspot().interpret(&operation, &answer), meaning);
    }

    #[test]
    fn outcomes_follow_the_traces_in_whatever_order_the_answer_lists_them(
        fates in prop::collection::vec(0_u8..4, 1..40),
        seed in prop::collection::vec(any::<u32>(), 80),
    ) {
        let count = fates.len() as u64;
        let (mut results, mut errors, mut expect) = (Vec::new(), Vec::new(), Vec::new());
        for (number, fate) in (1..=count).zip(&fates) {
            let trace = number.to_string();
            match fate {
                0 => {
                    results.push(json!({"id": (70_000 + number).to_string(), "objectWriteTraceId": trace}));
                    expect.push(format!("done {}", 70_000 + number));
                }
                1 => {
                    errors.push(json!({"category": "VALIDATION_ERROR", "context": {"objectWriteTraceId": [trace]}}));
                    expect.push("refused CF2101 VALIDATION_ERROR".to_owned());
                }
                2 => {
                    errors.push(json!({"category": "CONFLICT", "message": format!("Existing ID: {number}"),
                        "context": {"objectWriteTraceId": [trace]}}));
                    expect.push(format!("conflict {number}"));
                }
                _ => expect.push("unknown".to_owned()),
            }
        }
        let shuffle = |list: &mut Vec<Value>| {
            let mut keyed: Vec<(u32, Value)> = seed.iter().copied().zip(list.drain(..)).collect();
            keyed.sort_by_key(|(key, _)| *key);
            list.extend(keyed.into_iter().map(|(_, value)| value));
        };
        shuffle(&mut results);
        shuffle(&mut errors);
        let body = json!({"status": "COMPLETE", "results": results, "errors": errors});
        let meaning = hubspot().interpret(&operation(Verb::Create, count), &response(207, &body));
        prop_assert_eq!(shown_items(&meaning), expect);
    }

    #[test]
    fn no_reason_repeats_a_value_that_was_sent(name in "[A-Z][a-z]{3,9} [A-Z][a-z]{3,9}", digits in "[0-9]{10}") {
        let body = json!({"status": "error", "category": "VALIDATION_ERROR",
            "message": format!("Bad values for {name}: [{{\"error\":\"INVALID_PHONE\",\"name\":\"phone\",\"message\":\"{digits}\"}}]"),
            "errors": [{"message": name, "code": name, "in": digits, "context": {"propertyName": [name, digits]}}]});
        let mut operation = operation(Verb::Create, 0);
        operation.items.push(item(1));
        let meaning = hubspot().interpret(&operation, &response(400, &body));
        prop_assert_eq!(shown_items(&meaning), ["refused CF2101 VALIDATION_ERROR INVALID_PHONE phone"]);
    }
}
