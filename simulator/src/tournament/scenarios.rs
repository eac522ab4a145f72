//! The scenarios, and what must hold in each: data, so that a reader can check them against their table.

use super::door::{DoorConfig, Temper};

/// Length of the rolling window, seconds.
pub(super) const SPAN_S: u64 = 10;
/// Requests it takes.
pub(super) const LIMIT: u32 = 190;
/// Shortest and longest service, microseconds: 40 ± 10 ms.
pub(super) const SERVICE_US: (u64, u64) = (30_000, 50_000);
/// Share of the work that is operational, percent.
pub(super) const OP_PERCENT: usize = 10;
/// What a successor of a killed worker waits, seconds.
pub(super) const LEASE_S: u64 = 5;
/// Scenario B: the limit changes then and is back then, seconds.
pub(super) const CHANGE_S: (u64, u64) = (120, 180);
/// Scenario B: how long after the change operational work may wait longer, seconds.
pub(super) const CHANGE_GRACE_S: u64 = 12;
/// Scenario B: the full rate is expected this long after the end of the change, seconds.
pub(super) const FULL_RATE_AFTER_S: u64 = 25;
/// Scenario E: the day ends then, seconds.
pub(super) const DAY_ENDS_S: u64 = 7_200;

/// Who owns the accounts, and how that changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owners {
    /// One worker, from beginning to end.
    One,
    /// One worker that is killed every so many seconds; a successor starts when its lease has run out.
    Killed { every_s: u64 },
    /// Several workers, their clocks wrong by up to so much either way; the account is handed on every so many seconds.
    HandedOn {
        workers: usize,
        every_s: u64,
        clock_error_ms: u64,
    },
    /// One worker, three more at `grow_s`; at `shrink_s` one of them is killed and two end in order.
    Fleet { grow_s: u64, shrink_s: u64 },
}

/// What is measured in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Requests the CRM refused for its rolling window.
    Rejections,
    /// The same, percent of all requests.
    RejectedPercent,
    /// Rejections within one window (10 s) of the change.
    RejectionsAtChange,
    /// Most rejections in any window after that.
    RejectionsLater,
    /// Requests refused because the day was used up.
    DayRejections,
    /// 99th percentile of operational latency less the longest service, milliseconds.
    OpOverServiceMs,
    /// 99th percentile of operational latency outside the change's grace, milliseconds.
    OpOutsideP99Ms,
    /// Longest operational latency, milliseconds.
    OpMaxMs,
    /// 99th percentile of operational latency of the healthy accounts over that of accounts that run alone.
    OpBesideAlone,
    /// Operational effects that took longer than a minute.
    OpLate,
    /// Requests taken in one window, from 25 s after the end of the change, percent of the limit.
    FullRatePercent,
    /// Requests taken, percent of what others left.
    UsedPercent,
    /// From the day's end to the first enrichment after it, seconds.
    ResumedS,
    /// Time until everything was written over the shortest possible.
    DrainRatio,
    /// Requests that met an exact window full, to the published limit, of our own.
    OverLimit,
    /// Effects that are neither in the CRM nor in the dead letters, though nobody works on them any more.
    Lost,
    /// Effects still waiting when the run was cut off.
    Unfinished,
    /// Records too many.
    Doubled,
    /// Valid effects sent again after they had been written.
    Repeated,
    /// Refused items without a dead letter.
    RefusedWithoutLetter,
    /// Valid items with a dead letter.
    ValidDead,
    /// Requests of the foreign process that got a permit, percent of those it asked one for.
    ForeignPercent,
    /// Longest time an account was without owner in one move, milliseconds.
    OwnerlessMs,
}

