//! One pull request and what comes of it.
//!
//! Decides when a request is over: full, expired (a normal end, also without any message), or broken, and how. A
//! request that the broker no longer knows of is noticed by a lost connection or by missing heartbeats, never waited
//! for. Messages that came and were not read when a [`Pull`] is dropped come again after `ack_wait` or a reset.

use std::time::Duration;

use async_nats::{Message, StatusCode, Subscriber};
use callflume_core::lane::Lane;
use futures_util::{Stream, StreamExt as _};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::broker::Broker;
use crate::connect::Link;
use crate::consumer::AccountConsumer;
use crate::delivery::Delivery;
use crate::error::Error;
use crate::provision::MAX_EVENT_BYTES;

/// A limit below one event would never be served.
const MIN_PULL_BYTES: usize = MAX_EVENT_BYTES as usize + 16 * 1024;
/// Heartbeats are asked for when a request lasts at least this long.
const HEARTBEAT_FROM: Duration = Duration::from_secs(1);
/// At most this long between heartbeats.
const LONGEST_HEARTBEAT: Duration = Duration::from_secs(5);
/// How late the broker's word may be.
const LATENESS: Duration = Duration::from_secs(2);

/// How a pull request broke.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The connection was lost, or lost and found: messages may have been missed. Reset the consumer.
    #[error("the connection to the broker was lost during a pull")]
    Disconnected,
    /// Neither messages nor heartbeats came. Reset the consumer.
    #[error("the broker fell silent during a pull")]
    Silent,
    /// Nobody serves the consumer: an election, or its server is gone. Try again; if it lasts, open it again.
    #[error("nobody at the broker serves the consumer")]
    NoResponder,
    /// The consumer does not exist any more. Open it again.
    #[error("the consumer was deleted")]
    ConsumerDeleted,
    /// The broker ended the request for a reason of its own (new leader, shutdown). Pull again.
    #[error("the broker ended the pull: {0}")]
    Interrupted(String),
    /// The broker does not accept the request.
    #[error("the broker refused the pull: {0}")]
    Refused(String),
    /// Anything else.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// A pull request under way. Dropped, it is withdrawn.
#[derive(Debug)]
pub struct Pull {
    broker: Broker,
    lane: Lane,
    answers: Subscriber,
    link: watch::Receiver<Link>,
    connects: u64,
    left: usize,
    /// The broker must have said something by then.
    patience: Duration,
    heard: Instant,
    over: bool,
}

impl Pull {
    pub(crate) async fn start(
        consumer: &AccountConsumer,
        max_messages: usize,
        max_bytes: usize,
        expires: Duration,
    ) -> Result<Self, PullError> {
        let broker = consumer.broker();
        let closed = || Error::Closed {
            what: format!("a pull of {}", consumer.name()),
        };
        let link = broker.link();
        let Link {
            connected,
            connects,
        } = *link.borrow();
        if !connected {
            return Err(PullError::Disconnected);
        }
        let inbox = broker.client().new_inbox();
        let answers = broker
            .client()
            .subscribe(inbox.clone())
            .await
            .map_err(|_| closed())?;
        // The broker refuses heartbeats longer than half the request.
        let heartbeat = (expires >= HEARTBEAT_FROM).then(|| (expires / 2).min(LONGEST_HEARTBEAT));
        let mut request = json!({
            "batch": max_messages.max(1),
            "max_bytes": max_bytes.max(MIN_PULL_BYTES),
            "expires": nanoseconds(expires),
        });
        if let (Some(heartbeat), Some(request)) = (heartbeat, request.as_object_mut()) {
            request.insert("idle_heartbeat".to_owned(), nanoseconds(heartbeat).into());
        }
        broker
            .client()
            .publish_with_reply(consumer.next_subject(), inbox, request.to_string().into())
            .await
            .map_err(|_| closed())?;
        Ok(Self {
            broker: broker.clone(),
            lane: consumer.lane(),
            answers,
            link,
            connects,
            left: max_messages.max(1),
            patience: heartbeat.map_or(expires, |heartbeat| heartbeat * 2) + LATENESS,
            heard: Instant::now(),
            over: false,
        })
    }

