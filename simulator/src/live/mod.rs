//! Runs in real time: a real broker, the fake CRM behind real HTTP, workers as processes of their own.
//!
//! | module | subject |
//! | --- | --- |
//! | `stage` | broker, fake CRM and configuration, raised and torn down |

pub mod stage;
