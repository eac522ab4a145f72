//! Stories about the dispatcher, as its users rely on them, told in virtual time.

mod account;
mod bounds;
mod bulk;
mod bulk_crm;
mod bulk_names;
mod bulk_recovery;
#[path = "../shared/cases.rs"]
mod cases;
mod class_b;
mod crm;
mod crm_deals;
mod day;
mod deals;
mod deals_warm;
mod directory;
mod events;
mod foreign;
mod intake;
mod lanes;
mod links;
mod lookup;
mod mapping;
mod order;
mod others;
mod outside;
mod pages;
mod people;
mod promised;
mod recovery;
mod reference;
mod refusal;
mod storm;
mod world;
