//! What fields take, and how each refusal is told.

use serde_json::{Value, json};

use crate::{
    CONTACTS, DEALS, KEY, NOON_MS, TASKS, body, code, contact, created, org, patch, post, with,
};

#[test]
fn every_refusal_has_its_code_and_changes_nothing() {
    let mut crm = org();
    let gone = contact(&mut crm, NOON_MS, "Gone");
    assert!(crm.delete_record(NOON_MS, &gone));
    let held = created(
        &mut crm,
        NOON_MS,
        CONTACTS,
        json!({"LastName": "A", KEY: "k1", "Exact__c": "x"}),
    );
    let writes = crm.writes().len();
    let long = |count: usize| "x".repeat(count);
    let user = "0055g0000000001";
    let table: Vec<(&str, Value, &str, Value)> = vec![
        (
            CONTACTS,
            json!({"FirstName": "B"}),
            "REQUIRED_FIELD_MISSING",
            json!(["LastName"]),
        ),
        (
            CONTACTS,
            json!({"LastName": "  "}),
            "REQUIRED_FIELD_MISSING",
            json!(["LastName"]),
        ),
        (
            CONTACTS,
            json!({"LastName": "A", "Nothing__c": 1}),
            "INVALID_FIELD",
            json!([]),
        ),
        (
            CONTACTS,
            json!({"LastName": "A", "Sentiment__c": "x"}),
            "INVALID_FIELD",
            json!([]),
        ),
        (
            CONTACTS,
            json!({"LastName": "A", "Name": "B"}),
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            json!(["Name"]),
        ),
        (
            CONTACTS,
            json!({"LastName": "A", "Id": held}),
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            json!(["Id"]),
        ),
        (
            CONTACTS,
            json!({"LastName": long(81)}),
            "STRING_TOO_LONG",
            json!(["LastName"]),
        ),
        (
            CONTACTS,
            json!({"LastName": "A", "Email": "ada@example"}),
            "INVALID_EMAIL_ADDRESS",
            json!(["Email"]),
        ),
        (
            CONTACTS,
            json!({"LastName": "A", "Email": "ada example.com"}),
            "INVALID_EMAIL_ADDRESS",
            json!(["Email"]),
        ),
        (
            CONTACTS,
            json!({"LastName": "A", KEY: "K1"}),
            "DUPLICATE_VALUE",
            json!([]),
        ),
        (
            CONTACTS,
            json!({"LastName": "A", "Exact__c": "x"}),
            "DUPLICATE_VALUE",
            json!([]),
        ),
        (
            CONTACTS,
            json!({"LastName": "A", "OwnerId": "0055g0000009999"}),
            "INVALID_CROSS_REFERENCE_KEY",
            json!([]),
        ),
        (
            CONTACTS,
            json!({"LastName": "A", "OwnerId": held}),
            "MALFORMED_ID",
            json!(["OwnerId"]),
        ),
        (
            CONTACTS,
            json!({"LastName": "A", "AccountId": "0015g0000000001"}),
            "INVALID_CROSS_REFERENCE_KEY",
            json!([]),
        ),
        (
            CONTACTS,
            json!({"LastName": "A", "ReportsToId": gone}),
            "ENTITY_IS_DELETED",
            json!([]),
        ),
        (
            CONTACTS,
            json!({"LastName": "A", "DoNotCall": "yes"}),
            "JSON_PARSER_ERROR",
            Value::Null,
        ),
        (
            CONTACTS,
            json!({"LastName": "A", "DoNotCall": null}),
            "JSON_PARSER_ERROR",
            Value::Null,
        ),
        (
            CONTACTS,
            json!({"LastName": 7}),
            "JSON_PARSER_ERROR",
            Value::Null,
        ),
        (
            CONTACTS,
            json!({"LastName": "A", "Score__c": "7"}),
            "JSON_PARSER_ERROR",
            Value::Null,
        ),
        (
            CONTACTS,
            json!({"LastName": "A", "Seen__c": "2026-06-15"}),
            "JSON_PARSER_ERROR",
            Value::Null,
        ),
        (
            CONTACTS,
            json!({"LastName": "A", "Birthdate": "2026-02-30"}),
            "JSON_PARSER_ERROR",
            Value::Null,
        ),
        (CONTACTS, json!([]), "JSON_PARSER_ERROR", Value::Null),
        (
            TASKS,
            json!({"WhoId": gone}),
            "ENTITY_IS_DELETED",
            json!([]),
        ),
        (
            TASKS,
            json!({"WhoId": user}),
            "MALFORMED_ID",
            json!(["WhoId"]),
        ),
        (
            TASKS,
            json!({"WhoId": "nobody"}),
            "MALFORMED_ID",
            json!(["WhoId"]),
        ),
        (
            TASKS,
            json!({"Status": "Ended"}),
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            json!(["Status"]),
        ),
        (
            TASKS,
            json!({"CallType": "inbound"}),
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            json!(["CallType"]),
        ),
        (
            TASKS,
            json!({"CallDurationInSeconds": 1.5}),
            "JSON_PARSER_ERROR",
            Value::Null,
        ),
        (
            TASKS,
            json!({"Description": long(32_001)}),
            "STRING_TOO_LONG",
            json!(["Description"]),
        ),
        (
            TASKS,
            json!({"CallDisposition": long(256)}),
            "STRING_TOO_LONG",
            json!(["CallDisposition"]),
        ),
        (
            TASKS,
            json!({"IsClosed": true}),
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            json!(["IsClosed"]),
        ),
        (
            DEALS,
            json!({"Name": "D"}),
            "REQUIRED_FIELD_MISSING",
            json!(["CloseDate", "StageName"]),
        ),
        (
            DEALS,
            json!({"Name": "D", "StageName": "Won?", "CloseDate": "2026-12-31"}),
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            json!(["StageName"]),
        ),
        (
            "/sobjects/User",
            json!({"Name": "U"}),
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            json!(["Name"]),
        ),
    ];
    for (path, fields, expect, about) in table {
        let reply = post(&mut crm, NOON_MS, path, &fields);
        assert_eq!(code(&reply, 400), expect, "{path} {fields}");
        assert_eq!(
            reply.body_json().unwrap()[0]["fields"],
            about,
            "{path} {fields}"
        );
        assert!(!crm.requests().last().unwrap().executed);
    }
    assert_eq!(crm.writes().len(), writes);
}

