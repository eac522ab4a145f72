//! Whether the model of the broker behaves like the broker.
//!
//! One script of behaviours ([`script::run`]) is written against [`BrokerLike`] and run on the model under virtual time
//! and on a real nats-server; both give the same lines. A line says what was told, in which order, and where a behaviour
//! is about time, that it did not come before its time. Never: that something came within a time, which a machine that
//! stands still would break.
//!
//! | module | subject |
//! | --- | --- |
//! | `script` | the behaviours |
//! | `model` | the model, its time moved on by whoever waits |
//! | `real` | a nats-server |
//! | `answers` | what it says, read |

mod answers;
mod model;
mod real;
pub mod script;

pub use model::ModelBroker;
pub use real::RealBroker;

use crate::virtual_time::broker::{
    ConsumerConfig, ConsumerState, Expected, Pull, PullEnd, Stored, StreamConfig, StreamState,
    Watched,
};

/// A broker could not be asked, or said what the script doesn't foresee.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {cause}")]
pub struct Failure {
    what: String,
    cause: String,
}

impl Failure {
    fn new(what: impl Into<String>, cause: impl ToString) -> Self {
        Self {
            what: what.into(),
            cause: cause.to_string(),
        }
    }
}

/// A refusal, by the broker's own number (`err_code`).
pub type Refused = u64;

/// What a key holds, as far as both can say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holds {
    /// Nothing, and no trace of anything.
    Never,
    /// A marker, with its revision.
    Marker(u64),
    /// A value, with its revision.
    Value(String, u64),
}

/// A message to publish.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    /// Where.
    pub subject: String,
    /// What.
    pub body: String,
    /// `Nats-Msg-Id` and other headers.
    pub headers: Vec<(&'static str, String)>,
}

/// A message that came.
#[derive(Debug, Clone)]
pub struct Received {
    /// Its sequence in the stream.
    pub seq: u64,
    /// Its number among the consumer's deliveries.
    pub consumer_seq: u64,
    /// How often it has been delivered.
    pub count: u64,
    /// Messages never delivered then.
    pub pending: u64,
    /// Its body.
    pub body: String,
    /// When it was here, by [`BrokerLike::now_ms`].
    pub at_ms: u64,
    /// Where acknowledgements go; unused by the model.
    pub reply: String,
}

/// What came of a pull.
#[derive(Debug, Clone)]
pub struct Pulled {
    /// The messages.
    pub messages: Vec<Received>,
    /// Why it is over.
    pub end: PullEnd,
    /// When it was.
    pub ended_ms: u64,
}

/// A broker that the script can be run on.
#[expect(
    async_fn_in_trait,
    reason = "used with the two types here only, neither of which is sent to another thread"
)]
pub trait BrokerLike {
    /// A clock that never goes back, milliseconds from anywhere.
    fn now_ms(&self) -> u64;

    /// Lets a moment pass.
    async fn pass(&mut self);

    /// Makes a stream.
    async fn create_stream(&mut self, config: &StreamConfig) -> Result<(), Failure>;

    /// Makes a consumer.
    async fn create_consumer(
        &mut self,
        stream: &str,
        config: &ConsumerConfig,
    ) -> Result<(), Failure>;

    /// Publishes and waits for the answer.
    async fn publish(&mut self, message: &Outgoing) -> Result<Result<Stored, Refused>, Failure>;

    /// Asks for messages, and publishes `meanwhile` once the request stands; waits until the request is over.
    async fn pull(
        &mut self,
        stream: &str,
        consumer: &str,
        pull: Pull,
        meanwhile: &[Outgoing],
    ) -> Result<Pulled, Failure>;

    /// Acknowledges, and waits for the confirmation.
    async fn ack(
        &mut self,
        stream: &str,
        consumer: &str,
        message: &Received,
    ) -> Result<(), Failure>;

    /// Gives a message back, to come again after a delay.
    async fn nak(
        &mut self,
        stream: &str,
        consumer: &str,
        message: &Received,
        delay_ms: u64,
    ) -> Result<(), Failure>;

    /// Says that a message is still in hand.
    async fn extend(
        &mut self,
        stream: &str,
        consumer: &str,
        message: &Received,
    ) -> Result<(), Failure>;

    /// Sets a consumer to a sequence.
    async fn reset(&mut self, stream: &str, consumer: &str, seq: u64) -> Result<(), Failure>;

    /// A consumer's figures.
    async fn consumer_state(
        &mut self,
        stream: &str,
        consumer: &str,
    ) -> Result<ConsumerState, Failure>;

    /// A stream's figures.
    async fn stream_state(&mut self, stream: &str) -> Result<StreamState, Failure>;

    /// Removes the messages under a filter below a sequence; answers how many.
    async fn purge(&mut self, stream: &str, filter: &str, below: u64) -> Result<u64, Failure>;

    /// What a key holds.
    async fn holds(&mut self, bucket: &str, key: &str) -> Result<Holds, Failure>;

    /// Writes a key; answers the revision.
    async fn write(
        &mut self,
        bucket: &str,
        key: &str,
        value: &str,
        expected: Expected,
        ttl_s: Option<u64>,
    ) -> Result<Result<u64, Refused>, Failure>;

    /// Deletes a key; answers the marker's revision.
    async fn delete(
        &mut self,
        bucket: &str,
        key: &str,
        expected: Expected,
    ) -> Result<Result<u64, Refused>, Failure>;

    /// Begins a watch; answers its number.
    async fn watch(&mut self, bucket: &str, filter: &str) -> Result<usize, Failure>;

    /// Waits for what a watch tells next.
    async fn watched(&mut self, watch: usize) -> Result<Watched, Failure>;
}
