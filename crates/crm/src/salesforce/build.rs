//! Operations as Salesforce's requests.
//!
//! | verb | request | items |
//! | --- | --- | --- |
//! | read by key, probe | `GET /query`, `<key field> IN (…)` | 150 |
//! | read by e-mail | `GET /query`, `Email IN (…)` | 80 |
//! | search by phone | `GET /query`, `Phone LIKE … OR MobilePhone LIKE …`, ordered by id; a further page after an id | 50 |
//! | upsert by key | `PATCH /composite/sobjects/<kind>/<key field>`: found by the key, or made | 200 |
//! | create | `POST /composite/sobjects`: made, or refused because the key is taken | 200 |
//! | update by id | `PATCH /composite/sobjects` | 200 |
//! | update by key | `POST /composite` of `PATCH /sobjects/<kind>/<key field>/<key>?updateOnly=true` | 25 |
//! | list | `GET /query`, ordered by id | a page |
//! | list open deals | the same, of contact roles: `deals` | a page |
//!
//! Whatever it carries, a request counts once. Of reads the address decides how many fit: Salesforce takes 16,384 bytes of
//! address and headers together, so an address keeps below [`URI_MAX`].
//!
//! **A creation isn't an upsert**: of a task the subtype, of a deal the contact can be given only to a new record, so an
//! upsert that finds the record there would be refused; and it would put a task that somebody has done back to the start.
//!
//! An item that lacks what its verb needs is left out here and refused by the interpreter, for both ask [`lack`].

use std::collections::BTreeSet;

use callflume_core::effect::Object;
use callflume_core::vendor::{Content, HttpRequest, Item, Method, Operation, Verb};
use serde::Serialize;
use serde_json::{Map, Value};

use super::bodies::{Mode, record};
use super::deals;
use super::fields::key_field;
use super::paths::{base, is_id, percent_encoded, sobject};
use super::soql::{PAGE, is_one_of, literal, path, phone_pattern};
use crate::settings::Settings;
use crate::values::address;

/// Longest address of a request, bytes; the rest of the 16,384 is for the headers, of which the token is the longest.
pub const URI_MAX: usize = 14_000;

/// Longest key of ours, characters: what the field that `account prepare` makes holds.
pub(crate) const KEY_MAX: usize = 64;
/// Longest e-mail address that is looked for, bytes in an address. Salesforce's own field holds 80 characters, of which
/// hardly one takes more than a byte, so nobody there has a longer one.
const EMAIL_MAX: usize = 140;

/// What of a contact is read to tell who it is, beside our key, and what people who take its call want to know.
const CONTACT_FIELDS: &str = "Email,Phone,MobilePhone,FirstName,LastName,OwnerId";

/// Why an item can't be sent with this operation's verb.
pub(crate) fn lack(
    settings: &Settings,
    operation: &Operation,
    item: &Item,
) -> Option<&'static str> {
    let object = operation.object;
    let key = || {
        let usable = (1..=KEY_MAX).contains(&item.key.len())
            && item
                .key
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        match item.key.as_str() {
            "" => Some("the item has no key"),
            _ if usable => None,
            _ => Some("the item's key is none of Callflume's"),
        }
    };
    let written = |mode| record(settings, object, mode, item).err();
    match operation.verb {
        Verb::ReadByKey | Verb::ReadByEmail | Verb::SearchByPhone if object != Object::Contact => {
            Some("only contacts are looked up")
        }
        Verb::ReadByKey | Verb::Probe => key(),
        Verb::ReadByEmail => address(item)
            .is_none()
            .then_some("the item has no e-mail address"),
        Verb::SearchByPhone => item
            .phone
            .is_none()
            .then_some("the item has no phone number"),
        Verb::UpsertByKey | Verb::Create => key().or_else(|| written(Mode::Create)),
        Verb::UpdateByKey => key().or_else(|| written(Mode::Update)),
        Verb::UpdateById => {
            let id = item.crm_id.as_deref().unwrap_or_default();
            let unknown = (!is_id(id)).then_some("the item's CRM id is none of Salesforce's");
            let stamp = || item.stamp.then(key).flatten();
            unknown.or_else(stamp).or_else(|| written(Mode::Update))
        }
        Verb::List => None,
    }
}

/// Whether an item is looked for by what nobody in Salesforce can have, so that it needs no asking.
pub(crate) fn is_nowhere(operation: &Operation, item: &Item) -> bool {
    operation.verb == Verb::ReadByEmail
        && address(item).is_some_and(|it| percent_encoded(&literal(&it)).len() > EMAIL_MAX)
}

/// The items of an operation that are sent, in order.
pub(crate) fn sent<'a>(settings: &Settings, operation: &'a Operation) -> Vec<&'a Item> {
    operation
        .items
        .iter()
        .filter(|item| lack(settings, operation, item).is_none() && !is_nowhere(operation, item))
        .collect()
}

