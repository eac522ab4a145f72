//! A model of the broker: streams, pull consumers, buckets, its clock.
//!
//! Decides what the real broker decides about messages; knows nothing of events. No IO, no clock of its own: every call
//! says what time it is (epoch milliseconds of the broker), and what the broker does by itself (expiries, redeliveries,
//! ends of pulls) is carried out when the next call comes or [`Broker::serve`] is told the time. Not modelled: replicas,
//! elections, a lost connection.
//!
//! That it behaves like the real one is not claimed but tested: `crate::parity` runs one script on both.
//!
//! | module | subject |
//! | --- | --- |
//! | `message` | subjects, filters, headers, sizes |
//! | `stream` | storing, recognising, refusing, removing, expiring |
//! | `consumer` | pulls, acknowledgements, what comes again |
//! | `kv` | buckets and watches |
//! | `refusal` | the broker's numbers for "no" |

mod consumer;
mod kv;
mod message;
mod refusal;
mod stream;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

pub use consumer::{ConsumerConfig, ConsumerState, Delivered, Pull, PullEnd, PullNews};
pub use kv::{Change, Expected, KeyState, Watch, Watched, bucket_config, bucket_stream};
pub use message::{Headers, Message, header, value as header_value};
pub use refusal::Refusal;
pub use stream::{Stored, StreamConfig, StreamState};

use consumer::Consumer;
use message::{matches, plain_filters};
use stream::Stream;

#[derive(Debug)]
struct Held {
    stream: Stream,
    consumers: BTreeMap<String, Consumer>,
    /// Names of consumers by their filter, so that a message finds those it concerns.
    by_filter: BTreeMap<String, Vec<String>>,
    /// Names of consumers whose filter has a `*` in it, which must be compared.
    by_pattern: Vec<(String, String)>,
}

impl Held {
    fn concerned(&self, subject: &str) -> Vec<String> {
        let plain = plain_filters(subject)
            .filter_map(|filter| self.by_filter.get(filter.as_ref()))
            .flatten();
        let patterns = self
            .by_pattern
            .iter()
            .filter(|(filter, _)| matches(filter, subject))
            .map(|(_, name)| name);
        plain.chain(patterns).cloned().collect()
    }
}

/// The broker.
#[derive(Debug, Default)]
pub struct Broker {
    streams: BTreeMap<String, Held>,
    news: Vec<(u64, PullNews)>,
    /// Consumers that something happened to: stream and name.
    touched: Vec<(String, String)>,
}

impl Broker {
    /// Makes a stream; fine when one of this name is there.
    pub fn create_stream(&mut self, config: StreamConfig) {
        self.streams
            .entry(config.name.clone())
            .or_insert_with(|| Held {
                stream: Stream::new(config),
                consumers: BTreeMap::new(),
                by_filter: BTreeMap::new(),
                by_pattern: Vec::new(),
            });
    }

    /// Publishes to the stream that listens on the subject.
    pub fn publish(
        &mut self,
        now_ms: i64,
        subject: &str,
        headers: Headers,
        payload: Bytes,
    ) -> Result<Stored, Refusal> {
        let name = self
            .streams
            .iter()
            .find(|(_, held)| {
                held.stream
                    .config
                    .subjects
                    .iter()
                    .any(|filter| matches(filter, subject))
            })
            .map(|(name, _)| name.clone())
            .ok_or(Refusal::NoStream)?;
        let held = self.held(&name)?;
        let stored = held.stream.publish(now_ms, subject, headers, payload)?;
        if !stored.duplicate && !held.consumers.is_empty() {
            for consumer in held.concerned(subject) {
                self.serve(now_ms, &name, &consumer)?;
            }
        }
        Ok(stored)
    }

    /// A stream's figures.
    pub fn stream_state(&mut self, now_ms: i64, stream: &str) -> Result<StreamState, Refusal> {
        Ok(self.stream_at(now_ms, stream)?.state())
    }

    /// The last message of a subject.
    pub fn last(
        &mut self,
        now_ms: i64,
        stream: &str,
        subject: &str,
    ) -> Result<Option<Arc<Message>>, Refusal> {
        Ok(self.stream_at(now_ms, stream)?.last_of(subject).cloned())
    }

    /// The message with this sequence.
    pub fn message(
        &mut self,
        now_ms: i64,
        stream: &str,
        seq: u64,
    ) -> Result<Option<Arc<Message>>, Refusal> {
        Ok(self.stream_at(now_ms, stream)?.get(seq).cloned())
    }

    /// The first message under `filter` from `seq` on.
    pub fn next_message(
        &mut self,
        now_ms: i64,
        stream: &str,
        filter: &str,
        seq: u64,
    ) -> Result<Option<Arc<Message>>, Refusal> {
        Ok(self.stream_at(now_ms, stream)?.next(filter, seq).cloned())
    }

    /// Removes the messages under `filter` below `below`; answers how many.
    pub fn purge(
        &mut self,
        now_ms: i64,
        stream: &str,
        filter: &str,
        below: u64,
    ) -> Result<u64, Refusal> {
        let held = self.held(stream)?;
        let purged = held.stream.purge(now_ms, filter, below);
        for consumer in held.consumers.values_mut() {
            consumer.purged(&held.stream);
        }
        Ok(purged)
    }

