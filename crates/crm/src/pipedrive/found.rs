//! Bodies of Pipedrive's successes: what was written, who was found, what a page holds.
//!
//! A body that isn't of its verb's shape yields nothing here, and the caller then treats the answer as none: nothing is
//! taken as done or absent because an answer could not be read. The rules for absence are in `interpret`.

use callflume_core::effect::Object;
use callflume_core::vendor::{Found, FoundDeal, Item, ItemOutcome, Operation, Verb};
use serde_json::{Map, Value};

use super::build::PAGE;
use super::fields::{CONTACT_KEY, DEAL_KEY};
use super::texts::{carries, key_in};
use crate::deals::made_at;
use crate::instants::rfc3339_ms;
use crate::settings::Settings;
use crate::values::{address, names_in};

/// How far back, milliseconds, the newest persons must reach for one that isn't among them to be absent: longer than the
/// search index lags, in which a person made earlier was looked for before. More than [`PAGE`] new persons in this time
/// are more than one page shows.
pub(crate) const PROBE_REACH_MS: i64 = 15 * 60_000;

/// The outcome of a read or write, and the next page's mark: of a listing, and of a look-up that isn't over.
pub(crate) struct Success {
    pub(crate) outcome: ItemOutcome,
    pub(crate) next: Option<String>,
}

/// The meaning of a body that says `success`; none if it isn't of the expected shape. `sent_at_ms` is the answer's date.
pub(crate) fn read(
    settings: &Settings,
    operation: &Operation,
    document: &Map<String, Value>,
    sent_at_ms: Option<i64>,
) -> Option<Success> {
    let only = |outcome| {
        Some(Success {
            outcome,
            next: None,
        })
    };
    let item = operation.items.first();
    match operation.verb {
        Verb::UpsertByKey | Verb::Create | Verb::UpdateById | Verb::UpdateByKey => {
            only(written(operation.verb, document)?)
        }
        Verb::ReadByKey | Verb::ReadByEmail | Verb::SearchByPhone => {
            searched(operation.verb, item?, document)
        }
        Verb::Probe => {
            let page = Page::of(operation.object, document)?;
            only(probed(settings, operation.object, item?, &page, sent_at_ms))
        }
        Verb::List if operation.object == Object::Deal => {
            let page = Page::of(operation.object, document)?;
            let living = page.records.iter().filter(|record| living(record));
            let found: Option<Vec<FoundDeal>> = living.map(open_deal).collect();
            Some(Success {
                outcome: ItemOutcome::Deals(found?),
                next: page.next,
            })
        }
        Verb::List => {
            let page = Page::of(operation.object, document)?;
            let living = page.records.iter().filter(|record| living(record));
            let found: Option<Vec<Found>> = living
                .map(|record| listed(settings, operation.object, record))
                .collect();
            Some(Success {
                outcome: ItemOutcome::Matches(found?),
                next: page.next,
            })
        }
    }
}

fn written(verb: Verb, document: &Map<String, Value>) -> Option<ItemOutcome> {
    let record = document.get("data")?;
    let crm_id = record.get("id").and_then(text)?;
    // A deleted record may still be read and written for a while; nobody sees it.
    if verb == Verb::UpdateById && !living(record) {
        return Some(ItemOutcome::Gone);
    }
    Some(ItemOutcome::Done { crm_id })
}

/// Who of a page is asked for. A page of strangers that isn't the last says nothing: the next one may. One without
/// anybody is the last, whatever it says.
fn searched(verb: Verb, item: &Item, document: &Map<String, Value>) -> Option<Success> {
    let items = document.get("data")?.get("items")?.as_array()?;
    let found: Option<Vec<Found>> = items.iter().map(|entry| hit(verb, item, entry)).collect();
    let mut found = found?;
    let all = found.len();
    found.retain(|found| match verb {
        Verb::ReadByKey => found.own_key.is_some(),
        Verb::ReadByEmail => found.email == address(item),
        _ => item
            .phone
            .as_ref()
            .is_some_and(|phone| found.phones.iter().any(|typed| phone.matches_typed(typed))),
    });
    let next = cursor(document).filter(|_| found.is_empty() && all > 0);
    let outcome = match next {
        Some(_) => ItemOutcome::NotExecuted,
        None => ItemOutcome::Matches(found),
    };
    Some(Success { outcome, next })
}

/// One person of a search's answer. What the answer leaves out is taken as what was asked for: the search compares exactly.
fn hit(verb: Verb, item: &Item, entry: &Value) -> Option<Found> {
    let person = entry.get("item")?;
    let crm_id = person.get("id").and_then(text)?;
    let strings = |name: &str| -> Vec<String> {
        person
            .get(name)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(text)
            .collect()
    };
    let custom = strings("custom_fields");
    let stamped = custom.contains(&item.key) || (verb == Verb::ReadByKey && custom.is_empty());
    let emails = strings("emails");
    let asked = address(item);
    let same = emails
        .iter()
        .find(|email| Some(email.trim().to_lowercase()) == asked);
    let email = match (verb, same) {
        (Verb::ReadByEmail, Some(_)) => asked,
        (Verb::ReadByEmail, None) if emails.is_empty() => asked,
        _ => emails.first().cloned(),
    };
    let (first_name, last_name) = names_in(person.get("name").and_then(Value::as_str));
    Some(Found {
        crm_id,
        own_key: stamped.then(|| item.key.clone()),
        phones: strings("phones"),
        email,
        first_name,
        last_name,
        owner: person
            .get("owner")
            .and_then(|owner| owner.get("id"))
            .and_then(text),
    })
}

