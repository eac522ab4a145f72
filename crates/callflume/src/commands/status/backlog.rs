//! How much of an account waits on a lane, and for how long.
//!
//! Counted by the broker: what the consumer has not delivered plus what is delivered and not acknowledged. Without a
//! consumer (no worker has owned the account yet) everything on the account's subjects waits.

use async_nats::jetstream::context::RequestError;
use async_nats::jetstream::response::Response;
use callflume_core::account::AccountId;
use callflume_core::lane::Lane;
use callflume_jetstream::{Broker, Error};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The broker's error numbers for what is not there.
const CONSUMER_NOT_FOUND: u64 = 10014;
const NO_MESSAGE: u64 = 10037;

/// What waits on a lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Backlog {
    /// Events not settled.
    pub(super) events: u64,
    /// How long the oldest of them has been stored, milliseconds, by this machine's clock.
    pub(super) oldest_ms: Option<u64>,
}

#[derive(Deserialize)]
struct Consumer {
    num_pending: u64,
    num_ack_pending: u64,
    ack_floor: Floor,
}

#[derive(Deserialize)]
struct Floor {
    stream_seq: u64,
}

#[derive(Deserialize)]
struct StreamInfo {
    state: StreamState,
    #[serde(default)]
    total: u64,
}

#[derive(Deserialize)]
struct StreamState {
    #[serde(default)]
    subjects: Option<std::collections::BTreeMap<String, u64>>,
}

#[derive(Deserialize)]
struct Stored {
    message: StoredMessage,
}

#[derive(Deserialize)]
struct StoredMessage {
    time: String,
}

pub(super) async fn read(
    broker: &Broker,
    lane: Lane,
    account: &AccountId,
) -> Result<Backlog, Error> {
    let stream = lane.stream();
    let consumer: Option<Consumer> = ask(
        broker,
        format!("CONSUMER.INFO.{stream}.{}", lane.consumer(account)),
        &json!({}),
        CONSUMER_NOT_FOUND,
    )
    .await?;
    let (events, from) = match consumer {
        Some(consumer) => (
            consumer.num_pending + consumer.num_ack_pending,
            consumer.ack_floor.stream_seq + 1,
        ),
        None => (stored(broker, lane, account).await?, 1),
    };
    let oldest: Option<Stored> = if events == 0 {
        None
    } else {
        ask(
            broker,
            format!("STREAM.MSG.GET.{stream}"),
            &json!({"next_by_subj": lane.filter(account), "seq": from}),
            NO_MESSAGE,
        )
        .await?
    };
    let now = jiff::Timestamp::now();
    Ok(Backlog {
        events,
        oldest_ms: oldest.and_then(|oldest| {
            let since: jiff::Timestamp = oldest.message.time.parse().ok()?;
            let age = now.as_millisecond() - since.as_millisecond();
            Some(u64::try_from(age).unwrap_or(0))
        }),
    })
}

/// Everything on the account's subjects.
async fn stored(broker: &Broker, lane: Lane, account: &AccountId) -> Result<u64, Error> {
    let (mut subjects, mut events) = (0, 0);
    loop {
        let page: Option<StreamInfo> = ask(
            broker,
            format!("STREAM.INFO.{}", lane.stream()),
            &json!({"subjects_filter": lane.filter(account), "offset": subjects}),
            0,
        )
        .await?;
        let Some(page) = page else { return Ok(events) };
        let found = page.state.subjects.unwrap_or_default();
        subjects += found.len() as u64;
        events += found.values().sum::<u64>();
        if found.is_empty() || subjects >= page.total {
            return Ok(events);
        }
    }
}

/// An API request; `None` when the broker answers with the error number `absent`.
async fn ask<T: serde::de::DeserializeOwned>(
    broker: &Broker,
    subject: String,
    request: &serde_json::Value,
    absent: u64,
) -> Result<Option<T>, Error> {
    let what = subject.clone();
    let answer: Result<Response<T>, RequestError> =
        broker.context().request(subject, request).await;
    match answer {
        Ok(Response::Ok(found)) => Ok(Some(found)),
        Ok(Response::Err { error }) if error.error_code().0 == absent => Ok(None),
        Ok(Response::Err { error }) => Err(Error::Refused {
            what,
            broker_code: error.error_code().0,
            description: error.to_string(),
        }),
        Err(error) => Err(Error::Unexpected {
            what,
            cause: error.to_string(),
        }),
    }
}