    /// Makes a consumer, or gives one that is there new settings. Its filter stays what it was.
    pub fn create_consumer(&mut self, stream: &str, config: ConsumerConfig) -> Result<(), Refusal> {
        let held = self.held(stream)?;
        if let Some(consumer) = held.consumers.get_mut(&config.name) {
            let filter = consumer.filter().to_owned();
            consumer.configure(ConsumerConfig { filter, ..config });
            return Ok(());
        }
        let name = config.name.clone();
        if config.filter.contains('*') {
            held.by_pattern.push((config.filter.clone(), name.clone()));
        } else {
            held.by_filter
                .entry(config.filter.clone())
                .or_default()
                .push(name.clone());
        }
        held.consumers.insert(name, Consumer::new(stream, config));
        Ok(())
    }

    /// Asks for messages; what comes of it is told under `token` ([`Broker::take_news`]).
    pub fn pull(
        &mut self,
        now_ms: i64,
        stream: &str,
        consumer: &str,
        token: u64,
        pull: Pull,
    ) -> Result<(), Refusal> {
        self.consumer(stream, consumer)?.pull(now_ms, token, pull);
        self.serve(now_ms, stream, consumer)
    }

    /// Takes a pull back; what it was given stays out.
    pub fn withdraw(&mut self, stream: &str, consumer: &str, token: u64) -> Result<(), Refusal> {
        self.consumer(stream, consumer)?.withdraw(token);
        Ok(())
    }

    /// Acknowledges a message by its sequence.
    pub fn ack(
        &mut self,
        now_ms: i64,
        stream: &str,
        consumer: &str,
        seq: u64,
    ) -> Result<(), Refusal> {
        self.consumer(stream, consumer)?.ack(seq);
        self.serve(now_ms, stream, consumer)
    }

    /// Gives a message back; it comes again after the delay.
    pub fn nak(
        &mut self,
        now_ms: i64,
        stream: &str,
        consumer: &str,
        seq: u64,
        delay_ms: u64,
    ) -> Result<(), Refusal> {
        self.consumer(stream, consumer)?.nak(now_ms, seq, delay_ms);
        self.serve(now_ms, stream, consumer)
    }

    /// Says that a message is still in hand.
    pub fn extend(
        &mut self,
        now_ms: i64,
        stream: &str,
        consumer: &str,
        seq: u64,
    ) -> Result<(), Refusal> {
        self.consumer(stream, consumer)?.extend(now_ms, seq);
        self.serve(now_ms, stream, consumer)
    }

    /// Sets a consumer to `seq`.
    pub fn reset(
        &mut self,
        now_ms: i64,
        stream: &str,
        consumer: &str,
        seq: u64,
    ) -> Result<(), Refusal> {
        self.consumer(stream, consumer)?.reset(seq);
        self.serve(now_ms, stream, consumer)
    }

    /// A consumer's figures.
    pub fn consumer_state(
        &mut self,
        now_ms: i64,
        stream: &str,
        consumer: &str,
    ) -> Result<ConsumerState, Refusal> {
        self.stream_at(now_ms, stream)?;
        let held = self.held(stream)?;
        held.consumers
            .get(consumer)
            .map(|consumer| consumer.state(&held.stream))
            .ok_or(Refusal::NoConsumer)
    }

    /// Whether everything under a consumer's filter is acknowledged; of a filter without a consumer, whether there is
    /// nothing under it.
    pub fn is_settled(&self, stream: &str, consumer: &str, filter: &str) -> bool {
        self.streams
            .get(stream)
            .is_none_or(|held| match held.consumers.get(consumer) {
                Some(consumer) => consumer.is_settled(&held.stream),
                None => held.stream.next(filter, 1).is_none(),
            })
    }

    /// Lets a consumer do what has fallen due.
    pub fn serve(&mut self, now_ms: i64, stream: &str, consumer: &str) -> Result<(), Refusal> {
        let held = self.streams.get_mut(stream).ok_or(Refusal::NoStream)?;
        held.stream.advance(now_ms);
        held.consumers
            .get_mut(consumer)
            .ok_or(Refusal::NoConsumer)?
            .serve(now_ms, &held.stream, &mut self.news);
        self.touched.push((stream.to_owned(), consumer.to_owned()));
        Ok(())
    }

    /// When a consumer has something to do by itself; none while no pull stands.
    pub fn next_ms(&self, stream: &str, consumer: &str) -> Option<i64> {
        self.streams.get(stream)?.consumers.get(consumer)?.next_ms()
    }

    /// What has come of pulls since the last call, in order, by their tokens.
    pub fn take_news(&mut self) -> Vec<(u64, PullNews)> {
        std::mem::take(&mut self.news)
    }

    /// Consumers that were served since the last call: look when each has something to do next.
    pub fn take_touched(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.touched)
    }

    fn held(&mut self, stream: &str) -> Result<&mut Held, Refusal> {
        self.streams.get_mut(stream).ok_or(Refusal::NoStream)
    }

    fn stream_at(&mut self, now_ms: i64, stream: &str) -> Result<&Stream, Refusal> {
        let held = self.held(stream)?;
        held.stream.advance(now_ms);
        Ok(&held.stream)
    }

    fn consumer(&mut self, stream: &str, consumer: &str) -> Result<&mut Consumer, Refusal> {
        self.held(stream)?
            .consumers
            .get_mut(consumer)
            .ok_or(Refusal::NoConsumer)
    }
}
