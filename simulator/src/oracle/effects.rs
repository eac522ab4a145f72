//! The end of every effect of an acknowledged event.

use std::collections::BTreeSet;

use callflume_core::event::EventId;

use super::Acked;
use super::crm_state::{CrmState, Target};
use super::findings::{Defect, Findings};
use super::slots::{ClaimEnd, Slots, end_of, kept, slot_writes};
use crate::traffic::{Expectation, Plan, PlannedEvent};

/// What became of one effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The CRM holds it; since when, unless it held it before.
    Applied { at_ms: Option<i64> },
    /// The CRM holds newer values that were written in its place, since this instant.
    Merged { at_ms: i64 },
    /// The CRM holds newer values of the other lane, or held the same before.
    Superseded,
    /// A dead letter.
    Dead,
    /// Nowhere.
    Lost,
}

impl Ended {
    /// Since when the CRM holds it or what took its place, epoch milliseconds.
    pub(super) fn held_at_ms(self) -> Option<i64> {
        match self {
            Self::Applied { at_ms } => at_ms,
            Self::Merged { at_ms } => Some(at_ms),
            Self::Superseded | Self::Dead | Self::Lost => None,
        }
    }
}

/// The ends of all effects, and the slots they were judged by.
#[derive(Debug)]
pub(super) struct Ends<'a> {
    /// Index of the event, and the end of one of its effects.
    pub(super) effects: Vec<(usize, Ended)>,
    pub(super) slots: Slots<'a>,
}

pub(super) fn ends<'a>(
    plan: &'a Plan,
    acked: &Acked,
    state: &CrmState<'_>,
    dead: &BTreeSet<EventId>,
    findings: &mut Findings,
) -> Ends<'a> {
    let slots = Slots::of(plan, state.crm);
    let handed_over: BTreeSet<Target> = made_by(plan, acked);
    let mut effects = Vec::new();
    for event in plan.all().filter(|event| acked.contains_key(&event.index)) {
        let number = event.event.contact.phone.as_deref().unwrap_or_default();
        for expectation in &event.expect {
            let Some(target) = Target::of(expectation, number) else {
                continue;
            };
            if matches!(expectation, Expectation::RecordFields { .. })
                && !handed_over.contains(&target)
            {
                // An update of a record that was never handed over is owed by nobody.
                continue;
            }
            let end = match end(event, expectation, &target, state, &slots) {
                Ok(end) => end,
                Err(_) if dead.contains(&event.event.id) => {
                    findings.add(
                        Defect::Dead,
                        Some(&event.event.id),
                        format!("`{}` became a dead letter", event.event.kind),
                    );
                    Ended::Dead
                }
                Err(problem) => {
                    findings.add(
                        Defect::Lost,
                        Some(&event.event.id),
                        format!("`{}` was acknowledged, but {problem}", event.event.kind),
                    );
                    Ended::Lost
                }
            };
            effects.push((event.index, end));
        }
    }
    Ends { effects, slots }
}

/// Targets that some acknowledged event makes.
fn made_by(plan: &Plan, acked: &Acked) -> BTreeSet<Target> {
    plan.all()
        .filter(|event| acked.contains_key(&event.index))
        .flat_map(|event| &event.expect)
        .filter(|expectation| matches!(expectation, Expectation::Record { .. }))
        .filter_map(|expectation| Target::of(expectation, ""))
        .collect()
}

/// The end of an effect, or why it is nowhere.
fn end(
    event: &PlannedEvent,
    expectation: &Expectation,
    target: &Target,
    state: &CrmState<'_>,
    slots: &Slots<'_>,
) -> Result<Ended, String> {
    let records = state.holders(target);
    let Some(&first) = records.first() else {
        return Err(match target {
            Target::Person(_) => "no contact has the number".to_owned(),
            Target::Marked(object, _) => format!("there is no such {object}"),
        });
    };
    let id = &state.record(first).id;
    let mut made_at_ms = None;
    if matches!(
        expectation,
        Expectation::Person | Expectation::Record { .. }
    ) {
        let made = state.making(first).map(|(_, write)| write.at_ms);
        // Made before this event happened: somebody else's doing, it says nothing about this effect's age.
        made_at_ms = made.filter(|at_ms| *at_ms >= event.event.at.0);
    }
    if let Expectation::Record { object, .. } = expectation {
        let number = event.event.contact.phone.as_deref().unwrap_or_default();
        let person = Target::of(&Expectation::Person, number);
        let linked =
            person.is_some_and(|person| records.iter().any(|it| state.linked(*it, &person)));
        if !linked {
            return Err(format!(
                "{object} {id} is linked to no contact with the number"
            ));
        }
    }
    let mut held_at_ms = made_at_ms;
    let (mut applied, mut merged, mut superseded) = (false, false, false);
    for (object, field, _) in kept(expectation, state.crm) {
        let writes = slot_writes(state, target, field);
        let claims = slots.of_slot(target, field);
        match end_of(state.crm, claims, event.index, &writes) {
            ClaimEnd::Applied { at_ms } => {
                applied = true;
                held_at_ms = held_at_ms.max(Some(at_ms));
            }
            ClaimEnd::Merged { at_ms } => {
                merged = true;
                held_at_ms = held_at_ms.max(Some(at_ms));
            }
            ClaimEnd::Superseded => superseded = true,
            ClaimEnd::Missing => {
                return Err(format!(
                    "`{}` of {object} {id} never had its value",
                    field.name()
                ));
            }
            ClaimEnd::Overwritten => {
                return Err(format!(
                    "`{}` of {object} {id} holds a value that no event has",
                    field.name()
                ));
            }
        }
    }
    Ok(match held_at_ms {
        _ if applied || !(merged || superseded) => Ended::Applied { at_ms: held_at_ms },
        Some(at_ms) if merged => Ended::Merged { at_ms },
        _ => Ended::Superseded,
    })
}
