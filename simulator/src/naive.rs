//! What the same events would cost an integration that writes each thing for itself, as it happens.
//!
//! It looks the person up once per call, creates who isn't there, writes every record with a request of its own, links it
//! to the person with another where the CRM's own examples do so (HubSpot), and logs a call in Pipedrive as an activity, a
//! call log and a note. It has no batches, merges nothing, and remembers a record's id while the call lasts. It is counted,
//! not run: without retries, and as if no request were ever refused.
//!
//! Sources: requests per call of published integrations; prices from Pipedrive's page "Rate limiting", autumn 2026.

use std::collections::BTreeSet;

use callflume_core::effect::Object;

use crate::oracle::Cost;
use crate::traffic::{Expectation, Plan};

/// One thing that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Find the person by number.
    LookUp,
    /// Create the person.
    Person,
    /// Change a person's fields.
    PersonFields,
    /// Create a record and link it.
    Record(Object),
    /// Change a record's fields.
    RecordFields,
}

/// What a step costs: requests, and tokens where the CRM has a price per operation.
const fn price(vendor: &str, step: Step) -> Cost {
    let (requests, tokens) = match vendor.as_bytes() {
        b"pipedrive" => match step {
            Step::LookUp => (1, 20),
            Step::Person | Step::PersonFields | Step::RecordFields => (1, 5),
            // Activity 5, call log 10, note 10.
            Step::Record(Object::Call) => (3, 25),
            Step::Record(Object::Note) => (1, 10),
            Step::Record(Object::Task | Object::Deal | Object::Contact) => (1, 5),
        },
        b"hubspot" => match step {
            Step::Record(_) => (2, 0),
            _ => (1, 0),
        },
        _ => (1, 0),
    };
    Cost { requests, tokens }
}

/// What a plan's events would cost in this CRM.
pub fn cost(vendor: &str, plan: &Plan) -> Cost {
    let mut made: BTreeSet<String> = BTreeSet::new();
    let mut looked_up: BTreeSet<&str> = BTreeSet::new();
    let mut total = Cost::default();
    for planned in plan.all() {
        let event = &planned.event;
        if looked_up.insert(&event.call_id) {
            total += price(vendor, Step::LookUp);
        }
        // The backlog is about people who are there.
        let known = planned
            .call_index
            .and_then(|index| plan.calls.get(index))
            .is_none_or(|call| call.known);
        if !known && made.insert(event.contact.own_key().unwrap_or_default()) {
            total += price(vendor, Step::Person);
        }
        for expected in &planned.expect {
            match expected {
                Expectation::Person => {}
                Expectation::PersonFields(_) => total += price(vendor, Step::PersonFields),
                Expectation::Record { object, .. } => {
                    total += price(vendor, Step::Record(*object));
                }
                Expectation::RecordFields { .. } => total += price(vendor, Step::RecordFields),
            }
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_callers_call_with_a_note_costs_what_published_integrations_spend() {
        // Search, person, call and link, note and link: 5 to 6 requests; 20 + 5 + 25 + 10 tokens.
        let steps = [
            Step::LookUp,
            Step::Person,
            Step::Record(Object::Call),
            Step::Record(Object::Note),
        ];
        for (vendor, requests, tokens) in [
            ("hubspot", 6, 0),
            ("salesforce", 4, 0),
            ("close", 4, 0),
            ("pipedrive", 6, 60),
        ] {
            let costs = steps.map(|step| price(vendor, step));
            let sum = |part: fn(&Cost) -> u64| costs.iter().map(part).sum::<u64>();
            assert_eq!(sum(|cost| cost.requests), requests, "{vendor}");
            assert_eq!(sum(|cost| cost.tokens), tokens, "{vendor}");
        }
    }
}
