//! The record of a virtual run: one line per happening, and a digest of all lines.
//!
//! Lines hold instants, names and numbers; no personal data.

use std::fmt::Write as _;
use std::io::Write;

/// Collects lines; keeps a digest always, the lines only where they are wanted.
pub struct Trace<'a> {
    out: Option<&'a mut dyn Write>,
    digest: u64,
    lines: u64,
    line: String,
    failed: Option<std::io::Error>,
}

impl std::fmt::Debug for Trace<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trace")
            .field("lines", &self.lines)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

/// FNV-1a, 64 bit (Fowler, Noll, Vo): enough to tell two runs apart.
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

impl<'a> Trace<'a> {
    /// A trace that writes its lines to `out`, if there is one.
    pub fn new(out: Option<&'a mut dyn Write>) -> Self {
        Self {
            out,
            digest: FNV_OFFSET,
            lines: 0,
            line: String::new(),
            failed: None,
        }
    }

    /// Adds a line.
    pub(super) fn note(&mut self, at_ms: u64, what: std::fmt::Arguments<'_>) {
        self.line.clear();
        if writeln!(self.line, "{at_ms} {what}").is_err() {
            return;
        }
        self.lines += 1;
        for byte in self.line.bytes() {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(FNV_PRIME);
        }
        if let Some(out) = &mut self.out
            && self.failed.is_none()
            && let Err(error) = out.write_all(self.line.as_bytes())
        {
            self.failed = Some(error);
        }
    }

    /// Lines and digest; an error when a line could not be written.
    pub fn finish(self) -> std::io::Result<(u64, u64)> {
        match self.failed {
            Some(error) => Err(error),
            None => Ok((self.lines, self.digest)),
        }
    }
}
