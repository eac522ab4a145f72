//! The three limits, to the letter: a sliding log per app, one for searches, and the account's day.
//!
//! Invariants: no window ever holds more admitted requests than its limit; a request is admitted by all its windows or by
//! none; the day ends at midnight of the account's zone, summer time included. How the vendor's own window works is not
//! documented; a sliding log is the strictest reading.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::audit::Counters;
use super::config::{App, HubSpotConfig, SetupError};
use crate::fakes::{Day, DayState, RollingLog};

/// Which windows a request stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pool {
    /// The app's rolling window and the day.
    Interval,
    /// The account's search window and the day, not the app's rolling window.
    Search,
    /// No limit (token information).
    Free,
}

/// The limit that was full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    TenSecondlyRolling,
    Secondly,
    Daily,
}

/// A rolling window.
#[derive(Debug)]
struct Window {
    limit: u32,
    span_ms: i64,
    log: RollingLog,
}

impl Window {
    fn new(limit: u32, span_ms: i64) -> Self {
        Self {
            limit,
            span_ms,
            log: RollingLog::default(),
        }
    }

    fn held(&mut self, now_ms: i64) -> u32 {
        self.log.held(now_ms, self.span_ms)
    }

    fn full(&mut self, now_ms: i64) -> bool {
        self.held(now_ms) >= self.limit
    }

    fn held_since(&self, from_ms: i64) -> u32 {
        let newest = self.log.0.iter().rev();
        newest.take_while(|&&at| at > from_ms).count() as u32
    }
}

/// All windows of one account.
#[derive(Debug)]
pub(super) struct Limits {
    intervals: BTreeMap<u64, Window>,
    interval_ms: i64,
    searches: Window,
    day: Day,
    rejected_requests_count: bool,
}

impl Limits {
    pub(super) fn new(config: &HubSpotConfig) -> Result<Self, SetupError> {
        let zone = TimeZone::get(&config.time_zone)
            .map_err(|_| SetupError::UnknownTimeZone(config.time_zone.clone()))?;
        for (value, name) in [
            (config.daily_limit, "daily_limit"),
            (config.search_limit.into(), "search_limit"),
            (config.interval_ms.max(0) as u64, "interval_ms"),
            (
                config.search_interval_ms.max(0) as u64,
                "search_interval_ms",
            ),
        ] {
            if value == 0 {
                return Err(SetupError::ZeroLimit(name));
            }
        }
        Ok(Self {
            intervals: BTreeMap::new(),
            interval_ms: config.interval_ms,
            searches: Window::new(config.search_limit, config.search_interval_ms),
            day: Day::new(zone, config.daily_limit),
            rejected_requests_count: config.rejected_requests_count,
        })
    }

    /// Gives an app its window; a second token of the same app shares it.
    pub(super) fn add_app(&mut self, app: &App) -> Result<(), SetupError> {
        if app.interval_limit == 0 {
            return Err(SetupError::ZeroLimit("interval_limit"));
        }
        let interval_ms = self.interval_ms;
        self.intervals
            .entry(app.app_id)
            .or_insert_with(|| Window::new(app.interval_limit, interval_ms));
        Ok(())
    }

    /// Changes an app's limit; what stands in the window stays.
    pub(super) fn set_interval_limit(&mut self, app_id: u64, limit: u32) -> bool {
        match self.intervals.get_mut(&app_id) {
            Some(log) => {
                log.limit = limit;
                true
            }
            None => false,
        }
    }

    /// Admits a request or says which limit is full.
    pub(super) fn admit(
        &mut self,
        now_ms: i64,
        app: &App,
        pool: Pool,
        counters: &mut Counters,
    ) -> Result<(), Policy> {
        if pool == Pool::Free {
            return Ok(());
        }
        self.day.turn(now_ms);
        let full = if !app.oauth && self.day.used >= self.day.limit {
            Some(Policy::Daily)
        } else {
            match (pool, self.intervals.get_mut(&app.app_id)) {
                (Pool::Search, _) => self.searches.full(now_ms).then_some(Policy::Secondly),
                (_, Some(log)) => log.full(now_ms).then_some(Policy::TenSecondlyRolling),
                (_, None) => None,
            }
        };
        if let Some(policy) = full {
            counters.over_limit += 1;
            *counters.throttled.entry(policy).or_insert(0) += 1;
            if self.rejected_requests_count {
                self.take(now_ms, app.app_id, pool);
            }
            return Err(policy);
        }
        self.take(now_ms, app.app_id, pool);
        counters.admitted += 1;
        self.note_peaks(app.app_id, counters);
        Ok(())
    }

