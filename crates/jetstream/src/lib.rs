//! The broker shell: carries out on NATS JetStream what `core` decides.
//!
//! [`connect::connect`] gives a [`Broker`]; everything else is opened on it. [`provision`] makes streams and buckets,
//! [`kv`], [`watch`] and [`records`] read and write buckets, [`lease`] says who owns what, [`consumer`] and [`pull`]
//! bring events, [`dead`] keeps what could not be written, [`replay`] brings it back, [`janitor`] removes what is
//! settled, [`contacts`] keeps who is known in the CRMs and [`lookup`] tells those who take calls, [`clock`] knows the
//! broker's time, [`tokens`] keeps OAuth tokens encrypted.
//!
//! Nothing in this crate decides what happens to an event. Every request has a time-out, and an answer that did not
//! come is an error of its own ([`Error::Unknown`]): the caller must not take it for "no".

mod assets;
mod broker;
pub mod bulk;
pub mod clock;
pub mod connect;
pub mod consumer;
pub mod contacts;
pub mod dead;
pub mod delivery;
mod error;
pub mod floor;
pub mod janitor;
pub mod journal;
pub mod kv;
pub mod lease;
pub mod ledger;
pub mod lookup;
pub mod provision;
pub mod pull;
pub mod records;
pub mod reference;
pub mod replay;
mod stored;
pub mod tokens;
pub mod watch;

pub use broker::{API_TIMEOUT, Broker, PUBLISH_TIMEOUT};
pub use error::{Error, SwapError};
