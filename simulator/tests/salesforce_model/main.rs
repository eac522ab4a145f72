//! The fake Salesforce, request by request. Every test drives the pure model with instants of its own.

mod access;
mod back_fill;
mod batches;
mod bulk;
mod bundled;
mod collections;
mod composites;
mod duplicates;
mod faults;
mod fields;
mod jobs;
mod limits;
mod line;
mod meanwhile;
#[path = "../operations/mod.rs"]
mod operations;
mod outside;
mod preparing;
mod queries;
mod records;
mod round_trip;
mod searches;
mod setup;
mod upserts;

use callflume_sim::fakes::{Method, Reply, Request};
use callflume_sim::salesforce::{
    CustomField, FieldOwner, Salesforce, SalesforceConfig, Session, Type,
};
use serde_json::{Value, json};

/// 15 June 2026, 12:00 UTC.
pub(crate) const NOON_MS: i64 = 1_781_524_800_000;
pub(crate) const TOKEN: &str = "sim-token";
/// A session of a user who is no administrator.
pub(crate) const OTHER_TOKEN: &str = "other-token";
/// The external id of every object.
pub(crate) const KEY: &str = "Voice_Key__c";
pub(crate) const CONTACTS: &str = "/sobjects/Contact";
pub(crate) const TASKS: &str = "/sobjects/Task";
pub(crate) const DEALS: &str = "/sobjects/Opportunity";

/// The default org with a key on every object, a key that isn't unique, and fields of several types.
pub(crate) fn config() -> SalesforceConfig {
    let mut config = SalesforceConfig {
        custom_fields: vec![
            CustomField::key(FieldOwner::Contact, KEY),
            CustomField::key(FieldOwner::Activity, KEY),
            CustomField::key(FieldOwner::Opportunity, KEY),
            CustomField {
                unique: false,
                ..CustomField::key(FieldOwner::Contact, "Legacy__c")
            },
            CustomField {
                case_sensitive: true,
                ..CustomField::key(FieldOwner::Contact, "Exact__c")
            },
            CustomField::new(FieldOwner::Activity, "Sentiment__c", Type::Text),
            CustomField::new(FieldOwner::Activity, "Recording__c", Type::LongText),
            CustomField::new(FieldOwner::Contact, "Score__c", Type::Number),
            CustomField::new(FieldOwner::Contact, "Seen__c", Type::Instant),
        ],
        ..SalesforceConfig::default()
    };
    config.sessions.push(Session::new(OTHER_TOKEN, 1));
    config
}

pub(crate) fn org() -> Salesforce {
    Salesforce::new(config()).unwrap()
}

/// The default org, changed.
pub(crate) fn with(change: impl FnOnce(&mut SalesforceConfig)) -> Salesforce {
    let mut config = config();
    change(&mut config);
    Salesforce::new(config).unwrap()
}

/// A request to version 66 with the usual session.
pub(crate) fn request(method: Method, path: &str, body: &Value) -> Request {
    let request = Request::new(method, &format!("/services/data/v66.0{path}")).with_bearer(TOKEN);
    if body.is_null() {
        request
    } else {
        request.with_json(body)
    }
}

pub(crate) fn send(
    crm: &mut Salesforce,
    at_ms: i64,
    method: Method,
    path: &str,
    body: &Value,
) -> Reply {
    crm.handle(at_ms, &request(method, path, body))
}

pub(crate) fn get(crm: &mut Salesforce, at_ms: i64, path: &str) -> Reply {
    send(crm, at_ms, Method::Get, path, &Value::Null)
}

pub(crate) fn post(crm: &mut Salesforce, at_ms: i64, path: &str, body: &Value) -> Reply {
    send(crm, at_ms, Method::Post, path, body)
}

pub(crate) fn patch(crm: &mut Salesforce, at_ms: i64, path: &str, body: &Value) -> Reply {
    send(crm, at_ms, Method::Patch, path, body)
}

pub(crate) fn delete(crm: &mut Salesforce, at_ms: i64, path: &str) -> Reply {
    send(crm, at_ms, Method::Delete, path, &Value::Null)
}

/// Body of a reply that must have the status given.
#[track_caller]
pub(crate) fn body(reply: &Reply, status: u16) -> Value {
    let text = String::from_utf8_lossy(&reply.body);
    assert_eq!(reply.status, status, "{text}");
    reply.body_json().expect("a JSON body")
}

/// The code of a refusal with the status given.
#[track_caller]
pub(crate) fn code(reply: &Reply, status: u16) -> String {
    let body = body(reply, status);
    let only = body.as_array().filter(|all| all.len() == 1);
    let entry = &only.expect("one error")[0];
    assert!(entry["message"].is_string(), "{entry}");
    entry["errorCode"].as_str().unwrap().to_owned()
}

/// Makes a record and returns its id.
#[track_caller]
pub(crate) fn created(crm: &mut Salesforce, at_ms: i64, path: &str, fields: Value) -> String {
    let body = body(&post(crm, at_ms, path, &fields), 201);
    assert_eq!(body["success"], true);
    body["id"].as_str().unwrap().to_owned()
}

#[track_caller]
pub(crate) fn contact(crm: &mut Salesforce, at_ms: i64, last_name: &str) -> String {
    created(crm, at_ms, CONTACTS, json!({"LastName": last_name}))
}

/// The records of a query, which must be answered with 200.
#[track_caller]
pub(crate) fn found(crm: &mut Salesforce, at_ms: i64, query: &str) -> Vec<Value> {
    let body = body(&ask(crm, at_ms, query), 200);
    body["records"].as_array().unwrap().clone()
}

pub(crate) fn ask(crm: &mut Salesforce, at_ms: i64, query: &str) -> Reply {
    let mut request = request(Method::Get, "/query", &Value::Null);
    request.query.push(("q".to_owned(), query.to_owned()));
    crm.handle(at_ms, &request)
}
