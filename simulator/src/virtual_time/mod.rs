//! The same decisions under virtual time: core's dispatchers and ownership, a model of the broker, CRMs in-process.
//!
//! Time is a queue of happenings; nothing sleeps, nothing reads a clock, every choice comes from the scenario's seed. A
//! run of a seed is repeated byte for byte, its trace included ([`Trace`]). An hour of calls takes seconds.
//!
//! | module | subject |
//! | --- | --- |
//! | `broker` | streams, consumers, buckets; compared with the real one by `crate::parity` |
//! | `account` | accounts, what they are made of and what becomes of them |
//! | `crm` | what a world needs of a CRM |
//! | `world` | what happens when, until everything is settled |
//! | `happening` | what can happen |
//! | `publishing` | voice services |
//! | `fleet` | processes started, stopped, killed, replaced |
//! | `worker` | one process: heartbeat, what it sees, claims, stopping |
//! | `task` | one owned account: lease, inputs, wakes, its end |
//! | `shell` | what a dispatcher asks for, carried out |
//! | `store` | streams and buckets as Callflume uses them |
//! | `timeline` | happenings in order |
//! | `trace` | the record of a run |

mod account;
pub mod broker;
mod crm;
mod fleet;
mod happening;
mod publishing;
mod shell;
mod store;
mod task;
mod timeline;
mod trace;
mod worker;
mod world;

pub use account::{AccountRun, AccountSetup};
pub use crm::{Answered, Crm};
pub use trace::Trace;
pub use world::{VirtualRun, run};