    /// The next message; `None` when the request is full or expired. Nothing follows an error. May be dropped and
    /// called again.
    pub async fn next(&mut self) -> Option<Result<Delivery, PullError>> {
        if self.over || self.left == 0 {
            return None;
        }
        loop {
            let answer = tokio::select! {
                // What has come is given before the connection is looked at.
                biased;
                answer = self.answers.next() => answer,
                () = lost(&mut self.link, self.connects) => return Some(self.broken(PullError::Disconnected)),
                () = tokio::time::sleep_until(self.heard + self.patience) => {
                    return Some(self.broken(PullError::Silent));
                }
            };
            self.heard = Instant::now();
            let Some(answer) = answer else {
                let closed = Error::Closed {
                    what: format!("a pull from {}", self.lane.stream()),
                };
                return Some(self.broken(closed.into()));
            };
            match judge(answer) {
                Judged::Nothing => {}
                Judged::Message(message) => {
                    self.left -= 1;
                    let read = Delivery::read(self.lane, *message, self.broker.context());
                    return Some(read.map_err(PullError::Failed));
                }
                Judged::End => {
                    self.over = true;
                    return None;
                }
                Judged::Broken(error) => return Some(self.broken(error)),
            }
        }
    }

    /// The same as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Result<Delivery, PullError>> + Send {
        futures_util::stream::unfold(self, |mut pull| async move {
            let next = pull.next().await?;
            Some((next, pull))
        })
    }

    fn broken(&mut self, error: PullError) -> Result<Delivery, PullError> {
        self.over = true;
        Err(error)
    }
}

fn judge(answer: Message) -> Judged {
    match answer.status {
        None => Judged::Message(Box::new(answer)),
        Some(status) => judge_status(status, answer.description.as_deref().unwrap_or_default()),
    }
}

enum Judged {
    Nothing,
    Message(Box<Message>),
    End,
    Broken(PullError),
}

fn judge_status(status: StatusCode, description: &str) -> Judged {
    match status.as_u16() {
        // Heartbeat.
        100 => Judged::Nothing,
        // Nothing there; expired.
        404 | 408 => Judged::End,
        503 => Judged::Broken(PullError::NoResponder),
        409 => {
            let said = description.to_ascii_lowercase();
            if said.contains("batch completed") || said.contains("message size exceeds maxbytes") {
                Judged::End
            } else if said.contains("consumer deleted") {
                Judged::Broken(PullError::ConsumerDeleted)
            } else if said.contains("leadership change") || said.contains("server shutdown") {
                Judged::Broken(PullError::Interrupted(description.to_owned()))
            } else {
                Judged::Broken(PullError::Refused(description.to_owned()))
            }
        }
        code => Judged::Broken(PullError::Refused(format!("{code} {description}"))),
    }
}

/// Returns once the connection is down, or is another one than when the request left.
async fn lost(link: &mut watch::Receiver<Link>, connects: u64) {
    let changed = link.wait_for(|link| !link.connected || link.connects != connects);
    if changed.await.is_err() {
        // The client is gone; its subscription ends by itself.
        std::future::pending::<()>().await;
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_told_from_breaks() {
        let table = [
            (100, "Idle Heartbeat", "nothing"),
            (404, "No Messages", "end"),
            (408, "Request Timeout", "end"),
            (409, "Batch Completed", "end"),
            (409, "Message Size Exceeds MaxBytes", "end"),
            (409, "Consumer Deleted", "deleted"),
            (409, "Leadership Change", "interrupted"),
            (409, "Server Shutdown", "interrupted"),
            (409, "Exceeded MaxWaiting", "refused"),
            (400, "Bad Request", "refused"),
            (503, "No Responders", "no responder"),
        ];
        for (code, description, expected) in table {
            let status = StatusCode::from_u16(code).unwrap();
            let judged = match judge_status(status, description) {
                Judged::Nothing => "nothing",
                Judged::Message(_) => "message",
                Judged::End => "end",
                Judged::Broken(PullError::ConsumerDeleted) => "deleted",
                Judged::Broken(PullError::Interrupted(_)) => "interrupted",
                Judged::Broken(PullError::Refused(_)) => "refused",
                Judged::Broken(PullError::NoResponder) => "no responder",
                Judged::Broken(_) => "other",
            };
            assert_eq!(judged, expected, "{code} {description}");
        }
    }
}
