//! A message as a consumer delivers it.

use async_nats::jetstream::{self, Context};
use async_nats::{Message, Subject, header};
use bytes::Bytes;
use callflume_core::lane::Lane;
use callflume_core::time::BrokerTime;

use crate::broker::{broker_time, header};
use crate::error::Error;

/// Carries the original event's id on a replayed dead letter, and on a dead letter itself.
pub const EVENT_ID_HEADER: &str = "Cf-Event-Id";

/// One delivered event.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The lane it came on.
    pub lane: Lane,
    /// The subject it was published on.
    pub subject: String,
    /// Its place in the stream: the order of events.
    pub stream_seq: u64,
    /// Its number among the consumer's deliveries since the consumer was made or reset: a gap means that one was lost.
    pub consumer_seq: u64,
    /// Events of the consumer that it had not delivered yet when it delivered this one.
    pub pending: u64,
    /// How often the broker has delivered it, this time included. A hint: restarts and resets begin anew.
    pub delivered_count: u64,
    /// When the broker stored it.
    pub published: BrokerTime,
    /// The `Nats-Msg-Id` header: the event's id.
    pub msg_id: Option<String>,
    /// Of a replayed dead letter: the id of the event it was made of.
    pub replay_of: Option<String>,
    /// The `Content-Type` header.
    pub content_type: Option<String>,
    /// The `traceparent` header.
    pub traceparent: Option<String>,
    /// The body.
    pub payload: Bytes,
    /// What to acknowledge it with.
    pub ack: AckToken,
}

impl Delivery {
    pub(crate) fn read(lane: Lane, message: Message, context: &Context) -> Result<Self, Error> {
        let unexpected = |cause: String| Error::Unexpected {
            what: format!("a pull from {}", lane.stream()),
            cause,
        };
        let Some(reply) = message.reply.clone() else {
            return Err(unexpected("a message without a reply subject".to_owned()));
        };
        let message = jetstream::Message {
            message,
            context: context.clone(),
        };
        let (stream_seq, consumer_seq, delivered, pending, published) = {
            let info = message
                .info()
                .map_err(|error| unexpected(error.to_string()))?;
            (
                info.stream_sequence,
                info.consumer_sequence,
                info.delivered,
                info.pending,
                info.published,
            )
        };
        let message = message.message;
        let text = |name: &str| {
            message
                .headers
                .as_ref()
                .and_then(|headers| header(headers, name))
                .map(ToOwned::to_owned)
        };
        Ok(Self {
            lane,
            stream_seq,
            consumer_seq,
            pending,
            delivered_count: u64::try_from(delivered).unwrap_or(1),
            published: broker_time(published),
            msg_id: text(header::NATS_MESSAGE_ID.as_ref()),
            replay_of: text(EVENT_ID_HEADER),
            content_type: text("Content-Type"),
            traceparent: text("traceparent"),
            subject: message.subject.to_string(),
            payload: message.payload,
            ack: AckToken(reply),
        })
    }
}

/// What a delivery is acknowledged with. Stays valid after a reset and a reconnect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AckToken(Subject);

impl AckToken {
    pub(crate) fn subject(&self) -> Subject {
        self.0.clone()
    }
}
