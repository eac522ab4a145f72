//! A nats-server as the script's broker.
//!
//! Streams and consumers by the broker's own interface, so that nothing lies between script and server; buckets as the
//! product uses them (`callflume_jetstream`).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use async_nats::{Client, HeaderMap, Subscriber};
use bytes::Bytes;
use callflume_jetstream::kv::{Bucket, Expected as KvExpected, KeyState};
use callflume_jetstream::watch::{Watch, Watched as KvWatched};
use callflume_jetstream::{Broker, SwapError, connect};
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use crate::virtual_time::broker::{
    Change, ConsumerConfig, ConsumerState, Expected, Pull, PullEnd, Stored, StreamConfig,
    StreamState, Watched,
};

use super::answers::{end_of, nanoseconds, number, or_refused, parsed, received};
use super::{BrokerLike, Failure, Holds, Outgoing, Pulled, Received, Refused};

/// Waiting for an answer, and for whatever must come.
const PATIENCE: Duration = Duration::from_secs(30);
/// A moment.
const MOMENT: Duration = Duration::from_millis(20);

/// A server and what the script has opened on it.
#[derive(Debug)]
pub struct RealBroker {
    broker: Broker,
    started: Instant,
    buckets: BTreeMap<String, Bucket>,
    watches: Vec<Watch>,
}

impl RealBroker {
    /// Connects to a server that has no streams yet.
    pub async fn connect(url: &str) -> Result<Self, Failure> {
        let settings = connect::Settings {
            urls: vec![url.to_owned()],
            ..connect::Settings::default()
        };
        let broker = connect::connect(&settings, "parity")
            .await
            .map_err(|error| Failure::new("connecting", error))?;
        Ok(Self {
            broker,
            started: Instant::now(),
            buckets: BTreeMap::new(),
            watches: Vec::new(),
        })
    }

    fn client(&self) -> &Client {
        self.broker.client()
    }

    async fn ask(
        &self,
        subject: String,
        headers: Option<HeaderMap>,
        body: Bytes,
    ) -> Result<async_nats::Message, Failure> {
        let mut request = async_nats::Request::new()
            .payload(body)
            .timeout(Some(PATIENCE));
        if let Some(headers) = headers {
            request = request.headers(headers);
        }
        let what = subject.clone();
        self.client()
            .send_request(subject, request)
            .await
            .map_err(|error| Failure::new(what, error))
    }

    /// An answer of the broker's interface, or its number for "no".
    async fn api(&self, subject: &str, body: &Value) -> Result<Value, Failure> {
        let body = body.to_string().into();
        let answer = self.ask(format!("$JS.API.{subject}"), None, body).await?;
        let answer = parsed(subject, &answer.payload)?;
        match answer.get("error") {
            Some(error) => Err(Failure::new(subject, error)),
            None => Ok(answer),
        }
    }

    async fn bucket(&mut self, name: &str) -> Result<Bucket, Failure> {
        if let Some(bucket) = self.buckets.get(name) {
            return Ok(bucket.clone());
        }
        let bucket = Bucket::open(&self.broker, name)
            .await
            .map_err(|error| Failure::new(format!("bucket {name}"), error))?;
        self.buckets.insert(name.to_owned(), bucket.clone());
        Ok(bucket)
    }

    /// Says something about a message, and waits until the broker has taken it in.
    async fn say(&self, message: &Received, word: String) -> Result<(), Failure> {
        self.ask(message.reply.clone(), None, word.into())
            .await
            .map(drop)
    }
}

impl BrokerLike for RealBroker {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    async fn pass(&mut self) {
        tokio::time::sleep(MOMENT).await;
    }

    async fn create_stream(&mut self, config: &StreamConfig) -> Result<(), Failure> {
        let limit = |limit: Option<u64>| limit.map_or(json!(-1), Value::from);
        let body = json!({
            "name": config.name,
            "subjects": config.subjects,
            "retention": "limits",
            "storage": "file",
            "discard": "new",
            "num_replicas": 1,
            "max_bytes": limit(config.max_bytes),
            "max_msg_size": limit(config.max_message_bytes),
            "max_msgs_per_subject": limit(config.per_subject),
            "duplicate_window": nanoseconds(config.duplicate_window_ms),
            "allow_direct": true,
            "allow_rollup_hdrs": config.allow_ttl,
            "allow_msg_ttl": config.allow_ttl,
            "subject_delete_marker_ttl": nanoseconds(config.marker_ttl_ms.unwrap_or(0)),
        });
        self.api(&format!("STREAM.CREATE.{}", config.name), &body)
            .await
            .map(drop)
    }

