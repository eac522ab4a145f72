//! Events for stories.

use callflume_core::event::{ContactRef, Draft, Event};
use callflume_core::time::WallTime;
use serde_json::json;

use crate::world::{START_MS, account};

/// An event of a kind about the person with this phone, `at_ms` after the world's start.
pub(crate) fn event(
    kind: &str,
    call: &str,
    phone: &str,
    at_ms: i64,
    body: serde_json::Value,
) -> Event {
    let contact = ContactRef {
        phone: Some(phone.to_owned()),
        ..ContactRef::default()
    };
    event_of(kind, call, contact, at_ms, body)
}

pub(crate) fn event_of(
    kind: &str,
    call: &str,
    contact: ContactRef,
    at_ms: i64,
    body: serde_json::Value,
) -> Event {
    Draft {
        call_id: call.to_owned(),
        kind: kind.to_owned(),
        at: WallTime(START_MS + at_ms),
        revision: None,
        contact,
        body: body
            .as_object()
            .cloned()
            .unwrap_or_default()
            .into_iter()
            .collect(),
    }
    .into_event(&account())
}

pub(crate) fn call_ended(call: &str, phone: &str) -> Event {
    event(
        "call_ended",
        call,
        phone,
        0,
        json!({"disposition": "connected", "duration_ms": 61_000}),
    )
}

pub(crate) fn enriched(
    call: &str,
    phone: &str,
    at_ms: i64,
    properties: serde_json::Value,
) -> Event {
    event(
        "contact_enriched",
        call,
        phone,
        at_ms,
        json!({"properties": properties}),
    )
}

pub(crate) fn note(call: &str, phone: &str, text: &str) -> Event {
    event("note_added", call, phone, 0, json!({"text": text}))
}

pub(crate) fn sentiment(call: &str, phone: &str) -> Event {
    event(
        "sentiment_tagged",
        call,
        phone,
        5_000,
        json!({"sentiment": "positive"}),
    )
}