/// The request for an operation. In place of one that would carry nothing goes a question for the limits, which writes
/// nothing.
pub(crate) fn request(settings: &Settings, operation: &Operation) -> HttpRequest {
    let base = base(settings);
    let object = operation.object;
    let items = sent(settings, operation);
    let key_name = key_field(settings, object);
    let idle = || limits(settings);
    let read = |condition: Option<String>| match condition {
        Some(condition) => get(path(
            &base,
            &format!(
                "{} WHERE {condition} LIMIT {PAGE}",
                select(settings, object)
            ),
        )),
        None => idle(),
    };
    match operation.verb {
        Verb::ReadByKey | Verb::Probe => {
            let keys: BTreeSet<String> = items.iter().map(|item| item.key.clone()).collect();
            read(is_one_of(key_name, &keys))
        }
        Verb::ReadByEmail => {
            let addresses: BTreeSet<String> =
                items.iter().filter_map(|item| address(item)).collect();
            read(is_one_of("Email", &addresses))
        }
        Verb::SearchByPhone => {
            let patterns: BTreeSet<String> = items
                .iter()
                .filter_map(|item| item.phone.as_ref())
                .map(phone_pattern)
                .collect();
            let conditions: Vec<String> = patterns
                .iter()
                .map(|it| format!("Phone LIKE '{it}' OR MobilePhone LIKE '{it}'"))
                .collect();
            // In an order, so that a page after this one can be asked for.
            read((!conditions.is_empty()).then(|| {
                let any = conditions.join(" OR ");
                let condition = page_after(operation)
                    .map_or_else(|| any.clone(), |it| format!("({any}) AND {it}"));
                format!("{condition} ORDER BY Id")
            }))
        }
        Verb::List if object == Object::Deal => deals::request(settings, operation),
        Verb::List => {
            let condition = page_after(operation)
                .map(|it| format!(" WHERE {it}"))
                .unwrap_or_default();
            get(path(
                &base,
                &format!(
                    "{}{condition} ORDER BY Id LIMIT {PAGE}",
                    select(settings, object)
                ),
            ))
        }
        _ if items.is_empty() => idle(),
        Verb::UpsertByKey | Verb::Create => {
            let records = items.iter().filter_map(|item| {
                let mut fields = record(settings, object, Mode::Create, item).ok()?;
                fields.insert(key_name.to_owned(), item.key.clone().into());
                Some((None, fields))
            });
            let body = collection(object, records);
            if operation.verb == Verb::Create {
                send(Method::Post, format!("{base}/composite/sobjects"), body)
            } else {
                let kind = sobject(object);
                let path = format!(
                    "{base}/composite/sobjects/{kind}/{}",
                    percent_encoded(key_name)
                );
                send(Method::Patch, path, body)
            }
        }
        Verb::UpdateById => {
            let records = items.iter().filter_map(|item| {
                let mut fields = record(settings, object, Mode::Update, item).ok()?;
                if item.stamp {
                    fields.insert(key_name.to_owned(), item.key.clone().into());
                }
                Some((item.crm_id.as_deref(), fields))
            });
            let body = collection(object, records);
            send(Method::Patch, format!("{base}/composite/sobjects"), body)
        }
        Verb::UpdateByKey => {
            let parts = items.iter().filter_map(|item| {
                let url = format!(
                    "{base}/sobjects/{}/{}/{}?updateOnly=true",
                    sobject(object),
                    percent_encoded(key_name),
                    percent_encoded(&item.key)
                );
                Some(Part {
                    method: "PATCH",
                    url,
                    reference_id: reference(item),
                    body: record(settings, object, Mode::Update, item).ok()?,
                })
            });
            let body = Composite {
                all_or_none: false,
                composite_request: parts.collect(),
            };
            send(Method::Post, format!("{base}/composite"), to_bytes(&body))
        }
    }
}

/// The condition of the page after an operation's mark: the last id of the page before.
fn page_after(operation: &Operation) -> Option<String> {
    let mark = operation.after.as_deref().filter(|mark| is_id(mark))?;
    Some(format!("Id > {}", literal(mark)))
}

/// How a part of a composite request is named in its answer.
pub(crate) fn reference(item: &Item) -> String {
    format!("t{}", item.trace)
}

/// Asks for the org's limits.
pub(crate) fn limits(settings: &Settings) -> HttpRequest {
    get(format!("{}/limits", base(settings)))
}

fn select(settings: &Settings, object: Object) -> String {
    let key_name = key_field(settings, object);
    let more = match object {
        Object::Contact => format!(",{CONTACT_FIELDS}"),
        Object::Call | Object::Note | Object::Task | Object::Deal => String::new(),
    };
    format!("SELECT Id,{key_name}{more} FROM {}", sobject(object))
}

/// A record of a collection; its kind first, as Salesforce's own examples have it.
#[derive(Serialize)]
struct Entry<'a> {
    attributes: Attributes,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

#[derive(Serialize)]
struct Attributes {
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Collection<'a> {
    all_or_none: bool,
    records: Vec<Entry<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Composite {
    all_or_none: bool,
    composite_request: Vec<Part>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    method: &'static str,
    url: String,
    reference_id: String,
    body: Map<String, Value>,
}

fn collection<'a>(
    object: Object,
    records: impl Iterator<Item = (Option<&'a str>, Map<String, Value>)>,
) -> Vec<u8> {
    let records = records
        .map(|(id, fields)| Entry {
            attributes: Attributes {
                kind: sobject(object),
            },
            id,
            fields,
        })
        .collect();
    to_bytes(&Collection {
        all_or_none: false,
        records,
    })
}

fn to_bytes(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("texts, numbers and flags are always JSON")
}

pub(crate) const fn send(method: Method, path: String, body: Vec<u8>) -> HttpRequest {
    HttpRequest {
        method,
        path,
        body: Some(body),
        content: Content::Json,
    }
}

pub(crate) const fn get(path: String) -> HttpRequest {
    HttpRequest {
        method: Method::Get,
        path,
        body: None,
        content: Content::Json,
    }
}
