//! Answers beyond the fixtures: none at all, what an item lacks, and properties over arbitrary ones.

use callflume_core::effect::{Field, Object};
use callflume_core::vendor::{AccountSignal, Answer, ItemOutcome, Repeat, Scheme, Vendor, Verb};
use callflume_crm::Settings;
use callflume_crm::close::{Close, token_expired};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::recorded::VERBS;
use crate::support::{close, meaning, operation, response, shown_items, text, with_fields};

const fn reads(verb: Verb) -> bool {
    matches!(
        verb,
        Verb::ReadByKey | Verb::ReadByEmail | Verb::SearchByPhone | Verb::List | Verb::Probe
    )
}

#[test]
fn no_answer_at_all() {
    for (name, verb) in VERBS
        .into_iter()
        .filter(|(_, verb)| *verb != Verb::UpdateByKey)
    {
        for (answer, expect) in [
            (Answer::NotSent, "not executed"),
            (
                Answer::Lost,
                if reads(verb) {
                    "not executed"
                } else {
                    "unknown"
                },
            ),
        ] {
            let meaning = close().interpret(&operation(verb, Object::Contact, 1), &answer);
            assert_eq!(meaning.account, AccountSignal::Failing, "{name}");
            assert_eq!(shown_items(&meaning), [expect], "{name} {answer:?}");
        }
    }
}

#[test]
fn what_makes_a_record_is_repeated_after_a_probe_and_what_sets_values_blindly() {
    for object in Object::ALL {
        assert!(!close().updates_by_key(object));
        for (name, verb) in VERBS {
            let expect = if matches!(verb, Verb::Create | Verb::UpsertByKey) {
                Repeat::AfterProbe
            } else {
                Repeat::Blindly
            };
            assert_eq!(close().repeat(verb, object), expect, "{name} {object}");
        }
    }
}

#[test]
fn a_key_is_shown_as_a_user_and_a_token_as_a_bearer() {
    assert_eq!(close().authorization(), Scheme::BasicUser);
    let oauth = Close::new(Settings::default().with_oauth(true));
    assert_eq!(oauth.authorization(), Scheme::Bearer);
}

#[test]
fn only_a_refused_credential_is_worth_refreshing() {
    for (status, expect) in [(401, true), (402, false), (403, false), (200, false)] {
        let answer = response(status, &json!({"error": "x"}));
        assert_eq!(token_expired(&answer), expect, "{status}");
    }
    assert!(!token_expired(&Answer::Lost));
}

#[test]
fn an_item_that_lacks_what_its_verb_needs_is_refused_and_its_neighbour_is_not() {
    let mut operation = operation(Verb::ReadByEmail, Object::Contact, 2);
    operation.items[0].email = Some(" ".into());
    let meaning = meaning(&operation, 200, &json!({"data": [], "cursor": null}));
    assert_eq!(
        shown_items(&meaning),
        [
            "refused CF2101 not sent: the item has no e-mail address",
            "matches"
        ]
    );
}

#[test]
fn an_item_that_was_not_sent_has_no_part_in_the_answer() {
    let made = json!({"id": "acti_1", "lead_id": "lead_1"});
    for (verb, object, change, expect) in [
        (
            Verb::UpdateByKey,
            Object::Call,
            "",
            "refused CF2101 not sent: Close finds no record by our key; its id is probed for first",
        ),
        (
            Verb::UpdateById,
            Object::Call,
            "no id",
            "refused CF2101 not sent: the item has no CRM id",
        ),
        (Verb::UpdateById, Object::Call, "foreign id", "gone"),
        (Verb::UpdateById, Object::Contact, "foreign id", "gone"),
        (
            Verb::Create,
            Object::Note,
            "no contact",
            "refused CF2101 not sent: the item has no contact to belong to",
        ),
        (Verb::Create, Object::Note, "foreign contact", "gone"),
        (
            Verb::Create,
            Object::Note,
            "no key",
            "refused CF2101 not sent: the item has no key",
        ),
        (
            Verb::Probe,
            Object::Call,
            "no contact",
            "refused CF2101 not sent: the item has no contact to belong to",
        ),
        (
            Verb::ReadByKey,
            Object::Call,
            "",
            "refused CF2101 not sent: only contacts are looked up in Close",
        ),
    ] {
        let mut operation = operation(verb, object, 1);
        let item = &mut operation.items[0];
        match change {
            "no id" => item.crm_id = None,
            "foreign id" => item.crm_id = Some("9001".into()),
            "no contact" => item.contact = None,
            "foreign contact" => item.contact = Some("9001".into()),
            "no key" => item.key = String::new(),
            _ => {}
        }
        let request = close().request(&operation);
        assert_eq!(
            request.path, "/api/v1/me/?_fields=id,organizations",
            "{verb:?} {change}"
        );
        assert_eq!(
            shown_items(&meaning(&operation, 200, &made)),
            [expect],
            "{verb:?} {change}"
        );
    }
}

