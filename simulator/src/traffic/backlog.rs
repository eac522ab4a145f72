//! Enrichment that waits when a run starts: about contacts the CRM knows, happened in the hour before.

use callflume_core::account::AccountId;
use callflume_core::effect::{Field, Value};
use callflume_core::event::ContactRef;
use callflume_core::lane::Lane;
use rand::Rng;
use serde_json::json;

use super::content::note;
use super::events::{Marks, Told, planned};
use super::plan::PlannedEvent;
use super::{Concern, Expectation, SEGMENT, TOPIC, stream};
use crate::scenario::Scenario;

/// The hour before the run, up to its last second.
const HAPPENED_MS: std::ops::Range<i64> = -3_600_000..-1_000;

/// The waiting events, in the order drawn.
pub(super) fn events(
    scenario: &Scenario,
    account: &AccountId,
    start_ms: i64,
    known: &[ContactRef],
    marks: &mut Marks,
) -> Vec<PlannedEvent> {
    if known.is_empty() {
        return Vec::new();
    }
    let mut draw = stream(scenario.seed, Concern::Backlog);
    (0..scenario.backlog.enrichment)
        .map(|_| {
            let contact = &known[draw.random_range(0..known.len())];
            let at_ms = draw.random_range(HAPPENED_MS);
            let mark = marks.next();
            let told = if draw.random_bool(0.4) {
                note(at_ms, &mark, "Imported from the former telephone system.")
            } else {
                // A part of them is about what calls write too: by then an older value.
                let property = if draw.random_bool(0.3) {
                    TOPIC
                } else {
                    SEGMENT
                };
                let value = format!("imported {mark}");
                Told {
                    at_ms,
                    kind: "contact_enriched",
                    lane: Lane::En,
                    body: [("properties".to_owned(), json!({ property: value }))].into(),
                    expect: vec![Expectation::PersonFields(vec![(
                        Field::Custom(property.to_owned()),
                        Value::Text(value),
                    )])],
                }
            };
            planned(told, account, start_ms, marks.next(), contact, None)
        })
        .collect()
}
