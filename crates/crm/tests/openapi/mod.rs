//! Requests against the part of a CRM's OpenAPI that is used, which each CRM's tests carry as `openapi.json`.
//!
//! A path, method, parameter or property that the document doesn't list is a fault of the request, and a keyword that
//! is unknown here a fault of the document: neither passes. Beyond OpenAPI's own keywords:
//!
//! | keyword | meaning |
//! | --- | --- |
//! | `x-by-path` | further rules by a part of the path: its name → its text → schema |
//! | `x-by-value` | further rules by a text within the value: JSON pointer to it → the text → schema |
//! | `x-never` | properties that must not occur, though others that aren't listed may |
//!
//! Lengths count UTF-16 units, as HubSpot and Salesforce do.

mod values;

use std::collections::BTreeMap;

use callflume_core::vendor::HttpRequest;
use serde_json::Value;

/// A CRM's OpenAPI document, as far as it is used.
pub(crate) struct Description {
    document: Value,
    /// What the servers' address puts before every path.
    base: String,
}

/// What a description says of the operation that a request goes to.
pub(crate) struct Described<'a> {
    /// Its path there, such as `/api/v2/persons/{id}`.
    pub(crate) path: &'a str,
    /// All that is said of it.
    pub(crate) operation: &'a Value,
    /// All that is said of every method of the path.
    shared: &'a Value,
    /// The parts of the path that the description leaves open, by name.
    parts: BTreeMap<&'a str, String>,
}

impl Described<'_> {
    /// What stands in the path where the description leaves this part open.
    fn part(&self, name: &str) -> &str {
        let part = self.parts.get(name).map(String::as_str);
        part.unwrap_or_else(|| panic!("the description has no {name} in {}", self.path))
    }
}

impl Description {
    /// The description in a file's text.
    pub(crate) fn new(text: &str) -> Self {
        let document: Value = serde_json::from_str(text).unwrap();
        let server = document["servers"][0]["url"].as_str().unwrap_or_default();
        let host_on = server.split_once("://").map_or("", |(_, rest)| rest);
        let base = host_on.split_once('/').map_or("", |(_, path)| path);
        let base = match base.trim_end_matches('/') {
            "" => String::new(),
            path => format!("/{path}"),
        };
        Self { document, base }
    }

    /// The operation that a request goes to, or why there is none.
    pub(crate) fn described(&self, request: &HttpRequest) -> Result<Described<'_>, String> {
        let path = path_and_query(request).0;
        let below = path.strip_prefix(&self.base);
        let (template, operations, parts) = self.document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .filter_map(|(template, operations)| {
                Some((template, operations, parts(template, below?)?))
            })
            // `/persons/search` fits `/persons/{id}`, too; the literal one is meant.
            .min_by_key(|(.., parts)| parts.len())
            .ok_or_else(|| format!("no path {path}"))?;
        let method = request.method.to_string().to_lowercase();
        let operation = operations
            .get(&method)
            .ok_or_else(|| format!("no {method} {template}"))?;
        Ok(Described {
            path: template,
            operation,
            shared: operations,
            parts,
        })
    }

    /// Everything about a request that the description forbids.
    pub(crate) fn faults(&self, request: &HttpRequest) -> Vec<String> {
        let described = match self.described(request) {
            Ok(described) => described,
            Err(fault) => return vec![fault],
        };
        let mut found = Vec::new();
        self.check_parameters(&described, path_and_query(request).1, &mut found);
        let content = &described.operation["requestBody"]["content"];
        match (&request.body, content.as_object()) {
            (None, None) => {}
            (None, Some(_)) => found.push("the body is missing".to_owned()),
            (Some(_), None) => found.push("there is a body".to_owned()),
            (Some(body), Some(kinds)) => match kinds.get(request.content.media_type()) {
                None => found.push(format!("the body is {}", request.content.media_type())),
                Some(kind) => {
                    if let Some(schema) = kind.get("schema") {
                        match serde_json::from_slice(body) {
                            Ok(body) => {
                                self.check(&described, schema, &body, "body", &mut found);
                            }
                            Err(error) => found.push(format!("the body is no JSON: {error}")),
                        }
                    }
                }
            },
        }
        found
    }

    fn check_parameters(&self, described: &Described<'_>, query: &str, found: &mut Vec<String>) {
        let given: Vec<(&str, &str)> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .collect();
        let all: Vec<&Value> = [described.shared, described.operation]
            .into_iter()
            .filter_map(|of| of["parameters"].as_array())
            .flatten()
            .map(|parameter| self.resolved(parameter))
            .collect();
        for (name, _) in &given {
            let known =
                |parameter: &&Value| parameter["in"] == "query" && parameter["name"] == *name;
            if !all.iter().any(known) {
                found.push(format!("no parameter {name}"));
            }
        }
        for parameter in all {
            let name = parameter["name"].as_str().unwrap();
            let texts: Vec<&str> = match parameter["in"].as_str() {
                Some("path") => vec![described.part(name)],
                Some("query") => given
                    .iter()
                    .filter(|(given, _)| *given == name)
                    .map(|(_, text)| *text)
                    .collect(),
                other => panic!("{name}: the description has a parameter in {other:?}"),
            };
            if texts.is_empty() && parameter["required"] == true {
                found.push(format!("{name} is missing"));
            }
            for text in texts {
                let Some(schema) = parameter.get("schema") else {
                    continue;
                };
                let value = values::typed(schema, text);
                self.check(described, schema, &value, name, found);
            }
        }
    }

    /// What an entry says, or what it refers to.
    fn resolved<'a>(&'a self, entry: &'a Value) -> &'a Value {
        let Some(target) = entry["$ref"].as_str() else {
            return entry;
        };
        let pointer = target.strip_prefix('#').unwrap();
        self.document
            .pointer(pointer)
            .unwrap_or_else(|| panic!("the description has no {target}"))
    }
}

fn path_and_query(request: &HttpRequest) -> (&str, &str) {
    request.path.split_once('?').unwrap_or((&request.path, ""))
}

/// The parts of a path that its template leaves open; none if it isn't one of the template's.
fn parts<'a>(template: &'a str, path: &str) -> Option<BTreeMap<&'a str, String>> {
    let (wanted, given): (Vec<&str>, Vec<&str>) =
        (template.split('/').collect(), path.split('/').collect());
    if wanted.len() != given.len() {
        return None;
    }
    let mut parts = BTreeMap::new();
    for (wanted, given) in wanted.into_iter().zip(given) {
        let name = wanted
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'));
        match name {
            Some(name) if !given.is_empty() => {
                parts.insert(name, given.to_owned());
            }
            None if wanted == given => {}
            _ => return None,
        }
    }
    Some(parts)
}
