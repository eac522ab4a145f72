//! Bodies of Salesforce's successful queries: who was found, item by item.
//!
//! Never takes a person for absent who may be there, for an absent one is created. The rules are in `interpret`.

use callflume_core::vendor::{Found, Item, ItemOutcome, Operation, Verb};
use serde_json::Value;

use super::fields::key_field;
use super::paths::is_id;
use super::soql::PAGE;
use crate::settings::Settings;
use crate::values::address;

/// What a query found.
pub(crate) struct Page {
    found: Vec<Found>,
    /// Whether there may be more than these.
    more: bool,
}

impl Page {
    /// The body of a query's answer; none if it isn't one.
    pub(crate) fn of(settings: &Settings, operation: &Operation, body: &Value) -> Option<Self> {
        let records = body.get("records")?.as_array()?;
        let done = body.get("done")?.as_bool()?;
        let key_name = key_field(settings, operation.object);
        let found: Option<Vec<Found>> = records
            .iter()
            .map(|record| found(key_name, record))
            .collect();
        Some(Self {
            more: !done || records.len() >= PAGE,
            found: found?,
        })
    }

    /// For a listing: everybody on the page, and where the next one starts.
    pub(crate) fn listed(self) -> (ItemOutcome, Option<String>) {
        let next = self.next();
        (ItemOutcome::Matches(self.found), next)
    }

    /// The mark of the page after this one.
    fn next(&self) -> Option<String> {
        let last = self.found.last().map(|found| found.crm_id.clone());
        last.filter(|_| self.more)
    }

    /// The outcomes of the items that were asked for, and where a search of one number goes on.
    pub(crate) fn looked_up(
        &self,
        verb: Verb,
        items: &[&Item],
    ) -> (Vec<ItemOutcome>, Option<String>) {
        let outcomes = self.outcomes(verb, items);
        // Only a search finds strangers. A page without anybody is the last, whatever it says.
        match (verb, outcomes.as_slice(), self.next()) {
            (Verb::SearchByPhone, [ItemOutcome::Matches(found)], Some(next))
                if found.is_empty() =>
            {
                (vec![ItemOutcome::NotExecuted], Some(next))
            }
            _ => (outcomes, None),
        }
    }

    fn outcomes(&self, verb: Verb, items: &[&Item]) -> Vec<ItemOutcome> {
        let alone = items.len() == 1;
        let is_for = |found: &Found, item: &Item| match verb {
            Verb::SearchByPhone => item
                .phone
                .as_ref()
                .is_some_and(|phone| found.phones.iter().any(|typed| phone.matches_typed(typed))),
            // What was found for a lone key or address is its, however it is spelled.
            _ if alone => true,
            Verb::ReadByEmail => found.email.as_deref().map(str::to_lowercase) == address(item),
            _ => found
                .own_key
                .as_ref()
                .is_some_and(|key| key.eq_ignore_ascii_case(&item.key)),
        };
        let stranger = verb != Verb::SearchByPhone
            && self
                .found
                .iter()
                .any(|found| !items.iter().any(|item| is_for(found, item)));
        items
            .iter()
            .map(|item| {
                let matches: Vec<Found> = self
                    .found
                    .iter()
                    .filter(|found| is_for(found, item))
                    .cloned()
                    .collect();
                match (verb, matches.first()) {
                    (Verb::Probe, Some(found)) => ItemOutcome::Done {
                        crm_id: found.crm_id.clone(),
                    },
                    (_, None) if !alone && (stranger || self.more) => ItemOutcome::Split,
                    (Verb::Probe, None) => ItemOutcome::Gone,
                    _ => ItemOutcome::Matches(matches),
                }
            })
            .collect()
    }
}

fn found(key_name: &str, record: &Value) -> Option<Found> {
    let record = record.as_object()?;
    let field = |name: &str| {
        record
            .iter()
            .find(|(it, _)| it.eq_ignore_ascii_case(name))
            .and_then(|(_, value)| value.as_str())
            .map(str::trim)
            .filter(|value| !value.is_empty())
            .map(ToOwned::to_owned)
    };
    Some(Found {
        crm_id: field("Id").filter(|id| is_id(id))?,
        own_key: field(key_name),
        phones: ["Phone", "MobilePhone"]
            .into_iter()
            .filter_map(field)
            .collect(),
        email: field("Email"),
        first_name: field("FirstName"),
        last_name: field("LastName"),
        owner: field("OwnerId"),
    })
}
