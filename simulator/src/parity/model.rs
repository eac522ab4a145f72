//! The model as the script's broker: whoever waits moves the time on.

use std::collections::VecDeque;

use crate::virtual_time::broker::{
    Broker, ConsumerConfig, ConsumerState, Expected, Headers, KeyState, Pull, PullNews, Refusal,
    Stored, StreamConfig, StreamState, Watch, Watched,
};

use super::{BrokerLike, Failure, Holds, Outgoing, Pulled, Received, Refused};

/// Any instant: 1 March 2026, 00:00 UTC.
const START_MS: i64 = 1_772_323_200_000;
/// What an operation takes, milliseconds.
const TRIP_MS: i64 = 1;
/// A moment, milliseconds.
const MOMENT_MS: i64 = 20;
/// Nothing in the script takes longer, milliseconds.
const PATIENCE_MS: i64 = 60_000;

/// The model with a clock.
#[derive(Debug)]
pub struct ModelBroker {
    broker: Broker,
    now_ms: i64,
    watches: Vec<Reader>,
    pulls: u64,
}

/// A watch and what it has told that nobody has asked for yet: like a connection, it reads all the time.
#[derive(Debug)]
struct Reader {
    watch: Watch,
    told: VecDeque<Watched>,
}

impl Default for ModelBroker {
    fn default() -> Self {
        Self {
            broker: Broker::default(),
            now_ms: START_MS,
            watches: Vec::new(),
            pulls: 0,
        }
    }
}

fn failure(what: &str) -> impl Fn(Refusal) -> Failure {
    move |refusal| Failure::new(what, refusal)
}

impl ModelBroker {
    fn trip(&mut self) -> i64 {
        self.read_watches();
        self.now_ms += TRIP_MS;
        self.now_ms
    }

    fn read_watches(&mut self) {
        for reader in &mut self.watches {
            // A bucket that can be watched does not go away in the script.
            while let Ok(Some(told)) = self.broker.watched(self.now_ms, &mut reader.watch) {
                reader.told.push_back(told);
            }
        }
    }

    fn send(&mut self, message: &Outgoing) -> Result<Stored, Refused> {
        let headers: Headers = message
            .headers
            .iter()
            .map(|(name, value)| ((*name).into(), value.clone()))
            .collect();
        let now_ms = self.trip();
        self.broker
            .publish(
                now_ms,
                &message.subject,
                headers,
                message.body.clone().into(),
            )
            .map_err(Refusal::number)
    }
}

impl BrokerLike for ModelBroker {
    fn now_ms(&self) -> u64 {
        self.now_ms.cast_unsigned()
    }

    async fn pass(&mut self) {
        self.read_watches();
        self.now_ms += MOMENT_MS;
    }

    async fn create_stream(&mut self, config: &StreamConfig) -> Result<(), Failure> {
        self.broker.create_stream(config.clone());
        Ok(())
    }

    async fn create_consumer(
        &mut self,
        stream: &str,
        config: &ConsumerConfig,
    ) -> Result<(), Failure> {
        self.broker
            .create_consumer(stream, config.clone())
            .map_err(failure("creating a consumer"))
    }

    async fn publish(&mut self, message: &Outgoing) -> Result<Result<Stored, Refused>, Failure> {
        Ok(self.send(message))
    }

    async fn pull(
        &mut self,
        stream: &str,
        consumer: &str,
        pull: Pull,
        meanwhile: &[Outgoing],
    ) -> Result<Pulled, Failure> {
        let now_ms = self.trip();
        self.pulls += 1;
        let token = self.pulls;
        self.broker
            .pull(now_ms, stream, consumer, token, pull)
            .map_err(failure("a pull"))?;
        for message in meanwhile {
            self.send(message)
                .map_err(|number| Failure::new("publishing during a pull", number))?;
        }
        let mut messages = Vec::new();
        loop {
            for (whose, news) in self.broker.take_news() {
                if whose != token {
                    return Err(Failure::new("a pull", "news of another pull"));
                }
                match news {
                    PullNews::Message(delivered) => messages.push(Received {
                        seq: delivered.message.seq,
                        consumer_seq: delivered.consumer_seq,
                        count: delivered.count,
                        pending: delivered.pending,
                        body: String::from_utf8_lossy(&delivered.message.payload).into_owned(),
                        at_ms: self.now_ms(),
                        reply: String::new(),
                    }),
                    PullNews::End(end) => {
                        return Ok(Pulled {
                            messages,
                            end,
                            ended_ms: self.now_ms(),
                        });
                    }
                }
            }
            self.now_ms = self
                .broker
                .next_ms(stream, consumer)
                .ok_or_else(|| Failure::new("a pull", "it will never end"))?
                .max(self.now_ms);
            self.broker
                .serve(self.now_ms, stream, consumer)
                .map_err(failure("a pull"))?;
        }
    }