#[test]
fn without_the_fields_that_prepare_makes_nothing_is_sent_and_the_operator_is_told() {
    let bare = Close::default();
    let opted_out = (Field::OptedOut, callflume_core::effect::Value::Flag(true));
    let sentiment = (Field::Sentiment, text("positive"));
    for operation in [
        operation(Verb::ReadByKey, Object::Contact, 2),
        operation(Verb::SearchByPhone, Object::Contact, 1),
        operation(Verb::UpsertByKey, Object::Contact, 1),
        operation(Verb::Probe, Object::Contact, 1),
        operation(Verb::Create, Object::Deal, 1),
        operation(Verb::Probe, Object::Deal, 1),
        with_fields(Verb::UpdateById, Object::Contact, &[opted_out]),
        with_fields(Verb::UpdateById, Object::Call, &[sentiment]),
    ] {
        assert!(bare.request(&operation).path.starts_with("/api/v1/me/"));
        let answer = Answer::Response {
            status: 200,
            headers: Vec::new(),
            body: b"{}".to_vec(),
        };
        let meaning = bare.interpret(&operation, &answer);
        assert_eq!(meaning.account, AccountSignal::ScopeMissing);
        assert!(
            meaning
                .items
                .iter()
                .all(|it| *it == ItemOutcome::NotExecuted)
        );
    }
}

#[test]
fn a_sentiment_that_came_merged_with_what_the_call_holds_is_sent_alone() {
    // The dispatcher takes a refused merge apart and sends each effect by itself.
    let merged = with_fields(
        Verb::UpdateById,
        Object::Call,
        &[
            (Field::Sentiment, text("positive")),
            (Field::RecordingUrl, text("https://r.example/1.mp3")),
        ],
    );
    let shown = shown_items(&meaning(&merged, 200, &json!({"id": "acti_1"})));
    assert!(
        shown[0].starts_with("refused CF2101 not sent: Close keeps"),
        "{shown:?}"
    );
}

fn arbitrary_verb() -> impl Strategy<Value = Verb> {
    (0..VERBS.len()).prop_map(|index| VERBS[index].1)
}

fn arbitrary_object() -> impl Strategy<Value = Object> {
    prop::sample::select(Object::ALL.to_vec())
}

/// Bodies near Close's shapes, and bytes that are none.
fn arbitrary_body() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "(lead|cont|acti|task|oppo)_[0-9]{0,2}|k-[0-9]|p[0-9]@example.org|\\PC{0,12}"
            .prop_map(Value::from),
        "x \\[callflume k-[0-9]\\]|This field is required|\\+12025550[0-9]{3}"
            .prop_map(Value::from),
    ];
    let names = prop_oneof![
        "id|data|errors|field-errors|error|has_more|cursor|cursor_next|lead_id|contact_id",
        "contacts|emails|email|phones|phone|custom.cf_key|custom.cf_deal|note|text|object_id",
    ];
    let value = leaf.prop_recursive(5, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(names.clone(), inner, 0..7)
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
        3 => prop::sample::select(vec![200_u16, 201, 204, 400, 401, 402, 403, 404, 405, 413, 429, 500, 503]),
        1 => any::<u16>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_answer_has_exactly_one_outcome_per_item(
        verb in arbitrary_verb(),
        object in arbitrary_object(),
        count in 1_u64..6,
        status in arbitrary_status(),
        after in prop::option::of("search|[0-9]{0,4}|\\PC{0,5}"),
        header in "limit=[0-9]{0,3}, remaining=[0-9]{0,3}, reset=([0-9]{0,25}|-1|NaN|inf)|\\PC{0,8}",
        body in arbitrary_body(),
    ) {
        let mut operation = operation(verb, object, count);
        operation.after = after;
        let answer = Answer::Response {
            status,
            headers: vec![("RateLimit".into(), header)],
            body,
        };
        let meaning = close().interpret(&operation, &answer);
        let expected = if verb == Verb::List { 1 } else { operation.items.len() };
        prop_assert_eq!(meaning.items.len(), expected);
        // Nothing is done but by a success, nothing made is known to be nowhere but by Close's own word, and a lone
        // item is never to be split.
        if !matches!(status, 200 | 201 | 204) {
            let done = |outcome: &ItemOutcome| matches!(outcome, ItemOutcome::Done { .. });
            prop_assert!(!meaning.items.iter().any(done));
        }
        if !matches!(status, 200 | 201 | 400 | 404 | 405 | 409 | 413 | 414 | 415 | 422) {
            prop_assert!(!meaning.items.contains(&ItemOutcome::Gone));
        }
        if count == 1 {
            prop_assert!(!meaning.items.contains(&ItemOutcome::Split));
        }
        // Only what couldn't say yet says where to go on.
        if meaning.next_page.is_some() && verb != Verb::List {
            prop_assert_eq!(verb, Verb::Probe);
            prop_assert_eq!(&meaning.items[0], &ItemOutcome::NotExecuted);
        }
        prop_assert_eq!(close().interpret(&operation, &answer), meaning);
    }

    #[test]
    fn no_reason_repeats_a_value_that_was_sent(name in "[A-Z][a-z]{3,9} [A-Z][a-z]{3,9}", digits in "[0-9]{10}") {
        let body = json!({"errors": [name, digits], "error": name,
            "field-errors": {"phones": {"0": digits}, &*name: "x", &*digits: "x"}});
        let shown = shown_items(&meaning(&operation(Verb::UpsertByKey, Object::Contact, 1), 400, &body));
        prop_assert_eq!(shown, ["refused CF2101 HTTP 400 phones"]);
    }
}
