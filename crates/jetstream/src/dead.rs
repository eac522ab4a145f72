//! Dead letters: what could not be written, with the reason and the original bytes.
//!
//! Decides how a letter is stored (`dead.v1.<lane>.<account>.<code>`, what is said about it in headers, the event's
//! body untouched) and found again. A letter about the same effect of the same message is stored once, however often
//! it is sent. Causes must be free of personal data; this module only makes them fit into a header.

use async_nats::HeaderMap;
use async_nats::header::NATS_EXPECTED_STREAM;
use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use bytes::Bytes;
use callflume_core::account::AccountId;
use callflume_core::codes::Code;
use callflume_core::lane::Lane;
use callflume_core::time::{BrokerTime, WallTime};

use crate::assets::DEAD;
use crate::broker::{Broker, broker_time, header};
use crate::delivery::EVENT_ID_HEADER;
use crate::error::Error;
use crate::stored::{Scan, StoredStream};

/// The longest text in a header, characters.
const MAX_TEXT: usize = 600;
/// First guess of how far back the newest letters reach, in sequences; doubled until enough are found.
const FIRST_WINDOW: u64 = 512;

const CODE: &str = "Cf-Code";
const CAUSE: &str = "Cf-Cause";
const ATTEMPTS: &str = "Cf-Attempts";
const EFFECT: &str = "Cf-Effect";
const ORIGIN_SUBJECT: &str = "Cf-Origin-Subject";
const ORIGIN_SEQ: &str = "Cf-Origin-Seq";
const AT: &str = "Cf-At";
pub(crate) const CONTENT_TYPE: &str = "Content-Type";
pub(crate) const TRACEPARENT: &str = "traceparent";

/// What could not be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The event's lane.
    pub lane: Lane,
    /// The account it is for.
    pub account: AccountId,
    /// Why, as a stable code (text, because it may come from a newer Callflume); see [`DeadLetter::known_code`].
    pub code: String,
    /// Why, in words without personal data.
    pub cause: String,
    /// Attempts made at the CRM.
    pub attempts: u32,
    /// The event's id, if it has one.
    pub event_id: Option<String>,
    /// The effect, if it is not the whole event.
    pub effect: Option<String>,
    /// The subject the event was published on.
    pub subject: String,
    /// Its sequence in the lane's stream.
    pub stream_seq: u64,
    /// How the body is written.
    pub content_type: Option<String>,
    /// The trace it belongs to.
    pub traceparent: Option<String>,
    /// The event's body as it came.
    pub payload: Bytes,
    /// When it was given up.
    pub at: WallTime,
}

impl DeadLetter {
    /// The code, if this version knows it.
    pub fn known_code(&self) -> Option<Code> {
        Code::find(&self.code)
    }

    /// The id under which the broker stores it once: `dead:<stream>:<sequence>:<effect or ->`.
    pub fn message_id(&self) -> String {
        format!(
            "dead:{}:{}:{}",
            self.lane.stream(),
            self.stream_seq,
            header_text(self.effect.as_deref().unwrap_or("-"))
        )
    }

    fn dead_subject(&self) -> String {
        format!(
            "dead.v1.{}.{}.{}",
            self.lane.token(),
            self.account,
            token(&self.code)
        )
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut set = |name: &'static str, text: &str| headers.insert(name, header_text(text));
        set(CODE, &self.code);
        set(CAUSE, &self.cause);
        set(ATTEMPTS, &self.attempts.to_string());
        set(ORIGIN_SUBJECT, &self.subject);
        set(ORIGIN_SEQ, &self.stream_seq.to_string());
        set(AT, &self.at.0.to_string());
        for (name, text) in [
            (EVENT_ID_HEADER, &self.event_id),
            (EFFECT, &self.effect),
            (CONTENT_TYPE, &self.content_type),
            (TRACEPARENT, &self.traceparent),
        ] {
            if let Some(text) = text {
                set(name, text);
            }
        }
        headers.insert(NATS_EXPECTED_STREAM, DEAD);
        headers
    }

