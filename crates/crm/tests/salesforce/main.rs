//! Salesforce, from operation to request and from answer to outcome.

mod answers;
mod bounds;
mod bulk;
mod bundle;
mod fixtures;
mod requests;
mod schema;
mod setup;
mod support;
