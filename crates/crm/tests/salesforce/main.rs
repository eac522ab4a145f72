//! Salesforce, from operation to request and from answer to outcome.

mod answers;
mod bounds;
mod bulk;
mod bulk_side;
mod bundle;
mod deals;
mod fixtures;
#[path = "../openapi/mod.rs"]
mod openapi;
mod pages;
#[path = "../recorded/mod.rs"]
mod recorded;
mod reference;
mod requests;
mod schema;
mod setup;
#[path = "../shown/mod.rs"]
mod shown;
mod support;
