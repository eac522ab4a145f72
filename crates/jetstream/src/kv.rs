//! A KV bucket: strict and fast reads, writes with expiry, compare-and-set, watches.
//!
//! Decides what counts as absent (never written, deleted, purged, expired) and how a compare-and-set from "absent"
//! works when the broker left a marker behind. An expiry belongs to one value, not to the key: whoever writes a key
//! that shall expire gives the expiry with every write.

use std::time::Duration;

use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use async_nats::{HeaderMap, header};
use bytes::Bytes;
use callflume_core::time::BrokerTime;
use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::assets::bucket_stream;
use crate::broker::{Broker, broker_time};
use crate::error::Error;
pub use crate::error::SwapError;
use crate::stored::StoredStream;
use crate::watch::{Watch, Watched};

/// Reads that [`Bucket::read_many`] has under way at a time.
const READS_AT_A_TIME: usize = 32;
/// How long a deletion stays visible to watches before it disappears too.
const DELETION_VISIBLE: Duration = Duration::from_secs(3600);

/// A value with what the broker knows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The value.
    pub value: Bytes,
    /// Its revision, for a compare-and-set.
    pub revision: u64,
    /// When the broker stored it.
    pub created: BrokerTime,
}

/// What a key holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyState {
    /// Nothing, and no trace of anything.
    Never,
    /// Nothing any more: deleted or expired, with this revision.
    Gone {
        /// Revision of the marker.
        revision: u64,
    },
    /// A value.
    Present(Entry),
}

impl KeyState {
    /// The value, if there is one.
    pub fn present(self) -> Option<Entry> {
        match self {
            Self::Present(entry) => Some(entry),
            Self::Never | Self::Gone { .. } => None,
        }
    }
}

/// What a compare-and-set expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// No value: never written, deleted or expired.
    Absent,
    /// The value with this revision.
    Revision(u64),
}

/// A bucket that exists. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Bucket {
    stream: StoredStream,
    name: String,
    prefix: String,
    keeps_history: bool,
    allows_ttl: bool,
    /// There is one copy, so whoever answers a fast read has seen every acknowledged write.
    single: bool,
}

impl Bucket {
    /// Opens a bucket; [`Error::NotProvisioned`] when it is not there.
    pub async fn open(broker: &Broker, name: &str) -> Result<Self, Error> {
        let stream = StoredStream::new(broker.clone(), bucket_stream(name));
        let state = stream.state().await?;
        Ok(Self {
            stream,
            name: name.to_owned(),
            prefix: format!("$KV.{name}."),
            keeps_history: state.per_subject != 1,
            allows_ttl: state.allows_ttl,
            single: state.replicas == 1,
        })
    }

