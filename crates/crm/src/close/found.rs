//! Bodies of Close's successful reads: who was found, item by item, and whether a record is there.
//!
//! Never takes a person or a record for absent that may be there, for what is absent is made. The rules are in
//! `interpret`.

use callflume_core::effect::Object;
use callflume_core::vendor::{
    AccountSignal, Found, FoundDeal, Interpretation, Item, ItemOutcome, Operation, Verb,
};
use serde_json::{Map, Value};

use super::build::{BY_SEARCH, skip};
use super::fields::{DEAL_KEY_FIELD, KEY_FIELD, custom};
use super::ids::{Person, Record};
use super::text::marker;
use crate::deals::made_at;
use crate::settings::Settings;
use crate::values::{address, names_in};

/// A contact in an answer, with all its addresses.
struct Seen {
    found: Found,
    emails: Vec<String>,
}

/// The outcomes of a look-up. A page of strangers that isn't the last says nothing: for one who is looked for alone the
/// next is asked for, several go apart first.
pub(crate) fn looked_up(
    settings: &Settings,
    operation: &Operation,
    document: &Map<String, Value>,
) -> Option<Interpretation> {
    let all = seen(settings, document)?;
    let cursor = document.get("cursor").filter(|cursor| !cursor.is_null());
    let mut next = None;
    let items: Vec<ItemOutcome> = operation
        .items
        .iter()
        .map(|item| {
            let matches: Vec<Found> = all
                .iter()
                .filter(|seen| is_for(operation.verb, seen, item))
                .map(|seen| seen.found.clone())
                .collect();
            match (matches.first(), cursor) {
                (None, Some(_)) if operation.items.len() > 1 => Some(ItemOutcome::Split),
                // A page without anybody is the last, whatever it says.
                (None, Some(cursor)) if !data(document)?.is_empty() => {
                    next = Some(cursor.as_str()?.to_owned());
                    Some(ItemOutcome::NotExecuted)
                }
                _ => Some(ItemOutcome::Matches(matches)),
            }
        })
        .collect::<Option<_>>()?;
    Some(fine(items, next))
}

fn is_for(verb: Verb, seen: &Seen, item: &Item) -> bool {
    match verb {
        Verb::ReadByEmail => address(item).is_some_and(|address| seen.emails.contains(&address)),
        Verb::SearchByPhone => item.phone.as_ref().is_some_and(|phone| {
            let mut phones = seen.found.phones.iter();
            phones.any(|typed| phone.matches_typed(typed))
        }),
        _ => seen.found.own_key.as_ref() == Some(&item.key),
    }
}

/// One page of all contacts.
pub(crate) fn listed(
    settings: &Settings,
    operation: &Operation,
    document: &Map<String, Value>,
) -> Option<Interpretation> {
    let next = next_page(operation, document)?;
    let all = seen(settings, document)?;
    let found = all.into_iter().map(|seen| seen.found).collect();
    Some(fine(vec![ItemOutcome::Matches(found)], next))
}

/// One page of the deals that are open. One that hangs on a lead only is nobody's.
pub(crate) fn listed_deals(
    operation: &Operation,
    document: &Map<String, Value>,
) -> Option<Interpretation> {
    let next = next_page(operation, document)?;
    let found: Option<Vec<FoundDeal>> = data(document)?
        .iter()
        .map(|record| {
            let said = |name: &str| record.get(name).and_then(Value::as_str);
            let person = said("lead_id").zip(said("contact_id"));
            Some(FoundDeal {
                crm_id: record_of(Object::Deal, record)?.crm_id(),
                contact: person
                    .and_then(|(lead, contact)| Person::new(lead, contact))
                    .map(Person::id),
                open: true,
                created: made_at(record, "date_created"),
            })
        })
        .collect();
    Some(fine(vec![ItemOutcome::Deals(found?)], next))
}

/// Whether the record of our key is there.
pub(crate) fn probed(
    settings: &Settings,
    operation: &Operation,
    document: &Map<String, Value>,
) -> Option<Interpretation> {
    let item = operation.items.first()?;
    match (operation.object, operation.after.as_deref()) {
        (Object::Contact, Some(BY_SEARCH)) => {
            let all = seen(settings, document)?;
            let found = all
                .into_iter()
                .find(|it| it.found.own_key.as_ref() == Some(&item.key));
            let there = found.map(|seen| seen.found.crm_id);
            Some(fine(vec![there.map_or(ItemOutcome::Gone, done)], None))
        }
        (Object::Contact, _) => probed_events(settings, item, document),
        (object, _) => {
            let next = next_page(operation, document)?;
            let there = data(document)?
                .iter()
                .filter(|record| is_marked(settings, object, record, &item.key))
                .find_map(|record| Some(record_of(object, record)?.crm_id()));
            Some(match (there, next) {
                (Some(crm_id), _) => fine(vec![done(crm_id)], None),
                (None, None) => fine(vec![ItemOutcome::Gone], None),
                (None, next) => fine(vec![ItemOutcome::NotExecuted], next),
            })
        }
    }
}

