//! Sessions and the token endpoint.

use callflume_sim::fakes::{Method, Reply, Request};
use callflume_sim::salesforce::{
    ConnectedApp, GRANTS_MAX, Salesforce, SalesforceConfig, Session, SetupError,
};
use serde_json::{Value, json};

use crate::{CONTACTS, NOON_MS, TOKEN, body, code, get, org, post, with};

const LIMITS: &str = "/services/data/v66.0/limits";

fn app() -> ConnectedApp {
    ConnectedApp::new("client", "secret", "refresh-0", 1)
}

fn with_app(change: impl FnOnce(&mut ConnectedApp)) -> Salesforce {
    let mut app = app();
    change(&mut app);
    with(|config| config.apps = vec![app])
}

fn token(crm: &mut Salesforce, at_ms: i64, form: &str) -> Reply {
    let mut request = Request::new(Method::Post, "/services/oauth2/token")
        .with_header("content-type", "application/x-www-form-urlencoded");
    request.body = form.as_bytes().to_vec();
    crm.handle(at_ms, &request)
}

fn refresh(crm: &mut Salesforce, at_ms: i64, refresh_token: &str) -> Reply {
    let form = format!(
        "grant_type=refresh_token&client_id=client&client_secret=secret&refresh_token={refresh_token}"
    );
    token(crm, at_ms, &form)
}

fn limits(crm: &mut Salesforce, at_ms: i64, token: &str) -> Reply {
    crm.handle(at_ms, &Request::new(Method::Get, LIMITS).with_bearer(token))
}

#[test]
fn a_session_is_good_until_something_ends_it() {
    let mut crm = org();
    assert_eq!(get(&mut crm, NOON_MS, "/limits").status, 200);
    let bare = crm.handle(NOON_MS, &Request::new(Method::Get, LIMITS));
    assert_eq!(
        body(&bare, 401),
        json!([{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}])
    );
    assert_eq!(bare.header("sforce-limit-info"), None);
    assert!(crm.expire(TOKEN, NOON_MS + 1_000));
    assert_eq!(get(&mut crm, NOON_MS + 999, "/limits").status, 200);
    let refused = post(
        &mut crm,
        NOON_MS + 1_000,
        CONTACTS,
        &json!({"LastName": "A"}),
    );
    assert_eq!(code(&refused, 401), "INVALID_SESSION_ID");
    assert!(crm.writes().is_empty());
    assert!(crm.reinstate(TOKEN));
    assert_eq!(get(&mut crm, NOON_MS + 1_000, "/limits").status, 200);
    assert!(crm.revoke(TOKEN));
    assert_eq!(get(&mut crm, NOON_MS + 1_000, "/limits").status, 401);
    assert!(!crm.revoke("nobody's"));
    assert_eq!(crm.counters().unauthorized, 3);
    assert_eq!(
        crm.day(NOON_MS + 1_000).used,
        3,
        "refused sessions don't count"
    );
    let older = Request::new(Method::Get, LIMITS).with_header("Authorization", "OAuth other-token");
    assert_eq!(crm.handle(NOON_MS + 1_000, &older).status, 200);
    crm.revoke_all();
    assert_eq!(crm.handle(NOON_MS + 1_000, &older).status, 401);
}

#[test]
fn the_versions_need_no_session_and_count_nowhere() {
    let mut crm = org();
    let reply = crm.handle(NOON_MS, &Request::new(Method::Get, "/services/data/"));
    let versions = body(&reply, 200);
    assert!(
        versions
            .as_array()
            .unwrap()
            .iter()
            .any(|it| it["version"] == "66.0")
    );
    assert_eq!(reply.header("sforce-limit-info"), None);
    assert_eq!(crm.day(NOON_MS).used, 0);
}

#[test]
fn a_refreshed_token_ends_without_a_word() {
    let mut crm = with_app(|_| {});
    let granted = body(&refresh(&mut crm, NOON_MS, "refresh-0"), 200);
    assert_eq!(granted["token_type"], "Bearer");
    assert_eq!(granted["instance_url"], "https://sim-org.my.salesforce.com");
    assert_eq!(granted["issued_at"], NOON_MS.to_string());
    for silent in ["expires_in", "refresh_token"] {
        assert_eq!(granted[silent], Value::Null);
    }
    let access = granted["access_token"].as_str().unwrap();
    assert!(access.starts_with("00D5g0000007700!"));
    let life = SalesforceConfig::default().session_life_ms;
    assert_eq!(limits(&mut crm, NOON_MS + life - 1, access).status, 200);
    assert_eq!(limits(&mut crm, NOON_MS + life, access).status, 401);
    let next = body(&refresh(&mut crm, NOON_MS + life, "refresh-0"), 200);
    assert_ne!(next["access_token"], granted["access_token"]);
    assert_eq!(
        limits(
            &mut crm,
            NOON_MS + life,
            next["access_token"].as_str().unwrap()
        )
        .status,
        200
    );
    assert_eq!(crm.counters().calls, 2, "the token endpoint counts nowhere");
}

