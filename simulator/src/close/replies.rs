//! Reply bodies: errors, the throttle answer and instants.
//!
//! Shapes are Close's; of texts only their absence is documented, so they are ours.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::limits::{Scope, State};
use crate::fakes::Reply;

/// An instant as Close writes it: UTC with microseconds and an offset.
pub(super) fn iso(at_ms: i64) -> String {
    Timestamp::from_millisecond(at_ms).map_or_else(
        |_| at_ms.to_string(),
        |at| at.strftime("%Y-%m-%dT%H:%M:%S.%3f000+00:00").to_string(),
    )
}

/// An instant in any ISO form, or a date as its midnight in UTC.
pub(super) fn instant(text: &str) -> Option<i64> {
    let whole = if text.len() == 10 {
        format!("{text}T00:00:00Z")
    } else {
        text.to_owned()
    };
    whole
        .parse::<Timestamp>()
        .ok()
        .map(Timestamp::as_millisecond)
}

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Refusal {
    /// One text: 401, 402, 403, 404, 405, 415, and 400 of a request that isn't about fields.
    Plain(u16, &'static str),
    /// 400 with what is wrong with each field.
    Fields(Map<String, Value>),
}

impl Refusal {
    pub(super) const fn not_found() -> Self {
        Self::Plain(404, "Nothing lives at this address.")
    }

    /// 400 of one field.
    pub(super) fn field(name: &str, said: impl Into<Value>) -> Self {
        Self::Fields(Map::from_iter([(name.to_owned(), said.into())]))
    }

    pub(super) fn reply(&self) -> Reply {
        match self {
            Self::Plain(status, said) => Reply::json(*status, &json!({"error": said})),
            Self::Fields(fields) => {
                Reply::json(400, &json!({"errors": [], "field-errors": fields}))
            }
        }
    }
}

/// A page of something in between, not JSON.
pub(super) fn html(status: u16, said: &str) -> Reply {
    let mut reply = Reply::empty(status);
    reply.push_header("Content-Type", "text/html");
    reply.body = format!("<html><body>{said}</body></html>").into_bytes();
    reply
}

/// 429. `old_body` adds the deprecated body, the only place where a fraction of a second appears.
pub(super) fn throttled(state: State, scope: Scope, group: &str, old_body: bool) -> Reply {
    let mut reply = if old_body {
        let of = match scope {
            Scope::Key => "key",
            Scope::Organization => "org",
        };
        Reply::json(
            429,
            &json!({"error": {
                "message": "More calls than this window allows",
                "rate_reset": state.resets_in_ms as f64 / 1_000.0,
                "rate_limit": state.limit,
                "rate_window": 1,
                "rate_limit_type": of,
                "rate_endpoint_group": group_id(group),
            }}),
        )
    } else {
        Reply::json(429, &json!({}))
    };
    reply.push_header("Retry-After", reset_s(state));
    reply
}

/// `RateLimit`, in whole numbers: a client's pattern knows no others.
pub(super) fn add_limit_header(state: State, reply: &mut Reply) {
    let text = format!(
        "limit={}, remaining={}, reset={}",
        state.limit,
        state.remaining,
        reset_s(state)
    );
    reply.push_header("RateLimit", text);
}

/// Rounded up: who waits so long is not too early.
fn reset_s(state: State) -> i64 {
    (state.resets_in_ms + 999) / 1_000
}

/// A group's id as the old body shows one: 8 hex digits of its name.
fn group_id(group: &str) -> String {
    let sum = group.bytes().fold(0x811c_9dc5_u32, |sum, byte| {
        (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    format!("{sum:08x}")
}
