//! Composite requests: one call, references, all or none.

use callflume_sim::salesforce::{COMPOSITE_MAX, ObjectKind};
use serde_json::{Value, json};

use crate::{KEY, NOON_MS, body, code, contact, org, post};

const PATH: &str = "/composite";

fn part(name: &str, method: &str, path: &str, body: Value) -> Value {
    let url = format!("/services/data/v66.0{path}");
    let mut part = json!({"referenceId": name, "method": method, "url": url});
    if !body.is_null() {
        part["body"] = body;
    }
    part
}

fn composite(all_or_none: bool, parts: Vec<Value>) -> Value {
    json!({"allOrNone": all_or_none, "compositeRequest": parts})
}

/// A whole call: its contact by key, its record, and a look at both.
fn call(status: &str) -> Vec<Value> {
    vec![
        part(
            "c",
            "PATCH",
            &format!("/sobjects/Contact/{KEY}/k1"),
            json!({"LastName": "A"}),
        ),
        part(
            "t",
            "PATCH",
            &format!("/sobjects/Task/{KEY}/t1"),
            json!({"WhoId": "@{c.id}", "Status": status}),
        ),
        part(
            "q",
            "GET",
            "/query?q=SELECT+Id+FROM+Task+WHERE+WhoId='@{c.id}'",
            Value::Null,
        ),
    ]
}

#[test]
fn a_whole_call_is_one_request_and_its_parts_name_each_other() {
    let mut crm = org();
    let answer = body(
        &post(&mut crm, NOON_MS, PATH, &composite(true, call("Completed"))),
        200,
    );
    let parts = answer["compositeResponse"].as_array().unwrap();
    let statuses: Vec<(&Value, &Value)> = parts
        .iter()
        .map(|it| (&it["referenceId"], &it["httpStatusCode"]))
        .collect();
    assert_eq!(
        statuses,
        [
            (&"c".into(), &201.into()),
            (&"t".into(), &201.into()),
            (&"q".into(), &200.into())
        ]
    );
    assert!(
        parts[0]["httpHeaders"]["Location"]
            .as_str()
            .unwrap()
            .contains("/sobjects/Contact/003")
    );
    let task = crm.records(ObjectKind::Task).next().unwrap();
    assert_eq!(task.value("WhoId"), parts[0]["body"]["id"]);
    assert_eq!(parts[2]["body"]["records"][0]["Id"], parts[1]["body"]["id"]);
    assert_eq!((crm.counters().calls, crm.requests().len()), (1, 1));
    let again = body(
        &post(&mut crm, NOON_MS, PATH, &composite(true, call("Completed"))),
        200,
    );
    assert_eq!(again["compositeResponse"][1]["httpStatusCode"], 200);
    assert_eq!(crm.records(ObjectKind::Task).count(), 1);
}

#[test]
fn with_all_or_none_the_guilty_part_tells_and_the_others_are_halted() {
    let mut crm = org();
    let answer = body(
        &post(&mut crm, NOON_MS, PATH, &composite(true, call("Ended"))),
        200,
    );
    let parts = &answer["compositeResponse"];
    for (place, code) in [
        "PROCESSING_HALTED",
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        "PROCESSING_HALTED",
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(parts[place]["httpStatusCode"], 400);
        assert_eq!(parts[place]["body"][0]["errorCode"], code);
        assert_eq!(parts[place]["httpHeaders"], json!({}));
    }
    assert!(crm.writes().is_empty());
    assert_eq!(crm.records(ObjectKind::Contact).count(), 0);
}

