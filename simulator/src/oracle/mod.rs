//! The oracle: what was lost, doubled, reordered or sent above the limit in a run.
//!
//! Reads only what the publisher was told and what the CRM holds and recorded ([`Holdings`], whichever CRM it is); never
//! what a worker says of itself.
//! Invariants: only an acknowledged event can be lost, but any published one explains what the CRM holds; each effect
//! has exactly one end; one planted defect gives exactly one count. No finding repeats a value of an event.
//!
//! | count | meaning |
//! | --- | --- |
//! | applied | a write carried it, or it was a person who must exist and does |
//! | merged | a newer value of the same field and lane took its place |
//! | superseded | a newer value of the other lane took its place, or the same value stood there already |
//! | dead | not in the CRM, and a dead letter says so |
//! | lost | acknowledged, and none of the above |
//! | doubled | further records with the same mark |
//! | persons doubled | further contacts with the same number |
//! | reordered | an older value written over a newer one of the same field; a record made before one that a publisher had seen acknowledged earlier (same contact and lane) |

mod crm_state;
mod effects;
mod findings;
mod order;
mod slots;
mod spend;

use std::collections::{BTreeMap, BTreeSet};

use callflume_core::event::EventId;
use callflume_core::lane::Lane;
use hdrhistogram::Histogram;

use crate::holdings::Holdings;
use crate::traffic::Plan;
use crm_state::CrmState;
use effects::{Ended, Ends};
use findings::Findings;
pub use findings::{DETAILS_MAX, Defect, Finding};
pub use spend::{Cost, Spend};

/// What the publisher was told about one publication of a planned event. An event published twice has two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// [`crate::traffic::PlannedEvent::index`].
    pub index: usize,
    /// The answer.
    pub outcome: PublishOutcome,
}

/// What a publisher can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublishOutcome {
    /// Acknowledged as new.
    Stored {
        /// When, milliseconds since the start of the run (negative before it).
        at_ms: i64,
    },
    /// Acknowledged as stored before.
    Duplicate,
    /// Refused: it is not stored.
    Failed,
    /// Nobody knows: no answer in time.
    Unknown,
}

/// What became of the effects of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EffectCounts {
    /// Effects of acknowledged events.
    pub expected: u64,
    /// See the table of [the module](self).
    pub applied: u64,
    /// See the table.
    pub merged: u64,
    /// See the table.
    pub superseded: u64,
    /// See the table.
    pub lost: u64,
    /// See the table.
    pub doubled: u64,
    /// See the table.
    pub persons_doubled: u64,
    /// See the table.
    pub reordered: u64,
    /// See the table.
    pub dead: u64,
}

/// Ages of effects when the CRM held them, milliseconds since the planned instant. The backlog, effects that a newer one
/// took the place of before they happened, and persons who were there have none.
#[derive(Debug, Clone, PartialEq)]
pub struct Ages {
    /// Operational.
    pub op: Histogram<u64>,
    /// Enrichment.
    pub en: Histogram<u64>,
}

/// The oracle's judgement of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// Events of the plan.
    pub events_planned: u64,
    /// Events acknowledged at least once.
    pub events_acked: u64,
    /// What became of their effects.
    pub effects: EffectCounts,
    /// Ages by lane.
    pub ages: Ages,
    /// When the last effect of the backlog stood in the CRM, milliseconds since the start; none without a backlog.
    pub backlog_done_ms: Option<i64>,
    /// Requests the CRM saw.
    pub requests: u64,
    /// Requests answered 429, whatever the reason.
    pub throttled: u64,
    /// Requests that met a full window.
    pub over_limit: u64,
    /// On what requests were spent.
    pub spend: Spend,
    /// The first [`DETAILS_MAX`] findings.
    pub details: Vec<Finding>,
    /// Findings in all.
    pub findings: u64,
}

impl Judgement {
    /// Effects the CRM holds per request it saw; 0 without requests.
    pub fn writes_per_request(&self) -> f64 {
        if self.requests == 0 {
            0.0
        } else {
            (self.effects.applied + self.effects.merged) as f64 / self.requests as f64
        }
    }

