//! The whole path in real time: publish → broker → worker → fake HubSpot → ledger → acknowledgement.

mod bad_input;
mod calls;
mod day;
mod deals;
mod harness;
mod permits;
