//! Owners of an account, one after the other, in front of a CRM that counts what arrives, in microseconds: an engine
//! sees whole milliseconds only, and the CRM does not round.

use std::collections::{BTreeMap, VecDeque};

use callflume_core::lane::Lane;
use callflume_core::quota::{
    Grant, LATE_ARRIVAL_MS, Limiter, PermitId, Quota, Settings, Settlement,
};
use callflume_core::record::JournalRecord;
use callflume_core::time::{BrokerTime, Now, Tick, WallTime};
use callflume_core::vendor::{Charge, Span, WindowSpec};
use proptest::prelude::*;

/// 2026-11-25T12:00:00Z.
pub(crate) const NOON_MS: i64 = 1_795_608_000_000;
pub(crate) const TIMEOUT_MS: u64 = 3_000;
const DAY_US: u64 = 86_400_000_000;

const SEARCHES: &[Charge] = &[Charge::one(1), Charge::one(2)];
const OTHERS: &[Charge] = &[Charge::one(0), Charge::one(2)];

pub(crate) fn windows_of(search: bool) -> &'static [Charge] {
    if search { SEARCHES } else { OTHERS }
}

pub(crate) fn settings(limits: (u32, u32, u32), span_ms: u64) -> Settings {
    Settings {
        windows: vec![
            WindowSpec::rolling("requests", limits.0, span_ms),
            WindowSpec::rolling("search", limits.1, 1_000),
            WindowSpec::day("daily", limits.2),
        ],
        share_percent: 100,
        reserve: 2,
        floor_op_percent: 20,
        request_timeout_ms: TIMEOUT_MS,
        time_zone: "UTC".to_owned(),
    }
}

/// What becomes of a granted request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fate {
    Answered,
    NotSent,
    /// No answer in time; arrives this many microseconds after its grant, if at all.
    Unanswered(Option<u64>),
}

/// Somebody wants to send.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    /// After the wish before.
    pub(crate) gap_us: u64,
    pub(crate) lane: Lane,
    pub(crate) search: bool,
    pub(crate) trip_us: u64,
    pub(crate) back_us: u64,
    pub(crate) fate: Fate,
}

pub(crate) fn wish() -> impl Strategy<Value = Wish> {
    let late_us = (TIMEOUT_MS + LATE_ARRIVAL_MS) * 1_000;
    let fate = prop_oneof![
        8 => Just(Fate::Answered),
        1 => Just(Fate::NotSent),
        1 => proptest::option::of(0..=late_us).prop_map(Fate::Unanswered),
        // As late as a request can arrive.
        1 => Just(Fate::Unanswered(Some(late_us))),
    ];
    let gap = prop_oneof![3 => 0..2_000_u64, 2 => 0..300_000_u64, 1 => 0..4_000_000_u64];
    let trip = prop_oneof![3 => 0..60_000_u64, 1 => 0..1_400_000_u64];
    (gap, any::<bool>(), 0..4_u8, trip.clone(), trip, fate).prop_map(
        |(gap_us, op, search, trip_us, back_us, fate)| Wish {
            gap_us,
            lane: if op { Lane::Op } else { Lane::En },
            search: search == 0,
            trip_us,
            back_us,
            fate,
        },
    )
}

/// An owner's death.
#[derive(Debug, Clone)]
pub(crate) struct Death {
    pub(crate) at_us: u64,
    /// Until the successor starts.
    pub(crate) gap_us: u64,
    /// Whether a journal write under way still arrives.
    pub(crate) write_lands: bool,
    /// The successor's error about the broker's clock.
    pub(crate) clock_error_ms: i64,
}

enum Event {
    Wish(Wish),
    Settle(usize, PermitId, Settlement),
    Written(usize, JournalRecord),
    Death(Death),
    Birth(i64),
    Wake,
}

pub(crate) struct Sim {
    pub(crate) settings: Settings,
    pub(crate) start_ms: i64,
    pub(crate) now_us: u64,
    pub(crate) quota: Option<Quota>,
    owner: usize,
    /// This owner's ticks count from somewhere else.
    base_ms: u64,
    clock_error_ms: i64,
    pub(crate) write_us: u64,
    write_lands: bool,
    stored: Option<JournalRecord>,
    events: BTreeMap<(u64, u64), Event>,
    next: u64,
    pending: [VecDeque<(u64, Wish)>; 2],
    /// Arrivals per window.
    pub(crate) arrivals: [Vec<u64>; 3],
    /// Lane, wait for its grant in microseconds, instant of the grant.
    pub(crate) grants: Vec<(Lane, u64, u64)>,
}

