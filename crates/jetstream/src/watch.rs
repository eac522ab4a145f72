//! Watching a bucket: the current values, the word that these were all, then every change.
//!
//! Decides when the current values are complete, also when there are none, or when one expired before it was
//! delivered. A watch survives lost connections and servers, but a gap of some seconds is possible then, and a value
//! that came and expired within it is never seen: read again from time to time what must not be missed.

use std::time::Duration;

use async_nats::jetstream::consumer::push::{Ordered, OrderedConfig};
use async_nats::jetstream::consumer::{DeliverPolicy, ReplayPolicy};
use async_nats::jetstream::stream::ConsumerErrorKind;
use async_nats::jetstream::{self, consumer};
use bytes::Bytes;
use callflume_core::time::BrokerTime;
use futures_util::{Stream, StreamExt as _};

use crate::broker::broker_time;
use crate::error::Error;
use crate::kv::{Bucket, is_marker};

/// Silence after which the broker is asked whether anything is still to come. Only while catching up.
const QUIET: Duration = Duration::from_secs(1);

/// What a watch gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Watched {
    /// A current value, or a change.
    Change(Change),
    /// Every value that stood when the watch began has been given. Comes once.
    UpToDate,
}

/// A key's new state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The key.
    pub key: String,
    /// Its value; `None` when it was deleted or expired.
    pub value: Option<Bytes>,
    /// The revision.
    pub revision: u64,
    /// When the broker stored it.
    pub created: BrokerTime,
}

/// A running watch. Keep polling it: it can only recover from a lost connection while polled.
pub struct Watch {
    bucket: Bucket,
    filter: String,
    messages: Ordered,
    last_seq: u64,
    caught_up: bool,
    tell: bool,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch")
            .field("bucket", &self.bucket.name())
            .field("filter", &self.filter)
            .finish_non_exhaustive()
    }
}

impl Watch {
    pub(crate) async fn start(
        bucket: &Bucket,
        filter: &str,
        headers_only: bool,
    ) -> Result<Self, Error> {
        let subject = bucket.filter_subject(filter)?;
        let what = || format!("a watch of {filter} in bucket {}", bucket.name());
        let broker = bucket.stream().broker();
        let consumer: consumer::Consumer<OrderedConfig> = broker
            .context()
            .create_consumer_on_stream(
                OrderedConfig {
                    deliver_subject: broker.client().new_inbox(),
                    description: Some("callflume watch".to_owned()),
                    filter_subject: subject.clone(),
                    replay_policy: ReplayPolicy::Instant,
                    deliver_policy: DeliverPolicy::LastPerSubject,
                    headers_only,
                    ..OrderedConfig::default()
                },
                bucket.stream().name(),
            )
            .await
            .map_err(|error| match error.kind() {
                ConsumerErrorKind::TimedOut => Error::Unknown { what: what() },
                ConsumerErrorKind::JetStream(answer) => Error::Refused {
                    what: what(),
                    broker_code: answer.error_code().0,
                    description: answer.to_string(),
                },
                _ => Error::NoResponder { what: what() },
            })?;
        let nothing = consumer.cached_info().num_pending == 0;
        let messages = consumer
            .messages()
            .await
            .map_err(|_| Error::Closed { what: what() })?;
        Ok(Self {
            bucket: bucket.clone(),
            filter: subject,
            messages,
            last_seq: 0,
            caught_up: nothing,
            tell: nothing,
        })
    }

    /// The next change. May be dropped and called again.
    pub async fn next(&mut self) -> Result<Watched, Error> {
        loop {
            if self.tell {
                self.tell = false;
                return Ok(Watched::UpToDate);
            }
            let message = if self.caught_up {
                self.messages.next().await
            } else if let Ok(message) = tokio::time::timeout(QUIET, self.messages.next()).await {
                message
            } else {
                self.look_whether_all_came().await;
                continue;
            };
            match message {
                Some(Ok(message)) => return self.changed(&message).map(Watched::Change),
                // The consumer is made anew underneath.
                Some(Err(error)) => {
                    tracing::debug!(bucket = self.bucket.name(), %error, "a watch recovers");
                }
                None => {
                    return Err(Error::Closed {
                        what: format!("a watch of bucket {}", self.bucket.name()),
                    });
                }
            }
        }
    }

    /// The same as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Result<Watched, Error>> + Send {
        futures_util::stream::unfold(self, |mut watch| async move {
            let next = watch.next().await;
            Some((next, watch))
        })
    }

    /// A value may expire between the broker's count and its delivery; the count then never reaches zero.
    async fn look_whether_all_came(&mut self) {
        match self
            .bucket
            .stream()
            .next(&self.filter, self.last_seq + 1)
            .await
        {
            Ok(None) => {
                self.caught_up = true;
                self.tell = true;
            }
            Ok(Some(_)) => {}
            Err(error) => {
                tracing::debug!(bucket = self.bucket.name(), %error, "a watch can't look ahead");
            }
        }
    }

    fn changed(&mut self, message: &jetstream::Message) -> Result<Change, Error> {
        let info = message.info().map_err(|error| Error::Unexpected {
            what: format!("a watch of bucket {}", self.bucket.name()),
            cause: error.to_string(),
        })?;
        self.last_seq = info.stream_sequence;
        if !self.caught_up && info.pending == 0 {
            self.caught_up = true;
            self.tell = true;
        }
        let gone = message.headers.as_ref().is_some_and(is_marker);
        Ok(Change {
            key: self.bucket.key_of(&message.subject).to_owned(),
            value: (!gone).then(|| message.payload.clone()),
            revision: info.stream_sequence,
            created: broker_time(info.published),
        })
    }
}
