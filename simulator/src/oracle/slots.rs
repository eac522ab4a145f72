//! A slot is one field of one record or person; claims are the planned events that set it.
//!
//! Decides which claim each write came from, and what became of a claim: written, replaced by a newer one, or nowhere.

use std::collections::BTreeMap;

use callflume_core::effect::{Field, Object, Value};
use callflume_core::lane::Lane;

use super::crm_state::{CrmState, Target};
use crate::holdings::Holdings;
use crate::traffic::{Expectation, Plan};

/// Clocks of publisher and CRM may differ by this much, milliseconds: a write this much before its event still is its.
const CLOCK_SLACK_MS: i64 = 1_000;

/// One event's value for a slot.
#[derive(Debug, Clone)]
pub(super) struct Claim<'a> {
    /// The event's index.
    pub(super) index: usize,
    /// Event time, epoch milliseconds.
    pub(super) at_ms: i64,
    pub(super) lane: Lane,
    pub(super) object: Object,
    field: &'a Field,
    value: &'a Value,
}

impl Claim<'_> {
    fn is(&self, crm: &dyn Holdings, stored: &str) -> bool {
        crm.says(self.object, self.field, self.value, stored)
    }
}

/// One write of a slot.
#[derive(Debug, Clone, Copy)]
pub(super) struct SlotWrite<'a> {
    pub(super) record: usize,
    pub(super) at_ms: i64,
    pub(super) value: &'a str,
    pub(super) changed: bool,
}

/// What became of one claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClaimEnd {
    /// Written, at this instant.
    Applied { at_ms: i64 },
    /// A newer value of the same lane was written in its place, at this instant.
    Merged { at_ms: i64 },
    /// A newer value of the other lane stands in its place, or the same value stood there before.
    Superseded,
    /// Nowhere.
    Missing,
    /// Written, and then replaced by a value that no event has.
    Overwritten,
}

/// All slots of a plan.
#[derive(Debug, Default)]
pub(super) struct Slots<'a> {
    pub(super) claims: BTreeMap<(Target, Field), Vec<Claim<'a>>>,
}

impl<'a> Slots<'a> {
    pub(super) fn of(plan: &'a Plan, crm: &dyn Holdings) -> Self {
        let mut slots = Self::default();
        for event in plan.all() {
            let number = event.event.contact.phone.as_deref().unwrap_or_default();
            for expectation in &event.expect {
                let Some(target) = Target::of(expectation, number) else {
                    continue;
                };
                for (object, field, value) in kept(expectation, crm) {
                    slots
                        .claims
                        .entry((target.clone(), field.clone()))
                        .or_default()
                        .push(Claim {
                            index: event.index,
                            at_ms: event.event.at.0,
                            lane: event.lane,
                            object,
                            field,
                            value,
                        });
                }
            }
        }
        slots
    }

    pub(super) fn of_slot(&self, target: &Target, field: &Field) -> &[Claim<'a>] {
        self.claims
            .get(&(target.clone(), field.clone()))
            .map_or(&[], Vec::as_slice)
    }
}

/// The fields an effect sets and the CRM has a place for, with the object they are on.
pub(super) fn kept<'e>(
    expectation: &'e Expectation,
    crm: &dyn Holdings,
) -> impl Iterator<Item = (Object, &'e Field, &'e Value)> {
    let (object, fields) = match expectation {
        Expectation::Person => (Object::Contact, &[][..]),
        Expectation::PersonFields(fields) => (Object::Contact, fields.as_slice()),
        Expectation::Record { object, fields, .. }
        | Expectation::RecordFields { object, fields, .. } => (*object, fields.as_slice()),
    };
    fields
        .iter()
        .filter(move |(field, _)| crm.keeps(object, field, fields))
        .map(move |(field, value)| (object, field, value))
}

/// Every write of a slot, in order; of doubled records all of them.
pub(super) fn slot_writes<'s>(
    state: &'s CrmState<'_>,
    target: &Target,
    field: &Field,
) -> Vec<SlotWrite<'s>> {
    let mut writes: Vec<(usize, SlotWrite<'s>)> = Vec::new();
    for record in state.holders(target) {
        for (place, write) in state.writes_of(*record) {
            for set in write.fields.iter().filter(|it| it.field == *field) {
                writes.push((
                    place,
                    SlotWrite {
                        record: *record,
                        at_ms: write.at_ms,
                        value: &set.text,
                        changed: set.changed,
                    },
                ));
            }
        }
    }
    writes.sort_by_key(|(place, _)| *place);
    writes.into_iter().map(|(_, write)| write).collect()
}

/// The newest claim with this value.
pub(super) fn owner<'c, 'a>(
    crm: &dyn Holdings,
    claims: &'c [Claim<'a>],
    value: &str,
) -> Option<&'c Claim<'a>> {
    claims
        .iter()
        .filter(|claim| claim.is(crm, value))
        .max_by_key(|claim| claim.at_ms)
}

/// What became of the claim of event `index` on a slot.
pub(super) fn end_of(
    crm: &dyn Holdings,
    claims: &[Claim<'_>],
    index: usize,
    writes: &[SlotWrite<'_>],
) -> ClaimEnd {
    let Some(own) = claims.iter().find(|claim| claim.index == index) else {
        return ClaimEnd::Missing;
    };
    let earliest_ms = own.at_ms - CLOCK_SLACK_MS;
    let written = writes
        .iter()
        .position(|write| own.is(crm, write.value) && write.at_ms >= earliest_ms);
    if let Some(place) = written {
        let owns_place = crm.owns_place(own.object, own.field);
        return if owns_place && overwritten(crm, claims, own, writes) {
            ClaimEnd::Overwritten
        } else {
            ClaimEnd::Applied {
                at_ms: writes[place].at_ms,
            }
        };
    }
    if writes.iter().any(|write| own.is(crm, write.value)) {
        // The same value stood already.
        return ClaimEnd::Superseded;
    }
    let newer = claims
        .iter()
        .filter(|claim| claim.index != index && claim.at_ms >= own.at_ms);
    let mut end = ClaimEnd::Missing;
    for claim in newer {
        for write in writes.iter().filter(|write| claim.is(crm, write.value)) {
            if claim.lane != own.lane {
                if end == ClaimEnd::Missing {
                    end = ClaimEnd::Superseded;
                }
                continue;
            }
            end = match end {
                ClaimEnd::Merged { at_ms } if at_ms <= write.at_ms => end,
                _ => ClaimEnd::Merged { at_ms: write.at_ms },
            };
        }
    }
    end
}

/// Whether the newest value is gone from every record, and what stands there last is no event's. An older event's value
/// there is a matter of order, not a loss.
fn overwritten(
    crm: &dyn Holdings,
    claims: &[Claim<'_>],
    own: &Claim<'_>,
    writes: &[SlotWrite<'_>],
) -> bool {
    let mut last: BTreeMap<usize, &str> = BTreeMap::new();
    for write in writes {
        last.insert(write.record, write.value);
    }
    let newer_written = claims.iter().any(|claim| {
        claim.at_ms > own.at_ms && writes.iter().any(|write| claim.is(crm, write.value))
    });
    !newer_written
        && !last
            .values()
            .any(|value| own.is(crm, value) || owner(crm, claims, value).is_some())
}
