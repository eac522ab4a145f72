//! Checking a company and preparing it: what is asked, what is found, what is made.

use callflume_core::effect::Object;
use callflume_core::vendor::{Answer, Method};
use callflume_crm::Settings;
use callflume_crm::pipedrive::setup;
use callflume_crm::setup::State;
use serde_json::{Value, json};

use super::schema::violations;
use super::{settings, with_fields};

fn answer(status: u16, body: &Value) -> Answer {
    Answer::Response {
        status,
        headers: Vec::new(),
        body: body.to_string().into_bytes(),
    }
}

fn listing(fields: &[(&str, &str, &str)]) -> Answer {
    let data: Vec<Value> = fields
        .iter()
        .map(|(name, code, kind)| {
            json!({"field_name": name, "field_code": code, "field_type": kind, "is_custom_field": true})
        })
        .collect();
    answer(
        200,
        &json!({"success": true, "data": data, "additional_data": {"next_cursor": null}}),
    )
}

#[test]
fn an_empty_company_is_told_what_is_missing_and_gets_it_made() {
    let none = listing(&[("Name", "name", "varchar")]);
    for (object, names, path) in [
        (
            Object::Contact,
            &["custom field contact_key", "custom field contact_opted_out"][..],
            "/api/v2/personFields",
        ),
        (
            Object::Deal,
            &["custom field deal_key"],
            "/api/v2/dealFields",
        ),
    ] {
        let asked = setup::fields_request(object).unwrap();
        assert_eq!(violations(&asked), Vec::<String>::new());
        let findings = setup::fields(&Settings::default(), object, &none);
        let found: Vec<&str> = findings.iter().map(|it| it.what.as_str()).collect();
        assert_eq!(found, names);
        for finding in &findings {
            assert_eq!(finding.state, State::Missing);
            assert!(finding.remedy.contains("account prepare"));
            let repair = finding.repair.clone().unwrap();
            assert_eq!((repair.method, repair.path.as_str()), (Method::Post, path));
            assert_eq!(violations(&repair), Vec::<String>::new());
            let made = answer(
                201,
                &json!({"success": true, "data": {"field_code": "f00d"}}),
            );
            assert_eq!(setup::made_key(&made).as_deref(), Some("f00d"));
            let after = setup::repaired(finding, &made);
            let name = finding.what.rsplit(' ').next().unwrap();
            assert_eq!(
                after.remedy,
                format!("add `custom_fields.{name} = \"f00d\"` to the account")
            );
            let refused = setup::repaired(
                finding,
                &answer(
                    403,
                    &json!({"success": false, "error": "no", "code": "feature_capping_fields_limit"}),
                ),
            );
            assert_eq!(
                refused.state,
                State::Wrong("HTTP 403 feature_capping_fields_limit".into())
            );
        }
    }
    for object in [Object::Call, Object::Note, Object::Task] {
        assert_eq!(setup::fields_request(object), None, "{object} needs none");
    }
}

#[test]
fn fields_that_exist_are_as_required_or_wrong_with_the_reason() {
    let bare = Settings::default();
    for (settings, fields, expect, remedy) in [
        (
            settings(),
            listing(&[("Renamed", "cccc", "varchar")]),
            "",
            "",
        ),
        (settings(), listing(&[("Key", "cccc", "text")]), "", ""),
        (
            settings(),
            listing(&[("Callflume key", "cccc", "double")]),
            "its type holds no text",
            "rename or delete",
        ),
        (
            settings(),
            listing(&[("Callflume key", "dddd", "varchar")]),
            "there is no field with the key that the configuration gives",
            "remove `custom_fields.deal_key`",
        ),
        (
            bare.clone(),
            listing(&[("Callflume key", "dddd", "varchar")]),
            "it is there, but the configuration doesn't give its key",
            "add `custom_fields.deal_key = \"dddd\"`",
        ),
        (
            bare,
            answer(
                200,
                &json!({"success": true, "data": [], "additional_data": {"next_cursor": "n"}}),
            ),
            "there are more than 500",
            "by hand",
        ),
    ] {
        let findings = setup::fields(&settings, Object::Deal, &fields);
        assert_eq!(findings.len(), 1);
        let state = if expect.is_empty() {
            State::Ok
        } else {
            State::Wrong(expect.to_owned())
        };
        assert_eq!(findings[0].state, state);
        assert!(
            findings[0].remedy.contains(remedy),
            "{}",
            findings[0].remedy
        );
        assert_eq!(findings[0].remedy.is_empty(), expect.is_empty());
    }
}

