//! Every answer of Pipedrive's has one meaning: a table of fixtures, and properties over arbitrary answers.

use callflume_core::effect::{Field, Fields, Object, Value as FieldValue};
use callflume_core::vendor::Vendor;
use callflume_core::vendor::{AccountSignal, Answer, Interpretation, ItemOutcome, Repeat, Verb};
use callflume_crm::pipedrive::{Pipedrive, token_expired};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{item, operation, pipedrive, settings, writing};
use crate::recorded::{self, Fixture, VERBS, answer, verb};
use crate::shown::{response, shown, shown_account};

#[derive(Deserialize)]
struct Case {
    verb: String,
    object: Object,
    account: String,
    outcome: String,
}

fn fixtures() -> Vec<Fixture<Case>> {
    recorded::fixtures(include_str!("fixtures.json"))
}

fn meaning_of(verb: Verb, object: Object, answer: &Answer) -> Interpretation {
    // Something to write, so that an update is one.
    let fields = match object {
        Object::Contact => Fields::from([(Field::OptedOut, FieldValue::Flag(true))]),
        Object::Deal => Fields::from([(Field::Stage, FieldValue::Text("4".into()))]),
        _ => Fields::from([(Field::Text, FieldValue::Text("x".into()))]),
    };
    pipedrive().interpret(&writing(verb, object, fields), answer)
}

#[test]
fn every_fixture_means_what_the_table_says() {
    let fixtures = fixtures();
    assert!(fixtures.len() > 60);
    for fixture in &fixtures {
        assert!(!fixture.cases.is_empty(), "{}", fixture.name);
        for case in &fixture.cases {
            let meaning = meaning_of(verb(&case.verb), case.object, &answer(fixture));
            let place = format!("{} / {} {}", fixture.name, case.verb, case.object);
            assert_eq!(shown_account(&meaning.account), case.account, "{place}");
            let items: Vec<String> = meaning.items.iter().map(shown).collect();
            assert_eq!(items, [case.outcome.as_str()], "{place}");
        }
    }
}

#[test]
fn no_answer_at_all_leaves_writes_unknown_unless_nothing_left() {
    for (name, verb) in VERBS {
        let writes = matches!(verb, Verb::UpsertByKey | Verb::UpdateById | Verb::Create);
        for (answer, expect) in [
            (Answer::NotSent, "not executed"),
            (
                Answer::Lost,
                if writes { "unknown" } else { "not executed" },
            ),
        ] {
            if verb == Verb::UpdateByKey {
                continue;
            }
            let meaning = meaning_of(verb, Object::Contact, &answer);
            assert_eq!(meaning.account, AccountSignal::Failing, "{name}");
            assert_eq!(shown(&meaning.items[0]), expect, "{name} {answer:?}");
        }
    }
}

#[test]
fn only_creations_need_a_probe_before_they_are_repeated_and_nothing_is_updated_by_key() {
    for object in Object::ALL {
        for (name, verb) in VERBS {
            let expect = match verb {
                Verb::UpsertByKey | Verb::Create => Repeat::AfterProbe,
                _ => Repeat::Blindly,
            };
            assert_eq!(pipedrive().repeat(verb, object), expect, "{name} {object}");
            assert_eq!(pipedrive().batch_max(verb, object), 1);
        }
        assert!(!pipedrive().updates_by_key(object));
    }
}

#[test]
fn a_refused_credential_may_be_an_expired_token() {
    for fixture in fixtures() {
        assert_eq!(
            token_expired(&answer(&fixture)),
            fixture.status == 401,
            "{}",
            fixture.name
        );
    }
}

#[test]
fn what_was_found_is_read_with_all_that_tells_who_it_is() {
    let searched = json!({"success": true, "data": {"items": [{"item": {"id": 71, "phones": ["202 555 0101", "+12025550177"],
        "emails": ["Front@example.org", "P1@example.org"], "custom_fields": ["k-1"]}}]}});
    let listed = json!({"success": true, "additional_data": {"next_cursor": "n2"}, "data": [{"id": 71,
        "phones": [{"value": "202 555 0101", "primary": false}, {"value": " ", "primary": false}, {"value": "+12025550177", "primary": true}],
        "emails": [{"value": "Front@example.org", "primary": false}, {"value": "P1@example.org", "primary": true}],
        "custom_fields": {"aaaa": "k-1", "zzzz": null}}]});
    for (verb, body, email) in [
        (Verb::ReadByEmail, &searched, "p1@example.org"),
        (Verb::ReadByKey, &searched, "Front@example.org"),
        (Verb::List, &listed, "P1@example.org"),
    ] {
        let meaning = meaning_of(verb, Object::Contact, &response(200, body));
        let ItemOutcome::Matches(found) = &meaning.items[0] else {
            panic!("{verb:?} {meaning:?}");
        };
        assert_eq!(found[0].crm_id, "71");
        assert_eq!(found[0].own_key.as_deref(), Some("k-1"), "{verb:?}");
        assert_eq!(found[0].phones, ["202 555 0101", "+12025550177"]);
        assert_eq!(found[0].email.as_deref(), Some(email), "{verb:?}");
    }
}

