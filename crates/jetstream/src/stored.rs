//! Reading and removing what a stream holds, without a consumer.
//!
//! Two kinds of reads: *strict* ones are answered by the stream's leader (what was acknowledged is seen), *fast* ones
//! by any replica (they may be a moment behind). Nothing here leaves anything behind on the broker.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::StatusCode;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::RawMessage;
use callflume_core::time::BrokerTime;
use futures_util::StreamExt as _;
use serde::Deserialize;
use serde_json::json;

use crate::broker::{API_TIMEOUT, Broker, NO_MESSAGE, STREAM_NOT_FOUND, api_subject, broker_time};
use crate::error::Error;
use crate::floor::Floor;

/// Messages per answer of a scan; the broker streams them, so this bounds what may wait in the client.
const SCAN_BATCH: usize = 256;
/// The broker ends a request that it can't serve with these.
const NOT_FOUND: u16 = 404;
/// End of a batch.
const END_OF_BATCH: u16 = 204;

/// How a stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StreamState {
    /// First sequence still there.
    pub(crate) first_seq: u64,
    /// Last sequence ever given.
    pub(crate) last_seq: u64,
    /// Bytes stored.
    pub(crate) bytes: u64,
    /// Its limit; `None` when it has none.
    pub(crate) max_bytes: Option<u64>,
    /// Values kept per subject; negative for all.
    pub(crate) per_subject: i64,
    /// Whether a message may carry its own expiry.
    pub(crate) allows_ttl: bool,
    /// Copies of it.
    pub(crate) replicas: u64,
    /// When the stream was made.
    pub(crate) created: Option<BrokerTime>,
    /// When the broker wrote this answer.
    pub(crate) answered_at: Option<BrokerTime>,
}

/// A stream by name.
#[derive(Debug, Clone)]
pub(crate) struct StoredStream {
    broker: Broker,
    name: String,
}

