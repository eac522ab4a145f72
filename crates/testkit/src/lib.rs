//! Real brokers and real faults, for tests, the simulator and local development.
//!
//! - [`ServerBinary`] finds (or installs) a `nats-server`; [`Server`] runs one over a store of its own, kills it,
//!   brings it back over the same store and port.
//! - [`FaultyProxy`] stands between a client and a service and loses what it is told to lose.
//! - [`wait_for`] waits for a condition and says which one did not come.
//!
//! Never mocked: whoever starts a [`Server`] talks to the broker that runs in production, with the configuration
//! file that the project ships (`nats/single.conf`). Only what this crate started is ever stopped or signalled.

mod binary;
mod error;
mod launch;
mod monitoring;
mod proxy;
mod server;
mod wait;

pub use binary::{OLDEST_SERVER, Search, ServerBinary, Version};
pub use error::{Attempt, Error, Refusal};
pub use proxy::{FaultyProxy, Mode};
pub use server::{SINGLE_SERVER_CONFIGURATION, Server, ServerBuilder};
pub use wait::{TimedOut, wait_for};
