//! Values as Pipedrive keeps them, compared with what was meant: minutes, seconds, words of its own.

use callflume_core::effect::{Field, Object, Value};

use crate::phone::national_number;

/// Whether a text that stands in a field is this value.
pub(super) fn says(object: Object, field: &Field, value: &Value, stored: &str) -> bool {
    match value {
        Value::At(at) => format!("{stored}:00Z")
            .parse::<jiff::Timestamp>()
            .is_ok_and(|held| held.as_millisecond() == at.0 - at.0.rem_euclid(60_000)),
        Value::DurationMs(ms) => stored
            .strip_suffix(" s")
            .is_some_and(|seconds| seconds.parse() == Ok((ms + 500) / 1_000)),
        Value::Flag(flag) => stored == if *flag { "true" } else { "false" },
        Value::Text(text) => match (object, field) {
            (Object::Contact, Field::FirstName) => stored
                .strip_prefix(text.as_str())
                .is_some_and(|rest| rest.starts_with(' ')),
            (Object::Contact, Field::LastName) => stored
                .strip_suffix(text.as_str())
                .is_some_and(|rest| rest.ends_with(' ')),
            (Object::Call, Field::Disposition) => stored == text.replace('_', " "),
            (Object::Call, Field::From | Field::To) => {
                national_number(stored) == national_number(text)
            }
            (Object::Deal, Field::Amount) => {
                matches!((stored.parse::<f64>(), text.parse::<f64>()), (Ok(a), Ok(b)) if (a - b).abs() < 1e-9)
            }
            (_, Field::Text | Field::Title) => stored == text.trim(),
            _ => stored == text,
        },
    }
}

#[cfg(test)]
mod tests {
    use callflume_core::time::WallTime;

    use super::*;

    #[test]
    fn values_are_recognised_in_the_form_the_crm_keeps() {
        let text = |value: &str| Value::Text(value.to_owned());
        let at = || Value::At(WallTime(1_781_524_859_999));
        for (object, field, value, stored, same) in [
            (Object::Call, Field::At, at(), "2026-06-15T12:00", true),
            (Object::Call, Field::At, at(), "2026-06-15T12:01", false),
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
                Object::Call,
                Field::Duration,
                Value::DurationMs(65_500),
                "66 s",
                true,
            ),
            (
                Object::Call,
                Field::Duration,
                Value::DurationMs(65_500),
                "66",
                false,
            ),
            (
                Object::Call,
                Field::Disposition,
                text("no_answer"),
                "no answer",
                true,
            ),
            (Object::Deal, Field::Amount, text("24.00"), "24", true),
            (Object::Deal, Field::Stage, text("2"), "2", true),
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
