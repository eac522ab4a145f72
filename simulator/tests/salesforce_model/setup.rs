//! What an account's preparation sees and does: descriptions, and fields made through the Tooling API.

use callflume_sim::fakes::{Method, Request};
use callflume_sim::salesforce::{FieldOwner, Salesforce};
use serde_json::{Value, json};

use crate::{CONTACTS, KEY, NOON_MS, OTHER_TOKEN, body, code, get, org, patch, post, with};

const FIELDS: &str = "/tooling/sobjects/CustomField";

fn field(crm: &mut Salesforce, object: &str, name: &str) -> Value {
    let described = body(
        &get(crm, NOON_MS, &format!("/sobjects/{object}/describe")),
        200,
    );
    let fields = described["fields"].as_array().unwrap().iter();
    fields
        .clone()
        .find(|it| it["name"] == name)
        .cloned()
        .unwrap_or(Value::Null)
}

fn key(owner: &str) -> Value {
    json!({"FullName": format!("{owner}.Made_Key__c"), "Metadata": {"type": "Text", "label": "Made key", "length": 64,
        "externalId": true, "unique": true, "caseSensitive": false}})
}

#[test]
fn descriptions_say_what_may_be_done_with_each_field() {
    let mut crm = org();
    for (object, name, expect) in [
        (
            "Contact",
            KEY,
            json!({"externalId": true, "unique": true, "updateable": true, "createable": true, "length": 255, "custom": true, "type": "string"}),
        ),
        (
            "Contact",
            "LastName",
            json!({"nillable": false, "updateable": true, "length": 80, "custom": false}),
        ),
        (
            "Contact",
            "Name",
            json!({"createable": false, "updateable": false}),
        ),
        (
            "Contact",
            "DoNotCall",
            json!({"type": "boolean", "nillable": false, "updateable": true}),
        ),
        ("Task", KEY, json!({"externalId": true, "unique": true})),
        (
            "Task",
            "Description",
            json!({"length": 32_000, "filterable": false, "type": "textarea"}),
        ),
        (
            "Task",
            "WhoId",
            json!({"type": "reference", "referenceTo": ["Contact"]}),
        ),
        (
            "Opportunity",
            "ContactId",
            json!({"createable": true, "updateable": false}),
        ),
        (
            "Opportunity",
            "StageName",
            json!({"type": "picklist", "nillable": false}),
        ),
        (
            "OpportunityStage",
            "ApiName",
            json!({"createable": false, "updateable": false}),
        ),
    ] {
        let shown = field(&mut crm, object, name);
        for (about, value) in expect.as_object().unwrap() {
            assert_eq!(&shown[about], value, "{object}.{name} {about}");
        }
    }
    let stages = field(&mut crm, "Opportunity", "StageName");
    assert_eq!(stages["picklistValues"][2]["value"], "Proposal");
    assert_eq!(
        get(&mut crm, NOON_MS, "/sobjects/Nothing/describe").status,
        404
    );
}

#[test]
fn a_made_field_can_be_used_at_once() {
    let mut crm = org();
    let made = body(&post(&mut crm, NOON_MS, FIELDS, &key("Activity")), 201);
    assert_eq!(made["success"], true);
    assert!(made["id"].as_str().unwrap().starts_with("00N"));
    let shown = field(&mut crm, "Task", "Made_Key__c");
    assert_eq!(
        (&shown["externalId"], &shown["length"]),
        (&true.into(), &64.into())
    );
    assert_eq!(
        patch(
            &mut crm,
            NOON_MS,
            "/sobjects/Task/Made_Key__c/k1",
            &json!({"Subject": "A"})
        )
        .status,
        201
    );
    assert_eq!(
        patch(
            &mut crm,
            NOON_MS,
            "/sobjects/Task/Made_Key__c/k1",
            &json!({"Subject": "B"})
        )
        .status,
        200
    );
    let again = body(&post(&mut crm, NOON_MS, FIELDS, &key("Activity")), 400);
    assert_eq!(again[0]["errorCode"], "DUPLICATE_DEVELOPER_NAME");
    assert_eq!(field(&mut crm, "Contact", "Made_Key__c"), Value::Null);
}

