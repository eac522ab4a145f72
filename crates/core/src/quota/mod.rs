//! The quota engine of one account: a vector of windows, all of which grant a request or none does.
//!
//! Invariants:
//! * **Exact at the CRM's door.** A request occupies its rolling windows from grant until its answer plus the span;
//!   unanswered, until its time-out plus [`LATE_ARRIVAL_MS`] plus the span. So no stretch of a window's span, measured
//!   where requests arrive, holds more than the limit.
//! * **Written before spent.** A permit comes out of a block that the journal already holds, so that a successor
//!   knows of every request that may have left (module `journal`).
//! * Enrichment is paced over the window and leaves [`Settings::reserve`] permits standing; operational requests take
//!   whatever is free. When operational work alone overloads the account, one grant in [`EN_SHARE`] is enrichment's.
//!
//! The engine never waits; it says until when there is nothing to be had, and which window is the reason.

mod days;
mod journal;
mod pause;
mod permit;
mod rolling;
mod wait;

use std::collections::BTreeMap;

pub use days::Days;
pub use permit::{Grant, PermitId, Settlement};

use self::journal::Journal;
use self::rolling::Rolling;
use crate::lane::Lane;
use crate::record::JournalRecord;
use crate::time::{Now, Tick, WallTime};
use crate::vendor::{Span, WindowSpec};

/// How long after its time-out a request may still reach the CRM, milliseconds. A bound on what network and proxies
/// may hold back; constructed, not measured.
pub const LATE_ARRIVAL_MS: u64 = 1_000;

/// Most that two workers' ideas of the broker's clock may differ, milliseconds; added to what a successor inherits.
pub const CLOCK_ERROR_MS: u64 = 250;

/// When operational work takes every permit, every tenth grant is enrichment's, so that its backlog still moves.
pub const EN_SHARE: u32 = 10;

/// What the engine is set up with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The windows with their limits after the account's share.
    pub windows: Vec<WindowSpec>,
    /// Permits that enrichment leaves standing in each rolling window of 5 s or more.
    pub reserve: u32,
    /// Time-out of one request, milliseconds.
    pub request_timeout_ms: u64,
    /// IANA name of the zone whose midnight ends the day.
    pub time_zone: String,
}

#[derive(Debug)]
struct Permit {
    windows: &'static [usize],
    lane: Lane,
    block: u64,
    day: i32,
    /// Operational grants since the last one of enrichment, before this one.
    op_since_en: u32,
}

/// The engine.
#[derive(Debug)]
pub struct Quota {
    settings: Settings,
    rolling: Vec<Option<Rolling>>,
    days: Days,
    journal: Journal,
    permits: BTreeMap<PermitId, Permit>,
    next_permit: u64,
    paused_until: Option<Tick>,
    window_paused: Vec<Option<Tick>>,
    /// Per window: when its pace lets the next enrichment through. A slow window holds back only what counts in it.
    en_next: Vec<Tick>,
    op_since_en: u32,
}

