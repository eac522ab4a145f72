//! The limits, to the letter: two sliding logs per token, the company's tokens of the day, and the lock-out.
//!
//! Invariants: no window ever holds more admitted requests than its limit; a request is admitted by all its windows or by
//! none; a refused request costs nothing but patience; the day ends at midnight of the server's zone, summer time included.
//! How the vendor's own window works is not documented; a sliding log is the strictest reading.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::audit::Counters;
use super::config::{PipedriveConfig, SetupError, Token};
use crate::fakes::{Day, DayState, RollingLog};

/// Which rolling window a request stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pool {
    /// The token's window.
    Burst,
    /// The token's search window.
    Search,
    /// No limit (OAuth's own address).
    Free,
}

/// The limit that was full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    Burst,
    Search,
    Daily,
    /// The lock-out of a token that went on in spite of refusals: 403, an HTML page.
    LockedOut,
}

/// What is counted per token.
#[derive(Debug, Default)]
struct Held {
    burst: RollingLog,
    search: RollingLog,
    /// Refused since the last admitted request.
    refused: u32,
    locked_until_ms: i64,
}

impl Held {
    const fn log(&mut self, pool: Pool) -> &mut RollingLog {
        match pool {
            Pool::Search => &mut self.search,
            Pool::Burst | Pool::Free => &mut self.burst,
        }
    }
}

/// All windows of one company.
#[derive(Debug)]
pub(super) struct Limits {
    tokens: BTreeMap<String, Held>,
    burst_limit: u32,
    search_limit: u32,
    window_ms: i64,
    lock_out_after: u32,
    lock_out_ms: i64,
    daily_headers: bool,
    day: Day,
}

impl Limits {
    pub(super) fn new(config: &PipedriveConfig) -> Result<Self, SetupError> {
        let zone = TimeZone::get(&config.time_zone)
            .map_err(|_| SetupError::UnknownTimeZone(config.time_zone.clone()))?;
        for (value, name) in [
            (config.daily_tokens, "daily_tokens"),
            (config.burst_limit.into(), "burst_limit"),
            (config.search_limit.into(), "search_limit"),
            (config.window_ms.max(0) as u64, "window_ms"),
        ] {
            if value == 0 {
                return Err(SetupError::ZeroLimit(name));
            }
        }
        Ok(Self {
            tokens: BTreeMap::new(),
            burst_limit: config.burst_limit,
            search_limit: config.search_limit,
            window_ms: config.window_ms,
            lock_out_after: config.lock_out_after,
            lock_out_ms: config.lock_out_ms,
            daily_headers: config.daily_headers,
            day: Day::new(zone, config.daily_tokens),
        })
    }

    const fn limit(&self, pool: Pool) -> u32 {
        match pool {
            Pool::Search => self.search_limit,
            Pool::Burst | Pool::Free => self.burst_limit,
        }
    }

    /// Admits a request of this cost or says which limit is full.
    pub(super) fn admit(
        &mut self,
        now_ms: i64,
        token: &Token,
        pool: Pool,
        cost: u32,
        counters: &mut Counters,
    ) -> Result<(), Policy> {
        if pool == Pool::Free {
            return Ok(());
        }
        self.day.turn(now_ms);
        let (limit, window_ms) = (self.limit(pool), self.window_ms);
        let held = self.tokens.entry(token.value.clone()).or_default();
        let full = if now_ms < held.locked_until_ms {
            Some(Policy::LockedOut)
        } else if held.log(pool).held(now_ms, window_ms) >= limit {
            Some(if pool == Pool::Search {
                Policy::Search
            } else {
                Policy::Burst
            })
        } else if self.day.used.saturating_add(cost.into()) > self.day.limit {
            Some(Policy::Daily)
        } else {
            None
        };
        if let Some(policy) = full {
            held.refused += 1;
            if policy != Policy::LockedOut && !token.oauth && held.refused >= self.lock_out_after {
                held.locked_until_ms = now_ms.saturating_add(self.lock_out_ms);
                held.refused = 0;
                counters.lock_outs += 1;
            }
            counters.over_limit += 1;
            *counters.throttled.entry(policy).or_insert(0) += 1;
            return Err(policy);
        }
        held.refused = 0;
        held.log(pool).0.push_back(now_ms);
        self.day.used += u64::from(cost);
        counters.admitted += 1;
        counters.tokens += u64::from(cost);
        let (burst, search) = (
            held.burst.held(now_ms, window_ms),
            held.search.held(now_ms, window_ms),
        );
        counters.max_in_burst = counters.max_in_burst.max(burst);
        counters.max_in_search = counters.max_in_search.max(search);
        counters.max_in_day = counters.max_in_day.max(self.day.used);
        Ok(())
    }

