//! Requests against the structure of Salesforce's interface, as far as Callflume uses it (`openapi.json`).
//!
//! The parts of a composite request are requests themselves and are looked at as such.

use std::sync::LazyLock;

use callflume_core::vendor::{Content, HttpRequest, Method};
use callflume_crm::salesforce::URI_MAX;
use serde_json::Value;

use crate::openapi::Description;

static DESCRIPTION: LazyLock<Description> =
    LazyLock::new(|| Description::new(include_str!("openapi.json")));

/// Everything about a request that the description forbids.
pub(crate) fn violations(request: &HttpRequest) -> Vec<String> {
    let mut found = Vec::new();
    if request.path.len() > URI_MAX {
        found.push(format!("the address has {} bytes", request.path.len()));
    }
    found.extend(DESCRIPTION.faults(request));
    let body = request.body.as_deref().unwrap_or_default();
    if let Ok(body) = serde_json::from_slice(body) {
        parts(&body, &mut found);
    }
    found
}

/// The parts of a composite request, each as a request of its own; their names must differ.
fn parts(body: &Value, found: &mut Vec<String>) {
    let parts = body["compositeRequest"].as_array();
    let mut names: Vec<&str> = Vec::new();
    for part in parts.into_iter().flatten() {
        names.extend(part["referenceId"].as_str());
        let request = HttpRequest {
            method: match part["method"].as_str() {
                Some("GET") => Method::Get,
                Some("POST") => Method::Post,
                _ => Method::Patch,
            },
            path: part["url"].as_str().unwrap_or_default().to_owned(),
            body: part.get("body").map(|body| body.to_string().into_bytes()),
            content: Content::Json,
        };
        found.extend(violations(&request));
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    if names.len() != count {
        found.push("two parts have the same name".to_owned());
    }
}

#[test]
fn the_check_finds_what_is_wrong() {
    const BASE: &str = "/services/data/v66.0";
    let request = |method, path: &str, body: Option<&str>| HttpRequest {
        method,
        path: format!("{BASE}{path}"),
        body: body.map(|body| body.as_bytes().to_vec()),
        content: Content::Json,
    };
    let one = |record: &str| format!(r#"{{"allOrNone":false,"records":[{record}]}}"#);
    let contact = |fields: &str| {
        one(&format!(
            r#"{{"attributes":{{"type":"Contact"}},"Callflume_Key__c":"k"{fields}}}"#
        ))
    };
    let part = |reference: &str, url: &str, body: &str| {
        format!(
            r#"{{"method":"PATCH","url":"{BASE}{url}","referenceId":"{reference}","body":{body}}}"#
        )
    };
    let composite = |parts: &str| format!(r#"{{"allOrNone":false,"compositeRequest":[{parts}]}}"#);
    let call = "/sobjects/Task/Callflume_Key__c/k?updateOnly=true";
    let (a, b) = (part("t1", call, "{}"), part("t1", call, "{}"));
    let two_alike = composite(&format!("{a},{b}"));
    let unnamed = composite(&part("1-", call, "{}"));
    let upserting = composite(&part("t1", "/sobjects/Task/Callflume_Key__c/k", "{}"));
    let linking = composite(&part("t1", call, r#"{"WhoId":"0035g0000009101"}"#));
    let known = one(r#"{"attributes":{"type":"Task"},"id":"1"}"#);
    let new = Method::Post;
    for (request, expect) in [
        (
            request(new, "/composite/sobjects", Some(&contact(""))),
            "body.records[0].LastName is missing",
        ),
        (
            request(
                new,
                "/composite/sobjects",
                Some(&contact(r#","LastName":"H","DoNotCall":"true""#)),
            ),
            "body.records[0].DoNotCall is no \"boolean\"",
        ),
        (
            request(new, "/composite/sobjects", Some(&one("{}"))),
            "body.records[0] has no kind",
        ),
        (
            request(
                new,
                "/composite/sobjects",
                Some(r#"{"allOrNone":false,"records":[]}"#),
            ),
            "body.records has 0 entries",
        ),
        (
            request(Method::Patch, "/composite/sobjects", Some(&known)),
            "body.records[0].id has not the form of \"salesforce-id\"",
        ),
        (
            request(new, "/composite", Some(&two_alike)),
            "two parts have the same name",
        ),
        (
            request(new, "/composite", Some(&unnamed)),
            "body.compositeRequest[0].referenceId has not the form of \"name\"",
        ),
        (
            request(new, "/composite", Some(&upserting)),
            "updateOnly is missing",
        ),
        (
            request(new, "/composite", Some(&linking)),
            "body.WhoId must not be there",
        ),
        (request(new, "/limits", None), "no post "),
        (request(Method::Get, "/search", None), "no path "),
        (
            request(Method::Get, "/query?q=", None),
            "q has 0 characters",
        ),
        (request(Method::Get, "/query", None), "q is missing"),
        (
            request(
                Method::Get,
                &format!("/query?q={}", "x".repeat(14_000)),
                None,
            ),
            "the address has",
        ),
    ] {
        let found = violations(&request);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(expect), "{found:?}");
    }
}
