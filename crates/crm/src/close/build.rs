//! Operations as Close requests.
//!
//! Close has no batches: a request writes one record, and a look-up asks for several people at once. An item that can't
//! be sent is told by the interpreter, for both ask [`planned`]; when nothing is left to send, the credential's own user
//! is asked for, which changes nothing. Never a `PUT` without an id: Close would take one of tasks for all of them.

use callflume_core::effect::Object;
use callflume_core::vendor::{Content, HttpRequest, Item, Method, Operation, Verb};
use serde_json::{Map, Value, json};

use super::fields::{
    DEAL_KEY_FIELD, KEY_FIELD, Mode, call, contact_change, custom, deal, later_sentiment,
    lead_name, new_contact, note, task,
};
use super::ids::{Person, Record};
use super::lack::Lack;
use super::limits::{CONTACT_UPDATE, SEARCH, group};
use super::search;
use crate::settings::Settings;
use crate::values::address;

/// Records per page of a listing: Close's default, which every resource allows.
pub(crate) const PAGE: usize = 100;
/// Events per page of the event log: the most that it returns.
pub(crate) const EVENTS: usize = 50;
/// Mark of a contact's probe that goes on with a search.
pub(crate) const BY_SEARCH: &str = "search";
/// Where every path begins.
const BASE: &str = "/api/v1";

/// The request for one item, with the endpoint group that it goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) request: HttpRequest,
    pub(crate) group: usize,
}

/// Whether several items share a request of this verb.
pub(crate) const fn is_look_up(verb: Verb) -> bool {
    matches!(
        verb,
        Verb::ReadByKey | Verb::ReadByEmail | Verb::SearchByPhone
    )
}

/// Whether an operation is a listing that is made here: of contacts, or of open deals.
pub(crate) fn is_listed(operation: &Operation) -> bool {
    operation.verb == Verb::List && matches!(operation.object, Object::Contact | Object::Deal)
}

/// The request for an operation.
pub(crate) fn request(settings: &Settings, operation: &Operation) -> HttpRequest {
    if is_listed(operation) {
        return list(settings, operation);
    }
    let mut plans = operation
        .items
        .iter()
        .filter_map(|item| Some((item, planned(settings, operation, item).ok()?)));
    let Some((first, plan)) = plans.next() else {
        return me();
    };
    if is_look_up(operation.verb) {
        let items: Vec<&Item> = std::iter::once(first)
            .chain(plans.map(|(item, _)| item))
            .collect();
        return post("/data/search/", search::body(settings, operation, &items));
    }
    plan.request
}

/// Asks who the credential belongs to.
pub(crate) fn me() -> HttpRequest {
    get("/me/?_fields=id,organizations".to_owned())
}

/// The request for one item of an operation, or why there is none.
pub(crate) fn planned(
    settings: &Settings,
    operation: &Operation,
    item: &Item,
) -> Result<Plan, Lack> {
    let (verb, object) = (operation.verb, operation.object);
    let plan = |request| Plan {
        request,
        group: group(verb, object),
    };
    match verb {
        Verb::ReadByKey | Verb::ReadByEmail | Verb::SearchByPhone => {
            look_up(settings, operation, item).map(plan)
        }
        Verb::List => Err(Lack::Refused(
            "Close is listed for contacts and open deals only",
        )),
        Verb::UpdateByKey => Err(Lack::Refused(
            "Close finds no record by our key; its id is probed for first",
        )),
        Verb::Create | Verb::UpsertByKey if item.key.is_empty() => {
            Err(Lack::Refused("the item has no key"))
        }
        Verb::Create | Verb::UpsertByKey if object == Object::Contact => {
            let contact = new_contact(settings, item)?;
            let lead = json!({"name": lead_name(item), "contacts": [contact]});
            Ok(plan(post("/lead/", lead)))
        }
        Verb::Create | Verb::UpsertByKey => {
            let person = person_of(item)?;
            let mut body = record_body(settings, object, item, Mode::New)?;
            body.insert("lead_id".into(), person.lead.into());
            body.insert("contact_id".into(), person.contact.into());
            Ok(plan(post(path(object), body.into())))
        }
        Verb::UpdateById => update(settings, object, item),
        Verb::Probe => probe(settings, operation, item),
    }
}

fn look_up(settings: &Settings, operation: &Operation, item: &Item) -> Result<HttpRequest, Lack> {
    if operation.object != Object::Contact {
        return Err(Lack::Refused("only contacts are looked up in Close"));
    }
    match operation.verb {
        Verb::ReadByKey if item.key.is_empty() => return Err(Lack::Refused("the item has no key")),
        Verb::ReadByEmail if address(item).is_none() => {
            return Err(Lack::Refused("the item has no e-mail address"));
        }
        Verb::SearchByPhone if item.phone.is_none() => {
            return Err(Lack::Refused("the item has no phone number"));
        }
        _ => {}
    }
    // Without the field nobody found would be known as ours, and everybody would be made anew.
    custom(settings, KEY_FIELD).ok_or(Lack::Unprepared)?;
    Ok(post(
        "/data/search/",
        search::body(settings, operation, &[item]),
    ))
}

