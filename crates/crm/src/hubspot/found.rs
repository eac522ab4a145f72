//! Bodies of HubSpot's successful reads: who was found, item by item.
//!
//! Never takes a person for absent who may be there, for an absent one is created. The rules are in `interpret`.

use std::collections::BTreeSet;

use callflume_core::vendor::{AccountSignal, Found, Interpretation, Item, ItemOutcome, Operation};
use serde_json::{Map, Value};

use super::executed::{errors, results};
use super::interpret::{signal, whole};
use super::properties::KEY_PROPERTY;
use super::refusal::{Kind, Refusal, text};
use crate::values::address;

pub(crate) fn listed(
    operation: &Operation,
    document: &Map<String, Value>,
) -> Option<Interpretation> {
    let page = ItemOutcome::Matches(all_found(document)?);
    let mut meaning = whole(operation, AccountSignal::Fine, page);
    meaning.next_page = next_page(document);
    Some(meaning)
}

pub(crate) fn read_by_key(
    operation: &Operation,
    document: &Map<String, Value>,
) -> Option<Interpretation> {
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
            account = trouble(kind);
        }
    }
    let items = each(operation, &all, |found, item| {
        found.own_key.as_ref() == Some(&item.key)
    });
    Some(answered(account, items, |_| absent.clone()))
}

pub(crate) fn read_by_email(
    operation: &Operation,
    document: &Map<String, Value>,
) -> Option<Interpretation> {
    let all = all_found(document)?;
    let asked: BTreeSet<String> = operation.items.iter().filter_map(address).collect();
    let alone = asked.len() <= 1;
    let failures: Vec<Failure<'_>> = errors(document).map(Failure::of).collect();
    let account = failures
        .iter()
        .map(|failure| failure.kind)
        .find(|kind| !matches!(kind, Kind::NotFound | Kind::Invalid))
        .map_or(AccountSignal::Fine, trouble);
    let items = each(operation, &all, |found, item| {
        // What was found for a lone address is its, under whichever address HubSpot shows it.
        alone || found.email.as_deref().map(str::to_lowercase) == address(item)
    });
    Some(answered(account, items, |item| {
        let address = address(item).unwrap_or_default();
        let named = failures.iter().find(|it| it.ids.contains(&address));
        // An error that names nobody may be about anyone, but of "not found" only the names count.
        let unnamed = failures
            .iter()
            .find(|it| it.ids.is_empty() && it.kind != Kind::NotFound);
        match (named, unnamed) {
            (Some(failure), _) => failure.outcome(),
            (None, Some(failure)) if alone || failure.kind != Kind::Invalid => failure.outcome(),
            (None, Some(_)) => ItemOutcome::Split,
            (None, None) if alone || all.is_empty() => ItemOutcome::Matches(Vec::new()),
            (None, None) => ItemOutcome::Split,
        }
    }))
}

pub(crate) fn searched(
    operation: &Operation,
    document: &Map<String, Value>,
) -> Option<Interpretation> {
    let all = all_found(document)?;
    let total = document.get("total").and_then(Value::as_u64).unwrap_or(0);
    let before: u64 = operation
        .after
        .as_deref()
        .and_then(|mark| mark.parse().ok())
        .unwrap_or(0);
    let next = next_page(document);
    let cut = next.is_some() || total > before.saturating_add(all.len() as u64);
    let shared = operation.items.len() > 1;
    // A page without anybody is the last, whatever it says.
    let next = next.filter(|_| !shared && !all.is_empty());
    let items = each(operation, &all, |found, item| {
        item.phone
            .as_ref()
            .is_some_and(|phone| found.phones.iter().any(|typed| phone.matches_typed(typed)))
    });
    let mut meaning = answered(AccountSignal::Fine, items, |_| match &next {
        Some(_) => ItemOutcome::NotExecuted,
        None if cut && shared => ItemOutcome::Split,
        // More than these, but no way on.
        None if cut && !all.is_empty() => ItemOutcome::Unknown,
        None => ItemOutcome::Matches(Vec::new()),
    });
    let over = meaning.items != [ItemOutcome::NotExecuted];
    meaning.next_page = next.filter(|_| !over);
    Some(meaning)
}

fn next_page(document: &Map<String, Value>) -> Option<String> {
    let paging = document.get("paging")?;
    paging.get("next")?.get("after").and_then(text)
}

/// An error of a batch read by e-mail.
struct Failure<'a> {
    refusal: Refusal<'a>,
    kind: Kind,
    /// The addresses it names, in lower case.
    ids: Vec<String>,
}

impl<'a> Failure<'a> {
    fn of(refusal: Refusal<'a>) -> Self {
        let ids = [refusal.context("ids"), refusal.context("id")].concat();
        Self {
            refusal,
            kind: refusal.kind(0),
            ids: ids.iter().map(|id| id.trim().to_lowercase()).collect(),
        }
    }

    /// What it means for an address that it is about.
    fn outcome(&self) -> ItemOutcome {
        match self.kind {
            Kind::NotFound => ItemOutcome::Matches(Vec::new()),
            Kind::Invalid => self.refusal.outcome(0),
            Kind::Unprepared | Kind::Scope | Kind::Throttled | Kind::Conflict | Kind::Internal => {
                ItemOutcome::NotExecuted
            }
        }
    }
}

/// What an error within a read says about the account: one that blames no record means that HubSpot is failing.
pub(crate) const fn trouble(kind: Kind) -> AccountSignal {
    match signal(kind) {
        AccountSignal::Fine => AccountSignal::Failing,
        other => other,
    }
}

/// Every item with those that were found for it.
fn each<'a>(
    operation: &'a Operation,
    all: &[Found],
    is_for: impl Fn(&Found, &Item) -> bool,
) -> Vec<(&'a Item, Vec<Found>)> {
    let matches = |item| {
        all.iter()
            .filter(|found| is_for(found, item))
            .cloned()
            .collect()
    };
    operation
        .items
        .iter()
        .map(|item| (item, matches(item)))
        .collect()
}

fn answered(
    account: AccountSignal,
    items: Vec<(&Item, Vec<Found>)>,
    without_match: impl Fn(&Item) -> ItemOutcome,
) -> Interpretation {
    let items = items
        .into_iter()
        .map(|(item, matches)| {
            if matches.is_empty() {
                without_match(item)
            } else {
                ItemOutcome::Matches(matches)
            }
        })
        .collect();
    Interpretation {
        account,
        items,
        next_page: None,
    }
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
        first_name: property("firstname"),
        last_name: property("lastname"),
        owner: property("hubspot_owner_id"),
    })
}