    /// The bucket's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn stream(&self) -> &StoredStream {
        &self.stream
    }

    /// What the key holds, answered by the leader.
    pub async fn state(&self, key: &str) -> Result<KeyState, Error> {
        let subject = self.subject(key)?;
        Ok(match self.stream.last(&subject).await? {
            None => KeyState::Never,
            Some(message) if is_marker(&message.headers) => KeyState::Gone {
                revision: message.sequence,
            },
            Some(message) => KeyState::Present(entry(message)),
        })
    }

    /// The value, answered by the leader: every acknowledged write is seen.
    pub async fn read(&self, key: &str) -> Result<Option<Entry>, Error> {
        Ok(self.state(key).await?.present())
    }

    /// The value, answered by any replica: may be a moment behind.
    pub async fn read_fast(&self, key: &str) -> Result<Option<Entry>, Error> {
        let subject = self.subject(key)?;
        Ok(self
            .stream
            .last_fast(&subject)
            .await?
            .filter(|message| !is_marker(&message.headers))
            .map(entry))
    }

    /// The value; every acknowledged write is seen. Answered by the leader where there are several copies, and as fast as
    /// any read where there is one.
    pub async fn read_current(&self, key: &str) -> Result<Option<Entry>, Error> {
        if self.single {
            self.read_fast(key).await
        } else {
            self.read(key).await
        }
    }

    /// The values of many keys, in their order, each as by [`Self::read`].
    pub async fn read_many(
        &self,
        keys: impl IntoIterator<Item = String>,
    ) -> Result<Vec<Option<Entry>>, Error> {
        futures_util::stream::iter(keys)
            .map(|key| async move { self.read(&key).await })
            .buffered(READS_AT_A_TIME)
            .try_collect()
            .await
    }

    /// Writes, whatever was there; gives the revision. The value does not expire.
    pub async fn put(&self, key: &str, value: impl Into<Bytes>) -> Result<u64, Error> {
        self.write(key, value.into(), None).await
    }

    /// Writes a value that expires after `ttl` (whole seconds, rounded up, at least 1 s).
    pub async fn put_ttl(
        &self,
        key: &str,
        value: impl Into<Bytes>,
        ttl: Duration,
    ) -> Result<u64, Error> {
        self.write(key, value.into(), Some(ttl)).await
    }

    /// Writes if the key holds what is expected; gives the new revision.
    pub async fn swap(
        &self,
        key: &str,
        value: impl Into<Bytes>,
        expected: Expected,
        ttl: Option<Duration>,
    ) -> Result<u64, SwapError> {
        let value = value.into();
        let at = |revision| {
            expiring(PublishMessage::build().payload(value.clone()), ttl)
                .expected_last_subject_sequence(revision)
        };
        match expected {
            Expected::Revision(revision) => self.publish(key, at(revision)).await,
            Expected::Absent => match self.publish(key, at(0)).await {
                // A marker left behind by a deletion or an expiry has a revision of its own.
                Err(lost @ SwapError::Lost { .. }) => match self.state(key).await? {
                    KeyState::Gone { revision } => self.publish(key, at(revision)).await,
                    KeyState::Never => self.publish(key, at(0)).await,
                    KeyState::Present(_) => Err(lost),
                },
                other => other,
            },
        }
    }

    /// Deletes, whatever was there; gives the marker's revision.
    pub async fn delete(&self, key: &str) -> Result<u64, Error> {
        let subject = self.subject(key)?;
        let ack = self
            .stream
            .broker()
            .publish(&subject, self.deletion())
            .await?;
        Ok(ack.sequence)
    }

    /// Deletes if the key still has this revision.
    pub async fn delete_if(&self, key: &str, revision: u64) -> Result<u64, SwapError> {
        let deletion = self.deletion().expected_last_subject_sequence(revision);
        self.publish(key, deletion).await
    }

    /// The current values under `filter` (a key; `*` one part, `>` all that follow), then every change.
    pub async fn watch(&self, filter: &str) -> Result<Watch, Error> {
        Watch::start(self, filter, false).await
    }

    /// The keys under `filter` that hold a value.
    pub async fn keys(&self, filter: &str) -> Result<Vec<String>, Error> {
        let mut watch = Watch::start(self, filter, true).await?;
        let mut keys = std::collections::BTreeSet::new();
        loop {
            match watch.next().await? {
                Watched::UpToDate => return Ok(keys.into_iter().collect()),
                Watched::Change(change) => match change.value {
                    Some(_) => {
                        keys.insert(change.key);
                    }
                    None => {
                        keys.remove(&change.key);
                    }
                },
            }
        }
    }

    /// Subject of a key.
    pub(crate) fn subject(&self, key: &str) -> Result<String, Error> {
        self.subject_of(key, false)
    }

    /// Subject of a key or of a filter on keys.
    pub(crate) fn filter_subject(&self, filter: &str) -> Result<String, Error> {
        self.subject_of(filter, true)
    }

    pub(crate) fn key_of<'a>(&self, subject: &'a str) -> &'a str {
        subject.strip_prefix(&self.prefix).unwrap_or(subject)
    }

    fn subject_of(&self, key: &str, wildcards: bool) -> Result<String, Error> {
        let fits = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|byte| {
                    byte.is_ascii_alphanumeric()
                        || matches!(byte, b'-' | b'_' | b'/' | b'=')
                        || (wildcards && matches!(byte, b'*' | b'>'))
                })
        };
        if key.split('.').all(fits) {
            Ok(format!("{}{key}", self.prefix))
        } else {
            Err(Error::InvalidKey {
                bucket: self.name.clone(),
                key: key.chars().take(80).collect(),
            })
        }
    }

    async fn write(&self, key: &str, value: Bytes, ttl: Option<Duration>) -> Result<u64, Error> {
        let subject = self.subject(key)?;
        let message = expiring(PublishMessage::build().payload(value), ttl);
        Ok(self
            .stream
            .broker()
            .publish(&subject, message)
            .await?
            .sequence)
    }

    async fn publish(&self, key: &str, message: PublishMessage) -> Result<u64, SwapError> {
        let subject = self.subject(key)?;
        match self
            .stream
            .broker()
            .publish_expecting(&subject, message)
            .await
        {
            Ok(ack) => Ok(ack.sequence),
            Err(SwapError::Lost { .. }) => Err(SwapError::Lost {
                key: key.to_owned(),
            }),
            Err(failed) => Err(failed),
        }
    }

    /// A deletion marker. Where earlier values are kept it stays (an expiring one would bring them back); elsewhere
    /// it goes after a while, so that deleted keys cost nothing.
    fn deletion(&self) -> PublishMessage {
        let mut headers = HeaderMap::new();
        if self.keeps_history {
            headers.insert("KV-Operation", "DEL");
        } else {
            headers.insert("KV-Operation", "PURGE");
            headers.insert(header::NATS_ROLLUP, "sub");
        }
        let ttl = (self.allows_ttl && !self.keeps_history).then_some(DELETION_VISIBLE);
        expiring(PublishMessage::build().headers(headers), ttl)
    }
}

/// Whether a message with these headers stands for "this key has no value": deleted, purged or expired.
pub(crate) fn is_marker(headers: &HeaderMap) -> bool {
    headers
        .get("KV-Operation")
        .is_some_and(|operation| matches!(operation.as_str(), "DEL" | "PURGE"))
        || headers.get(header::NATS_MARKER_REASON).is_some()
}

/// The broker takes whole seconds, from 1. Rounded up: a value must not go before its time.
fn expiring(message: PublishMessage, ttl: Option<Duration>) -> PublishMessage {
    match ttl {
        None => message,
        Some(ttl) => {
            let seconds = ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0);
            message.ttl(Duration::from_secs(seconds.max(1)))
        }
    }
}

fn entry(message: StreamMessage) -> Entry {
    Entry {
        value: message.payload,
        revision: message.sequence,
        created: broker_time(message.time),
    }
}
