//! What a voice service links to hand events to Callflume, and to know who calls ([`Contacts`]).
//!
//! [`Publisher::publish`] returns once the broker has stored the event (or says precisely why not), usually in well
//! under a millisecond; it never waits for a CRM. What it guarantees:
//!
//! - **once**: every attempt of one event carries the same id, so an attempt whose outcome is unknown is repeated
//!   without doubling anything;
//! - **in order**: at most one event of a call is unacknowledged; later ones of the same call wait their turn;
//! - **bounded**: at most [`Settings::in_flight_max`] events wait at a time; one more is refused at once;
//! - **told apart**: *not stored* and *may be stored* are never mixed ([`PublishError::may_be_stored`]).
//!
//! The wire format is `docs/contract.md`; services in other languages follow that page.
//!
//! ```no_run
//! # async fn example(draft: callflume_core::event::Draft) -> Result<(), Box<dyn std::error::Error>> {
//! use callflume_client::{Publisher, Settings};
//! use callflume_core::{account::AccountId, lane::Lane};
//!
//! let publisher = Publisher::connect(Settings::at(["nats://127.0.0.1:4222"])).await?;
//! let account: AccountId = "acme".parse()?;
//! let event = draft.into_event(&account);
//! let receipt = publisher.publish(&account, Lane::Op, &event).await?;
//! println!("{} {}", receipt.stream, receipt.sequence);
//! publisher.close().await;
//! # Ok(())
//! # }
//! ```

mod acks;
mod answer;
mod attempt;
mod check;
mod connection;
mod contacts;
mod error;
mod publisher;
mod settings;
mod turns;

pub use callflume_core::lookup::{KnownContact, Person};
pub use callflume_jetstream::connect::{Credentials, TlsClient};
pub use callflume_jetstream::lookup::{LookupCounts, LookupSettings};
pub use contacts::{ContactSettings, Contacts, Lookup, LookupError};
pub use error::{ConnectError, PublishError};
pub use publisher::{Publisher, Receipt};
pub use settings::{Retry, Settings};
