//! Events: what happened in a call, as publishers send it.
//!
//! Decides which bytes are an event and which are not, and with which code they are refused. The wire format is
//! written out in `docs/contract.md`; unknown fields are ignored so that a newer publisher works with an older
//! worker. Error text never repeats a value of the event, only the name of its field: values are personal data.

mod contact;
mod id;
mod wire;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use contact::{ContactRef, Phone, name_parts};
pub(crate) use id::hex_prefix;
pub use id::{EventId, IdInput, body_digest};
pub use wire::{BadEvent, ContentType, decode, encode};

use crate::lane::Lane;
use crate::time::WallTime;

/// Version of the event format written by this crate, and the newest it reads.
pub const VERSION: u32 = 1;

/// Longest call id, in bytes.
pub const CALL_ID_BYTES_MAX: usize = 128;

/// The body of an event: named values, whose meaning depends on the kind.
pub type Body = BTreeMap<String, serde_json::Value>;

/// What happened in a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Version of the format; [`VERSION`].
    pub v: u32,
    /// The event's id, equal to the `Nats-Msg-Id` header.
    pub id: EventId,
    /// The voice platform's id of the call.
    pub call_id: String,
    /// What happened: one of [`KINDS`] or a kind with a configured mapping.
    pub kind: String,
    /// When it happened, epoch milliseconds.
    pub at: WallTime,
    /// The publisher's sequence or version of this piece of news, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Whom the call was with.
    pub contact: ContactRef,
    /// Values by name; which ones depends on the kind.
    #[serde(default)]
    pub body: Body,
}

/// What an event is made of before it has an id; [`Draft::into_event`] computes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// See [`Event::call_id`].
    pub call_id: String,
    /// See [`Event::kind`].
    pub kind: String,
    /// See [`Event::at`].
    pub at: WallTime,
    /// See [`Event::revision`].
    pub revision: Option<String>,
    /// See [`Event::contact`].
    pub contact: ContactRef,
    /// See [`Event::body`].
    pub body: Body,
}

impl Draft {
    /// The event with its id for `account`.
    pub fn into_event(self, account: &crate::account::AccountId) -> Event {
        let id = IdInput {
            account,
            call_id: &self.call_id,
            kind: &self.kind,
            at: self.at,
            revision: self.revision.as_deref(),
            contact: &self.contact,
            body: &self.body,
        }
        .id();
        Event {
            v: VERSION,
            id,
            call_id: self.call_id,
            kind: self.kind,
            at: self.at,
            revision: self.revision,
            contact: self.contact,
            body: self.body,
        }
    }
}

/// The known kinds with their usual lane.
pub const KINDS: &[(&str, Lane)] = &[
    ("call_started", Lane::Op),
    ("caller_identified", Lane::Op),
    ("call_ended", Lane::Op),
    ("call_transferred", Lane::Op),
    ("deal_stage_changed", Lane::Op),
    ("task_created", Lane::Op),
    ("opted_out", Lane::Op),
    ("contact_enriched", Lane::En),
    ("note_added", Lane::En),
    ("transcript_ready", Lane::En),
    ("sentiment_tagged", Lane::En),
    ("recording_ready", Lane::En),
    ("analytics_rolled_up", Lane::En),
];

/// The usual lane of a kind; unknown kinds are enrichment.
pub fn usual_lane(kind: &str) -> Lane {
    KINDS
        .iter()
        .find(|(known, _)| *known == kind)
        .map_or(Lane::En, |(_, lane)| *lane)
}

/// Whether a text may be a kind: `[a-z][a-z0-9_]{0,63}`.
pub fn is_kind(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}
