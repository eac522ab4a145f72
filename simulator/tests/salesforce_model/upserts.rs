//! Writing by external id.

use callflume_sim::fakes::{Method, Request};
use callflume_sim::salesforce::{Salesforce, WriteKind};
use serde_json::{Value, json};

use crate::{CONTACTS, KEY, NOON_MS, TOKEN, body, code, contact, created, get, org, patch, post};

fn by_key(value: &str) -> String {
    format!("{CONTACTS}/{KEY}/{value}")
}

#[test]
fn the_first_makes_the_record_and_every_other_changes_it() {
    let mut crm = org();
    let fields = json!({"LastName": "A", "FirstName": "B"});
    let reply = patch(&mut crm, NOON_MS, &by_key("k%2F1"), &fields);
    let made = body(&reply, 201);
    let id = made["id"].as_str().unwrap();
    assert_eq!(
        made,
        json!({"id": id, "success": true, "errors": [], "created": true})
    );
    assert!(reply.header("location").unwrap().ends_with(id));
    for key in ["k%2F1", "K%2f1"] {
        let again = body(&patch(&mut crm, NOON_MS, &by_key(key), &fields), 200);
        assert_eq!(
            again,
            json!({"id": id, "success": true, "errors": [], "created": false})
        );
    }
    let record = crm.record(id).unwrap();
    assert_eq!(record.value(KEY), "k/1");
    let kinds: Vec<WriteKind> = crm.writes().iter().map(|it| it.kind).collect();
    assert_eq!(
        kinds,
        [WriteKind::Create, WriteKind::Update, WriteKind::Update]
    );
    let shown = body(&get(&mut crm, NOON_MS, &by_key("k%2F1")), 200);
    assert_eq!(shown["Id"], id);
    assert_eq!(
        code(&get(&mut crm, NOON_MS, &by_key("k2")), 404),
        "NOT_FOUND"
    );
}

#[test]
fn before_version_46_a_change_is_answered_with_nothing() {
    let mut crm = org();
    let mut send = |version: u32| {
        let target = format!("/services/data/v{version}.0{}", by_key("k1"));
        let request = Request::new(Method::Patch, &target)
            .with_bearer(TOKEN)
            .with_json(&json!({"LastName": "A"}));
        crm.handle(NOON_MS, &request)
    };
    assert_eq!(body(&send(45), 201)["created"], Value::Null);
    assert_eq!(send(45).status, 204);
    assert_eq!(send(46).status, 200);
}

#[test]
fn update_only_never_makes_one() {
    let mut crm = org();
    let path = format!("{}?updateOnly=true", by_key("k1"));
    let fields = json!({"LastName": "A"});
    assert_eq!(
        code(&patch(&mut crm, NOON_MS, &path, &fields), 404),
        "NOT_FOUND"
    );
    assert!(crm.writes().is_empty());
    assert_eq!(patch(&mut crm, NOON_MS, &by_key("k1"), &fields).status, 201);
    assert_eq!(patch(&mut crm, NOON_MS, &path, &fields).status, 200);
    let path = path.replace("true", "maybe");
    assert_eq!(
        code(&patch(&mut crm, NOON_MS, &path, &fields), 400),
        "INVALID_PARAMETER"
    );
}

#[test]
fn a_key_of_several_records_is_answered_with_all_of_them() {
    let mut crm = org();
    let ids: Vec<String> = (0..2)
        .map(|_| {
            created(
                &mut crm,
                NOON_MS,
                CONTACTS,
                json!({"LastName": "A", "Legacy__c": "z"}),
            )
        })
        .collect();
    let urls: Vec<String> = ids
        .iter()
        .map(|id| format!("/services/data/v66.0/sobjects/Contact/{id}"))
        .collect();
    let path = format!("{CONTACTS}/Legacy__c/z");
    let writes = crm.writes().len();
    assert_eq!(
        body(
            &patch(&mut crm, NOON_MS, &path, &json!({"LastName": "B"})),
            300
        ),
        json!(urls)
    );
    assert_eq!(body(&get(&mut crm, NOON_MS, &path), 300), json!(urls));
    assert_eq!(crm.writes().len(), writes);
}

#[test]
fn what_is_no_external_id_or_a_bad_request_is_refused() {
    let mut crm = org();
    let good = json!({"LastName": "A"});
    for (path, fields, expect) in [
        (
            format!("{CONTACTS}/Phone/1"),
            good.clone(),
            (404, "NOT_FOUND"),
        ),
        (
            format!("{CONTACTS}/Nothing__c/1"),
            good.clone(),
            (404, "NOT_FOUND"),
        ),
        (
            by_key("k1"),
            json!({"LastName": "A", KEY: "k1"}),
            (400, "INVALID_FIELD"),
        ),
        (
            by_key("k1"),
            json!({"FirstName": "A"}),
            (400, "REQUIRED_FIELD_MISSING"),
        ),
        (
            by_key(&"k".repeat(256)),
            good.clone(),
            (400, "STRING_TOO_LONG"),
        ),
    ] {
        let reply = patch(&mut crm, NOON_MS, &path, &fields);
        assert_eq!(code(&reply, expect.0), expect.1, "{path}");
    }
    assert!(crm.writes().is_empty());
    assert!(crm.remove_custom_field(callflume_sim::salesforce::FieldOwner::Contact, KEY));
    assert_eq!(
        code(&patch(&mut crm, NOON_MS, &by_key("k1"), &good), 404),
        "NOT_FOUND"
    );
}

#[test]
fn a_deleted_records_key_is_nobodys() {
    let mut crm = org();
    let upsert = |crm: &mut Salesforce| {
        body(
            &patch(crm, NOON_MS, &by_key("k1"), &json!({"LastName": "A"})),
            201,
        )
    };
    let first = upsert(&mut crm)["id"].as_str().unwrap().to_owned();
    assert!(crm.delete_record(NOON_MS, &first));
    assert_ne!(upsert(&mut crm)["id"], first.as_str());
}

#[test]
fn a_contact_that_was_there_can_be_given_a_key() {
    let mut crm = org();
    let id = contact(&mut crm, NOON_MS, "A");
    assert_eq!(
        patch(
            &mut crm,
            NOON_MS,
            &format!("{CONTACTS}/{id}"),
            &json!({KEY: "k1"})
        )
        .status,
        204
    );
    let again = body(
        &patch(&mut crm, NOON_MS, &by_key("k1"), &json!({"FirstName": "B"})),
        200,
    );
    assert_eq!(again["id"], id.as_str());
    let body = post(
        &mut crm,
        NOON_MS,
        CONTACTS,
        &json!({"LastName": "B", KEY: "k1"}),
    );
    assert_eq!(code(&body, 400), "DUPLICATE_VALUE");
}
