//! What is refused, and in which shape.

use callflume_sim::fakes::Method;
use callflume_sim::hubspot::{HubSpot, HubSpotConfig, UniqueConflict};
use serde_json::{Value, json};

use crate::{CALLS, CONTACTS, NOON_MS, account, body, config, created, post, send};

/// Requests that are refused, with a text their body must hold. None of them may write.
#[test]
fn what_cannot_be_stored_is_refused_and_leaves_no_trace() {
    let at = "2026-06-15T12:00:00Z";
    let cases: Vec<(&str, &str, Value, u16, &str)> = vec![
        (
            "not a string",
            CONTACTS,
            json!({"properties": {"firstname": 7}}),
            400,
            "VALIDATION_ERROR",
        ),
        (
            "null",
            CONTACTS,
            json!({"properties": {"firstname": null}}),
            400,
            "VALIDATION_ERROR",
        ),
        (
            "no properties",
            CONTACTS,
            json!({}),
            400,
            "VALIDATION_ERROR",
        ),
        (
            "unknown property",
            CONTACTS,
            json!({"properties": {"fristname": "x"}}),
            400,
            "PROPERTY_DOESNT_EXIST",
        ),
        (
            "property of another object",
            CONTACTS,
            json!({"properties": {"hs_call_title": "x"}}),
            400,
            "PROPERTY_DOESNT_EXIST",
        ),
        (
            "bad e-mail",
            CONTACTS,
            json!({"properties": {"email": "x@y"}}),
            400,
            "INVALID_EMAIL",
        ),
        (
            "read only",
            CONTACTS,
            json!({"properties": {"hs_object_id": "1"}}),
            400,
            "READ_ONLY_VALUE",
        ),
        (
            "unknown owner",
            CONTACTS,
            json!({"properties": {"hubspot_owner_id": "1"}}),
            400,
            "INVALID_OWNER_ID",
        ),
        (
            "no timestamp",
            CALLS,
            json!({"properties": {"hs_call_title": "x"}}),
            400,
            "hs_timestamp",
        ),
        (
            "no timestamp",
            "/crm/v3/objects/notes",
            json!({"properties": {"hs_note_body": "x"}}),
            400,
            "hs_timestamp",
        ),
        (
            "no timestamp",
            "/crm/v3/objects/tasks",
            json!({"properties": {"hs_timestamp": ""}}),
            400,
            "hs_timestamp",
        ),
        (
            "bad timestamp",
            CALLS,
            json!({"properties": {"hs_timestamp": "noon"}}),
            400,
            "INVALID_DATE",
        ),
        (
            "bad duration",
            CALLS,
            json!({"properties": {"hs_timestamp": at, "hs_call_duration": "3 min"}}),
            400,
            "INVALID_NUMBER",
        ),
        (
            "bad status",
            CALLS,
            json!({"properties": {"hs_timestamp": at, "hs_call_status": "DONE"}}),
            400,
            "INVALID_OPTION",
        ),
        (
            "bad stage",
            "/crm/v3/objects/deals",
            json!({"properties": {"dealstage": "nowhere"}}),
            400,
            "INVALID_OPTION",
        ),
        (
            "too long",
            "/crm/v3/objects/notes",
            json!({"properties": {"hs_timestamp": at, "hs_note_body": "x".repeat(65_537)}}),
            400,
            "PROPERTY_VALUE_TOO_LONG",
        ),
        (
            "wrong association type",
            CALLS,
            json!({"properties": {"hs_timestamp": at}, "associations": [{"to": {"id": "1001"}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 3}]}]}),
            400,
            "association type 3",
        ),
        (
            "association to nobody",
            CALLS,
            json!({"properties": {"hs_timestamp": at}, "associations": [{"to": {"id": "55"}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 194}]}]}),
            400,
            "CONTACT=55 is not valid",
        ),
    ];
    for (case, target, request, status, text) in cases {
        let mut crm = account();
        created(&mut crm, NOON_MS, CONTACTS, json!({"firstname": "E"}));
        let reply = post(&mut crm, NOON_MS, target, &request);
        assert_eq!(reply.status, status, "{case}");
        let answer = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(answer.contains(text), "{case}: {answer}");
        assert_eq!(crm.writes().len(), 1, "{case}");
        assert!(!crm.requests()[1].executed, "{case}");
    }
}

