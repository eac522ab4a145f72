//! The outbound dialler: places planned outbound calls, or not, as the last advice heard for its account says.
//!
//! | advice | outbound calls that begin meanwhile |
//! | --- | --- |
//! | `ok`, and as long as none was heard | all are placed |
//! | `slow` | every second one of the plan is placed |
//! | `stop` | none is placed |
//!
//! Inbound calls come when they come, and calls in progress at the start of a run were placed before it. A call is decided
//! on once, when it begins; one that is not placed never was: no event of it is published, and nothing is expected of the
//! CRM because of it. Which half is placed follows from the plan alone, not from when advice is heard, so a run in real time
//! and one under virtual time that hear the same place the same calls.

use std::collections::{BTreeMap, BTreeSet};

use callflume_core::quota::Advice;

use super::plan::{Direction, Plan};
use crate::oracle::Published;

/// One account's dialler.
#[derive(Debug, Clone)]
pub struct Dialler {
    advice: Advice,
    /// Outbound calls that are still to begin when the run does: place among them, by place in the plan.
    outbound: BTreeMap<usize, usize>,
    /// Whether a call was placed, for those that have begun.
    decided: BTreeMap<usize, bool>,
}

impl Dialler {
    /// A dialler for the outbound calls of a plan.
    pub fn new(plan: &Plan) -> Self {
        let outbound = plan
            .calls
            .iter()
            .enumerate()
            .filter(|(_, call)| call.direction == Direction::Outbound && call.start_ms >= 0)
            .enumerate()
            .map(|(number, (place, _))| (place, number))
            .collect();
        Self {
            advice: Advice::Ok,
            outbound,
            decided: BTreeMap::new(),
        }
    }

    /// Hears advice; it stands until the next.
    pub const fn hear(&mut self, advice: Advice) {
        self.advice = advice;
    }

    /// Whether this call (place in [`Plan::calls`]) takes place; to be asked when it begins, and as often as one likes
    /// afterwards.
    pub fn takes_place(&mut self, call_index: usize) -> bool {
        let Some(number) = self.outbound.get(&call_index) else {
            return true;
        };
        let placed = match self.advice {
            Advice::Ok => true,
            Advice::Slow => number.is_multiple_of(2),
            Advice::Stop => false,
        };
        *self.decided.entry(call_index).or_insert(placed)
    }

    /// The calls that were not placed, by their place in [`Plan::calls`].
    pub fn not_dialled(&self) -> BTreeSet<usize> {
        self.decided
            .iter()
            .filter(|(_, placed)| !**placed)
            .map(|(place, _)| *place)
            .collect()
    }

    /// The plan as it was carried out, without the calls that were not placed, and what publishers were told about it.
    pub fn carried_out(&self, plan: Plan, published: Vec<Published>) -> (Plan, Vec<Published>) {
        let gone = self.not_dialled();
        if gone.is_empty() {
            return (plan, published);
        }
        let Plan {
            account,
            seed,
            start_ms,
            duration_ms,
            calls,
            events,
            backlog,
        } = plan;
        let mut call_places = BTreeMap::new();
        let calls = calls
            .into_iter()
            .enumerate()
            .filter(|(place, _)| !gone.contains(place))
            .enumerate()
            .map(|(now, (before, call))| {
                call_places.insert(before, now);
                call
            })
            .collect();
        let mut indices = BTreeMap::new();
        let mut next = backlog.len();
        let mut kept = Vec::with_capacity(events.len());
        for mut event in events {
            if event
                .call_index
                .is_some_and(|call_index| gone.contains(&call_index))
            {
                continue;
            }
            indices.insert(event.index, next);
            event.index = next;
            event.call_index = event
                .call_index
                .and_then(|before| call_places.get(&before).copied());
            next += 1;
            kept.push(event);
        }
        let published = published
            .into_iter()
            .filter_map(|told| {
                let index = if told.index < backlog.len() {
                    told.index
                } else {
                    *indices.get(&told.index)?
                };
                Some(Published { index, ..told })
            })
            .collect();
        let plan = Plan {
            account,
            seed,
            start_ms,
            duration_ms,
            calls,
            events: kept,
            backlog,
        };
        (plan, published)
    }
}