    /// Takes a request back that a scripted refusal answered: refused requests hold no place and cost nothing.
    pub(super) fn give_back(
        &mut self,
        token: &Token,
        pool: Pool,
        cost: u32,
        counters: &mut Counters,
    ) {
        self.day.used = self.day.used.saturating_sub(cost.into());
        counters.tokens = counters.tokens.saturating_sub(cost.into());
        if let Some(held) = self.tokens.get_mut(&token.value) {
            held.log(pool).0.pop_back();
        }
    }

    /// Tokens that somebody else of the company spends, as far as there are any. Returns how many.
    pub(super) fn spend(&mut self, now_ms: i64, tokens: u64) -> u64 {
        self.day.turn(now_ms);
        let spent = tokens.min(self.day.limit.saturating_sub(self.day.used));
        self.day.used += spent;
        spent
    }

    /// Locks a token out, as after too many ignored refusals.
    pub(super) fn lock_out(&mut self, token: &str, until_ms: i64) {
        self.tokens
            .entry(token.to_owned())
            .or_default()
            .locked_until_ms = until_ms;
    }

    /// Changes the limits of all tokens; what stands in the windows stays.
    pub(super) const fn set_burst_limit(&mut self, limit: u32) {
        self.burst_limit = limit;
    }

    pub(super) fn day(&mut self, now_ms: i64) -> DayState {
        self.day.state(now_ms)
    }

    /// Headers of an answer: the window's on all but the day's refusal, the day's where they are shown.
    pub(super) fn headers(
        &mut self,
        now_ms: i64,
        token: &Token,
        pool: Pool,
        throttled: Option<Policy>,
    ) -> Vec<(&'static str, String)> {
        let day = self.day(now_ms);
        if throttled == Some(Policy::Daily) {
            let wait_s = (day.ends_ms.saturating_sub(now_ms)).max(0) as u64;
            let mut headers = vec![("retry-after", wait_s.div_ceil(1_000).to_string())];
            if self.daily_headers {
                headers.push(("x-daily-ratelimit-token-remaining", "0".to_owned()));
            }
            return headers;
        }
        if pool == Pool::Free || throttled == Some(Policy::LockedOut) {
            return Vec::new();
        }
        let (limit, window_ms) = (self.limit(pool), self.window_ms);
        let log = self
            .tokens
            .entry(token.value.clone())
            .or_default()
            .log(pool);
        let held = log.held(now_ms, window_ms);
        let oldest = log.0.front().copied().unwrap_or(now_ms);
        let reset_ms = (oldest.saturating_add(window_ms) - now_ms).max(0) as u64;
        // A scripted refusal, too, means that somebody took the rest.
        let remaining = if throttled.is_some() {
            0
        } else {
            limit.saturating_sub(held)
        };
        let mut headers = vec![
            ("x-ratelimit-limit", limit.to_string()),
            ("x-ratelimit-remaining", remaining.to_string()),
            ("x-ratelimit-reset", reset_ms.div_ceil(1_000).to_string()),
        ];
        if self.daily_headers {
            let left = day.limit.saturating_sub(day.used);
            headers.push(("x-daily-ratelimit-token-limit", day.limit.to_string()));
            headers.push(("x-daily-ratelimit-token-remaining", left.to_string()));
        }
        headers
    }
}
