//! Collections of up to 200 records.

use callflume_sim::salesforce::{COLLECTION_MAX, COLLECTION_READ_MAX, ObjectKind, Salesforce};
use serde_json::{Value, json};

use crate::{
    CONTACTS, KEY, NOON_MS, TASKS, body, code, contact, created, delete, org, patch, post,
};

const MANY: &str = "/composite/sobjects";

fn by_key() -> String {
    format!("{MANY}/Contact/{KEY}")
}

fn contacts(records: Vec<Value>) -> Value {
    let records: Vec<Value> = records
        .into_iter()
        .map(|mut record| {
            record["attributes"] = json!({"type": "Contact"});
            record
        })
        .collect();
    json!({"allOrNone": false, "records": records})
}

fn living(crm: &Salesforce) -> usize {
    crm.records(ObjectKind::Contact)
        .filter(|it| !it.deleted)
        .count()
}

#[test]
fn an_upsert_settles_each_item_in_its_place() {
    let mut crm = org();
    let held = created(
        &mut crm,
        NOON_MS,
        CONTACTS,
        json!({"LastName": "A", KEY: "k2"}),
    );
    let sent = contacts(vec![
        json!({KEY: "k1", "LastName": "A"}),
        json!({KEY: "k2", "FirstName": "B"}),
        json!({KEY: "k3"}),
        json!({"LastName": "A"}),
        json!({KEY: "k5", "LastName": "A", "Email": "no address"}),
        json!({KEY: "k6", "LastName": "A", "Nothing__c": 1}),
    ]);
    let results = body(&patch(&mut crm, NOON_MS, &by_key(), &sent), 200);
    assert_eq!(results.as_array().unwrap().len(), 6);
    let made = results[0]["id"].as_str().unwrap();
    assert_eq!(
        results[0],
        json!({"id": made, "success": true, "errors": [], "created": true})
    );
    assert_eq!(
        results[1],
        json!({"id": held, "success": true, "errors": [], "created": false})
    );
    for (place, code) in [
        (2, "REQUIRED_FIELD_MISSING"),
        (3, "MISSING_ARGUMENT"),
        (4, "INVALID_EMAIL_ADDRESS"),
        (5, "INVALID_FIELD"),
    ] {
        assert_eq!(results[place]["success"], false);
        assert_eq!(results[place]["errors"][0]["statusCode"], code);
        assert!(results[place]["errors"][0]["fields"].is_array());
        assert_eq!(results[place]["id"], Value::Null);
    }
    assert_eq!(crm.record(made).unwrap().value(KEY), "k1");
    assert_eq!(living(&crm), 2);
    let again = body(&patch(&mut crm, NOON_MS, &by_key(), &sent), 200);
    assert_eq!(
        again[0],
        json!({"id": made, "success": true, "errors": [], "created": false})
    );
    assert_eq!(crm.counters().calls, 3, "a collection is one call");
}

#[test]
fn all_or_none_takes_everything_back() {
    let mut crm = org();
    let held = created(
        &mut crm,
        NOON_MS,
        CONTACTS,
        json!({"LastName": "A", KEY: "k2"}),
    );
    let mut sent = contacts(vec![
        json!({KEY: "k1", "LastName": "A"}),
        json!({KEY: "k2", "LastName": "B"}),
        json!({KEY: "k3"}),
    ]);
    sent["allOrNone"] = true.into();
    let results = body(&patch(&mut crm, NOON_MS, &by_key(), &sent), 200);
    for (place, code) in [
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "REQUIRED_FIELD_MISSING",
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(results[place]["errors"][0]["statusCode"], code);
    }
    assert_eq!(living(&crm), 1);
    assert_eq!(crm.record(&held).unwrap().value("LastName"), "A");
    assert_eq!(
        crm.writes().len(),
        1,
        "what was taken back was never written"
    );
    assert_eq!(crm.history(&held).count(), 1);
    let after = body(
        &patch(
            &mut crm,
            NOON_MS,
            &format!("{CONTACTS}/{KEY}/k1"),
            &json!({"LastName": "A"}),
        ),
        201,
    );
    assert_eq!(after["created"], true);
}