    /// Takes a request back that a scripted refusal answered: refused requests hold no place.
    pub(super) fn give_back(&mut self, app: &App, pool: Pool) {
        if self.rejected_requests_count || pool == Pool::Free {
            return;
        }
        self.day.used = self.day.used.saturating_sub(1);
        let log = if pool == Pool::Search {
            Some(&mut self.searches)
        } else {
            self.intervals.get_mut(&app.app_id)
        };
        if let Some(log) = log {
            log.log.0.pop_back();
        }
    }

    /// Requests of somebody else: as many as fit, the rest is lost to them.
    pub(super) fn spend(
        &mut self,
        now_ms: i64,
        app: &App,
        pool: Pool,
        count: u64,
        counters: &mut Counters,
    ) -> u64 {
        let mut unseen = Counters::default();
        let spent = (0..count)
            .take_while(|_| self.admit(now_ms, app, pool, &mut unseen).is_ok())
            .count() as u64;
        self.note_peaks(app.app_id, counters);
        spent
    }

    fn take(&mut self, now_ms: i64, app_id: u64, pool: Pool) {
        self.day.used += 1;
        if pool == Pool::Search {
            self.searches.log.0.push_back(now_ms);
        } else if let Some(log) = self.intervals.get_mut(&app_id) {
            log.log.0.push_back(now_ms);
        }
    }

    fn note_peaks(&self, app_id: u64, counters: &mut Counters) {
        let held = self.intervals.get(&app_id).map_or(0, |log| log.log.len());
        counters.max_in_interval = counters.max_in_interval.max(held);
        counters.max_in_search_interval =
            counters.max_in_search_interval.max(self.searches.log.len());
        counters.max_in_day = counters.max_in_day.max(self.day.used);
    }

    /// Requests the account has left today, and when its day ends.
    pub(super) fn day(&mut self, now_ms: i64) -> DayState {
        self.day.state(now_ms)
    }

    /// The daily pair, absent for OAuth apps.
    pub(super) fn daily_headers(
        &mut self,
        now_ms: i64,
        app: &App,
        full: bool,
    ) -> Vec<(&'static str, i64)> {
        if app.oauth {
            return Vec::new();
        }
        let day = self.day(now_ms);
        let remaining = if full {
            0
        } else {
            day.limit.saturating_sub(day.used)
        };
        vec![
            ("X-HubSpot-RateLimit-Daily", day.limit as i64),
            ("X-HubSpot-RateLimit-Daily-Remaining", remaining as i64),
        ]
    }

    /// The headers of the rolling window, with the deprecated per-second pair (a tenth of the limit, not enforced).
    pub(super) fn interval_headers(
        &mut self,
        now_ms: i64,
        app: &App,
        full: bool,
    ) -> Vec<(&'static str, i64)> {
        let Some(log) = self.intervals.get_mut(&app.app_id) else {
            return Vec::new();
        };
        let remaining = if full {
            0
        } else {
            log.limit.saturating_sub(log.held(now_ms))
        };
        let secondly = log.limit / 10;
        let secondly_left = secondly.saturating_sub(log.held_since(now_ms - 1_000));
        vec![
            ("X-HubSpot-RateLimit-Interval-Milliseconds", log.span_ms),
            ("X-HubSpot-RateLimit-Max", log.limit.into()),
            ("X-HubSpot-RateLimit-Remaining", remaining.into()),
            ("X-HubSpot-RateLimit-Secondly", secondly.into()),
            (
                "X-HubSpot-RateLimit-Secondly-Remaining",
                secondly_left.into(),
            ),
        ]
    }
}
