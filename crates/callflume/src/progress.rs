//! Progress on stderr, for what takes longer than two seconds, and only for somebody who looks.

use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget};

/// What is over sooner needs no progress.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often the spinner turns.
const TURN: Duration = Duration::from_millis(120);

/// A spinner with a changing text.
#[derive(Debug)]
pub(crate) struct Progress {
    since: Instant,
    wanted: bool,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Shown when stderr is a terminal.
    pub(crate) fn new() -> Self {
        Self {
            since: Instant::now(),
            wanted: io::stderr().is_terminal(),
            bar: None,
        }
    }

    /// The same for a command that prints as it goes: on a terminal its lines are progress enough.
    pub(crate) fn beside_lines() -> Self {
        let mut progress = Self::new();
        progress.wanted &= !io::stdout().is_terminal();
        progress
    }

    /// What is being done.
    pub(crate) fn step(&mut self, text: impl FnOnce() -> String) {
        if !self.wanted || self.since.elapsed() < PATIENCE {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
            bar.enable_steady_tick(TURN);
            bar
        });
        bar.set_message(text());
    }

    /// Shows `text` if `work` takes longer than two seconds.
    pub(crate) async fn during<T>(&mut self, text: &str, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(PATIENCE) => {}
        }
        self.step(|| text.to_owned());
        work.await
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
