//! Input as documents: one JSON text, or one per line.
//!
//! Decides where a document ends. A first line that is complete by itself means one per line. Otherwise the whole
//! input is one document, unless a later line stands for itself: then the first was merely cut short, and must not
//! take its neighbours with it. Memory is bounded: a document has at most [`BYTES_MAX`].

use std::io::{self, BufRead, Read as _};

use serde::de::IgnoredAny;

/// Longest document, bytes. Far above what the broker takes: a report may be long though its events are not.
pub(crate) const BYTES_MAX: usize = 4 << 20;

/// A document and where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Document {
    /// Line of the input, from 1.
    pub(crate) line: u64,
    /// Its bytes; `None` when there are more than [`BYTES_MAX`].
    pub(crate) bytes: Option<Vec<u8>>,
}

impl Document {
    fn parses(&self) -> Result<(), serde_json::error::Category> {
        let bytes = self.bytes.as_deref().unwrap_or_default();
        serde_json::from_slice::<IgnoredAny>(bytes)
            .map(drop)
            .map_err(|error| error.classify())
    }

    fn is_blank(&self) -> bool {
        self.bytes
            .as_ref()
            .is_some_and(|bytes| bytes.iter().all(u8::is_ascii_whitespace))
    }
}

/// Gives every document of `input` to `each`, until that says `false`.
pub(crate) fn read(input: impl BufRead, mut each: impl FnMut(Document) -> bool) -> io::Result<()> {
    let mut lines = Lines { input, number: 0 };
    let Some(first) = lines.next()? else {
        return Ok(());
    };
    let cut_short =
        first.bytes.is_some() && first.parses() == Err(serde_json::error::Category::Eof);
    let mut held = vec![first];
    if cut_short {
        let mut bytes = 0;
        loop {
            let Some(line) = lines.next()? else {
                each(joined(&held));
                return Ok(());
            };
            let text = line.bytes.as_deref();
            let alone = text.is_some_and(|text| text.starts_with(b"{")) && line.parses().is_ok();
            bytes += text.map_or(BYTES_MAX, <[u8]>::len);
            held.push(line);
            if alone || bytes >= BYTES_MAX {
                break;
            }
        }
    }
    for line in held {
        if !each(line) {
            return Ok(());
        }
    }
    while let Some(line) = lines.next()? {
        if !each(line) {
            return Ok(());
        }
    }
    Ok(())
}

fn joined(lines: &[Document]) -> Document {
    let texts: Vec<&[u8]> = lines
        .iter()
        .filter_map(|line| line.bytes.as_deref())
        .collect();
    Document {
        line: lines.first().map_or(1, |first| first.line),
        bytes: Some(texts.join(&b'\n')),
    }
}

struct Lines<R> {
    input: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    /// The next line that is not blank, without its end.
    fn next(&mut self) -> io::Result<Option<Document>> {
        loop {
            let mut bytes = Vec::new();
            let limit = BYTES_MAX as u64 + 1;
            if self
                .input
                .by_ref()
                .take(limit)
                .read_until(b'\n', &mut bytes)?
                == 0
            {
                return Ok(None);
            }
            self.number += 1;
            let whole = bytes.last() == Some(&b'\n') || bytes.len() <= BYTES_MAX;
            if !whole {
                self.input.skip_until(b'\n')?;
            }
            while bytes.last().is_some_and(|end| matches!(end, b'\n' | b'\r')) {
                bytes.pop();
            }
            let line = Document {
                line: self.number,
                bytes: whole.then_some(bytes),
            };
            if !line.is_blank() {
                return Ok(Some(line));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(text: &str) -> Vec<(u64, String)> {
        let mut found = Vec::new();
        read(text.as_bytes(), |document| {
            let bytes = document.bytes.unwrap_or_default();
            found.push((document.line, String::from_utf8(bytes).unwrap()));
            true
        })
        .unwrap();
        found
    }

    #[test]
    fn documents_end_where_they_end() {
        let table: [(&str, &[(u64, &str)]); 9] = [
            ("", &[]),
            ("\n \n", &[]),
            ("{\"a\":1}", &[(1, "{\"a\":1}")]),
            (
                "{\"a\":1}\r\n\n{\"b\":2}\n",
                &[(1, "{\"a\":1}"), (3, "{\"b\":2}")],
            ),
            ("{\n  \"a\": 1\n}\n", &[(1, "{\n  \"a\": 1\n}")]),
            // A broken line in any place takes no other with it.
            ("nonsense\n{\"b\":2}", &[(1, "nonsense"), (2, "{\"b\":2}")]),
            ("{\"a\":\n{\"b\":2}", &[(1, "{\"a\":"), (2, "{\"b\":2}")]),
            ("{\"a\":1}\n{\"b\":", &[(1, "{\"a\":1}"), (2, "{\"b\":")]),
            // A document that is broken stays one document.
            ("{\n  \"a\": ,\n}", &[(1, "{\n  \"a\": ,\n}")]),
        ];
        for (text, expected) in table {
            let expected: Vec<(u64, String)> = expected
                .iter()
                .map(|(line, text)| (*line, (*text).to_owned()))
                .collect();
            assert_eq!(documents(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped_whole() {
        let mut text = "x".repeat(BYTES_MAX + 5);
        text.push_str("\n{\"b\":2}\n");
        assert_eq!(
            documents(&text),
            [(1, String::new()), (2, "{\"b\":2}".to_owned())]
        );
    }
}
