//! Lines on standard error while something takes longer than two seconds.

use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_secs(2);

/// One thing under way.
#[derive(Debug)]
pub(crate) struct Progress {
    what: &'static str,
    said: Instant,
}

impl Progress {
    pub(crate) fn of(what: &'static str) -> Self {
        Self {
            what,
            said: Instant::now(),
        }
    }

    /// To be called as often as one likes.
    #[expect(clippy::print_stderr, reason = "this is where progress is shown")]
    pub(crate) fn at(&mut self, done: u64, of: u64) {
        if self.said.elapsed() >= EVERY {
            self.said = Instant::now();
            eprintln!("  {}: {done} of {of}", self.what);
        }
    }
}