fn probed(
    settings: &Settings,
    object: Object,
    item: &Item,
    page: &Page<'_>,
    sent_at_ms: Option<i64>,
) -> ItemOutcome {
    let ours = page
        .records
        .iter()
        .filter(|record| living(record) && is_ours(settings, object, item, record))
        .filter_map(|record| record.get("id").and_then(text))
        // The oldest, should there be several: always the same, whoever asks.
        .min_by_key(|id| (id.len(), id.clone()));
    match ours {
        Some(crm_id) => ItemOutcome::Done { crm_id },
        None if !page.more || (object == Object::Contact && page.reaches_back(sent_at_ms)) => {
            ItemOutcome::Gone
        }
        None => ItemOutcome::Unknown,
    }
}

fn is_ours(settings: &Settings, object: Object, item: &Item, record: &Value) -> bool {
    match object {
        Object::Contact => custom_value(settings, CONTACT_KEY, record) == Some(&item.key),
        Object::Deal => custom_value(settings, DEAL_KEY, record) == Some(&item.key),
        Object::Call | Object::Task => {
            html(record, "note").is_some_and(|it| carries(it, &item.key))
        }
        Object::Note => html(record, "content").is_some_and(|it| carries(it, &item.key)),
    }
}

fn listed(settings: &Settings, object: Object, record: &Value) -> Option<Found> {
    let crm_id = record.get("id").and_then(text)?;
    let own_key = match object {
        Object::Contact => custom_value(settings, CONTACT_KEY, record),
        Object::Deal => custom_value(settings, DEAL_KEY, record),
        Object::Call | Object::Task => html(record, "note").and_then(key_in),
        Object::Note => html(record, "content").and_then(key_in),
    };
    let emails = entries(record, "emails");
    let email = emails
        .iter()
        .find(|(_, primary)| *primary)
        .or_else(|| emails.first());
    let (first_name, last_name) = names_in(record.get("name").and_then(Value::as_str));
    Some(Found {
        crm_id,
        own_key: own_key.map(ToOwned::to_owned),
        phones: entries(record, "phones")
            .into_iter()
            .map(|(value, _)| value)
            .collect(),
        email: email.map(|(value, _)| value.clone()),
        first_name,
        last_name,
        owner: record.get("owner_id").and_then(text),
    })
}

/// A deal of a listing of open ones; of one that belongs to nobody only that.
fn open_deal(record: &Value) -> Option<FoundDeal> {
    let status = record.get("status").and_then(Value::as_str);
    Some(FoundDeal {
        crm_id: record.get("id").and_then(text)?,
        contact: record.get("person_id").and_then(text),
        open: status.is_none_or(|status| status == "open"),
        created: made_at(record, "add_time"),
    })
}

/// Values of a list of phones or e-mails, and whether each is the primary one.
fn entries(record: &Value, name: &str) -> Vec<(String, bool)> {
    record
        .get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let value = entry.get("value")?.as_str()?.trim();
            let primary = entry.get("primary").and_then(Value::as_bool) == Some(true);
            (!value.is_empty()).then(|| (value.to_owned(), primary))
        })
        .collect()
}

fn custom_value<'a>(settings: &Settings, name: &str, record: &'a Value) -> Option<&'a str> {
    let key = settings.custom_field(name)?;
    let value = record.get("custom_fields")?.get(key)?.as_str()?;
    (!value.is_empty()).then_some(value)
}

fn html<'a>(record: &'a Value, name: &str) -> Option<&'a str> {
    record.get(name)?.as_str()
}

/// Whether a record isn't deleted, in either version's words.
fn living(record: &Value) -> bool {
    let said = |name: &str| record.get(name).and_then(Value::as_bool);
    said("is_deleted") != Some(true) && said("active_flag") != Some(false)
}

/// A page of a listing.
struct Page<'a> {
    records: &'a [Value],
    /// Whether it may not be the last.
    more: bool,
    /// The next page's mark.
    next: Option<String>,
}

impl<'a> Page<'a> {
    fn of(object: Object, document: &'a Map<String, Value>) -> Option<Self> {
        let older = object == Object::Note;
        let records: &[Value] = match document.get("data")? {
            Value::Array(records) => records,
            // v1 says so when there are none.
            Value::Null if older => &[],
            _ => return None,
        };
        let next = if older {
            next_start(document)
        } else {
            cursor(document)
        };
        let said = document
            .get("additional_data")
            .and_then(|data| data.get(if older { "pagination" } else { "next_cursor" }))
            .is_some();
        Some(Self {
            records,
            more: next.is_some() || (!said && records.len() >= PAGE),
            next,
        })
    }

    /// Whether a page of the newest shows everything made within [`PROBE_REACH_MS`]. Both instants are Pipedrive's own;
    /// without them nothing is sure.
    fn reaches_back(&self, sent_at_ms: Option<i64>) -> bool {
        let oldest = self
            .records
            .last()
            .and_then(|record| record.get("add_time")?.as_str())
            .and_then(rfc3339_ms);
        match (sent_at_ms, oldest) {
            (Some(sent_at_ms), Some(oldest)) => sent_at_ms.saturating_sub(oldest) > PROBE_REACH_MS,
            _ => false,
        }
    }
}

fn cursor(document: &Map<String, Value>) -> Option<String> {
    let cursor = document.get("additional_data")?.get("next_cursor")?;
    text(cursor).filter(|cursor| !cursor.is_empty())
}

fn next_start(document: &Map<String, Value>) -> Option<String> {
    let pagination = document.get("additional_data")?.get("pagination")?;
    let more = pagination.get("more_items_in_collection")?.as_bool()?;
    // Without a number the page after can't be asked for, but that there is one must be known.
    more.then(|| {
        pagination
            .get("next_start")
            .and_then(text)
            .unwrap_or_else(|| PAGE.to_string())
    })
}

/// A string or a whole number as text.
pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => number.as_u64().map(|number| number.to_string()),
        _ => None,
    }
}
