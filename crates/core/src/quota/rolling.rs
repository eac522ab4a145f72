//! One exact rolling window, or the slots of requests under way.
//!
//! Holds when each answered request leaves the window, how much is unanswered, what others are believed to use, and
//! what was learnt about the limit ([`super::learn`]). Memory: one entry per millisecond in which something leaves, so
//! at most the limit; over [`FINE_SPAN_MS`] they leave in steps of the span's [`BUCKETS`]th, later rather than sooner.
//!
//! Ticks are whole milliseconds rounded down, so two readings `span` apart may lie up to a millisecond less apart in
//! truth; a request leaves [`ROUNDING_MS`] later than the span for that.

use std::collections::VecDeque;

use super::learn::{Learned, ZONE};
use super::others::{Others, Use};
use crate::time::{BrokerTime, Now, Tick};

const ROUNDING_MS: u64 = 1;
/// Longest span that is kept to the millisecond.
pub(super) const FINE_SPAN_MS: u64 = 60_000;
/// Steps of a longer one: five minutes in a day.
pub(super) const BUCKETS: u64 = 288;

/// When a permit is free.
pub(super) enum Free {
    Now,
    From(Tick),
    /// Not before something in flight is settled.
    OnceSettled,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    leaves: Tick,
    count: u32,
    /// From grant to answer: the CRM may have counted it this much earlier, and let it go as much earlier.
    trip_ms: u64,
}

#[derive(Debug)]
pub(super) struct Rolling {
    /// What may be used of it at most: the account's share of what is published, or of what the CRM tells.
    cap: u32,
    span_ms: u64,
    in_flight: u32,
    /// Own requests that were settled, sorted by when they leave.
    own: VecDeque<Entry>,
    own_count: u32,
    /// What others use, as far as it counts against our cap.
    others: Others,
    pub(super) learned: Option<Learned>,
}

impl Rolling {
    /// A window of so many milliseconds; 0 for slots.
    pub(super) fn new(cap: u32, span_ms: u64) -> Self {
        Self {
            cap,
            span_ms,
            in_flight: 0,
            own: VecDeque::new(),
            own_count: 0,
            others: Others::default(),
            learned: None,
        }
    }

    pub(super) const fn span_ms(&self) -> u64 {
        self.span_ms
    }

    pub(super) const fn cap(&self) -> u32 {
        self.cap
    }

    pub(super) const fn set_cap(&mut self, cap: u32) {
        self.cap = cap;
    }

    /// Counts what a predecessor spent until `end` plus the span.
    pub(super) fn inherit(&mut self, count: u32, now: Now, end: BrokerTime) {
        let leaves = end.plus_ms(self.span_ms + ROUNDING_MS);
        if leaves <= now.broker {
            return;
        }
        let leaves = now.tick.plus_ms(leaves.since_ms(now.broker));
        self.insert(leaves, count.min(self.cap), 0);
    }

    /// The end of the step in which something leaves.
    fn step_end(&self, leaves: Tick) -> Tick {
        if self.span_ms <= FINE_SPAN_MS {
            return leaves;
        }
        let step_ms = self.span_ms / BUCKETS;
        Tick(leaves.0.div_ceil(step_ms).saturating_mul(step_ms))
    }

    fn insert(&mut self, leaves: Tick, count: u32, trip_ms: u64) {
        if count == 0 {
            return;
        }
        let leaves = self.step_end(leaves);
        let at = self.own.partition_point(|other| other.leaves <= leaves);
        self.own_count = self.own_count.saturating_add(count);
        if let Some(before) = at
            .checked_sub(1)
            .and_then(|before| self.own.get_mut(before))
            && before.leaves == leaves
        {
            before.count = before.count.saturating_add(count);
            before.trip_ms = before.trip_ms.max(trip_ms);
            return;
        }
        self.own.insert(
            at,
            Entry {
                leaves,
                count,
                trip_ms,
            },
        );
    }