    async fn ack(
        &mut self,
        stream: &str,
        consumer: &str,
        message: &Received,
    ) -> Result<(), Failure> {
        let now_ms = self.trip();
        self.broker
            .ack(now_ms, stream, consumer, message.seq)
            .map_err(failure("an acknowledgement"))
    }

    async fn nak(
        &mut self,
        stream: &str,
        consumer: &str,
        message: &Received,
        delay_ms: u64,
    ) -> Result<(), Failure> {
        let now_ms = self.trip();
        self.broker
            .nak(now_ms, stream, consumer, message.seq, delay_ms)
            .map_err(failure("giving back"))
    }

    async fn extend(
        &mut self,
        stream: &str,
        consumer: &str,
        message: &Received,
    ) -> Result<(), Failure> {
        let now_ms = self.trip();
        self.broker
            .extend(now_ms, stream, consumer, message.seq)
            .map_err(failure("extending"))
    }

    async fn reset(&mut self, stream: &str, consumer: &str, seq: u64) -> Result<(), Failure> {
        let now_ms = self.trip();
        self.broker
            .reset(now_ms, stream, consumer, seq)
            .map_err(failure("a reset"))
    }

    async fn consumer_state(
        &mut self,
        stream: &str,
        consumer: &str,
    ) -> Result<ConsumerState, Failure> {
        let now_ms = self.trip();
        self.broker
            .consumer_state(now_ms, stream, consumer)
            .map_err(failure("a consumer's figures"))
    }

    async fn stream_state(&mut self, stream: &str) -> Result<StreamState, Failure> {
        let now_ms = self.trip();
        self.broker
            .stream_state(now_ms, stream)
            .map_err(failure("a stream's figures"))
    }

    async fn purge(&mut self, stream: &str, filter: &str, below: u64) -> Result<u64, Failure> {
        let now_ms = self.trip();
        self.broker
            .purge(now_ms, stream, filter, below)
            .map_err(failure("a purge"))
    }

    async fn holds(&mut self, bucket: &str, key: &str) -> Result<Holds, Failure> {
        let now_ms = self.trip();
        let state = self
            .broker
            .key(now_ms, bucket, key)
            .map_err(failure("a key"))?;
        Ok(match state {
            KeyState::Never => Holds::Never,
            KeyState::Gone { revision } => Holds::Marker(revision),
            KeyState::Present(message) => Holds::Value(
                String::from_utf8_lossy(&message.payload).into_owned(),
                message.seq,
            ),
        })
    }

    async fn write(
        &mut self,
        bucket: &str,
        key: &str,
        value: &str,
        expected: Expected,
        ttl_s: Option<u64>,
    ) -> Result<Result<u64, Refused>, Failure> {
        let now_ms = self.trip();
        let ttl_ms = ttl_s.map(|seconds| seconds * 1_000);
        Ok(self
            .broker
            .write(
                now_ms,
                bucket,
                key,
                value.to_owned().into(),
                expected,
                ttl_ms,
            )
            .map_err(Refusal::number))
    }

    async fn delete(
        &mut self,
        bucket: &str,
        key: &str,
        expected: Expected,
    ) -> Result<Result<u64, Refused>, Failure> {
        let now_ms = self.trip();
        Ok(self
            .broker
            .delete(now_ms, bucket, key, expected)
            .map_err(Refusal::number))
    }

    async fn watch(&mut self, bucket: &str, filter: &str) -> Result<usize, Failure> {
        let now_ms = self.trip();
        let watch = self
            .broker
            .watch(now_ms, bucket, filter)
            .map_err(failure("a watch"))?;
        self.watches.push(Reader {
            watch,
            told: VecDeque::new(),
        });
        Ok(self.watches.len() - 1)
    }

    async fn watched(&mut self, watch: usize) -> Result<Watched, Failure> {
        let patience_ms = self.now_ms + PATIENCE_MS;
        while self.now_ms < patience_ms {
            self.trip();
            self.read_watches();
            let Some(reader) = self.watches.get_mut(watch) else {
                return Err(Failure::new("a watch", "there is none of this number"));
            };
            if let Some(told) = reader.told.pop_front() {
                return Ok(told);
            }
        }
        Err(Failure::new("a watch", "it has nothing to tell"))
    }
}