#[test]
fn without_it_each_part_fares_for_itself_and_what_needs_a_failed_one_fails() {
    let mut crm = org();
    let parts = vec![
        part(
            "bad",
            "POST",
            "/sobjects/Contact",
            json!({"FirstName": "A"}),
        ),
        part(
            "good",
            "POST",
            "/sobjects/Contact",
            json!({"LastName": "A"}),
        ),
        part(
            "needs",
            "POST",
            "/sobjects/Task",
            json!({"WhoId": "@{bad.id}"}),
        ),
        part(
            "gone",
            "PATCH",
            &format!("/sobjects/Contact/{KEY}/k9?updateOnly=true"),
            json!({"FirstName": "A"}),
        ),
        part(
            "change",
            "PATCH",
            "/sobjects/Contact/@{good.id}",
            json!({"FirstName": "A"}),
        ),
        part("where", "GET", "/jobs/ingest/750", Value::Null),
    ];
    let answer = body(
        &post(&mut crm, NOON_MS, PATH, &composite(false, parts)),
        200,
    );
    let parts = &answer["compositeResponse"];
    for (place, (status, code)) in [
        (400, Some("REQUIRED_FIELD_MISSING")),
        (201, None),
        (400, Some("PROCESSING_HALTED")),
        (404, Some("NOT_FOUND")),
        (204, None),
        (404, Some("NOT_FOUND")),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(parts[place]["httpStatusCode"], status, "{place}");
        assert_eq!(
            parts[place]["body"][0]["errorCode"].as_str(),
            code,
            "{place}"
        );
    }
    assert_eq!(parts[4]["body"], Value::Null);
    let id = parts[1]["body"]["id"].as_str().unwrap();
    assert_eq!(crm.record(id).unwrap().value("FirstName"), "A");
}

#[test]
fn references_reach_into_lists() {
    let mut crm = org();
    let id = contact(&mut crm, NOON_MS, "A");
    let parts = vec![
        part("q", "GET", "/query?q=SELECT+Id+FROM+Contact", Value::Null),
        part(
            "m",
            "POST",
            "/composite/sobjects",
            json!({"records": [
            {"attributes": {"type": "Task"}, "WhoId": "@{q.records[0].Id}", "Subject": "of @{q.totalSize}"}]}),
        ),
        part("t", "GET", "/sobjects/Task/@{m[0].id}", Value::Null),
        part("n", "GET", "/sobjects/Task/@{m[1].id}", Value::Null),
        part(
            "o",
            "POST",
            "/sobjects/Task",
            json!({"Subject": "@{q.records}"}),
        ),
    ];
    let answer = body(
        &post(&mut crm, NOON_MS, PATH, &composite(false, parts)),
        200,
    );
    let parts = &answer["compositeResponse"];
    assert_eq!(parts[2]["body"]["WhoId"], id.as_str());
    assert_eq!(parts[2]["body"]["Subject"], "of 1");
    for place in [3, 4] {
        assert_eq!(parts[place]["body"][0]["errorCode"], "PROCESSING_HALTED");
    }
}

#[test]
fn what_is_no_composite_is_refused_whole() {
    let mut crm = org();
    let make = |name: &str| part(name, "POST", "/sobjects/Contact", json!({"LastName": "A"}));
    let named = |prefix: &str, count: usize| -> Vec<Value> {
        (0..count)
            .map(|at| make(&format!("{prefix}{at}")))
            .collect()
    };
    let query = |at: usize| {
        part(
            &format!("q{at}"),
            "GET",
            "/query?q=SELECT+Id+FROM+Contact",
            Value::Null,
        )
    };
    for (sent, expect) in [
        (
            composite(false, named("p", COMPOSITE_MAX + 1)),
            "LIMIT_EXCEEDED",
        ),
        (
            composite(false, (0..6).map(query).collect()),
            "LIMIT_EXCEEDED",
        ),
        (
            composite(false, vec![make("a"), make("a")]),
            "INVALID_REFERENCE_ID",
        ),
        (composite(false, vec![make("a-b")]), "INVALID_REFERENCE_ID"),
        (composite(false, vec![make("1a")]), "INVALID_REFERENCE_ID"),
        (
            composite(false, vec![json!({"referenceId": "a"})]),
            "JSON_PARSER_ERROR",
        ),
        (json!({"allOrNone": true}), "JSON_PARSER_ERROR"),
    ] {
        assert_eq!(
            code(&post(&mut crm, NOON_MS, PATH, &sent), 400),
            expect,
            "{sent}"
        );
    }
    assert!(crm.writes().is_empty());
    let full = composite(true, named("p", COMPOSITE_MAX));
    assert_eq!(post(&mut crm, NOON_MS, PATH, &full).status, 200);
    assert_eq!(crm.writes().len(), COMPOSITE_MAX);
}
