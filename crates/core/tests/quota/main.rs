//! The quota engine, judged where requests arrive: at the CRM's door.

#[path = "../shared/cases.rs"]
mod cases;
mod clocks;
mod door;
mod drain;
mod gate;
mod halved;
mod parts;
mod promises;
mod shared;
mod sim;
mod steady;
mod taught;
mod vector;
