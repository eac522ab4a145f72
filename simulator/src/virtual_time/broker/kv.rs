//! Buckets: a stream of which each subject is a key.
//!
//! Decides what counts as absent (never written, deleted, expired), as `callflume-jetstream` does on the real broker,
//! and in which order a watch tells of changes. An expiry belongs to one value: a plain write removes it.

use std::sync::Arc;

use bytes::Bytes;

use super::message::{Headers, Message, header, matches};
use super::refusal::Refusal;
use super::{Broker, StreamConfig};

/// A deletion's marker goes after this long, milliseconds, where only the last value of a key is kept.
const DELETION_VISIBLE_MS: u64 = 3_600_000;

/// What a key holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyState {
    /// Nothing, and no trace of anything.
    Never,
    /// Nothing any more; the marker has this revision.
    Gone {
        /// Of the marker.
        revision: u64,
    },
    /// A value.
    Present(Arc<Message>),
}

/// What a write expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Whatever is there.
    Anything,
    /// No value: never written, deleted or expired.
    Absent,
    /// This revision is the key's last one; 0 for none.
    Revision(u64),
}

/// A change of a key, as a watch tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The key.
    pub key: String,
    /// Its value; none when it was deleted or expired.
    pub value: Option<Bytes>,
    /// The revision.
    pub revision: u64,
}

/// What a watch gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Watched {
    /// A current value, or a change.
    Change(Change),
    /// Everything that stood when the watch began has been given.
    UpToDate,
}

/// A watch: current values in the order of their revisions, the word that these were all, then every change that still
/// stands when it is looked at.
#[derive(Debug, Clone)]
pub struct Watch {
    stream: String,
    prefix: String,
    filter: String,
    next: u64,
    current_until: Option<u64>,
}

/// Name of the stream under a bucket.
pub fn bucket_stream(bucket: &str) -> String {
    format!("KV_{bucket}")
}

/// The stream under a bucket that keeps the last value of each key.
pub fn bucket_config(bucket: &str, marker_ttl_ms: Option<u64>) -> StreamConfig {
    StreamConfig {
        name: bucket_stream(bucket),
        subjects: vec![format!("$KV.{bucket}.>")],
        max_bytes: None,
        max_message_bytes: None,
        per_subject: Some(1),
        duplicate_window_ms: 120_000,
        allow_ttl: true,
        marker_ttl_ms,
    }
}

impl Broker {
    /// What a key holds.
    pub fn key(&mut self, now_ms: i64, bucket: &str, key: &str) -> Result<KeyState, Refusal> {
        let last = self.last(now_ms, &bucket_stream(bucket), &subject(bucket, key))?;
        Ok(match last {
            None => KeyState::Never,
            Some(message) if message.is_marker() => KeyState::Gone {
                revision: message.seq,
            },
            Some(message) => KeyState::Present(message),
        })
    }

    /// A key's value.
    pub fn read(
        &mut self,
        now_ms: i64,
        bucket: &str,
        key: &str,
    ) -> Result<Option<Arc<Message>>, Refusal> {
        Ok(match self.key(now_ms, bucket, key)? {
            KeyState::Present(message) => Some(message),
            KeyState::Never | KeyState::Gone { .. } => None,
        })
    }

    /// Writes a value that expires after `ttl_ms` (whole seconds, rounded up), if one is given; answers the revision.
    pub fn write(
        &mut self,
        now_ms: i64,
        bucket: &str,
        key: &str,
        value: Bytes,
        expected: Expected,
        ttl_ms: Option<u64>,
    ) -> Result<u64, Refusal> {
        let mut headers = Headers::new();
        if let Some(ttl_ms) = ttl_ms {
            headers.push(expiry(ttl_ms));
        }
        self.write_expecting(now_ms, bucket, key, headers, value, expected)
    }

    /// Deletes; answers the marker's revision.
    pub fn delete(
        &mut self,
        now_ms: i64,
        bucket: &str,
        key: &str,
        expected: Expected,
    ) -> Result<u64, Refusal> {
        let mut headers: Headers = vec![
            (header::KV_OPERATION.into(), "PURGE".to_owned()),
            (header::ROLLUP.into(), "sub".to_owned()),
        ];
        headers.push(expiry(DELETION_VISIBLE_MS));
        self.write_expecting(now_ms, bucket, key, headers, Bytes::new(), expected)
    }

    fn write_expecting(
        &mut self,
        now_ms: i64,
        bucket: &str,
        key: &str,
        mut headers: Headers,
        value: Bytes,
        expected: Expected,
    ) -> Result<u64, Refusal> {
        let revision = match expected {
            Expected::Anything => None,
            Expected::Revision(revision) => Some(revision),
            Expected::Absent => Some(match self.key(now_ms, bucket, key)? {
                KeyState::Gone { revision } => revision,
                KeyState::Never | KeyState::Present(_) => 0,
            }),
        };
        if let Some(revision) = revision {
            headers.push((header::EXPECTED_LAST.into(), revision.to_string()));
        }
        let subject = subject(bucket, key);
        self.publish(now_ms, &subject, headers, value)
            .map(|stored| stored.seq)
    }

    /// Begins a watch of the keys under `filter`.
    pub fn watch(&mut self, now_ms: i64, bucket: &str, filter: &str) -> Result<Watch, Refusal> {
        let stream = bucket_stream(bucket);
        let last = self.stream_state(now_ms, &stream)?.last_seq;
        Ok(Watch {
            stream,
            prefix: format!("$KV.{bucket}."),
            filter: subject(bucket, filter),
            next: 1,
            current_until: Some(last),
        })
    }

    /// The next thing a watch has to tell; none while nothing has changed.
    pub fn watched(&mut self, now_ms: i64, watch: &mut Watch) -> Result<Option<Watched>, Refusal> {
        let until = watch.current_until;
        let found = self
            .stream_at(now_ms, &watch.stream)?
            .from(watch.next)
            .find(|message| matches(&watch.filter, &message.subject))
            .filter(|message| until.is_none_or(|last| message.seq <= last));
        let Some(message) = found else {
            return Ok(watch.current_until.take().map(|last| {
                watch.next = watch.next.max(last + 1);
                Watched::UpToDate
            }));
        };
        watch.next = message.seq + 1;
        let key = message
            .subject
            .strip_prefix(&watch.prefix)
            .unwrap_or(&message.subject);
        Ok(Some(Watched::Change(Change {
            key: key.to_owned(),
            value: (!message.is_marker()).then(|| message.payload.clone()),
            revision: message.seq,
        })))
    }
}

fn subject(bucket: &str, key: &str) -> String {
    format!("$KV.{bucket}.{key}")
}

fn expiry(ttl_ms: u64) -> (std::borrow::Cow<'static, str>, String) {
    let seconds = ttl_ms.div_ceil(1_000).max(1);
    (header::TTL.into(), seconds.to_string())
}
