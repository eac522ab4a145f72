//! CSV files, as the Bulk API takes and gives them: a first row of names, quotes where needed, quotes doubled within.
//!
//! The `csv` crate reads and writes; it takes quotes anywhere and rows of any ending, so the file is checked first.

use csv::{QuoteStyle, StringRecord, Terminator};

/// Why reading and writing text in memory can't fail.
pub(super) const IN_MEMORY: &str =
    "text in memory, of rows of any width, has nothing that can fail";

/// Why a file can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// A row ends in another way than the job says.
    LineEnding,
    /// A quote is open at the end, or stands where none may.
    Quotes,
}

/// Rows of a file. The ending of the last one may be left out; empty rows don't count.
pub(super) fn rows(text: &str, delimiter: u8, crlf: bool) -> Result<Vec<StringRecord>, Unreadable> {
    check(text, char::from(delimiter), crlf)?;
    let rows = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(text.as_bytes())
        .into_records();
    Ok(rows.map(|row| row.expect(IN_MEMORY)).collect())
}

/// Whether every quote opens, closes or is doubled, and every row ends as the job says.
fn check(text: &str, delimiter: char, crlf: bool) -> Result<(), Unreadable> {
    // Between quotes, what is outside of values and what is inside take turns; two quotes in a row leave nothing outside.
    let parts: Vec<&str> = text.split('"').collect();
    let last = parts.len() - 1;
    let ends = [delimiter, '\r', '\n'];
    for (at, part) in parts.iter().enumerate().step_by(2) {
        if !(at == 0 || part.is_empty() || part.starts_with(ends)) {
            return Err(Unreadable::Quotes);
        }
        let other = if crlf {
            &part.replace("\r\n", "")
        } else {
            *part
        };
        if other.contains('\r') || (crlf && other.contains('\n')) {
            return Err(Unreadable::LineEnding);
        }
        if !(at == last || part.is_empty() || part.ends_with(ends)) {
            return Err(Unreadable::Quotes);
        }
    }
    if last % 2 == 1 {
        return Err(Unreadable::Quotes);
    }
    Ok(())
}

/// A file to be written, every value in quotes, as results have them.
pub(super) fn writer(delimiter: u8, crlf: bool) -> csv::Writer<Vec<u8>> {
    csv::WriterBuilder::new()
        .flexible(true)
        .quote_style(QuoteStyle::Always)
        .delimiter(delimiter)
        .terminator(if crlf {
            Terminator::CRLF
        } else {
            Terminator::Any(b'\n')
        })
        .from_writer(Vec::new())
}

/// The file as text.
pub(super) fn text(file: csv::Writer<Vec<u8>>) -> String {
    String::from_utf8(file.into_inner().expect(IN_MEMORY)).expect(IN_MEMORY)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn files_are_read_as_the_rfc_says() {
        let read = |text: &str| rows(text, b',', false);
        for (text, expect) in [
            ("a,b\n1,2\n", vec![vec!["a", "b"], vec!["1", "2"]]),
            ("a,b\n1,2", vec![vec!["a", "b"], vec!["1", "2"]]),
            (
                "a\n\"x \"\"y\"\", z\nw\"\n",
                vec![vec!["a"], vec!["x \"y\", z\nw"]],
            ),
            ("a,b\n,\n\n", vec![vec!["a", "b"], vec!["", ""]]),
            ("a\n\"\"\n", vec![vec!["a"], vec![""]]),
            ("", vec![]),
        ] {
            assert_eq!(read(text).unwrap(), expect, "{text:?}");
        }
        assert_eq!(rows("a;b\r\n1;2\r\n", b';', true).unwrap().len(), 2);
        for (text, crlf, why) in [
            ("a\r\nb\r\n", false, Unreadable::LineEnding),
            ("a\nb\n", true, Unreadable::LineEnding),
            ("a\n\"b", false, Unreadable::Quotes),
            ("a\n\"b\"c\n", false, Unreadable::Quotes),
            ("a\nb\"c\n", false, Unreadable::Quotes),
        ] {
            assert_eq!(rows(text, b',', crlf), Err(why), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            table in prop::collection::vec(prop::collection::vec("[a-c\",\r\n ]{0,6}", 3), 0..5),
            crlf in any::<bool>(),
        ) {
            let mut file = writer(b',', crlf);
            for row in &table {
                file.write_record(row).unwrap();
            }
            let file = text(file);
            prop_assert_eq!(rows(&file, b',', crlf).unwrap(), table);
        }
    }
}
