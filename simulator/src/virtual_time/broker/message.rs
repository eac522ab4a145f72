//! Messages of the model: subjects and their filters, headers, what a message takes in the store.
//!
//! Invariant: sizes are those of the real server's file store, so that a stream is full at the same message.

use std::borrow::Cow;

use bytes::Bytes;

/// Names of the headers the model knows.
pub mod header {
    /// Deduplication id.
    pub const MESSAGE_ID: &str = "Nats-Msg-Id";
    /// Expiry of this one message: seconds, with or without an `s`.
    pub const TTL: &str = "Nats-TTL";
    /// The message is taken only if its subject's last sequence is this one.
    pub const EXPECTED_LAST: &str = "Nats-Expected-Last-Subject-Sequence";
    /// The message is taken only by the stream of this name.
    pub const EXPECTED_STREAM: &str = "Nats-Expected-Stream";
    /// `sub`: earlier messages of the subject go.
    pub const ROLLUP: &str = "Nats-Rollup";
    /// Why the broker itself put a marker here: `MaxAge` for an expiry.
    pub const MARKER_REASON: &str = "Nats-Marker-Reason";
    /// `DEL` or `PURGE` on a deletion's marker.
    pub const KV_OPERATION: &str = "KV-Operation";
}

/// Headers in their order.
pub type Headers = Vec<(Cow<'static, str>, String)>;

/// The value of a header.
pub fn value<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(found, _)| found == name)
        .map(|(_, value)| value.as_str())
}

/// A stored message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its sequence in the stream.
    pub seq: u64,
    /// When it was stored, epoch milliseconds by the broker's clock.
    pub at_ms: i64,
    /// Its subject.
    pub subject: String,
    /// Its headers.
    pub headers: Headers,
    /// Its body.
    pub payload: Bytes,
    /// When it goes by itself.
    pub(super) expires_ms: Option<i64>,
}

impl Message {
    /// Whether it stands for "this key has no value": deleted, purged or expired.
    pub fn is_marker(&self) -> bool {
        value(&self.headers, header::MARKER_REASON).is_some()
            || matches!(
                value(&self.headers, header::KV_OPERATION),
                Some("DEL" | "PURGE")
            )
    }

    /// Bytes it takes in the store.
    pub fn stored_bytes(&self) -> u64 {
        stored_bytes(&self.subject, &self.headers, &self.payload)
    }
}

/// `NATS/1.0`, its line break, and the empty line at the end.
const HEADER_FRAME_BYTES: usize = 12;
/// Length, sequence, time and length of the subject before each stored message, a checksum after it.
const RECORD_BYTES: usize = 30;
/// Length of the headers, where there are any.
const HEADER_LENGTH_BYTES: usize = 4;

/// Bytes of the headers on the wire; 0 without any.
pub(super) fn header_bytes(headers: &Headers) -> usize {
    if headers.is_empty() {
        return 0;
    }
    HEADER_FRAME_BYTES
        + headers
            .iter()
            .map(|(name, value)| name.len() + ": ".len() + value.len() + "\r\n".len())
            .sum::<usize>()
}

pub(super) fn stored_bytes(subject: &str, headers: &Headers, payload: &Bytes) -> u64 {
    let headers = match header_bytes(headers) {
        0 => 0,
        bytes => bytes + HEADER_LENGTH_BYTES,
    };
    (RECORD_BYTES + subject.len() + headers + payload.len()) as u64
}

/// Whether a subject lies under a filter: `*` is one token, a last `>` all that follow (at least one).
pub(super) fn matches(filter: &str, subject: &str) -> bool {
    let mut tokens = subject.split('.');
    for wanted in filter.split('.') {
        if wanted == ">" {
            return tokens.next().is_some();
        }
        match tokens.next() {
            Some(token) if wanted == "*" || wanted == token => {}
            _ => return false,
        }
    }
    tokens.next().is_none()
}

/// The part of a filter before its first wildcard: every subject under it begins so.
pub(super) fn literal_part(filter: &str) -> &str {
    let end = filter.find(['*', '>']).unwrap_or(filter.len());
    filter.get(..end).unwrap_or(filter)
}

/// The filters without `*` that a subject lies under: itself, and each of its beginnings with `.>`.
pub(super) fn plain_filters(subject: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let beginnings = subject
        .match_indices('.')
        .filter_map(|(dot, _)| subject.get(..=dot))
        .map(|start| Cow::Owned(format!("{start}>")));
    std::iter::once(Cow::Borrowed(subject))
        .chain(std::iter::once(Cow::Borrowed(">")))
        .chain(beginnings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read_as_the_broker_reads_them() {
        for (filter, subject, expected) in [
            ("a.b", "a.b", true),
            ("a.b", "a.b.c", false),
            ("a.*", "a.b", true),
            ("a.*", "a", false),
            ("a.*", "a.b.c", false),
            ("a.>", "a.b.c", true),
            ("a.>", "a", false),
            (">", "a", true),
            ("*.b.>", "a.b.c.d", true),
            ("*.b.>", "a.c.c.d", false),
        ] {
            assert_eq!(matches(filter, subject), expected, "{filter} {subject}");
            if expected && !filter.contains('*') {
                assert!(plain_filters(subject).any(|found| found == filter));
            }
            assert!(!expected || subject.starts_with(literal_part(filter)));
        }
    }
}
