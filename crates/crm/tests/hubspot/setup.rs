//! Checking an account and preparing it: what is asked, what is found, what is made.

use callflume_core::effect::Object;
use callflume_core::vendor::{Answer, Method};
use callflume_crm::Settings;
use callflume_crm::hubspot::setup;
use callflume_crm::setup::State;
use serde_json::{Value, json};

fn answer(status: u16, body: &Value) -> Answer {
    Answer::Response {
        status,
        headers: Vec::new(),
        body: body.to_string().into_bytes(),
    }
}

fn settings() -> Settings {
    Settings::default()
}

#[test]
fn an_empty_account_is_told_what_is_missing_and_gets_it_made_group_first() {
    let group = setup::group(
        &settings(),
        Object::Call,
        &answer(200, &json!({"results": []})),
    );
    assert_eq!(group.state, State::Missing);
    let repair = group.repair.clone().unwrap();
    assert_eq!(
        (repair.method, repair.path.as_str()),
        (Method::Post, "/crm/v3/properties/calls/groups")
    );

    let findings = setup::object_properties(
        &settings(),
        Object::Call,
        &answer(200, &json!({"results": []})),
    );
    let names: Vec<&str> = findings
        .iter()
        .map(|finding| finding.what.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "property calls.callflume_key",
            "property calls.callflume_sentiment"
        ]
    );
    for (finding, unique) in findings.iter().zip([true, false]) {
        assert_eq!(finding.state, State::Missing);
        let request = finding.repair.clone().unwrap();
        assert_eq!(request.path, "/crm/v3/properties/calls");
        let body: Value = serde_json::from_slice(&request.body.unwrap()).unwrap();
        assert_eq!(body["hasUniqueValue"], unique);
        assert_eq!(
            (&body["type"], &body["fieldType"], &body["groupName"]),
            (&json!("string"), &json!("text"), &json!("callflume"))
        );
        assert_eq!(
            setup::repaired(finding, &answer(201, &json!({}))).state,
            State::Ok
        );
        assert_eq!(
            setup::repaired(finding, &answer(409, &json!({"category": "CONFLICT"}))).state,
            State::Ok
        );
        let refused = setup::repaired(
            finding,
            &answer(403, &json!({"category": "MISSING_SCOPES"})),
        );
        assert_eq!(
            refused.state,
            State::Wrong("HTTP 403: MISSING_SCOPES".into())
        );
        assert!(refused.remedy.contains("scope"), "{}", refused.remedy);
    }
}

#[test]
fn properties_that_exist_are_as_required_or_wrong_with_the_reason() {
    let key = |kind: &str, unique: bool| json!({"results": [{"name": "callflume_key", "type": kind, "fieldType": "text", "hasUniqueValue": unique}]});
    for (listing, expect) in [
        (key("string", true), State::Ok),
        (
            key("string", false),
            State::Wrong("its values are not unique".into()),
        ),
        (
            key("number", true),
            State::Wrong("its type is not `string`".into()),
        ),
        (
            json!({"results": [{"name": "callflume_key", "type": "string", "hasUniqueValue": true, "archived": true}]}),
            State::Missing,
        ),
    ] {
        let findings = setup::object_properties(&settings(), Object::Note, &answer(200, &listing));
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].state, expect, "{listing}");
        assert_eq!(findings[0].remedy.is_empty(), expect == State::Ok);
        assert_eq!(findings[0].repair.is_some(), expect == State::Missing);
    }
    let group = answer(200, &json!({"results": [{"name": "callflume"}]}));
    assert_eq!(
        setup::group(&settings(), Object::Deal, &group).state,
        State::Ok
    );
}

#[test]
fn every_object_gets_a_unique_key() {
    for object in Object::ALL {
        assert!(
            setup::required_properties()
                .iter()
                .any(|spec| spec.object == object && spec.name == "callflume_key" && spec.unique)
        );
    }
}

#[test]
fn scopes_are_compared_one_by_one() {
    let granted = json!({"hubId": 7, "scopes": ["crm.objects.contacts.read", "crm.objects.contacts.write",
        "crm.objects.deals.read", "crm.objects.deals.write", "oauth"]});
    let missing = |prepare| -> Vec<String> {
        setup::scopes(&answer(200, &granted), prepare)
            .into_iter()
            .filter(|finding| finding.state == State::Missing)
            .map(|finding| finding.what)
            .collect()
    };
    assert_eq!(missing(false), ["scope crm.objects.owners.read"]);
    assert_eq!(missing(true).len(), 3);
    let unclear = setup::scopes(&answer(200, &json!({"hubId": 7})), false);
    assert!(matches!(unclear[0].state, State::Wrong(_)));
}

#[test]
fn the_time_zone_is_read() {
    let details = setup::account(&answer(
        200,
        &json!({"portalId": 4711, "timeZone": "America/Denver", "utcOffset": "-07:00"}),
    ))
    .unwrap();
    assert_eq!(details.time_zone, "America/Denver");
    assert_eq!(details.hub_id.as_deref(), Some("4711"));
    assert_eq!(
        setup::account_request(&settings()).path,
        "/account-info/v3/details"
    );
}

#[test]
fn trouble_is_named_with_a_remedy_and_never_shows_the_credential() {
    let page = Answer::Response {
        status: 200,
        headers: Vec::new(),
        body: b"<html>".to_vec(),
    };
    for (given, reason, remedy) in [
        (
            answer(
                401,
                &json!({"category": "INVALID_AUTHENTICATION", "message": "pat-x"}),
            ),
            "HTTP 401: INVALID_AUTHENTICATION",
            "credential",
        ),
        (answer(404, &json!({})), "HTTP 404", "`api_version`"),
        (answer(503, &json!({})), "HTTP 503", "later"),
        (page, "could not be understood", "base address"),
        (Answer::Lost, "did not answer", "network"),
        (Answer::NotSent, "did not answer", "network"),
    ] {
        let finding = setup::account(&given).unwrap_err();
        let State::Wrong(said) = &finding.state else {
            panic!("{finding:?}");
        };
        assert!(said.contains(reason), "{said}");
        assert!(finding.remedy.contains(remedy), "{}", finding.remedy);
        assert!(!format!("{finding:?}").contains("pat-x"));
    }
    let request = setup::token_request("pat-secret");
    assert!(!format!("{request:?}").contains("secret"));
    assert_eq!(request.path, "/oauth/v2/private-apps/get/access-token-info");
    let request = setup::oauth_token_request("a/b c");
    assert_eq!(request.path, "/oauth/v1/access-tokens/a%2Fb%20c");
}
