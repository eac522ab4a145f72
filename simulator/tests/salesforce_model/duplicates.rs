//! The rule against contacts that are there already.

use callflume_sim::fakes::Method;
use callflume_sim::salesforce::{DuplicateRule, Salesforce};
use serde_json::{Value, json};

use crate::{CONTACTS, KEY, NOON_MS, body, created, patch, post, request, with};

fn org_with(rule: DuplicateRule) -> (Salesforce, String) {
    let mut crm = with(|config| config.duplicate_rule = Some(rule));
    let fields = json!({"LastName": "Acker", "Email": "Ada@example.com", "Phone": "212-555-0100"});
    let id = created(&mut crm, NOON_MS, CONTACTS, fields);
    (crm, id)
}

#[test]
fn a_contact_that_seems_to_be_there_is_refused_with_who_it_is() {
    let (mut crm, id) = org_with(DuplicateRule::default());
    let by_key = format!("{CONTACTS}/{KEY}/k1");
    let mail = json!({"LastName": "B", "Email": "ada@EXAMPLE.com"});
    let phone = json!({"LastName": "acker", "Phone": "212-555-0100"});
    for (method, path, fields) in [
        (Method::Post, CONTACTS, &mail),
        (Method::Post, CONTACTS, &phone),
        (Method::Patch, by_key.as_str(), &mail),
    ] {
        let refused = body(&crm.handle(NOON_MS, &request(method, path, fields)), 400);
        assert_eq!(refused[0]["errorCode"], "DUPLICATES_DETECTED");
        let result = &refused[0]["duplicateResut"];
        assert_eq!(result["allowSave"], true);
        let record = &result["matchResults"][0]["matchRecords"][0]["record"];
        assert_eq!(record["Id"], id.as_str());
        assert_eq!(record["attributes"]["type"], "Contact");
    }
    assert_eq!(crm.writes().len(), 1);
    let sent = json!({"records": [{"attributes": {"type": "Contact"}, "LastName": "B", "Email": "ada@example.com", KEY: "k1"}]});
    let answer = body(
        &patch(
            &mut crm,
            NOON_MS,
            &format!("/composite/sobjects/Contact/{KEY}"),
            &sent,
        ),
        200,
    );
    let error = &answer[0]["errors"][0];
    assert_eq!(
        (&error["statusCode"], &error["duplicateResut"]),
        (&"DUPLICATES_DETECTED".into(), &Value::Null)
    );
    for other in [
        json!({"LastName": "B", "Phone": "212-555-0100"}),
        json!({"LastName": "Acker"}),
    ] {
        assert_eq!(
            post(&mut crm, NOON_MS, CONTACTS, &other).status,
            201,
            "{other}"
        );
    }
    assert_eq!(
        patch(&mut crm, NOON_MS, &format!("{CONTACTS}/{id}"), &mail).status,
        204,
        "itself"
    );
}

#[test]
fn a_header_passes_the_rule_where_the_rule_lets_it() {
    for (allow_save, value, status) in [
        (true, "allowSave=true", 201),
        (
            true,
            "includeRecordDetails=true; allowSave = TRUE; runAsCurrentUser=true",
            201,
        ),
        (true, "allowSave=false", 400),
        (false, "allowSave=true", 400),
    ] {
        let (mut crm, _) = org_with(DuplicateRule {
            allow_save,
            misspelt: false,
            ..DuplicateRule::default()
        });
        let again = json!({"LastName": "B", "Email": "ada@example.com"});
        let again = request(Method::Post, CONTACTS, &again)
            .with_header("Sforce-Duplicate-Rule-Header", value);
        let reply = crm.handle(NOON_MS, &again);
        assert_eq!(reply.status, status, "{value}");
        let told = reply.body_json().unwrap()[0]["duplicateResult"]["allowSave"].clone();
        assert_eq!(
            told,
            if status == 400 {
                allow_save.into()
            } else {
                Value::Null
            }
        );
    }
}

#[test]
fn items_can_tell_it_too() {
    let (mut crm, id) = org_with(DuplicateRule {
        told_in_items: true,
        ..DuplicateRule::default()
    });
    let sent = json!({"records": [{"attributes": {"type": "Contact"}, "LastName": "B", "Email": "ada@example.com"}]});
    let answer = body(&post(&mut crm, NOON_MS, "/composite/sobjects", &sent), 200);
    let result = &answer[0]["errors"][0]["duplicateResut"];
    assert_eq!(
        result["matchResults"][0]["matchRecords"][0]["record"]["Id"],
        id.as_str()
    );
}