impl Measure {
    /// In words, for tables.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Rejections => "rejections",
            Self::RejectedPercent => "rejections, % of requests",
            Self::RejectionsAtChange => "rejections within 10 s of the change",
            Self::RejectionsLater => "rejections per 10 s after that",
            Self::DayRejections => "rejections for the day's quota",
            Self::OpOverServiceMs => "operational p99 over longest service, ms",
            Self::OpOutsideP99Ms => "operational p99 outside 12 s after the change, ms",
            Self::OpMaxMs => "operational max, ms",
            Self::OpBesideAlone => "operational p99 beside the others over alone",
            Self::OpLate => "operational effects later than 60 s",
            Self::FullRatePercent => "rate 25 s after the change's end, % of the limit",
            Self::UsedPercent => "used of what others leave, %",
            Self::ResumedS => "enrichment resumed after the day's end, s",
            Self::DrainRatio => "drain over optimum",
            Self::OverLimit => "requests over the limit",
            Self::Lost => "lost",
            Self::Unfinished => "unfinished",
            Self::Doubled => "doubled",
            Self::Repeated => "valid items sent again after success",
            Self::RefusedWithoutLetter => "refused items without dead letter",
            Self::ValidDead => "valid items with dead letter",
            Self::ForeignPercent => "foreign requests sent, % of those wished for",
            Self::OwnerlessMs => "longest time without owner, ms",
        }
    }
}

/// On which side of a figure a measure must stay.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// Not above.
    AtMost(f64),
    /// Not below.
    AtLeast(f64),
}

/// One thing that must hold, for every seed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Criterion {
    /// What is measured.
    pub measure: Measure,
    /// Where it must stay.
    pub bound: Bound,
}

impl Criterion {
    /// Whether a value keeps it.
    pub fn holds(&self, value: f64) -> bool {
        match self.bound {
            Bound::AtMost(most) => value <= most,
            Bound::AtLeast(least) => value >= least,
        }
    }
}

const fn at_most(measure: Measure, most: f64) -> Criterion {
    Criterion {
        measure,
        bound: Bound::AtMost(most),
    }
}

const fn at_least(measure: Measure, least: f64) -> Criterion {
    Criterion {
        measure,
        bound: Bound::AtLeast(least),
    }
}

const fn none(measure: Measure) -> Criterion {
    at_most(measure, 0.0)
}

/// One scenario.
#[derive(Debug)]
pub struct Scenario {
    /// Its letter.
    pub letter: char,
    /// Its name.
    pub title: &'static str,
    /// What must hold, beside that everything is finished.
    pub criteria: &'static [Criterion],
    pub(super) accounts: usize,
    /// Effects per account.
    pub(super) writes: usize,
    /// Time over which the operational ones are spread, seconds; none for the optimum.
    pub(super) op_over_s: Option<u64>,
    /// Most items in a request.
    pub(super) batch_max: usize,
    /// Items the CRM refuses, percent.
    pub(super) invalid_percent: u64,
    pub(super) door: DoorConfig,
    pub(super) owners: Owners,
    /// Requests per second that a foreign process asks permits for; 0 for none.
    pub(super) foreign_per_s: u64,
}

impl Scenario {
    /// Shortest time in which one account's work can be done by single requests, seconds.
    pub(super) fn optimum_s(&self) -> f64 {
        let free = f64::from(LIMIT) * f64::from(100 - self.door.foreign_percent) / 100.0;
        let rate = free / SPAN_S as f64;
        if self.door.day_used > 0 {
            let before = f64::from(self.door.day_limit - self.door.day_used);
            return DAY_ENDS_S as f64 + (self.writes as f64 - before - free) / rate;
        }
        (self.writes as f64 - free) / rate
    }

    /// What the door of this account is like: in scenario D the first two are in trouble.
    pub(super) fn door_of(&self, account: usize) -> DoorConfig {
        let mut door = self.door.clone();
        if self.letter == 'D' {
            door.temper = match account {
                0 => Temper::DayExhausted,
                1 => Temper::RejectsAll,
                _ => Temper::Even,
            };
        }
        door
    }

    /// Accounts that are judged.
    pub(super) fn judged(&self) -> std::ops::Range<usize> {
        if self.letter == 'D' {
            2..self.accounts
        } else {
            0..self.accounts
        }
    }
}

const BASE: Scenario = Scenario {
    letter: 'A',
    title: "steady",
    criteria: &[
        none(Measure::Rejections),
        at_most(Measure::OpOverServiceMs, 10.0),
        at_most(Measure::DrainRatio, 1.04),
        none(Measure::OverLimit),
        none(Measure::Lost),
        none(Measure::Doubled),
    ],
    accounts: 1,
    writes: 10_000,
    op_over_s: None,
    batch_max: 1,
    invalid_percent: 0,
    door: DoorConfig::EVEN,
    owners: Owners::One,
    foreign_per_s: 0,
};

