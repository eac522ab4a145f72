//! Refuses an event that a worker could not read, before anything is sent.
//!
//! Reading the bytes back would say the same and cost more than the rest of a publish; a test holds the two
//! together. Names the field at fault, never its value.

use callflume_core::codes::{self, Code};
use callflume_core::event::{
    BadEvent, CALL_ID_BYTES_MAX, ContactRef, Event, EventId, VERSION, is_kind,
};

/// The first fault that a worker would find too.
pub(crate) fn check(event: &Event) -> Result<(), BadEvent> {
    let invalid = codes::EVENT_FIELD_INVALID;
    let call_id = event.call_id.as_str();
    let faults: [(bool, Code, &str); 7] = [
        (
            event.v != VERSION,
            codes::EVENT_VERSION,
            "`v` is not the version this client writes; make events with `Draft::into_event`",
        ),
        (
            EventId::new(event.id.as_str()).is_none(),
            invalid,
            "`id` can't be used: 1 to 128 printable ASCII characters",
        ),
        (
            call_id.is_empty()
                || call_id.len() > CALL_ID_BYTES_MAX
                || call_id.chars().any(char::is_control),
            invalid,
            "`call_id` can't be used: 1 to 128 bytes without control characters",
        ),
        (
            !is_kind(&event.kind),
            invalid,
            "`kind` can't be used: a lower-case letter, then up to 63 of a-z, 0-9 and `_`",
        ),
        (
            event.at.0 < 0,
            invalid,
            "`at` can't be used: epoch milliseconds, not negative",
        ),
        (
            event.contact.phone.is_some() && event.contact.phone().is_none(),
            invalid,
            "`contact.phone` can't be used: E.164, `+`, country code, number, 7 to 15 digits",
        ),
        (
            !names_somebody(&event.contact),
            codes::EVENT_FIELD_MISSING,
            "`contact` names nobody: give `phone`, `email` or `key`",
        ),
    ];
    match faults.into_iter().find(|(faulty, _, _)| *faulty) {
        None => Ok(()),
        Some((_, code, text)) => Err(BadEvent {
            code,
            text: text.to_owned(),
        }),
    }
}

fn names_somebody(contact: &ContactRef) -> bool {
    contact.key.as_deref().is_some_and(|key| !key.is_empty())
        || contact.phone.is_some()
        || contact
            .email
            .as_deref()
            .is_some_and(|email| !email.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use callflume_core::event::{Body, ContentType, Draft, decode, encode};
    use callflume_core::time::WallTime;

    use super::*;

    type Change = fn(&mut Event);

    #[test]
    fn finds_what_a_workers_reading_finds() {
        let good = Draft {
            call_id: "call-1".to_owned(),
            kind: "note_added".to_owned(),
            at: WallTime(1_791_372_298_750),
            revision: None,
            contact: ContactRef {
                phone: Some("+44 1632 960961".to_owned()),
                ..ContactRef::default()
            },
            body: Body::new(),
        }
        .into_event(&"acme".parse().unwrap());
        let changes: [Change; 19] = [
            |_| {},
            |e| e.v = 2,
            |e| e.id = serde_json::from_str("\"\"").unwrap(),
            |e| e.id = serde_json::from_str("\"two words\"").unwrap(),
            |e| e.call_id = String::new(),
            |e| e.call_id = "x".repeat(129),
            |e| e.call_id = "x".repeat(128),
            |e| e.call_id = "a\nb".to_owned(),
            |e| e.call_id = "anruf ü".to_owned(),
            |e| e.kind = "note.added".to_owned(),
            |e| e.kind = String::new(),
            |e| e.at = WallTime(-1),
            |e| e.at = WallTime(0),
            |e| e.contact.phone = Some("01632 960961".to_owned()),
            |e| e.contact.phone = Some(String::new()),
            |e| e.contact.phone = None,
            |e| {
                e.contact = ContactRef {
                    email: Some(" ".to_owned()),
                    key: Some(String::new()),
                    name: Some("Mira".to_owned()),
                    phone: None,
                }
            },
            |e| {
                e.contact = ContactRef {
                    key: Some("k".to_owned()),
                    ..ContactRef::default()
                }
            },
            |e| {
                e.contact = ContactRef {
                    email: Some("mira@example.org".to_owned()),
                    ..ContactRef::default()
                }
            },
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut event = good.clone();
            change(&mut event);
            let bytes = encode(&event, ContentType::MessagePack).unwrap();
            let read = decode(&bytes, ContentType::MessagePack, Some(event.id.as_str()));
            assert_eq!(
                check(&event).map_err(|bad| bad.code),
                read.map(drop).map_err(|bad| bad.code),
                "change {number}"
            );
        }
    }
}
