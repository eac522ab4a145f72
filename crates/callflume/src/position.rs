//! Where in the configuration file something is wrong, shown with the line and a caret.
//!
//! Never shows a secret: of a line that may hold one, only what stands before its value.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Words in a line that make its value unfit for showing.
const SECRET_WORDS: [&str; 7] = [
    "token",
    "password",
    "nkey",
    "secret",
    "oauth",
    "client_id",
    "://",
];

/// The place of a span: line and column from 1, and the line as far as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Line, from 1.
    pub(crate) line: usize,
    /// Column in characters, from 1.
    pub(crate) column: usize,
    /// Whether the line may hold a secret; what is said about it must not repeat values either.
    pub(crate) secret: bool,
    shown: String,
    width: usize,
}

impl Place {
    /// The place of `span` in `text`.
    pub(crate) fn of(text: &str, span: &Range<usize>) -> Self {
        let before = text.get(..span.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let rest = text.get(line_start..).unwrap_or_default();
        let full = rest.lines().next().unwrap_or_default();
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        let marked = text
            .get(span.start..span.end)
            .and_then(|marked| marked.lines().next())
            .map_or(0, |marked| marked.chars().count());
        let lower = full.to_lowercase();
        let secret = SECRET_WORDS.iter().any(|word| lower.contains(word));
        let shown = match full.split_once('=') {
            Some((key, _)) if secret => format!("{key}= …"),
            _ if secret => "…".to_owned(),
            _ => full.to_owned(),
        };
        let room = shown.chars().count().saturating_sub(column - 1);
        Self {
            line: before.matches('\n').count() + 1,
            column,
            width: marked.min(room).max(1),
            secret,
            shown,
        }
    }

    /// The line with a caret under the place.
    pub(crate) fn excerpt(&self) -> String {
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        let caret_at = (self.column - 1).min(self.shown.chars().count());
        format!(
            "{margin} |\n{number} | {}\n{margin} | {}{}",
            self.shown,
            " ".repeat(caret_at),
            "^".repeat(self.width)
        )
    }
}

/// The span of the deepest part of `path` (`accounts.acme.mapping.k[0].fields.x.score`) that stands in the document:
/// a value's own, or the key's of a table.
pub(crate) fn find(document: &Spanned<DeTable<'_>>, path: &str) -> Range<usize> {
    let mut table = document.get_ref();
    let mut found = 0..0;
    let mut rest = path;
    loop {
        // A key may hold dots itself; the longest that fits is meant.
        let next = table
            .iter()
            .filter_map(|(key, value)| {
                let after = rest.strip_prefix(key.get_ref().as_ref())?;
                let ends = after.is_empty() || after.starts_with(['.', '[']);
                ends.then_some((key, value, after))
            })
            .min_by_key(|(_, _, after)| after.len());
        let Some((key, mut value, mut after)) = next else {
            return found;
        };
        found = key.span();
        while let Some((index, behind)) = after.strip_prefix('[').and_then(|a| a.split_once(']')) {
            let (Ok(index), DeValue::Array(items)) = (index.parse::<usize>(), value.get_ref())
            else {
                return found;
            };
            let Some(item) = items.get(index) else {
                return found;
            };
            value = item;
            if !value.span().is_empty() {
                found = value.span();
            }
            after = behind;
        }
        match value.get_ref() {
            DeValue::Table(inner) if !after.is_empty() => {
                table = inner;
                rest = after.trim_start_matches('.');
            }
            DeValue::Table(_) => return found,
            _ => return value.span(),
        }
    }
}

/// The value at a path of plain keys.
pub(crate) fn value<'d, 'i>(
    table: &'d DeTable<'i>,
    path: &[&str],
) -> Option<&'d Spanned<DeValue<'i>>> {
    let (first, rest) = path.split_first()?;
    let (_, found) = table
        .iter()
        .find(|(key, _)| key.get_ref().as_ref() == *first)?;
    match (rest, found.get_ref()) {
        ([], _) => Some(found),
        (rest, DeValue::Table(inner)) => value(inner, rest),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[accounts.acme]\ncrm = \"hubspot\"\nshare_percent = 0\n\n\
        [[accounts.acme.mapping.note_added]]\nobject = \"note\"\nfields = { \"x.a\" = \"1\", text = \"2\" }\n";

    #[test]
    fn the_deepest_part_that_is_there_is_found() {
        let document = DeTable::parse(TEXT).unwrap();
        for (path, line, column) in [
            ("accounts.acme.share_percent", 3, 17),
            ("accounts.acme.limits.daily", 1, 11),
            ("accounts.acme.mapping.note_added[0].fields.x.a", 7, 20),
            ("accounts.acme.mapping.note_added[0].fields.text", 7, 32),
            ("accounts.acme.mapping.note_added[7]", 5, 25),
        ] {
            let place = Place::of(TEXT, &find(&document, path));
            assert_eq!((place.line, place.column), (line, column), "{path}");
        }
    }

    #[test]
    fn a_caret_stands_under_the_place_and_secrets_stay_hidden() {
        let document = DeTable::parse(TEXT).unwrap();
        let span = find(&document, "accounts.acme.share_percent");
        assert_eq!(
            Place::of(TEXT, &span).excerpt(),
            "  |\n3 | share_percent = 0\n  |                 ^"
        );
        let text = "a = 1\ntoken = \"hush\"\n";
        let place = Place::of(text, &(14..20));
        assert_eq!((place.line, place.column), (2, 9));
        let shown = place.excerpt();
        assert!(
            !shown.contains("hush") && shown.contains("token = …"),
            "{shown}"
        );
        // The end of the file, and characters of more than one byte.
        assert_eq!(Place::of("ä = 1", &(6..6)).column, 6);
        assert_eq!(Place::of("ä = 1\n", &(7..7)).line, 2);
    }
}