#[test]
fn keys_of_fields_that_are_there_complete_the_configuration() {
    let mut keys = setup::keys(
        Object::Contact,
        &listing(&[
            ("Callflume key", "a1", "varchar"),
            ("Opted out of calls", "b2", "varchar"),
            ("Birthday", "c3", "date"),
        ]),
    );
    keys.extend(setup::keys(
        Object::Deal,
        &listing(&[("Callflume key", "d4", "varchar")]),
    ));
    let keys: Vec<(&str, &str)> = keys
        .iter()
        .map(|(name, key)| (name.as_str(), key.as_str()))
        .collect();
    assert_eq!(
        keys,
        [
            ("contact_key", "a1"),
            ("contact_opted_out", "b2"),
            ("deal_key", "d4")
        ]
    );
    let complete = with_fields(&keys);
    let findings = setup::fields(
        &complete,
        Object::Deal,
        &listing(&[("Callflume key", "d4", "varchar")]),
    );
    assert_eq!(findings[0].state, State::Ok);
    assert!(setup::keys(Object::Deal, &Answer::Lost).is_empty());
}

#[test]
fn the_credentials_user_and_company_are_read() {
    assert_eq!(violations(&setup::account_request()), Vec::<String>::new());
    let body = |access: Value| {
        json!({"success": true, "data": {"id": 31, "name": "Ops", "email": "ops@example.org", "default_currency": "EUR",
            "timezone_name": "Europe/Tallinn", "company_id": 5, "company_domain": "acme", "access": access}})
    };
    for (access, administrator, state) in [
        (
            json!([{"app": "global", "admin": true}]),
            Some(true),
            State::Ok,
        ),
        (
            json!([{"app": "sales", "admin": false}, {"app": "projects", "admin": true}]),
            Some(false),
            State::Wrong("the credential's user is no administrator".into()),
        ),
        (Value::Null, None, State::Ok),
    ] {
        let account = setup::account(&answer(200, &body(access))).unwrap();
        assert_eq!(account.user_id, "31");
        assert_eq!(account.company_id.as_deref(), Some("5"));
        assert_eq!(account.domain.as_deref(), Some("acme"));
        assert_eq!(account.time_zone.as_deref(), Some("Europe/Tallinn"));
        assert_eq!(account.currency.as_deref(), Some("EUR"));
        assert_eq!(account.administrator, administrator);
        assert_eq!(setup::may_prepare(&account).state, state);
    }
}

#[test]
fn scopes_are_compared_one_by_one() {
    let missing = |granted: &str, prepare| -> Vec<String> {
        setup::scopes(granted, prepare)
            .into_iter()
            .filter(|finding| finding.state == State::Missing)
            .map(|finding| finding.what)
            .collect()
    };
    assert_eq!(
        missing("base,contacts:full,deals:full,activities:full", false),
        Vec::<String>::new()
    );
    assert_eq!(
        missing("base contacts:full deals:read", false),
        ["scope deals:full", "scope activities:full"]
    );
    assert_eq!(
        missing("base,contacts:full,deals:full,activities:full", true),
        ["scope admin"]
    );
}

#[test]
fn trouble_is_named_with_a_remedy_and_holds_no_value() {
    let page = |status| Answer::Response {
        status,
        headers: Vec::new(),
        body: b"<html>".to_vec(),
    };
    for (given, reason, remedy) in [
        (
            answer(
                401,
                &json!({"success": false, "error": "unauthorized access t0ken"}),
            ),
            "HTTP 401",
            "credential",
        ),
        (
            answer(200, &json!({"success": false, "error": "t0ken"})),
            "HTTP 200",
            "see the reason",
        ),
        (page(403), "HTTP 403", "locked"),
        (
            answer(403, &json!({"success": false, "error": "Scope"})),
            "HTTP 403",
            "permission",
        ),
        (
            answer(402, &json!({"success": false})),
            "HTTP 402",
            "subscription",
        ),
        (page(404), "HTTP 404", "base address"),
        (page(429), "HTTP 429", "limit"),
        (page(503), "HTTP 503", "later"),
        (page(200), "could not be understood", "base address"),
        (Answer::Lost, "did not answer", "network"),
        (Answer::NotSent, "did not answer", "network"),
    ] {
        for finding in [
            setup::account(&given).unwrap_err(),
            Box::new(setup::fields(&settings(), Object::Deal, &given).remove(0)),
        ] {
            let State::Wrong(said) = &finding.state else {
                panic!("{finding:?}");
            };
            assert!(said.contains(reason), "{said}");
            assert!(finding.remedy.contains(remedy), "{}", finding.remedy);
            assert!(!format!("{finding:?}").contains("t0ken"));
        }
    }
}