fn update(settings: &Settings, object: Object, item: &Item) -> Result<Plan, Lack> {
    let crm_id = item.crm_id.as_deref().filter(|id| !id.is_empty());
    let crm_id = crm_id.ok_or(Lack::Refused("the item has no CRM id"))?;
    let contact = |contact: &str, body| Plan {
        request: put(&format!("/contact/{contact}/"), body),
        group: CONTACT_UPDATE,
    };
    if object == Object::Contact {
        let person = Person::parse(crm_id).ok_or(Lack::Gone)?;
        let body = contact_change(settings, item)?;
        return Ok(contact(person.contact, body));
    }
    let record = Record::parse(object, crm_id).ok_or(Lack::Gone)?;
    let body = record_body(settings, object, item, Mode::Change)?;
    if object == Object::Call
        && let Some(sentiment) = later_sentiment(settings, &item.fields)?
    {
        if !body.is_empty() {
            return Err(Lack::Refused(
                "Close keeps a call's sentiment with its contact; it is written by an effect of its own",
            ));
        }
        let on = record.contact.ok_or(Lack::Refused(
            "the call has no contact that could hold its sentiment",
        ))?;
        return Ok(contact(on, sentiment));
    }
    Ok(Plan {
        request: put(&format!("{}{}/", path(object), record.id), body),
        group: group(Verb::UpdateById, object),
    })
}

/// Where to look for what an unknown answer may have left: among the newest contacts of the event log and then by
/// search, or among the records of the lead.
fn probe(settings: &Settings, operation: &Operation, item: &Item) -> Result<Plan, Lack> {
    if item.key.is_empty() {
        return Err(Lack::Refused("the item has no key"));
    }
    let object = operation.object;
    if object == Object::Contact {
        custom(settings, KEY_FIELD).ok_or(Lack::Unprepared)?;
        return Ok(if operation.after.as_deref() == Some(BY_SEARCH) {
            Plan {
                request: post("/data/search/", search::body(settings, operation, &[item])),
                group: SEARCH,
            }
        } else {
            let query = format!("/event/?object_type=contact&action=created&_limit={EVENTS}");
            Plan {
                request: get(query),
                group: group(Verb::Probe, object),
            }
        });
    }
    let person = person_of(item)?;
    let marked = match object {
        Object::Task => "text".to_owned(),
        Object::Deal => custom(settings, DEAL_KEY_FIELD).ok_or(Lack::Unprepared)?,
        _ => "note".to_owned(),
    };
    let kind = if object == Object::Task {
        "&_type=lead"
    } else {
        ""
    };
    let request = get(format!(
        "{}?lead_id={}{kind}&_limit={PAGE}{}&_fields=id,lead_id,contact_id,{marked}",
        path(object),
        person.lead,
        skipped(operation.after.as_deref()),
    ));
    Ok(Plan {
        request,
        group: group(Verb::Probe, object),
    })
}

/// The person that a record hangs on.
fn person_of(item: &Item) -> Result<Person<'_>, Lack> {
    let contact = item
        .contact
        .as_deref()
        .ok_or(Lack::Refused("the item has no contact to belong to"))?;
    Person::parse(contact).ok_or(Lack::Gone)
}

fn record_body(
    settings: &Settings,
    object: Object,
    item: &Item,
    mode: Mode,
) -> Result<Map<String, Value>, Lack> {
    Ok(match object {
        Object::Call => call(settings, item, mode),
        Object::Note => note(settings, item, mode),
        Object::Task => task(settings, item, mode),
        Object::Deal => deal(settings, item, mode)?,
        Object::Contact => contact_change(settings, item)?,
    })
}

/// One page of all contacts, or of the opportunities that are neither won nor lost.
fn list(settings: &Settings, operation: &Operation) -> HttpRequest {
    if operation.object == Object::Deal {
        return get(format!(
            "/opportunity/?status_type=active&_limit={PAGE}{}&_fields=id,contact_id,lead_id,date_created",
            skipped(operation.after.as_deref()),
        ));
    }
    let key = custom(settings, KEY_FIELD)
        .map(|name| format!(",{name}"))
        .unwrap_or_default();
    get(format!(
        "/contact/?_limit={PAGE}{}&_fields={}{key}",
        skipped(operation.after.as_deref()),
        search::CONTACT_FIELDS.join(","),
    ))
}

/// How many records come before the page after this mark.
pub(crate) fn skip(after: Option<&str>) -> usize {
    after.and_then(|mark| mark.parse().ok()).unwrap_or(0)
}

fn skipped(after: Option<&str>) -> String {
    match skip(after) {
        0 => String::new(),
        skip => format!("&_skip={skip}"),
    }
}

/// Where records of an object live.
const fn path(object: Object) -> &'static str {
    match object {
        Object::Contact => "/contact/",
        Object::Call => "/activity/call/",
        Object::Note => "/activity/note/",
        Object::Task => "/task/",
        Object::Deal => "/opportunity/",
    }
}

pub(crate) fn post(path: &str, body: Value) -> HttpRequest {
    HttpRequest {
        method: Method::Post,
        path: format!("{BASE}{path}"),
        body: Some(body.to_string().into_bytes()),
        content: Content::Json,
    }
}

fn put(path: &str, body: Map<String, Value>) -> HttpRequest {
    HttpRequest {
        method: Method::Put,
        path: format!("{BASE}{path}"),
        body: Some(Value::from(body).to_string().into_bytes()),
        content: Content::Json,
    }
}

pub(crate) fn get(path: String) -> HttpRequest {
    HttpRequest {
        method: Method::Get,
        path: format!("{BASE}{path}"),
        body: None,
        content: Content::Json,
    }
}
