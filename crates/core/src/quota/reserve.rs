//! How many permits enrichment leaves standing in one rolling window, learned from operational arrivals.
//!
//! While enrichment fills a window, a permit comes back once per step (span / limit). Operational requests take from
//! the reserve, steps refill it. So the reserve that *would have been* enough can be counted exactly: a level that
//! rises by the cost of every operational request and falls with the steps. [`Reserve`] keeps the highest such level of
//! each stretch of one span and leaves standing the larger of this stretch's and the last one's, half of the one's
//! before. A burst is therefore answered at once, and forgotten three spans later.
//!
//! What it costs and buys, 190 permits per 10 s full of enrichment, operational requests as a Poisson stream (2,000
//! spans, floor 3; "waiting" are operational requests that found the reserve empty):
//!
//! | operational share of the rate | 5 % | 10 % | 20 % | 40 % | 80 % |
//! | --- | --- | --- | --- | --- | --- |
//! | left standing, mean | 3.0 | 3.0 | 3.1 | 4.0 | 9.4 |
//! | waiting | 0 | 0.01 % | 0.15 % | 0.5 % | 0.8 % |
//! | waiting, fixed reserve of 2 | 0.1 % | 0.5 % | 2.3 % | 11 % | 56 % |
//!
//! A permit left standing is one that enrichment can't use: 1 / limit of the rate, 0.5 % here. One more of the same
//! kind on top would leave nobody waiting, and cost enrichment more than the half step that those few wait.
//!
//! Never more than the larger of the floor and [`CEILING_PERCENT`] of the limit, however hard the storm: beyond,
//! requests share what comes back. Whole numbers only; the same arrivals give the same answers.

use super::Settings;
use super::rolling::FINE_SPAN_MS;
use crate::time::Tick;
use crate::vendor::Span;

/// Most of a window that is learned to be left standing, percent of its limit. A configured floor above it counts.
pub const CEILING_PERCENT: u32 = 25;

/// Shortest span that gets a reserve, milliseconds. In a shorter window a permit is back before anybody notices.
pub const RESERVED_SPAN_MS: u64 = 5_000;

/// The learned reserve of one window.
#[derive(Debug, Clone)]
pub struct Reserve {
    limit: u32,
    span_ms: u64,
    /// Configured permits, before the limit cuts them.
    floor: u32,
    /// What operational requests have taken and steps have not brought back, in permits × `span_ms`.
    level: u64,
    level_at: Tick,
    /// First instant of the current stretch.
    stretch_at: Tick,
    /// What would have been enough: this stretch, the last, the one before.
    needed: [u32; 3],
}

impl Reserve {
    /// The reserve of a window of `limit` per `span_ms` milliseconds that never falls below `floor` permits (all but
    /// one of the limit at most).
    pub fn new(limit: u32, span_ms: u64, floor: u32) -> Self {
        Self {
            limit: limit.max(1),
            span_ms: span_ms.max(1),
            floor,
            level: 0,
            level_at: Tick(0),
            stretch_at: Tick(0),
            needed: [0; 3],
        }
    }

    /// One for each window that is long enough to matter and short enough to be paced.
    pub(super) fn all(settings: &Settings) -> Vec<Option<Self>> {
        let windows = settings.windows.iter();
        windows
            .map(|spec| match spec.span {
                Span::RollingMs(span_ms @ RESERVED_SPAN_MS..=FINE_SPAN_MS) => {
                    Some(Self::new(spec.limit, span_ms, settings.reserve))
                }
                Span::RollingMs(_) | Span::Day | Span::Slots => None,
            })
            .collect()
    }

    /// The window's limit is another now.
    pub fn set_limit(&mut self, limit: u32) {
        self.limit = limit.max(1);
    }

    /// An operational request that costs `cost` is wished for, granted or not.
    pub fn arrived(&mut self, now: Tick, cost: u32) {
        self.turn(now);
        let back = now
            .since_ms(self.level_at)
            .saturating_mul(u64::from(self.limit));
        self.level_at = self.level_at.max(now);
        // Beyond the ceiling there is nothing to learn; a storm must not take long to forget.
        let most = u64::from(self.ceiling()).saturating_mul(self.span_ms);
        self.level = self
            .level
            .saturating_sub(back)
            .saturating_add(u64::from(cost).saturating_mul(self.span_ms))
            .min(most);
        let level = u32::try_from(self.level.div_ceil(self.span_ms)).unwrap_or(u32::MAX);
        self.needed[0] = self.needed[0].max(level);
    }

    /// Permits to leave standing now.
    pub fn permits(&self, now: Tick) -> u32 {
        let [this, last, before] = self.aged(now);
        this.max(last)
            .max(before / 2)
            .clamp(self.lowest(), self.ceiling())
    }

    /// The floor, as far as the limit has room for it.
    fn lowest(&self) -> u32 {
        self.floor.min(self.limit - 1)
    }

    fn ceiling(&self) -> u32 {
        let share = u64::from(self.limit) * u64::from(CEILING_PERCENT) / 100;
        u32::try_from(share).unwrap_or(u32::MAX).max(self.lowest())
    }

    const fn stretches(&self, now: Tick) -> u64 {
        now.since_ms(self.stretch_at) / self.span_ms
    }

    /// What was needed, as it stands once the stretches up to `now` are over.
    const fn aged(&self, now: Tick) -> [u32; 3] {
        let [this, last, _] = self.needed;
        match self.stretches(now) {
            0 => self.needed,
            1 => [0, this, last],
            2 => [0, 0, this],
            _ => [0; 3],
        }
    }

    fn turn(&mut self, now: Tick) {
        let over = self.stretches(now);
        if over > 0 {
            self.needed = self.aged(now);
            self.stretch_at = self.stretch_at.plus_ms(over.saturating_mul(self.span_ms));
        }
    }
}
