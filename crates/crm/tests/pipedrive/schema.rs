//! Requests against the structure of Pipedrive's API, as far as Callflume uses it (`openapi.json`).

use callflume_core::vendor::{Content, HttpRequest};
use serde_json::Value;

/// What the description says of the operation that a request goes to.
pub(crate) struct Described {
    /// Its path there, such as `/api/v2/persons/{id}`.
    pub(crate) path: String,
    operation: Value,
}

impl Described {
    /// Its cost in tokens.
    pub(crate) fn tokens(&self) -> u32 {
        self.operation["x-token-cost"].as_u64().unwrap() as u32
    }
}

fn description() -> Value {
    serde_json::from_str(include_str!("openapi.json")).unwrap()
}

/// The operation that a request goes to; panics if there is none.
pub(crate) fn described(request: &HttpRequest) -> Described {
    let path = request.path.split('?').next().unwrap();
    let method = request.method.to_string().to_lowercase();
    let paths = description();
    let paths = paths["paths"].as_object().unwrap();
    let (template, operations) = paths
        .iter()
        .filter(|(template, _)| fits(template, path))
        // `/persons/search` fits `/persons/{id}`, too; the literal one is meant.
        .min_by_key(|(template, _)| template.matches('{').count())
        .unwrap_or_else(|| panic!("no path {path}"));
    let operation = operations
        .get(&method)
        .unwrap_or_else(|| panic!("no {method} {template}"));
    Described {
        path: template.clone(),
        operation: operation.clone(),
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<&str>, Vec<&str>) =
        (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template
            .iter()
            .zip(&path)
            .all(|(wanted, given)| wanted == given || (*wanted == "{id}" && !given.is_empty()))
}

/// Everything about a request that the description forbids.
pub(crate) fn violations(request: &HttpRequest) -> Vec<String> {
    let described = described(request);
    let mut found = Vec::new();
    let parameters = described.operation["parameters"].as_array();
    for pair in request
        .path
        .split_once('?')
        .map_or("", |(_, query)| query)
        .split('&')
        .filter(|pair| !pair.is_empty())
    {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let schema = parameters
            .into_iter()
            .flatten()
            .find(|parameter| parameter["name"] == name)
            .map(|parameter| &parameter["schema"]);
        match schema {
            None => found.push(format!("no parameter {name}")),
            Some(schema) => {
                let value = typed(schema, value);
                check(schema, &value, name, &mut found);
            }
        }
    }
    let schema = &described.operation["requestBody"]["content"]["application/json"]["schema"];
    match (&request.body, schema.is_object()) {
        (None, false) => {}
        (Some(body), true) => match serde_json::from_slice(body) {
            Ok(body) => check(schema, &body, "body", &mut found),
            Err(error) => found.push(format!("the body is no JSON: {error}")),
        },
        (None, true) => found.push("the body is missing".to_owned()),
        (Some(_), false) => found.push("there is a body".to_owned()),
    }
    found
}

/// A query's value in its type, or as the text that it is.
fn typed(schema: &Value, text: &str) -> Value {
    match schema["type"].as_str() {
        Some("integer") => text
            .parse::<i64>()
            .map_or_else(|_| text.into(), Value::from),
        Some("boolean") => text
            .parse::<bool>()
            .map_or_else(|_| text.into(), Value::from),
        _ => text.into(),
    }
}

fn check(schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    let fits = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        other => panic!("{place}: the description has type {other:?}"),
    };
    if !fits {
        found.push(format!("{place} is no {}", schema["type"]));
        return;
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        found.push(format!("{place} is none of {allowed:?}"));
    }
    if let (Some(most), Some(number)) = (schema["maximum"].as_i64(), value.as_i64())
        && number > most
    {
        found.push(format!("{place} is more than {most}"));
    }
    if let Some(text) = value.as_str() {
        let length = text.chars().count() as u64;
        let least = schema["minLength"].as_u64().unwrap_or(0);
        let most = schema["maxLength"].as_u64().unwrap_or(u64::MAX);
        if !(least..=most).contains(&length) {
            found.push(format!("{place} has {length} characters"));
        }
    }
    for (index, entry) in value.as_array().into_iter().flatten().enumerate() {
        check(&schema["items"], entry, &format!("{place}[{index}]"), found);
    }
    let Some(object) = value.as_object() else {
        return;
    };
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap();
        if !object.contains_key(name) {
            found.push(format!("{place}.{name} is missing"));
        }
    }
    for (name, entry) in object {
        match schema["properties"].get(name) {
            Some(schema) => check(schema, entry, &format!("{place}.{name}"), found),
            None if schema["additionalProperties"] == true => {}
            None => found.push(format!("{place}.{name} is not described")),
        }
    }
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
