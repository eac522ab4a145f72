//! Close: what is sent, what its answers mean, what an account needs.

mod answers;
mod bodies;
mod deals;
mod fixtures;
mod lookups;
#[path = "../openapi/mod.rs"]
mod openapi;
mod probes;
#[path = "../recorded/mod.rs"]
mod recorded;
mod reference;
mod requests;
mod schema;
mod setup;
#[path = "../shown/mod.rs"]
mod shown;
mod support;
