//! Requests against the structure of Pipedrive's API, as far as Callflume uses it (`openapi.json`).

use std::sync::LazyLock;

use callflume_core::vendor::{Content, HttpRequest};

use crate::openapi::{Described, Description};

static DESCRIPTION: LazyLock<Description> =
    LazyLock::new(|| Description::new(include_str!("openapi.json")));

/// The operation that a request goes to; panics if there is none.
pub(crate) fn described(request: &HttpRequest) -> Described<'static> {
    DESCRIPTION
        .described(request)
        .unwrap_or_else(|fault| panic!("{fault}"))
}

/// What a request costs in tokens.
pub(crate) fn tokens(request: &HttpRequest) -> u32 {
    let cost = described(request).operation["x-token-cost"].as_u64();
    cost.unwrap().try_into().unwrap()
}

/// Everything about a request that the description forbids.
pub(crate) fn violations(request: &HttpRequest) -> Vec<String> {
    DESCRIPTION.faults(request)
}

#[test]
fn the_check_finds_what_is_wrong() {
    use callflume_core::vendor::Method;
    let request = |method, path: &str, body: Option<&str>| HttpRequest {
        method,
        path: path.to_owned(),
        body: body.map(|body| body.as_bytes().to_vec()),
        content: Content::Json,
    };
    for (request, expect) in [
        (
            request(Method::Post, "/api/v2/deals", Some("{}")),
            "body.title is missing",
        ),
        (
            request(Method::Patch, "/api/v2/deals/1", Some(r#"{"title":1}"#)),
            "body.title is no \"string\"",
        ),
        (
            request(Method::Patch, "/api/v2/persons/1", Some(r#"{"nam":""}"#)),
            "body.nam is not described",
        ),
        (
            request(
                Method::Patch,
                "/api/v2/activities/1",
                Some(r#"{"participants":[{"person_id":"1"}]}"#),
            ),
            "body.participants[0].person_id is no \"integer\"",
        ),
        (
            request(Method::Post, "/api/v1/notes", None),
            "the body is missing",
        ),
        (
            request(Method::Get, "/api/v2/persons?limit=501", None),
            "limit is more than 500",
        ),
        (
            request(Method::Get, "/api/v2/persons?sort_by=name", None),
            "sort_by is none of",
        ),
        (
            request(Method::Get, "/api/v2/persons/search?term=", None),
            "term has 0 characters",
        ),
        (
            request(Method::Get, "/api/v2/persons?page=1", None),
            "no parameter page",
        ),
    ] {
        let found = violations(&request);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(expect), "{found:?}");
    }
}
