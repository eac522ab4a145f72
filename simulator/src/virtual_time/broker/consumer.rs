//! One durable pull consumer: who gets what when, what comes again, what an acknowledgement ends.
//!
//! Invariants: what is delivered and neither acknowledged nor purged comes again, after `ack_wait` or the delay asked
//! for; what comes again goes before what is new; no more than `max_ack_pending` new messages are out at a time;
//! deliveries are numbered without gaps from 1 on, anew after a reset.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::message::{Message, header_bytes};
use super::stream::Stream;

/// How a consumer is made. It begins with the stream's first message, acknowledges each by itself and never gives up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerConfig {
    /// Its name.
    pub name: String,
    /// What it gets.
    pub filter: String,
    /// After this long without an acknowledgement a message comes again, milliseconds.
    pub ack_wait_ms: u64,
    /// Messages out and not acknowledged at a time.
    pub max_ack_pending: usize,
}

/// A message as it is delivered.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// The message.
    pub message: Arc<Message>,
    /// Its number among the consumer's deliveries.
    pub consumer_seq: u64,
    /// How often it has been delivered, this time included.
    pub count: u64,
    /// Messages that had never been delivered then.
    pub pending: u64,
}

/// Why a pull is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullEnd {
    /// It has got its messages.
    Full,
    /// Its time is up.
    Expired,
    /// The next message doesn't fit into what is left of its bytes.
    Bytes,
}

/// What comes of a pull.
#[derive(Debug, Clone)]
pub enum PullNews {
    /// A message.
    Message(Delivered),
    /// Nothing follows.
    End(PullEnd),
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pull {
    /// Messages.
    pub messages: usize,
    /// Bytes: subject, acknowledgement subject, headers and bodies.
    pub bytes: Option<usize>,
    /// For how long, milliseconds.
    pub expires_ms: u64,
}

/// A consumer's figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsumerState {
    /// Messages never delivered since the last reset.
    pub pending: u64,
    /// Delivered and not acknowledged.
    pub ack_pending: u64,
    /// Everything up to here is acknowledged.
    pub ack_floor: u64,
}

#[derive(Debug)]
struct Waiting {
    token: u64,
    messages: usize,
    bytes: Option<usize>,
    ends_ms: i64,
}

#[derive(Debug)]
pub(super) struct Consumer {
    config: ConsumerConfig,
    /// Length of the stream's and the consumer's name, part of every acknowledgement subject.
    names_bytes: usize,
    next: u64,
    delivered: u64,
    /// Out and not acknowledged, with the instant it comes again.
    out: BTreeMap<u64, i64>,
    due: BTreeSet<(i64, u64)>,
    again: VecDeque<u64>,
    counts: BTreeMap<u64, u64>,
    waiting: VecDeque<Waiting>,
}

/// `$JS.ACK.`, five dots, and a time stamp of 19 digits.
const ACK_SUBJECT_BYTES: usize = "$JS.ACK.".len() + "......".len() + 19;

impl Consumer {
    pub(super) fn new(stream: &str, config: ConsumerConfig) -> Self {
        Self {
            names_bytes: stream.len() + config.name.len(),
            config,
            next: 1,
            delivered: 0,
            out: BTreeMap::new(),
            due: BTreeSet::new(),
            again: VecDeque::new(),
            counts: BTreeMap::new(),
            waiting: VecDeque::new(),
        }
    }

    pub(super) fn filter(&self) -> &str {
        &self.config.filter
    }

    /// Takes new settings over; what is out stays out.
    pub(super) fn configure(&mut self, config: ConsumerConfig) {
        self.config = config;
    }

    /// When something happens by itself the next time: a message comes again to a pull that stands, or a pull ends.
    pub(super) fn next_ms(&self) -> Option<i64> {
        let ends = self.waiting.iter().map(|pull| pull.ends_ms).min()?;
        let again = self.due.first().map(|(at_ms, _)| *at_ms);
        Some(again.map_or(ends, |at_ms| at_ms.min(ends)))
    }

    pub(super) fn pull(&mut self, now_ms: i64, token: u64, pull: Pull) {
        self.waiting.push_back(Waiting {
            token,
            messages: pull.messages.max(1),
            bytes: pull.bytes,
            ends_ms: now_ms.saturating_add(pull.expires_ms.cast_signed()),
        });
    }

    /// Nobody listens for this pull's messages any more.
    pub(super) fn withdraw(&mut self, token: u64) {
        self.waiting.retain(|pull| pull.token != token);
    }

    /// Gives to the pulls that stand, in turn, and ends those whose time is up.
    pub(super) fn serve(&mut self, now_ms: i64, stream: &Stream, news: &mut Vec<(u64, PullNews)>) {
        while let Some((at_ms, seq)) = self.due.first().copied()
            && at_ms <= now_ms
        {
            self.due.remove(&(at_ms, seq));
            self.again.push_back(seq);
        }
        self.waiting.retain(|pull| {
            let over = pull.ends_ms <= now_ms;
            if over {
                news.push((pull.token, PullNews::End(PullEnd::Expired)));
            }
            !over
        });
        while !self.waiting.is_empty()
            && let Some((message, is_new)) = self.first(stream)
        {
            self.give(now_ms, stream, &message, is_new, news);
        }
    }