impl Sim {
    pub(crate) fn new(settings: Settings, start_ms: i64, write_us: u64) -> Self {
        let mut sim = Self {
            settings,
            start_ms,
            now_us: 0,
            quota: None,
            owner: 0,
            base_ms: 0,
            clock_error_ms: 0,
            write_us,
            write_lands: true,
            stored: None,
            events: BTreeMap::new(),
            next: 0,
            pending: [VecDeque::new(), VecDeque::new()],
            arrivals: [Vec::new(), Vec::new(), Vec::new()],
            grants: Vec::new(),
        };
        sim.birth(0);
        sim
    }

    pub(crate) fn wishes(&mut self, wishes: &[Wish]) {
        let mut at = 0;
        for wish in wishes {
            at += wish.gap_us;
            self.at(at, Event::Wish(wish.clone()));
        }
    }

    pub(crate) fn deaths(&mut self, deaths: &[Death]) {
        let mut at = 0;
        for death in deaths {
            at += death.at_us;
            self.at(at, Event::Death(death.clone()));
            at += death.gap_us;
        }
    }

    fn at(&mut self, at_us: u64, event: Event) {
        self.next += 1;
        self.events.insert((at_us, self.next), event);
    }

    pub(crate) fn now(&self) -> Now {
        let ms = self.now_us / 1_000;
        Now {
            tick: Tick(ms + self.base_ms),
            broker: BrokerTime(self.start_ms + ms as i64 + self.clock_error_ms),
            wall: WallTime(self.start_ms + ms as i64),
        }
    }

    fn birth(&mut self, clock_error_ms: i64) {
        self.owner += 1;
        self.base_ms = self.owner as u64 * 77_777;
        self.clock_error_ms = clock_error_ms;
        let now = self.now();
        self.quota = Some(Quota::new(self.settings.clone(), now, self.stored.as_ref()));
    }

    /// Runs until nothing is left, or until this instant.
    pub(crate) fn run(&mut self, until_us: u64) {
        while let Some(((at, _), _)) = self.events.first_key_value() {
            if *at > until_us {
                break;
            }
            let Some(((at, _), event)) = self.events.pop_first() else {
                break;
            };
            self.now_us = at;
            self.happen(event);
            self.pump();
        }
        self.now_us = self.now_us.max(until_us.min(self.now_us + 1));
    }

    fn happen(&mut self, event: Event) {
        let now = self.now();
        match event {
            Event::Wish(wish) => self.pending[wish.lane as usize].push_back((self.now_us, wish)),
            Event::Settle(owner, permit, settlement) if owner == self.owner => {
                if let Some(quota) = &mut self.quota {
                    quota.settle(now, permit, settlement);
                }
            }
            Event::Written(owner, record) if owner == self.owner => match &mut self.quota {
                Some(quota) => {
                    self.stored = Some(record);
                    quota.journaled(now, true);
                }
                None if self.write_lands => self.stored = Some(record),
                None => {}
            },
            Event::Death(death) => {
                self.quota = None;
                self.write_lands = death.write_lands;
                self.at(
                    self.now_us + death.gap_us,
                    Event::Birth(death.clock_error_ms),
                );
            }
            Event::Birth(clock_error_ms) => self.birth(clock_error_ms),
            Event::Settle(..) | Event::Written(..) | Event::Wake => {}
        }
    }

    fn pump(&mut self) {
        loop {
            let en_first = self.quota.as_ref().is_some_and(Limiter::en_turn);
            let order = if en_first {
                [Lane::En, Lane::Op]
            } else {
                Lane::ALL
            };
            if !order.into_iter().any(|lane| self.grant_one(lane)) {
                break;
            }
        }
        let now = self.now();
        let Some(quota) = &mut self.quota else {
            return;
        };
        if quota.journal_wake().is_some_and(|at| at <= now.tick)
            && let Some(record) = quota.journal_due(now, None)
        {
            self.write(record);
        }
        if let Some(at) = self.quota.as_ref().and_then(Limiter::journal_wake) {
            self.wake(at.max(now.tick.plus_ms(1)));
        }
    }

