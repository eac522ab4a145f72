//! Where HubSpot keeps a value and in which form: the oracle's own reading of the vendor's documents, not the product's.
//!
//! Instants are kept in ISO form, e-mail addresses in lower case, enumerations in upper case; numbers as they were sent.

use callflume_core::effect::{Field, Object, Value};

use crate::hubspot::ObjectKind;

/// HubSpot's object.
pub(super) fn kind(object: Object) -> ObjectKind {
    match object {
        Object::Contact => ObjectKind::Contacts,
        Object::Call => ObjectKind::Calls,
        Object::Note => ObjectKind::Notes,
        Object::Task => ObjectKind::Tasks,
        Object::Deal => ObjectKind::Deals,
    }
}

/// The property a field is kept in; `None` when HubSpot has none for it on this object.
pub(super) fn property(object: Object, field: &Field) -> Option<&str> {
    Some(match (object, field) {
        (_, Field::Custom(name)) => name,
        (Object::Contact, Field::FirstName) => "firstname",
        (Object::Contact, Field::LastName) => "lastname",
        (Object::Contact, Field::Email) => "email",
        (Object::Contact, Field::Phone) => "phone",
        (Object::Contact, Field::OptedOut) => "callflume_opted_out",
        (Object::Call | Object::Note | Object::Task, Field::At) => "hs_timestamp",
        (Object::Call, Field::Text) => "hs_call_body",
        (Object::Call, Field::Direction) => "hs_call_direction",
        (Object::Call, Field::Duration) => "hs_call_duration",
        // The outcome has an id of its own per account; the status is the same everywhere.
        (Object::Call, Field::Disposition) => "hs_call_status",
        (Object::Call, Field::From) => "hs_call_from_number",
        (Object::Call, Field::To) => "hs_call_to_number",
        (Object::Call, Field::RecordingUrl) => "hs_call_recording_url",
        (Object::Call, Field::Sentiment) => "callflume_sentiment",
        (Object::Call, Field::CallId) => "hs_call_external_id",
        (Object::Note, Field::Text) => "hs_note_body",
        (Object::Task, Field::Title) => "hs_task_subject",
        (Object::Task, Field::Text) => "hs_task_body",
        (Object::Task, Field::Priority) => "hs_task_priority",
        (Object::Deal, Field::Title) => "dealname",
        (Object::Deal, Field::Stage) => "dealstage",
        (Object::Deal, Field::Amount) => "amount",
        _ => return None,
    })
}

/// Whether a stored text is this value.
pub(super) fn matches(object: Object, field: &Field, value: &Value, stored: &str) -> bool {
    match value {
        Value::At(at) => stored
            .parse::<jiff::Timestamp>()
            .is_ok_and(|held| held.as_millisecond() == at.0),
        Value::DurationMs(ms) => stored.parse() == Ok(*ms),
        Value::Flag(flag) => stored == if *flag { "true" } else { "false" },
        Value::Text(text) => match (object, field) {
            (Object::Contact, Field::Email) => stored == text.to_lowercase(),
            (Object::Call, Field::Direction) | (Object::Task, Field::Priority) => {
                stored == text.to_uppercase()
            }
            (Object::Call, Field::Disposition) => status(text) == Some(stored),
            (Object::Deal, Field::Amount) => {
                matches!((stored.parse::<f64>(), text.parse::<f64>()), (Ok(a), Ok(b)) if (a - b).abs() < 1e-9)
            }
            _ => stored == text,
        },
    }
}

/// HubSpot's call status for what the traffic reports.
fn status(disposition: &str) -> Option<&'static str> {
    Some(match disposition {
        "connected" | "transferred" | "voicemail" => "COMPLETED",
        "no_answer" => "NO_ANSWER",
        "busy" | "declined" => "BUSY",
        "abandoned" => "CANCELED",
        "failed" | "error" => "FAILED",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use callflume_core::time::WallTime;

    #[test]
    fn values_are_recognised_in_the_form_the_crm_keeps() {
        let text = |value: &str| Value::Text(value.to_owned());
        for (object, field, value, stored, same) in [
            (
                Object::Call,
                Field::At,
                Value::At(WallTime(1_781_524_800_123)),
                "2026-06-15T12:00:00.123Z",
                true,
            ),
            (
                Object::Call,
                Field::At,
                Value::At(WallTime(1_781_524_800_123)),
                "2026-06-15T12:00:00.124Z",
                false,
            ),
            (
                Object::Contact,
                Field::Email,
                text("A@Example.net"),
                "a@example.net",
                true,
            ),
            (
                Object::Call,
                Field::Direction,
                text("inbound"),
                "INBOUND",
                true,
            ),
            (
                Object::Call,
                Field::Duration,
                Value::DurationMs(65_250),
                "65250",
                true,
            ),
            (
                Object::Call,
                Field::Disposition,
                text("abandoned"),
                "CANCELED",
                true,
            ),
            (Object::Deal, Field::Amount, text("24.00"), "24", true),
            (
                Object::Contact,
                Field::OptedOut,
                Value::Flag(true),
                "true",
                true,
            ),
            (Object::Note, Field::Text, text("a"), "A", false),
        ] {
            assert_eq!(
                matches(object, &field, &value, stored),
                same,
                "{object} {stored}"
            );
        }
    }
}
