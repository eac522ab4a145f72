//! Composite: up to 25 calls in one, a later one naming what an earlier one answered; and batches of unrelated ones.
//!
//! A composite counts as one call and is answered with 200 whatever its parts say. With `allOrNone` the first part that
//! fails takes everything back. A batch counts as many calls as it has parts, each a transaction of its own.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Salesforce;
use super::replies::{Answer, Failure};
use super::route::{Call, Payload, data_path};
use super::sobjects::object_of;
use super::writes::Hand;
use crate::fakes::{Method, Request};

/// The most parts of one call.
pub const COMPOSITE_MAX: usize = 25;
/// How many of them may be queries or collections.
const HEAVY_MAX: usize = 5;

const ROLLED_BACK: &str =
    "The transaction was rolled back since another operation in the same transaction failed.";

fn said<'a>(part: &'a Map<String, Value>, name: &str) -> Result<&'a str, Failure> {
    part.get(name)
        .and_then(Value::as_str)
        .ok_or_else(|| Failure::unreadable(&format!("every part must have a text as its {name}")))
}

fn parts<'a>(
    body: &'a Map<String, Value>,
    name: &str,
) -> Result<Vec<&'a Map<String, Value>>, Failure> {
    let Some(Value::Array(parts)) = body.get(name) else {
        return Err(Failure::unreadable(&format!("{name} must be a list")));
    };
    if parts.len() > COMPOSITE_MAX {
        let said = format!("Limit exceeded: a request can't have more than {COMPOSITE_MAX} parts");
        return Err(Failure::request(400, "LIMIT_EXCEEDED", said));
    }
    parts
        .iter()
        .map(|part| part.as_object())
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| Failure::unreadable("every part must be an object"))
}

/// How many calls a request is: a batch is as many as it has parts.
pub(super) fn calls(path: &[&str], body: &[u8]) -> u32 {
    if path != ["composite", "batch"] {
        return 1;
    }
    let body: Option<Value> = serde_json::from_slice(body).ok();
    let parts = body.and_then(|body| body["batchRequests"].as_array().map(Vec::len));
    parts.unwrap_or(1).clamp(1, COMPOSITE_MAX) as u32
}

/// Methods of a composite's parts; none for anything else.
pub(super) fn methods(path: &[&str], body: &[u8]) -> Vec<Method> {
    if path != ["composite"] {
        return Vec::new();
    }
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let parts = body["compositeRequest"].as_array();
    parts
        .into_iter()
        .flatten()
        .filter_map(|part| part["method"].as_str().map(Method::parse))
        .collect()
}

impl Salesforce {
    pub(super) fn composite(&mut self, hand: &Hand, call: &Call<'_>) -> Result<Answer, Failure> {
        let body = object_of(call.json()?)?;
        let parts = parts(&body, "compositeRequest")?;
        let all_or_none = body.get("allOrNone").is_some_and(|flag| flag == true);
        let mut names: Vec<&str> = Vec::with_capacity(parts.len());
        let mut heavy = 0;
        for part in &parts {
            let name = said(part, "referenceId")?;
            let sound = name.starts_with(|first: char| first.is_ascii_alphabetic())
                && name
                    .chars()
                    .all(|one| one.is_ascii_alphanumeric() || one == '_');
            if !sound || names.contains(&name) {
                let said = format!(
                    "referenceId {name:?} must begin with a letter, hold letters, digits and underscores, and be given once"
                );
                return Err(Failure::request(400, "INVALID_REFERENCE_ID", said));
            }
            names.push(name);
            let url = said(part, "url")?;
            said(part, "method")?;
            heavy += usize::from(url.contains("/composite/sobjects") || url.contains("/query"));
        }
        if heavy > HEAVY_MAX {
            let said = format!(
                "Limit exceeded: no more than {HEAVY_MAX} parts can be queries or collections"
            );
            return Err(Failure::request(400, "LIMIT_EXCEEDED", said));
        }
        let begun = self.savepoint();
        let mut answers: Vec<Answer> = Vec::with_capacity(parts.len());
        let mut known: BTreeMap<String, Value> = BTreeMap::new();
        let mut failed = None;
        for (place, part) in parts.iter().enumerate() {
            let answer = if all_or_none && failed.is_some() {
                Answer::of(Err(Failure::halted(ROLLED_BACK)))
            } else {
                self.part(hand, part, &known)
            };
            if answer.status >= 300 {
                failed = failed.or(Some(place));
            } else if let Some(name) = names.get(place) {
                known.insert((*name).to_owned(), answer.shown());
            }
            answers.push(answer);
        }
        if let Some(guilty) = failed.filter(|_| all_or_none) {
            self.roll_back(hand.now_ms, begun);
            for (place, answer) in answers.iter_mut().enumerate() {
                if place != guilty {
                    *answer = Answer::of(Err(Failure::halted(ROLLED_BACK)));
                }
            }
        }
        let results: Vec<Value> = answers
            .iter()
            .zip(names)
            .map(|(answer, name)| {
                let headers = answer
                    .location
                    .as_ref()
                    .map_or_else(|| json!({}), |location| json!({"Location": location}));
                json!({"body": answer.shown(), "httpHeaders": headers, "httpStatusCode": answer.status,
                    "referenceId": name})
            })
            .collect();
        Ok(Answer::json(200, json!({"compositeResponse": results})))
    }

