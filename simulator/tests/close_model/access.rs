//! Who may ask, and what is answered to those who may not.

use callflume_sim::close::{ApiKey, Close, CloseConfig, OauthClient, ObjectKind, SetupError};
use callflume_sim::fakes::{Method, Request};
use serde_json::{Value, json};

use crate::{BASIC, NOON_MS, body, config, get, organisation, post, put, send};

#[test]
fn a_key_is_a_user_without_password_and_nothing_else_is_known() {
    let mut crm = organisation();
    assert_eq!(body(&get(&mut crm, NOON_MS, "/me/"), 200)["id"], "user_71");
    for header in ["Bearer sim-key", "Basic c2ltLWtleQ==", "Basic", "sim-key"] {
        let request = Request::new(Method::Get, "/api/v1/me/").with_header("authorization", header);
        let reply = crm.handle(NOON_MS, &request);
        assert!(body(&reply, 401)["error"].is_string(), "{header}");
        assert_eq!(reply.header("RateLimit"), None);
    }
    assert_eq!(crm.counters().unauthorized, 4);
    let shouted = Request::new(Method::Get, "/api/v1/me/")
        .with_header("Authorization", &BASIC.replace("Basic", "basic"));
    assert_eq!(crm.handle(NOON_MS, &shouted).status, 200);
}

#[test]
fn a_credential_ends_and_is_reinstated() {
    let mut crm = organisation();
    assert!(crm.expire("sim-key", NOON_MS + 10));
    assert_eq!(get(&mut crm, NOON_MS + 9, "/me/").status, 200);
    assert_eq!(get(&mut crm, NOON_MS + 10, "/me/").status, 401);
    assert!(crm.reinstate("sim-key"));
    assert_eq!(get(&mut crm, NOON_MS + 11, "/me/").status, 200);
    assert!(crm.revoke("sim-key") && !crm.revoke("nobody"));
    assert_eq!(get(&mut crm, NOON_MS + 12, "/me/").status, 401);
}

#[test]
fn a_token_is_refreshed_once_with_each_refresh_token() {
    let client = OauthClient {
        client_id: "app".into(),
        client_secret: "s1".into(),
        refresh_token: "first".into(),
        expires_in_s: 3_600,
    };
    let mut crm = Close::new(CloseConfig {
        oauth: Some(client),
        ..config()
    })
    .unwrap();
    let refresh = |crm: &mut Close, token: &str| {
        let mut request = Request::new(Method::Post, "/oauth2/token/")
            .with_header("content-type", "application/x-www-form-urlencoded");
        request.body = format!(
            "grant_type=refresh_token&client_id=app&client_secret=s1&refresh_token={token}"
        )
        .into_bytes();
        crm.handle(NOON_MS, &request)
    };
    let tokens = body(&refresh(&mut crm, "first"), 200);
    assert_eq!(refresh(&mut crm, "first").status, 400, "used up");
    assert_eq!(
        body(
            &refresh(&mut crm, tokens["refresh_token"].as_str().unwrap()),
            200
        )["expires_in"],
        3_600
    );
    let me = |crm: &mut Close, at_ms: i64| {
        let token = tokens["access_token"].as_str().unwrap();
        let request = Request::new(Method::Get, "/api/v1/me/").with_bearer(token);
        crm.handle(at_ms, &request).status
    };
    assert_eq!(me(&mut crm, NOON_MS), 200);
    assert_eq!(me(&mut crm, NOON_MS + 3_600_000), 401);
}

#[test]
fn what_isnt_there_or_isnt_json_is_told_apart() {
    let mut crm = organisation();
    assert!(body(&get(&mut crm, NOON_MS, "/nothing/"), 404)["error"].is_string());
    assert_eq!(get(&mut crm, NOON_MS, "/data/search/").status, 405);
    assert_eq!(put(&mut crm, NOON_MS, "/contact/", &json!({})).status, 405);
    assert_eq!(
        send(&mut crm, NOON_MS, Method::Patch, "/contact/x/", &json!({})).status,
        405
    );
    assert_eq!(
        send(&mut crm, NOON_MS, Method::Post, "/lead/", &Value::Null).status,
        415
    );
    assert_eq!(post(&mut crm, NOON_MS, "/lead/", &json!([])).status, 400);
    let without_version = Request::new(Method::Get, "/me/").with_header("authorization", BASIC);
    assert_eq!(crm.handle(NOON_MS, &without_version).status, 404);
}

#[test]
fn custom_fields_are_made_by_whoever_may() {
    let mut crm = organisation();
    crm.add_key(&ApiKey {
        manages_fields: false,
        ..ApiKey::token("seller")
    })
    .unwrap();
    let made = body(
        &post(
            &mut crm,
            NOON_MS,
            "/custom_field/contact/",
            &json!({"name": "Score", "type": "text"}),
        ),
        200,
    );
    let id = made["id"].as_str().unwrap();
    assert!(id.starts_with("cf_"));
    let listed = body(
        &get(&mut crm, NOON_MS, "/custom_field/contact/?_limit=100"),
        200,
    );
    assert!(
        listed["data"]
            .as_array()
            .unwrap()
            .iter()
            .any(|field| field["id"] == id && field["type"] == "text")
    );
    assert_eq!(
        post(
            &mut crm,
            NOON_MS,
            "/custom_field/contact/",
            &json!({"name": "Score", "type": "text"})
        )
        .status,
        400
    );
    assert_eq!(
        post(
            &mut crm,
            NOON_MS,
            "/custom_field/contact/",
            &json!({"name": "Other", "type": "magic"})
        )
        .status,
        400
    );
    let request = Request::new(Method::Post, "/api/v1/custom_field/lead/")
        .with_bearer("seller")
        .with_json(&json!({"name": "Score", "type": "text"}));
    assert!(body(&crm.handle(NOON_MS, &request), 403)["error"].is_string());
    assert!(crm.remove_custom_field(id));
    assert_eq!(crm.records(ObjectKind::Contact).count(), 0);
}

#[test]
fn an_organisation_that_could_never_answer_is_refused() {
    for (config, expect) in [
        (
            CloseConfig {
                keys: vec![ApiKey::key("a"), ApiKey::key("a")],
                ..config()
            },
            SetupError::SharedSecret,
        ),
        (
            CloseConfig {
                key_limit: 0,
                ..config()
            },
            SetupError::ZeroLimit("key_limit"),
        ),
        (
            CloseConfig {
                group_limits: [("GET /me/".to_owned(), 0)].into(),
                ..config()
            },
            SetupError::ZeroLimit("group_limits"),
        ),
        (
            CloseConfig {
                custom_fields: [config().custom_fields, config().custom_fields].concat(),
                ..config()
            },
            SetupError::FieldExists("cf_key".into()),
        ),
    ] {
        assert_eq!(Close::new(config).unwrap_err(), expect);
    }
}
