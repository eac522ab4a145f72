//! Every answer of Salesforce's has one meaning: properties over arbitrary answers, and what the fixtures can't show.

use callflume_core::effect::{Field, Fields, Object};
use callflume_core::vendor::{
    AccountSignal, Answer, Item, ItemOutcome, Observation, Repeat, Scheme, Vendor, Verb,
};
use callflume_crm::salesforce::limits::DAILY_API;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::recorded::VERBS;
use crate::support::{
    WRITES, id, operation, response, salesforce, shown, shown_items, text, with_fields, writing,
};

#[test]
fn no_answer_at_all_leaves_writes_unknown_unless_nothing_left() {
    for (name, verb) in VERBS {
        for (answer, expect) in [
            (Answer::NotSent, "not executed"),
            (
                Answer::Lost,
                if WRITES.contains(&verb) {
                    "unknown"
                } else {
                    "not executed"
                },
            ),
        ] {
            let meaning = salesforce().interpret(&operation(verb, Object::Contact, 1), &answer);
            assert_eq!(meaning.account, AccountSignal::Failing, "{name}");
            assert_eq!(shown_items(&meaning), [expect], "{name} {answer:?}");
        }
    }
}

#[test]
fn every_write_may_be_repeated_blindly_and_every_record_be_updated_by_our_key() {
    assert_eq!(salesforce().authorization(), Scheme::Bearer);
    for object in Object::ALL {
        assert!(salesforce().updates_by_key(object));
        for (name, verb) in VERBS {
            assert_eq!(salesforce().repeat(verb, object), Repeat::Blindly, "{name}");
        }
    }
}

#[test]
fn headers_tell_what_is_left_of_the_day() {
    let headers = [("Sforce-Limit-Info".into(), "api-usage=4417/110000".into())];
    assert_eq!(
        salesforce().observe(Verb::Create, Object::Call, &headers),
        [Observation {
            window: DAILY_API,
            limit: Some(110_000),
            remaining: Some(105_583),
            resets_in_ms: None,
        }]
    );
}

#[test]
fn what_was_found_is_read_with_all_that_tells_who_it_is() {
    let body = json!({"totalSize": 1, "done": true, "records": [{
        "attributes": {"type": "Contact", "url": "/services/data/v66.0/sobjects/Contact/0035g0000000071AAA"},
        "Id": "0035g0000000071AAA", "Mark__c": "k-1", "Email": "P1@example.org", "Phone": " (202) 555-0101 ",
        "MobilePhone": "+12025550177", "Fax": "1"}]});
    let vendor = with_fields(&[("contact_key", "mark__c")]);
    for verb in [
        Verb::ReadByKey,
        Verb::ReadByEmail,
        Verb::SearchByPhone,
        Verb::List,
    ] {
        let meaning = vendor.interpret(&operation(verb, Object::Contact, 1), &response(200, &body));
        let ItemOutcome::Matches(found) = &meaning.items[0] else {
            panic!("{verb:?} {meaning:?}");
        };
        assert_eq!(found[0].crm_id, "0035g0000000071AAA");
        assert_eq!(found[0].own_key.as_deref(), Some("k-1"));
        assert_eq!(found[0].phones, ["(202) 555-0101", "+12025550177"]);
        assert_eq!(found[0].email.as_deref(), Some("P1@example.org"));
    }
}

#[test]
fn a_listing_goes_on_after_its_last_record_until_a_page_is_short() {
    let page = |count: u64, done: bool| {
        let records: Vec<Value> = (1..=count).map(|n| json!({"Id": id(n)})).collect();
        json!({"totalSize": count, "done": done, "records": records})
    };
    for (body, expect) in [
        (page(2_000, true), Some(id(2_000))),
        (page(800, false), Some(id(800))),
        (page(1_999, true), None),
        (page(0, true), None),
    ] {
        let meaning = salesforce().interpret(
            &operation(Verb::List, Object::Contact, 0),
            &response(200, &body),
        );
        assert_eq!(meaning.next_page, expect);
        assert_eq!(meaning.account, AccountSignal::Fine);
    }
}

