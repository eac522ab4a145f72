//! One stream: what is stored, refused, recognised, removed and expired.
//!
//! Time comes with every call; [`Stream::advance`] first carries out what has fallen due, in the order of its instants.
//!
//! Invariants: sequences only rise; nothing goes by itself but a message with an expiry of its own and, where a number
//! is set, the oldest of a subject; a full stream refuses and forgets nothing; an id is recognised for its window
//! whatever became of its message.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use super::message::{
    Headers, Message, header, header_bytes, literal_part, matches, stored_bytes, value,
};
use super::refusal::Refusal;

/// How a stream is made. Retention is `limits` and a full stream refuses (`discard: new`), as everywhere in Callflume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamConfig {
    /// Its name.
    pub name: String,
    /// What it listens on.
    pub subjects: Vec<String>,
    /// Bytes it may hold.
    pub max_bytes: Option<u64>,
    /// The largest message, headers included, bytes.
    pub max_message_bytes: Option<u64>,
    /// Messages kept per subject.
    pub per_subject: Option<u64>,
    /// How long an id is recognised, milliseconds.
    pub duplicate_window_ms: u64,
    /// Whether a message may carry an expiry.
    pub allow_ttl: bool,
    /// How long the broker marks an expiry, milliseconds; none: no marker.
    pub marker_ttl_ms: Option<u64>,
}

/// What a publisher is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Sequence of the message, or of the one it repeats.
    pub seq: u64,
    /// Whether it was known by its id.
    pub duplicate: bool,
}

/// A stream's figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamState {
    /// Messages stored.
    pub messages: u64,
    /// Their bytes in the store.
    pub bytes: u64,
    /// First sequence still there; one past the last when nothing is.
    pub first_seq: u64,
    /// Last sequence ever given.
    pub last_seq: u64,
}

/// Messages of one subject, by sequence.
type Sequences = VecDeque<u64>;

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) config: StreamConfig,
    messages: BTreeMap<u64, Arc<Message>>,
    subjects: BTreeMap<String, Sequences>,
    expiries: BTreeSet<(i64, u64)>,
    ids: BTreeMap<String, u64>,
    ids_by_time: VecDeque<(i64, String)>,
    bytes: u64,
    last_seq: u64,
}

impl Stream {
    pub(super) fn new(config: StreamConfig) -> Self {
        Self {
            config,
            messages: BTreeMap::new(),
            subjects: BTreeMap::new(),
            expiries: BTreeSet::new(),
            ids: BTreeMap::new(),
            ids_by_time: VecDeque::new(),
            bytes: 0,
            last_seq: 0,
        }
    }

    /// Carries out every expiry up to `now_ms`.
    pub(super) fn advance(&mut self, now_ms: i64) {
        while let Some((at_ms, seq)) = self.expiries.first().copied()
            && at_ms <= now_ms
        {
            self.expire(at_ms, seq);
        }
        let window_ms = i64::try_from(self.config.duplicate_window_ms).unwrap_or(i64::MAX);
        while let Some((at_ms, _)) = self.ids_by_time.front()
            && at_ms.saturating_add(window_ms) <= now_ms
        {
            if let Some((_, id)) = self.ids_by_time.pop_front() {
                self.ids.remove(&id);
            }
        }
    }

    fn expire(&mut self, at_ms: i64, seq: u64) {
        self.expiries.remove(&(at_ms, seq));
        let Some(gone) = self.remove(seq) else {
            return;
        };
        let by_broker = value(&gone.headers, header::MARKER_REASON).is_some();
        let last = !self.subjects.contains_key(&gone.subject);
        if let Some(marker_ttl_ms) = self.config.marker_ttl_ms.filter(|_| last && !by_broker) {
            let headers = vec![
                (header::MARKER_REASON.into(), "MaxAge".to_owned()),
                (header::TTL.into(), written_by_broker(marker_ttl_ms)),
                (header::ROLLUP.into(), "sub".to_owned()),
            ];
            self.put(
                at_ms,
                gone.subject.clone(),
                headers,
                Bytes::new(),
                Some(marker_ttl_ms),
            );
        }
    }

    /// Stores, recognises or refuses.
    pub(super) fn publish(
        &mut self,
        now_ms: i64,
        subject: &str,
        headers: Headers,
        payload: Bytes,
    ) -> Result<Stored, Refusal> {
        self.advance(now_ms);
        if let Some(expected) = value(&headers, header::EXPECTED_STREAM)
            && expected != self.config.name
        {
            return Err(Refusal::WrongStream);
        }
        let ttl_ms = self.ttl_ms(&headers)?;
        if let Some(expected) = value(&headers, header::EXPECTED_LAST) {
            let last = self.last_of(subject).map_or(0, |message| message.seq);
            if expected.parse() != Ok(last) {
                return Err(Refusal::WrongLastSequence { last });
            }
        }
        let id = value(&headers, header::MESSAGE_ID);
        if let Some(seq) = id.and_then(|id| self.ids.get(id)) {
            return Ok(Stored {
                seq: *seq,
                duplicate: true,
            });
        }
        let size = (header_bytes(&headers) + payload.len()) as u64;
        if self
            .config
            .max_message_bytes
            .is_some_and(|most| size > most)
        {
            return Err(Refusal::TooLarge);
        }
        if self.is_full(subject, size) {
            return Err(Refusal::Full);
        }
        if let Some(id) = id.filter(|_| self.config.duplicate_window_ms > 0) {
            self.ids.insert(id.to_owned(), self.last_seq + 1);
            self.ids_by_time.push_back((now_ms, id.to_owned()));
        }
        let rollup = value(&headers, header::ROLLUP) == Some("sub");
        let seq = self.put(now_ms, subject.to_owned(), headers, payload, ttl_ms);
        if rollup {
            self.keep_last(subject, 1);
        }
        Ok(Stored {
            seq,
            duplicate: false,
        })
    }

