//! The built program, run as people and scripts run it, against real brokers.

mod account;
mod account_vendors;
mod broker;
mod configuration;
mod contact;
mod crm;
mod dead;
#[cfg(feature = "sim")]
mod dev;
mod help;
mod oauth;
mod program;
mod provision;
mod publish;
mod replay;
mod roles;
mod work;
