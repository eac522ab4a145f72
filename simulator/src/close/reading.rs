//! Values as Close keeps them, compared with what was meant: texts without their marks, units, words of its own.

use callflume_core::effect::{Field, Object, Value};

use super::replies::instant;
use crate::phone::national_number;

/// Begins the last paragraph of a text.
const MARKER: &str = "[callflume ";
/// Begins the paragraph of a new call's note that says its sentiment.
const SENTIMENT: &str = "Sentiment: ";

/// The paragraphs of a text, without the one that marks the record.
pub(super) fn paragraphs(text: &str) -> &str {
    match text.rsplit_once("\n\n") {
        Some((before, last)) if last.starts_with(MARKER) => before,
        None if text.starts_with(MARKER) => "",
        _ => text,
    }
}

/// A call's text and sentiment.
pub(super) fn call_text(note: &str) -> (&str, Option<&str>) {
    let text = paragraphs(note);
    match text.rsplit_once("\n\n") {
        Some((before, last)) if last.starts_with(SENTIMENT) => {
            (before, last.strip_prefix(SENTIMENT))
        }
        None if text.starts_with(SENTIMENT) => ("", text.strip_prefix(SENTIMENT)),
        _ => (text, None),
    }
}

/// Whether a text that stands in a field is this value.
pub(super) fn says(object: Object, field: &Field, value: &Value, stored: &str) -> bool {
    match value {
        Value::At(at) => instant(stored) == Some(at.0),
        Value::DurationMs(ms) => stored.parse() == Ok((ms + 500) / 1_000),
        Value::Flag(flag) => stored == if *flag { "true" } else { "false" },
        Value::Text(text) => match (object, field) {
            (Object::Contact, Field::FirstName) => stored
                .strip_prefix(text.as_str())
                .is_some_and(|rest| rest.starts_with(' ')),
            (Object::Contact, Field::LastName) => stored
                .strip_suffix(text.as_str())
                .is_some_and(|rest| rest.ends_with(' ')),
            (Object::Call, Field::Disposition) => status(text) == Some(stored),
            (Object::Call, Field::From | Field::To) => {
                national_number(stored) == national_number(text)
            }
            (Object::Deal, Field::Amount) => {
                let cents = text.parse::<f64>().map(|amount| (amount * 100.0).round());
                matches!((stored.parse::<f64>(), cents), (Ok(a), Ok(b)) if (a - b).abs() < 1e-9)
            }
            (_, Field::Text | Field::Title) => stored == text.trim(),
            _ => stored == text,
        },
    }
}

/// Close's call status for what the traffic reports.
fn status(disposition: &str) -> Option<&'static str> {
    Some(match disposition {
        "connected" | "transferred" | "voicemail" => "completed",
        "no_answer" => "no-answer",
        "busy" | "declined" => "busy",
        "abandoned" => "cancel",
        "failed" | "error" => "failed",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use callflume_core::time::WallTime;

    use super::*;

    #[test]
    fn texts_are_read_without_their_marks() {
        for (note, expect) in [
            ("Sum\n\n[callflume c-1]", ("Sum", None)),
            ("[callflume c-1]", ("", None)),
            (
                "A\n\nB\n\nSentiment: positive\n\n[callflume c-1]",
                ("A\n\nB", Some("positive")),
            ),
            (
                "Sentiment: neutral\n\n[callflume c-1]",
                ("", Some("neutral")),
            ),
            ("typed by a person", ("typed by a person", None)),
        ] {
            assert_eq!(call_text(note), expect, "{note}");
        }
    }

    #[test]
    fn values_are_recognised_in_the_form_the_crm_keeps() {
        let text = |value: &str| Value::Text(value.to_owned());
        for (object, field, value, stored, same) in [
            (
                Object::Call,
                Field::At,
                Value::At(WallTime(1_781_524_800_123)),
                "2026-06-15T12:00:00.123000+00:00",
                true,
            ),
            (
                Object::Call,
                Field::At,
                Value::At(WallTime(1_781_524_800_123)),
                "2026-06-15T12:00:00.000000+00:00",
                false,
            ),
            (
                Object::Contact,
                Field::FirstName,
                text("Bo"),
                "Bo Roe",
                true,
            ),
            (
                Object::Contact,
                Field::FirstName,
                text("Bo"),
                "Bor Roe",
                false,
            ),
            (
                Object::Contact,
                Field::LastName,
                text("Roe"),
                "Bo Roe",
                true,
            ),
            (
                Object::Contact,
                Field::LastName,
                text("oe"),
                "Bo Roe",
                false,
            ),
            (
                Object::Call,
                Field::Duration,
                Value::DurationMs(65_500),
                "66",
                true,
            ),
            (
                Object::Call,
                Field::Disposition,
                text("declined"),
                "busy",
                true,
            ),
            (
                Object::Call,
                Field::From,
                text("+12025550143"),
                "+12025550143",
                true,
            ),
            (Object::Deal, Field::Amount, text("24.00"), "2400", true),
            (Object::Deal, Field::Amount, text("24.00"), "24", false),
            (Object::Note, Field::Text, text("a "), "a", true),
        ] {
            assert_eq!(
                says(object, &field, &value, stored),
                same,
                "{object} {stored}"
            );
        }
    }
}
