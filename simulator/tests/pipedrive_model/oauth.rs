//! Refreshing access tokens.

use callflume_sim::fakes::{Method, Reply, Request};
use callflume_sim::pipedrive::{OauthClient, Pipedrive, PipedriveConfig};

use crate::{NOON_MS, body, config};

/// `app:s3cret` in Base64.
const BASIC: &str = "Basic YXBwOnMzY3JldA==";
const GRANT: &str = "grant_type=refresh_token&refresh_token=r%2B1";

fn company() -> Pipedrive {
    Pipedrive::new(PipedriveConfig {
        oauth_clients: vec![OauthClient::new("app", "s3cret", "r+1", 32)],
        ..config()
    })
    .unwrap()
}

fn refresh(crm: &mut Pipedrive, at_ms: i64, authorization: &str, form: &str) -> Reply {
    let mut request = Request::new(Method::Post, "/oauth/token")
        .with_header("authorization", authorization)
        .with_header("content-type", "application/x-www-form-urlencoded");
    request.body = form.as_bytes().to_vec();
    crm.handle(at_ms, &request)
}

fn me(crm: &mut Pipedrive, at_ms: i64, token: &str) -> u16 {
    let request = Request::new(Method::Get, "/api/v1/users/me").with_bearer(token);
    crm.handle(at_ms, &request).status
}

#[test]
fn a_refresh_token_stays_and_gives_an_access_token_of_an_hour() {
    let mut crm = company();
    let first = body(&refresh(&mut crm, NOON_MS, BASIC, GRANT), 200);
    assert_eq!(first["token_type"], "Bearer");
    assert_eq!(first["expires_in"], 3_600);
    assert_eq!(first["refresh_token"], "r+1");
    assert_eq!(first["api_domain"], "https://sim-company.pipedrive.com");
    let token = first["access_token"].as_str().unwrap();
    let hour = NOON_MS + 3_600_000;
    assert_eq!(me(&mut crm, hour - 1, token), 200);
    assert_eq!(me(&mut crm, hour, token), 401);
    let second = body(&refresh(&mut crm, hour, BASIC, GRANT), 200);
    let next = second["access_token"].as_str().unwrap();
    assert_ne!(next, token);
    assert_eq!(me(&mut crm, hour, next), 200);
    assert_eq!(crm.counters().admitted, 2, "refreshing counts in no limit");
    assert_eq!(crm.counters().unauthorized, 1);
}

#[test]
fn the_reply_says_where_the_api_is() {
    let mut crm = Pipedrive::new(PipedriveConfig {
        oauth_clients: vec![OauthClient::new("app", "s3cret", "r+1", 32)],
        api_domain: Some("http://127.0.0.1:7777".to_owned()),
        ..config()
    })
    .unwrap();
    let reply = body(&refresh(&mut crm, NOON_MS, BASIC, GRANT), 200);
    assert_eq!(reply["api_domain"], "http://127.0.0.1:7777");
}

#[test]
fn whoever_may_not_refresh_is_refused() {
    let mut crm = company();
    for (authorization, form, status, error) in [
        ("Basic YXBwOndyb25n", GRANT, 401, "invalid_client"),
        ("Bearer YXBwOnMzY3JldA==", GRANT, 401, "invalid_client"),
        (
            BASIC,
            "grant_type=refresh_token&refresh_token=r1",
            400,
            "invalid_grant",
        ),
        (BASIC, "grant_type=refresh_token", 400, "invalid_grant"),
        (BASIC, "refresh_token=r%2B1", 400, "invalid_request"),
    ] {
        let refused = body(&refresh(&mut crm, NOON_MS, authorization, form), status);
        assert_eq!(refused["error"], error, "{form}");
        assert_eq!(refused["success"], false);
    }
    assert!(crm.revoke_refresh_token("r+1"));
    assert!(!crm.revoke_refresh_token("r+1"));
    for form in [GRANT, "grant_type=refresh_token&refresh_token="] {
        let refused = body(&refresh(&mut crm, NOON_MS, BASIC, form), 400);
        assert_eq!(refused["error"], "invalid_grant");
    }
}
