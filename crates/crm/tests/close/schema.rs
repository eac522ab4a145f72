//! Checks requests against the part of Close's OpenAPI that is used, in `openapi.json`.
//!
//! Knows the keywords that the file has and no others: an unknown one is a fault of the file, not a pass.

use callflume_core::vendor::{Content, HttpRequest};
use serde_json::{Value, json};

fn document() -> Value {
    serde_json::from_str(include_str!("openapi.json")).unwrap()
}

/// What is wrong with a request; empty if nothing is.
pub(crate) fn faults(request: &HttpRequest) -> Vec<String> {
    let document = document();
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let Some(path) = path.strip_prefix("/api/v1") else {
        return vec![format!("{path}: not below /api/v1")];
    };
    let fits = |template: &str| {
        let (ours, theirs): (Vec<&str>, Vec<&str>) =
            (path.split('/').collect(), template.split('/').collect());
        let same = |(ours, theirs): (&&str, &&str)| {
            ours == theirs || (*theirs == "{id}" && !ours.is_empty())
        };
        ours.len() == theirs.len() && ours.iter().zip(&theirs).all(same)
    };
    let paths = document["paths"].as_object().unwrap();
    let Some((_, operations)) = paths.iter().find(|(template, _)| fits(template)) else {
        return vec![format!("{path}: no such path")];
    };
    let method = request.method.to_string().to_lowercase();
    let Some(operation) = operations.get(&method) else {
        return vec![format!("{method} {path}: no such method")];
    };
    let mut faults = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let name = pair.split('=').next().unwrap_or_default();
        let known = operation["parameters"]
            .as_array()
            .is_some_and(|all| all.iter().any(|parameter| parameter["name"] == name));
        if !known {
            faults.push(format!("{path}: no parameter {name}"));
        }
    }
    let schema = operation
        .get("requestBody")
        .map(|body| &body["content"]["application/json"]["schema"]);
    match (schema, &request.body) {
        (None, None) => {}
        (Some(schema), Some(body)) => match serde_json::from_slice(body) {
            Ok(body) => check(&document, schema, &body, path, &mut faults),
            Err(error) => faults.push(format!("{path}: {error}")),
        },
        (Some(_), None) => faults.push(format!("{path}: without body")),
        (None, Some(_)) => faults.push(format!("{path}: with a body")),
    }
    faults
}

fn check(document: &Value, schema: &Value, value: &Value, place: &str, faults: &mut Vec<String>) {
    for (keyword, rule) in schema.as_object().unwrap() {
        match keyword.as_str() {
            "$ref" => {
                let pointer = rule.as_str().unwrap().trim_start_matches('#');
                let schema = document.pointer(pointer).unwrap();
                check(document, schema, value, place, faults);
            }
            "type" => {
                let wanted: Vec<&Value> = rule
                    .as_array()
                    .map_or_else(|| vec![rule], |all| all.iter().collect());
                if !wanted
                    .iter()
                    .any(|wanted| is_a(value, wanted.as_str().unwrap()))
                {
                    faults.push(format!("{place}: not a {rule}"));
                }
            }
            "enum" if !rule.as_array().unwrap().contains(value) => {
                faults.push(format!("{place}: not one of {rule}"));
            }
            "format" if value.is_string() && !is_of(value.as_str().unwrap(), rule) => {
                faults.push(format!("{place}: no {rule}"));
            }
            "required" => {
                for name in rule.as_array().unwrap() {
                    if value.get(name.as_str().unwrap()).is_none() {
                        faults.push(format!("{place}: without {name}"));
                    }
                }
            }
            "items" => {
                for entry in value.as_array().into_iter().flatten() {
                    check(document, rule, entry, &format!("{place}[]"), faults);
                }
            }
            "properties" => {
                for (name, entry) in value.as_object().into_iter().flatten() {
                    let place = format!("{place}.{name}");
                    let by_pattern = schema["patternProperties"].as_object().and_then(|all| {
                        all.iter().find(|(pattern, _)| {
                            let prefix = pattern.trim_start_matches('^').replace('\\', "");
                            name.strip_prefix(&prefix)
                                .is_some_and(|rest| !rest.is_empty())
                        })
                    });
                    match (rule.get(name), by_pattern) {
                        (Some(schema), _) | (None, Some((_, schema))) => {
                            check(document, schema, entry, &place, faults);
                        }
                        (None, None) => faults.push(format!("{place}: no such property")),
                    }
                }
            }
            "enum" | "format" | "patternProperties" => {}
            "additionalProperties" if *rule == json!(false) => {}
            other => panic!("the checker doesn't know `{other}`"),
        }
    }
}

fn is_a(value: &Value, kind: &str) -> bool {
    match kind {
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("no type `{other}`"),
    }
}

fn is_of(text: &str, format: &Value) -> bool {
    match format.as_str().unwrap() {
        "uri" => text.starts_with("https://") && !text.contains(' '),
        "date-time" => {
            let form: String = text
                .chars()
                .map(|c| if c.is_ascii_digit() { '0' } else { c })
                .collect();
            ["0000-00-00T00:00:00Z", "0000-00-00T00:00:00.000Z"].contains(&form.as_str())
        }
        other => panic!("no format `{other}`"),
    }
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
        (note(json!({"note": "x"})), "without \"lead_id\""),
        (note(json!({"lead_id": 7})), "not a \"string\""),
        (
            note(json!({"lead_id": "lead_1", "custom.cf_1": "x"})),
            "no such property",
        ),
        (
            note(json!({"lead_id": "lead_1", "activity_at": "tomorrow"})),
            "no \"date-time\"",
        ),
        (
            request(
                Method::Post,
                "/task/",
                Some(json!({"_type": "leads", "lead_id": "lead_1"})),
            ),
            "not one of",
        ),
        (
            request(
                Method::Post,
                "/lead/",
                Some(json!({"contacts": [{"phones": [{"phone": "x"}]}]})),
            ),
            "without \"type\"",
        ),
        (
            request(Method::Put, "/task/", Some(json!({}))),
            "no such method",
        ),
        (
            request(Method::Put, "/task//", Some(json!({}))),
            "no such path",
        ),
        (
            request(Method::Get, "/contact/?_order=x", None),
            "no parameter _order",
        ),
        (
            request(Method::Get, "/contact/", Some(json!({}))),
            "with a body",
        ),
    ] {
        let found = faults(&request).join("; ");
        assert!(
            found.contains(expect) && (found.is_empty() == expect.is_empty()),
            "{request:?}: {found}"
        );
    }
}
