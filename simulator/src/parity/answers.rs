//! The broker's answers, read: its JSON, its numbers for "no", its status lines, its acknowledgement subjects.

use async_nats::StatusCode;
use callflume_jetstream::{Error, SwapError};
use serde_json::Value;

use super::{Failure, Received, Refused};
use crate::virtual_time::broker::{PullEnd, Refusal};

const MESSAGE_SIZE: &str = "message size exceeds maxbytes";

pub(super) fn parsed(what: &str, body: &[u8]) -> Result<Value, Failure> {
    serde_json::from_slice(body).map_err(|error| Failure::new(what, error))
}

pub(super) fn number(value: &Value, what: &str) -> Result<u64, Failure> {
    value
        .as_u64()
        .ok_or_else(|| Failure::new(what, "the answer lacks a number"))
}

pub(super) fn nanoseconds(ms: u64) -> u64 {
    ms.saturating_mul(1_000_000)
}

pub(super) fn refused(error: SwapError) -> Result<Refused, Failure> {
    match error {
        SwapError::Lost { .. } => Ok(Refusal::WrongLastSequence { last: 0 }.number()),
        SwapError::Failed(Error::Refused { broker_code, .. }) => Ok(broker_code),
        SwapError::Failed(Error::Full { .. }) => Ok(Refusal::Full.number()),
        SwapError::Failed(error) => Err(Failure::new("a bucket", error)),
    }
}

pub(super) fn or_refused(result: Result<u64, SwapError>) -> Result<Result<u64, Refused>, Failure> {
    match result {
        Ok(revision) => Ok(Ok(revision)),
        Err(error) => refused(error).map(Err),
    }
}

/// Reads `$JS.ACK.<stream>.<consumer>.<count>.<stream seq>.<consumer seq>.<time>.<pending>`.
pub(super) fn received(message: &async_nats::Message, at_ms: u64) -> Result<Received, Failure> {
    let wrong = || Failure::new("a delivery", "its reply subject is no acknowledgement");
    let reply = message.reply.as_ref().ok_or_else(wrong)?.to_string();
    let tokens: Vec<&str> = reply.split('.').collect();
    // A domain and an account hash may come first.
    let from = tokens.len().checked_sub(5).ok_or_else(wrong)?;
    let numbers: Vec<u64> = tokens
        .get(from..)
        .unwrap_or_default()
        .iter()
        .filter_map(|token| token.parse().ok())
        .collect();
    let [count, seq, consumer_seq, _, pending] = numbers[..] else {
        return Err(wrong());
    };
    Ok(Received {
        seq,
        consumer_seq,
        count,
        pending,
        body: String::from_utf8_lossy(&message.payload).into_owned(),
        at_ms,
        reply,
    })
}

pub(super) fn end_of(
    message: &async_nats::Message,
    status: StatusCode,
) -> Result<PullEnd, Failure> {
    let said = message
        .description
        .as_deref()
        .unwrap_or_default()
        .to_ascii_lowercase();
    match status.as_u16() {
        408 => Ok(PullEnd::Expired),
        409 if said.contains(MESSAGE_SIZE) => Ok(PullEnd::Bytes),
        code => Err(Failure::new("a pull", format!("{code} {said}"))),
    }
}
