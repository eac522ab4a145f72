//! Refreshing access tokens.

use callflume_sim::fakes::{Method, Reply, Request};
use callflume_sim::hubspot::{HubSpot, HubSpotConfig, OauthClient};

use crate::{NOON_MS, body, config};

const GRANT: &str =
    "grant_type=refresh_token&client_id=app&client_secret=s3cret&refresh_token=r%2B1";

fn account() -> HubSpot {
    HubSpot::new(HubSpotConfig {
        oauth_clients: vec![OauthClient::new("app", "s3cret", "r+1")],
        ..config()
    })
    .unwrap()
}

fn refresh(crm: &mut HubSpot, at_ms: i64, version: &str, form: &str) -> Reply {
    let mut request = Request::new(Method::Post, &format!("/oauth/{version}/token"))
        .with_header("content-type", "application/x-www-form-urlencoded");
    request.body = form.as_bytes().to_vec();
    crm.handle(at_ms, &request)
}

fn owners(crm: &mut HubSpot, at_ms: i64, token: &str) -> Reply {
    crm.handle(
        at_ms,
        &Request::new(Method::Get, "/crm/v3/owners/").with_bearer(token),
    )
}

#[test]
fn a_refresh_token_stays_and_gives_an_access_token_of_half_an_hour() {
    let mut crm = account();
    let first = body(&refresh(&mut crm, NOON_MS, "v1", GRANT), 200);
    assert_eq!(first["token_type"], "bearer");
    assert_eq!(first["expires_in"], 1_800);
    assert_eq!(first["refresh_token"], "r+1");
    assert_eq!(first.get("hub_id"), None);
    let token = first["access_token"].as_str().unwrap();
    let end = NOON_MS + 1_800_000;
    let reply = owners(&mut crm, end - 1, token);
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("x-hubspot-ratelimit-max"), Some("110"));
    let expired = body(&owners(&mut crm, end, token), 401);
    assert_eq!(expired["category"], "EXPIRED_AUTHENTICATION");
    for version in ["v3", "2026-03"] {
        let next = body(&refresh(&mut crm, end, version, GRANT), 200);
        assert_eq!(next["hub_id"], 4_242_001, "{version}");
        let next = next["access_token"].as_str().unwrap();
        assert_ne!(next, token);
        assert_eq!(owners(&mut crm, end, next).status, 200);
    }
    assert_eq!(crm.counters().admitted, 3, "refreshing counts in no limit");
}

#[test]
fn whoever_may_not_refresh_is_refused() {
    let mut crm = account();
    for (form, status) in [
        (
            GRANT.replace("=refresh_token&", "=password&"),
            "BAD_GRANT_TYPE",
        ),
        (GRANT.replace("s3cret", "other"), "BAD_CLIENT_ID"),
        (GRANT.replace("r%2B1", "r2"), "BAD_REFRESH_TOKEN"),
        (GRANT.replace("r%2B1", ""), "BAD_REFRESH_TOKEN"),
    ] {
        let refused = body(&refresh(&mut crm, NOON_MS, "v1", &form), 400);
        assert_eq!(refused["status"], status, "{form}");
    }
    assert!(crm.revoke_refresh_token("r+1"));
    assert!(!crm.revoke_refresh_token("r+1"));
    let refused = body(&refresh(&mut crm, NOON_MS, "v1", GRANT), 400);
    assert_eq!(refused["status"], "BAD_REFRESH_TOKEN");
    let unknown = refresh(&mut crm, NOON_MS, "v2", GRANT);
    assert_eq!(unknown.status, 401, "no such address");
}
