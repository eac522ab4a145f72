//! Several operations in one composite request, which counts once.
//!
//! | operation | parts of the request |
//! | --- | --- |
//! | update by key | one for each item, as it would be alone |
//! | any other that writes | one: its collection |
//! | a read | one: its query |
//!
//! Salesforce takes 25 parts, of which 5 may be collections or queries. Parts are carried out in their order, each for
//! itself: nothing is rolled back for the sake of another.
//!
//! A request that is refused as a whole says nothing about its parts: each operation is then sent for itself.

use callflume_core::vendor::{Answer, HttpRequest, Method, Operation, Verb};
use serde::Serialize;
use serde_json::{Value, json};

use super::build::{self, reference, sent};
use super::paths::base;
use crate::settings::Settings;

/// Most parts of a composite request.
pub(crate) const PARTS_MAX: usize = 25;
/// Most of them that are collections or queries.
const COLLECTIONS_MAX: usize = 5;

/// How many items of this kind may join a request that carries these operations; `alone` in one for themselves.
pub(crate) fn room(operations: &[Operation], verb: Verb, alone: usize) -> usize {
    if operations.is_empty() {
        return alone;
    }
    if verb == Verb::List || operations.iter().any(|it| it.verb == Verb::List) {
        return 0;
    }
    let collections = operations
        .iter()
        .filter(|operation| operation.verb != Verb::UpdateByKey)
        .count();
    let updates: usize = operations
        .iter()
        .filter(|operation| operation.verb == Verb::UpdateByKey)
        .map(|operation| operation.items.len())
        .sum();
    let left = PARTS_MAX.saturating_sub(collections + updates);
    if verb == Verb::UpdateByKey {
        alone.min(left)
    } else if left > 0 && collections < COLLECTIONS_MAX {
        alone
    } else {
        0
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    method: String,
    url: String,
    reference_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
}

/// The request for several operations.
pub(crate) fn request(settings: &Settings, operations: &[Operation]) -> HttpRequest {
    let mut parts: Vec<Value> = Vec::new();
    for (index, operation) in operations.iter().enumerate() {
        if sent(settings, operation).is_empty() {
            continue;
        }
        let alone = build::request(settings, operation);
        let body: Option<Value> = alone
            .body
            .as_deref()
            .and_then(|body| serde_json::from_slice(body).ok());
        if operation.verb == Verb::UpdateByKey {
            parts.extend(list(body, "compositeRequest"));
        } else {
            let part = Part {
                method: alone.method.to_string(),
                url: alone.path,
                reference_id: name(index),
                body,
            };
            parts.push(json!(part));
        }
    }
    if parts.is_empty() {
        return build::limits(settings);
    }
    let body = json!({"allOrNone": false, "compositeRequest": parts});
    build::send(
        Method::Post,
        format!("{}/composite", base(settings)),
        body.to_string().into_bytes(),
    )
}

/// The answer for each operation as it would have come alone; none when the request as such was refused.
pub(crate) fn answers(
    settings: &Settings,
    operations: &[Operation],
    answer: &Answer,
) -> Option<Vec<Answer>> {
    let Answer::Response { status, body, .. } = answer else {
        return Some(vec![answer.clone(); operations.len()]);
    };
    match status {
        200..=299 => {}
        // The account as a whole is meant, or nobody knows what was carried out.
        401 | 403 | 410 | 420 | 429 | 500.. => return Some(vec![answer.clone(); operations.len()]),
        _ => return None,
    }
    let mut parts = list(serde_json::from_slice(body).ok(), "compositeResponse");
    let answers = operations.iter().enumerate().map(|(index, operation)| {
        let items = sent(settings, operation);
        if items.is_empty() {
            return response(200, &nothing(operation.verb));
        }
        if operation.verb == Verb::UpdateByKey {
            let references: Vec<String> = items.iter().map(|item| reference(item)).collect();
            let own: Vec<&Value> = parts
                .iter()
                .filter(|part| {
                    let reference = part["referenceId"].as_str().unwrap_or_default();
                    references.iter().any(|own| own == reference)
                })
                .collect();
            if own.is_empty() {
                return Answer::Lost;
            }
            return response(200, &json!({"compositeResponse": own}));
        }
        let part = parts
            .iter_mut()
            .find(|part| part["referenceId"].as_str() == Some(&name(index)));
        match part {
            Some(part) => {
                let status = part["httpStatusCode"]
                    .as_u64()
                    .and_then(|it| u16::try_from(it).ok());
                match status {
                    Some(status) => response(status, &part["body"].take()),
                    None => Answer::Lost,
                }
            }
            None => Answer::Lost,
        }
    });
    Some(answers.collect())
}

/// The list under this name; an empty one for anything else.
fn list(document: Option<Value>, name: &str) -> Vec<Value> {
    match document {
        Some(Value::Object(mut members)) => match members.remove(name) {
            Some(Value::Array(list)) => list,
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// The answer to an operation of which nothing was sent.
fn nothing(verb: Verb) -> Value {
    match verb {
        Verb::UpsertByKey | Verb::Create | Verb::UpdateById => json!([]),
        Verb::UpdateByKey => json!({"compositeResponse": []}),
        Verb::ReadByKey | Verb::ReadByEmail | Verb::SearchByPhone | Verb::List | Verb::Probe => {
            json!({"totalSize": 0, "done": true, "records": []})
        }
    }
}

fn response(status: u16, body: &Value) -> Answer {
    Answer::Response {
        status,
        headers: Vec::new(),
        body: body.to_string().into_bytes(),
    }
}

/// How the part of an operation is named.
fn name(index: usize) -> String {
    format!("o{index}")
}
