//! The connection as the other modules use it: publishing with an answer, and API requests.
//!
//! Decides time-outs and how the client library's errors are told apart. A publish waits 2 s for its answer, an API
//! request 10 s (creating an asset can take seconds on a busy cluster). Nothing is retried here.

use std::error::Error as _;
use std::time::Duration;

use async_nats::jetstream::context::{PublishErrorKind, RequestErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::response::Response;
use async_nats::jetstream::{self, Context, ContextBuilder};
use async_nats::{Client, HeaderMap, Request, RequestErrorKind as RawErrorKind, Subject};
use bytes::Bytes;
use callflume_core::time::BrokerTime;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::connect::Link;
use crate::error::{Error, SwapError};

/// How long a publish or an acknowledgement waits for its answer.
pub const PUBLISH_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an API request waits for its answer.
pub const API_TIMEOUT: Duration = Duration::from_secs(10);

const API_PREFIX: &str = "$JS.API";
/// The broker's error number for a stream or bucket at its limit.
const STORE_FAILED: u64 = 10077;
/// The broker's error number for a message over `max_msg_size`.
const MESSAGE_TOO_LARGE: u64 = 10054;
/// The broker's error number for a stream that does not exist.
pub(crate) const STREAM_NOT_FOUND: u64 = 10059;
/// The broker's error number for a message that does not exist.
pub(crate) const NO_MESSAGE: u64 = 10037;

/// A connection to the broker. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Broker {
    client: Client,
    api: Context,
    publisher: Context,
    link: watch::Receiver<Link>,
}

impl Broker {
    pub(crate) fn new(client: Client, link: watch::Receiver<Link>) -> Self {
        Self {
            api: ContextBuilder::new()
                .timeout(API_TIMEOUT)
                .build(client.clone()),
            publisher: ContextBuilder::new()
                .timeout(PUBLISH_TIMEOUT)
                .build(client.clone()),
            client,
            link,
        }
    }

    /// The NATS client underneath, for request/reply and services.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The JetStream context whose API requests wait [`API_TIMEOUT`].
    pub fn context(&self) -> &Context {
        &self.api
    }

    /// Whether the connection stands, as far as is known.
    pub fn is_connected(&self) -> bool {
        self.link.borrow().connected
    }

    /// State of the connection; changes with every loss and every reconnect.
    pub fn link(&self) -> watch::Receiver<Link> {
        self.link.clone()
    }

    /// Publishes and waits for the broker's answer. [`Error::Unknown`] when none came within [`PUBLISH_TIMEOUT`].
    pub async fn publish(
        &self,
        subject: &str,
        message: PublishMessage,
    ) -> Result<PublishAck, Error> {
        self.publish_expecting(subject, message)
            .await
            .map_err(|error| match error {
                SwapError::Failed(error) => error,
                SwapError::Lost { key } => Error::Refused {
                    what: format!("publishing on {key}"),
                    broker_code: jetstream::ErrorCode::STREAM_WRONG_LAST_SEQUENCE.0,
                    description: "another message came first".to_owned(),
                },
            })
    }

    /// The same, telling a missed expectation (`Nats-Expected-Last-Subject-Sequence`) apart.
    pub(crate) async fn publish_expecting(
        &self,
        subject: &str,
        message: PublishMessage,
    ) -> Result<PublishAck, SwapError> {
        let answer = async {
            self.publisher
                .send_publish(subject.to_owned(), message)
                .await?
                .await
        };
        answer.await.map_err(|error| {
            let what = format!("publishing on {subject}");
            match error.kind() {
                PublishErrorKind::WrongLastSequence => SwapError::Lost {
                    key: subject.to_owned(),
                },
                PublishErrorKind::StreamNotFound => Error::NoResponder { what }.into(),
                PublishErrorKind::MaxPayloadExceeded => Error::TooLarge { what }.into(),
                PublishErrorKind::TimedOut | PublishErrorKind::BrokenPipe => {
                    Error::Unknown { what }.into()
                }
                _ => match error
                    .source()
                    .and_then(|source| source.downcast_ref::<jetstream::Error>())
                {
                    // The same as above while another write to the key is still being replicated.
                    Some(answer)
                        if answer.error_code()
                            == jetstream::ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT =>
                    {
                        SwapError::Lost {
                            key: subject.to_owned(),
                        }
                    }
                    Some(answer) => refusal(answer, what).into(),
                    None => Error::Unexpected {
                        what,
                        cause: error.to_string(),
                    }
                    .into(),
                },
            }
        })
    }

    /// An API request; `what` names it in errors.
    pub(crate) async fn request<T: DeserializeOwned>(
        &self,
        subject: &str,
        payload: &impl Serialize,
        what: impl FnOnce() -> String,
    ) -> Result<T, Error> {
        let answer: Result<Response<T>, _> = self.api.request(subject.to_owned(), payload).await;
        match answer {
            Ok(Response::Ok(answer)) => Ok(answer),
            Ok(Response::Err { error }) => Err(refusal(&error, what())),
            Err(error) => Err(match error.kind() {
                RequestErrorKind::TimedOut => Error::Unknown { what: what() },
                RequestErrorKind::NoResponders => Error::NoResponder { what: what() },
                RequestErrorKind::InvalidSubject | RequestErrorKind::Other => Error::Unexpected {
                    what: what(),
                    cause: error
                        .source()
                        .map_or_else(|| error.to_string(), ToString::to_string),
                },
            }),
        }
    }

    /// A plain request on a full subject, answered by one message. `what` names it in errors: [`Error::Unknown`] when
    /// no answer came in time, [`Error::NoResponder`] when nobody listens.
    pub async fn ask(
        &self,
        subject: Subject,
        payload: Bytes,
        within: Duration,
        what: impl FnOnce() -> String,
    ) -> Result<async_nats::Message, Error> {
        let request = Request::new().payload(payload).timeout(Some(within));
        self.client
            .send_request(subject, request)
            .await
            .map_err(|error| match error.kind() {
                RawErrorKind::TimedOut => Error::Unknown { what: what() },
                RawErrorKind::NoResponders => Error::NoResponder { what: what() },
                RawErrorKind::MaxPayloadExceeded => Error::TooLarge { what: what() },
                RawErrorKind::InvalidSubject | RawErrorKind::Other => Error::Unexpected {
                    what: what(),
                    cause: error.to_string(),
                },
            })
    }
}

/// Full subject of an API request.
pub(crate) fn api_subject(rest: &str) -> Subject {
    format!("{API_PREFIX}.{rest}").into()
}

fn refusal(answer: &jetstream::Error, what: String) -> Error {
    match answer.error_code().0 {
        STORE_FAILED => Error::Full { what },
        MESSAGE_TOO_LARGE => Error::TooLarge { what },
        broker_code => Error::Refused {
            what,
            broker_code,
            description: answer.to_string(),
        },
    }
}

/// A header by its name in any case: publishers in other languages write them as they like.
pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get(name)
        .or_else(|| {
            headers
                .iter()
                .find(|(found, _)| found.to_string().eq_ignore_ascii_case(name))
                .and_then(|(_, values)| values.first())
        })
        .map(async_nats::HeaderValue::as_str)
}

/// The broker's time stamps are nanoseconds; ours are milliseconds.
pub(crate) fn broker_time(time: async_nats::datetime::DateTime) -> BrokerTime {
    BrokerTime((time.unix_timestamp_nanos() / 1_000_000) as i64)
}
