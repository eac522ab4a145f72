//! HubSpot, from operation to request and from answer to outcome.

mod answers;
mod bodies;
mod deals;
mod lookups;
#[path = "../openapi/mod.rs"]
mod openapi;
#[path = "../recorded/mod.rs"]
mod recorded;
mod requests;
mod schema;
mod setup;
#[path = "../shown/mod.rs"]
mod shown;
mod support;