    fn expire(&mut self, now: Tick) {
        while let Some(first) = self.own.front().filter(|entry| entry.leaves <= now) {
            self.own_count = self.own_count.saturating_sub(first.count);
            self.own.pop_front();
        }
        self.others.expire(now);
    }

    /// What we ourselves occupy.
    pub(super) fn own(&mut self, now: Tick) -> u32 {
        self.expire(now);
        self.in_flight.saturating_add(self.own_count)
    }

    /// What is occupied, by us and by others.
    pub(super) fn occupied(&mut self, now: Tick) -> u32 {
        self.own(now).saturating_add(self.others.count())
    }

    /// What may be occupied, by us and by others.
    pub(super) fn allowed(&self, now: Tick) -> u32 {
        self.learned.as_ref().map_or(self.cap, |learned| {
            learned
                .allowed(now)
                .saturating_add(self.others.count())
                .min(self.cap)
        })
    }

    /// What is left of it for us, going by what others use and, before they were seen for a whole span, will use.
    pub(super) fn ours(&self, now: Tick) -> u32 {
        self.allowed(now)
            .saturating_sub(self.others.expected(now, self.span_ms))
            .max(1)
    }

    /// Permits to be had now.
    pub(super) fn free(&mut self, now: Tick) -> u32 {
        let occupied = self.occupied(now);
        self.allowed(now).saturating_sub(occupied)
    }

    /// Spacing of one request while others use the window too, milliseconds: what is free beyond `leave`, and what
    /// will leave within a stretch less what others will take then, spread over that stretch; of four stretches the one
    /// with the least. What others leave goes up and down; an even spacing would not use the ups, and none would leave
    /// gaps in which nothing leaves, again and again. `None` while nobody else uses it.
    pub(super) fn shared_step_ms(&self, now: Tick, leave: u32) -> Option<u64> {
        if self.others.is_empty() {
            return None;
        }
        let used = self
            .in_flight
            .saturating_add(self.own_count)
            .saturating_add(self.others.count());
        let leave = leave.max(self.others.margin(now, self.span_ms));
        let free = i64::from(self.allowed(now)) - i64::from(used) - i64::from(leave);
        let expected = i64::from(self.others.expected(now, self.span_ms));
        [4, 2]
            .into_iter()
            .map(|part| {
                let stretch_ms = self.span_ms / part;
                let end = now.plus_ms(stretch_ms);
                let leaving: u32 = self
                    .own
                    .iter()
                    .map(|entry| (entry.leaves, entry.count))
                    .chain(self.others.leaving())
                    .filter(|(leaves, _)| *leaves <= end)
                    .map(|(_, count)| count)
                    .sum();
                let have = free + i64::from(leaving) - expected / part.cast_signed();
                // A little sooner than all of it would last: what isn't there when its time has come waits for the
                // window.
                stretch_ms * 3 / 5 / have.max(1).cast_unsigned()
            })
            .max()
            // Others may leave again before that.
            .map(|step_ms| step_ms.min(2 * self.span_ms / u64::from(self.ours(now))))
    }

    /// Whether the next of `leave` permits that are to be left standing would try out whether more is allowed: all but
    /// those are used.
    pub(super) fn tries_out(&self, now: Tick, leave: u32) -> bool {
        let own = self.in_flight.saturating_add(self.own_count);
        self.learned.as_ref().is_some_and(|learned| {
            learned.is_growing(now)
                && own.saturating_add(leave).saturating_add(ZONE) >= learned.level()
        })
    }

