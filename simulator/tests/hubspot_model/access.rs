//! Tokens and scopes.

use std::collections::BTreeSet;

use callflume_sim::fakes::{Method, Request};
use callflume_sim::hubspot::{ALL_SCOPES, App, HubSpot, HubSpotConfig};
use serde_json::{Value, json};

use crate::{CONTACTS, NOON_MS, TOKEN, account, body, config, get, post};

#[test]
fn without_a_good_token_nothing_is_served_or_counted() {
    let mut crm = account();
    for request in [
        Request::new(Method::Get, CONTACTS),
        Request::new(Method::Get, CONTACTS).with_bearer("guessed"),
        Request::new(Method::Get, CONTACTS).with_header("Authorization", "Basic c2ltLXRva2Vu"),
    ] {
        let reply = crm.handle(NOON_MS, &request);
        assert_eq!(body(&reply, 401)["category"], "INVALID_AUTHENTICATION");
        assert_eq!(reply.header("X-HubSpot-RateLimit-Max"), None);
    }
    assert_eq!(crm.counters().unauthorized, 3);
    assert_eq!(crm.counters().admitted, 0);
    assert_eq!(crm.requests()[0].app_id, None);
}

#[test]
fn a_revoked_token_is_refused_until_it_is_good_again() {
    let mut crm = account();
    assert_eq!(get(&mut crm, NOON_MS, CONTACTS).status, 200);
    assert!(crm.revoke(TOKEN));
    assert_eq!(get(&mut crm, NOON_MS, CONTACTS).status, 401);
    assert!(crm.reinstate(TOKEN));
    assert_eq!(get(&mut crm, NOON_MS, CONTACTS).status, 200);
    assert!(!crm.revoke("nobody's"));
}

#[test]
fn an_expired_token_says_so() {
    let mut crm = account();
    crm.expire(TOKEN, NOON_MS);
    assert_eq!(get(&mut crm, NOON_MS - 1, CONTACTS).status, 200);
    let answer = body(&get(&mut crm, NOON_MS + 5 * 3_600_000, CONTACTS), 401);
    assert_eq!(answer["category"], "EXPIRED_AUTHENTICATION");
    assert_eq!(
        answer["message"],
        "The OAuth token used to make this call expired 5 hour(s) ago."
    );
    assert_eq!(
        answer["context"]["expire time"][0],
        "2026-06-15T12:00:00.000Z"
    );
}

#[test]
fn each_operation_asks_for_its_scope() {
    let call = json!({"properties": {"hs_timestamp": "2026-06-15T12:00:00Z"}});
    let property = |group: &str| json!({"name": "n1", "label": "N", "type": "string", "fieldType": "text", "groupName": group});
    let group = json!({"name": "g1", "label": "G"});
    let cases: [(&str, Method, &str, Value); 13] = [
        (
            "crm.objects.contacts.read",
            Method::Get,
            CONTACTS,
            Value::Null,
        ),
        (
            "crm.objects.contacts.read",
            Method::Post,
            "/crm/v3/objects/contacts/search",
            json!({}),
        ),
        (
            "crm.objects.contacts.read",
            Method::Post,
            "/crm/v3/objects/calls/batch/read",
            json!({"inputs": [{"id": "1"}]}),
        ),
        (
            "crm.objects.contacts.write",
            Method::Post,
            CONTACTS,
            json!({"properties": {}}),
        ),
        (
            "crm.objects.contacts.write",
            Method::Post,
            "/crm/v3/objects/calls",
            call.clone(),
        ),
        (
            "crm.objects.contacts.write",
            Method::Post,
            "/crm/v3/objects/tasks",
            call,
        ),
        (
            "crm.objects.deals.write",
            Method::Post,
            "/crm/v3/objects/deals",
            json!({"properties": {}}),
        ),
        (
            "crm.objects.deals.read",
            Method::Get,
            "/crm/v3/pipelines/deals",
            Value::Null,
        ),
        (
            "crm.objects.owners.read",
            Method::Get,
            "/crm/v3/owners/",
            Value::Null,
        ),
        (
            "crm.schemas.contacts.write",
            Method::Post,
            "/crm/v3/properties/contacts",
            property("contactinformation"),
        ),
        (
            "crm.schemas.deals.write",
            Method::Post,
            "/crm/v3/properties/deals",
            property("dealinformation"),
        ),
        (
            "crm.schemas.contacts.write",
            Method::Post,
            "/crm/v3/properties/calls/groups",
            group.clone(),
        ),
        (
            "crm.schemas.deals.write",
            Method::Post,
            "/crm/properties/2026-09/deals/groups",
            group,
        ),
    ];
    for (scope, method, target, request) in cases {
        let mut crm = account();
        let others = ALL_SCOPES
            .iter()
            .filter(|it| **it != scope)
            .map(|&it| it.to_owned());
        assert!(crm.set_scopes(TOKEN, others.collect()));
        let answer = body(
            &crate::send(&mut crm, NOON_MS, method, target, &request),
            403,
        );
        assert_eq!(answer["category"], "MISSING_SCOPES", "{target}");
        assert!(answer.to_string().contains(scope), "{target}: {answer}");
        assert!(crm.writes().is_empty());
        crm.set_scopes(TOKEN, BTreeSet::from([scope.to_owned()]));
        let status = crate::send(&mut crm, NOON_MS, method, target, &request).status;
        assert!(status < 300, "{target}: {status}");
    }
}

#[test]
fn a_token_tells_its_account_and_scopes() {
    let mut crm = HubSpot::new(HubSpotConfig {
        apps: vec![
            App::private(TOKEN),
            App {
                app_id: 5,
                ..App::private("other")
            },
        ],
        ..config()
    })
    .unwrap();
    let target = "/oauth/v2/private-apps/get/access-token-info";
    let request = Request::new(Method::Post, target).with_json(&json!({"tokenKey": "other"}));
    let answer = body(&crm.handle(NOON_MS, &request), 200);
    assert_eq!(answer["hubId"], 4_242_001);
    assert_eq!(answer["appId"], 5);
    assert_eq!(answer["scopes"].as_array().unwrap().len(), ALL_SCOPES.len());
    let answer = body(
        &get(&mut crm, NOON_MS, "/oauth/v1/access-tokens/sim-token"),
        200,
    );
    assert_eq!(answer["app_id"], 9_001);
    crm.revoke("other");
    assert_eq!(
        post(&mut crm, NOON_MS, target, &json!({"tokenKey": "other"})).status,
        401
    );
    assert_eq!(crm.counters().admitted, 0);
}
