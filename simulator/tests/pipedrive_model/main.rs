//! The fake Pipedrive, request by request, and the real translation against it. Every test drives the pure model with
//! instants of its own.

mod access;
mod faults;
mod limits;
mod line;
mod listings;
mod look_ups;
mod lost_answers;
mod oauth;
#[path = "../operations/mod.rs"]
mod operations;
mod records;
mod round_trip;
mod searches;

use callflume_sim::fakes::{Method, Reply, Request};
use callflume_sim::pipedrive::{CustomField, FieldOwner, Pipedrive, PipedriveConfig, Token};
use serde_json::{Value, json};

/// 15 June 2026, 12:00 UTC.
pub(crate) const NOON_MS: i64 = 1_781_524_800_000;
pub(crate) const TOKEN: &str = "sim-token";
pub(crate) const PERSONS: &str = "/api/v2/persons";
pub(crate) const ACTIVITIES: &str = "/api/v2/activities";
pub(crate) const DEALS: &str = "/api/v2/deals";
pub(crate) const NOTES: &str = "/api/v1/notes";

/// Codes of the custom fields that [`config`] makes.
pub(crate) const PERSON_KEY: &str = "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1";
pub(crate) const OPTED_OUT: &str = "a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2";
pub(crate) const DEAL_KEY: &str = "d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1";

/// The default company with our custom fields and a second token, OAuth's, of a user who is no administrator.
pub(crate) fn config() -> PipedriveConfig {
    let mut config = PipedriveConfig {
        custom_fields: vec![
            CustomField::text(FieldOwner::Person, "Voice key", PERSON_KEY),
            CustomField::text(FieldOwner::Person, "No calls", OPTED_OUT),
            CustomField::text(FieldOwner::Deal, "Voice key", DEAL_KEY),
        ],
        ..PipedriveConfig::default()
    };
    config.tokens.push(Token::oauth("oauth-token", 32));
    config
}

pub(crate) fn company() -> Pipedrive {
    Pipedrive::new(config()).unwrap()
}

pub(crate) fn send(
    crm: &mut Pipedrive,
    at_ms: i64,
    method: Method,
    target: &str,
    body: &Value,
) -> Reply {
    let mut request = Request::new(method, target).with_header("x-api-token", TOKEN);
    if !body.is_null() {
        request = request.with_json(body);
    }
    crm.handle(at_ms, &request)
}

pub(crate) fn get(crm: &mut Pipedrive, at_ms: i64, target: &str) -> Reply {
    send(crm, at_ms, Method::Get, target, &Value::Null)
}

pub(crate) fn post(crm: &mut Pipedrive, at_ms: i64, target: &str, body: &Value) -> Reply {
    send(crm, at_ms, Method::Post, target, body)
}

pub(crate) fn patch(crm: &mut Pipedrive, at_ms: i64, target: &str, body: &Value) -> Reply {
    send(crm, at_ms, Method::Patch, target, body)
}

/// `data` of a reply that must have the status given and say whether it is a success.
#[track_caller]
pub(crate) fn data(reply: &Reply, status: u16) -> Value {
    let body = body(reply, status);
    assert_eq!(body["success"], status < 300, "{body}");
    body["data"].clone()
}

/// Body of a reply that must have the status given.
#[track_caller]
pub(crate) fn body(reply: &Reply, status: u16) -> Value {
    let text = String::from_utf8_lossy(&reply.body);
    assert_eq!(reply.status, status, "{text}");
    reply.body_json().expect("a JSON body")
}

/// Creates a record and returns its id.
#[track_caller]
pub(crate) fn created(crm: &mut Pipedrive, at_ms: i64, target: &str, fields: Value) -> u64 {
    data(&post(crm, at_ms, target, &fields), 200)["id"]
        .as_u64()
        .unwrap()
}

/// A person with this name, made at this instant.
#[track_caller]
pub(crate) fn person(crm: &mut Pipedrive, at_ms: i64, name: &str) -> u64 {
    created(crm, at_ms, PERSONS, json!({"name": name}))
}
