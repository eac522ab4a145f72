//! The quota engine of one account: a vector of windows, all of which grant a request or none does.
//!
//! Invariants:
//! * **Exact at the CRM's door.** A request occupies its rolling windows from grant until its answer plus the span;
//!   unanswered, until its time-out plus [`LATE_ARRIVAL_MS`] plus the span. So no stretch of a window's span, measured
//!   where requests arrive, holds more than the limit.
//! * **Written before spent.** A permit comes out of a block that the journal already holds, so that a successor
//!   knows of every request that may have left (module `journal`).
//! * Enrichment is paced over the window and leaves permits standing, [`Settings::reserve`] at least (module `reserve`);
//!   of a day it leaves what operational requests will need (module `autopilot`). Operational requests take whatever is
//!   free. When operational work alone overloads the account, one grant in [`EN_SHARE`] is enrichment's.
//! * **The CRM's word counts.** Its headers lower the limit at once and show what others spend (module `truth`); what it
//!   refuses without a word is learnt (module `learn`). Nothing raises a limit above the account's share of what is published.
//!
//! | module | subject |
//! | --- | --- |
//! | `limiter` | what the dispatcher needs of an engine; `surface`: this one as such |
//! | `ask` | granting and settling, turns and pace; `wait`: what binds, and until when |
//! | `rolling`, `days` | windows |
//! | `truth`, `learn`, `pause` | what the CRM tells, what it refuses, pauses |
//! | `journal` | what a successor must know; `block`: one block of permits |
//! | `reserve` | permits that enrichment leaves standing, learned |
//! | `autopilot`, `arrivals` | the course of a day: forecast, budget and pace; `course`: in the engine, rolling days too |
//! | `advice` | alerts about a day, advice for diallers |
//!
//! The engine never waits; it says until when there is nothing to be had, and which window is the reason.

pub mod advice;
pub mod arrivals;
mod ask;
pub mod autopilot;
mod block;
mod course;
mod days;
mod folded;
mod journal;
mod learn;
mod limiter;
mod others;
mod pause;
mod permit;
pub mod reserve;
mod rolling;
mod surface;
mod truth;
mod wait;

use std::collections::BTreeMap;

pub use advice::{Advice, AdviceMessage, News};
pub use arrivals::Profile;
pub use autopilot::{Autopilot, Outlook, Pace, Spent, Today};
pub use course::{Advised, Filling, Told};
pub use days::Days;
pub use limiter::Limiter;
pub use permit::{Grant, PermitId, Settlement};
pub use reserve::Reserve;

use self::course::Course;
use self::journal::Journal;
use self::learn::Gate;
use self::permit::Permit;
use self::rolling::Rolling;
use self::truth::Seen;
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
    /// The windows with their limits after the account's share; at most one [`Span::Day`] among them.
    pub windows: Vec<WindowSpec>,
    /// The share, percent: what the CRM's headers tell of a limit is cut by it too.
    pub share_percent: u32,
    /// Permits that enrichment leaves standing at least in each rolling window of 5 s or more.
    pub reserve: u32,
    /// Percent of a day's limit kept for operational requests.
    pub floor_op_percent: u32,
    /// Time-out of one request, milliseconds.
    pub request_timeout_ms: u64,
    /// IANA name of the zone whose midnight ends the day.
    pub time_zone: String,
}

/// The engine; what it can do is [`Limiter`].
#[derive(Debug)]
pub struct Quota {
    settings: Settings,
    rolling: Vec<Option<Rolling>>,
    days: Days,
    journal: Journal,
    permits: BTreeMap<PermitId, Permit>,
    next_permit: u64,
    paused_until: Option<Tick>,
    /// Per window: its pause after a refusal.
    gates: Vec<Gate>,
    /// Per window: what may be used of it at most, the CRM's own word included.
    caps: Vec<u32>,
    /// Per window: what was ever granted in it.
    granted: Vec<u64>,
    /// Per window: what the CRM's headers last said.
    seen: Vec<Option<Seen>>,
    /// Per window: when its pace lets the next enrichment through. A slow window holds back only what counts in it.
    en_next: Vec<Tick>,
    /// Per window that has one: the learned reserve.
    reserves: Vec<Option<Reserve>>,
    courses: Vec<Course>,
    /// The last advice told.
    advised: Advice,
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
                Span::Slots => Some(Rolling::new(window.limit, 0)),
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
        let count = settings.windows.len();
        let known = record.and_then(|record| record.autopilot.as_ref());
        let courses = Course::all(&settings, known, &days, now.wall);
        let mut quota = Self {
            journal: Journal::new(&settings, record),
            rolling,
            days,
            permits: BTreeMap::new(),
            next_permit: 0,
            paused_until,
            gates: (0..count).map(|_| Gate::default()).collect(),
            caps: settings.windows.iter().map(|spec| spec.limit).collect(),
            granted: vec![0; count],
            seen: vec![None; count],
            en_next: vec![Tick(0); count],
            reserves: Reserve::all(&settings),
            courses,
            advised: Advice::Ok,
            op_since_en: 0,
            settings,
        };
        if let Some(record) = record {
            quota.inherit_learned(now, &record.learned);
        }
        quota
    }
}

/// The limit after the account's share: rounded down, at least 1.
pub fn shared_limit(published: u32, share_percent: u32) -> u32 {
    let shared = u64::from(published) * u64::from(share_percent) / 100;
    u32::try_from(shared).unwrap_or(u32::MAX).max(1)
}
