//! Requests against the structure of HubSpot's API, as far as Callflume uses it (`openapi.json`).
//!
//! Beyond that, what OpenAPI has no words for: no two inputs of a batch have the same trace or the same id, and all name
//! their records by the same property.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use callflume_core::vendor::{Content, HttpRequest, Method};
use serde_json::{Value, json};

use crate::openapi::Description;

pub(crate) static DESCRIPTION: LazyLock<Description> =
    LazyLock::new(|| Description::new(include_str!("openapi.json")));

/// Everything about a request that the description forbids.
pub(crate) fn faults(request: &HttpRequest) -> Vec<String> {
    let mut found = DESCRIPTION.faults(request);
    let body: Value =
        serde_json::from_slice(request.body.as_deref().unwrap_or_default()).unwrap_or_default();
    let inputs = body["inputs"].as_array();
    let values = |name: &str| -> Vec<Option<&str>> {
        let all = inputs.into_iter().flatten();
        all.map(|input| input[name].as_str()).collect()
    };
    for name in ["objectWriteTraceId", "id"] {
        let all: Vec<&str> = values(name).into_iter().flatten().collect();
        if all.iter().collect::<BTreeSet<_>>().len() < all.len() {
            found.push(format!("two inputs have the same {name}"));
        }
    }
    if values("idProperty").iter().collect::<BTreeSet<_>>().len() > 1 {
        found.push("the inputs have different idProperty".to_owned());
    }
    found
}

fn request(method: Method, path: &str, body: Option<&Value>) -> HttpRequest {
    HttpRequest {
        method,
        path: path.to_owned(),
        body: body.map(|body| body.to_string().into_bytes()),
        content: Content::Json,
    }
}

fn post(path: &str, body: &Value) -> HttpRequest {
    request(Method::Post, path, Some(body))
}

/// Where each sound body goes, in both families of paths.
const PATHS: [(&str, [&str; 2]); 9] = [
    (
        "create",
        [
            "/crm/v3/objects/calls/batch/create",
            "/crm/objects/2026-09/calls/batch/create",
        ],
    ),
    (
        "update",
        [
            "/crm/v3/objects/calls/batch/update",
            "/crm/objects/2026-09/calls/batch/update",
        ],
    ),
    (
        "upsert",
        [
            "/crm/v3/objects/contacts/batch/upsert",
            "/crm/objects/2026-09/contacts/batch/upsert",
        ],
    ),
    (
        "read",
        [
            "/crm/v3/objects/contacts/batch/read",
            "/crm/objects/2026-03/contacts/batch/read",
        ],
    ),
    (
        "search",
        [
            "/crm/v3/objects/contacts/search",
            "/crm/objects/2026-09/contacts/search",
        ],
    ),
    (
        "links",
        [
            "/crm/v4/associations/contacts/deals/batch/read",
            "/crm/associations/2026-09/contacts/deals/batch/read",
        ],
    ),
    (
        "property",
        ["/crm/v3/properties/calls", "/crm/properties/2026-09/calls"],
    ),
    (
        "group",
        [
            "/crm/v3/properties/calls/groups",
            "/crm/properties/2026-09/calls/groups",
        ],
    ),
    ("token", ["/oauth/v2/private-apps/get/access-token-info"; 2]),
];

fn paths(name: &str) -> [&'static str; 2] {
    let row = PATHS.iter().find(|(known, _)| *known == name);
    row.unwrap_or_else(|| panic!("no path for {name}")).1
}

fn sound(name: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("sound.json")).unwrap();
    all[name].clone()
}

/// Body of a batch with so many inputs, each like the first but for what tells it apart.
fn batch_of(name: &str, count: usize) -> Value {
    let mut body = sound(name);
    let first = body["inputs"][0].clone();
    let input = |number: usize| {
        let mut input = first.clone();
        for name in ["id", "objectWriteTraceId"] {
            if input.get(name).is_some() {
                input[name] = json!(number.to_string());
            }
        }
        input
    };
    body["inputs"] = (1..=count).map(input).collect();
    body
}

#[test]
fn a_sound_body_passes_and_so_does_the_fullest_batch() {
    for (name, paths) in PATHS {
        for path in paths {
            assert_eq!(faults(&post(path, &sound(name))), [""; 0], "{path}");
            let most = match name {
                "create" | "update" | "upsert" | "read" => 100,
                "links" => 1_000,
                _ => continue,
            };
            assert_eq!(
                faults(&post(path, &batch_of(name, most))),
                [""; 0],
                "{path}"
            );
            assert_eq!(
                faults(&post(path, &batch_of(name, most + 1))),
                [format!("body.inputs has {} entries", most + 1)],
                "{path}"
            );
        }
    }
}

/// Which body, where within it, which entry, what it is set to (null: it is taken away), the fault.
type Spoiled = (String, String, String, Value, String);

/// Too long or too many for a row of `spoiled.json`.
fn oversized() -> Vec<Spoiled> {
    let properties = "/inputs/0/properties";
    let filter = json!({"propertyName": "phone", "operator": "EQ", "value": "1"});
    let group = json!({"filters": [filter]});
    [
        (
            ("create", properties, "hs_call_title"),
            json!("x".repeat(256)),
            "hs_call_title has 256 characters",
        ),
        (
            ("create", properties, "hs_call_body"),
            json!("\u{1f4de}".repeat(32_769)),
            "hs_call_body has 65538 characters",
        ),
        (
            ("search", "", "filterGroups"),
            json!(vec![group; 6]),
            "body.filterGroups has 6 entries",
        ),
        (
            ("search", "/filterGroups/0", "filters"),
            json!(vec![filter; 7]),
            "filters has 7 entries",
        ),
    ]
    .map(|((body, within, name), to, fault)| {
        (body.into(), within.into(), name.into(), to, fault.into())
    })
    .into()
}

