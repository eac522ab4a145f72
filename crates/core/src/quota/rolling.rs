//! One exact rolling window.
//!
//! Holds when each answered request leaves the window, and how many are unanswered. Memory: one tick per request in
//! the window, so at most the limit.
//!
//! Ticks are whole milliseconds rounded down, so two readings `span` apart may lie up to a millisecond less apart in
//! truth; a request leaves [`ROUNDING_MS`] later than the span for that.

use std::collections::VecDeque;

use crate::time::{BrokerTime, Now, Tick};

const ROUNDING_MS: u64 = 1;

/// When a permit is free.
pub(super) enum Free {
    Now,
    From(Tick),
    /// Not before something in flight is settled.
    OnceSettled,
}

#[derive(Debug)]
pub(super) struct Rolling {
    limit: u32,
    span_ms: u64,
    in_flight: u32,
    /// When each settled request leaves; sorted.
    leaving: VecDeque<Tick>,
}

impl Rolling {
    pub(super) const fn new(limit: u32, span_ms: u64) -> Self {
        Self {
            limit,
            span_ms,
            in_flight: 0,
            leaving: VecDeque::new(),
        }
    }

    /// Counts what a predecessor spent until `end` plus the span.
    pub(super) fn inherit(&mut self, count: u32, now: Now, end: BrokerTime) {
        let leaves = end.plus_ms(self.span_ms + ROUNDING_MS);
        if leaves <= now.broker {
            return;
        }
        let leaves = now.tick.plus_ms(leaves.since_ms(now.broker));
        for _ in 0..count.min(self.limit) {
            self.insert(leaves);
        }
    }

    fn insert(&mut self, leaves: Tick) {
        let at = self.leaving.partition_point(|other| *other <= leaves);
        self.leaving.insert(at, leaves);
    }

    fn expire(&mut self, now: Tick) {
        while self.leaving.front().is_some_and(|leaves| *leaves <= now) {
            self.leaving.pop_front();
        }
    }

    fn occupied(&self) -> u32 {
        self.in_flight
            .saturating_add(u32::try_from(self.leaving.len()).unwrap_or(u32::MAX))
    }

    /// Permits to be had now.
    pub(super) fn free(&mut self, now: Tick) -> u32 {
        self.expire(now);
        self.limit.saturating_sub(self.occupied())
    }

    /// When a permit is free with `leave` left standing.
    pub(super) fn free_from(&mut self, now: Tick, leave: u32) -> Free {
        self.expire(now);
        let occupied = self.occupied();
        let allowed = self.limit.saturating_sub(leave);
        if occupied < allowed {
            return Free::Now;
        }
        let must_leave = (occupied - allowed) as usize;
        self.leaving
            .get(must_leave)
            .map_or(Free::OnceSettled, |at| Free::From(*at))
    }

    pub(super) const fn grant(&mut self) {
        self.in_flight = self.in_flight.saturating_add(1);
    }

    pub(super) const fn give_back(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    pub(super) fn settle(&mut self, at: Tick) {
        self.give_back();
        self.insert(at.plus_ms(self.span_ms + ROUNDING_MS));
    }

    pub(super) fn oldest_leaves(&self, now: Tick) -> Tick {
        self.leaving.front().copied().unwrap_or(now).max(now)
    }
}
