//! Pauses: of the account as a whole, of one window, until the CRM's midnight.

use super::Quota;
use crate::time::{Now, Tick};

/// How long after a midnight the CRM may still be in the day before, and the pause then, milliseconds.
const AFTER_MIDNIGHT_MS: u64 = 600_000;
const AFTER_MIDNIGHT_PAUSE_MS: u64 = 60_000;

impl Quota {
    /// No request before `until`.
    pub fn pause(&mut self, until: Tick) {
        self.paused_until = Some(
            self.paused_until
                .map_or(until, |earlier| earlier.max(until)),
        );
        self.journal.mark_dirty();
    }

    /// How long the account is still paused, milliseconds.
    pub fn paused_for_ms(&self, now: Tick) -> u64 {
        self.paused_until.map_or(0, |until| until.since_ms(now))
    }

    /// Ends a pause.
    pub fn resume(&mut self) {
        self.paused_until = None;
        self.journal.mark_dirty();
    }

    /// No request in the window of this name before `until`; an unknown name pauses all.
    pub fn pause_window(&mut self, name: &str, until: Tick) {
        match self
            .settings
            .windows
            .iter()
            .position(|window| window.name == name)
        {
            Some(index) => {
                if let Some(slot) = self.window_paused.get_mut(index) {
                    *slot = Some(slot.map_or(until, |earlier| earlier.max(until)));
                }
            }
            None => self.pause(until),
        }
    }

    /// The calendar's next midnight in the account's zone, as a tick.
    pub fn next_midnight(&self, now: Now) -> Tick {
        now.tick
            .plus_ms(self.days.next_midnight(now.wall).since_ms(now.wall).max(1))
    }

    /// Until when a CRM that says that the day is used up is believed: its next midnight. Shortly after a midnight
    /// only for a moment: then its clock is a little behind ours, and the day before is meant.
    pub fn day_exhausted_until(&self, now: Now) -> Tick {
        let since_ms = now.wall.since_ms(self.days.last_midnight(now.wall));
        if since_ms < AFTER_MIDNIGHT_MS {
            now.tick.plus_ms(AFTER_MIDNIGHT_PAUSE_MS)
        } else {
            self.next_midnight(now)
        }
    }
}
