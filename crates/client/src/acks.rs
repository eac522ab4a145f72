//! Where the broker's answers arrive: one reply inbox for all events of a publisher.
//!
//! async-nats' own request table keeps an entry for ever when no answer comes; a broker that hangs would make a
//! retrying publisher grow without end. Here an entry lives as long as its publish, and every attempt of an event
//! uses the same one, so a late answer to an earlier attempt still settles it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_nats::{Message, Subscriber};
use futures_util::StreamExt as _;
use tokio::sync::oneshot;

use crate::answer;

const SHARDS: usize = 16;

/// The answers awaited.
#[derive(Debug)]
pub(crate) struct Acks {
    /// Reply subjects are `<inbox>.<event number>.<attempt>`.
    inbox: String,
    next: AtomicU64,
    shards: [Mutex<HashMap<u64, Waiting>>; SHARDS],
}

#[derive(Debug)]
struct Waiting {
    attempt: u32,
    sender: oneshot::Sender<Message>,
}

/// An event that waits for its answer. Dropped, it is forgotten.
#[derive(Debug)]
pub(crate) struct Slot<'a> {
    acks: &'a Acks,
    number: u64,
    receiver: Option<oneshot::Receiver<Message>>,
}

impl Acks {
    pub(crate) fn new(inbox: String) -> Arc<Self> {
        Arc::new(Self {
            inbox,
            next: AtomicU64::new(0),
            shards: std::array::from_fn(|_| Mutex::default()),
        })
    }

    /// What to subscribe to.
    pub(crate) fn subject(&self) -> String {
        format!("{}.>", self.inbox)
    }

    /// Hands every answer to whom it is for; ends with the connection.
    pub(crate) async fn distribute(self: Arc<Self>, mut subscriber: Subscriber) {
        while let Some(message) = subscriber.next().await {
            self.deliver(message);
        }
        // Nobody will be answered any more: waiting publishes learn it now and not at their time-out.
        for shard in &self.shards {
            lock(shard).clear();
        }
    }

    /// A place for the answer to one event.
    pub(crate) fn open(&self) -> Slot<'_> {
        Slot {
            acks: self,
            number: self.next.fetch_add(1, Ordering::Relaxed),
            receiver: None,
        }
    }

    fn deliver(&self, message: Message) {
        let Some((number, attempt)) = self.addressee(message.subject.as_str()) else {
            tracing::debug!("an answer to nobody");
            return;
        };
        let waiting = {
            let mut shard = lock(self.shard(number));
            match shard.get(&number) {
                // A late no to an earlier attempt says nothing about the one now under way.
                Some(waiting) if waiting.attempt == attempt || answer::is_stored(&message) => {
                    shard.remove(&number)
                }
                _ => None,
            }
        };
        if let Some(waiting) = waiting
            && waiting.sender.send(message).is_err()
        {
            tracing::trace!("an answer came when nobody waited any more");
        }
    }

    fn addressee(&self, subject: &str) -> Option<(u64, u32)> {
        let (number, attempt) = subject
            .strip_prefix(self.inbox.as_str())?
            .strip_prefix('.')?
            .split_once('.')?;
        Some((number.parse().ok()?, attempt.parse().ok()?))
    }

    fn shard(&self, number: u64) -> &Mutex<HashMap<u64, Waiting>> {
        &self.shards[number as usize % SHARDS]
    }
}

/// The lock guards single map operations: after a panic elsewhere the map is still whole.
fn lock(shard: &Mutex<HashMap<u64, Waiting>>) -> MutexGuard<'_, HashMap<u64, Waiting>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Slot<'_> {
    /// Before an attempt: gives its reply subject.
    pub(crate) fn arm(&mut self, attempt: u32) -> String {
        let mut shard = lock(self.acks.shard(self.number));
        if let Some(waiting) = shard.get_mut(&self.number) {
            waiting.attempt = attempt;
        } else {
            let (sender, receiver) = oneshot::channel();
            shard.insert(self.number, Waiting { attempt, sender });
            self.receiver = Some(receiver);
        }
        drop(shard);
        format!("{}.{}.{attempt}", self.acks.inbox, self.number)
    }

    /// The answer; `None` when none can come because the connection is closed, or none is awaited.
    pub(crate) async fn answer(&mut self) -> Option<Message> {
        let answer = self.receiver.as_mut()?.await.ok();
        self.receiver = None;
        answer
    }

    /// Whether an answer can still come.
    pub(crate) fn is_armed(&self) -> bool {
        self.receiver.is_some()
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        lock(self.acks.shard(self.number)).remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use async_nats::StatusCode;

    use super::*;

    fn message(subject: &str, payload: &'static str) -> Message {
        Message {
            subject: subject.into(),
            reply: None,
            payload: payload.into(),
            headers: None,
            status: None,
            description: None,
            length: 0,
        }
    }

    const STORED: &str = r#"{"stream":"VOICE_OP","seq":7}"#;

    fn is_forgotten(acks: &Acks) -> bool {
        acks.shards.iter().all(|shard| lock(shard).is_empty())
    }

    #[tokio::test]
    async fn a_late_yes_to_an_earlier_attempt_counts_and_a_late_no_does_not() {
        let acks = Acks::new("_INBOX.x".to_owned());
        let mut slot = acks.open();
        let first = slot.arm(1);
        let second = slot.arm(2);
        assert_ne!(first, second);
        let mut no = message(&first, "");
        no.status = Some(StatusCode::NO_RESPONDERS);
        acks.deliver(no);
        assert!(slot.is_armed());
        acks.deliver(message(&first, STORED));
        assert_eq!(slot.answer().await.unwrap().payload, STORED);
        // A second answer finds nobody, and a new attempt gets a new place.
        acks.deliver(message(&second, STORED));
        assert!(!slot.is_armed());
        let third = slot.arm(3);
        acks.deliver(message(&third, STORED));
        assert!(slot.answer().await.is_some());
        drop(slot);
        assert!(is_forgotten(&acks));
    }

    #[test]
    fn what_is_given_up_is_forgotten() {
        let acks = Acks::new("_INBOX.x".to_owned());
        for _ in 0..100 {
            let mut slot = acks.open();
            slot.arm(1);
        }
        assert!(is_forgotten(&acks));
        for subject in [
            "_INBOX.x",
            "_INBOX.x.7",
            "_INBOX.x.7.a",
            "_INBOX.xy.0.1",
            "other",
        ] {
            acks.deliver(message(subject, STORED));
        }
    }
}
