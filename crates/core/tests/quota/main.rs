//! The quota engine, judged where requests arrive: at the CRM's door.

mod clocks;
mod door;
mod drain;
mod promises;
mod sim;