    /// What goes next, and whether it goes for the first time.
    fn first(&mut self, stream: &Stream) -> Option<(Arc<Message>, bool)> {
        while let Some(seq) = self.again.front().copied() {
            match stream.get(seq) {
                Some(message) => return Some((message.clone(), false)),
                None => self.forget(seq),
            }
        }
        if self.out.len() >= self.config.max_ack_pending {
            return None;
        }
        stream
            .next(&self.config.filter, self.next)
            .map(|message| (message.clone(), true))
    }

    fn give(
        &mut self,
        now_ms: i64,
        stream: &Stream,
        message: &Arc<Message>,
        is_new: bool,
        news: &mut Vec<(u64, PullNews)>,
    ) {
        let count = self.counts.get(&message.seq).map_or(1, |count| count + 1);
        let size = self.delivery_bytes(stream, message, count);
        let Some(mut pull) = self.waiting.pop_front() else {
            return;
        };
        if pull.bytes.is_some_and(|left| left < size) {
            news.push((pull.token, PullNews::End(PullEnd::Bytes)));
            return;
        }
        if is_new {
            self.next = message.seq + 1;
        } else {
            self.again.pop_front();
        }
        self.delivered += 1;
        self.counts.insert(message.seq, count);
        let ack_wait_ms = self.config.ack_wait_ms.cast_signed();
        self.put_off(message.seq, now_ms.saturating_add(ack_wait_ms));
        let delivered = Delivered {
            message: message.clone(),
            consumer_seq: self.delivered,
            count,
            pending: stream.count(&self.config.filter, self.next),
        };
        news.push((pull.token, PullNews::Message(delivered)));
        pull.messages -= 1;
        pull.bytes = pull.bytes.map(|left| left - size);
        if pull.messages == 0 {
            news.push((pull.token, PullNews::End(PullEnd::Full)));
        } else {
            self.waiting.push_back(pull);
        }
    }

    fn delivery_bytes(&self, stream: &Stream, message: &Message, count: u64) -> usize {
        let digits = |number: u64| number.checked_ilog10().unwrap_or(0) as usize + 1;
        let numbers = digits(count)
            + digits(message.seq)
            + digits(self.delivered + 1)
            + digits(stream.count(&self.config.filter, self.next.max(message.seq + 1)));
        message.subject.len()
            + ACK_SUBJECT_BYTES
            + self.names_bytes
            + numbers
            + header_bytes(&message.headers)
            + message.payload.len()
    }

    fn put_off(&mut self, seq: u64, until_ms: i64) {
        if let Some(before) = self.out.insert(seq, until_ms) {
            self.due.remove(&(before, seq));
        }
        self.due.insert((until_ms, seq));
    }

    fn forget(&mut self, seq: u64) {
        if let Some(at_ms) = self.out.remove(&seq) {
            self.due.remove(&(at_ms, seq));
        }
        self.again.retain(|other| *other != seq);
        self.counts.remove(&seq);
    }

    /// Ends a message; nothing happens when it isn't out.
    pub(super) fn ack(&mut self, seq: u64) {
        if self.out.contains_key(&seq) {
            self.forget(seq);
        }
    }

    /// Gives a message back: it comes again after the delay.
    pub(super) fn nak(&mut self, now_ms: i64, seq: u64, delay_ms: u64) {
        if self.out.contains_key(&seq) && !self.again.contains(&seq) {
            self.put_off(seq, now_ms.saturating_add(delay_ms.cast_signed()));
        }
    }

    /// The message is still in hand: its `ack_wait` begins again.
    pub(super) fn extend(&mut self, now_ms: i64, seq: u64) {
        if self.out.contains_key(&seq) && !self.again.contains(&seq) {
            let ack_wait_ms = self.config.ack_wait_ms.cast_signed();
            self.put_off(seq, now_ms.saturating_add(ack_wait_ms));
        }
    }

    /// Begins anew at `seq`: everything from there on comes again, also what was acknowledged.
    pub(super) fn reset(&mut self, seq: u64) {
        self.next = seq.max(1);
        self.delivered = 0;
        self.out.clear();
        self.due.clear();
        self.again.clear();
        self.counts.clear();
    }

    /// Messages that are gone from the stream are not waited for.
    pub(super) fn purged(&mut self, stream: &Stream) {
        let gone: Vec<u64> = self
            .out
            .keys()
            .copied()
            .filter(|seq| stream.get(*seq).is_none())
            .collect();
        for seq in gone {
            self.forget(seq);
        }
        self.next = self.next.max(stream.state().first_seq);
    }

    pub(super) fn state(&self, stream: &Stream) -> ConsumerState {
        ConsumerState {
            pending: stream.count(&self.config.filter, self.next),
            ack_pending: self.out.len() as u64,
            ack_floor: self
                .out
                .first_key_value()
                .map_or(self.next, |(seq, _)| *seq)
                - 1,
        }
    }

    /// Whether everything stored under its filter has been acknowledged.
    pub(super) fn is_settled(&self, stream: &Stream) -> bool {
        self.out.is_empty() && stream.next(&self.config.filter, self.next).is_none()
    }
}
