//! What the fakes' limits are made of: the instants that a sliding window holds, and a calendar day.
//!
//! Decides nothing about a vendor: how large a window is, who shares it and what it costs stands beside each fake.

use std::collections::VecDeque;

use jiff::{Timestamp, ToSpan, tz::TimeZone};

/// A sliding log: the instants of the last admitted requests.
#[derive(Debug, Default)]
pub(crate) struct RollingLog(pub(crate) VecDeque<i64>);

impl RollingLog {
    /// Requests in the window that ends now; one exactly `span_ms` old is outside.
    pub(crate) fn held(&mut self, now_ms: i64, span_ms: i64) -> u32 {
        while self.0.front().is_some_and(|&at| at <= now_ms - span_ms) {
            self.0.pop_front();
        }
        self.len()
    }

    /// Requests it held when it was last looked at, and those admitted since.
    pub(crate) fn len(&self) -> u32 {
        self.0.len() as u32
    }
}

/// State of an account's day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayState {
    pub limit: u64,
    pub used: u64,
    /// Midnight of its zone, epoch milliseconds.
    pub ends_ms: i64,
}

/// An account's day: from midnight to midnight of its zone, summer time included.
#[derive(Debug)]
pub(crate) struct Day {
    zone: TimeZone,
    pub(crate) limit: u64,
    pub(crate) used: u64,
    starts_ms: i64,
    ends_ms: i64,
}

impl Day {
    pub(crate) const fn new(zone: TimeZone, limit: u64) -> Self {
        Self {
            zone,
            limit,
            used: 0,
            starts_ms: 0,
            ends_ms: 0,
        }
    }

    /// Begins another day if it is over.
    pub(crate) fn turn(&mut self, now_ms: i64) {
        if (self.starts_ms..self.ends_ms).contains(&now_ms) {
            return;
        }
        self.used = 0;
        // Outside the calendar's range there is no midnight: the day then lasts for ever.
        let bounds = Timestamp::from_millisecond(now_ms).ok().and_then(|now| {
            let start = now.to_zoned(self.zone.clone()).start_of_day().ok()?;
            let end = start.checked_add(1.day()).ok()?.start_of_day().ok()?;
            Some((
                start.timestamp().as_millisecond(),
                end.timestamp().as_millisecond(),
            ))
        });
        (self.starts_ms, self.ends_ms) = bounds.unwrap_or((i64::MIN, i64::MAX));
    }

    pub(crate) fn state(&mut self, now_ms: i64) -> DayState {
        self.turn(now_ms);
        DayState {
            limit: self.limit,
            used: self.used,
            ends_ms: self.ends_ms,
        }
    }
}
