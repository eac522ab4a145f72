//! Why a connection or a publish failed, and whether the event may be stored all the same.
//!
//! Texts name streams, subjects, settings and remedies; never a value of the event, never a credential.

use callflume_core::codes::{self, Code};
use callflume_core::event::BadEvent;
use callflume_jetstream::Error;

/// Why there is no publisher.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// No server answered.
    #[error(
        "CF1201: no broker at {addresses} ({cause}); start nats-server there, or correct the address"
    )]
    Unreachable {
        /// Where, without credentials.
        addresses: String,
        /// What the attempt said.
        cause: String,
    },
    /// The server is there and does not let us in.
    #[error(
        "CF1204: the broker at {addresses} refused the credential ({cause}); correct it, or add the user on the server"
    )]
    CredentialRefused {
        /// Where, without credentials.
        addresses: String,
        /// What the attempt said.
        cause: String,
    },
    /// A setting can't be used; nothing was tried.
    #[error("CF3102: the publisher's setting `{setting}` can't be used: {cause}")]
    Setting {
        /// Name of the setting.
        setting: &'static str,
        /// Why not.
        cause: String,
    },
    /// Anything else that the connection says.
    #[error("{code}: {0}", code = .0.code())]
    Broker(Error),
}

impl From<Error> for ConnectError {
    fn from(error: Error) -> Self {
        match error {
            Error::Unreachable { addresses, cause } => Self::Unreachable { addresses, cause },
            Error::CredentialRefused { addresses, cause } => {
                Self::CredentialRefused { addresses, cause }
            }
            Error::Setting { setting, cause } => Self::Setting { setting, cause },
            other => Self::Broker(other),
        }
    }
}

impl ConnectError {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Unreachable { .. } => codes::PUBLISH_NO_BROKER,
            Self::CredentialRefused { .. } => codes::PUBLISH_NOT_ALLOWED,
            Self::Setting { .. } => codes::CONFIG_VALUE,
            Self::Broker(error) => error.code(),
        }
    }
}

/// Why an event was not acknowledged. All but [`Unknown`](Self::Unknown) mean that it is not stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The event is none that a worker could read; nothing was sent.
    #[error(transparent)]
    Invalid(#[from] BadEvent),
    /// Too many events wait for their answer; nothing was sent.
    #[error(
        "CF1208: {in_flight_max} events wait for the broker already; publish it later, or raise `in_flight_max` if the broker is well"
    )]
    Busy {
        /// The bound.
        in_flight_max: u32,
    },
    /// [`close`](crate::Publisher::close) was called; nothing was sent.
    #[error("CF1201: the publisher is closed; connect a new one")]
    Closed,
    /// The connection was lost and did not come back in time; nothing was sent since.
    #[error(
        "CF1201: the broker could not be reached for {waited_ms} ms; the event is not stored, publish it again when the broker is back"
    )]
    NoBroker {
        /// Time since the call.
        waited_ms: u64,
    },
    /// Nothing took the subject, over several attempts.
    #[error(
        "CF1202: no stream took {subject} in {attempts} attempts over {waited_ms} ms; run `callflume provision`, or wait for the cluster to elect a leader"
    )]
    NoStream {
        /// The subject.
        subject: String,
        /// Attempts made.
        attempts: u32,
        /// Time since the call.
        waited_ms: u64,
    },
    /// The event is larger than the broker takes.
    #[error(
        "CF1203: the event has {bytes} bytes ({cause}); keep what is large elsewhere and publish its address, or raise the limit"
    )]
    TooLarge {
        /// Size of the encoded event.
        bytes: usize,
        /// Which limit.
        cause: String,
    },
    /// The user may not publish here.
    #[error(
        "CF1204: this user may not publish on {subject}; grant it the right, or use another account"
    )]
    NotAllowed {
        /// The subject.
        subject: String,
    },
    /// The stream holds as much as it may.
    #[error(
        "CF1206: the stream {stream} is full ({cause}); let the workers drain it, or raise its limit and run `callflume provision`"
    )]
    StreamFull {
        /// The stream.
        stream: &'static str,
        /// The broker's words.
        cause: String,
    },
    /// The subject belongs to another stream than it should.
    #[error(
        "CF1207: {subject} is not taken by the stream {stream} ({cause}); correct the streams' subjects with `callflume provision`"
    )]
    WrongStream {
        /// The subject.
        subject: String,
        /// The stream that should take it.
        stream: &'static str,
        /// The broker's words.
        cause: String,
    },
    /// The broker refused every attempt for a reason that passes: overload, or no leader.
    #[error(
        "CF4105: the broker refused the event {attempts} times over {waited_ms} ms, the last time with: {cause}; publish it again later"
    )]
    NotNow {
        /// The broker's words.
        cause: String,
        /// Attempts made.
        attempts: u32,
        /// Time since the call.
        waited_ms: u64,
    },
    /// The broker refused for good for another reason.
    #[error("CF4105: the broker refused the event: {cause} (error {broker_code})")]
    Refused {
        /// The broker's words.
        cause: String,
        /// The broker's own error number.
        broker_code: u64,
    },
    /// At least one attempt got no answer and no later one settled it. The event **may be stored**.
    #[error(
        "CF1205: it is unknown whether the event is stored ({last}; {attempts} attempts in {waited_ms} ms); publish it again with the same id"
    )]
    Unknown {
        /// What happened last.
        last: String,
        /// Attempts made.
        attempts: u32,
        /// Time since the call.
        waited_ms: u64,
    },
}