    async fn create_consumer(
        &mut self,
        stream: &str,
        config: &ConsumerConfig,
    ) -> Result<(), Failure> {
        let body = json!({
            "stream_name": stream,
            "action": "",
            "config": {
                "name": config.name,
                "durable_name": config.name,
                "deliver_policy": "all",
                "ack_policy": "explicit",
                "ack_wait": nanoseconds(config.ack_wait_ms),
                "max_deliver": -1,
                "max_ack_pending": config.max_ack_pending,
                "filter_subject": config.filter,
                "replay_policy": "instant",
            },
        });
        let subject = format!("CONSUMER.CREATE.{stream}.{}.{}", config.name, config.filter);
        self.api(&subject, &body).await.map(drop)
    }

    async fn publish(&mut self, message: &Outgoing) -> Result<Result<Stored, Refused>, Failure> {
        let headers = (!message.headers.is_empty()).then(|| {
            let mut headers = HeaderMap::new();
            for (name, value) in &message.headers {
                headers.insert(*name, value.as_str());
            }
            headers
        });
        let body = message.body.clone().into();
        let answer = self.ask(message.subject.clone(), headers, body).await?;
        let answer = parsed("publishing", &answer.payload)?;
        if let Some(error) = answer.get("error") {
            return Ok(Err(number(&error["err_code"], "publishing")?));
        }
        Ok(Ok(Stored {
            seq: number(&answer["seq"], "publishing")?,
            duplicate: answer["duplicate"].as_bool().unwrap_or(false),
        }))
    }