/// All scenarios, by letter.
pub static SCENARIOS: [Scenario; 10] = [
    BASE,
    Scenario {
        letter: 'B',
        title: "the CRM halves its limit for 60 s without notice",
        criteria: &[
            at_most(Measure::RejectionsAtChange, 3.0),
            at_most(Measure::RejectionsLater, 1.0),
            at_most(Measure::OpOutsideP99Ms, 1_000.0),
            at_most(Measure::OpMaxMs, 12_000.0),
            at_least(Measure::FullRatePercent, 95.0),
        ],
        door: DoorConfig {
            changes: &[(CHANGE_S.0, LIMIT / 2), (CHANGE_S.1, LIMIT)],
            ..DoorConfig::EVEN
        },
        ..BASE
    },
    Scenario {
        letter: 'C',
        title: "another application spends 40 %, visible only in headers",
        criteria: &[
            at_most(Measure::RejectedPercent, 0.1),
            at_least(Measure::UsedPercent, 95.0),
        ],
        door: DoorConfig {
            headers: true,
            foreign_percent: 40,
            ..DoorConfig::EVEN
        },
        ..BASE
    },
    Scenario {
        letter: 'D',
        title: "20 accounts, one exhausted, one rejecting everything",
        criteria: &[at_most(Measure::OpBesideAlone, 1.1)],
        accounts: 20,
        writes: 2_000,
        ..BASE
    },
    Scenario {
        letter: 'E',
        title: "day quota at 92 % with two hours left",
        criteria: &[
            none(Measure::OpLate),
            at_most(Measure::ResumedS, 60.0),
            none(Measure::DayRejections),
            none(Measure::Lost),
        ],
        op_over_s: Some(DAY_ENDS_S),
        door: DoorConfig {
            day_limit: 25_000,
            day_used: 23_000,
            ..DoorConfig::EVEN
        },
        ..BASE
    },
    Scenario {
        letter: 'F',
        title: "1 % time-outs after the CRM committed",
        criteria: &[none(Measure::Doubled), none(Measure::Lost)],
        door: DoorConfig {
            answers_lost_permille: 10,
            ..DoorConfig::EVEN
        },
        ..BASE
    },
    Scenario {
        letter: 'G',
        title: "owner killed every 20 s, a successor takes over",
        criteria: &[
            none(Measure::OverLimit),
            none(Measure::Doubled),
            none(Measure::Lost),
            at_most(Measure::DrainRatio, 1.5),
        ],
        owners: Owners::Killed { every_s: 20 },
        ..BASE
    },
    Scenario {
        letter: 'H',
        title: "batches of 100 with 2 % invalid items",
        criteria: &[
            none(Measure::RefusedWithoutLetter),
            none(Measure::ValidDead),
            none(Measure::Repeated),
            none(Measure::Doubled),
            none(Measure::Lost),
        ],
        batch_max: 100,
        invalid_percent: 2,
        ..BASE
    },
    Scenario {
        letter: 'I',
        title: "four workers, clocks ± 125 ms, ownership moves every 15 s, a foreign process asks for permits",
        criteria: &[
            none(Measure::OverLimit),
            none(Measure::Lost),
            at_most(Measure::DrainRatio, 1.4),
            at_least(Measure::ForeignPercent, 95.0),
        ],
        foreign_per_s: 2,
        owners: Owners::HandedOn {
            workers: 4,
            every_s: 15,
            clock_error_ms: 125,
        },
        ..BASE
    },
    Scenario {
        letter: 'J',
        title: "workers 1 → 4 → 1 under load, 40 accounts",
        criteria: &[
            none(Measure::OverLimit),
            none(Measure::Lost),
            at_most(Measure::OwnerlessMs, (LEASE_S * 1_000 + 1_000) as f64),
        ],
        accounts: 40,
        writes: 1_500,
        owners: Owners::Fleet {
            grow_s: 10,
            shrink_s: 40,
        },
        ..BASE
    },
];

/// The scenario of this letter, in either case.
pub fn scenario(letter: char) -> Option<&'static Scenario> {
    SCENARIOS
        .iter()
        .find(|scenario| scenario.letter == letter.to_ascii_uppercase())
}