#[test]
fn the_longest_and_oddest_good_values_are_taken() {
    let mut crm = org();
    created(
        &mut crm,
        NOON_MS,
        CONTACTS,
        json!({"LastName": "Ä".repeat(80), "email": "o'b+1@mail.example.org"}),
    );
    created(
        &mut crm,
        NOON_MS,
        CONTACTS,
        json!({"LastName": "A", "Exact__c": "x", KEY: "k"}),
    );
    created(
        &mut crm,
        NOON_MS,
        CONTACTS,
        json!({"LastName": "A", "Exact__c": "X", KEY: "l"}),
    );
    let seen = [
        "2026-06-15T14:00:00.000+0200",
        "2026-06-15T12:00:00Z",
        "2026-06-15T12:00:00+00:00",
    ];
    for seen in seen {
        let id = created(
            &mut crm,
            NOON_MS,
            CONTACTS,
            json!({"LastName": "A", "Seen__c": seen}),
        );
        assert_eq!(
            crm.record(&id).unwrap().value("Seen__c"),
            "2026-06-15T12:00:00.000+0000"
        );
    }
    created(
        &mut crm,
        NOON_MS,
        TASKS,
        json!({"Description": "x".repeat(32_000), "Recording__c": "y".repeat(40_000)}),
    );
}

#[test]
fn a_duplicate_value_names_the_holder_and_is_free_again_after_it() {
    let mut crm = org();
    let first = created(
        &mut crm,
        NOON_MS,
        CONTACTS,
        json!({"LastName": "A", KEY: "k1"}),
    );
    let second = contact(&mut crm, NOON_MS, "B");
    let reply = patch(
        &mut crm,
        NOON_MS,
        &format!("{CONTACTS}/{second}"),
        &json!({KEY: "k1"}),
    );
    assert_eq!(
        body(&reply, 400),
        json!([{"message": format!("duplicate value found: {KEY} duplicates value on record with id: {first}"),
            "errorCode": "DUPLICATE_VALUE", "fields": []}])
    );
    assert_eq!(
        patch(
            &mut crm,
            NOON_MS,
            &format!("{CONTACTS}/{first}"),
            &json!({KEY: "K1"})
        )
        .status,
        204
    );
    assert!(crm.delete_record(NOON_MS, &first));
    assert_eq!(
        patch(
            &mut crm,
            NOON_MS,
            &format!("{CONTACTS}/{second}"),
            &json!({KEY: "k1"})
        )
        .status,
        204
    );
}

#[test]
fn fields_that_may_not_be_seen_or_written_are_refused_as_such() {
    let mut crm = with(|config| {
        config.custom_fields[7].visible = false;
        config.custom_fields[8].writable = false;
        config.users[1].active = false;
        config.task_subtype_is_fixed = true;
    });
    let score = post(
        &mut crm,
        NOON_MS,
        CONTACTS,
        &json!({"LastName": "A", "Score__c": 1}),
    );
    assert_eq!(code(&score, 400), "INVALID_FIELD");
    let seen = json!({"LastName": "A", "Seen__c": "2026-06-15T12:00:00Z"});
    assert_eq!(
        code(&post(&mut crm, NOON_MS, CONTACTS, &seen), 400),
        "INVALID_FIELD_FOR_INSERT_UPDATE"
    );
    let owned = json!({"LastName": "A", "OwnerId": "0055g0000000002"});
    assert_eq!(
        code(&post(&mut crm, NOON_MS, CONTACTS, &owned), 400),
        "INACTIVE_OWNER_OR_USER"
    );
    let id = created(&mut crm, NOON_MS, TASKS, json!({"TaskSubtype": "Call"}));
    let again = patch(
        &mut crm,
        NOON_MS,
        &format!("{TASKS}/{id}"),
        &json!({"TaskSubtype": "Call"}),
    );
    assert_eq!(code(&again, 400), "INVALID_FIELD_FOR_INSERT_UPDATE");
}

#[test]
fn bodies_that_are_no_json_are_refused() {
    let mut crm = org();
    let mut request = crate::request(callflume_sim::fakes::Method::Post, CONTACTS, &json!({}));
    request.body = b"{\"LastName\":".to_vec();
    assert_eq!(
        code(&crm.handle(NOON_MS, &request), 400),
        "JSON_PARSER_ERROR"
    );
    request.headers.retain(|(name, _)| name != "content-type");
    assert_eq!(
        code(&crm.handle(NOON_MS, &request), 415),
        "UNSUPPORTED_MEDIA_TYPE"
    );
}