#[test]
fn a_field_nobody_was_granted_is_there_and_yet_cannot_be_used() {
    let mut crm = with(|config| config.made_fields_are_visible = false);
    assert_eq!(post(&mut crm, NOON_MS, FIELDS, &key("Contact")).status, 201);
    assert_eq!(field(&mut crm, "Contact", "Made_Key__c"), Value::Null);
    let path = format!("{CONTACTS}/Made_Key__c/k1");
    let fields = json!({"LastName": "A"});
    assert_eq!(
        code(&patch(&mut crm, NOON_MS, &path, &fields), 404),
        "NOT_FOUND"
    );
    let again = post(&mut crm, NOON_MS, FIELDS, &key("Contact"));
    assert_eq!(code(&again, 400), "DUPLICATE_DEVELOPER_NAME");
    assert!(crm.set_field_access(FieldOwner::Contact, "Made_Key__c", true, true));
    assert_eq!(patch(&mut crm, NOON_MS, &path, &fields).status, 201);
    assert!(crm.set_field_access(FieldOwner::Contact, "Made_Key__c", true, false));
    assert_eq!(
        field(&mut crm, "Contact", "Made_Key__c")["updateable"],
        false
    );
    assert!(
        !crm.set_field_access(FieldOwner::Contact, "LastName", false, false),
        "no custom field"
    );
}

#[test]
fn what_cannot_be_made_is_refused() {
    let mut crm = org();
    let made = |full: &str, about: Value| json!({"FullName": full, "Metadata": about});
    let text = |length: Value| json!({"type": "Text", "label": "L", "length": length});
    for (sent, expect) in [
        (made("Task.A__c", text(json!(9))), "INVALID_FIELD_FULLNAME"),
        (made("Contact.A", text(json!(9))), "INVALID_FIELD_FULLNAME"),
        (
            made("Contact.1A__c", text(json!(9))),
            "INVALID_FIELD_FULLNAME",
        ),
        (
            made("Contact.A__c", text(Value::Null)),
            "FIELD_INTEGRITY_EXCEPTION",
        ),
        (
            made("Contact.A__c", text(json!(256))),
            "FIELD_INTEGRITY_EXCEPTION",
        ),
        (
            made("Contact.A__c", json!({"type": "Text", "length": 9})),
            "REQUIRED_FIELD_MISSING",
        ),
        (
            made("Contact.A__c", json!({"type": "Odd", "label": "L"})),
            "FIELD_INTEGRITY_EXCEPTION",
        ),
        (
            made(
                "Contact.A__c",
                json!({"type": "LongTextArea", "label": "L", "length": 900}),
            ),
            "FIELD_INTEGRITY_EXCEPTION",
        ),
        (
            made(
                "Contact.A__c",
                json!({"type": "Checkbox", "label": "L", "externalId": true}),
            ),
            "FIELD_INTEGRITY_EXCEPTION",
        ),
        (made("Contact.LASTNAME__c", text(json!(9))), ""),
    ] {
        let reply = post(&mut crm, NOON_MS, FIELDS, &sent);
        if expect.is_empty() {
            assert_eq!(reply.status, 201);
        } else {
            assert_eq!(code(&reply, 400), expect, "{sent}");
        }
    }
    for (name, about) in [
        (
            "B__c",
            json!({"type": "LongTextArea", "label": "L", "length": 32_768, "visibleLines": 3}),
        ),
        (
            "C__c",
            json!({"type": "Checkbox", "label": "L", "defaultValue": false}),
        ),
        (
            "D__c",
            json!({"type": "Number", "label": "L", "precision": 18, "scale": 0}),
        ),
        ("E__c", json!({"type": "Url", "label": "L"})),
    ] {
        assert_eq!(
            post(
                &mut crm,
                NOON_MS,
                FIELDS,
                &made(&format!("Activity.{name}"), about)
            )
            .status,
            201,
            "{name}"
        );
    }
    let request = Request::new(Method::Post, &format!("/services/data/v66.0{FIELDS}"))
        .with_bearer(OTHER_TOKEN)
        .with_json(&key("Contact"));
    assert_eq!(
        code(&crm.handle(NOON_MS, &request), 403),
        "INSUFFICIENT_ACCESS"
    );
}

#[test]
fn a_removed_field_takes_what_was_in_it() {
    let mut crm = org();
    let path = format!("{CONTACTS}/{KEY}/k1");
    let made = body(
        &patch(&mut crm, NOON_MS, &path, &json!({"LastName": "A"})),
        201,
    );
    assert!(crm.remove_custom_field(FieldOwner::Contact, KEY));
    assert!(!crm.remove_custom_field(FieldOwner::Contact, KEY));
    assert_eq!(code(&get(&mut crm, NOON_MS, &path), 404), "NOT_FOUND");
    let again = json!({"FullName": format!("Contact.{KEY}"), "Metadata": {"type": "Text", "label": "Key", "length": 255,
        "externalId": true, "unique": true}});
    assert_eq!(post(&mut crm, NOON_MS, FIELDS, &again).status, 201);
    let other = body(
        &patch(&mut crm, NOON_MS, &path, &json!({"LastName": "A"})),
        201,
    );
    assert_ne!(other["id"], made["id"]);
}
