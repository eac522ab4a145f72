//! The autopilot of a daily window: how fast enrichment may go now, so that operational requests never meet the wall.
//!
//! It forecasts what operational requests will need until midnight, keeps a floor on top, and lets enrichment have what
//! is left over: its *budget*. While the budget is plentiful enrichment is free; below, it slows down with what is
//! left; without one it stops until there is one again, at midnight at the latest. Operational requests are never
//! held back here. [`super::advice`] tells people and diallers
//! about it.
//!
//! What is held back for operational requests:
//! * **Forecast**: the day's total from what came so far and what was expected before, times what the profile says is
//!   still to come, plus [`MARGIN_PERCENT`]. Expected is the same weekday's total, else the busiest of the days known,
//!   else the floor.
//! * or, when that is more, the **rate of the moment** (15 minutes) going on for [`SURGE_MS`]: a storm that no profile knows.
//! * **Floor**: so many percent of the limit, spread over the day like the requests: only what is still to come is kept,
//!   and the last half hour's share to the end. So a quiet day's floor is not wasted.
//! * **Others**: what other applications spend until midnight if they go on as they did.
//!
//! All of it can only shrink while nothing is sent, so an instant promised to enrichment is kept.
//!
//! Sensitivity (tests/autopilot): the bank's days differ by 16 % (standard deviation, weekdays and months taken out).
//! With the margin a day 25 % above the forecast still fits without touching the floor; one that is 2.5 × as busy as
//! expected from midnight on is recognised within minutes of the morning's rise. Too much held back costs enrichment
//! time, never requests: what is not needed is freed half hour by half hour.

use super::advice::{Advice, News, Watch};
use super::arrivals::{Profile, Recent, SLOT_MS, SLOTS, scaled, slot};
use crate::record::AutopilotRecord;
use crate::time::WallTime;

/// Added to the forecast, percent: one and a half standard deviations of a day.
pub const MARGIN_PERCENT: u64 = 25;

/// How long the rate of the moment is taken to go on, milliseconds.
pub const SURGE_MS: u64 = 1_800_000;

/// Weight of what days before say of this one, as one part in so many of a day's requests: once a twentieth of the day
/// has come both count the same. The bank's spread from day to day would give 2 % if calls were independent, and about
/// 18 % with the clumping they show.
const KNOWN_PARTS: u64 = 20;

/// The same for an account of which no day is known: the floor stands in, and is soon forgotten.
const UNKNOWN_PARTS: u64 = 100;

/// A budget of at least this much of the limit is plentiful, percent.
pub const PLENTY_PERCENT: u64 = 25;

/// Below plenty enrichment goes at so many times the pace that would last until midnight: quick while there is more,
/// slower with less, never at an end.
const HASTE: u64 = 4;

/// Longest spacing, milliseconds: what is decided later may be better.
const SPACING_MS_MAX: u64 = 60_000;

/// Days remembered: the same weekday is among them.
const PAST_DAYS: usize = 7;
const WEEK_MS: u64 = 7 * 86_400_000;
/// The same weekday's midnight may be this far off where clocks changed, milliseconds.
const CLOCK_CHANGE_MS: u64 = 7_200_000;

/// The calendar day of an instant, in the account's zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Today {
    /// The instant.
    pub now: WallTime,
    /// First instant of its day.
    pub start: WallTime,
    /// First instant of the next.
    pub end: WallTime,
}

impl Today {
    const fn left_ms(&self) -> u64 {
        self.end.since_ms(self.now)
    }

    const fn at(mut self, now: WallTime) -> Self {
        self.now = now;
        self
    }
}

/// How far the window is used, in its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// What may be spent in a day.
    pub limit: u32,
    /// What is spent of it, whoever did.
    pub spent: u32,
}

/// How fast enrichment may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// The day doesn't hold it back.
    Free,
    /// One unit of the window per this many milliseconds.
    Spaced(u64),
    /// Nothing before this instant, if nothing else is sent.
    Stopped(WallTime),
}

/// What is left of the day and what it is for, in the window's unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outlook {
    /// Not yet spent.
    pub left: u64,
    /// Held back for what operational requests are forecast to need.
    pub operational: u64,
    /// Held back for other applications.
    pub others: u64,
    /// Held back as the floor.
    pub floor: u64,
}

impl Outlook {
    pub(super) const fn held(&self) -> u64 {
        self.operational
            .saturating_add(self.others)
            .saturating_add(self.floor)
    }

