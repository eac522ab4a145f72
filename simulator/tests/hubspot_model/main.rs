//! The fake HubSpot, request by request. Every test drives the pure model with instants of its own.

mod access;
mod batches;
mod faults;
mod limits;
mod links;
mod oauth;
mod records;
mod refusals;
mod searches;

use callflume_sim::fakes::{Method, Reply, Request};
use callflume_sim::hubspot::{CustomProperty, HubSpot, HubSpotConfig, ObjectKind};
use serde_json::{Value, json};

/// 15 June 2026, 12:00 UTC.
pub(crate) const NOON_MS: i64 = 1_781_524_800_000;
pub(crate) const TOKEN: &str = "sim-token";
pub(crate) const CONTACTS: &str = "/crm/v3/objects/contacts";
pub(crate) const CALLS: &str = "/crm/v3/objects/calls";

/// The default account with our key properties made.
pub(crate) fn config() -> HubSpotConfig {
    HubSpotConfig {
        properties: vec![
            CustomProperty::unique(ObjectKind::Contacts, "voice_ref"),
            CustomProperty::text(ObjectKind::Contacts, "voice_mood"),
            CustomProperty::unique(ObjectKind::Calls, "voice_ref"),
        ],
        ..HubSpotConfig::default()
    }
}

pub(crate) fn account() -> HubSpot {
    HubSpot::new(config()).unwrap()
}

pub(crate) fn send(
    crm: &mut HubSpot,
    at_ms: i64,
    method: Method,
    target: &str,
    body: &Value,
) -> Reply {
    let mut request = Request::new(method, target).with_bearer(TOKEN);
    if !body.is_null() {
        request = request.with_json(body);
    }
    crm.handle(at_ms, &request)
}

pub(crate) fn get(crm: &mut HubSpot, at_ms: i64, target: &str) -> Reply {
    send(crm, at_ms, Method::Get, target, &Value::Null)
}

pub(crate) fn post(crm: &mut HubSpot, at_ms: i64, target: &str, body: &Value) -> Reply {
    send(crm, at_ms, Method::Post, target, body)
}

pub(crate) fn patch(crm: &mut HubSpot, at_ms: i64, target: &str, body: &Value) -> Reply {
    send(crm, at_ms, Method::Patch, target, body)
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
pub(crate) fn created(crm: &mut HubSpot, at_ms: i64, target: &str, properties: Value) -> String {
    let reply = post(crm, at_ms, target, &json!({"properties": properties}));
    body(&reply, 201)["id"].as_str().unwrap().to_owned()
}
