//! The tournament: the same work, the same CRM, different ideas of when a request may leave.
//!
//! Under virtual time, in microseconds. Core's dispatcher drives every strategy but one: each is a
//! [`callflume_core::quota::Limiter`]; the direct integration has no queue, so it has no dispatcher either
//! (module `direct`). The CRM is judged at its own door (module `door`): what arrives there, never what a sender believes.
//!
//! A pair of scenario and seed is the same for all strategies, and gives the same figures every time.
//!
//! | module | subject |
//! | --- | --- |
//! | `scenarios` | the scenarios and what must hold in each, as data |
//! | `work` | what is written: effects, lanes, instants |
//! | `door` | the CRM: limits, headers, service times, what it holds |
//! | `vendor` | the translation between dispatcher and door |
//! | `broker` | streams, consumers and buckets of one account |
//! | `world`, `shell`, `fleet` | what happens when; a worker's shell; who owns what |
//! | `foreign` | a process that asks for permits on the same credential |
//! | `strategies` | the limiters |
//! | `direct` | the integration without queue and limiter |
//! | `outcome` | figures of one run |
//! | `run` | many seeds at once |
//! | `report` | tables and JSON |

mod broker;
mod compare;
mod direct;
mod door;
mod fleet;
mod foreign;
mod outcome;
mod report;
mod run;
mod scenarios;
mod shell;
mod strategies;
mod vendor;
mod work;
mod world;

pub use compare::{DirectFigures, direct_beside};
pub use outcome::Figures;
pub use report::{Report, Row};
pub use run::{Error, Options, run};
pub use scenarios::{Bound, Criterion, Measure, SCENARIOS, Scenario, scenario};
pub use strategies::Strategy;

/// Microseconds in a second and in a millisecond: the world's unit of time.
const SECOND_US: u64 = 1_000_000;
const MS_US: u64 = 1_000;
