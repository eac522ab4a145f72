//! CSV files, as the Bulk API takes and gives them: a first row of names, quotes where needed, quotes doubled within.

/// Why a file can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// A row ends in another way than the job says.
    LineEnding,
    /// A quote is open at the end, or stands where none may.
    Quotes,
}

/// Rows of a file. The ending of the last one may be left out; empty rows don't count.
pub(super) fn rows(
    text: &str,
    delimiter: char,
    crlf: bool,
) -> Result<Vec<Vec<String>>, Unreadable> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row: Vec<String> = Vec::new();
    let mut field = String::new();
    let (mut open, mut quoted) = (false, false);
    let mut chars = text.chars().peekable();
    let mut end_row = |row: &mut Vec<String>, field: &mut String, quoted: &mut bool| {
        row.push(std::mem::take(field));
        let row = std::mem::take(row);
        let empty = row.len() == 1 && row.iter().all(String::is_empty) && !*quoted;
        if !empty {
            rows.push(row);
        }
        *quoted = false;
    };
    while let Some(one) = chars.next() {
        if open {
            if one != '"' {
                field.push(one);
            } else if chars.peek() == Some(&'"') {
                chars.next();
                field.push('"');
            } else {
                open = false;
            }
            continue;
        }
        match one {
            '"' if field.is_empty() && !quoted => (open, quoted) = (true, true),
            '"' => return Err(Unreadable::Quotes),
            '\r' => {
                if !crlf || chars.next() != Some('\n') {
                    return Err(Unreadable::LineEnding);
                }
                end_row(&mut row, &mut field, &mut quoted);
            }
            '\n' => {
                if crlf {
                    return Err(Unreadable::LineEnding);
                }
                end_row(&mut row, &mut field, &mut quoted);
            }
            one if one == delimiter => {
                row.push(std::mem::take(&mut field));
                quoted = false;
            }
            // Nothing may follow a closed quote but a delimiter or the row's end.
            _ if quoted => return Err(Unreadable::Quotes),
            one => field.push(one),
        }
    }
    if open {
        return Err(Unreadable::Quotes);
    }
    if !row.is_empty() || !field.is_empty() || quoted {
        end_row(&mut row, &mut field, &mut quoted);
    }
    Ok(rows)
}

/// Adds a row to a file; every value in quotes, as results have them.
pub(super) fn add_row<'a>(
    file: &mut String,
    values: impl IntoIterator<Item = &'a str>,
    delimiter: char,
    crlf: bool,
) {
    for (place, value) in values.into_iter().enumerate() {
        if place > 0 {
            file.push(delimiter);
        }
        file.push('"');
        file.push_str(&value.replace('"', "\"\""));
        file.push('"');
    }
    file.push_str(if crlf { "\r\n" } else { "\n" });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn files_are_read_as_the_rfc_says() {
        let read = |text: &str| rows(text, ',', false);
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
        assert_eq!(rows("a;b\r\n1;2\r\n", ';', true).unwrap().len(), 2);
        for (text, crlf, why) in [
            ("a\r\nb\r\n", false, Unreadable::LineEnding),
            ("a\nb\n", true, Unreadable::LineEnding),
            ("a\n\"b", false, Unreadable::Quotes),
            ("a\n\"b\"c\n", false, Unreadable::Quotes),
            ("a\nb\"c\n", false, Unreadable::Quotes),
        ] {
            assert_eq!(rows(text, ',', crlf), Err(why), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            table in prop::collection::vec(prop::collection::vec("[a-c\",\r\n ]{0,6}", 3), 0..5),
            crlf in any::<bool>(),
        ) {
            let mut file = String::new();
            for row in &table {
                add_row(&mut file, row.iter().map(String::as_str), ',', crlf);
            }
            prop_assert_eq!(rows(&file, ',', crlf).unwrap(), table);
        }
    }
}
