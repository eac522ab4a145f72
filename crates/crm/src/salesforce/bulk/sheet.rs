//! Tables as text, after RFC 4180: what Salesforce's bulk interface takes and gives.
//!
//! Strict: a text that isn't such a table is an error, never half a table. Lines end with LF when written, with LF or CRLF
//! when read. Every cell is written in quotes, so commas, quotes and line breaks in texts are what they are.
//!
//! The `csv` crate reads and writes. It takes a table that was cut within a cell, and quotes anywhere, and ends a row with
//! a lone CR: [`strict`] stands before it.

use csv::{StringRecord, Terminator};

const LF: Terminator = Terminator::Any(b'\n');

/// Why a text is no table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoTable {
    /// The bytes are no UTF-8.
    #[error("the table is no UTF-8 text")]
    Encoding,
    /// The last quoted cell isn't closed: the text was cut.
    #[error("the table ends within a quoted cell: fetch it again")]
    Unclosed,
    /// A quote where none may be; its line.
    #[error("line {0} of the table has a quote where none may be")]
    Quote(u64),
    /// A row with another number of cells than the first; its line, or that of empty ones before it.
    #[error("line {0} of the table has another number of cells than the first")]
    Ragged(u64),
    /// A column that the table must have.
    #[error("the table has no column `{0}`")]
    Column(String),
}

/// A table to be written, row by row: in memory, where nothing can fail.
pub(super) fn writer() -> csv::Writer<Vec<u8>> {
    csv::WriterBuilder::new()
        .quote_style(csv::QuoteStyle::Always)
        .terminator(LF)
        .from_writer(Vec::new())
}

/// The rows of a table, the header among them. No text is no rows; empty lines are none.
pub(super) fn rows(table: &[u8]) -> Result<Vec<StringRecord>, NoTable> {
    let text = std::str::from_utf8(table).map_err(|_| NoTable::Encoding)?;
    csv::ReaderBuilder::new()
        .has_headers(false)
        .terminator(LF)
        .from_reader(strict(text)?.as_bytes())
        .records()
        .collect::<Result<_, _>>()
        // The text is UTF-8 and in memory, so nothing else is left.
        .map_err(|error| NoTable::Ragged(error.position().map_or(0, csv::Position::line)))
}

/// The text with LF for CRLF, if every quote of it opens, closes or is doubled.
fn strict(text: &str) -> Result<String, NoTable> {
    // Between quotes, what is outside of cells and what is inside take turns; two quotes in a row leave nothing outside.
    let parts: Vec<&str> = text.trim_start_matches('\u{feff}').split('"').collect();
    let last = parts.len() - 1;
    let mut line = 1;
    for (at, part) in parts.iter().enumerate() {
        let follows = at == 0 || part.starts_with([',', '\n']) || part.starts_with("\r\n");
        let outside = at % 2 == 0 && !part.is_empty();
        if outside && !follows {
            return Err(NoTable::Quote(line));
        }
        line += part.matches('\n').count() as u64;
        if outside && at < last && !part.ends_with([',', '\n']) {
            return Err(NoTable::Quote(line));
        }
    }
    if last % 2 == 1 {
        return Err(NoTable::Unclosed);
    }
    let parts = parts.iter().enumerate().map(|(at, part)| match at % 2 {
        0 => part.replace("\r\n", "\n"),
        _ => (*part).to_owned(),
    });
    Ok(parts.collect::<Vec<_>>().join("\""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Vec<StringRecord>, NoTable> {
        rows(text.as_bytes())
    }

    fn table(rows: &[&[&str]]) -> Vec<StringRecord> {
        rows.iter().map(|row| row.to_vec().into()).collect()
    }

    #[test]
    fn tables_are_read_or_refused_with_the_reason() {
        for (text, expect) in [
            ("", Ok(table(&[]))),
            ("\n\n", Ok(table(&[]))),
            ("a,b\n1,2\n", Ok(table(&[&["a", "b"], &["1", "2"]]))),
            (
                "\u{feff}a,b\r\n1,\r\n",
                Ok(table(&[&["a", "b"], &["1", ""]])),
            ),
            ("a,b\n1,2", Ok(table(&[&["a", "b"], &["1", "2"]]))),
            ("a\n\"x\"\"y\n,z\"\n", Ok(table(&[&["a"], &["x\"y\n,z"]]))),
            ("a,b\n\"\",\"\"\n\n", Ok(table(&[&["a", "b"], &["", ""]]))),
            ("a\rb\n", Ok(table(&[&["a\rb"]]))),
            ("a\n\"1", Err(NoTable::Unclosed)),
            ("a\n1\"2\n", Err(NoTable::Quote(2))),
            ("a\n\"1\"2\n", Err(NoTable::Quote(2))),
            ("a,b\r\n\"1\n1\",2\r\n3\r\n", Err(NoTable::Ragged(4))),
        ] {
            assert_eq!(read(text), expect, "{text:?}");
        }
        assert_eq!(rows(&[0xff]), Err(NoTable::Encoding));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            width in 2_usize..5,
            cells in prop::collection::vec("[ -~\\n\\r\",é𝄞]{0,8}", 0..40),
        ) {
            let expect: Vec<StringRecord> = cells.chunks_exact(width).map(|row| row.to_vec().into()).collect();
            let mut table = writer();
            for row in &expect {
                table.write_record(row).unwrap();
            }
            prop_assert_eq!(rows(&table.into_inner().unwrap()), Ok(expect));
        }

        #[test]
        fn any_text_is_a_table_of_even_rows_or_an_error(text in "[a-b,\"\\r\\n]{0,40}") {
            if let Ok(rows) = read(&text) {
                prop_assert!(rows.iter().all(|row| row.len() == rows[0].len()));
            }
        }
    }
}
