//! Conditions: what is compared with what, and whether a record fits.
//!
//! Texts compare without regard to case unless their field is told apart by case; null is less than everything and fits no
//! comparison but with null, and `!=`.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde_json::Value;

use crate::salesforce::ids::RecordId;
use crate::salesforce::records::{ObjectKind, Record, Store};
use crate::salesforce::schema::{Field, Type};
use crate::salesforce::values::moment;

/// A value as it is compared.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub(in crate::salesforce) enum Operand {
    Null,
    Flag(bool),
    Number(f64),
    /// Epoch milliseconds.
    Instant(i64),
    /// A folded text, an id in its long form, or a date.
    Text(String),
}

impl Operand {
    /// For an order: everything has its place.
    pub(in crate::salesforce) fn place(&self, other: &Self) -> Ordering {
        self.partial_cmp(other).unwrap_or(Ordering::Equal)
    }
}

/// What a record's field is compared as.
pub(in crate::salesforce) fn operand(field: &Field, value: &Value) -> Operand {
    match value {
        Value::Bool(flag) => Operand::Flag(*flag),
        Value::Number(number) => number.as_f64().map_or(Operand::Null, Operand::Number),
        Value::String(text) if field.kind == Type::Instant => {
            moment(text).map_or(Operand::Null, Operand::Instant)
        }
        Value::String(text) => Operand::Text(field.folded(text)),
        _ => Operand::Null,
    }
}

/// Comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::salesforce) enum Comparison {
    Equal,
    Unequal,
    Less,
    More,
    LessOrEqual,
    MoreOrEqual,
}

/// A part of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::salesforce) enum Piece {
    /// `%`
    Any,
    /// `_`
    One,
    This(char),
}

/// A condition on a record.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::salesforce) enum Condition {
    All(Vec<Self>),
    Some(Vec<Self>),
    Not(Box<Self>),
    Compare(Field, Comparison, Operand),
    In {
        field: Field,
        negated: bool,
        texts: BTreeSet<String>,
        others: Vec<Operand>,
    },
    Like(Field, Vec<Piece>),
}

/// Whether a folded text fits a pattern.
fn fits(pattern: &[Piece], text: &[char]) -> bool {
    // Places of the pattern that the text so far can have reached.
    let mut reached = vec![false; pattern.len() + 1];
    let spread = |reached: &mut Vec<bool>| {
        for (place, piece) in pattern.iter().enumerate() {
            if reached[place] && *piece == Piece::Any {
                reached[place + 1] = true;
            }
        }
    };
    reached[0] = true;
    spread(&mut reached);
    for one in text {
        let mut next = vec![false; pattern.len() + 1];
        for (place, piece) in pattern
            .iter()
            .enumerate()
            .filter(|(place, _)| reached[*place])
        {
            match piece {
                Piece::Any => next[place] = true,
                Piece::One => next[place + 1] = true,
                Piece::This(wanted) => next[place + 1] |= wanted == one,
            }
        }
        spread(&mut next);
        reached = next;
    }
    reached[pattern.len()]
}

impl Condition {
    pub(in crate::salesforce) fn holds(&self, record: &Record) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(record)),
            Self::Some(parts) => parts.iter().any(|part| part.holds(record)),
            Self::Not(part) => !part.holds(record),
            Self::Compare(field, comparison, wanted) => {
                let held = operand(field, &record.value(&field.name));
                let ordered = |test: fn(Ordering) -> bool| {
                    held != Operand::Null
                        && *wanted != Operand::Null
                        && held.partial_cmp(wanted).is_some_and(test)
                };
                match comparison {
                    Comparison::Equal => held == *wanted,
                    Comparison::Unequal => held != *wanted,
                    Comparison::Less => ordered(Ordering::is_lt),
                    Comparison::More => ordered(Ordering::is_gt),
                    Comparison::LessOrEqual => ordered(Ordering::is_le),
                    Comparison::MoreOrEqual => ordered(Ordering::is_ge),
                }
            }
            Self::In {
                field,
                negated,
                texts,
                others,
            } => {
                let held = operand(field, &record.value(&field.name));
                let inside = match &held {
                    Operand::Text(text) => texts.contains(text),
                    other => others.contains(other),
                };
                inside != *negated
            }
            Self::Like(field, pattern) => match operand(field, &record.value(&field.name)) {
                Operand::Text(text) => {
                    // A field told apart by case is still searched without regard to it.
                    let text: Vec<char> = text.to_lowercase().chars().collect();
                    fits(pattern, &text)
                }
                _ => false,
            },
        }
    }

    /// Records among which all that fit are, when an index knows them.
    pub(in crate::salesforce) fn candidates(
        &self,
        store: &Store,
        object: ObjectKind,
    ) -> Option<BTreeSet<RecordId>> {
        let with = |field: &Field, text: &String| -> Option<Vec<RecordId>> {
            // A parent's field: the index is of other records.
            if field.name.contains('.') {
                return None;
            }
            if field.kind == Type::Id {
                return Some(vec![text.clone()]);
            }
            let held = || store.with(object, &field.name, text).cloned().collect();
            field.is_indexed().then(held)
        };
        match self {
            Self::All(parts) => parts
                .iter()
                .filter_map(|part| part.candidates(store, object))
                .min_by_key(BTreeSet::len),
            Self::Some(parts) => {
                let each: Option<Vec<_>> = parts
                    .iter()
                    .map(|part| part.candidates(store, object))
                    .collect();
                each.map(|sets| sets.into_iter().flatten().collect())
            }
            Self::Compare(field, Comparison::Equal, Operand::Text(text)) => {
                with(field, text).map(BTreeSet::from_iter)
            }
            Self::In {
                field,
                negated: false,
                texts,
                others,
            } if others.is_empty() => {
                let each: Option<Vec<_>> = texts.iter().map(|text| with(field, text)).collect();
                each.map(|sets| sets.into_iter().flatten().collect())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_whole_texts() {
        let pattern = |text: &str| -> Vec<Piece> {
            text.chars()
                .map(|one| match one {
                    '%' => Piece::Any,
                    '_' => Piece::One,
                    one => Piece::This(one),
                })
                .collect()
        };
        for (like, text, expect) in [
            ("", "", true),
            ("", "a", false),
            ("%", "", true),
            ("%", "abc", true),
            ("a%", "abc", true),
            ("%c", "abc", true),
            ("%b%", "abc", true),
            ("b%", "abc", false),
            ("a_c", "abc", true),
            ("a_c", "ac", false),
            ("_%", "", false),
            ("%a%a%", "banana", true),
            ("%a%a%a%a%", "banana", false),
            ("äb%", "äbc", true),
        ] {
            let text: Vec<char> = text.chars().collect();
            assert_eq!(fits(&pattern(like), &text), expect, "{like} {text:?}");
        }
    }
}