/// The newest contacts in the event log. Of those that are older, or whose fields the log doesn't show, it says nothing,
/// and a search has to: by the time so many others were made, it has them.
fn probed_events(
    settings: &Settings,
    item: &Item,
    document: &Map<String, Value>,
) -> Option<Interpretation> {
    let name = custom(settings, KEY_FIELD)?;
    let mut all_shown = true;
    for event in data(document)? {
        let Some(fields) = event.get("data").and_then(Value::as_object) else {
            all_shown = false;
            continue;
        };
        if fields.get(&name).and_then(Value::as_str) != Some(&item.key) {
            continue;
        }
        let id = |name: &str| event.get(name).or_else(|| fields.get(name))?.as_str();
        if let Some(person) = id("lead_id")
            .zip(id("object_id").or_else(|| id("id")))
            .and_then(|(lead, contact)| Person::new(lead, contact))
        {
            return Some(fine(vec![done(person.id())], None));
        }
        all_shown = false;
    }
    let more = document
        .get("cursor_next")
        .is_none_or(|cursor| !cursor.is_null());
    Some(if all_shown && !more {
        fine(vec![ItemOutcome::Gone], None)
    } else {
        fine(vec![ItemOutcome::NotExecuted], Some(BY_SEARCH.to_owned()))
    })
}

fn is_marked(settings: &Settings, object: Object, record: &Value, key: &str) -> bool {
    let said = |name: &str| record.get(name).and_then(Value::as_str);
    let marked = |name: &str| said(name).is_some_and(|text| text.contains(&marker(key)));
    match object {
        Object::Deal => {
            custom(settings, DEAL_KEY_FIELD).is_some_and(|name| said(&name) == Some(key))
        }
        Object::Task => marked("text"),
        _ => marked("note"),
    }
}

/// A record in an answer.
pub(crate) fn record_of(object: Object, record: &Value) -> Option<Record<'_>> {
    let said = |name: &str| record.get(name).and_then(Value::as_str);
    Record::new(object, said("contact_id"), said("id")?)
}

/// The records of a listing.
fn data(document: &Map<String, Value>) -> Option<&Vec<Value>> {
    document.get("data")?.as_array()
}

/// The mark of the page after this one; the outer none if the page doesn't say whether there is one.
#[expect(clippy::option_option, reason = "unreadable and last are two things")]
fn next_page(operation: &Operation, document: &Map<String, Value>) -> Option<Option<String>> {
    let records = data(document)?.len();
    match document.get("has_more")?.as_bool()? {
        false => Some(None),
        true if records == 0 => None,
        true => {
            let next = skip(operation.after.as_deref()).saturating_add(records);
            Some(Some(next.to_string()))
        }
    }
}

/// The contacts of a body; one without a lead can hold nothing and is left out.
fn seen(settings: &Settings, document: &Map<String, Value>) -> Option<Vec<Seen>> {
    let name = custom(settings, KEY_FIELD);
    let mut all = Vec::new();
    for record in data(document)? {
        let said = |name: &str| record.get(name).and_then(Value::as_str);
        let id = said("id")?;
        let Some(person) = said("lead_id").and_then(|lead| Person::new(lead, id)) else {
            continue;
        };
        let emails = texts(record, "emails", "email");
        let (first_name, last_name) = names_in(said("name"));
        all.push(Seen {
            found: Found {
                crm_id: person.id(),
                own_key: name
                    .as_deref()
                    .and_then(said)
                    .filter(|key| !key.is_empty())
                    .map(ToOwned::to_owned),
                phones: texts(record, "phones", "phone"),
                email: emails.first().cloned(),
                first_name,
                last_name,
                // Close has none of contacts.
                owner: None,
            },
            emails: emails.iter().map(|it| it.trim().to_lowercase()).collect(),
        });
    }
    Some(all)
}

fn texts(record: &Value, list: &str, name: &str) -> Vec<String> {
    record
        .get(list)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.get(name)?.as_str())
        .filter(|text| !text.is_empty())
        .map(ToOwned::to_owned)
        .collect()
}

const fn done(crm_id: String) -> ItemOutcome {
    ItemOutcome::Done { crm_id }
}

pub(crate) const fn fine(items: Vec<ItemOutcome>, next_page: Option<String>) -> Interpretation {
    Interpretation {
        account: AccountSignal::Fine,
        items,
        next_page,
    }
}
