//! What a virtual run needs of a broker: streams with deduplication, one consumer per lane, buckets.
//!
//! Stored is stored: the broker survives every kill of a worker. Deliveries are numbered per consumer; a reset starts
//! them anew at the floor, in stream order.

use std::collections::{BTreeMap, BTreeSet};

use callflume_core::lane::Lane;
use callflume_core::record::{ContactRecord, JournalRecord, LedgerRecord};

/// A stored event.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) kind: String,
    pub(super) msg_id: String,
    pub(super) payload: Vec<u8>,
}

#[derive(Debug, Default)]
struct Stream {
    messages: Vec<Message>,
    ids: BTreeMap<String, u64>,
}

/// A lane's consumer.
#[derive(Debug, Default)]
struct Consumer {
    /// Next sequence to deliver.
    next: u64,
    delivered: u64,
    /// What a standing pull may still get, and when it ends.
    pull: Option<Pull>,
    acked: BTreeSet<u64>,
}

/// A standing pull request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pull {
    pub(super) count: usize,
    pub(super) bytes: usize,
}

/// What a pull gives.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) seq: u64,
    pub(super) consumer_seq: u64,
    pub(super) message: Message,
}

/// What publishing answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    New,
    Duplicate,
}

/// Streams, consumers and buckets.
#[derive(Debug, Default)]
pub(super) struct Broker {
    streams: [Stream; 2],
    consumers: [Consumer; 2],
    pub(super) ledger: BTreeMap<String, LedgerRecord>,
    pub(super) aliases: BTreeMap<String, String>,
    pub(super) contacts: BTreeMap<String, ContactRecord>,
    pub(super) floors: [u64; 2],
    pub(super) journal: Option<JournalRecord>,
    pub(super) dead: Vec<String>,
}

impl Broker {
    pub(super) fn publish(&mut self, lane: Lane, message: Message) -> Stored {
        let stream = &mut self.streams[lane as usize];
        if stream.ids.contains_key(&message.msg_id) {
            return Stored::Duplicate;
        }
        stream.messages.push(message.clone());
        stream
            .ids
            .insert(message.msg_id, stream.messages.len() as u64);
        Stored::New
    }

    /// Sets the consumer back to the floor; a standing pull is withdrawn.
    pub(super) fn reset(&mut self, lane: Lane, floor: u64) {
        let consumer = &mut self.consumers[lane as usize];
        consumer.next = floor.max(1);
        consumer.delivered = 0;
        consumer.pull = None;
    }

    pub(super) fn pull(&mut self, lane: Lane, pull: Pull) {
        self.consumers[lane as usize].pull = Some(pull);
    }

    /// Ends a standing pull; answers whether one stood.
    pub(super) fn end_pull(&mut self, lane: Lane) -> bool {
        self.consumers[lane as usize].pull.take().is_some()
    }

    /// What a standing pull gets now, and whether that ends it.
    pub(super) fn deliver(&mut self, lane: Lane) -> (Vec<Given>, bool) {
        let stream = &self.streams[lane as usize];
        let consumer = &mut self.consumers[lane as usize];
        let Some(mut pull) = consumer.pull else {
            return (Vec::new(), false);
        };
        let mut given = Vec::new();
        while pull.count > 0
            && let Some(message) = usize::try_from(consumer.next.saturating_sub(1))
                .ok()
                .and_then(|index| stream.messages.get(index))
        {
            if message.payload.len() > pull.bytes && !given.is_empty() {
                pull.count = 0;
                break;
            }
            consumer.delivered += 1;
            pull.count -= 1;
            pull.bytes = pull.bytes.saturating_sub(message.payload.len());
            given.push(Given {
                seq: consumer.next,
                consumer_seq: consumer.delivered,
                message: message.clone(),
            });
            consumer.next += 1;
        }
        let full = pull.count == 0;
        consumer.pull = (!full).then_some(pull);
        (given, full)
    }

    pub(super) fn ack(&mut self, lane: Lane, seq: u64) {
        self.consumers[lane as usize].acked.insert(seq);
    }

    /// Whether every stored event is acknowledged.
    pub(super) fn settled(&self) -> bool {
        self.streams
            .iter()
            .zip(&self.consumers)
            .all(|(stream, consumer)| consumer.acked.len() == stream.messages.len())
    }
}