    fn read(message: StreamMessage) -> Result<StoredDeadLetter, Error> {
        let seq = message.sequence;
        let unexpected = |cause: &str| Error::Unexpected {
            what: format!("dead letter {seq}"),
            cause: cause.to_owned(),
        };
        let mut tokens = message.subject.split('.').skip(2);
        let lane = tokens
            .next()
            .and_then(|token| token.parse().ok())
            .ok_or_else(|| unexpected("its subject names no lane"))?;
        let account = tokens
            .next()
            .and_then(|token| token.parse().ok())
            .ok_or_else(|| unexpected("its subject names no account"))?;
        let text = |name: &str| header(&message.headers, name).map(ToOwned::to_owned);
        let number = |name: &str| header(&message.headers, name).and_then(|text| text.parse().ok());
        let stored = broker_time(message.time);
        Ok(StoredDeadLetter {
            seq,
            stored,
            letter: Self {
                lane,
                account,
                code: text(CODE).unwrap_or_default(),
                cause: text(CAUSE).unwrap_or_default(),
                attempts: number(ATTEMPTS).unwrap_or_default() as u32,
                event_id: text(EVENT_ID_HEADER),
                effect: text(EFFECT),
                subject: text(ORIGIN_SUBJECT).unwrap_or_default(),
                stream_seq: number(ORIGIN_SEQ).unwrap_or_default(),
                content_type: text(CONTENT_TYPE),
                traceparent: text(TRACEPARENT),
                at: WallTime(number(AT).map_or(stored.0, |at| at as i64)),
                payload: message.payload,
            },
        })
    }
}

/// A dead letter with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDeadLetter {
    /// Its own sequence: what `show` and `delete` take.
    pub seq: u64,
    /// When the broker stored it.
    pub stored: BrokerTime,
    /// The letter.
    pub letter: DeadLetter,
}

/// Which dead letters to list.
#[derive(Debug, Clone, Default)]
pub struct DeadFilter {
    /// Only of this lane.
    pub lane: Option<Lane>,
    /// Only of this account.
    pub account: Option<AccountId>,
    /// Only with this code.
    pub code: Option<Code>,
}

impl DeadFilter {
    fn subject(&self) -> String {
        format!(
            "dead.v1.{}.{}.{}",
            self.lane.map_or("*", Lane::token),
            self.account.as_ref().map_or("*", AccountId::as_str),
            self.code.map_or("*", Code::as_str)
        )
    }
}

/// Where a list begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListFrom {
    /// The newest letters, newest first.
    Newest,
    /// Letters with this sequence or a later one, oldest first.
    Sequence(u64),
}

/// The stream of dead letters.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    stream: StoredStream,
}

impl DeadLetters {
    /// The dead letters at this broker.
    pub fn new(broker: &Broker) -> Self {
        Self {
            stream: StoredStream::new(broker.clone(), DEAD),
        }
    }

    /// Stores a letter, once; gives its sequence. Safe to repeat after an unknown outcome.
    pub async fn publish(&self, letter: &DeadLetter) -> Result<u64, Error> {
        let message = PublishMessage::build()
            .payload(letter.payload.clone())
            .headers(letter.headers())
            .message_id(letter.message_id());
        let ack = self
            .stream
            .broker()
            .publish(&letter.dead_subject(), message)
            .await?;
        Ok(ack.sequence)
    }

    /// At most `limit` letters.
    pub async fn list(
        &self,
        filter: &DeadFilter,
        from: ListFrom,
        limit: usize,
    ) -> Result<Vec<StoredDeadLetter>, Error> {
        let subject = filter.subject();
        match from {
            ListFrom::Sequence(seq) => self.forward(&subject, seq, u64::MAX, limit).await,
            ListFrom::Newest => self.newest(&subject, limit).await,
        }
    }

    /// The letter with this sequence.
    pub async fn show(&self, seq: u64) -> Result<Option<StoredDeadLetter>, Error> {
        self.stream.at(seq).await?.map(DeadLetter::read).transpose()
    }

