//! What a CRM must end up holding because of one event, said without the product's planner.

use callflume_core::effect::{Field, Object, Value};

/// One effect. Which person is meant is the event's own contact (its number).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expectation {
    /// The person exists, once.
    Person,
    /// The person has these values, unless a newer event set other ones. Texts are different in every event of a plan.
    PersonFields(Vec<(Field, Value)>),
    /// One record with this mark exists, once, linked to the person, with these values.
    Record {
        /// What kind of record.
        object: Object,
        /// Tells the record apart from all others of the plan: text that appears in
        /// [`crate::holdings::HeldRecord::label`].
        mark: String,
        /// The values, the one that carries the mark among them.
        fields: Vec<(Field, Value)>,
    },
    /// The record with this mark, made by another event, has these values.
    RecordFields {
        /// What kind of record.
        object: Object,
        /// Its mark.
        mark: String,
        /// The values.
        fields: Vec<(Field, Value)>,
    },
}

/// Begins every mark.
const MARK: &str = "sim-";

/// A mark: `sim-`, the seed in hexadecimal, a number.
pub(crate) fn mark(seed: u64, number: usize) -> String {
    format!("{MARK}{seed:x}-{number:07}")
}

/// The mark in a text, if there is one: from `sim-` to the first character a mark doesn't have.
pub(crate) fn mark_in(text: &str) -> Option<&str> {
    let start = text.find(MARK)?;
    let rest = text.get(start..)?;
    let end = rest
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .unwrap_or(rest.len());
    rest.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_wherever_it_stands() {
        let own = mark(0xab, 17);
        for text in [
            own.clone(),
            format!("Call back ({own})"),
            format!("{own}: moved to Tuesday"),
        ] {
            assert_eq!(mark_in(&text), Some(own.as_str()), "{text}");
        }
        assert_eq!(mark_in("Call back"), None);
    }
}