impl Quota {
    /// An engine that continues where `record`, the journal its predecessor left, ends.
    pub fn new(settings: Settings, now: Now, record: Option<&JournalRecord>) -> Self {
        let mut rolling: Vec<Option<Rolling>> = settings
            .windows
            .iter()
            .map(|window| match window.span {
                Span::RollingMs(span_ms) => Some(Rolling::new(window.limit, span_ms)),
                Span::Day => None,
            })
            .collect();
        let mut days = Days::new(&settings.time_zone);
        let mut paused_until = None;
        let day_windows: Vec<usize> = (0..settings.windows.len())
            .filter(|index| settings.windows[*index].span == Span::Day)
            .collect();
        if let Some(record) = record {
            let unsettled_ms =
                crate::record::BLOCK_VALID_MS + settings.request_timeout_ms + LATE_ARRIVAL_MS;
            for block in &record.blocks {
                let end = match block.settled_at {
                    Some(settled_at) => settled_at,
                    None => block.granted_at.plus_ms(unsettled_ms),
                }
                .plus_ms(CLOCK_ERROR_MS);
                if block.settled_at.is_none() {
                    let counted = day_windows
                        .iter()
                        .filter_map(|index| block.counts.get(*index))
                        .max()
                        .copied()
                        .unwrap_or(0);
                    days.inherit_unsettled(
                        // Its clock may have been ahead of the calendar by as much.
                        WallTime(
                            block
                                .granted_at
                                .0
                                .saturating_sub(CLOCK_ERROR_MS.cast_signed()),
                        ),
                        WallTime(end.0),
                        counted,
                    );
                }
                for (window, count) in rolling.iter_mut().zip(&block.counts) {
                    if let Some(window) = window {
                        window.inherit(*count, now, end);
                    }
                }
            }
            days.inherit(&record.days);
            paused_until = record
                .paused_until
                .map(|until| now.tick.plus_ms(until.since_ms(now.broker)));
        }
        let window_paused = vec![None; settings.windows.len()];
        let en_next = vec![Tick(0); settings.windows.len()];
        Self {
            journal: Journal::new(&settings, record),
            settings,
            rolling,
            days,
            permits: BTreeMap::new(),
            next_permit: 0,
            paused_until,
            window_paused,
            en_next,
            op_since_en: 0,
        }
    }

    /// Asks for one request that counts in `windows`.
    pub fn ask(&mut self, now: Now, lane: Lane, windows: &'static [usize]) -> Grant {
        let en_share_due = lane == Lane::En && self.en_turn();
        if let Some((until, window)) = self.binding(now, lane, windows, en_share_due) {
            return Grant::Wait { until, window };
        }
        let Some(block) = self.journal.take(now, windows) else {
            return Grant::Unwritten;
        };
        for &index in windows {
            if let Some(Some(window)) = self.rolling.get_mut(index) {
                window.grant();
            }
        }
        let day = self.days.spend(now.wall);
        let op_since_en = self.op_since_en;
        match lane {
            Lane::Op => self.op_since_en = self.op_since_en.saturating_add(1),
            Lane::En => {
                self.op_since_en = 0;
                for &index in windows {
                    let step = self.pace_ms(index);
                    if let Some(next) = self.en_next.get_mut(index) {
                        // A timer that woke late may catch up one step, no more: bulk must not bunch.
                        *next = Tick(next.0.max(now.tick.0.saturating_sub(step))).plus_ms(step);
                    }
                }
            }
        }
        self.next_permit += 1;
        let id = PermitId(self.next_permit);
        self.permits.insert(
            id,
            Permit {
                windows,
                lane,
                block,
                day,
                op_since_en,
            },
        );
        Grant::Granted(id)
    }

    /// Spacing of enrichment in a window: a rolling window's span over its limit.
    fn pace_ms(&self, index: usize) -> u64 {
        self.settings
            .windows
            .get(index)
            .map_or(0, |spec| match spec.span {
                Span::RollingMs(span_ms) => span_ms / u64::from(spec.limit.max(1)),
                Span::Day => 0,
            })
    }

    /// The permit was never used: lane and pace stand as if it had not been granted.
    fn undo_turn(&mut self, held: &Permit) {
        match held.lane {
            Lane::Op => self.op_since_en = self.op_since_en.saturating_sub(1),
            Lane::En => {
                self.op_since_en = self.op_since_en.saturating_add(held.op_since_en);
                for &index in held.windows {
                    let step = self.pace_ms(index);
                    if let Some(next) = self.en_next.get_mut(index) {
                        *next = Tick(next.0.saturating_sub(step));
                    }
                }
            }
        }
    }

