//! Values as Salesforce keeps them: comments of a call with the facts below its text, dates without a time, whole
//! seconds, words with a capital. Compared with what was meant.

use callflume_core::effect::{Field, Object, Value};
use callflume_core::time::WallTime;

use crate::phone::national_number;

/// Facts of a call without a field of their own, each on a line of the last paragraph.
const FACTS: [(&str, Field); 3] = [
    ("From: ", Field::From),
    ("To: ", Field::To),
    ("Began: ", Field::At),
];

/// A call's comments.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Comments<'a> {
    /// What was said.
    pub(super) text: &'a str,
    /// What stands below it.
    pub(super) facts: Vec<(Field, &'a str)>,
}

fn fact(line: &str) -> Option<(Field, &str)> {
    FACTS
        .iter()
        .find_map(|(label, field)| Some((field.clone(), line.strip_prefix(label)?)))
}

impl<'a> Comments<'a> {
    /// The last paragraph is facts only if each of its lines is one.
    pub(super) fn read(comments: &'a str) -> Self {
        let (text, last) = comments.rsplit_once("\n\n").unwrap_or(("", comments));
        match last.lines().map(fact).collect::<Option<Vec<_>>>() {
            Some(facts) => Self { text, facts },
            None => Self {
                text: comments,
                facts: Vec::new(),
            },
        }
    }
}

/// Whether a text that stands in a field is this value.
pub(super) fn says(object: Object, field: &Field, value: &Value, stored: &str) -> bool {
    match value {
        Value::At(at) => began(object, *at).is_some_and(|meant| meant == stored),
        // A begun second may count as one or not.
        Value::DurationMs(ms) => stored
            .parse::<u64>()
            .is_ok_and(|seconds| (seconds * 1_000).abs_diff(*ms) < 1_000),
        Value::Flag(flag) => stored == if *flag { "true" } else { "false" },
        Value::Text(text) => match (object, field) {
            (Object::Contact, Field::Phone) | (Object::Call, Field::From | Field::To) => {
                national_number(stored) == national_number(text)
            }
            (Object::Contact, Field::Email) => stored.eq_ignore_ascii_case(text),
            (Object::Call, Field::Direction) => stored.to_lowercase() == *text,
            (Object::Call, Field::Disposition) => {
                stored.to_lowercase().replace(' ', "_") == text.to_lowercase()
            }
            (Object::Task, Field::Priority) => {
                stored
                    == match text.as_str() {
                        "high" => "High",
                        "low" => "Low",
                        _ => "Normal",
                    }
            }
            (Object::Deal, Field::Amount) => {
                matches!((stored.parse::<f64>(), text.parse::<f64>()), (Ok(a), Ok(b)) if (a - b).abs() < 1e-9)
            }
            (_, Field::Text | Field::Title) => stored == text.trim(),
            _ => stored == text,
        },
    }
}

/// An instant as it is written: of a call to the second, else as a date, both in UTC.
fn began(object: Object, at: WallTime) -> Option<String> {
    let at = jiff::Timestamp::from_millisecond(at.0).ok()?;
    let form = if object == Object::Call {
        "%Y-%m-%d %H:%M:%S UTC"
    } else {
        "%Y-%m-%d"
    };
    Some(at.strftime(form).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_told_from_what_was_said() {
        let facts = "From: +12025550101\nTo: +12025550190\nBegan: 2026-06-15 12:00:00 UTC";
        let read = Comments::read(facts);
        assert_eq!((read.text, read.facts.len()), ("", 3));
        let whole = format!("Wants a quote.\n\nFrom: the shop.\n\n{facts}");
        let read = Comments::read(&whole);
        assert_eq!(read.text, "Wants a quote.\n\nFrom: the shop.");
        assert_eq!(read.facts[2], (Field::At, "2026-06-15 12:00:00 UTC"));
        for plain in ["Wants a quote.", "A\n\nFrom: x\nand more"] {
            let read = Comments::read(plain);
            assert_eq!((read.text, read.facts.len()), (plain, 0));
        }
    }

    #[test]
    fn values_are_recognised_in_the_form_the_crm_keeps() {
        let text = |value: &str| Value::Text(value.to_owned());
        let at = || Value::At(WallTime(1_781_524_859_999));
        let length = || Value::DurationMs(65_250);
        for (object, field, value, stored, same) in [
            (
                Object::Call,
                Field::At,
                at(),
                "2026-06-15 12:00:59 UTC",
                true,
            ),
            (
                Object::Call,
                Field::At,
                at(),
                "2026-06-15 12:01:00 UTC",
                false,
            ),
            (Object::Call, Field::At, at(), "2026-06-15", false),
            (Object::Task, Field::At, at(), "2026-06-15", true),
            (Object::Task, Field::At, at(), "2026-06-16", false),
            (Object::Call, Field::Duration, length(), "66", true),
            (Object::Call, Field::Duration, length(), "65", true),
            (Object::Call, Field::Duration, length(), "67", false),
            (
                Object::Call,
                Field::Disposition,
                text("no_answer"),
                "No answer",
                true,
            ),
            (
                Object::Call,
                Field::Direction,
                text("inbound"),
                "Inbound",
                true,
            ),
            (
                Object::Call,
                Field::From,
                text("+12025550101"),
                "+12025550101",
                true,
            ),
            (
                Object::Task,
                Field::Priority,
                text("medium"),
                "Normal",
                true,
            ),
            (Object::Task, Field::Priority, text("low"), "Normal", false),
            (Object::Deal, Field::Amount, text("24.00"), "24", true),
            (
                Object::Contact,
                Field::Email,
                text("A@example.net"),
                "a@example.net",
                true,
            ),
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