    fn ttl_ms(&self, headers: &Headers) -> Result<Option<u64>, Refusal> {
        let Some(text) = value(headers, header::TTL) else {
            return Ok(None);
        };
        if !self.config.allow_ttl {
            return Err(Refusal::TtlNotAllowed);
        }
        match text.trim_end_matches('s').parse::<u64>() {
            Ok(seconds @ 1..) => Ok(Some(seconds.saturating_mul(1_000))),
            _ => Err(Refusal::TtlInvalid),
        }
    }

    /// A message that takes an older one's place needs only the difference.
    fn is_full(&self, subject: &str, size: u64) -> bool {
        let Some(max_bytes) = self.config.max_bytes else {
            return false;
        };
        if self.bytes + size < max_bytes {
            return false;
        }
        let replaced = self.config.per_subject.and_then(|most| {
            let held = self.subjects.get(subject)?;
            (held.len() as u64 >= most)
                .then(|| held.front())
                .flatten()
                .and_then(|seq| self.messages.get(seq))
        });
        replaced.is_none_or(|old| old.stored_bytes() <= size)
    }

    fn put(
        &mut self,
        now_ms: i64,
        subject: String,
        headers: Headers,
        payload: Bytes,
        ttl_ms: Option<u64>,
    ) -> u64 {
        self.last_seq += 1;
        let seq = self.last_seq;
        let expires_ms = ttl_ms.map(|ms| now_ms.saturating_add(ms.cast_signed()));
        if let Some(at_ms) = expires_ms {
            self.expiries.insert((at_ms, seq));
        }
        self.bytes += stored_bytes(&subject, &headers, &payload);
        match self.subjects.get_mut(&subject) {
            Some(held) => held.push_back(seq),
            None => {
                self.subjects.insert(subject.clone(), VecDeque::from([seq]));
            }
        }
        let message = Message {
            seq,
            at_ms: now_ms,
            subject,
            headers,
            payload,
            expires_ms,
        };
        let message = Arc::new(message);
        self.messages.insert(seq, message.clone());
        if let Some(most) = self.config.per_subject {
            self.keep_last(&message.subject, most);
        }
        seq
    }

    fn keep_last(&mut self, subject: &str, most: u64) {
        while let Some(held) = self.subjects.get(subject)
            && held.len() as u64 > most
            && let Some(oldest) = held.front().copied()
        {
            self.remove(oldest);
        }
    }

    fn remove(&mut self, seq: u64) -> Option<Arc<Message>> {
        let message = self.messages.remove(&seq)?;
        self.bytes -= message.stored_bytes();
        if let Some(at_ms) = message.expires_ms {
            self.expiries.remove(&(at_ms, seq));
        }
        if let Some(held) = self.subjects.get_mut(&message.subject) {
            if let Ok(place) = held.binary_search(&seq) {
                held.remove(place);
            }
            if held.is_empty() {
                self.subjects.remove(&message.subject);
            }
        }
        Some(message)
    }

    /// Removes the messages under `filter` below `below`; answers how many.
    pub(super) fn purge(&mut self, now_ms: i64, filter: &str, below: u64) -> u64 {
        self.advance(now_ms);
        let doomed: Vec<u64> = self
            .under(filter)
            .flat_map(|held| {
                held.iter()
                    .copied()
                    .take_while(|seq| *seq < below)
                    .collect::<Vec<_>>()
            })
            .collect();
        for seq in &doomed {
            self.remove(*seq);
        }
        doomed.len() as u64
    }

    pub(super) fn get(&self, seq: u64) -> Option<&Arc<Message>> {
        self.messages.get(&seq)
    }

    /// The last message of a subject.
    pub(super) fn last_of(&self, subject: &str) -> Option<&Arc<Message>> {
        self.messages.get(self.subjects.get(subject)?.back()?)
    }

    /// Everything from this sequence on.
    pub(super) fn from(&self, seq: u64) -> impl Iterator<Item = &Arc<Message>> {
        self.messages.range(seq..).map(|(_, message)| message)
    }

    /// The first message under `filter` from `seq` on.
    pub(super) fn next(&self, filter: &str, seq: u64) -> Option<&Arc<Message>> {
        let next = self
            .under(filter)
            .filter_map(|held| held.get(held.partition_point(|other| *other < seq)))
            .min()?;
        self.messages.get(next)
    }

    /// How many messages under `filter` there are from `seq` on.
    pub(super) fn count(&self, filter: &str, seq: u64) -> u64 {
        self.under(filter)
            .map(|held| (held.len() - held.partition_point(|other| *other < seq)) as u64)
            .sum()
    }

    fn under<'a>(&'a self, filter: &'a str) -> impl Iterator<Item = &'a Sequences> {
        let start = literal_part(filter);
        self.subjects
            .range::<str, _>((Bound::Included(start), Bound::Unbounded))
            .take_while(move |(subject, _)| subject.starts_with(start))
            .filter(move |(subject, _)| matches(filter, subject))
            .map(|(_, held)| held)
    }

    pub(super) fn state(&self) -> StreamState {
        StreamState {
            messages: self.messages.len() as u64,
            bytes: self.bytes,
            first_seq: self
                .messages
                .first_key_value()
                .map_or(self.last_seq + 1, |(seq, _)| *seq),
            last_seq: self.last_seq,
        }
    }
}

/// A time as the broker writes it: `5s`, `1m0s`, `1h0m0s`.
fn written_by_broker(ms: u64) -> String {
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}