#[test]
fn an_item_that_was_never_sent_has_no_part_in_the_answer() {
    let fields = |field, value: &str| Fields::from([(field, text(value))]);
    for (verb, object, fields, reason) in [
        (
            Verb::Create,
            Object::Call,
            fields(Field::Owner, "Ada"),
            "`owner` is no id of a Salesforce user",
        ),
        (
            Verb::Create,
            Object::Deal,
            Fields::new(),
            "a deal can't be made without a stage",
        ),
        (
            Verb::UpdateByKey,
            Object::Deal,
            fields(Field::Amount, "1.200,00"),
            "`amount` is no number",
        ),
        (
            Verb::UpdateById,
            Object::Contact,
            fields(Field::OptedOut, "perhaps"),
            "`opted_out` is neither true nor false",
        ),
        (
            Verb::ReadByEmail,
            Object::Deal,
            Fields::new(),
            "only contacts are looked up",
        ),
    ] {
        let operation = writing(verb, object, fields);
        let request = salesforce().request(&operation);
        assert!(request.path.ends_with("/limits"), "nothing is written");
        let limits = json!({"DailyApiRequests": {"Max": 1, "Remaining": 1}});
        let meaning = salesforce().interpret(&operation, &response(200, &limits));
        assert_eq!(meaning.account, AccountSignal::Fine);
        let expect = format!("refused CF2101 not sent: {reason}");
        assert_eq!(shown_items(&meaning), [expect.as_str()]);
    }
    for (verb, change, lack) in [
        (
            Verb::UpdateById,
            (|item: &mut Item| item.crm_id = Some("77' OR".into())) as fn(&mut Item),
            "the item's CRM id is none of Salesforce's",
        ),
        (
            Verb::UpdateById,
            |item| item.crm_id = None,
            "the item's CRM id is none of Salesforce's",
        ),
        (
            Verb::Create,
            |item| item.contact = Some("77".into()),
            "the contact's id is none of Salesforce's",
        ),
        (Verb::Create, |item| item.key.clear(), "the item has no key"),
        (
            Verb::ReadByKey,
            |item| item.key = "k'1".into(),
            "the item's key is none of Callflume's",
        ),
        (
            Verb::Probe,
            |item| item.key = "k".repeat(65),
            "the item's key is none of Callflume's",
        ),
        (
            Verb::ReadByEmail,
            |item| item.email = Some(" ".into()),
            "the item has no e-mail address",
        ),
        (
            Verb::SearchByPhone,
            |item| item.phone = None,
            "the item has no phone number",
        ),
    ] {
        let object = if verb == Verb::Create {
            Object::Call
        } else {
            Object::Contact
        };
        let mut operation = operation(verb, object, 2);
        change(&mut operation.items[0]);
        // The other one's results are its own, although it comes second.
        let body = if WRITES.contains(&verb) {
            json!([{"id": id(2), "success": true, "errors": []}])
        } else {
            json!({"totalSize": 0, "done": true, "records": []})
        };
        let meaning = salesforce().interpret(&operation, &response(200, &body));
        assert_eq!(
            shown(&meaning.items[0]),
            format!("refused CF2101 not sent: {lack}")
        );
        let other = shown(&meaning.items[1]);
        assert!(
            [format!("done {}", id(2)), "matches".into(), "gone".into()].contains(&other),
            "{verb:?} {other}"
        );
    }
}

#[test]
fn nobody_has_an_address_longer_than_salesforces_and_nobody_is_asked() {
    let mut alone = operation(Verb::ReadByEmail, Object::Contact, 1);
    alone.items[0].email = Some(format!("{}@example.org", "x".repeat(200)));
    assert!(salesforce().request(&alone).path.ends_with("/limits"));
    let meaning = salesforce().interpret(&alone, &response(200, &json!({})));
    assert_eq!(meaning.account, AccountSignal::Fine);
    assert_eq!(shown_items(&meaning), ["matches"]);
}

