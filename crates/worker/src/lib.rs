//! The worker: drives core's dispatchers with the broker and HTTP.
//!
//! Carries out and reports back; decides nothing about events, effects or quotas. What it does decide is what only a
//! process can know: whether a connection stands, whether a lease is still held at the moment bytes leave, how long a
//! request may take before it ends.
//!
//! | module | subject |
//! | --- | --- |
//! | `fleet` | heartbeat, who owns what, starting and stopping account tasks |
//! | `account` | one owned account: dispatcher, lease, inputs and outputs |
//! | `renewal` | keeping its lease |
//! | `advice` | advice for diallers, published |
//! | `status` | what is said of an owned account |
//! | `permits` | permits for other processes on the credential, asked for by request/reply |
//! | `contacts` | look-ups for voice services by request/reply, and whom they want looked up |
//! | `lane` | pulling from one consumer, setting it back |
//! | `reference` | reference data: read at a takeover, stored after a reading |
//! | `bulk` | the record of its bulk job |
//! | `store` | reading and writing ledger, contacts, floors, journal, reference data, dead letters |
//! | `http` | one request, one answer |
//! | `credential` | what requests are authorized with |
//! | `tokens` | access tokens renewed by OAuth |
//! | `configs` | accounts from the config bucket |
//! | `status` | what an owner says of its account |
//! | `janitor` | one worker at a time purges what is settled |
//! | `services` | status, warm-up and resume over request/reply |
//!
//! Invariant: an account's task ends before its lease does, or sends nothing from that instant on.

mod account;
mod advice;
mod bulk;
mod configs;
pub mod contacts;
mod credential;
mod fleet;
mod http;
mod janitor;
mod lane;
mod permits;
mod reference;
mod renewal;
mod secret;
pub mod services;
mod setup;
mod status;
mod store;
mod tokens;

use std::time::Duration;

use callflume_jetstream::connect;
use callflume_jetstream::tokens::TokenKeys;

pub use configs::{apply as apply_configs, read as read_configs};
pub use fleet::{Stop, run};
pub use http::Sender;
pub use secret::{MissingSecret, resolve as resolve_secret, token_keys};
pub use setup::{check_account, settings_of, setup, vendor_of};
pub use status::AccountStatus;
pub use tokens::{AccessToken, NoToken, access_token};

/// How a worker runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How to reach the broker.
    pub broker: connect::Settings,
    /// Shown in leases and status beside a part that makes it unique.
    pub name: String,
    /// How long an account's lease lasts without renewal; whole seconds. 5 s on one server, 12 s on a cluster, where
    /// an election takes 4 to 9 s.
    pub lease: Duration,
    /// How long settled events are kept, beyond the duplicate window.
    pub history: Duration,
    /// The keys that encrypt stored OAuth tokens; needed for accounts that renew theirs.
    pub token_keys: Option<TokenKeys>,
}

impl Settings {
    /// A worker on one server with the usual lease and history.
    pub fn new(broker: connect::Settings) -> Self {
        Self {
            broker,
            name: "worker".to_owned(),
            lease: Duration::from_secs(5),
            history: Duration::from_secs(24 * 3600),
            token_keys: None,
        }
    }
}

/// Why a worker ends.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The broker.
    #[error(transparent)]
    Broker(#[from] callflume_jetstream::Error),
    /// TLS or the HTTP client can't be set up on this machine.
    #[error("the HTTP client can't be set up: {0}")]
    Http(String),
}

impl Error {
    /// The stable code.
    pub fn code(&self) -> callflume_core::codes::Code {
        match self {
            Self::Broker(error) => error.code(),
            Self::Http(_) => callflume_core::codes::CONFIG_VALUE,
        }
    }
}
