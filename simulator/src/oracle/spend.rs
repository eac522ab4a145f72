//! On what the requests were spent: a request is of the lane of the events whose values it carried.
//!
//! Told from what was applied, not from what a worker says. A request that carried both lanes is operational: it would
//! have been sent anyway. A person is made by the first event about them.

use std::collections::BTreeMap;

use callflume_core::lane::Lane;

use super::crm_state::{CrmState, Target};
use super::slots::{Slots, owner};
use crate::holdings::{Deed, Errand, HeldRecord, HeldWrite};
use crate::phone::national_number;
use crate::traffic::{Expectation, Plan, mark_in};

/// A number of requests and their price.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Requests.
    pub requests: u64,
    /// Tokens; 0 where the CRM has no price per operation.
    pub tokens: u64,
}

impl std::ops::AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.tokens += other.tokens;
    }
}

/// On what requests were spent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spend {
    /// Writes that carried something operational.
    pub op: Cost,
    /// Writes that carried enrichment only.
    pub en: Cost,
    /// Searches, listings and reads.
    pub look_ups: Cost,
    /// Writes that changed nothing of the plan's (refused, repeated, keys only), and everything else.
    pub other: Cost,
}

impl std::ops::AddAssign for Spend {
    fn add_assign(&mut self, other: Self) {
        self.op += other.op;
        self.en += other.en;
        self.look_ups += other.look_ups;
        self.other += other.other;
    }
}

impl Spend {
    /// All of it.
    pub fn total(&self) -> Cost {
        let mut total = self.op;
        for part in [self.en, self.look_ups, self.other] {
            total += part;
        }
        total
    }
}

/// On what the requests of a run were spent.
pub(super) fn spend(plan: &Plan, state: &CrmState<'_>, slots: &Slots<'_>) -> Spend {
    let makers = Makers::of(plan);
    let mut lanes: BTreeMap<u64, Lane> = BTreeMap::new();
    for write in state.all_writes.iter().filter(|it| it.request_no > 0) {
        let known = lanes.get(&write.request_no).copied();
        if known == Some(Lane::Op) {
            continue;
        }
        if let Some(lane) = lane_of(write, state, slots, &makers) {
            lanes.insert(write.request_no, lane);
        }
    }
    let mut spend = Spend::default();
    for arrival in state.crm.arrivals() {
        let kind = match (arrival.errand, lanes.get(&arrival.request_no)) {
            (Errand::LookUp, _) => &mut spend.look_ups,
            (Errand::Write(_), Some(Lane::Op)) => &mut spend.op,
            (Errand::Write(_), Some(Lane::En)) => &mut spend.en,
            (Errand::Write(_), None) | (Errand::Other, _) => &mut spend.other,
        };
        *kind += Cost {
            requests: 1,
            tokens: arrival.tokens.unwrap_or(0).into(),
        };
    }
    spend
}

/// Lanes of the events that make records and persons.
struct Makers(BTreeMap<Target, Lane>);

impl Makers {
    fn of(plan: &Plan) -> Self {
        let mut makers = BTreeMap::new();
        for event in plan.all() {
            let number = event.event.contact.phone.as_deref().unwrap_or_default();
            if let Some(number) = national_number(number) {
                makers.entry(Target::Person(number)).or_insert(event.lane);
            }
            for expectation in &event.expect {
                if let (Expectation::Record { .. }, Some(target)) =
                    (expectation, Target::of(expectation, number))
                {
                    makers.entry(target).or_insert(event.lane);
                }
            }
        }
        Self(makers)
    }
}

fn targets(record: &HeldRecord) -> impl Iterator<Item = Target> {
    let marked = record.label.as_deref().and_then(mark_in);
    let marked = marked.map(|mark| Target::Marked(record.object, mark.to_owned()));
    let persons = record.numbers.iter().cloned().map(Target::Person);
    persons.chain(marked)
}

fn lane_of(
    write: &HeldWrite,
    state: &CrmState<'_>,
    slots: &Slots<'_>,
    makers: &Makers,
) -> Option<Lane> {
    let record = state.written(write)?;
    let mut lane = None;
    for target in targets(record) {
        if write.deed == Deed::Made {
            lane = urgent(lane, makers.0.get(&target).copied());
        }
        for set in &write.fields {
            let claims = slots.of_slot(&target, &set.field);
            let claim = owner(state.crm, claims, &set.text);
            lane = urgent(lane, claim.map(|claim| claim.lane));
        }
    }
    lane
}

/// The more urgent of two lanes.
fn urgent(one: Option<Lane>, other: Option<Lane>) -> Option<Lane> {
    match (one, other) {
        (Some(Lane::Op), _) | (_, Some(Lane::Op)) => Some(Lane::Op),
        (Some(Lane::En), _) | (_, Some(Lane::En)) => Some(Lane::En),
        (None, None) => None,
    }
}