#[test]
fn every_refusal_of_the_token_endpoint_has_its_word() {
    let mut crm = with_app(|_| {});
    for (form, expect) in [
        (
            "grant_type=refresh_token&client_id=client&client_secret=secret&refresh_token=old",
            "invalid_grant",
        ),
        (
            "grant_type=refresh_token&client_id=client&client_secret=secret",
            "invalid_grant",
        ),
        (
            "grant_type=refresh_token&client_id=client&client_secret=no&refresh_token=refresh-0",
            "invalid_client",
        ),
        (
            "grant_type=refresh_token&client_id=other&client_secret=secret&refresh_token=refresh-0",
            "invalid_client_id",
        ),
        (
            "grant_type=client_credentials&client_id=client&client_secret=secret",
            "invalid_grant",
        ),
        (
            "grant_type=password&client_id=client&client_secret=secret",
            "unsupported_grant_type",
        ),
        (
            "client_id=client&client_secret=secret",
            "unsupported_grant_type",
        ),
    ] {
        let refused = body(&token(&mut crm, NOON_MS, form), 400);
        assert_eq!(refused["error"], expect, "{form}");
        assert!(refused["error_description"].is_string());
    }
    assert!(crm.revoke_refresh_token("refresh-0"));
    assert!(!crm.revoke_refresh_token("refresh-0"));
    let refused = body(&refresh(&mut crm, NOON_MS, "refresh-0"), 400);
    assert_eq!(
        refused,
        json!({"error": "invalid_grant", "error_description": "expired access/refresh token"})
    );
}

#[test]
fn a_rotating_refresh_token_is_good_once() {
    let mut crm = with_app(|app| app.rotates = true);
    let first = body(&refresh(&mut crm, NOON_MS, "refresh-0"), 200);
    let next = first["refresh_token"].as_str().unwrap().to_owned();
    assert_eq!(refresh(&mut crm, NOON_MS, "refresh-0").status, 400);
    assert_eq!(refresh(&mut crm, NOON_MS, &next).status, 200);
    assert_eq!(refresh(&mut crm, NOON_MS, &next).status, 400);
}

#[test]
fn a_sixth_grant_ends_the_oldest() {
    let mut crm = with_app(|_| {});
    let grants: Vec<String> = (0..GRANTS_MAX)
        .map(|_| crm.grant("client").unwrap())
        .collect();
    assert_eq!(refresh(&mut crm, NOON_MS, "refresh-0").status, 400);
    for grant in grants {
        assert_eq!(refresh(&mut crm, NOON_MS, &grant).status, 200);
    }
    assert_eq!(crm.grant("nobody"), None);
}

#[test]
fn an_app_can_act_without_a_grant_and_show_itself_as_basic() {
    let mut crm = with_app(|app| app.client_credentials = true);
    let form = "grant_type=client_credentials&client_id=client&client_secret=secret";
    let granted = body(&token(&mut crm, NOON_MS, form), 200);
    assert_eq!(
        limits(&mut crm, NOON_MS, granted["access_token"].as_str().unwrap()).status,
        200
    );
    // `client:secret`
    let mut basic = Request::new(Method::Post, "/services/oauth2/token")
        .with_header("Authorization", "Basic Y2xpZW50OnNlY3JldA==");
    basic.body = b"grant_type=client_credentials".to_vec();
    assert_eq!(crm.handle(NOON_MS, &basic).status, 200);
}

#[test]
fn an_org_that_cannot_be_says_why() {
    type Change = fn(&mut SalesforceConfig);
    let make = |change: Change| {
        let mut config = SalesforceConfig::default();
        change(&mut config);
        Salesforce::new(config).err()
    };
    let table: [(Change, SetupError); 4] = [
        (
            |config| config.daily_requests = 0,
            SetupError::ZeroLimit("daily_requests"),
        ),
        (
            |config| config.long_requests = 0,
            SetupError::ZeroLimit("long_requests"),
        ),
        (
            |config| config.sessions.push(Session::new("x", 2)),
            SetupError::UnknownUser(2, 2),
        ),
        (
            |config| config.sessions.push(Session::new(TOKEN, 1)),
            SetupError::SharedToken(1),
        ),
    ];
    for (change, expect) in table {
        assert_eq!(make(change), Some(expect));
    }
    assert!(matches!(
        make(|config| config.apps = vec![ConnectedApp::new("a", "b", "c", 9)]),
        Some(SetupError::UnknownUser(9, 2))
    ));
    let odd = |config: &mut SalesforceConfig| {
        let owner = callflume_sim::salesforce::FieldOwner::Contact;
        config.custom_fields = vec![callflume_sim::salesforce::CustomField::key(
            owner,
            "no_suffix",
        )];
    };
    assert!(matches!(make(odd), Some(SetupError::BadField(..))));
}