    /// Carries out one part, with what earlier ones answered in the place of references.
    fn part(
        &mut self,
        hand: &Hand,
        part: &Map<String, Value>,
        known: &BTreeMap<String, Value>,
    ) -> Answer {
        let prepared = || -> Result<(Request, Value), Failure> {
            let url = replaced(said(part, "url")?, known)?;
            let body = part.get("body").unwrap_or(&Value::Null);
            let body = replaced_within(body, known)?;
            Ok((
                Request::new(Method::parse(said(part, "method")?), &url),
                body,
            ))
        };
        match prepared() {
            Ok((request, body)) => {
                let headers = part.get("httpHeaders").and_then(Value::as_object);
                let headers: Vec<(String, String)> = headers
                    .into_iter()
                    .flatten()
                    .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
                    .collect();
                self.inner(hand, &request, &headers, &body)
            }
            Err(failure) => Answer::of(Err(failure)),
        }
    }

    /// Carries out a call that stands in another one's body.
    fn inner(
        &mut self,
        hand: &Hand,
        request: &Request,
        headers: &[(String, String)],
        body: &Value,
    ) -> Answer {
        let segments = request.segments();
        let Some((version, path)) = data_path(&segments) else {
            return Answer::of(Err(Failure::not_found()));
        };
        let allowed = matches!(
            path.as_slice(),
            ["sobjects" | "query" | "limits", ..] | ["composite", "sobjects", ..]
        );
        if !allowed {
            return Answer::of(Err(Failure::not_found()));
        }
        let call = Call {
            method: request.method,
            path: &path,
            query: &request.query,
            headers,
            payload: Payload::Json(body),
        };
        let hand = Hand {
            version,
            allow_duplicates: hand.allow_duplicates || saves_duplicates(&call),
            ..hand.clone()
        };
        let begun = self.savepoint();
        let result = self.perform(&hand, &call);
        if result.is_err() {
            self.roll_back(hand.now_ms, begun);
        }
        Answer::of(result)
    }

    pub(super) fn batch(&mut self, hand: &Hand, call: &Call<'_>) -> Result<Answer, Failure> {
        let body = object_of(call.json()?)?;
        let parts = parts(&body, "batchRequests")?;
        let halts = body.get("haltOnError").is_some_and(|flag| flag == true);
        let mut results = Vec::with_capacity(parts.len());
        let mut failed = false;
        for part in parts {
            let answer = if halts && failed {
                let said = "Batch processing halted per request";
                Answer::of(Err(Failure {
                    status: 412,
                    ..Failure::request(412, "BATCH_PROCESSING_HALTED", said)
                }))
            } else {
                let url = said(part, "url")?.trim_start_matches('/');
                let url = match url.strip_prefix("services/data/") {
                    Some(_) => format!("/{url}"),
                    None => format!("/services/data/{url}"),
                };
                let request = Request::new(Method::parse(said(part, "method")?), &url);
                let body = part.get("richInput").cloned().unwrap_or(Value::Null);
                self.inner(hand, &request, &[], &body)
            };
            failed |= answer.status >= 300;
            results.push(json!({"statusCode": answer.status, "result": answer.shown()}));
        }
        Ok(Answer::json(
            200,
            json!({"hasErrors": failed, "results": results}),
        ))
    }
}

/// Whether a call asks to save what a duplicate rule would stop.
pub(super) fn saves_duplicates(call: &Call<'_>) -> bool {
    let header = call
        .header("sforce-duplicate-rule-header")
        .unwrap_or_default();
    header.split(';').any(|option| {
        let (name, value) = option.split_once('=').unwrap_or_default();
        name.trim().eq_ignore_ascii_case("allowSave") && value.trim().eq_ignore_ascii_case("true")
    })
}

/// A text with every `@{name.path}` replaced by what it names.
fn replaced(text: &str, known: &BTreeMap<String, Value>) -> Result<String, Failure> {
    let mut whole = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("@{") {
        let (reference, after) = after.split_once('}').ok_or_else(|| no_value(after))?;
        let value = named(reference, known).ok_or_else(|| no_value(reference))?;
        whole.push_str(before);
        match value {
            Value::String(text) => whole.push_str(text),
            other => whole.push_str(&other.to_string()),
        }
        rest = after;
    }
    whole.push_str(rest);
    Ok(whole)
}

fn replaced_within(value: &Value, known: &BTreeMap<String, Value>) -> Result<Value, Failure> {
    Ok(match value {
        Value::String(text) => replaced(text, known)?.into(),
        Value::Array(items) => {
            let items = items.iter().map(|item| replaced_within(item, known));
            items.collect::<Result<Vec<_>, _>>()?.into()
        }
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| Ok((name.clone(), replaced_within(value, known)?)));
            Value::Object(fields.collect::<Result<Map<_, _>, Failure>>()?)
        }
        other => other.clone(),
    })
}

/// What `c.id` or `q.records[0].Id` names; a value that is a record or a list can't be put into a text.
fn named<'a>(reference: &str, known: &'a BTreeMap<String, Value>) -> Option<&'a Value> {
    let (name, path) = reference.split_once('.').unwrap_or((reference, ""));
    let (name, first) = name.split_once('[').unwrap_or((name, ""));
    let mut value = known.get(name)?;
    if !first.is_empty() {
        let place: usize = first.strip_suffix(']')?.parse().ok()?;
        value = value.get(place)?;
    }
    for step in path.split('.').filter(|step| !step.is_empty()) {
        let (name, place) = step.split_once('[').unwrap_or((step, ""));
        value = value.get(name)?;
        if !place.is_empty() {
            let place: usize = place.strip_suffix(']')?.parse().ok()?;
            value = value.get(place)?;
        }
    }
    (!value.is_object() && !value.is_array() && !value.is_null()).then_some(value)
}

fn no_value(reference: &str) -> Failure {
    Failure::halted(format!(
        "Invalid reference specified. No value for {reference} found"
    ))
}