    /// What enrichment may have.
    pub const fn budget(&self) -> u64 {
        self.left.saturating_sub(self.held())
    }
}

/// The autopilot of one daily window.
#[derive(Debug, Clone)]
pub struct Autopilot {
    floor_percent: u32,
    profile: Profile,
    past: Vec<(WallTime, u32)>,
    /// First instant of the day that is counted; none before the first look.
    start: Option<WallTime>,
    since: WallTime,
    seen_at: WallTime,
    end: WallTime,
    op: [u32; SLOTS],
    op_total: u32,
    /// What other applications spent today, as far as it came to light.
    others: u32,
    recent: Recent,
    /// Since when the rate of the moment is known.
    recent_since: Option<WallTime>,
    watch: Watch,
}

impl Autopilot {
    /// An autopilot that keeps `floor_percent` of the limit for operational requests and goes on where `record` ends.
    pub fn new(floor_percent: u32, record: Option<&AutopilotRecord>) -> Self {
        let mut autopilot = Self {
            floor_percent: floor_percent.min(100),
            profile: Profile::default(),
            past: Vec::new(),
            start: None,
            since: WallTime(0),
            seen_at: WallTime(0),
            end: WallTime(0),
            op: [0; SLOTS],
            op_total: 0,
            others: 0,
            recent: Recent::default(),
            recent_since: None,
            watch: Watch::default(),
        };
        if let Some(record) = record {
            autopilot.profile = Profile::read(&record.shares);
            autopilot.past = record.past.iter().take(PAST_DAYS).copied().collect();
            autopilot.start = Some(record.start);
            autopilot.since = record.since;
            autopilot.others = record.others;
            for (count, recorded) in autopilot.op.iter_mut().zip(&record.op) {
                *count = *recorded;
                autopilot.op_total = autopilot.op_total.saturating_add(*recorded);
            }
        }
        autopilot
    }

    /// What a successor needs.
    pub fn record(&self) -> AutopilotRecord {
        let used = self.op.iter().rposition(|count| *count > 0);
        AutopilotRecord {
            start: self.start.unwrap_or_default(),
            since: self.since,
            op: self
                .op
                .iter()
                .take(used.map_or(0, |last| last + 1))
                .copied()
                .collect(),
            others: self.others,
            past: self.past.clone(),
            shares: if self.profile == Profile::default() {
                Vec::new()
            } else {
                self.profile.shares().to_vec()
            },
        }
    }

    /// Watches from now on.
    pub fn begin(&mut self, today: Today) {
        self.turn(today);
    }

    /// An operational request that costs `cost` was granted.
    pub fn granted(&mut self, today: Today, cost: u32) {
        self.turn(today);
        if let Some(count) = self.op.get_mut(slot(today.left_ms())) {
            *count = count.saturating_add(cost);
        }
        self.op_total = self.op_total.saturating_add(cost);
        self.recent.add(today.now, cost);
    }

    /// An operational request that was granted at `granted_at` was never sent: as if it had not been.
    pub fn given_back(&mut self, today: Today, granted_at: WallTime, cost: u32) {
        self.turn(today);
        self.recent.take_back(granted_at, cost);
        if granted_at < today.start {
            return;
        }
        if let Some(count) = self.op.get_mut(slot(today.end.since_ms(granted_at))) {
            *count = count.saturating_sub(cost);
        }
        self.op_total = self.op_total.saturating_sub(cost);
    }

    /// Other applications are found to have spent `count` more today.
    pub fn others_spent(&mut self, today: Today, count: u32) {
        self.turn(today);
        self.others = self.others.saturating_add(count);
    }

    /// How fast enrichment may go now, with requests that cost `cost`.
    pub fn pace(&mut self, today: Today, spent: Spent, cost: u32) -> Pace {
        self.turn(today);
        let budget = self.outlook(today, spent).budget();
        if budget < u64::from(cost.max(1)) {
            return Pace::Stopped(self.resumes(today, spent, cost));
        }
        if budget >= u64::from(spent.limit) * PLENTY_PERCENT / 100 {
            return Pace::Free;
        }
        let spacing_ms = today.left_ms().div_ceil(budget.saturating_mul(HASTE));
        Pace::Spaced(spacing_ms.min(SPACING_MS_MAX))
    }

