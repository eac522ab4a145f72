//! Several operations in one request: what it carries, and whose answer is whose.

use callflume_core::effect::Object;
use callflume_core::vendor::{Answer, Operation, Vendor, Verb};
use serde_json::{Value, json};

use crate::schema::violations;
use crate::support::{id, operation, response, salesforce, shown_items, shown_request};

/// A call's writes: the person, the call, an older call's recording, and somebody looked for.
fn mixed() -> Vec<Operation> {
    vec![
        operation(Verb::UpsertByKey, Object::Contact, 2),
        operation(Verb::Create, Object::Call, 1),
        operation(Verb::UpdateByKey, Object::Call, 2),
        operation(Verb::ReadByKey, Object::Contact, 1),
    ]
}

#[test]
fn a_request_takes_25_parts_of_which_5_are_collections_or_queries() {
    let crm = salesforce();
    let create = |objects: &[Object]| -> Vec<Operation> {
        objects
            .iter()
            .map(|object| operation(Verb::Create, *object, 2))
            .collect()
    };
    let updates = |count| operation(Verb::UpdateByKey, Object::Call, count);
    let four = [Object::Call, Object::Note, Object::Task, Object::Deal];
    let five = [four.as_slice(), &[Object::Contact]].concat();
    let rows: [(Vec<Operation>, Verb, usize); 9] = [
        (vec![], Verb::Create, 200),
        (vec![], Verb::List, 1),
        (create(&four), Verb::UpdateById, 200),
        (create(&four), Verb::UpdateByKey, 21),
        (create(&five), Verb::UpdateById, 0),
        (create(&five), Verb::UpdateByKey, 20),
        (vec![updates(25)], Verb::Create, 0),
        (vec![updates(24)], Verb::Create, 200),
        (create(&four), Verb::List, 0),
    ];
    for (operations, verb, room) in rows {
        let found = crm.room(&operations, verb, Object::Contact);
        assert_eq!(found, room, "{verb:?} beside {}", operations.len());
    }
}

#[test]
fn the_parts_are_what_each_operation_would_be_alone() {
    let crm = salesforce();
    let operations = mixed();
    let request = crm.bundle(&operations);
    assert_eq!(violations(&request), Vec::<String>::new());
    let (_, path, body) = shown_request(&request);
    assert_eq!(path, "/services/data/v66.0/composite");
    assert_eq!(body["allOrNone"], false);
    let parts = body["compositeRequest"].as_array().unwrap();
    let names: Vec<&str> = parts
        .iter()
        .map(|part| part["referenceId"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["o0", "o1", "t1", "t2", "o3"]);
    for (place, index) in [(0, 0), (1, 1), (4, 3)] {
        let (method, path, alone) = shown_request(&crm.request(&operations[index]));
        assert_eq!(parts[place]["method"], method.to_string());
        assert_eq!(parts[place]["url"], path);
        assert_eq!(parts[place].get("body").unwrap_or(&Value::Null), &alone);
    }
}

#[test]
fn each_operation_gets_its_own_answer() {
    let crm = salesforce();
    let operations = mixed();
    let done = |number: u64| json!({"id": id(number), "success": true, "errors": []});
    let taken = json!({"success": false, "errors": [{"statusCode": "UNABLE_TO_LOCK_ROW", "message": "busy", "fields": []}]});
    let part = |name: &str, status: u16, body: Value| json!({"referenceId": name, "httpStatusCode": status, "httpHeaders": {}, "body": body});
    let body = json!({"compositeResponse": [
        part("o3", 200, json!({"totalSize": 0, "done": true, "records": []})),
        part("t2", 404, json!([{"errorCode": "NOT_FOUND", "message": "no such record"}])),
        part("t1", 200, json!({"id": id(7), "success": true, "errors": [], "created": false})),
        part("o0", 200, json!([done(1), taken])),
    ]});
    let answers = crm.unbundle(&operations, &response(200, &body)).unwrap();
    let shown: Vec<Vec<String>> = operations
        .iter()
        .zip(&answers)
        .map(|(operation, answer)| shown_items(&crm.interpret(operation, answer)))
        .collect();
    assert_eq!(
        shown,
        [
            vec![format!("done {}", id(1)), "not executed".to_owned()],
            // Its part is missing.
            vec!["unknown".to_owned()],
            vec![format!("done {}", id(7)), "gone".to_owned()],
            vec!["matches".to_owned()],
        ]
    );
}

#[test]
fn what_is_said_of_the_account_is_said_to_all_and_a_refused_request_to_none() {
    let crm = salesforce();
    let operations = mixed();
    let error =
        |code: &str| json!([{"errorCode": code, "message": "TotalRequests Limit exceeded."}]);
    for (answer, everybody) in [
        (response(401, &error("INVALID_SESSION_ID")), true),
        (response(403, &error("REQUEST_LIMIT_EXCEEDED")), true),
        (response(503, &error("SERVER_UNAVAILABLE")), true),
        (Answer::Lost, true),
        (Answer::NotSent, true),
        (response(400, &error("JSON_PARSER_ERROR")), false),
        (response(404, &error("NOT_FOUND")), false),
        (response(414, &Value::Null), false),
    ] {
        let answers = crm.unbundle(&operations, &answer);
        let expected = everybody.then(|| vec![answer.clone(); operations.len()]);
        assert_eq!(answers, expected, "{answer:?}");
    }
    // What can't be read leaves everything unknown.
    let unreadable = crm
        .unbundle(&operations, &response(200, &json!("page")))
        .unwrap();
    assert_eq!(unreadable, vec![Answer::Lost; operations.len()]);
}

#[test]
fn items_that_can_not_be_sent_are_refused_for_themselves() {
    let crm = salesforce();
    let mut operations = mixed();
    for item in &mut operations[1].items {
        item.key.clear();
    }
    let request = crm.bundle(&operations);
    let (_, _, body) = shown_request(&request);
    assert_eq!(body["compositeRequest"].as_array().unwrap().len(), 4);
    let answers = crm
        .unbundle(
            &operations,
            &response(200, &json!({"compositeResponse": []})),
        )
        .unwrap();
    let shown = shown_items(&crm.interpret(&operations[1], &answers[1]));
    assert!(shown[0].contains("the item has no key"), "{shown:?}");
}
