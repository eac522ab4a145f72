//! The fake Close, request by request. Every test drives the pure model with instants of its own.

mod access;
mod carry;
mod events;
mod faults;
mod limits;
mod outside;
mod records;
mod round_trip;
mod searches;

use callflume_sim::close::{Close, CloseConfig, CustomField, ObjectKind};
use callflume_sim::fakes::{Method, Reply, Request};
use serde_json::{Value, json};

/// 15 June 2026, 12:00 UTC.
pub(crate) const NOON_MS: i64 = 1_781_524_800_000;
/// `sim-key:` as Basic.
pub(crate) const BASIC: &str = "Basic c2ltLWtleTo=";

/// The default organisation with the fields that Callflume needs.
pub(crate) fn config() -> CloseConfig {
    let text = CustomField::text;
    CloseConfig {
        custom_fields: vec![
            text(ObjectKind::Contact, "cf_key", "Callflume key"),
            text(ObjectKind::Contact, "cf_out", "Callflume opted out"),
            text(ObjectKind::Contact, "cf_mood", "Callflume sentiment"),
            text(ObjectKind::Opportunity, "cf_deal", "Callflume key"),
        ],
        ..CloseConfig::default()
    }
}

pub(crate) fn organisation() -> Close {
    Close::new(config()).unwrap()
}

pub(crate) fn send(crm: &mut Close, at_ms: i64, method: Method, path: &str, body: &Value) -> Reply {
    let mut request =
        Request::new(method, &format!("/api/v1{path}")).with_header("authorization", BASIC);
    if !body.is_null() {
        request = request.with_json(body);
    }
    crm.handle(at_ms, &request)
}

pub(crate) fn get(crm: &mut Close, at_ms: i64, path: &str) -> Reply {
    send(crm, at_ms, Method::Get, path, &Value::Null)
}

pub(crate) fn post(crm: &mut Close, at_ms: i64, path: &str, body: &Value) -> Reply {
    send(crm, at_ms, Method::Post, path, body)
}

pub(crate) fn put(crm: &mut Close, at_ms: i64, path: &str, body: &Value) -> Reply {
    send(crm, at_ms, Method::Put, path, body)
}

/// Body of a reply that must have the status given.
#[track_caller]
pub(crate) fn body(reply: &Reply, status: u16) -> Value {
    let text = String::from_utf8_lossy(&reply.body);
    assert_eq!(reply.status, status, "{text}");
    reply.body_json().expect("a JSON body")
}

/// Makes a lead with one contact, and returns both ids.
#[track_caller]
pub(crate) fn person(crm: &mut Close, at_ms: i64, contact: &Value) -> (String, String) {
    let lead = json!({"name": contact["name"], "contacts": [contact]});
    let lead = body(&post(crm, at_ms, "/lead/", &lead), 200);
    let said = |value: &Value| value.as_str().unwrap().to_owned();
    (said(&lead["id"]), said(&lead["contacts"][0]["id"]))
}