    /// Events that nobody acknowledged.
    pub fn events_unacked(&self) -> u64 {
        self.events_planned - self.events_acked
    }
}

/// When each event was acknowledged, by its index; `None` inside for a duplicate whose first answer was lost.
pub(crate) type Acked = BTreeMap<usize, Option<i64>>;

/// Judges a run that has been drained.
///
/// `dead` are the ids of events with a dead letter.
pub fn judge(
    plan: &Plan,
    published: &[Published],
    crm: &dyn Holdings,
    dead: &BTreeSet<EventId>,
) -> Judgement {
    let mut acked = Acked::new();
    for told in published {
        match told.outcome {
            PublishOutcome::Stored { at_ms } => {
                let at = acked.entry(told.index).or_insert(Some(at_ms));
                *at = Some(at.map_or(at_ms, |held| held.min(at_ms)));
            }
            PublishOutcome::Duplicate => {
                acked.entry(told.index).or_insert(None);
            }
            PublishOutcome::Failed | PublishOutcome::Unknown => {}
        }
    }
    acked.retain(|index, _| plan.get(*index).is_some());
    let state = CrmState::read(crm);
    let mut findings = Findings::default();
    let ends = effects::ends(plan, &acked, &state, dead, &mut findings);
    let mut judgement = tally(plan, &ends);
    judgement.events_acked = acked.len() as u64;
    judgement.effects.doubled = state.doubled(plan, &mut findings);
    judgement.effects.persons_doubled = state.persons_doubled(&mut findings);
    judgement.effects.reordered = order::reordered(plan, &acked, &state, &ends, &mut findings);
    judgement.spend = spend::spend(plan, &state, &ends.slots);
    for arrival in crm.arrivals() {
        judgement.requests += 1;
        judgement.throttled += u64::from(arrival.throttled);
        if arrival.over_limit {
            judgement.over_limit += 1;
            findings.add(
                Defect::OverLimit,
                None,
                format!(
                    "request {} at {} ms of the run met a full window",
                    arrival.request_no,
                    arrival.at_ms - plan.start_ms
                ),
            );
        }
    }
    (judgement.details, judgement.findings) = findings.finish();
    judgement
}

fn tally(plan: &Plan, ends: &Ends<'_>) -> Judgement {
    let mut judgement = Judgement {
        events_planned: plan.len() as u64,
        events_acked: 0,
        effects: EffectCounts::default(),
        ages: Ages {
            op: histogram(),
            en: histogram(),
        },
        backlog_done_ms: None,
        requests: 0,
        throttled: 0,
        over_limit: 0,
        spend: Spend::default(),
        details: Vec::new(),
        findings: 0,
    };
    let counts = &mut judgement.effects;
    for (index, end) in &ends.effects {
        counts.expected += 1;
        let count = match end {
            Ended::Applied { .. } => &mut counts.applied,
            Ended::Merged { .. } => &mut counts.merged,
            Ended::Superseded => &mut counts.superseded,
            Ended::Dead => &mut counts.dead,
            Ended::Lost => &mut counts.lost,
        };
        *count += 1;
        let (Some(event), Some(held_at_ms)) = (plan.get(*index), end.held_at_ms()) else {
            continue;
        };
        if event.call_index.is_none() {
            let done_ms = held_at_ms - plan.start_ms;
            judgement.backlog_done_ms = Some(
                judgement
                    .backlog_done_ms
                    .map_or(done_ms, |last| last.max(done_ms)),
            );
            continue;
        }
        let age_ms = (held_at_ms - plan.start_ms - event.at_ms).max(0) as u64;
        let ages = match event.lane {
            Lane::Op => &mut judgement.ages.op,
            Lane::En => &mut judgement.ages.en,
        };
        ages.saturating_record(age_ms);
    }
    judgement
}

/// Up to a day, three digits. A histogram that grows by itself would not do: `saturating_record` never grows it.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 86_400_000, 3)
        .expect("one millisecond to a day with three digits is what the histogram takes")
}
