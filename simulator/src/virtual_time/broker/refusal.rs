//! Why the broker says no, with the numbers the real one gives.

/// A refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No stream of this name, or none that listens on the subject.
    #[error("there is no such stream")]
    NoStream,
    /// No consumer of this name.
    #[error("there is no such consumer")]
    NoConsumer,
    /// `Nats-Expected-Stream` names another stream.
    #[error("the stream is another one than expected")]
    WrongStream,
    /// `Nats-Expected-Last-Subject-Sequence` isn't the subject's last one.
    #[error("the subject's last sequence is {last}")]
    WrongLastSequence {
        /// What it is.
        last: u64,
    },
    /// Over `max_msg_size`.
    #[error("the message is too large")]
    TooLarge,
    /// At `max_bytes`.
    #[error("the stream is full")]
    Full,
    /// An expiry on a stream that takes none.
    #[error("the stream takes no expiries")]
    TtlNotAllowed,
    /// An expiry below one second or no number.
    #[error("the expiry is no whole number of seconds from 1")]
    TtlInvalid,
}

impl Refusal {
    /// The number that the real broker gives (`err_code`).
    pub const fn number(self) -> u64 {
        match self {
            Self::NoConsumer => 10_014,
            Self::TooLarge => 10_054,
            Self::NoStream => 10_059,
            Self::WrongStream => 10_060,
            Self::WrongLastSequence { .. } => 10_071,
            Self::Full => 10_077,
            Self::TtlInvalid => 10_165,
            Self::TtlNotAllowed => 10_166,
        }
    }
}
