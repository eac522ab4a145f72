//! The pull consumer of an account on a lane.
//!
//! Decides how the consumer is made and put back to the account's floor, so that everything unsettled comes again at
//! once, in stream order, whatever the previous owner had in hand. Never acknowledges anything by itself. Call
//! [`AccountConsumer::open`] after a takeover, [`AccountConsumer::reset`] after a reconnect.

use std::time::Duration;

use async_nats::Subject;
use callflume_core::account::AccountId;
use callflume_core::lane::Lane;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::broker::{Broker, PUBLISH_TIMEOUT, api_subject};
use crate::delivery::AckToken;
use crate::error::Error;
use crate::floor::Floor;
use crate::pull::{Pull, PullError};
use crate::stored::StoredStream;

/// A consumer whose only server is gone is deleted without an answer; waiting longer brings nothing.
const DELETION_PATIENCE: Duration = Duration::from_secs(1);

/// How consumers are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsumerSettings {
    /// Copies of the consumer's state. One is enough: [`AccountConsumer::open`] rebuilds it from the floor.
    pub replicas: u64,
    /// After this long without an acknowledgement a message comes again by itself. A backstop.
    pub ack_wait: Duration,
    /// Messages delivered and not acknowledged at a time.
    pub max_ack_pending: u64,
}

impl Default for ConsumerSettings {
    fn default() -> Self {
        Self {
            replicas: 1,
            ack_wait: Duration::from_secs(600),
            max_ack_pending: 10_000,
        }
    }
}

/// A durable pull consumer, put to the account's floor.
#[derive(Debug, Clone)]
pub struct AccountConsumer {
    broker: Broker,
    lane: Lane,
    account: AccountId,
    name: String,
    settings: ConsumerSettings,
}

impl AccountConsumer {
    /// Makes the consumer, or brings its settings up to date, and puts it to the floor (0: to the beginning).
    ///
    /// A floor beyond the stream's end, or older than the stream, belongs to a stream that is gone; everything comes
    /// then.
    pub async fn open(
        broker: &Broker,
        lane: Lane,
        account: &AccountId,
        settings: ConsumerSettings,
        floor: Floor,
    ) -> Result<Self, Error> {
        let consumer = Self {
            broker: broker.clone(),
            lane,
            account: account.clone(),
            name: lane.consumer(account),
            settings,
        };
        consumer.reset(floor).await?;
        Ok(consumer)
    }

    /// The lane.
    pub fn lane(&self) -> Lane {
        self.lane
    }

    /// The account.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// Puts the consumer to the floor, making it if it is gone. Messages acknowledged above the floor come again
    /// too.
    pub async fn reset(&self, floor: Floor) -> Result<(), Error> {
        let start = self.start(floor).await?;
        let outcome = async {
            self.create(json!({ "deliver_policy": "all" })).await?;
            self.rewind(start).await
        };
        match outcome.await {
            Ok(()) => Ok(()),
            Err(error @ Error::NotProvisioned { .. }) => Err(error),
            // Its settings can't be changed in place, or its server is gone: make it anew from the floor.
            Err(error) => {
                tracing::info!(
                    lane = %self.lane,
                    account = %self.account,
                    %error,
                    "making a consumer anew from its floor"
                );
                self.delete(DELETION_PATIENCE).await;
                self.create(
                    json!({ "deliver_policy": "by_start_sequence", "opt_start_seq": start }),
                )
                .await
            }
        }
    }

    /// Asks once for messages: up to `max_messages`, and up to `max_bytes` of them (at least one event's worth), as
    /// they come within `expires`.
    pub async fn pull(
        &self,
        max_messages: usize,
        max_bytes: usize,
        expires: Duration,
    ) -> Result<Pull, PullError> {
        Pull::start(self, max_messages, max_bytes, expires).await
    }

    /// Acknowledges, and waits until the broker has confirmed it.
    pub async fn ack(&self, token: &AckToken) -> Result<(), Error> {
        self.broker
            .ask(token.subject(), "+ACK".into(), PUBLISH_TIMEOUT, || {
                format!("the acknowledgement of an event of {}", self.name)
            })
            .await
            .map(drop)
    }

