//! Tables as text, after RFC 4180: what Salesforce's bulk interface takes and gives.
//!
//! Strict: a text that isn't such a table is an error, never half a table. Lines end with LF when written, with LF or CRLF
//! when read. Every cell is written in quotes, so commas, quotes and line breaks in texts are what they are.

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
    Quote(usize),
    /// A row with another number of cells than the first; its line.
    #[error("line {0} of the table has another number of cells than the first")]
    Ragged(usize),
    /// A column that the table must have.
    #[error("the table has no column `{0}`")]
    Column(String),
}

/// Appends a row.
pub(super) fn write_row<'a>(table: &mut Vec<u8>, cells: impl IntoIterator<Item = &'a str>) {
    for (index, cell) in cells.into_iter().enumerate() {
        if index > 0 {
            table.push(b',');
        }
        table.push(b'"');
        for byte in cell.bytes() {
            if byte == b'"' {
                table.push(b'"');
            }
            table.push(byte);
        }
        table.push(b'"');
    }
    table.push(b'\n');
}

/// Where in a row the reader is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Start,
    Bare,
    Quoted,
    /// After a quote within a quoted cell: its end, or half of a doubled one.
    Quote,
}

/// The rows of a table, the header among them. No text is no rows; empty lines at the end are none.
pub(super) fn rows(table: &[u8]) -> Result<Vec<Vec<String>>, NoTable> {
    let text = std::str::from_utf8(table).map_err(|_| NoTable::Encoding)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut rows: Vec<Vec<String>> = Vec::new();
    let (mut row, mut cell) = (Vec::new(), String::new());
    let mut at = At::Start;
    let (mut line, mut began) = (1, 1);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let ends = c == '\n' || (c == '\r' && chars.peek() == Some(&'\n'));
        match (at, c) {
            (At::Quoted, '"') => at = At::Quote,
            (At::Quoted, c) => cell.push(c),
            (At::Quote, '"') => {
                cell.push('"');
                at = At::Quoted;
            }
            (At::Start, '"') => at = At::Quoted,
            (At::Bare, '"') => return Err(NoTable::Quote(line)),
            (_, ',') => {
                row.push(std::mem::take(&mut cell));
                at = At::Start;
            }
            (_, _) if ends => {
                if c == '\r' {
                    chars.next();
                }
                row.push(std::mem::take(&mut cell));
                end_row(&mut rows, &mut row, began)?;
                at = At::Start;
                began = line + 1;
            }
            (At::Quote, _) => return Err(NoTable::Quote(line)),
            (At::Start | At::Bare, c) => {
                cell.push(c);
                at = At::Bare;
            }
        }
        // A line break within a cell counts, too; that of `\r\n` outside was taken with its `\r`.
        line += usize::from(c == '\n' || (ends && c == '\r' && at != At::Quoted));
    }
    match at {
        At::Quoted => Err(NoTable::Unclosed),
        At::Start if row.is_empty() => Ok(rows),
        _ => {
            row.push(cell);
            end_row(&mut rows, &mut row, began)?;
            Ok(rows)
        }
    }
}

/// Ends a row that began on this line; an empty line is no row.
fn end_row(rows: &mut Vec<Vec<String>>, row: &mut Vec<String>, line: usize) -> Result<(), NoTable> {
    let row = std::mem::take(row);
    let empty = matches!(row.as_slice(), [only] if only.is_empty());
    match rows.first() {
        Some(first) if first.len() == row.len() => rows.push(row),
        None | Some(_) if empty => {}
        None => rows.push(row),
        Some(_) => return Err(NoTable::Ragged(line)),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Vec<Vec<String>>, NoTable> {
        rows(text.as_bytes())
    }

    fn table(rows: &[&[&str]]) -> Vec<Vec<String>> {
        rows.iter()
            .map(|row| row.iter().map(|cell| (*cell).to_owned()).collect())
            .collect()
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
            let expect: Vec<Vec<String>> = cells.chunks_exact(width).map(<[String]>::to_vec).collect();
            let mut table = Vec::new();
            for row in &expect {
                write_row(&mut table, row.iter().map(String::as_str));
            }
            prop_assert_eq!(rows(&table), Ok(expect));
        }

        #[test]
        fn any_text_is_a_table_of_even_rows_or_an_error(text in "[a-b,\"\\r\\n]{0,40}") {
            if let Ok(rows) = read(&text) {
                prop_assert!(rows.iter().all(|row| row.len() == rows[0].len()));
            }
        }
    }
}
