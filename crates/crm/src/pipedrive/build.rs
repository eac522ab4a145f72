//! Operations as Pipedrive requests, one item each.
//!
//! An item that can't be sent is answered here with an [`Obstacle`]; the interpreter asks the same function, so what was
//! never sent has no part in any answer. In its place goes the cheapest request there is, for two tokens.
//!
//! **Search by phone.** How Pipedrive compares a term with a number that people typed is not published, so the term is what
//! all usual spellings have in common: the last four digits. Whoever was found is compared in full, digit by digit. One in
//! ten thousand numbers ends alike; a page holds 500, enough for five million persons, and after a page of strangers the
//! next is asked for. Numbers typed in pairs (`56 78`) are
//! found only if Pipedrive compares digits; a cache warmed from the listing knows them in any case.

use callflume_core::effect::Object;
use callflume_core::vendor::{Content, HttpRequest, Item, Method, Operation, Verb};
use serde_json::{Map, Value};

use super::bodies::{Mode, Obstacle, body, custom_key, person};
use super::fields::{CONTACT_KEY, DEAL_KEY};
use super::paths::{me, percent_encoded, records};
use crate::settings::Settings;
use crate::values::address;

/// Most records on a page, of both versions.
pub(crate) const PAGE: usize = 500;

/// How many of a number's digits are searched for.
const TERM_DIGITS: usize = 4;

/// The request for an operation.
pub(crate) fn request(settings: &Settings, operation: &Operation) -> HttpRequest {
    planned(settings, operation).unwrap_or_else(|_| get(me()))
}

/// The request for an operation, or why its item can't be sent.
pub(crate) fn planned(settings: &Settings, operation: &Operation) -> Result<HttpRequest, Obstacle> {
    let object = operation.object;
    let after = operation.after.as_deref();
    if operation.verb == Verb::List {
        return list(settings, object, after);
    }
    let item = operation
        .items
        .first()
        .ok_or(Obstacle::Item("there is no item"))?;
    let keyed = !item.key.is_empty();
    match operation.verb {
        Verb::ReadByKey | Verb::ReadByEmail | Verb::SearchByPhone if object != Object::Contact => {
            Err(Obstacle::Item("only contacts are looked up"))
        }
        Verb::UpsertByKey | Verb::Create | Verb::Probe | Verb::ReadByKey if !keyed => {
            Err(Obstacle::Item("the item has no key"))
        }
        Verb::UpdateByKey => Err(Obstacle::Item("Pipedrive updates records by their id only")),
        Verb::ReadByKey => {
            custom_key(settings, CONTACT_KEY)?;
            Ok(search(&item.key, "custom_fields", true, after))
        }
        Verb::ReadByEmail => {
            let address = address(item).ok_or(Obstacle::Item("the item has no e-mail address"))?;
            Ok(search(&address, "email", true, after))
        }
        Verb::SearchByPhone => {
            let phone = item
                .phone
                .as_ref()
                .ok_or(Obstacle::Item("the item has no phone number"))?;
            let number = phone.as_str();
            let start = number.len().saturating_sub(TERM_DIGITS);
            Ok(search(
                number.get(start..).unwrap_or(number),
                "phone",
                false,
                after,
            ))
        }
        Verb::UpsertByKey | Verb::Create => {
            let body = body(settings, object, Mode::Create, item)?;
            Ok(send(Method::Post, records(object), body))
        }
        Verb::UpdateById => update(settings, object, item),
        Verb::Probe => probe(settings, object, item),
        Verb::List => list(settings, object, after),
    }
}

/// An update that has nothing to write, for all its fields are such as stay as they are, reads the record instead: whether
/// it is there is all that is left to tell.
fn update(settings: &Settings, object: Object, item: &Item) -> Result<HttpRequest, Obstacle> {
    let id = item.crm_id.as_deref().unwrap_or_default();
    let id: u64 = id
        .parse()
        .map_err(|_| Obstacle::Item("the item's CRM id is none of Pipedrive's"))?;
    let path = format!("{}/{id}", records(object));
    let body = body(settings, object, Mode::Update, item)?;
    if body.is_empty() {
        return Ok(get(path));
    }
    let method = if object == Object::Note {
        Method::Put
    } else {
        Method::Patch
    };
    Ok(send(method, path, body))
}

/// Where a record that may have been made would be: among the newest of its parent's. Persons have no parent, so among the
/// newest of all; so is a record whose contact isn't known.
fn probe(settings: &Settings, object: Object, item: &Item) -> Result<HttpRequest, Obstacle> {
    let parent = person(item)?
        .filter(|_| object != Object::Contact)
        .map(|person| format!("person_id={person}&"))
        .unwrap_or_default();
    let path = records(object);
    if object == Object::Note {
        return Ok(get(format!(
            "{path}?{parent}sort=add_time%20DESC&start=0&limit={PAGE}"
        )));
    }
    let custom = with_custom_field(settings, object)?;
    Ok(get(format!(
        "{path}?{parent}sort_by=add_time&sort_direction=desc&limit={PAGE}{custom}"
    )))
}

fn list(settings: &Settings, object: Object, after: Option<&str>) -> Result<HttpRequest, Obstacle> {
    let path = records(object);
    if object == Object::Note {
        // A mark of v1 is a number.
        let start: u64 = after.unwrap_or("0").parse().unwrap_or(0);
        return Ok(get(format!(
            "{path}?sort=id%20ASC&start={start}&limit={PAGE}"
        )));
    }
    if object == Object::Deal {
        // Only such as are open; our key isn't needed for them, but spares the other custom fields.
        let custom = with_custom_field(settings, object).unwrap_or_default();
        return Ok(get(format!(
            "{path}?status=open&sort_by=id&sort_direction=asc&limit={PAGE}{custom}{}",
            page_after(after)
        )));
    }
    let custom = with_custom_field(settings, object)?;
    Ok(get(format!(
        "{path}?sort_by=id&sort_direction=asc&limit={PAGE}{custom}{}",
        page_after(after)
    )))
}

/// The page after this mark, in the newer version's words.
fn page_after(after: Option<&str>) -> String {
    after
        .map(|cursor| format!("&cursor={}", percent_encoded(cursor)))
        .unwrap_or_default()
}

/// Of custom fields only our key is asked for.
fn with_custom_field(settings: &Settings, object: Object) -> Result<String, Obstacle> {
    let name = match object {
        Object::Contact => CONTACT_KEY,
        Object::Deal => DEAL_KEY,
        Object::Call | Object::Note | Object::Task => return Ok(String::new()),
    };
    let key = custom_key(settings, name)?;
    Ok(format!("&custom_fields={}", percent_encoded(key)))
}

fn search(term: &str, fields: &str, exact: bool, after: Option<&str>) -> HttpRequest {
    get(format!(
        "{}/search?term={}&fields={fields}&exact_match={exact}&limit={PAGE}{}",
        records(Object::Contact),
        percent_encoded(term),
        page_after(after)
    ))
}

pub(crate) fn send(method: Method, path: String, body: Map<String, Value>) -> HttpRequest {
    HttpRequest {
        method,
        path,
        body: Some(Value::Object(body).to_string().into_bytes()),
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