#[test]
fn a_listing_says_where_the_next_page_starts() {
    for (object, additional, expect) in [
        (
            Object::Contact,
            json!({"next_cursor": "eyJ4"}),
            Some("eyJ4"),
        ),
        (Object::Contact, json!({"next_cursor": null}), None),
        (Object::Contact, json!({"next_cursor": ""}), None),
        (Object::Contact, json!({}), None),
        (
            Object::Note,
            json!({"pagination": {"more_items_in_collection": true, "next_start": 500}}),
            Some("500"),
        ),
        (
            Object::Note,
            json!({"pagination": {"more_items_in_collection": false, "next_start": 500}}),
            None,
        ),
    ] {
        let body = json!({"success": true, "data": [], "additional_data": additional});
        let meaning = meaning_of(Verb::List, object, &response(200, &body));
        assert_eq!(meaning.next_page.as_deref(), expect, "{body}");
    }
}

#[test]
fn a_full_page_that_does_not_say_whether_it_is_the_last_proves_nothing() {
    let records: Vec<Value> = (1..=500).map(|id| json!({"id": id, "note": ""})).collect();
    for (count, expect) in [(500, "unknown"), (499, "gone")] {
        let body = json!({"success": true, "data": records.get(..count).unwrap()});
        let meaning = meaning_of(Verb::Probe, Object::Call, &response(200, &body));
        assert_eq!(shown(&meaning.items[0]), expect);
    }
}

#[test]
fn an_item_that_was_never_sent_has_no_part_in_the_answer() {
    let done = response(200, &json!({"success": true, "data": {"id": 1}}));
    let text = |value: &str| FieldValue::Text(value.into());
    for (verb, object, field, value, reason) in [
        (
            Verb::Create,
            Object::Call,
            Field::Owner,
            text("Ada"),
            "`owner` is no id of a Pipedrive user, a whole number",
        ),
        (
            Verb::UpdateById,
            Object::Deal,
            Field::Stage,
            text("closedwon"),
            "`stage` is neither an id of a Pipedrive stage, a whole number, nor won, lost or open",
        ),
        (
            Verb::Create,
            Object::Deal,
            Field::Amount,
            text("1.200,00"),
            "`amount` is no number",
        ),
        (
            Verb::Create,
            Object::Deal,
            Field::Custom("org_id".into()),
            text("x"),
            "a property of Pipedrive's own has a value that isn't of its type",
        ),
        (
            Verb::UpdateByKey,
            Object::Call,
            Field::Sentiment,
            text("neutral"),
            "Pipedrive updates records by their id only",
        ),
        (
            Verb::ReadByEmail,
            Object::Deal,
            Field::Owner,
            text("1"),
            "only contacts are looked up",
        ),
    ] {
        let operation = writing(verb, object, Fields::from([(field, value)]));
        let meaning = pipedrive().interpret(&operation, &done);
        assert_eq!(meaning.account, AccountSignal::Fine);
        assert_eq!(
            shown(&meaning.items[0]),
            format!("refused CF2101 not sent: {reason}")
        );
        let request = pipedrive().request(&operation);
        assert_eq!(request.path, "/api/v1/users/me", "nothing is written");
    }
    for (verb, lack) in [
        (Verb::UpdateById, "the item's CRM id is none of Pipedrive's"),
        (Verb::ReadByEmail, "the item has no e-mail address"),
        (Verb::SearchByPhone, "the item has no phone number"),
        (Verb::Create, "the item has no key"),
        (Verb::Probe, "the item has no key"),
    ] {
        let mut operation = operation(verb, Object::Contact, 0);
        operation
            .items
            .push(callflume_core::vendor::Item::default());
        let meaning = pipedrive().interpret(&operation, &done);
        assert_eq!(
            shown(&meaning.items[0]),
            format!("refused CF2101 not sent: {lack}")
        );
    }
}

#[test]
fn without_the_keys_of_our_fields_the_account_waits_and_nothing_is_written() {
    let bare = Pipedrive::default();
    let done = response(200, &json!({"success": true, "data": {"id": 1}}));
    for (verb, object, expect) in [
        (Verb::UpsertByKey, Object::Contact, "scope missing"),
        (Verb::ReadByKey, Object::Contact, "scope missing"),
        (Verb::Probe, Object::Deal, "scope missing"),
        (Verb::Create, Object::Deal, "scope missing"),
        (Verb::Create, Object::Call, "fine"),
        (Verb::Create, Object::Note, "fine"),
    ] {
        let operation = operation(verb, object, 1);
        let meaning = bare.interpret(&operation, &done);
        assert_eq!(shown_account(&meaning.account), expect, "{verb:?} {object}");
        let sent = bare.request(&operation).path != "/api/v1/users/me";
        assert_eq!(sent, expect == "fine");
        if !sent {
            assert_eq!(meaning.items, [ItemOutcome::NotExecuted]);
        }
    }
}

