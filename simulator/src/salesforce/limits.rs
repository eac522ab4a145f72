//! Salesforce's limits: calls of the org in any 24 hours, long requests at the same time, rows of jobs.
//!
//! The day is rolling (the vendor's worked example). Paid orgs may run over the figure by an amount that isn't published;
//! from the cap on, calls are refused. A request is long from its 20th second on; while as many are under way as there may
//! be, new requests are refused, whatever they are. Whether refused requests count isn't documented; chosen: they don't.
//!
//! Invariants: no 24 hours ever hold more admitted calls than the cap; a refused request takes no place.

use std::collections::VecDeque;

use super::audit::Counters;
use super::config::{SalesforceConfig, SetupError};

/// Length of the day.
pub const DAY_MS: i64 = 86_400_000;
/// From when on a request is a long one.
pub const LONG_AFTER_MS: i64 = 20_000;

/// Which limit was full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    /// The calls of 24 hours.
    Total,
    /// Long requests under way.
    Concurrent,
}

/// State of the 24 hours that end at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayState {
    pub limit: u32,
    /// More than the limit where the org may run over it.
    pub used: u32,
    /// When the oldest call leaves the window, epoch milliseconds; `None` when it is empty.
    pub next_free_ms: Option<i64>,
}

/// Amounts with the instants they were taken at, of the last 24 hours.
#[derive(Debug, Default)]
struct Log {
    taken: VecDeque<(i64, u64)>,
    sum: u64,
}

impl Log {
    /// What the window that ends now holds; what is exactly as old as the window is outside.
    fn held(&mut self, now_ms: i64) -> u64 {
        while let Some(&(at_ms, amount)) = self.taken.front() {
            if at_ms > now_ms.saturating_sub(DAY_MS) {
                break;
            }
            self.sum -= amount;
            self.taken.pop_front();
        }
        self.sum
    }

    fn take(&mut self, now_ms: i64, amount: u64) {
        self.sum += amount;
        match self.taken.back_mut() {
            Some((at_ms, held)) if *at_ms == now_ms => *held += amount,
            _ => self.taken.push_back((now_ms, amount)),
        }
    }

    fn give_back(&mut self, amount: u64) {
        if let Some((_, held)) = self.taken.back_mut() {
            let back = amount.min(*held);
            *held -= back;
            self.sum -= back;
        }
    }
}

/// Every limit of the org.
#[derive(Debug)]
pub(super) struct Limits {
    calls: Log,
    limit: u32,
    overrun_percent: u32,
    rows: Log,
    rows_limit: u64,
    /// Spans in which a request is a long one.
    long: Vec<(i64, i64)>,
    long_limit: u32,
}

impl Limits {
    pub(super) fn new(config: &SalesforceConfig) -> Result<Self, SetupError> {
        for (value, name) in [
            (config.daily_requests, "daily_requests"),
            (config.long_requests, "long_requests"),
            (config.bulk_rows_per_s, "bulk_rows_per_s"),
        ] {
            if value == 0 {
                return Err(SetupError::ZeroLimit(name));
            }
        }
        Ok(Self {
            calls: Log::default(),
            limit: config.daily_requests,
            overrun_percent: config.overrun_percent,
            rows: Log::default(),
            rows_limit: config.daily_bulk_rows,
            long: Vec::new(),
            long_limit: config.long_requests,
        })
    }

    const fn cap(&self) -> u64 {
        self.limit as u64 * (100 + self.overrun_percent as u64) / 100
    }

    /// Admits a request that is so many calls, or says which limit is full.
    pub(super) fn admit(
        &mut self,
        now_ms: i64,
        calls: u32,
        counters: &mut Counters,
    ) -> Result<(), Policy> {
        self.long.retain(|(_, until_ms)| *until_ms > now_ms);
        let long = self.long.iter().filter(|(from, _)| *from <= now_ms).count();
        let full = if long >= self.long_limit as usize {
            Some(Policy::Concurrent)
        } else if self.calls.held(now_ms) + u64::from(calls) > self.cap() {
            Some(Policy::Total)
        } else {
            None
        };
        if let Some(policy) = full {
            counters.over_limit += 1;
            *counters.throttled.entry(policy).or_insert(0) += 1;
            return Err(policy);
        }
        self.calls.take(now_ms, calls.into());
        counters.admitted += 1;
        counters.calls += u64::from(calls);
        counters.max_in_day = counters.max_in_day.max(self.calls.sum as u32);
        Ok(())
    }

    /// Takes calls back that a scripted refusal answered.
    pub(super) fn give_back(&mut self, calls: u32, counters: &mut Counters) {
        self.calls.give_back(calls.into());
        counters.calls = counters.calls.saturating_sub(calls.into());
    }

    /// Calls that somebody else of the org makes, as far as there are any. Returns how many.
    pub(super) fn spend(&mut self, now_ms: i64, calls: u32) -> u32 {
        let left = self.cap().saturating_sub(self.calls.held(now_ms));
        let spent = u64::from(calls).min(left);
        self.calls.take(now_ms, spent);
        spent as u32
    }

    /// Notes a request that takes so long from its arrival on.
    pub(super) fn lasts(&mut self, arrived_ms: i64, duration_ms: u64) {
        let duration_ms = i64::try_from(duration_ms).unwrap_or(i64::MAX);
        if duration_ms >= LONG_AFTER_MS {
            let from = arrived_ms.saturating_add(LONG_AFTER_MS);
            self.long
                .push((from, arrived_ms.saturating_add(duration_ms)));
        }
    }

    /// Takes rows of a job, or says that the day has no room for them.
    pub(super) fn take_rows(&mut self, now_ms: i64, rows: u64) -> bool {
        let fits = self.rows.held(now_ms).saturating_add(rows) <= self.rows_limit;
        if fits {
            self.rows.take(now_ms, rows);
        }
        fits
    }

    /// Changes the figure of the day; what stands in it stays.
    pub(super) const fn set_daily(&mut self, limit: u32) {
        self.limit = limit;
    }

    pub(super) fn day(&mut self, now_ms: i64) -> DayState {
        let used = self.calls.held(now_ms) as u32;
        let oldest = self.calls.taken.iter().find(|(_, amount)| *amount > 0);
        DayState {
            limit: self.limit,
            used,
            next_free_ms: oldest.map(|(at_ms, _)| at_ms.saturating_add(DAY_MS)),
        }
    }
}