    /// When a permit of this cost is free with `leave` left standing, as far as possible.
    pub(super) fn free_from(&mut self, now: Tick, cost: u32, leave: u32) -> Free {
        let occupied = self.occupied(now);
        let allowed = self.allowed(now);
        // An operation dearer than the whole window goes when it is empty.
        let cost = cost.min(allowed);
        let margin = self.others.margin(now, self.span_ms);
        let leave = leave.max(margin);
        let allowed = allowed.saturating_sub(leave.min(allowed - cost));
        let own = self.in_flight.saturating_add(self.own_count);
        if let Some(learned) = &self.learned
            && learned.waits_for_probe(now, own.saturating_add(cost))
        {
            return Free::OnceSettled;
        }
        let must_leave = occupied.saturating_add(cost).saturating_sub(allowed);
        if must_leave == 0 {
            return Free::Now;
        }
        // What was learnt is tried anew then.
        let relearn = self
            .learned
            .as_ref()
            .map(Learned::held_until)
            .filter(|until| *until > now);
        match (self.nth_leaves(must_leave), relearn) {
            (Some(at), Some(relearn)) => Free::From(at.min(relearn)),
            (Some(at), None) | (None, Some(at)) => Free::From(at),
            (None, None) => Free::OnceSettled,
        }
    }

    /// When `count` will have left.
    fn nth_leaves(&self, count: u32) -> Option<Tick> {
        if self.others.is_empty() && self.own_count as usize == self.own.len() {
            return self.own.get(count as usize - 1).map(|entry| entry.leaves);
        }
        let mut own = self.own.iter().map(|entry| (entry.leaves, entry.count));
        let mut others = self.others.leaving();
        let (mut next_own, mut next_other) = (own.next(), others.next());
        let mut left = 0_u32;
        loop {
            let (at, leaving) = match (next_own, next_other) {
                (Some(a), Some(b)) if b.0 < a.0 => {
                    next_other = others.next();
                    b
                }
                (Some(a), _) => {
                    next_own = own.next();
                    a
                }
                (None, Some(b)) => {
                    next_other = others.next();
                    b
                }
                (None, None) => return None,
            };
            left = left.saturating_add(leaving);
            if left >= count {
                return Some(at);
            }
        }
    }

    pub(super) const fn grant(&mut self, cost: u32) {
        self.in_flight = self.in_flight.saturating_add(cost);
    }

    pub(super) const fn give_back(&mut self, cost: u32) {
        self.in_flight = self.in_flight.saturating_sub(cost);
    }

    /// A request that was granted `trip_ms` ago reached the CRM at `at` at the latest.
    pub(super) fn settle(&mut self, at: Tick, cost: u32, trip_ms: u64) {
        self.give_back(cost);
        self.insert(at.plus_ms(self.span_ms + ROUNDING_MS), cost, trip_ms);
    }

    /// A request under way ended; a slot is free at once.
    pub(super) const fn is_slots(&self) -> bool {
        self.span_ms == 0
    }

    /// How many of our own requests the CRM surely counted when it answered one at `now`: those that had been
    /// answered and cannot have left.
    pub(super) fn surely_counted(&self, now: Tick) -> u32 {
        self.own
            .iter()
            .rev()
            .take_while(|entry| entry.leaves > now)
            .filter(|entry| entry.leaves.0.saturating_sub(entry.trip_ms) > now.0)
            .map(|entry| entry.count)
            .sum()
    }

    /// What the CRM shows of others.
    pub(super) fn set_others(&mut self, now: Tick, mut seen: Use) {
        seen.leaves = self.step_end(seen.leaves);
        self.others.set(now, seen);
    }

    /// When the oldest request leaves, be it ours or not; when our newest does.
    pub(super) fn oldest_leaves(&mut self, now: Tick) -> Option<Tick> {
        self.expire(now);
        let own = self.own.front().map(|entry| entry.leaves);
        own.into_iter()
            .chain(self.others.leaving().next().map(|(at, _)| at))
            .min()
    }

    pub(super) fn newest_leaves(&self) -> Option<Tick> {
        self.own.back().map(|entry| entry.leaves)
    }

    /// Whether what was learnt no longer binds: it comes within reach of what is allowed anyway.
    pub(super) fn forget_what_no_longer_binds(&mut self) {
        let ours = self.cap.saturating_sub(self.others.count());
        if let Some(learned) = &self.learned
            && learned.level().saturating_add(ZONE) >= ours
        {
            self.learned = None;
        }
    }
}