    /// Says what came of a granted request. Unknown permits are ignored, so settling twice is harmless.
    pub fn settle(&mut self, now: Now, permit: PermitId, settlement: Settlement) {
        let Some(held) = self.permits.remove(&permit) else {
            return;
        };
        for &index in held.windows {
            let Some(Some(window)) = self.rolling.get_mut(index) else {
                continue;
            };
            match settlement {
                Settlement::Answered => window.settle(now.tick),
                Settlement::Unanswered => window.settle(now.tick.plus_ms(LATE_ARRIVAL_MS)),
                Settlement::NotSent => window.give_back(),
            }
        }
        let late_ms = if settlement == Settlement::Unanswered {
            LATE_ARRIVAL_MS
        } else {
            0
        };
        if settlement == Settlement::NotSent {
            self.days.give_back(held.day);
            self.undo_turn(&held);
        } else {
            self.days.settle(held.day, now.wall.plus_ms(late_ms));
        }
        self.journal.settle(
            held.block,
            held.windows,
            settlement != Settlement::NotSent,
            now.broker.plus_ms(late_ms),
        );
    }

    /// Whether enrichment has waited for its share and goes first.
    pub const fn en_turn(&self) -> bool {
        self.op_since_en + 1 >= EN_SHARE
    }

    /// When the oldest of our own requests leaves the rolling window of this name; now when there is none.
    pub fn oldest_leaves(&self, name: &str, now: Tick) -> Tick {
        self.settings
            .windows
            .iter()
            .position(|window| window.name == name)
            .and_then(|index| self.rolling.get(index)?.as_ref())
            .map_or(now, |window| window.oldest_leaves(now))
    }

    /// Gives permits that were taken in advance back, for whoever comes next; written with the next journal record.
    pub fn close(&mut self, now: Now) {
        self.journal.close(now);
    }

    /// Whether a journal record is in the air.
    pub const fn is_journaling(&self) -> bool {
        self.journal.is_writing()
    }

    /// The journal record to write now, if one is due: a new block because permits are wanted (`wanted` windows), or
    /// the settlement of old ones. At most one is in the air; [`Quota::journaled`] ends it.
    pub fn journal_due(
        &mut self,
        now: Now,
        wanted: Option<&'static [usize]>,
    ) -> Option<JournalRecord> {
        let free: Vec<u32> = self
            .settings
            .windows
            .iter()
            .enumerate()
            .map(|(index, spec)| match self.rolling.get_mut(index) {
                Some(Some(window)) => window.free(now.tick),
                _ => spec.limit.saturating_sub(self.days.spent(now.wall)),
            })
            .collect();
        let paused = self
            .paused_until
            .filter(|until| *until > now.tick)
            .map(|until| now.broker.plus_ms(until.since_ms(now.tick)));
        self.journal.due(now, wanted, &free, &self.days, paused)
    }

    /// The record in the air was written (`true`), or the write failed and must be tried again.
    pub fn journaled(&mut self, now: Now, written: bool) {
        self.journal.written(now, written);
    }

    /// When the journal next wants to be asked, if it does by itself.
    pub fn journal_wake(&self) -> Option<Tick> {
        self.journal.wake()
    }

    /// Requests granted and not settled.
    pub fn in_flight(&self) -> usize {
        self.permits.len()
    }

    /// Used and allowed per window, for status and metrics.
    pub fn usage(&mut self, now: Now) -> Vec<(&'static str, u32, u32)> {
        self.settings
            .windows
            .iter()
            .enumerate()
            .map(|(index, spec)| {
                let used = match self.rolling.get_mut(index) {
                    Some(Some(window)) => spec.limit.saturating_sub(window.free(now.tick)),
                    _ => self.days.spent(now.wall),
                };
                (spec.name, used, spec.limit)
            })
            .collect()
    }
}

/// The limit after the account's share: rounded down, at least 1.
pub fn shared_limit(published: u32, share_percent: u32) -> u32 {
    let shared = u64::from(published) * u64::from(share_percent) / 100;
    u32::try_from(shared).unwrap_or(u32::MAX).max(1)
}