#[test]
fn bad_values_are_listed_in_the_message_as_the_vendor_does() {
    let mut crm = account();
    let reply = post(
        &mut crm,
        NOON_MS,
        CONTACTS,
        &json!({"properties": {"email": "x@y.", "nope": "1"}}),
    );
    let answer = body(&reply, 400);
    let list = answer["message"]
        .as_str()
        .unwrap()
        .strip_prefix("Property values were not valid: ")
        .unwrap();
    let list: Value = serde_json::from_str(list).unwrap();
    assert_eq!(
        list[0],
        json!({"isValid": false, "message": "Email address x@y. is invalid", "error": "INVALID_EMAIL", "name": "email"})
    );
    assert_eq!(list[1]["error"], "PROPERTY_DOESNT_EXIST");
    assert_eq!(answer["errors"][1]["context"]["propertyName"][0], "nope");
    assert_eq!(answer["category"], "VALIDATION_ERROR");
}

#[test]
fn a_taken_unique_value_is_a_conflict_that_names_its_holder() {
    let mut crm = account();
    let holder = created(
        &mut crm,
        NOON_MS,
        CONTACTS,
        json!({"email": "f@example.com", "voice_ref": "k1"}),
    );
    let other = created(
        &mut crm,
        NOON_MS,
        CONTACTS,
        json!({"email": "g@example.com"}),
    );
    let other = format!("{CONTACTS}/{other}");
    for (method, target, properties) in [
        (Method::Post, CONTACTS, json!({"email": "F@example.COM"})),
        (Method::Post, CONTACTS, json!({"voice_ref": "k1"})),
        (
            Method::Patch,
            other.as_str(),
            json!({"email": "f@example.com"}),
        ),
        (
            Method::Patch,
            other.as_str(),
            json!({"voice_ref": "k1", "firstname": "G"}),
        ),
    ] {
        let reply = send(
            &mut crm,
            NOON_MS,
            method,
            target,
            &json!({"properties": properties}),
        );
        let answer = body(&reply, 409);
        assert_eq!(answer["category"], "CONFLICT");
        assert_eq!(
            answer["message"],
            format!("Contact already exists. Existing ID: {holder}")
        );
    }
    assert_eq!(crm.writes().len(), 2);
}

#[test]
fn the_other_shape_of_a_conflict_names_the_half_made_record_and_the_holder() {
    let mut crm = HubSpot::new(HubSpotConfig {
        unique_conflict: UniqueConflict::AlreadyHasThatValue400,
        ..config()
    })
    .unwrap();
    let holder = created(
        &mut crm,
        NOON_MS,
        CONTACTS,
        json!({"email": "h@example.com", "voice_ref": "k1"}),
    );
    let other = created(&mut crm, NOON_MS, CONTACTS, json!({"voice_ref": "k2"}));
    let other_path = format!("{CONTACTS}/{other}");
    for (method, target, properties, named, on) in [
        (
            Method::Post,
            CONTACTS,
            json!({"email": "H@example.com"}),
            "propertyName=email, value=h@example.com",
            None,
        ),
        (
            Method::Post,
            CONTACTS,
            json!({"voice_ref": "k1"}),
            "propertyName=voice_ref, value=k1",
            None,
        ),
        (
            Method::Patch,
            other_path.as_str(),
            json!({"email": "h@example.com"}),
            "propertyName=email, value=h@example.com",
            Some(other.as_str()),
        ),
    ] {
        let request = json!({"properties": properties});
        let reply = send(&mut crm, NOON_MS, method, target, &request);
        let answer = body(&reply, 400);
        assert_eq!(answer["category"], "VALIDATION_ERROR");
        let message = answer["message"].as_str().unwrap();
        assert!(message.contains(named), "{message}");
        let end = format!(" {holder} already has that value.");
        assert!(message.ends_with(&end), "{message}");
        let (_, refused) = message.split_once("} on ").unwrap();
        let (refused, _) = refused.split_once(". ").unwrap();
        match on {
            Some(on) => assert_eq!(refused, on),
            None => assert!(
                ![&holder, &other].contains(&&refused.to_owned()),
                "{message}"
            ),
        }
    }
    assert_eq!(crm.writes().len(), 2);
}
