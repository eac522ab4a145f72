//! The same decisions under virtual time: core's dispatcher, the CRM model in-process, a small model of the broker.
//!
//! Time is a queue of happenings; nothing sleeps, nothing reads a clock, every choice comes from the scenario's seed. A
//! run of a seed is repeated byte for byte, its trace included ([`Trace`]). An hour of calls takes seconds.
//!
//! | module | subject |
//! | --- | --- |
//! | `broker` | streams, consumers, buckets |
//! | `world` | what happens when, and the worker's shell |
//! | `trace` | the record of a run |

mod broker;
mod trace;
mod world;

pub use trace::Trace;
pub use world::{VirtualRun, run};