/// Bodies near Salesforce's shapes, and bytes that are none.
fn arbitrary_body() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(vec![200_u16, 201, 204, 300, 400, 403, 404, 500]).prop_map(Value::from),
        "[0-9]{1,3}|k-[0-9]|t[0-9]|p[0-9]@example.org|0035g000000900[0-9]|\\PC{0,12}".prop_map(Value::from),
        "INVALID_FIELD|DUPLICATE_VALUE|UNABLE_TO_LOCK_ROW|REQUEST_LIMIT_EXCEEDED|ENTITY_IS_DELETED|NOT_FOUND"
            .prop_map(Value::from),
        "TotalRequests Limit exceeded.|duplicate value found: Callflume_Key__c duplicates value on record with id: 0035g0000000001"
            .prop_map(Value::from),
    ];
    let names = prop_oneof![
        "records|done|totalSize|success|id|Id|errors|statusCode|errorCode|message|fields",
        "compositeResponse|body|httpStatusCode|referenceId|duplicateResut|matchResults|matchRecords|record",
        "Callflume_Key__c|Email|Phone|MobilePhone",
    ];
    let value = leaf.prop_recursive(5, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(names.clone(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    let list = prop::collection::vec(value.clone(), 0..4);
    let result = (any::<bool>(), value.clone(), value.clone())
        .prop_map(|(success, id, errors)| json!({"success": success, "id": id, "errors": errors}));
    prop_oneof![
        2 => prop::collection::vec(result, 0..4).prop_map(|value| json!(value).to_string().into_bytes()),
        2 => list.prop_map(|value| json!({"records": value, "compositeResponse": value, "done": true}).to_string().into_bytes()),
        2 => value.prop_map(|value| value.to_string().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..200),
    ]
}

fn arbitrary_status() -> impl Strategy<Value = u16> {
    prop_oneof![
        3 => prop::sample::select(vec![200_u16, 201, 204, 300, 400, 401, 403, 404, 409, 410, 414, 420, 429, 500, 502, 503]),
        1 => any::<u16>(),
    ]
}

proptest! {
    #[test]
    fn any_answer_has_exactly_one_outcome_per_item(
        verb in prop::sample::select(VERBS.map(|(_, verb)| verb).to_vec()),
        object in prop::sample::select(Object::ALL.to_vec()),
        count in 1_u64..4,
        lacking in any::<bool>(),
        status in arbitrary_status(),
        body in arbitrary_body(),
    ) {
        let mut operation = operation(verb, object, count);
        if lacking && let Some(item) = operation.items.first_mut() {
            *item = Item { trace: item.trace, ..Item::default() };
        }
        let answer = Answer::Response { status, headers: Vec::new(), body };
        let meaning = salesforce().interpret(&operation, &answer);
        let expected = if verb == Verb::List { 1 } else { operation.items.len() };
        prop_assert_eq!(meaning.items.len(), expected);
        let writes = WRITES.contains(&verb);
        for outcome in &meaning.items {
            // Nothing is done or found but by a success, and only writes can be unknown, only reads find somebody.
            let (done, found) = (matches!(outcome, ItemOutcome::Done { .. }), matches!(outcome, ItemOutcome::Matches(_)));
            prop_assert!((200..300).contains(&status) || !(done || found));
            prop_assert!(writes || *outcome != ItemOutcome::Unknown);
            prop_assert!(!writes || !found);
            let halved = *outcome == ItemOutcome::Split;
            prop_assert!(!halved || operation.items.len() > 1);
        }
        // Asked twice, the answer means the same.
        prop_assert_eq!(salesforce().interpret(&operation, &answer), meaning);
    }

    #[test]
    fn no_reason_repeats_a_value_that_was_sent(name in "[A-Z][a-z]{3,9} [A-Z][a-z]{3,9}", digits in "[0-9]{10}") {
        let error = |code: &str| json!([{code: "STRING_TOO_LONG", "message": format!("Subject: {name} {digits}"),
            "fields": ["Subject", name, digits]}, {code: name, "message": digits}]);
        let operation = writing(Verb::Create, Object::Call, Fields::new());
        let whole = salesforce().interpret(&operation, &response(400, &error("errorCode")));
        prop_assert_eq!(shown_items(&whole), ["refused CF2101 STRING_TOO_LONG Subject"]);
        let each = json!([{"success": false, "errors": error("statusCode")}]);
        let each = salesforce().interpret(&operation, &response(200, &each));
        prop_assert_eq!(shown_items(&each), ["refused CF2101 STRING_TOO_LONG Subject"]);
    }
}
