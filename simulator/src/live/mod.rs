//! Runs in real time: a real broker, the fake CRM behind real HTTP, workers as processes of their own.
//!
//! | module | subject |
//! | --- | --- |
//! | `stage` | broker, fake CRM and configuration, raised and torn down |
//! | `run` | one scenario from start to judgement |
//! | `watch` | kills and patience meanwhile |
//! | `dialling` | outbound calls placed as advised |
//! | `voice` | publishing as planned, latencies |
//! | `worker_process` | workers to be killed |
//! | `meter` | whether the machine is fit to measure on |
//! | `progress` | what is shown meanwhile |

mod dialling;
mod meter;
mod progress;
mod run;
pub mod stage;
mod voice;
mod watch;
mod worker_process;

pub use run::{Error, LiveRun, Options, run};
pub use worker_process::{Launch, WorkerProcess};
