//! Checks requests against the part of Close's OpenAPI that is used, in `openapi.json`.

use std::sync::LazyLock;

use callflume_core::vendor::{Content, HttpRequest};
use serde_json::{Value, json};

use crate::openapi::Description;

static DESCRIPTION: LazyLock<Description> =
    LazyLock::new(|| Description::new(include_str!("openapi.json")));

/// What is wrong with a request; empty if nothing is.
pub(crate) fn faults(request: &HttpRequest) -> Vec<String> {
    DESCRIPTION.faults(request)
}

#[test]
fn a_wrong_request_is_found_out() {
    use callflume_core::vendor::Method;
    let request = |method, path: &str, body: Option<Value>| HttpRequest {
        method,
        path: format!("/api/v1{path}"),
        body: body.map(|body| body.to_string().into_bytes()),
        content: Content::Json,
    };
    let note = |body: Value| request(Method::Post, "/activity/note/", Some(body));
    for (request, expect) in [
        (note(json!({"lead_id": "lead_1"})), ""),
        (note(json!({"note": "x"})), "body.lead_id is missing"),
        (note(json!({"lead_id": 7})), "is no \"string\""),
        (
            note(json!({"lead_id": "lead_1", "custom.cf_1": "x"})),
            "is not described",
        ),
        (
            note(json!({"lead_id": "lead_1", "activity_at": "tomorrow"})),
            "has not the form of \"date-time\"",
        ),
        (
            request(
                Method::Post,
                "/task/",
                Some(json!({"_type": "leads", "lead_id": "lead_1"})),
            ),
            "is none of",
        ),
        (
            request(
                Method::Post,
                "/lead/",
                Some(json!({"contacts": [{"phones": [{"phone": "x"}]}]})),
            ),
            ".type is missing",
        ),
        (
            request(Method::Put, "/task/", Some(json!({}))),
            "no put /task/",
        ),
        (
            request(Method::Put, "/task//", Some(json!({}))),
            "no path /api/v1/task//",
        ),
        (
            request(Method::Get, "/contact/?_order=x", None),
            "no parameter _order",
        ),
        (
            request(Method::Get, "/contact/", Some(json!({}))),
            "there is a body",
        ),
    ] {
        let found = faults(&request).join("; ");
        assert!(
            found.contains(expect) && (found.is_empty() == expect.is_empty()),
            "{request:?}: {found}"
        );
    }
}
