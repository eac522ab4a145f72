//! One attempt: what is sent, what its end means, and what all ends together mean for the event.
//!
//! The one thing never mixed up: whether the event is certainly not stored, or may be.

use async_nats::jetstream::publish::PublishAck;
use async_nats::{HeaderMap, Subject};
use bytes::Bytes;
use callflume_core::event::ContentType;

use crate::answer::Answer;
use crate::error::PublishError;

/// An event ready to be sent, the same for every attempt.
pub(crate) struct Outgoing<'a> {
    pub(crate) id: &'a str,
    pub(crate) subject: Subject,
    pub(crate) stream: &'static str,
    pub(crate) content_type: ContentType,
    pub(crate) traceparent: Option<&'a str>,
    pub(crate) payload: Bytes,
}

/// How an attempt ended.
pub(crate) enum Attempt {
    Stored(PublishAck),
    /// Another attempt can change nothing.
    Final(PublishError),
    Again(Setback),
}

/// Why another attempt is made.
#[derive(Debug)]
pub(crate) enum Setback {
    /// Nothing was sent.
    Disconnected,
    /// Sent, and no answer.
    NoAnswer,
    /// No stream, or no leader.
    NoStream,
    /// Refused for a passing reason.
    NotNow(String),
    /// Answered by something that is no stream.
    Unreadable,
}

impl Setback {
    /// Whether the attempt may have stored the event.
    fn is_unknown(&self) -> bool {
        matches!(self, Self::NoAnswer | Self::Unreadable)
    }
}

/// What is known of an event's attempts.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tally {
    /// Attempts sent.
    pub(crate) attempts: u32,
    /// Those of them that may have stored the event. One is enough for the whole to be unknown.
    unknown: u32,
}

impl Tally {
    pub(crate) fn count(&mut self, setback: &Setback) {
        self.unknown += u32::from(setback.is_unknown());
    }

    /// The latest attempt was answered after all.
    pub(crate) fn answered_late(&mut self) {
        self.unknown = self.unknown.saturating_sub(1);
    }

    /// A final refusal of the latest attempt, in the light of the earlier ones.
    pub(crate) fn refused(self, error: PublishError, waited_ms: u64) -> PublishError {
        // These would have met every attempt alike. The others say nothing about an earlier one.
        let same_for_all = matches!(
            error,
            PublishError::TooLarge { .. }
                | PublishError::NotAllowed { .. }
                | PublishError::WrongStream { .. }
        );
        if self.unknown == 0 || same_for_all {
            return error;
        }
        PublishError::Unknown {
            last: format!("the last attempt was refused: {error}"),
            attempts: self.attempts,
            waited_ms,
        }
    }

    /// Time is up after this setback. `deaf` says that the broker refuses us our replies.
    pub(crate) fn gave_up(
        self,
        setback: &Setback,
        outgoing: &Outgoing<'_>,
        deaf: bool,
        waited_ms: u64,
    ) -> PublishError {
        let attempts = self.attempts;
        if self.unknown > 0 {
            let last = match setback {
                Setback::Disconnected => "the connection was lost and did not come back (CF1201)",
                Setback::NoStream => "no stream takes the subject at the moment (CF1202)",
                Setback::NotNow(_) => "the broker is overloaded or without a leader",
                Setback::Unreadable => {
                    "something answers on the subject that is no stream; see who subscribes to it"
                }
                Setback::NoAnswer if deaf => {
                    "this user may not subscribe to its replies (CF1204): grant it the inbox, or set `inbox_prefix` to one it may use"
                }
                Setback::NoAnswer => "the broker does not answer",
            };
            return PublishError::Unknown {
                last: last.to_owned(),
                attempts,
                waited_ms,
            };
        }
        match setback {
            Setback::Disconnected => PublishError::NoBroker { waited_ms },
            Setback::NotNow(cause) => PublishError::NotNow {
                cause: cause.clone(),
                attempts,
                waited_ms,
            },
            // The unknown ones have been counted, so this is what is left.
            Setback::NoStream | Setback::NoAnswer | Setback::Unreadable => PublishError::NoStream {
                subject: outgoing.subject.to_string(),
                attempts,
                waited_ms,
            },
        }
    }
}

impl Outgoing<'_> {
    pub(crate) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(async_nats::header::NATS_MESSAGE_ID, self.id);
        headers.insert(async_nats::header::NATS_EXPECTED_STREAM, self.stream);
        if self.content_type == ContentType::Json {
            headers.insert("Content-Type", "application/json");
        }
        if let Some(traceparent) = self.traceparent {
            headers.insert("traceparent", traceparent);
        }
        headers
    }

    /// What an answer means for this event.
    pub(crate) fn judge(&self, answer: Answer) -> Attempt {
        Attempt::Final(match answer {
            Answer::Stored(ack) => return Attempt::Stored(ack),
            Answer::NoStream => return Attempt::Again(Setback::NoStream),
            Answer::NotNow { cause } => return Attempt::Again(Setback::NotNow(cause)),
            Answer::Unreadable => return Attempt::Again(Setback::Unreadable),
            Answer::TooLarge { cause } => PublishError::TooLarge {
                bytes: self.payload.len(),
                cause,
            },
            Answer::Full { cause } => PublishError::StreamFull {
                stream: self.stream,
                cause,
            },
            Answer::WrongStream { cause } => PublishError::WrongStream {
                subject: self.subject.to_string(),
                stream: self.stream,
                cause,
            },
            Answer::Refused { cause, broker_code } => PublishError::Refused { cause, broker_code },
        })
    }
}

#[cfg(test)]
mod tests {
    use callflume_core::codes;

    use super::*;

    fn outgoing() -> Outgoing<'static> {
        Outgoing {
            id: "id",
            subject: "voice.v1.op.acme.call_ended".into(),
            stream: "VOICE_OP",
            content_type: ContentType::MessagePack,
            traceparent: None,
            payload: Bytes::from_static(b"x"),
        }
    }

    #[test]
    fn one_unknown_attempt_makes_the_whole_unknown_until_it_is_answered() {
        let full = || PublishError::StreamFull {
            stream: "VOICE_OP",
            cause: String::new(),
        };
        let setbacks: [(Setback, codes::Code); 3] = [
            (Setback::Disconnected, codes::PUBLISH_NO_BROKER),
            (Setback::NoStream, codes::PUBLISH_NO_STREAM),
            (Setback::NotNow(String::new()), codes::BROKER_REFUSED),
        ];
        let clean = Tally::default();
        let mut tainted = clean;
        tainted.count(&Setback::NoStream);
        tainted.count(&Setback::NoAnswer);
        for (setback, code) in setbacks {
            let error = clean.gave_up(&setback, &outgoing(), false, 1);
            assert_eq!(error.code(), code, "{error}");
            let error = tainted.gave_up(&setback, &outgoing(), false, 1);
            assert_eq!(error.code(), codes::PUBLISH_UNKNOWN, "{error}");
        }
        assert_eq!(clean.refused(full(), 1), full());
        assert!(tainted.refused(full(), 1).may_be_stored());
        let too_large = PublishError::TooLarge {
            bytes: 1,
            cause: String::new(),
        };
        assert_eq!(tainted.refused(too_large.clone(), 1), too_large);
        tainted.answered_late();
        assert_eq!(tainted.refused(full(), 1), full());
    }
}
