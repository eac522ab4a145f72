//! Checking an organisation and preparing it: what is asked, what is found, what is made.

use callflume_core::effect::Object;
use callflume_core::vendor::{Answer, Method};
use callflume_crm::Settings;
use callflume_crm::close::setup;
use callflume_crm::setup::State;
use serde_json::{Value, json};

use crate::support::{response, settings};

fn page(records: &Value) -> Vec<Answer> {
    vec![response(200, &json!({"data": records, "has_more": false}))]
}

#[test]
fn an_empty_organisation_is_told_what_is_missing_and_gets_it_made() {
    let bare = Settings::default();
    for (object, names, path) in [
        (
            Object::Contact,
            &["contact_key", "contact_opted_out", "contact_sentiment"][..],
            "/api/v1/custom_field/contact/",
        ),
        (
            Object::Deal,
            &["deal_key"],
            "/api/v1/custom_field/opportunity/",
        ),
    ] {
        let findings = setup::fields(&bare, object, &page(&json!([])));
        assert_eq!(findings.len(), names.len());
        for (finding, name) in findings.iter().zip(names) {
            assert!(
                finding.what.starts_with(&format!("custom field {name} of")),
                "{}",
                finding.what
            );
            assert_eq!(finding.state, State::Missing);
            let request = finding.repair.clone().unwrap();
            assert_eq!(
                (request.method, request.path.as_str()),
                (Method::Post, path)
            );
            let body: Value = serde_json::from_slice(&request.body.unwrap()).unwrap();
            assert_eq!(body["type"], "text");
            let made = setup::repaired(
                finding,
                &response(200, &json!({"id": "cf_new", "type": "text"})),
            );
            assert!(
                matches!(made.state, State::Wrong(_)),
                "usable only once it is named"
            );
            assert!(
                made.remedy
                    .contains(&format!("custom_fields.{name} = \"cf_new\"")),
                "{}",
                made.remedy
            );
            let refused = setup::repaired(finding, &response(403, &json!({"error": "no"})));
            assert!(refused.remedy.contains("right"), "{}", refused.remedy);
        }
    }
}

#[test]
fn fields_that_exist_are_as_required_or_wrong_with_the_reason() {
    let field = |id: &str, name: &str, kind: &str| json!({"id": id, "name": name, "type": kind, "accepts_multiple_values": false});
    let several =
        json!({"id": "cf_deal", "name": "x", "type": "text", "accepts_multiple_values": true});
    for (configured, existing, expect, remedy) in [
        (
            true,
            json!([field("cf_deal", "Anything", "text")]),
            None,
            "",
        ),
        (
            true,
            json!([field("cf_deal", "Anything", "number")]),
            Some("its type"),
            "text",
        ),
        (true, json!([several]), Some("several values"), "one value"),
        (
            true,
            json!([field("cf_other", "Callflume key", "text")]),
            Some("no custom field `cf_deal`"),
            "remove `deal_key`",
        ),
        (
            false,
            json!([field("cf_9", "Callflume key", "text")]),
            Some("doesn't name its id"),
            "custom_fields.deal_key = \"cf_9\"",
        ),
    ] {
        let settings = if configured {
            settings()
        } else {
            Settings::default()
        };
        let findings = setup::fields(&settings, Object::Deal, &page(&existing));
        assert_eq!(findings.len(), 1);
        match (&findings[0].state, expect) {
            (State::Ok, None) => assert!(findings[0].remedy.is_empty()),
            (State::Wrong(reason), Some(expect)) => assert!(reason.contains(expect), "{reason}"),
            (state, _) => panic!("{state:?} {existing}"),
        }
        assert!(
            findings[0].remedy.contains(remedy),
            "{}",
            findings[0].remedy
        );
    }
}

#[test]
fn fields_on_further_pages_are_found() {
    let first = response(
        200,
        &json!({"data": [{"id": "cf_1"}, {"id": "cf_2"}], "has_more": true}),
    );
    let second = response(
        200,
        &json!({"data": [{"id": "cf_deal", "type": "text"}], "has_more": false}),
    );
    assert_eq!(setup::more_fields(0, &first), Some(2));
    assert_eq!(setup::more_fields(2, &second), None);
    assert_eq!(setup::more_fields(0, &Answer::Lost), None);
    assert_eq!(
        setup::fields_request(Object::Deal, 2).path,
        "/api/v1/custom_field/opportunity/?_limit=100&_skip=2"
    );
    let findings = setup::fields(&settings(), Object::Deal, &[first, second]);
    assert_eq!(findings[0].state, State::Ok);
}

#[test]
fn trouble_is_named_with_a_remedy() {
    assert_eq!(
        setup::credential(&response(200, &json!({"id": "user_1"}))).state,
        State::Ok
    );
    let page = Answer::Response {
        status: 200,
        headers: Vec::new(),
        body: b"<html>".to_vec(),
    };
    for (given, reason, remedy) in [
        (
            response(401, &json!({"error": "who?"})),
            "HTTP 401",
            "API key",
        ),
        (
            response(402, &json!({"error": "pay"})),
            "HTTP 402",
            "billing",
        ),
        (
            response(403, &json!({"error": "no"})),
            "HTTP 403",
            "custom fields",
        ),
        (response(404, &json!({})), "HTTP 404", "base address"),
        (response(429, &json!({})), "HTTP 429", "wait"),
        (response(503, &json!({})), "HTTP 503", "later"),
        (page, "could not be understood", "base address"),
        (Answer::Lost, "did not answer", "network"),
    ] {
        let finding = setup::credential(&given);
        let State::Wrong(said) = &finding.state else {
            panic!("{finding:?}");
        };
        assert!(said.contains(reason), "{said}");
        assert!(finding.remedy.contains(remedy), "{}", finding.remedy);
        let findings = setup::fields(&settings(), Object::Contact, std::slice::from_ref(&given));
        assert_eq!(findings.len(), 1);
        assert!(matches!(findings[0].state, State::Wrong(_)));
    }
}
