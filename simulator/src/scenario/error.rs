//! Why a scenario file can't be used: where exactly, and what to write instead.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::checks::{Fault, Step};

/// A scenario file that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// It can't be read at all.
    #[error("{file}: can't be read: {cause}; check the path")]
    Unreadable {
        /// The path.
        file: String,
        /// What the system says.
        cause: std::io::Error,
    },
    /// Something in it is wrong.
    #[error("{file}:{line}:{column}: `{field}`: {problem}; {remedy}")]
    Invalid {
        /// The file.
        file: String,
        /// 1 for the first line.
        line: usize,
        /// 1 for the first character of the line.
        column: usize,
        /// Path of the field, such as `crm.faults[0].until_s`.
        field: String,
        /// What is wrong.
        problem: String,
        /// What to write instead.
        remedy: String,
    },
}

/// A scenario that real time has no means for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{field}` works under virtual time only; run it with --virtual, or remove it from the scenario"
)]
pub struct OnlyVirtual {
    /// Path of the field.
    pub field: &'static str,
}

/// A fault found while reading: syntax, an unknown key, a wrong type.
pub(super) fn from_toml(text: &str, file: &str, cause: &toml::de::Error) -> ScenarioError {
    let offset = cause.span().map_or(0, |span| span.start);
    let (line, column) = place(text, offset);
    let message = cause.message();
    let (problem, remedy) = match message.split_once(", expected ") {
        Some((problem, expected)) if message.starts_with("unknown field") => (
            problem.to_owned(),
            format!(
                "correct the spelling or remove it; known here: {}",
                expected.trim_start_matches("one of ")
            ),
        ),
        Some((problem, expected)) => (problem.to_owned(), format!("write {expected}")),
        None if message.starts_with("missing field") => {
            (message.to_owned(), "add it to this table".to_owned())
        }
        None => (
            message.to_owned(),
            "compare with a file in loadtests/".to_owned(),
        ),
    };
    let missing = backticked(message).filter(|_| message.starts_with("missing field"));
    let table = DeTable::parse(text)
        .ok()
        .and_then(|table| path_at(table.get_ref(), offset));
    let field = match (table, missing) {
        (Some(table), Some(missing)) => format!("{table}.{missing}"),
        (Some(table), None) => table,
        (None, Some(missing)) => missing.to_owned(),
        (None, None) => "(file)".to_owned(),
    };
    ScenarioError::Invalid {
        file: file.to_owned(),
        line,
        column,
        field,
        problem,
        remedy,
    }
}

/// A value that is readable and can't be used.
pub(super) fn from_check(text: &str, file: &str, fault: Fault) -> ScenarioError {
    let offset = DeTable::parse(text)
        .ok()
        .and_then(|table| offset_of(table.get_ref(), &fault.path))
        .unwrap_or(0);
    let (line, column) = place(text, offset);
    ScenarioError::Invalid {
        file: file.to_owned(),
        line,
        column,
        field: fault.field(),
        problem: fault.problem,
        remedy: fault.remedy,
    }
}

/// Line and column of a byte, both from 1.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (line, column)
}

fn backticked(message: &str) -> Option<&str> {
    message.split('`').nth(1)
}

/// Path of the innermost field whose key or value holds a byte. A table counts from its first key on.
fn path_at(table: &DeTable<'_>, offset: usize) -> Option<String> {
    for (key, value) in table {
        let name = key.get_ref();
        if let Some(inner) = within(value, offset) {
            return Some(format!("{name}{inner}"));
        }
        if holds(&key.span(), offset) || holds(&value.span(), offset) {
            return Some(name.to_string());
        }
    }
    None
}

/// What follows the field's own name when the byte lies deeper in its value.
fn within(value: &Spanned<DeValue<'_>>, offset: usize) -> Option<String> {
    match value.get_ref() {
        DeValue::Table(table) => path_at(table, offset).map(|path| format!(".{path}")),
        DeValue::Array(items) => items.iter().enumerate().find_map(|(index, item)| {
            if let Some(inner) = within(item, offset) {
                return Some(format!("[{index}]{inner}"));
            }
            holds(&item.span(), offset).then(|| format!("[{index}]"))
        }),
        _ => None,
    }
}

fn holds(span: &Range<usize>, offset: usize) -> bool {
    span.start <= offset && offset < span.end.max(span.start + 1)
}

/// Where the field of this path stands; the nearest table above it when the file leaves it out.
fn offset_of(table: &DeTable<'_>, path: &[Step]) -> Option<usize> {
    let (Step::Key(name), rest) = path.split_first()? else {
        return None;
    };
    let (key, value) = table.iter().find(|(key, _)| key.get_ref() == name)?;
    let own = key.span().start;
    Some(offset_in(value, rest).unwrap_or(own))
}

fn offset_in(value: &Spanned<DeValue<'_>>, path: &[Step]) -> Option<usize> {
    match (value.get_ref(), path.first()?) {
        (DeValue::Table(table), Step::Key(_)) => {
            Some(offset_of(table, path).unwrap_or(value.span().start))
        }
        (DeValue::Array(items), Step::Index(index)) => {
            let item = items.get(*index)?;
            Some(offset_in(item, &path[1..]).unwrap_or(item.span().start))
        }
        _ => None,
    }
}
