//! Who calls when, and how long.
//!
//! Invariants: the steady state stands from the first millisecond on; nobody is in two calls at once; numbers of new
//! callers are those after the seeded ones, each another person.

use std::collections::{BTreeMap, VecDeque};

use callflume_core::event::ContactRef;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp1};

use super::durations::DurationLaw;
use super::events::Marks;
use super::plan::{Direction, PlanError, PlannedCall};
use super::{Concern, profile, stream};
use crate::fakes::{FICTIONAL_NUMBERS, fictional_e164};
use crate::scenario::{Arrivals, Scenario};

/// The mean number of calls in progress lies this far above the number asked for, so that a run starts above it and
/// chance seldom takes it below.
const HEADROOM: f64 = 1.05;
/// How long somebody remains likely to call again, uncompressed milliseconds.
const REDIAL_WITHIN_MS: f64 = 120_000.0;
/// Draws for somebody who isn't on the line before a stranger calls instead.
const TRIES_MAX: u32 = 32;

/// A caller: place among the seeded contacts, or the index of a new number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Caller {
    Known(usize),
    New(u32),
}

/// The calls of a run, by their beginning.
pub(super) fn calls(
    scenario: &Scenario,
    duration_ms: i64,
    known: &[ContactRef],
    marks: &mut Marks,
) -> Result<Vec<PlannedCall>, PlanError> {
    let law = DurationLaw::new(&scenario.calls).ok_or(PlanError::Durations)?;
    let mut durations = stream(scenario.seed, Concern::Durations);
    let mut callers = Callers::new(scenario, known);
    let relative = |at_ms: f64| match scenario.calls.arrivals {
        Arrivals::Constant => 1.0,
        Arrivals::Day => {
            profile::relative_rate(f64::from(scenario.day_start_minutes()) + at_ms / 60_000.0)
        }
    };
    let steady = f64::from(scenario.calls.concurrent) * HEADROOM;
    let mut lines: Vec<(i64, i64, bool)> = (0..(steady * relative(0.0)).ceil() as u32)
        .map(|_| {
            let call = law.in_progress(&mut durations);
            (
                -(call.elapsed_ms.ceil() as i64).max(1),
                (call.residual_ms.ceil() as i64).max(1),
                call.hang_up,
            )
        })
        .collect();
    lines.sort_unstable();
    let mut calls = Vec::with_capacity(lines.len());
    for (start_ms, end_ms, hang_up) in lines {
        // All of them are on the line at once, so the instant that counts for "busy" is the start of the run.
        calls.push(callers.call(0, start_ms, end_ms, hang_up, marks)?);
    }
    let mut arrivals = stream(scenario.seed, Concern::Arrivals);
    let rate_per_ms = steady / law.mean_ms();
    let mut at_ms = 0.0;
    loop {
        let gap: f64 = Exp1.sample(&mut arrivals);
        at_ms += gap / rate_per_ms;
        if at_ms >= duration_ms as f64 {
            return Ok(calls);
        }
        // Thinning: drawn at the busiest rate, kept with the probability of the time of day.
        if arrivals.random::<f64>() >= relative(at_ms) {
            continue;
        }
        let (length_ms, hang_up) = law.call(&mut durations);
        let start_ms = at_ms as i64;
        let end_ms = start_ms + (length_ms as i64).max(1);
        calls.push(callers.call(start_ms, start_ms, end_ms, hang_up, marks)?);
    }
}

/// Chooses who calls.
struct Callers<'a> {
    scenario: &'a Scenario,
    known: &'a [ContactRef],
    draw: ChaCha8Rng,
    busy_until: BTreeMap<Caller, i64>,
    recent: VecDeque<Caller>,
    next_number: u32,
}

impl<'a> Callers<'a> {
    fn new(scenario: &'a Scenario, known: &'a [ContactRef]) -> Self {
        Self {
            scenario,
            known,
            draw: stream(scenario.seed, Concern::Callers),
            busy_until: BTreeMap::new(),
            recent: VecDeque::new(),
            next_number: known.len() as u32,
        }
    }

    fn call(
        &mut self,
        now_ms: i64,
        start_ms: i64,
        end_ms: i64,
        hang_up: bool,
        marks: &mut Marks,
    ) -> Result<PlannedCall, PlanError> {
        let caller = self.caller(now_ms);
        let contact = self.contact(caller)?;
        self.busy_until.insert(caller, end_ms);
        self.recent.push_back(caller);
        let outbound = self.draw.random_bool(self.scenario.calls.outbound_share);
        Ok(PlannedCall {
            call_id: marks.next(),
            contact,
            known: matches!(caller, Caller::Known(_)),
            direction: if outbound {
                Direction::Outbound
            } else {
                Direction::Inbound
            },
            start_ms,
            end_ms,
            hang_up,
        })
    }

    fn caller(&mut self, now_ms: i64) -> Caller {
        let calls = &self.scenario.calls;
        let within_ms = (REDIAL_WITHIN_MS / calls.compress) as i64;
        // Kept in the order of beginnings: a long call keeps younger ones here a while longer, which does no harm.
        while let Some(first) = self.recent.front() {
            if self.free_at(*first) + within_ms > now_ms {
                break;
            }
            self.recent.pop_front();
        }
        let redials = self.draw.random_bool(calls.redial_share);
        let known = !self.known.is_empty() && !self.draw.random_bool(calls.unknown_share);
        if redials && !self.recent.is_empty() {
            for _ in 0..TRIES_MAX {
                let again = self.recent[self.draw.random_range(0..self.recent.len())];
                let free_at = self.free_at(again);
                if free_at < now_ms && free_at + within_ms > now_ms {
                    return again;
                }
            }
        }
        if known {
            for _ in 0..TRIES_MAX {
                let caller = Caller::Known(self.draw.random_range(0..self.known.len()));
                if self
                    .busy_until
                    .get(&caller)
                    .is_none_or(|until| *until < now_ms)
                {
                    return caller;
                }
            }
        }
        let new = Caller::New(self.next_number);
        self.next_number += 1;
        new
    }

    fn free_at(&self, caller: Caller) -> i64 {
        self.busy_until
            .get(&caller)
            .copied()
            .unwrap_or(i64::MIN / 2)
    }

    fn contact(&self, caller: Caller) -> Result<ContactRef, PlanError> {
        match caller {
            Caller::Known(place) => Ok(self.known[place].clone()),
            Caller::New(index) => Ok(ContactRef {
                phone: Some(fictional_e164(index).ok_or(PlanError::NumbersExhausted {
                    available: FICTIONAL_NUMBERS - self.known.len() as u32,
                })?),
                ..ContactRef::default()
            }),
        }
    }
}
