//! What can go wrong at the broker, and what to do about it.
//!
//! Decides how an answer (or none) is named. Three things are never mixed: *refused* (nothing happened, and why),
//! *no responder* (nothing happened, try again) and *unknown* (it may have happened: no answer came). Texts name
//! assets, keys and settings; never a credential, a value or a payload.

use std::fmt;

use callflume_core::codes::{self, Code};
use callflume_core::record::bucket;

use crate::provision::Difference;

/// Anything the broker shell can't do.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The first connection could not be made.
    #[error(
        "no broker at {addresses} ({cause}): start nats-server there, or correct the address in the configuration"
    )]
    Unreachable {
        /// Where, without credentials.
        addresses: String,
        /// What the attempt said.
        cause: String,
    },
    /// The broker is there and does not let us in.
    #[error(
        "the broker at {addresses} refused the credential ({cause}): correct the credential in the configuration, or add the user on the server"
    )]
    CredentialRefused {
        /// Where, without credentials.
        addresses: String,
        /// What the attempt said.
        cause: String,
    },
    /// A connection setting can't be used; nothing was tried.
    #[error("the broker setting `{setting}` can't be used: {cause}")]
    Setting {
        /// Name of the setting.
        setting: &'static str,
        /// Why not.
        cause: String,
    },
    /// The server misses what Callflume rests on.
    #[error(
        "the broker at {addresses} is nats-server {version}; Callflume needs 2.14 or newer: upgrade the server"
    )]
    TooOld {
        /// Where, without credentials.
        addresses: String,
        /// What it says it is.
        version: String,
    },
    /// Streams or buckets are missing.
    #[error("the broker lacks {}: run `callflume provision`", .missing.join(", "))]
    NotProvisioned {
        /// The assets, by name.
        missing: Vec<String>,
    },
    /// Provisioning wants what can't be changed in place; nothing was changed.
    #[error("the broker can't change this in place, and nothing was changed:{}", Listed(.0))]
    NotChangeable(Vec<Difference>),
    /// The broker answered no; nothing happened.
    #[error("the broker refused {what}: {description} (error {broker_code})")]
    Refused {
        /// What was asked for.
        what: String,
        /// The broker's own error number.
        broker_code: u64,
        /// The broker's words.
        description: String,
    },
    /// A stream or bucket is at its limit; nothing was stored.
    #[error(
        "{what}: the stream is full; let the backlog drain, or raise its limit and run `callflume provision`"
    )]
    Full {
        /// What was to be stored.
        what: String,
    },
    /// The message is larger than the broker takes; nothing was stored.
    #[error("{what}: larger than the broker takes")]
    TooLarge {
        /// What was to be stored.
        what: String,
    },
    /// Nobody was there to answer; nothing happened. Normal for seconds while a leader is elected.
    #[error(
        "nobody at the broker answers for {what}: an election may be under way; if it lasts, check that JetStream is on and run `callflume provision`"
    )]
    NoResponder {
        /// What was asked for.
        what: String,
    },
    /// No answer came in time: it may have happened or not.
    #[error(
        "the broker did not answer {what} in time: it is unknown whether it happened; check the connection, and that this user has the permission"
    )]
    Unknown {
        /// What was asked for.
        what: String,
    },
    /// An answer that makes no sense.
    #[error("the broker's answer to {what} could not be understood: {cause}")]
    Unexpected {
        /// What was asked for.
        what: String,
        /// What was wrong with it.
        cause: String,
    },
    /// A stored record that this version can't read.
    #[error("the record `{key}` in bucket {bucket} can't be read ({cause}): restore or delete it")]
    MalformedRecord {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// Which part, without values.
        cause: String,
    },
    /// A stored record of a newer Callflume.
    #[error(
        "the record `{key}` in bucket {bucket} has schema {schema}, newer than this program reads: upgrade it"
    )]
    NewerRecord {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// Its schema number.
        schema: u32,
    },
    /// A text that can't be a key.
    #[error(
        "`{key}` can't be a key of bucket {bucket}: use letters, digits and -/_=. without empty parts"
    )]
    InvalidKey {
        /// The bucket.
        bucket: String,
        /// The text.
        key: String,
    },
    /// The connection was closed on our side.
    #[error("the connection to the broker was closed while {what} was under way")]
    Closed {
        /// What was under way.
        what: String,
    },
}

impl Error {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Unreachable { .. }
            | Self::NoResponder { .. }
            | Self::Unknown { .. }
            | Self::Closed { .. } => codes::BROKER_UNREACHABLE,
            Self::Setting { .. } => codes::CONFIG_VALUE,
            Self::TooOld { .. } => codes::BROKER_TOO_OLD,
            Self::NotProvisioned { .. } => codes::BROKER_NOT_PROVISIONED,
            Self::NotChangeable(_) => codes::BROKER_NOT_CHANGEABLE,
            Self::Full { .. } => codes::PUBLISH_STREAM_FULL,
            Self::TooLarge { .. } => codes::PUBLISH_TOO_LARGE,
            Self::MalformedRecord { bucket, .. } | Self::NewerRecord { bucket, .. }
                if bucket == bucket::CONFIG =>
            {
                codes::CONFIG_STORED
            }
            Self::CredentialRefused { .. }
            | Self::Refused { .. }
            | Self::Unexpected { .. }
            | Self::MalformedRecord { .. }
            | Self::NewerRecord { .. }
            | Self::InvalidKey { .. } => codes::BROKER_REFUSED,
        }
    }

    /// Whether it may have happened all the same. A caller must not treat it as not done.
    pub fn is_unknown(&self) -> bool {
        matches!(
            self,
            Self::Unknown { .. } | Self::Closed { .. } | Self::Unexpected { .. }
        )
    }

    /// Whether asking again later can help without anybody changing anything.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::NoResponder { .. } | Self::Unknown { .. }
        )
    }
}

/// Why a compare-and-set did not set.
#[derive(Debug, thiserror::Error)]
pub enum SwapError {
    /// The key has another revision than expected; nothing was written.
    #[error("somebody else wrote `{key}` first")]
    Lost {
        /// The key.
        key: String,
    },
    /// Anything else; see [`Error::is_unknown`].
    #[error(transparent)]
    Failed(#[from] Error),
}

impl SwapError {
    /// Whether it may have been written all the same.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Failed(error) if error.is_unknown())
    }
}

struct Listed<'a>(&'a [Difference]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for difference in self.0 {
            write!(f, "\n  {difference}")?;
        }
        Ok(())
    }
}
