//! Order: no older value over a newer one, and records made in the order promised.
//!
//! Promised is order per contact and lane, for two events of which the first was acknowledged before the second was
//! published. The instant of a publish is not recorded; its planned instant, never later than it, stands for it, so what is
//! counted was promised. That does not hold of the backlog, which many tasks publish at once before the run: among it no
//! order is promised. Fields are judged by event time, across lanes.

use std::collections::{BTreeMap, BTreeSet};

use callflume_core::lane::Lane;

use super::Acked;
use super::crm_state::{CrmState, Target};
use super::effects::Ends;
use super::findings::{Defect, Findings};
use super::slots::{owner, slot_writes};
use crate::traffic::{Expectation, Plan, PlannedEvent};

pub(super) fn reordered(
    plan: &Plan,
    acked: &Acked,
    state: &CrmState<'_>,
    ends: &Ends<'_>,
    findings: &mut Findings,
) -> u64 {
    fields(plan, state, ends, findings) + makings(plan, acked, state, findings)
}

/// Writes that put an older value in the place of a newer one.
fn fields(plan: &Plan, state: &CrmState<'_>, ends: &Ends<'_>, findings: &mut Findings) -> u64 {
    let mut count = 0;
    for ((target, field), claims) in &ends.slots.claims {
        if claims.len() < 2 || !state.crm.owns_place(claims[0].object, field) {
            continue;
        }
        let mut newest: BTreeMap<usize, i64> = BTreeMap::new();
        let writes = slot_writes(state, target, field);
        for (place, write) in writes.iter().enumerate() {
            let Some(claim) = owner(state.crm, claims, write.value).filter(|_| write.changed)
            else {
                continue;
            };
            let newest_ms = newest.entry(write.record).or_insert(claim.at_ms);
            if claim.at_ms >= *newest_ms {
                *newest_ms = claim.at_ms;
                continue;
            }
            count += 1;
            let healed = writes[place + 1..].iter().find(|later| {
                later.record == write.record
                    && owner(state.crm, claims, later.value)
                        .is_some_and(|it| it.at_ms >= *newest_ms)
            });
            let after = match healed {
                Some(later) => format!("set right again after {} ms", later.at_ms - write.at_ms),
                None => "and stays so".to_owned(),
            };
            findings.add(
                Defect::Reordered,
                plan.get(claim.index).map(|event| &event.event.id),
                format!(
                    "`{}` of record {} was set to its value although a value {} ms newer stood there, {after}",
                    field.name(),
                    state.record(write.record).id,
                    *newest_ms - claim.at_ms
                ),
            );
        }
    }
    count
}

/// An event that makes a record.
struct Making<'a> {
    event: &'a PlannedEvent,
    acked_ms: Option<i64>,
    /// Place of the record's making among all writes.
    place: usize,
}

/// Records made before one that should have been made first; each counted once.
fn makings(plan: &Plan, acked: &Acked, state: &CrmState<'_>, findings: &mut Findings) -> u64 {
    let mut by_contact: BTreeMap<(&str, Lane), Vec<Making<'_>>> = BTreeMap::new();
    let mut seen: BTreeSet<Target> = BTreeSet::new();
    for event in plan.all() {
        let (Some(acked_ms), Some(number)) = (acked.get(&event.index), &event.event.contact.phone)
        else {
            continue;
        };
        for expectation in &event.expect {
            let Expectation::Record { .. } = expectation else {
                continue;
            };
            let Some(target) = Target::of(expectation, number) else {
                continue;
            };
            let made = state
                .holders(&target)
                .iter()
                .filter_map(|record| state.making(*record))
                .map(|(place, _)| place)
                .min();
            // Only the first event about a record makes it.
            if let Some(place) = made.filter(|_| seen.insert(target)) {
                by_contact
                    .entry((number, event.lane))
                    .or_default()
                    .push(Making {
                        event,
                        acked_ms: *acked_ms,
                        place,
                    });
            }
        }
    }
    let mut count = 0;
    for makings in by_contact.values() {
        for (second_place, second) in makings.iter().enumerate() {
            if second.event.call_index.is_none() {
                continue;
            }
            let broken = makings[..second_place].iter().find(|first| {
                first.place > second.place
                    && first
                        .acked_ms
                        .is_some_and(|acked_ms| acked_ms <= second.event.at_ms)
            });
            if let Some(first) = broken {
                count += 1;
                findings.add(
                    Defect::Reordered,
                    Some(&second.event.event.id),
                    format!(
                        "its record was made before that of event {}, which was acknowledged first",
                        first.event.event.id
                    ),
                );
            }
        }
    }
    count
}