    /// Removes a letter, after a replay or when an operator drops it.
    pub async fn delete(&self, seq: u64) -> Result<(), Error> {
        self.stream.delete(seq).await
    }

    /// How many letters there are per lane, account and code.
    pub async fn counts(&self) -> Result<Vec<DeadCount>, Error> {
        let subjects = self.stream.subjects("dead.v1.>").await?;
        Ok(subjects
            .into_iter()
            .filter_map(|(subject, count)| {
                let mut tokens = subject.split('.').skip(2);
                Some(DeadCount {
                    lane: tokens.next()?.parse().ok()?,
                    account: tokens.next()?.parse().ok()?,
                    code: tokens.next()?.to_owned(),
                    count,
                })
            })
            .collect())
    }

    /// The newest letter of a lane, account and code, from the leader.
    pub(crate) async fn last(
        &self,
        lane: Lane,
        account: &AccountId,
        code: Code,
    ) -> Result<Option<StoredDeadLetter>, Error> {
        let filter = DeadFilter {
            lane: Some(lane),
            account: Some(account.clone()),
            code: Some(code),
        };
        self.stream
            .last(&filter.subject())
            .await?
            .map(DeadLetter::read)
            .transpose()
    }

    /// The broker only reads forwards: windows before the end, each twice as wide as the one after it.
    async fn newest(&self, subject: &str, limit: usize) -> Result<Vec<StoredDeadLetter>, Error> {
        let state = self.stream.state().await?;
        let mut newest = Vec::new();
        let mut end = state.last_seq.saturating_add(1);
        let mut width = FIRST_WINDOW;
        while newest.len() < limit && end > state.first_seq {
            let start = end.saturating_sub(width).max(state.first_seq);
            let found = self.forward(subject, start, end, usize::MAX).await?;
            newest.extend(found.into_iter().rev());
            end = start;
            width = width.saturating_mul(2);
        }
        newest.truncate(limit);
        Ok(newest)
    }

    async fn forward(
        &self,
        subject: &str,
        start: u64,
        end: u64,
        limit: usize,
    ) -> Result<Vec<StoredDeadLetter>, Error> {
        let mut letters = Vec::new();
        if limit == 0 {
            return Ok(letters);
        }
        self.stream
            .scan(subject, start, |message| {
                if message.sequence >= end {
                    return Scan::Stop;
                }
                let seq = message.sequence;
                match DeadLetter::read(message) {
                    Ok(letter) => letters.push(letter),
                    // One that somebody else put there must not hide the others; `show` still names it.
                    Err(error) => tracing::warn!(seq, %error, "skipped what is no dead letter"),
                }
                if letters.len() >= limit {
                    Scan::Stop
                } else {
                    Scan::GoOn
                }
            })
            .await?;
        Ok(letters)
    }
}

/// How many dead letters there are of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadCount {
    /// The lane.
    pub lane: Lane,
    /// The account.
    pub account: AccountId,
    /// The code.
    pub code: String,
    /// How many.
    pub count: u64,
}

/// One line of printable ASCII: what a header surely carries.
fn header_text(text: &str) -> String {
    let safe: String = text
        .chars()
        .take(MAX_TEXT)
        .map(|c| match c {
            ' '..='~' => c,
            c if c.is_whitespace() => ' ',
            _ => '?',
        })
        .collect();
    safe.trim().to_owned()
}

/// One token of a subject.
fn token(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_fits_into_a_header() {
        let table = [
            ("plain", "plain"),
            ("two\r\nlines\tand a tab", "two  lines and a tab"),
            ("Grüße", "Gr??e"),
            ("  \u{0} ", "?"),
            ("", ""),
        ];
        for (text, expected) in table {
            assert_eq!(header_text(text), expected, "{text:?}");
        }
        assert_eq!(header_text(&"x".repeat(10_000)).len(), MAX_TEXT);
    }
}