#[test]
fn one_key_given_twice_fails_both_and_one_held_twice_fails() {
    let mut crm = org();
    for _ in 0..2 {
        created(
            &mut crm,
            NOON_MS,
            CONTACTS,
            json!({"LastName": "A", "Legacy__c": "z"}),
        );
    }
    let sent = contacts(vec![
        json!({KEY: "k1", "LastName": "A"}),
        json!({KEY: "K1", "LastName": "B"}),
    ]);
    let results = body(&patch(&mut crm, NOON_MS, &by_key(), &sent), 200);
    for place in 0..2 {
        assert_eq!(results[place]["errors"][0]["statusCode"], "DUPLICATE_VALUE");
    }
    let sent = contacts(vec![json!({"Legacy__c": "z", "LastName": "C"})]);
    let results = body(
        &patch(
            &mut crm,
            NOON_MS,
            &format!("{MANY}/Contact/Legacy__c"),
            &sent,
        ),
        200,
    );
    assert_eq!(
        results[0]["errors"][0]["statusCode"],
        "DUPLICATE_EXTERNAL_ID"
    );
    assert_eq!(living(&crm), 2);
}

#[test]
fn updates_go_by_id_and_creations_by_nothing() {
    let mut crm = org();
    let (kept, gone) = (
        contact(&mut crm, NOON_MS, "A"),
        contact(&mut crm, NOON_MS, "B"),
    );
    assert!(crm.delete_record(NOON_MS, &gone));
    let sent = contacts(vec![
        json!({"id": kept, "FirstName": "C", KEY: "k1"}),
        json!({"Id": gone, "FirstName": "C"}),
        json!({"id": "0035g0000zzzzzz", "FirstName": "C"}),
        json!({"id": "003", "FirstName": "C"}),
        json!({"FirstName": "C"}),
    ]);
    let results = body(&patch(&mut crm, NOON_MS, MANY, &sent), 200);
    assert_eq!(
        results[0],
        json!({"id": kept, "success": true, "errors": []})
    );
    for (place, code) in [
        "ENTITY_IS_DELETED",
        "INVALID_CROSS_REFERENCE_KEY",
        "MALFORMED_ID",
        "MISSING_ARGUMENT",
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(results[place + 1]["errors"][0]["statusCode"], code);
    }
    assert_eq!(crm.record(&kept).unwrap().value(KEY), "k1");
    let mut sent = contacts(vec![json!({"LastName": "D"})]);
    sent["records"]
        .as_array_mut()
        .unwrap()
        .push(json!({"attributes": {"type": "Task"}, "WhoId": kept}));
    sent["records"]
        .as_array_mut()
        .unwrap()
        .push(json!({"LastName": "E"}));
    let results = body(&post(&mut crm, NOON_MS, MANY, &sent), 200);
    assert_eq!(
        (&results[0]["success"], &results[1]["success"]),
        (&true.into(), &true.into())
    );
    assert_eq!(results[2]["errors"][0]["statusCode"], "INVALID_TYPE");
}

#[test]
fn what_is_no_collection_is_refused_whole() {
    let mut crm = org();
    let item = json!({"LastName": "A"});
    let full = contacts(vec![item.clone(); COLLECTION_MAX]);
    let over = contacts(vec![item; COLLECTION_MAX + 1]);
    for (path, sent, expect) in [
        (MANY.to_owned(), over, (400, "EXCEEDED_ID_LIMIT")),
        (MANY.to_owned(), json!({}), (400, "JSON_PARSER_ERROR")),
        (
            MANY.to_owned(),
            json!({"records": [1]}),
            (400, "JSON_PARSER_ERROR"),
        ),
        (
            MANY.to_owned(),
            json!({"records": [], "allOrNone": "no"}),
            (400, "JSON_PARSER_ERROR"),
        ),
    ] {
        assert_eq!(
            code(&post(&mut crm, NOON_MS, &path, &sent), expect.0),
            expect.1,
            "{sent}"
        );
    }
    let wrong = format!("{MANY}/Contact/Phone");
    assert_eq!(
        code(&patch(&mut crm, NOON_MS, &wrong, &contacts(vec![])), 404),
        "NOT_FOUND"
    );
    assert_eq!(living(&crm), 0);
    assert_eq!(
        body(&post(&mut crm, NOON_MS, MANY, &full), 200)
            .as_array()
            .unwrap()
            .len(),
        200
    );
    assert_eq!(living(&crm), 200);
}