impl StoredStream {
    pub(crate) fn new(broker: Broker, name: impl Into<String>) -> Self {
        Self {
            broker,
            name: name.into(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn broker(&self) -> &Broker {
        &self.broker
    }

    /// How it stands, from its leader. A stream that is not there is [`Error::NotProvisioned`].
    pub(crate) async fn state(&self) -> Result<StreamState, Error> {
        let info: InfoAnswer = self.info(&json!({})).await?;
        Ok(StreamState {
            first_seq: info.state.first_seq,
            last_seq: info.state.last_seq,
            bytes: info.state.bytes,
            max_bytes: u64::try_from(info.config.max_bytes)
                .ok()
                .filter(|limit| *limit > 0),
            per_subject: info.config.max_msgs_per_subject,
            allows_ttl: info.config.allow_msg_ttl,
            replicas: info.config.num_replicas,
            created: time(info.created.as_deref()),
            answered_at: time(info.ts.as_deref()),
        })
    }

    /// How many messages each subject under `filter` has.
    pub(crate) async fn subjects(&self, filter: &str) -> Result<BTreeMap<String, u64>, Error> {
        let mut all = BTreeMap::new();
        loop {
            let page: InfoAnswer = self
                .info(&json!({ "subjects_filter": filter, "offset": all.len() }))
                .await?;
            let before = all.len();
            all.extend(page.state.subjects.unwrap_or_default());
            if all.len() == before || all.len() as u64 >= page.total {
                return Ok(all);
            }
        }
    }

    /// The last message on `subject` (strict).
    pub(crate) async fn last(&self, subject: &str) -> Result<Option<StreamMessage>, Error> {
        self.message(&json!({ "last_by_subj": subject }), || {
            format!("the last message on {subject}")
        })
        .await
    }

    /// The message with this sequence (strict).
    pub(crate) async fn at(&self, seq: u64) -> Result<Option<StreamMessage>, Error> {
        self.message(&json!({ "seq": seq }), || {
            format!("message {seq} of {}", self.name)
        })
        .await
    }

    /// The first message on `filter` with this sequence or a later one (strict).
    pub(crate) async fn next(
        &self,
        filter: &str,
        seq: u64,
    ) -> Result<Option<StreamMessage>, Error> {
        self.message(
            &json!({ "next_by_subj": filter, "seq": seq.max(1) }),
            || format!("the messages on {filter}"),
        )
        .await
    }

    /// The last message on `subject` (fast).
    pub(crate) async fn last_fast(&self, subject: &str) -> Result<Option<StreamMessage>, Error> {
        let what = || format!("the last message on {subject}");
        let answer = self
            .broker
            .ask(
                api_subject(&format!("DIRECT.GET.{}.{subject}", self.name)),
                Vec::new().into(),
                API_TIMEOUT,
                what,
            )
            .await?;
        match answer.status {
            None => stream_message(answer, what).map(Some),
            Some(status) if status.as_u16() == NOT_FOUND => Ok(None),
            Some(status) => Err(unexpected_status(
                status,
                answer.description.as_deref(),
                what(),
            )),
        }
    }

    /// Every message on `filter` from `from_seq` on (fast), in order, until `each` says stop.
    pub(crate) async fn scan(
        &self,
        filter: &str,
        from_seq: u64,
        mut each: impl FnMut(StreamMessage) -> Scan,
    ) -> Result<(), Error> {
        let mut next = from_seq.max(1);
        loop {
            let what = || format!("the messages on {filter}");
            let inbox = self.broker.client().new_inbox();
            let mut answers = self
                .broker
                .client()
                .subscribe(inbox.clone())
                .await
                .map_err(|_| Error::Closed { what: what() })?;
            let request = json!({ "seq": next, "next_by_subj": filter, "batch": SCAN_BATCH });
            self.broker
                .client()
                .publish_with_reply(
                    api_subject(&format!("DIRECT.GET.{}", self.name)),
                    inbox,
                    request.to_string().into(),
                )
                .await
                .map_err(|_| Error::Closed { what: what() })?;
            let mut came = false;
            loop {
                let answer = within(API_TIMEOUT, answers.next(), what).await?;
                match answer.status {
                    None => {
                        let message = stream_message(answer, what)?;
                        came = true;
                        next = message.sequence + 1;
                        if each(message) == Scan::Stop {
                            return Ok(());
                        }
                    }
                    Some(status) if status.as_u16() == END_OF_BATCH => break,
                    Some(status) if status.as_u16() == NOT_FOUND => return Ok(()),
                    Some(status) => {
                        return Err(unexpected_status(
                            status,
                            answer.description.as_deref(),
                            what(),
                        ));
                    }
                }
            }
            if !came {
                return Ok(());
            }
        }
    }

    /// Removes the messages on `filter` below `seq`; gives how many.
    pub(crate) async fn purge_below(&self, filter: &str, seq: u64) -> Result<u64, Error> {
        let answer: PurgeAnswer = self
            .broker
            .request(
                &format!("STREAM.PURGE.{}", self.name),
                &json!({ "filter": filter, "seq": seq }),
                || format!("the purge of {filter} below {seq}"),
            )
            .await?;
        Ok(answer.purged)
    }

    /// Removes one message; fine when it is gone already.
    pub(crate) async fn delete(&self, seq: u64) -> Result<(), Error> {
        let answer: Result<serde::de::IgnoredAny, Error> = self
            .broker
            .request(
                &format!("STREAM.MSG.DELETE.{}", self.name),
                &json!({ "seq": seq }),
                || format!("the deletion of message {seq} of {}", self.name),
            )
            .await;
        match answer {
            Ok(_) => Ok(()),
            Err(error) if self.at(seq).await?.is_some() => Err(error),
            Err(_) => Ok(()),
        }
    }

    async fn info(&self, request: &serde_json::Value) -> Result<InfoAnswer, Error> {
        self.broker
            .request(&format!("STREAM.INFO.{}", self.name), request, || {
                format!("the state of {}", self.name)
            })
            .await
            .map_err(|error| self.missing(error))
    }

    async fn message(
        &self,
        request: &serde_json::Value,
        what: impl Fn() -> String,
    ) -> Result<Option<StreamMessage>, Error> {
        let answer: Result<MessageAnswer, Error> = self
            .broker
            .request(&format!("STREAM.MSG.GET.{}", self.name), request, &what)
            .await;
        match answer {
            Ok(answer) => {
                answer
                    .message
                    .try_into()
                    .map(Some)
                    .map_err(|error: async_nats::Error| Error::Unexpected {
                        what: what(),
                        cause: error.to_string(),
                    })
            }
            Err(Error::Refused { broker_code, .. }) if broker_code == NO_MESSAGE => Ok(None),
            Err(error) => Err(self.missing(error)),
        }
    }

    fn missing(&self, error: Error) -> Error {
        match error {
            Error::Refused { broker_code, .. } if broker_code == STREAM_NOT_FOUND => {
                Error::NotProvisioned {
                    missing: vec![
                        self.name
                            .strip_prefix("KV_")
                            .unwrap_or(&self.name)
                            .to_owned(),
                    ],
                }
            }
            other => other,
        }
    }
}

impl StreamState {
    /// The floor's sequence, if it can be one of this stream: not beyond its end, and not written before the stream
    /// was made. A stream that was lost and made anew counts from 1; an old floor would hide what is in it.
    pub(crate) fn trusts(&self, floor: Floor) -> Option<u64> {
        let of_a_former = matches!(
            (self.created, floor.written),
            (Some(created), Some(written)) if created > written
        );
        (!of_a_former && floor.seq <= self.last_seq + 1).then_some(floor.seq)
    }
}

fn time(text: Option<&str>) -> Option<BrokerTime> {
    text.and_then(|text| async_nats::datetime::parse_rfc3339(text).ok())
        .map(broker_time)
}

/// Whether a scan goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scan {
    /// Give the next message.
    GoOn,
    /// Enough.
    Stop,
}

async fn within<T>(
    limit: Duration,
    next: impl Future<Output = Option<T>>,
    what: impl Fn() -> String,
) -> Result<T, Error> {
    match tokio::time::timeout(limit, next).await {
        Ok(Some(found)) => Ok(found),
        Ok(None) => Err(Error::Closed { what: what() }),
        Err(_) => Err(Error::Unknown { what: what() }),
    }
}

fn stream_message(
    answer: async_nats::Message,
    what: impl Fn() -> String,
) -> Result<StreamMessage, Error> {
    answer.try_into().map_err(
        |error: async_nats::jetstream::message::StreamMessageError| Error::Unexpected {
            what: what(),
            cause: error.to_string(),
        },
    )
}

fn unexpected_status(status: StatusCode, description: Option<&str>, what: String) -> Error {
    if status == StatusCode::NO_RESPONDERS {
        return Error::NoResponder { what };
    }
    Error::Refused {
        what,
        broker_code: u64::from(status.as_u16()),
        description: description.unwrap_or("no reason given").to_owned(),
    }
}

#[derive(Deserialize)]
struct InfoAnswer {
    config: InfoConfig,
    state: InfoState,
    #[serde(default)]
    total: u64,
    #[serde(default)]
    created: Option<String>,
    #[serde(default)]
    ts: Option<String>,
}

#[derive(Deserialize)]
struct InfoConfig {
    #[serde(default)]
    max_bytes: i64,
    #[serde(default)]
    max_msgs_per_subject: i64,
    #[serde(default)]
    allow_msg_ttl: bool,
    #[serde(default)]
    num_replicas: u64,
}

#[derive(Deserialize)]
struct InfoState {
    bytes: u64,
    first_seq: u64,
    last_seq: u64,
    #[serde(default)]
    subjects: Option<BTreeMap<String, u64>>,
}

#[derive(Deserialize)]
struct MessageAnswer {
    message: RawMessage,
}

#[derive(Deserialize)]
struct PurgeAnswer {
    purged: u64,
}