#[test]
fn a_spoiled_body_is_refused_for_what_is_spoiled_and_nothing_else() {
    let rows: Vec<Spoiled> = serde_json::from_str(include_str!("spoiled.json")).unwrap();
    for (body, within, name, to, expect) in rows.into_iter().chain(oversized()) {
        let mut spoiled = sound(&body);
        let place = spoiled.pointer_mut(&within).unwrap();
        let place = place.as_object_mut().unwrap();
        if to.is_null() {
            assert!(place.remove(&name).is_some(), "{body} {within}/{name}");
        } else {
            place.insert(name.clone(), to);
        }
        for path in paths(&body) {
            let found = faults(&post(path, &spoiled));
            assert_eq!(found.len(), 1, "{path} {within}/{name}: {found:?}");
            assert!(
                found[0].contains(&expect),
                "{path} {within}/{name}: {found:?}"
            );
        }
    }
}

#[test]
fn what_the_subset_does_not_have_is_refused() {
    let body = &sound("create");
    for (method_and_path, body, expect) in [
        (
            "POST /crm/v3/objects/calls/batch/archive",
            Some(body),
            "no path /crm/v3/objects/calls/batch/archive",
        ),
        (
            "POST /crm/v2/objects/calls/batch/create",
            Some(body),
            "no path",
        ),
        (
            "POST /crm/v4/associations/contacts/deals/batch/create",
            Some(body),
            "no path",
        ),
        ("GET /crm/v3/objects/calls/", None, "no path"),
        ("GET /crm/v3/objects/calls/9001", None, "no path"),
        ("GET /crm/v3/owners", None, "no path"),
        ("GET /oauth/v1/access-tokens/", None, "no path"),
        (
            "GET /crm/v3/objects/calls/batch/create",
            None,
            "no get /crm/v3/objects/{object}/batch/create",
        ),
        (
            "PATCH /crm/objects/2026-09/calls/batch/update",
            Some(body),
            "no patch /crm/objects/{release}/",
        ),
        ("PUT /crm/v3/properties/calls", Some(body), "no put"),
        ("POST /crm/v3/owners/", Some(body), "no post"),
        ("GET /crm/v3/objects/companies", None, "object is none of"),
        ("GET /crm/objects/2025-09/calls", None, "release is none of"),
        (
            "GET /crm/v3/pipelines/tickets",
            None,
            "pipelined is none of",
        ),
        (
            "GET /crm/v3/objects/calls?limit=101",
            None,
            "limit is more than 100",
        ),
        (
            "GET /crm/v3/objects/calls?limit=many",
            None,
            "limit is no \"integer\"",
        ),
        (
            "GET /crm/v3/objects/calls?after=",
            None,
            "after has 0 characters",
        ),
        (
            "GET /crm/v3/objects/calls?property=phone",
            None,
            "no parameter property",
        ),
        (
            "GET /crm/v3/owners/?limit=501",
            None,
            "limit is more than 500",
        ),
        (
            "GET /crm/v3/properties/calls",
            Some(body),
            "there is a body",
        ),
        (
            "POST /crm/v3/objects/calls/batch/create",
            None,
            "the body is missing",
        ),
        // A contact isn't linked to a contact.
        (
            "POST /crm/v3/objects/contacts/batch/create",
            Some(&json!({"inputs": [{
                "objectWriteTraceId": "1",
                "properties": {"callflume_key": "k-1"},
                "associations": body["inputs"][0]["associations"],
            }]})),
            "associationTypeId has no kind",
        ),
    ] {
        let (method, path) = method_and_path.split_once(' ').unwrap();
        let all = [Method::Get, Method::Post, Method::Patch, Method::Put];
        let method = all.into_iter().find(|it| it.to_string() == method);
        let found = faults(&request(method.unwrap(), path, body));
        assert_eq!(found.len(), 1, "{method_and_path}: {found:?}");
        assert!(found[0].contains(expect), "{method_and_path}: {found:?}");
    }
    let create = |content, body: &[u8]| HttpRequest {
        method: Method::Post,
        path: paths("create")[0].to_owned(),
        body: Some(body.to_vec()),
        content,
    };
    let sheet = faults(&create(Content::Csv, b"id\n1\n"));
    assert_eq!(sheet, ["the body is text/csv"]);
    let broken = faults(&create(Content::Json, b"{\"inputs\": ["));
    assert!(broken[0].starts_with("the body is no JSON"), "{broken:?}");
}

/// What the checker says of this body by a description with this schema.
fn faults_by(schema: &Value, body: &Value) -> Vec<String> {
    let content = json!({"application/json": {"schema": schema}});
    let document = json!({"paths": {"/p": {"post": {"requestBody": {"content": content}}}}});
    Description::new(&document.to_string()).faults(&post("/p", body))
}

#[test]
#[should_panic(expected = "the unknown keyword oneOf")]
fn a_rule_that_is_not_understood_is_no_pass() {
    faults_by(&json!({"oneOf": [{"type": "string"}]}), &json!("x"));
}

#[test]
#[should_panic(expected = "whether there may be other properties")]
fn a_description_says_whether_an_object_is_closed() {
    faults_by(&json!({"type": "object", "properties": {}}), &json!({}));
}