    /// Grants the first wish of a lane that can be had: one that waits for a search holds back no other.
    fn grant_one(&mut self, lane: Lane) -> bool {
        let mut asked = [false; 2];
        for place in 0..self.pending[lane as usize].len() {
            let (since, wish) = self.pending[lane as usize][place].clone();
            if std::mem::replace(&mut asked[usize::from(wish.search)], true) {
                continue;
            }
            if let Some(permit) = self.ask(lane, &wish) {
                self.pending[lane as usize].remove(place);
                self.grants.push((lane, self.now_us - since, self.now_us));
                self.granted(permit, &wish);
                return true;
            }
            if asked == [true; 2] {
                break;
            }
        }
        false
    }

    fn ask(&mut self, lane: Lane, wish: &Wish) -> Option<PermitId> {
        let now = self.now();
        let windows = windows_of(wish.search);
        let quota = self.quota.as_mut()?;
        match quota.ask(now, lane, windows) {
            Grant::Granted(permit) => Some(permit),
            Grant::Unwritten => {
                if let Some(record) = quota.journal_due(now, Some(windows)) {
                    self.write(record);
                }
                None
            }
            Grant::Wait { until, .. } => {
                if let Some(until) = until {
                    self.wake(until);
                }
                None
            }
        }
    }

    fn write(&mut self, record: JournalRecord) {
        self.at(
            self.now_us + self.write_us,
            Event::Written(self.owner, record),
        );
    }

    fn wake(&mut self, at: Tick) {
        let at_us = (at.0 - self.base_ms) * 1_000;
        if !self
            .events
            .range((at_us, 0)..(at_us, u64::MAX))
            .any(|(_, event)| matches!(event, Event::Wake))
        {
            self.at(at_us, Event::Wake);
        }
    }

    fn granted(&mut self, permit: PermitId, wish: &Wish) {
        let windows = windows_of(wish.search);
        let mut arrive = |at_us: u64| {
            for charge in windows {
                self.arrivals[charge.window].push(at_us);
            }
        };
        let (end_us, settlement) = match wish.fate {
            Fate::Answered => {
                arrive(self.now_us + wish.trip_us);
                (wish.trip_us + wish.back_us, Settlement::Answered)
            }
            Fate::NotSent => (0, Settlement::NotSent),
            Fate::Unanswered(arrives_us) => {
                if let Some(after) = arrives_us {
                    arrive(self.now_us + after);
                }
                (TIMEOUT_MS * 1_000, Settlement::Unanswered)
            }
        };
        self.at(
            self.now_us + end_us,
            Event::Settle(self.owner, permit, settlement),
        );
    }

    /// No stretch of any window's span holds more than its limit, no day more than its own.
    pub(crate) fn check_door(&mut self) -> Result<(), TestCaseError> {
        for (spec, arrivals) in self.settings.windows.iter().zip(&mut self.arrivals) {
            arrivals.sort_unstable();
            let limit = spec.limit as usize;
            match spec.span {
                Span::RollingMs(span_ms) => {
                    for (first, next) in arrivals.iter().zip(arrivals.iter().skip(limit)) {
                        prop_assert!(
                            next - first >= span_ms * 1_000,
                            "{}: {} within {} us of {first}",
                            spec.name,
                            limit + 1,
                            next - first
                        );
                    }
                }
                Span::Slots => {}
                Span::Day => {
                    let mut days: BTreeMap<u64, usize> = BTreeMap::new();
                    for at in arrivals.iter() {
                        *days
                            .entry((self.start_ms as u64 * 1_000 + at) / DAY_US)
                            .or_default() += 1;
                    }
                    for (day, count) in days {
                        prop_assert!(count <= limit, "day {day}: {count} of {limit}");
                    }
                }
            }
        }
        Ok(())
    }

    pub(crate) fn all_granted(&self) -> bool {
        self.pending.iter().all(VecDeque::is_empty)
    }
}
