//! Pauses of the account as a whole. Those of one window are [`super::learn`]'s.

use super::Quota;
use crate::time::{Now, Tick};
use crate::vendor::Span;

/// How long after a midnight the CRM may still be in the day before, and the pause then, milliseconds.
pub(super) const AFTER_MIDNIGHT_MS: u64 = 600_000;
const AFTER_MIDNIGHT_PAUSE_MS: u64 = 60_000;
/// Pause when a day that has no midnight (24 hours, rolling) is used up, milliseconds: it frees bit by bit, and a
/// request refused every five minutes costs nobody anything.
const ROLLING_DAY_PAUSE_MS: u64 = 300_000;

impl Quota {
    /// No request before `until`.
    pub(super) fn pause_until(&mut self, until: Tick) {
        self.paused_until = Some(
            self.paused_until
                .map_or(until, |earlier| earlier.max(until)),
        );
        self.journal.mark_dirty();
    }

    /// The calendar's next midnight in the account's zone, as a tick.
    pub(super) fn next_midnight(&self, now: Now) -> Tick {
        now.tick
            .plus_ms(self.days.next_midnight(now.wall).since_ms(now.wall).max(1))
    }

    /// Until when a CRM that says that the day is used up is believed: its next midnight. Shortly after a midnight
    /// only for a moment: then its clock is a little behind ours, and the day before is meant.
    pub(super) fn day_exhausted_until(&self, now: Now) -> Tick {
        let has_day = |spec: &crate::vendor::WindowSpec| spec.span == Span::Day;
        if !self.settings.windows.iter().any(has_day) {
            return now.tick.plus_ms(ROLLING_DAY_PAUSE_MS);
        }
        let since_ms = now.wall.since_ms(self.days.last_midnight(now.wall));
        if since_ms < AFTER_MIDNIGHT_MS {
            now.tick.plus_ms(AFTER_MIDNIGHT_PAUSE_MS)
        } else {
            self.next_midnight(now)
        }
    }
}
