//! The simulator: fake CRMs, call traffic, faults and the oracle that judges a run.

pub mod close;
pub mod fake_command;
pub mod fakes;
pub mod holdings;
pub mod hubspot;
pub mod live;
pub mod naive;
pub mod oracle;
pub mod parity;
pub mod phone;
pub mod pipedrive;
pub mod report;
pub mod salesforce;
pub mod scenario;
mod signals;
pub mod tournament;
pub mod traffic;
pub mod virtual_run;
pub mod virtual_time;
pub mod worker_command;