    async fn pull(
        &mut self,
        stream: &str,
        consumer: &str,
        pull: Pull,
        meanwhile: &[Outgoing],
    ) -> Result<Pulled, Failure> {
        let what = |error: &dyn std::fmt::Display| Failure::new("a pull", error);
        let inbox = self.client().new_inbox();
        let mut answers: Subscriber = self
            .client()
            .subscribe(inbox.clone())
            .await
            .map_err(|error| what(&error))?;
        let mut request = json!({
            "batch": pull.messages,
            "expires": nanoseconds(pull.expires_ms),
        });
        if let (Some(bytes), Some(request)) = (pull.bytes, request.as_object_mut()) {
            request.insert("max_bytes".to_owned(), bytes.into());
        }
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}");
        self.client()
            .publish_with_reply(subject, inbox, request.to_string().into())
            .await
            .map_err(|error| what(&error))?;
        for message in meanwhile {
            // One connection, one order: the request is at the server before the message.
            self.publish(message)
                .await?
                .map_err(|number| Failure::new("publishing during a pull", number))?;
        }
        let mut messages = Vec::new();
        let end = loop {
            if messages.len() == pull.messages {
                break PullEnd::Full;
            }
            let answer = tokio::time::timeout(PATIENCE, answers.next())
                .await
                .map_err(|_| what(&"it does not end"))?
                .ok_or_else(|| what(&"the connection is closed"))?;
            match answer.status {
                None => messages.push(received(&answer, self.now_ms())?),
                Some(status) => break end_of(&answer, status)?,
            }
        };
        Ok(Pulled {
            messages,
            end,
            ended_ms: self.now_ms(),
        })
    }

    async fn ack(&mut self, _: &str, _: &str, message: &Received) -> Result<(), Failure> {
        self.ask(message.reply.clone(), None, "+ACK".into())
            .await
            .map(drop)
    }

    async fn nak(
        &mut self,
        _: &str,
        _: &str,
        message: &Received,
        delay_ms: u64,
    ) -> Result<(), Failure> {
        let word = match delay_ms {
            0 => "-NAK".to_owned(),
            delay_ms => format!("-NAK {}", json!({ "delay": nanoseconds(delay_ms) })),
        };
        self.say(message, word).await
    }

    async fn extend(&mut self, _: &str, _: &str, message: &Received) -> Result<(), Failure> {
        self.say(message, "+WPI".to_owned()).await
    }

    async fn reset(&mut self, stream: &str, consumer: &str, seq: u64) -> Result<(), Failure> {
        self.api(
            &format!("CONSUMER.RESET.{stream}.{consumer}"),
            &json!({ "seq": seq }),
        )
        .await
        .map(drop)
    }

    async fn consumer_state(
        &mut self,
        stream: &str,
        consumer: &str,
    ) -> Result<ConsumerState, Failure> {
        let what = format!("CONSUMER.INFO.{stream}.{consumer}");
        let info = self.api(&what, &json!({})).await?;
        Ok(ConsumerState {
            pending: number(&info["num_pending"], &what)?,
            ack_pending: number(&info["num_ack_pending"], &what)?,
            ack_floor: number(&info["ack_floor"]["stream_seq"], &what)?,
        })
    }

    async fn stream_state(&mut self, stream: &str) -> Result<StreamState, Failure> {
        let what = format!("STREAM.INFO.{stream}");
        let info = self.api(&what, &json!({})).await?;
        let state = &info["state"];
        let last_seq = number(&state["last_seq"], &what)?;
        let messages = number(&state["messages"], &what)?;
        Ok(StreamState {
            messages,
            bytes: number(&state["bytes"], &what)?,
            first_seq: match messages {
                0 => last_seq + 1,
                _ => number(&state["first_seq"], &what)?,
            },
            last_seq,
        })
    }

    async fn purge(&mut self, stream: &str, filter: &str, below: u64) -> Result<u64, Failure> {
        let what = format!("STREAM.PURGE.{stream}");
        let answer = self
            .api(&what, &json!({ "filter": filter, "seq": below }))
            .await?;
        number(&answer["purged"], &what)
    }

    async fn holds(&mut self, bucket: &str, key: &str) -> Result<Holds, Failure> {
        let state = self
            .bucket(bucket)
            .await?
            .state(key)
            .await
            .map_err(|error| Failure::new("a key", error))?;
        Ok(match state {
            KeyState::Never => Holds::Never,
            KeyState::Gone { revision } => Holds::Marker(revision),
            KeyState::Present(entry) => Holds::Value(
                String::from_utf8_lossy(&entry.value).into_owned(),
                entry.revision,
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
        let bucket = self.bucket(bucket).await?;
        let value = Bytes::from(value.to_owned());
        let ttl = ttl_s.map(Duration::from_secs);
        let written = match (expected, ttl) {
            (Expected::Anything, None) => bucket.put(key, value).await.map_err(SwapError::Failed),
            (Expected::Anything, Some(ttl)) => bucket
                .put_ttl(key, value, ttl)
                .await
                .map_err(SwapError::Failed),
            (Expected::Absent, ttl) => bucket.swap(key, value, KvExpected::Absent, ttl).await,
            (Expected::Revision(revision), ttl) => {
                let expected = KvExpected::Revision(revision);
                bucket.swap(key, value, expected, ttl).await
            }
        };
        or_refused(written)
    }

    async fn delete(
        &mut self,
        bucket: &str,
        key: &str,
        expected: Expected,
    ) -> Result<Result<u64, Refused>, Failure> {
        let bucket = self.bucket(bucket).await?;
        or_refused(match expected {
            Expected::Revision(revision) => bucket.delete_if(key, revision).await,
            Expected::Anything | Expected::Absent => {
                bucket.delete(key).await.map_err(SwapError::Failed)
            }
        })
    }

    async fn watch(&mut self, bucket: &str, filter: &str) -> Result<usize, Failure> {
        let watch = self
            .bucket(bucket)
            .await?
            .watch(filter)
            .await
            .map_err(|error| Failure::new("a watch", error))?;
        self.watches.push(watch);
        Ok(self.watches.len() - 1)
    }

    async fn watched(&mut self, watch: usize) -> Result<Watched, Failure> {
        let watch = self
            .watches
            .get_mut(watch)
            .ok_or_else(|| Failure::new("a watch", "there is none of this number"))?;
        let told = tokio::time::timeout(PATIENCE, watch.next())
            .await
            .map_err(|_| Failure::new("a watch", "it has nothing to tell"))?
            .map_err(|error| Failure::new("a watch", error))?;
        Ok(match told {
            KvWatched::UpToDate => Watched::UpToDate,
            KvWatched::Change(change) => Watched::Change(Change {
                key: change.key,
                value: change.value,
                revision: change.revision,
            }),
        })
    }
}
