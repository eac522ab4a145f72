//! Bodies of HubSpot's successes: what was written, item by item. What was found is in `found`.
//!
//! The table is in `interpret`. A body that isn't of the shape its verb has yields nothing here, and the caller then
//! treats the answer as none: a record is never taken as absent or done because an answer could not be read.

use callflume_core::vendor::{AccountSignal, Interpretation, Item, ItemOutcome, Operation, Verb};
use serde_json::{Map, Value};

use super::deals;
use super::found::{listed, read_by_email, read_by_key, searched};
use super::interpret::signal;
use super::properties::KEY_PROPERTY;
use super::refusal::{Refusal, text};

/// The meaning of a 2xx body; none if it isn't of the expected shape.
pub(crate) fn executed(
    operation: &Operation,
    document: &Map<String, Value>,
) -> Option<Interpretation> {
    match operation.verb {
        Verb::ReadByKey => read_by_key(operation, document),
        Verb::Probe => read_by_key(operation, document).map(probed),
        Verb::ReadByEmail => read_by_email(operation, document),
        Verb::SearchByPhone => searched(operation, document),
        Verb::List if deals::is_asked(operation) => deals::read(operation, document),
        Verb::List => listed(operation, document),
        Verb::UpsertByKey | Verb::UpdateById | Verb::UpdateByKey | Verb::Create => {
            written(operation, document)
        }
    }
}

/// What was found by our key, as a probe says it.
pub(crate) fn probed(mut read: Interpretation) -> Interpretation {
    for item in &mut read.items {
        if let ItemOutcome::Matches(found) = item {
            *item = match found.first() {
                Some(found) => ItemOutcome::Done {
                    crm_id: found.crm_id.clone(),
                },
                None => ItemOutcome::Gone,
            };
        }
    }
    read
}

/// The records of a body; none if it isn't one of records.
pub(crate) fn results(document: &Map<String, Value>) -> Option<&Vec<Value>> {
    document.get("results")?.as_array()
}

/// The errors of single inputs.
pub(crate) fn errors(document: &Map<String, Value>) -> impl Iterator<Item = Refusal<'_>> {
    document
        .get("errors")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Refusal::of_item)
}

/// Outcomes of a batch write.
fn written(operation: &Operation, document: &Map<String, Value>) -> Option<Interpretation> {
    let items = operation.items.as_slice();
    let mut done: Vec<Option<String>> = vec![None; items.len()];
    let mut failed: Vec<Option<ItemOutcome>> = vec![None; items.len()];
    let all = results(document)?;
    for record in all {
        let place = place_of_record(items, operation.verb, record, all.len());
        if let (Some(slot), Some(id)) = (
            place.and_then(|place| done.get_mut(place)),
            record.get("id").and_then(text),
        ) {
            *slot = Some(id);
        }
    }
    let mut account = AccountSignal::Fine;
    let mut unnamed = false;
    for refusal in errors(document) {
        if let trouble @ (AccountSignal::ScopeMissing | AccountSignal::Throttled { .. }) =
            signal(refusal.kind(0))
        {
            account = trouble;
        }
        let places = places_of_error(items, operation.verb, refusal);
        unnamed |= places.is_empty();
        for place in places {
            if let Some(slot) = failed.get_mut(place) {
                *slot = Some(refusal.outcome(0));
            }
        }
    }
    let outcomes: Vec<ItemOutcome> = done
        .into_iter()
        .zip(failed)
        .map(|pair| match pair {
            (Some(crm_id), None) => ItemOutcome::Done { crm_id },
            (None, Some(outcome)) => outcome,
            (None, None) if unnamed && items.len() > 1 => ItemOutcome::Split,
            (None, None) | (Some(_), Some(_)) => ItemOutcome::Unknown,
        })
        .collect();
    if !outcomes.is_empty()
        && account == AccountSignal::Fine
        && outcomes
            .iter()
            .all(|outcome| *outcome == ItemOutcome::Unknown)
    {
        account = AccountSignal::Failing;
    }
    Some(Interpretation {
        account,
        items: outcomes,
        next_page: None,
    })
}

/// Which item a written record answers: by its trace, else by what makes it certain.
fn place_of_record(items: &[Item], verb: Verb, record: &Value, records: usize) -> Option<usize> {
    if let Some(trace) = record.get("objectWriteTraceId").and_then(text) {
        return place_of_trace(items, &trace);
    }
    let key = record
        .get("properties")
        .and_then(|properties| properties.get(KEY_PROPERTY)?.as_str());
    if let Some(key) = key {
        return items.iter().position(|item| item.key == key);
    }
    let id = record.get("id").and_then(text)?;
    items
        .iter()
        .position(|item| verb == Verb::UpdateById && item.crm_id.as_ref() == Some(&id))
        .or_else(|| (items.len() == 1 && records == 1).then_some(0))
}

/// Which items an error is about; none if it names none and there are several.
fn places_of_error(items: &[Item], verb: Verb, refusal: Refusal<'_>) -> Vec<usize> {
    let traces = refusal.context("objectWriteTraceId");
    if !traces.is_empty() {
        return traces
            .iter()
            .filter_map(|trace| place_of_trace(items, trace))
            .collect();
    }
    let ids = [refusal.context("ids"), refusal.context("id")].concat();
    let named: Vec<usize> = (0..)
        .zip(items)
        .filter(|(_, item)| {
            let known_as = if verb == Verb::UpdateById {
                item.crm_id.as_ref()
            } else {
                Some(&item.key)
            };
            known_as.is_some_and(|name| ids.contains(name))
        })
        .map(|(place, _)| place)
        .collect();
    if named.is_empty() && items.len() == 1 {
        vec![0]
    } else {
        named
    }
}

fn place_of_trace(items: &[Item], trace: &str) -> Option<usize> {
    let trace: u64 = trace.parse().ok()?;
    items.iter().position(|item| item.trace == trace)
}
