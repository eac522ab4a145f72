//! A real broker with the two voice streams.

use std::time::Duration;

use async_nats::jetstream::{self, stream};
use async_nats::{Client, HeaderMap};
use callflume_client::{Publisher, Retry, Settings};
use callflume_core::account::AccountId;
use callflume_core::event::{Body, ContactRef, ContentType, Draft, Event, decode};
use callflume_core::lane::Lane;
use callflume_core::time::WallTime;
use callflume_testkit::{Server, wait_for};

pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// A server and an administrator's view of it.
pub(crate) struct Broker {
    pub(crate) server: Server,
    pub(crate) admin: Client,
}

/// A message as it is stored.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) subject: String,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Vec<u8>,
}

impl Stored {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(async_nats::HeaderValue::as_str)
    }

    /// The event in it, read as a worker reads it.
    pub(crate) fn event(&self) -> Event {
        let content_type = ContentType::of_header(self.header("Content-Type"));
        decode(&self.payload, content_type, self.header("Nats-Msg-Id")).unwrap()
    }
}

impl Broker {
    /// A server with both streams.
    pub(crate) async fn start() -> Self {
        let broker = Self::without_streams().await;
        for lane in Lane::ALL {
            broker.add_stream(stream_of(lane)).await;
        }
        broker
    }

    pub(crate) async fn without_streams() -> Self {
        let server = Server::start().await.unwrap();
        let admin = async_nats::connect(server.url()).await.unwrap();
        Self { server, admin }
    }

    pub(crate) async fn add_stream(&self, config: stream::Config) {
        jetstream::new(self.admin.clone())
            .create_stream(config)
            .await
            .unwrap();
    }

    /// Everything in a lane's stream, in order.
    pub(crate) async fn stored(&self, lane: Lane) -> Vec<Stored> {
        let context = jetstream::new(self.admin.clone());
        let mut stream = wait_for("the stream to answer", DEADLINE, async || {
            context.get_stream(lane.stream()).await.ok()
        })
        .await
        .unwrap();
        let last = stream.info().await.unwrap().state.last_sequence;
        let mut messages = Vec::new();
        for sequence in 1..=last {
            let message = stream.get_raw_message(sequence).await.unwrap();
            messages.push(Stored {
                subject: message.subject.to_string(),
                headers: message.headers,
                payload: message.payload.to_vec(),
            });
        }
        messages
    }

    pub(crate) async fn publisher(&self) -> Publisher {
        Publisher::connect(self.settings()).await.unwrap()
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings::at([self.server.url()])
    }
}

/// The stream of a lane, as far as publishers notice.
pub(crate) fn stream_of(lane: Lane) -> stream::Config {
    stream::Config {
        name: lane.stream().to_owned(),
        subjects: vec![format!("voice.v1.{}.>", lane.token())],
        discard: stream::DiscardPolicy::New,
        duplicate_window: Duration::from_secs(20 * 60),
        ..stream::Config::default()
    }
}

/// Gives up soon, for tests of what can't succeed.
pub(crate) fn impatient() -> Retry {
    Retry {
        give_up_ms: 600,
        ..Retry::default()
    }
}

pub(crate) fn account() -> AccountId {
    "acme".parse().unwrap()
}

/// The `number`th event of a call.
pub(crate) fn event(call: &str, number: u32) -> Event {
    Draft {
        call_id: call.to_owned(),
        kind: "note_added".to_owned(),
        at: WallTime(1_791_372_298_750),
        revision: Some(number.to_string()),
        contact: ContactRef {
            phone: Some("+441632960961".to_owned()),
            ..ContactRef::default()
        },
        body: Body::from([("text".to_owned(), format!("note {number}").into())]),
    }
    .into_event(&account())
}
