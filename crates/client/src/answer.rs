//! What an answer of the broker means: stored, refused for good, or to be tried again.

use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::response::Response;
use async_nats::{Message, StatusCode};

/// The meaning of an answer.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It is stored.
    Stored(PublishAck),
    /// Nothing took the subject: no stream, or no leader at the moment.
    NoStream,
    /// It is not stored, and the next attempt may go better.
    NotNow {
        /// The broker's words.
        cause: String,
    },
    /// Too large for the stream.
    TooLarge {
        /// The broker's words.
        cause: String,
    },
    /// The stream (or what it may use of the disk) is full.
    Full {
        /// The broker's words.
        cause: String,
    },
    /// Another stream has the subject.
    WrongStream {
        /// The broker's words.
        cause: String,
    },
    /// Refused for good for another reason.
    Refused {
        /// The broker's words.
        cause: String,
        /// Its error number.
        broker_code: u64,
    },
    /// Something answered that is no stream.
    Unreadable,
}

/// The broker's error numbers that have a meaning of their own here.
mod number {
    pub(super) const ACCOUNT_RESOURCES_EXCEEDED: u64 = 10002;
    pub(super) const STORAGE_RESOURCES_EXCEEDED: u64 = 10047;
    pub(super) const MESSAGE_EXCEEDS_MAXIMUM: u64 = 10054;
    pub(super) const STREAM_NOT_MATCH: u64 = 10060;
    pub(super) const STREAM_STORE_FAILED: u64 = 10077;
}

/// HTTP-like classes of the broker's errors that pass by themselves: too many requests, (no leader, overload,
/// restart).
const PASSING: [usize; 2] = [429, 503];

/// Reads an answer.
pub(crate) fn read(message: &Message) -> Answer {
    if message.status == Some(StatusCode::NO_RESPONDERS) {
        return Answer::NoStream;
    }
    let error = match serde_json::from_slice(&message.payload) {
        Ok(Response::Ok(ack)) => return Answer::Stored(ack),
        Ok(Response::Err { error }) => error,
        Err(_) => return Answer::Unreadable,
    };
    let cause = error.to_string();
    match error.error_code().0 {
        number::STREAM_STORE_FAILED
        | number::ACCOUNT_RESOURCES_EXCEEDED
        | number::STORAGE_RESOURCES_EXCEEDED => Answer::Full { cause },
        number::MESSAGE_EXCEEDS_MAXIMUM => Answer::TooLarge { cause },
        number::STREAM_NOT_MATCH => Answer::WrongStream { cause },
        _ if PASSING.contains(&error.code()) => Answer::NotNow { cause },
        broker_code => Answer::Refused { cause, broker_code },
    }
}

/// Whether an answer says that the event is stored.
pub(crate) fn is_stored(message: &Message) -> bool {
    matches!(read(message), Answer::Stored(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(payload: &str) -> Message {
        Message {
            subject: "_INBOX.x.1.1".into(),
            reply: None,
            payload: payload.to_owned().into(),
            headers: None,
            status: None,
            description: None,
            length: 0,
        }
    }

    #[test]
    fn answers_are_told_apart() {
        let error = |code: u32, number: u64| {
            format!(
                r#"{{"error":{{"code":{code},"err_code":{number},"description":"words"}},"stream":"S","seq":0}}"#
            )
        };
        type Check = fn(&Answer) -> bool;
        let table: [(String, Check); 12] = [
            (
                r#"{"stream":"S","seq":7}"#.to_owned(),
                |a| matches!(a, Answer::Stored(ack) if ack.sequence == 7 && !ack.duplicate),
            ),
            (
                r#"{"stream":"S","seq":7,"duplicate":true}"#.to_owned(),
                |a| matches!(a, Answer::Stored(ack) if ack.duplicate),
            ),
            (error(503, 10077), |a| matches!(a, Answer::Full { .. })),
            (error(400, 10002), |a| matches!(a, Answer::Full { .. })),
            (error(500, 10047), |a| matches!(a, Answer::Full { .. })),
            (error(400, 10054), |a| matches!(a, Answer::TooLarge { .. })),
            (error(400, 10060), |a| {
                matches!(a, Answer::WrongStream { .. })
            }),
            (error(429, 10167), |a| matches!(a, Answer::NotNow { .. })),
            (error(503, 10008), |a| matches!(a, Answer::NotNow { .. })),
            (
                error(400, 10071),
                |a| matches!(a, Answer::Refused { cause, broker_code: 10071 } if cause.contains("words")),
            ),
            ("hello".to_owned(), |a| matches!(a, Answer::Unreadable)),
            (String::new(), |a| matches!(a, Answer::Unreadable)),
        ];
        for (payload, check) in table {
            let answer = read(&message(&payload));
            assert!(check(&answer), "{payload}: {answer:?}");
        }
        let mut nobody = message("");
        nobody.status = Some(StatusCode::NO_RESPONDERS);
        assert!(matches!(read(&nobody), Answer::NoStream));
    }
}
