//! Event ids: the same news always has the same id, different news another one.
//!
//! ```text
//! id       = first 32 hex digits of SHA-256( lines joined by "\n" )
//! lines    = "callflume-event/1", account, call id, kind, event time in epoch ms (decimal), revision line
//! revision = "r:" + the publisher's revision, or without one "d:" + SHA-256 hex of the canonical JSON of
//!            {"body": …, "contact": …}
//! ```
//! Canonical JSON: keys sorted, no white space, absent fields left out, UTF-8 as it is. The account is part of it
//! because JetStream deduplicates per stream, not per subject. Vectors: `docs/contract.md`.

use std::fmt;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Body, ContactRef};
use crate::account::AccountId;
use crate::time::WallTime;

/// Id of an event: 1 to 128 printable ASCII characters without spaces. Callflume's own are 32 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(String);

impl EventId {
    /// Takes any text that can be a `Nats-Msg-Id`.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        let fits = (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        fits.then_some(Self(text))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an id is computed from.
#[derive(Debug, Clone, Copy)]
pub struct IdInput<'a> {
    /// The account the event is for.
    pub account: &'a AccountId,
    /// The call's id.
    pub call_id: &'a str,
    /// The kind.
    pub kind: &'a str,
    /// The event time.
    pub at: WallTime,
    /// The publisher's revision, if it has one.
    pub revision: Option<&'a str>,
    /// Part of the digest when there is no revision.
    pub contact: &'a ContactRef,
    /// Part of the digest when there is no revision.
    pub body: &'a Body,
}

impl IdInput<'_> {
    /// The id.
    pub fn id(&self) -> EventId {
        let revision = match self.revision {
            Some(revision) => format!("r:{revision}"),
            None => format!("d:{}", body_digest(self.contact, self.body)),
        };
        let text = format!(
            "callflume-event/1\n{}\n{}\n{}\n{}\n{revision}",
            self.account, self.call_id, self.kind, self.at.0
        );
        EventId(hex_prefix(&Sha256::digest(text.as_bytes()), 16))
    }
}

/// SHA-256 (64 hex digits) of the canonical JSON of contact and body.
pub fn body_digest(contact: &ContactRef, body: &Body) -> String {
    // serde_json's map is sorted by key (its feature `preserve_order` is off), so going through Value is canonical.
    let value = serde_json::json!({ "body": body, "contact": contact });
    hex_prefix(&Sha256::digest(value.to_string().as_bytes()), 32)
}

/// The first `bytes` bytes in lower-case hex.
pub(crate) fn hex_prefix(digest: &[u8], bytes: usize) -> String {
    digest
        .iter()
        .take(bytes)
        .fold(String::with_capacity(bytes * 2), |mut text, byte| {
            let written = write!(text, "{byte:02x}");
            debug_assert!(written.is_ok(), "writing to a String can't fail");
            text
        })
}
