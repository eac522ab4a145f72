//! Writing to people and programs: data to stdout, notes to stderr, colour only for a terminal that wants it.

use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;

/// Whether data goes out as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    /// JSON or text.
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether data goes out as JSON.
    pub(crate) const fn json(self) -> bool {
        self.json
    }

    /// Either the value as one line of JSON, or what `human` says; nothing for an empty text.
    pub(crate) fn data(
        self,
        value: &impl Serialize,
        human: impl FnOnce() -> String,
    ) -> anyhow::Result<()> {
        if self.json {
            line(&serde_json::to_string(value)?)?;
        } else {
            let text = human();
            if !text.is_empty() {
                line(&text)?;
            }
        }
        Ok(())
    }

    /// A line for people only.
    pub(crate) fn say(self, text: &str) -> anyhow::Result<()> {
        if !self.json {
            line(text)?;
        }
        Ok(())
    }
}

/// One line to stdout, seen at once.
pub(crate) fn line(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.write_all(b"\n")?;
    stdout.flush()
}

/// One line to stderr. Nobody is left to tell when that fails.
pub(crate) fn note(text: &str) {
    let mut stderr = io::stderr().lock();
    if stderr.write_all(text.as_bytes()).is_ok() {
        drop(stderr.write_all(b"\n"));
    }
}

/// Whether the reader of stdout has gone, as `head` does: no reason to complain.
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|link| {
        link.downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}

fn wanted(terminal: bool) -> bool {
    terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Whether stdout takes colours.
#[cfg(feature = "sim")]
pub(crate) fn stdout_in_colour() -> bool {
    wanted(io::stdout().is_terminal())
}

/// Whether stderr takes colours.
pub(crate) fn stderr_in_colour() -> bool {
    wanted(io::stderr().is_terminal())
}

fn painted(text: &str, code: u8, colour: bool) -> String {
    if colour {
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}

/// Red on stderr.
pub(crate) fn red(text: &str) -> String {
    painted(text, 31, stderr_in_colour())
}

/// A mark of a finding on stdout: green, red or yellow.
pub(crate) fn mark(mark: char) -> String {
    let code = match mark {
        '✓' => 32,
        '✗' => 31,
        _ => 33,
    };
    painted(&mark.to_string(), code, wanted(io::stdout().is_terminal()))
}

/// Columns padded to their widest cell; the last one is not padded. The first row is the head.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    rows.iter()
        .map(|row| {
            let mut text = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                text.push_str(cell);
                text.extend(std::iter::repeat_n(
                    ' ',
                    width.saturating_sub(cell.chars().count()) + 2,
                ));
            }
            text.trim_end().to_owned()
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// A row of a table.
pub(crate) fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

/// Epoch milliseconds as RFC 3339 in UTC.
pub(crate) fn instant(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |at| at.to_string())
}

/// A duration in one or two units, as people say it.
pub(crate) fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// Bytes in the largest unit that leaves a whole number before the point.
pub(crate) fn bytes(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "B" {
                format!("{bytes} B")
            } else {
                format!("{value:.1} {unit}")
            };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_have_no_trailing_space() {
        let rows = [row(["a", "bb", "c"]), row(["dddd", "", ""])];
        assert_eq!(table(&rows), "a     bb  c\ndddd");
    }

    #[test]
    fn quantities_are_readable() {
        let table = [
            (bytes(5), "5 B"),
            (bytes(1536), "1.5 KiB"),
            (bytes(4 << 30), "4.0 GiB"),
            (duration(59_999), "59 s"),
            (duration(61_000), "1 min 1 s"),
            (duration(90_000_000), "1 d 1 h"),
            (instant(0), "1970-01-01T00:00:00Z"),
        ];
        for (text, expected) in table {
            assert_eq!(text, expected);
        }
    }
}