impl PublishError {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Invalid(bad) => bad.code,
            Self::Busy { .. } => codes::PUBLISH_BUSY,
            Self::Closed | Self::NoBroker { .. } => codes::PUBLISH_NO_BROKER,
            Self::NoStream { .. } => codes::PUBLISH_NO_STREAM,
            Self::TooLarge { .. } => codes::PUBLISH_TOO_LARGE,
            Self::NotAllowed { .. } => codes::PUBLISH_NOT_ALLOWED,
            Self::StreamFull { .. } => codes::PUBLISH_STREAM_FULL,
            Self::WrongStream { .. } => codes::PUBLISH_WRONG_STREAM,
            Self::NotNow { .. } | Self::Refused { .. } => codes::BROKER_REFUSED,
            Self::Unknown { .. } => codes::PUBLISH_UNKNOWN,
        }
    }

    /// Whether the event may be stored in spite of the error. Publishing it again with the same id is right, and
    /// safe, in any case.
    pub fn may_be_stored(&self) -> bool {
        matches!(self, Self::Unknown { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_begins_with_its_code() {
        let subject = || "voice.v1.op.acme.call_ended".to_owned();
        let errors = [
            PublishError::Busy { in_flight_max: 1 },
            PublishError::Closed,
            PublishError::NoBroker { waited_ms: 1 },
            PublishError::NoStream {
                subject: subject(),
                attempts: 1,
                waited_ms: 1,
            },
            PublishError::TooLarge {
                bytes: 1,
                cause: String::new(),
            },
            PublishError::NotAllowed { subject: subject() },
            PublishError::StreamFull {
                stream: "VOICE_OP",
                cause: String::new(),
            },
            PublishError::WrongStream {
                subject: subject(),
                stream: "VOICE_OP",
                cause: String::new(),
            },
            PublishError::NotNow {
                cause: String::new(),
                attempts: 1,
                waited_ms: 1,
            },
            PublishError::Refused {
                cause: String::new(),
                broker_code: 1,
            },
            PublishError::Unknown {
                last: String::new(),
                attempts: 1,
                waited_ms: 1,
            },
            PublishError::Invalid(BadEvent {
                code: codes::EVENT_FIELD_MISSING,
                text: "x".to_owned(),
            }),
        ];
        for error in errors {
            let text = error.to_string();
            assert!(text.starts_with(error.code().as_str()), "{text}");
        }
        let errors = [
            ConnectError::Unreachable {
                addresses: String::new(),
                cause: String::new(),
            },
            ConnectError::CredentialRefused {
                addresses: String::new(),
                cause: String::new(),
            },
            ConnectError::Setting {
                setting: "urls",
                cause: String::new(),
            },
            ConnectError::from(Error::Closed {
                what: "connecting".to_owned(),
            }),
        ];
        for error in errors {
            let text = error.to_string();
            assert!(text.starts_with(error.code().as_str()), "{text}");
        }
    }
}