    /// First instant at which the budget has room for `cost` if nothing more is spent; the day's end at the latest.
    fn resumes(&self, today: Today, spent: Spent, cost: u32) -> WallTime {
        let (mut early, mut late) = (today.now, today.end.max(today.now.plus_ms(1)));
        while early.plus_ms(1) < late {
            let middle = early.plus_ms(late.since_ms(early) / 2);
            if self.outlook(today.at(middle), spent).budget() >= u64::from(cost.max(1)) {
                late = middle;
            } else {
                early = middle;
            }
        }
        late
    }

    /// What is left and what it is for.
    pub fn outlook(&self, today: Today, spent: Spent) -> Outlook {
        let left_ms = today.left_ms();
        let whole = self.profile.whole();
        let rest = self.profile.after(left_ms);
        let forecast = scaled(self.day_total(left_ms, today, spent.limit), rest, whole);
        let with_margin = scaled(forecast, 100 + MARGIN_PERCENT, 100);
        let surge = self.recent.ahead(
            today.now,
            self.recent_since.unwrap_or(today.now),
            left_ms.min(SURGE_MS),
        );
        let floor = scaled(
            self.floor(spent.limit),
            self.profile.after(left_ms.max(SLOT_MS)),
            whole,
        );
        let elapsed_ms = today.now.since_ms(today.start).max(2 * SLOT_MS);
        Outlook {
            left: spent.limit.saturating_sub(spent.spent).into(),
            operational: with_margin.max(surge),
            others: scaled(u64::from(self.others), left_ms, elapsed_ms),
            floor: floor.max(u64::from((spent.limit / 20).min(10))),
        }
    }

    /// The whole day's floor.
    fn floor(&self, limit: u32) -> u64 {
        u64::from(limit) * u64::from(self.floor_percent) / 100
    }

    /// The day's operational requests, as far as can be told `left_ms` before its end: the mean of what was expected
    /// and what came, each with the share of a day that it stands for.
    fn day_total(&self, left_ms: u64, today: Today, limit: u32) -> u64 {
        let whole = self.profile.whole();
        let watched_ms = today.end.since_ms(self.since.max(today.start));
        let watched = self
            .profile
            .after(watched_ms.max(left_ms))
            .saturating_sub(self.profile.after(left_ms));
        let (expected, parts) = self.expected(today, limit);
        scaled(
            expected
                .div_ceil(parts)
                .saturating_add(u64::from(self.op_total)),
            whole,
            whole / parts + watched,
        )
    }

    /// The day's operational requests before anything was seen of it, and the part of a day that this counts for.
    fn expected(&self, today: Today, limit: u32) -> (u64, u64) {
        let same_weekday = self
            .past
            .iter()
            .find(|(start, _)| today.start.since_ms(*start).abs_diff(WEEK_MS) <= CLOCK_CHANGE_MS);
        same_weekday
            .or_else(|| self.past.iter().max_by_key(|(_, op)| *op))
            .map_or_else(
                || (self.floor(limit), UNKNOWN_PARTS),
                |(_, op)| (u64::from(*op), KNOWN_PARTS),
            )
    }

    /// Looks at the day: alerts and advice.
    pub fn look(&mut self, today: Today, spent: Spent) -> News {
        let new_day = self.turn(today);
        self.watch
            .look(today.now, spent, self.outlook(today, spent), new_day)
    }

    /// The advice that stands.
    pub const fn advice(&self) -> Advice {
        self.watch.advice()
    }

    /// Begins another day when it is one; learns from the one before if all of it was seen.
    fn turn(&mut self, today: Today) -> bool {
        self.recent_since.get_or_insert(today.now);
        let known = self.start;
        if known != Some(today.start) {
            self.learn(today);
            // A day that follows at once is watched from its start; any other from now on.
            let follows = known.is_some() && self.end == today.start;
            self.since = if follows { today.start } else { today.now };
            self.start = Some(today.start);
            self.op = [0; SLOTS];
            self.op_total = 0;
            self.others = 0;
        }
        self.seen_at = today.now;
        self.end = today.end;
        known.is_some_and(|start| start != today.start)
    }

    /// Keeps the day that is over, if it was watched from start to end.
    fn learn(&mut self, today: Today) {
        let Some(start) = self.start.filter(|start| *start < today.start) else {
            return;
        };
        let from_start = self.since.since_ms(start) <= SLOT_MS;
        let to_end = self.end > start && self.end.since_ms(self.seen_at) <= SLOT_MS;
        if from_start && to_end {
            self.past.insert(0, (start, self.op_total));
            self.past.truncate(PAST_DAYS);
            self.profile.learn(&self.op);
        }
    }
}
