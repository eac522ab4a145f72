//! Bodies of HubSpot's successes: what was found, what was written, item by item.
//!
//! The table is in `interpret`. A body that isn't of the shape its verb has yields nothing here, and the caller then
//! treats the answer as none: a record is never taken as absent or done because an answer could not be read.

use callflume_core::vendor::{
    AccountSignal, Found, Interpretation, Item, ItemOutcome, Operation, Verb,
};
use serde_json::{Map, Value};

use super::interpret::{signal, whole};
use super::properties::KEY_PROPERTY;
use super::refusal::{Kind, Refusal, text};

/// The meaning of a 2xx body; none if it isn't of the expected shape.
pub(crate) fn executed(
    operation: &Operation,
    document: &Map<String, Value>,
) -> Option<Interpretation> {
    match operation.verb {
        Verb::ReadByKey => read_by_key(operation, document),
        Verb::ReadByEmail => {
            let found = found(&Value::Object(document.clone()))?;
            let matches = ItemOutcome::Matches(vec![found]);
            Some(whole(operation, AccountSignal::Fine, matches))
        }
        Verb::SearchByPhone => search(operation, document),
        Verb::List => {
            let page = ItemOutcome::Matches(all_found(document)?);
            let mut meaning = whole(operation, AccountSignal::Fine, page);
            meaning.next_page = document
                .get("paging")
                .and_then(|paging| paging.get("next")?.get("after"))
                .and_then(text);
            Some(meaning)
        }
        Verb::UpsertByKey | Verb::UpdateById | Verb::UpdateByKey | Verb::Create => {
            written(operation, document)
        }
    }
}

fn results(document: &Map<String, Value>) -> Option<&Vec<Value>> {
    document.get("results")?.as_array()
}

fn errors(document: &Map<String, Value>) -> impl Iterator<Item = Refusal<'_>> {
    document
        .get("errors")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Refusal::of_item)
}

fn all_found(document: &Map<String, Value>) -> Option<Vec<Found>> {
    results(document)?.iter().map(found).collect()
}

fn found(record: &Value) -> Option<Found> {
    let crm_id = record.get("id").and_then(text)?;
    let property = |name: &str| {
        record
            .get("properties")
            .and_then(|properties| properties.get(name)?.as_str())
            .filter(|value| !value.is_empty())
            .map(ToOwned::to_owned)
    };
    Some(Found {
        crm_id,
        own_key: property(KEY_PROPERTY),
        phones: ["phone", "mobilephone"]
            .into_iter()
            .filter_map(property)
            .collect(),
        email: property("email"),
    })
}

fn read_by_key(operation: &Operation, document: &Map<String, Value>) -> Option<Interpretation> {
    let mut all = all_found(document)?;
    // Without our key in the answer only a lone item can be told.
    if let ([item], [only]) = (operation.items.as_slice(), all.as_mut_slice()) {
        only.own_key.get_or_insert_with(|| item.key.clone());
    }
    let stranger = all.iter().any(|found| {
        operation
            .items
            .iter()
            .all(|item| found.own_key.as_ref() != Some(&item.key))
    });
    let mut account = AccountSignal::Fine;
    let mut absent = ItemOutcome::Matches(Vec::new());
    if stranger {
        account = AccountSignal::Failing;
        absent = ItemOutcome::NotExecuted;
    }
    for refusal in errors(document) {
        let kind = refusal.kind(0);
        if kind != Kind::NotFound {
            absent = ItemOutcome::NotExecuted;
            account = match signal(kind) {
                AccountSignal::Fine => AccountSignal::Failing,
                other => other,
            };
        }
    }
    let items = operation
        .items
        .iter()
        .map(|item| {
            let matches: Vec<Found> = all
                .iter()
                .filter(|found| found.own_key.as_ref() == Some(&item.key))
                .cloned()
                .collect();
            if matches.is_empty() {
                absent.clone()
            } else {
                ItemOutcome::Matches(matches)
            }
        })
        .collect();
    Some(Interpretation {
        account,
        items,
        next_page: None,
    })
}

fn search(operation: &Operation, document: &Map<String, Value>) -> Option<Interpretation> {
    let all = all_found(document)?;
    let total = document.get("total").and_then(Value::as_u64).unwrap_or(0);
    let shared_and_cut = total > all.len() as u64 && operation.items.len() > 1;
    let items = operation
        .items
        .iter()
        .map(|item| {
            let matches: Vec<Found> = all
                .iter()
                .filter(|found| {
                    item.phone.as_ref().is_some_and(|phone| {
                        found.phones.iter().any(|typed| phone.matches_typed(typed))
                    })
                })
                .cloned()
                .collect();
            if matches.is_empty() && shared_and_cut {
                ItemOutcome::Split
            } else {
                ItemOutcome::Matches(matches)
            }
        })
        .collect();
    Some(Interpretation {
        account: AccountSignal::Fine,
        items,
        next_page: None,
    })
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