#[test]
fn only_the_first_item_of_an_operation_is_sent() {
    let done = response(200, &json!({"success": true, "data": {"id": 1}}));
    let meaning = pipedrive().interpret(&operation(Verb::Create, Object::Call, 2), &done);
    let items: Vec<String> = meaning.items.iter().map(shown).collect();
    assert_eq!(items, ["done 1", "not executed"]);
}

fn arbitrary_verb() -> impl Strategy<Value = Verb> {
    (0..VERBS.len()).prop_map(|index| VERBS[index].1)
}

fn arbitrary_object() -> impl Strategy<Value = Object> {
    prop::sample::select(Object::ALL.to_vec())
}

/// Bodies near Pipedrive's shapes, and bytes that are none.
fn arbitrary_body() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[0-9]{1,3}|k-[0-9]|p[0-9]@example.org|\\PC{0,12}".prop_map(Value::from),
        "\\[callflume k-[0-9]\\]|daily request budget exceeded|Person not found|2026-11-09T07:58:02Z"
            .prop_map(Value::from),
    ];
    let names = prop_oneof![
        "success|data|items|item|id|additional_data|next_cursor|pagination|next_start|error",
        "more_items_in_collection|errorCode|code|error_info|custom_fields|aaaa|cccc|note|content",
        "phones|emails|value|primary|is_deleted|active_flag|add_time",
    ];
    let value = leaf.prop_recursive(5, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(names.clone(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    let enveloped = (any::<bool>(), value.clone(), value.clone()).prop_map(
        |(success, data, additional)| json!({"success": success, "data": data, "additional_data": additional}),
    );
    prop_oneof![
        2 => enveloped.prop_map(|value| value.to_string().into_bytes()),
        2 => value.prop_map(|value| value.to_string().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..200),
    ]
}

fn arbitrary_status() -> impl Strategy<Value = u16> {
    prop_oneof![
        3 => prop::sample::select(vec![200_u16, 201, 400, 401, 402, 403, 404, 409, 410, 415, 422, 429, 500, 503]),
        1 => any::<u16>(),
    ]
}

proptest! {
    #[test]
    fn any_answer_has_exactly_one_outcome_per_item(
        verb in arbitrary_verb(),
        object in arbitrary_object(),
        count in 1_u64..4,
        status in arbitrary_status(),
        retry_after in "[0-9]{0,25}|-1|NaN|inf|\\PC{0,8}",
        date in "Mon, 09 Nov 2026 08:00:00 GMT|\\PC{0,12}",
        body in arbitrary_body(),
    ) {
        let operation = operation(verb, object, count);
        let answer = Answer::Response {
            status,
            headers: vec![
                ("retry-after".into(), retry_after),
                ("date".into(), date),
            ],
            body,
        };
        let meaning = pipedrive().interpret(&operation, &answer);
        let expected = if verb == Verb::List { 1 } else { operation.items.len() };
        prop_assert_eq!(meaning.items.len(), expected);
        // Nothing is done but by a success, and there is nothing to split.
        if !matches!(status, 200 | 201) {
            let done = |outcome: &ItemOutcome| matches!(outcome, ItemOutcome::Done { .. });
            prop_assert!(!meaning.items.iter().any(done));
        }
        prop_assert!(!meaning.items.contains(&ItemOutcome::Split));
        // Asked twice, the answer means the same.
        prop_assert_eq!(pipedrive().interpret(&operation, &answer), meaning);
    }

    /// No name holds one of the custom fields of these tests, such as `cccc`: that would be another refusal.
    #[test]
    fn no_reason_repeats_a_value_that_was_sent(name in "[D-Z][d-z]{3,9} [D-Z][d-z]{3,9}", digits in "[0-9]{10}") {
        let body = json!({"success": false, "error": format!("Bad entry {name} for owner_id: {digits}"),
            "error_info": format!("{digits} {name}"), "code": name, "data": {"message": name}});
        let mut operation = operation(Verb::Create, Object::Call, 0);
        operation.items.push(item(1));
        let meaning = pipedrive().interpret(&operation, &response(400, &body));
        prop_assert_eq!(shown(&meaning.items[0]), "refused CF2101 HTTP 400 owner_id");
    }
}

#[test]
fn the_tests_account_is_prepared() {
    for name in ["contact_key", "contact_opted_out", "deal_key"] {
        assert!(settings().custom_field(name).is_some(), "{name}");
    }
}
