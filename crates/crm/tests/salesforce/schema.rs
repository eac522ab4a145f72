//! Requests against the structure of Salesforce's interface, as far as Callflume uses it (`openapi.json`).
//!
//! The parts of a composite request are requests themselves and are looked at as such.

use callflume_core::vendor::{Content, HttpRequest, Method};
use callflume_crm::salesforce::URI_MAX;
use serde_json::Value;

fn description() -> Value {
    serde_json::from_str(include_str!("openapi.json")).unwrap()
}

/// Whether a path is one of a template, and the kind of record that it names.
fn fits(template: &str, path: &str) -> Option<String> {
    let (template, path): (Vec<&str>, Vec<&str>) =
        (template.split('/').collect(), path.split('/').collect());
    if template.len() != path.len() {
        return None;
    }
    let mut kind = String::new();
    for (wanted, given) in template.iter().zip(&path) {
        let open = wanted.starts_with('{') && !given.is_empty();
        if *wanted == "{kind}" {
            (*given).clone_into(&mut kind);
        }
        if wanted != given && !open {
            return None;
        }
    }
    Some(kind)
}

/// Everything about a request that the description forbids.
pub(crate) fn violations(request: &HttpRequest) -> Vec<String> {
    let whole = description();
    let mut found = Vec::new();
    if request.path.len() > URI_MAX {
        found.push(format!("the address has {} bytes", request.path.len()));
    }
    let method = request.method.to_string().to_lowercase();
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let best = whole["paths"]
        .as_object()
        .unwrap()
        .iter()
        .filter_map(|(template, operations)| Some((template, operations, fits(template, path)?)))
        // `/sobjects/Task/describe` fits `/sobjects/{kind}/describe` best.
        .min_by_key(|(template, ..)| template.matches('{').count());
    let Some((template, operations, kind)) = best else {
        found.push(format!("no path {path}"));
        return found;
    };
    let Some(operation) = operations.get(&method) else {
        found.push(format!("no {method} {template}"));
        return found;
    };
    check_query(&whole, operation, query, &mut found);
    let content = &operation["requestBody"]["content"];
    if content.get("text/csv").is_some() {
        if request.body.is_none() {
            found.push("the body is missing".to_owned());
        }
        return found;
    }
    let schema = &content["application/json"]["schema"];
    let schema = match schema.get("x-by-path") {
        Some(kinds) => &kinds[&kind],
        None => schema,
    };
    match (&request.body, schema.is_object()) {
        (None, false) => {}
        (Some(body), true) => match serde_json::from_slice(body) {
            Ok(body) => {
                check(&whole, schema, &body, "body", &mut found);
                parts(&body, &mut found);
            }
            Err(error) => found.push(format!("the body is no JSON: {error}")),
        },
        (None, true) => found.push("the body is missing".to_owned()),
        (Some(_), false) => found.push("there is a body".to_owned()),
    }
    found
}

fn check_query(whole: &Value, operation: &Value, query: &str, found: &mut Vec<String>) {
    let parameters = operation["parameters"].as_array();
    let pairs: Vec<(&str, &str)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .collect();
    for parameter in parameters.into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap();
        if parameter["required"] == true && !pairs.iter().any(|(given, _)| *given == name) {
            found.push(format!("{name} is missing"));
        }
    }
    for (name, value) in pairs {
        let schema = parameters
            .into_iter()
            .flatten()
            .find(|parameter| parameter["name"] == name)
            .map(|parameter| &parameter["schema"]);
        match schema {
            None => found.push(format!("no parameter {name}")),
            Some(schema) => {
                let value = match (schema["type"].as_str(), value) {
                    (Some("boolean"), "true" | "false") => (value == "true").into(),
                    _ => Value::from(value),
                };
                check(whole, schema, &value, name, found);
            }
        }
    }
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

fn check(whole: &Value, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    if let Some(target) = schema["$ref"].as_str() {
        let pointer = target.strip_prefix('#').unwrap();
        return check(whole, whole.pointer(pointer).unwrap(), value, place, found);
    }
    if let Some(kinds) = schema.get("x-by-kind") {
        let kind = value["attributes"]["type"].as_str().unwrap_or_default();
        return match kinds.get(kind) {
            Some(schema) => check(whole, schema, value, place, found),
            None => found.push(format!("{place} has no kind")),
        };
    }
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
    if let Some(number) = value.as_i64() {
        let least = schema["minimum"].as_i64().unwrap_or(i64::MIN);
        let most = schema["maximum"].as_i64().unwrap_or(i64::MAX);
        if !(least..=most).contains(&number) {
            found.push(format!("{place} is not within {least} and {most}"));
        }
    }
    if let Some(text) = value.as_str() {
        check_text(schema, text, place, found);
    }
    if let Some(entries) = value.as_array() {
        let least = schema["minItems"].as_u64().unwrap_or(0);
        let most = schema["maxItems"].as_u64().unwrap_or(u64::MAX);
        if !(least..=most).contains(&(entries.len() as u64)) {
            found.push(format!("{place} has {} entries", entries.len()));
        }
        for (index, entry) in entries.iter().enumerate() {
            check(
                whole,
                &schema["items"],
                entry,
                &format!("{place}[{index}]"),
                found,
            );
        }
    }
    if let Some(object) = value.as_object() {
        for name in schema["required"].as_array().into_iter().flatten() {
            let name = name.as_str().unwrap();
            if !object.contains_key(name) {
                found.push(format!("{place}.{name} is missing"));
            }
        }
        for name in schema["x-never"].as_array().into_iter().flatten() {
            let name = name.as_str().unwrap();
            if object.contains_key(name) {
                found.push(format!("{place}.{name} must not be there"));
            }
        }
        for (name, entry) in object {
            match schema["properties"].get(name) {
                Some(schema) => check(whole, schema, entry, &format!("{place}.{name}"), found),
                None if schema["additionalProperties"] == true => {}
                None => found.push(format!("{place}.{name} is not described")),
            }
        }
    }
}

fn check_text(schema: &Value, text: &str, place: &str, found: &mut Vec<String>) {
    let length = text.encode_utf16().count() as u64;
    let least = schema["minLength"].as_u64().unwrap_or(0);
    let most = schema["maxLength"].as_u64().unwrap_or(u64::MAX);
    if !(least..=most).contains(&length) {
        found.push(format!("{place} has {length} characters"));
    }
    let all = |fits: fn(&u8) -> bool| text.as_bytes().iter().all(fits);
    let fits = match schema["pattern"].as_str() {
        None => true,
        Some("id") => matches!(text.len(), 15 | 18) && all(u8::is_ascii_alphanumeric),
        Some("date") => {
            text.len() == 10
                && text.matches('-').count() == 2
                && all(|b| *b == b'-' || b.is_ascii_digit())
        }
        Some("name") => {
            text.starts_with(|c: char| c.is_ascii_alphabetic())
                && all(|b| *b == b'_' || b.is_ascii_alphanumeric())
        }
        Some(other) => panic!("{place}: the description has pattern {other}"),
    };
    if !fits {
        found.push(format!("{place} has not the form of {}", schema["pattern"]));
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
            "body.records[0].id has not the form of \"id\"",
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