#[test]
fn records_are_read_in_the_order_of_their_ids() {
    let mut crm = org();
    let (a, b) = (
        contact(&mut crm, NOON_MS, "A"),
        contact(&mut crm, NOON_MS, "B"),
    );
    let path = format!("{MANY}/Contact");
    let sent =
        json!({"ids": [b, "003000000000000AAA", "no id", a.get(..15)], "fields": ["LastName"]});
    let read = body(&post(&mut crm, NOON_MS, &path, &sent), 200);
    let seen: Vec<(&Value, &Value)> = read
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (&it["Id"], &it["LastName"]))
        .collect();
    let (nobody, b, a) = (Value::Null, json!(b), json!(a));
    assert_eq!(
        seen,
        [
            (&b, &json!("B")),
            (&nobody, &nobody),
            (&nobody, &nobody),
            (&a, &json!("A"))
        ]
    );
    for (sent, code_of) in [
        (json!({"ids": [a]}), "JSON_PARSER_ERROR"),
        (json!({"ids": a, "fields": ["Id"]}), "JSON_PARSER_ERROR"),
        (
            json!({"ids": [a], "fields": ["Nothing__c"]}),
            "INVALID_FIELD",
        ),
        (
            json!({"ids": vec![&a; COLLECTION_READ_MAX + 1], "fields": ["Id"]}),
            "EXCEEDED_ID_LIMIT",
        ),
    ] {
        assert_eq!(
            code(&post(&mut crm, NOON_MS, &path, &sent), 400),
            code_of,
            "{sent}"
        );
    }
}

#[test]
fn records_of_several_objects_are_deleted_each_for_itself() {
    let mut crm = org();
    let who = contact(&mut crm, NOON_MS, "A");
    let task = created(&mut crm, NOON_MS, TASKS, json!({"Subject": "Call"}));
    let path = format!("{MANY}?ids={who},003000000000000AAA,x,{task}");
    let careful = body(
        &delete(&mut crm, NOON_MS, &format!("{path}&allOrNone=true")),
        200,
    );
    assert_eq!(
        careful[0]["errors"][0]["statusCode"],
        "ALL_OR_NONE_OPERATION_ROLLED_BACK"
    );
    assert_eq!(living(&crm), 1);
    let results = body(&delete(&mut crm, NOON_MS, &path), 200);
    assert_eq!(
        results[0],
        json!({"id": who, "success": true, "errors": []})
    );
    for (place, code) in [(1, "INVALID_CROSS_REFERENCE_KEY"), (2, "MALFORMED_ID")] {
        assert_eq!(results[place]["success"], false, "{results}");
        assert_eq!(results[place]["errors"][0]["statusCode"], code, "{results}");
    }
    assert_eq!(results[3]["id"], json!(task));
    assert_eq!(living(&crm), 0);
    assert!(crm.record(&task).unwrap().deleted);
    let many = vec![who.as_str(); COLLECTION_MAX + 1].join(",");
    for (query, expect) in [
        ("", "MISSING_ARGUMENT"),
        ("?ids=", "MISSING_ARGUMENT"),
        ("?ids=x&allOrNone=no", "JSON_PARSER_ERROR"),
        (&format!("?ids={many}"), "EXCEEDED_ID_LIMIT"),
    ] {
        let reply = delete(&mut crm, NOON_MS, &format!("{MANY}{query}"));
        assert_eq!(code(&reply, 400), expect, "{query}");
    }
}
