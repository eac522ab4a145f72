//! What a run shows while it runs: a bar on a terminal, a line now and then elsewhere, nothing when told to be quiet.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::scenario::Scenario;

/// Where there is no terminal, a line this often.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Figures of the moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) elapsed_ms: i64,
    pub(super) running: usize,
    pub(super) acked: u64,
    pub(super) requests: u64,
}

#[derive(Debug)]
enum Way {
    Quiet,
    Bar(ProgressBar),
    Lines(Mutex<Option<Instant>>),
}

/// Shows progress on standard error.
#[derive(Debug)]
pub(super) struct Progress {
    way: Way,
    length_s: u64,
}

impl Progress {
    pub(super) fn new(show: bool, scenario: &Scenario) -> Self {
        use std::io::IsTerminal as _;
        let length_s = scenario.duration_s;
        let way = if !show {
            Way::Quiet
        } else if std::io::stderr().is_terminal() {
            let bar = ProgressBar::new(length_s);
            if let Ok(style) =
                ProgressStyle::with_template("{spinner} {bar:30} {pos}/{len} s  {msg}")
            {
                bar.set_style(style);
            }
            Way::Bar(bar)
        } else {
            Way::Lines(Mutex::new(None))
        };
        Self { way, length_s }
    }

    #[expect(clippy::print_stderr, reason = "this is where progress is shown")]
    fn line(text: &str) {
        eprintln!("{text}");
    }

    pub(super) fn say(&self, text: &str) {
        match &self.way {
            Way::Quiet => {}
            Way::Bar(bar) => bar.set_message(text.to_owned()),
            Way::Lines(_) => Self::line(text),
        }
    }

    pub(super) fn warmed(&self, warmed: u64, wanted: u64) {
        if let Way::Bar(bar) = &self.way {
            bar.set_message(format!("warming the contact cache: {warmed} of {wanted}"));
        }
    }

    pub(super) fn show(&self, seen: Seen) {
        let seconds = u64::try_from(seen.elapsed_ms / 1_000).unwrap_or(0);
        let text = format!(
            "{} calls running, {} events acknowledged, {} CRM requests",
            seen.running, seen.acked, seen.requests
        );
        match &self.way {
            Way::Quiet => {}
            Way::Bar(bar) => {
                bar.set_position(seconds.min(self.length_s));
                bar.set_message(text);
            }
            Way::Lines(last) => {
                let mut last = last
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                if last.is_none_or(|last| last.elapsed() >= LINE_EVERY) {
                    *last = Some(Instant::now());
                    Self::line(&format!("{seconds} s: {text}"));
                }
            }
        }
    }

    pub(super) fn done(&self) {
        if let Way::Bar(bar) = &self.way {
            bar.finish_and_clear();
        }
    }
}
