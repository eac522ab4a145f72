//! Streams, consumers and buckets of one account, as far as the tournament needs them.
//!
//! Stored is stored: kills don't touch it. Deliveries are numbered per consumer; a reset starts them anew at the floor.

use std::collections::{BTreeSet, HashMap};

use callflume_core::lane::Lane;
use callflume_core::record::{JournalRecord, LedgerRecord};

#[derive(Debug, Default)]
struct Stream {
    /// Places of the effects in the work, by sequence from 1.
    messages: Vec<usize>,
    acked: Vec<bool>,
    /// The consumer: next to deliver, delivered since the last reset, what a standing pull may still get.
    next: usize,
    delivered: u64,
    pull: Option<usize>,
}

/// What a pull gives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given {
    pub(super) seq: u64,
    pub(super) consumer_seq: u64,
    pub(super) effect: usize,
}

/// The broker.
#[derive(Debug, Default)]
pub(super) struct Broker {
    streams: [Stream; 2],
    pub(super) ledger: HashMap<String, LedgerRecord>,
    pub(super) floors: [u64; 2],
    pub(super) journal: Option<JournalRecord>,
    /// Effects with dead letters.
    pub(super) dead: BTreeSet<usize>,
    pub(super) acked: usize,
}

impl Broker {
    pub(super) fn publish(&mut self, lane: Lane, effect: usize) {
        let stream = &mut self.streams[lane as usize];
        stream.messages.push(effect);
        stream.acked.push(false);
    }

    /// Sets the consumer back; a standing pull is withdrawn.
    pub(super) fn reset(&mut self, lane: Lane, floor: u64) {
        let stream = &mut self.streams[lane as usize];
        stream.next = floor.saturating_sub(1) as usize;
        stream.delivered = 0;
        stream.pull = None;
    }

    pub(super) fn pull(&mut self, lane: Lane, count: usize) {
        self.streams[lane as usize].pull = Some(count);
    }

    /// Ends a standing pull; answers whether one stood.
    pub(super) fn end_pull(&mut self, lane: Lane) -> bool {
        self.streams[lane as usize].pull.take().is_some()
    }

    /// What a standing pull gets now, and whether that ends it.
    pub(super) fn deliver(&mut self, lane: Lane) -> (Vec<Given>, bool) {
        let stream = &mut self.streams[lane as usize];
        let Some(count) = stream.pull else {
            return (Vec::new(), false);
        };
        let mut given = Vec::new();
        while given.len() < count
            && let Some(effect) = stream.messages.get(stream.next).copied()
        {
            stream.next += 1;
            stream.delivered += 1;
            given.push(Given {
                seq: stream.next as u64,
                consumer_seq: stream.delivered,
                effect,
            });
        }
        let left = count - given.len();
        stream.pull = (left > 0).then_some(left);
        (given, left == 0)
    }

    pub(super) fn ack(&mut self, lane: Lane, seq: u64) {
        if let Some(acked) = self.streams[lane as usize]
            .acked
            .get_mut(seq.saturating_sub(1) as usize)
            && !*acked
        {
            *acked = true;
            self.acked += 1;
        }
    }
}