    /// Tells the broker that a message is still in hand: its `ack_wait` starts again. Not confirmed.
    pub async fn extend(&self, token: &AckToken) -> Result<(), Error> {
        self.tell(token, "+WPI").await
    }

    /// Gives a message back; it comes again at once. Not confirmed.
    pub async fn give_back(&self, token: &AckToken) -> Result<(), Error> {
        self.tell(token, "-NAK").await
    }

    /// Removes the consumer from the broker, for an account that is no longer configured.
    pub async fn remove(self) {
        self.delete(crate::broker::API_TIMEOUT).await;
    }

    pub(crate) fn broker(&self) -> &Broker {
        &self.broker
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where pull requests go.
    pub(crate) fn next_subject(&self) -> Subject {
        api_subject(&format!(
            "CONSUMER.MSG.NEXT.{}.{}",
            self.lane.stream(),
            self.name
        ))
    }

    /// The sequence to start from: the floor, unless it is of a former stream.
    pub async fn start(&self, floor: Floor) -> Result<u64, Error> {
        let state = StoredStream::new(self.broker.clone(), self.lane.stream())
            .state()
            .await?;
        if let Some(seq) = state.trusts(floor) {
            return Ok(seq.max(1));
        }
        tracing::warn!(
            lane = %self.lane,
            account = %self.account,
            floor_seq = floor.seq,
            last_seq = state.last_seq,
            "the stream was made anew since the floor was written: starting from its beginning"
        );
        Ok(1)
    }

    async fn create(&self, delivery: Value) -> Result<(), Error> {
        let stream = self.lane.stream();
        let filter = self.lane.filter(&self.account);
        let mut config = json!({
            "name": self.name,
            "durable_name": self.name,
            "ack_policy": "explicit",
            "ack_wait": u64::try_from(self.settings.ack_wait.as_nanos()).unwrap_or(u64::MAX),
            // A message that is never acknowledged must never be given up by the broker.
            "max_deliver": -1,
            "max_ack_pending": self.settings.max_ack_pending,
            "filter_subject": filter,
            "replay_policy": "instant",
            "num_replicas": self.settings.replicas,
        });
        if let (Some(config), Value::Object(delivery)) = (config.as_object_mut(), delivery) {
            config.extend(delivery);
        }
        self.broker
            .request::<IgnoredAny>(
                &format!("CONSUMER.CREATE.{stream}.{}.{filter}", self.name),
                &json!({ "stream_name": stream, "config": config, "action": "" }),
                || format!("the creation of consumer {} on {stream}", self.name),
            )
            .await
            .map(drop)
    }

    async fn rewind(&self, start: u64) -> Result<(), Error> {
        let what = || format!("the reset of consumer {} to {start}", self.name);
        let answer: ResetAnswer = self
            .broker
            .request(
                &format!("CONSUMER.RESET.{}.{}", self.lane.stream(), self.name),
                &json!({ "seq": start }),
                what,
            )
            .await?;
        if answer.reset_seq > start {
            return Err(Error::Unexpected {
                what: what(),
                cause: format!("it was put to {} instead", answer.reset_seq),
            });
        }
        Ok(())
    }

    /// The answer does not matter: what follows makes the consumer, or fails.
    async fn delete(&self, patience: Duration) {
        let subject = api_subject(&format!(
            "CONSUMER.DELETE.{}.{}",
            self.lane.stream(),
            self.name
        ));
        let what = || format!("the deletion of consumer {}", self.name);
        if let Err(error) = self
            .broker
            .ask(subject, Vec::new().into(), patience, what)
            .await
        {
            tracing::debug!(%error, "a consumer's deletion was not confirmed");
        }
    }

    async fn tell(&self, token: &AckToken, word: &'static str) -> Result<(), Error> {
        self.broker
            .client()
            .publish(token.subject(), word.into())
            .await
            .map_err(|_| Error::Closed {
                what: format!("a word about an event of {}", self.name),
            })
    }
}

#[derive(Deserialize)]
struct ResetAnswer {
    reset_seq: u64,
}
