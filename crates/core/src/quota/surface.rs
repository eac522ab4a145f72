//! The engine as the dispatcher sees it.

use super::{Grant, Limiter, PermitId, Quota, Settlement, Told};
use crate::lane::Lane;
use crate::record::JournalRecord;
use crate::time::{Now, Tick};
use crate::vendor::{Charge, Observation};

impl Limiter for Quota {
    fn ask(&mut self, now: Now, lane: Lane, charges: &[Charge]) -> Grant {
        self.grant(now, lane, charges)
    }

    fn observe(&mut self, now: Now, permit: PermitId, observations: &[Observation]) {
        self.observed(now, permit, observations);
    }

    fn throttled(&mut self, now: Now, permit: PermitId, window: &str, hint_ms: Option<u64>) {
        self.refused(now, permit, window, hint_ms);
    }

    fn day_exhausted(&mut self, now: Now) -> bool {
        let until = self.day_exhausted_until(now);
        let news = self.paused_for_ms(now.tick) < until.since_ms(now.tick);
        if news {
            self.pause_until(until);
            self.courses_exhausted(until);
        }
        news
    }

    fn settle(&mut self, now: Now, permit: PermitId, settlement: Settlement) {
        self.ended(now, permit, settlement);
    }

    fn wished(&mut self, now: Now, charges: &[Charge]) {
        for charge in charges {
            if let Some(Some(reserve)) = self.reserves.get_mut(charge.window) {
                reserve.arrived(now.tick, charge.cost);
            }
        }
    }

    fn look(&mut self, now: Now) -> Told {
        self.look_at_courses(now)
    }

    fn en_turn(&self) -> bool {
        self.en_is_due()
    }

    fn pause(&mut self, until: Tick) {
        self.pause_until(until);
    }

    fn paused_for_ms(&self, now: Tick) -> u64 {
        self.paused_until.map_or(0, |until| until.since_ms(now))
    }

    fn resume(&mut self) {
        self.paused_until = None;
        self.courses_resumed();
        for gate in &mut self.gates {
            gate.open();
        }
        self.journal.mark_dirty();
    }

    fn usage(&mut self, now: Now) -> Vec<(&'static str, u32, u32)> {
        let mut usage = Vec::with_capacity(self.settings.windows.len());
        for (index, spec) in self.settings.windows.iter().enumerate() {
            let cap = self.caps.get(index).copied().unwrap_or(spec.limit);
            usage.push(match self.rolling.get_mut(index) {
                Some(Some(window)) => (
                    spec.name,
                    window.occupied(now.tick),
                    window.allowed(now.tick),
                ),
                _ => (spec.name, self.days.spent(now.wall), cap),
            });
        }
        usage
    }

    fn journal_due(&mut self, now: Now, wanted: Option<&[Charge]>) -> Option<JournalRecord> {
        let mut free = Vec::with_capacity(self.caps.len());
        for (index, cap) in self.caps.iter().enumerate() {
            free.push(match self.rolling.get_mut(index) {
                Some(Some(window)) => window.free(now.tick),
                _ => cap.saturating_sub(self.days.spent(now.wall)),
            });
        }
        let paused = self
            .paused_until
            .filter(|until| *until > now.tick)
            .map(|until| now.broker.plus_ms(until.since_ms(now.tick)));
        let mut record = self.journal.due(now, wanted, &free, &self.days, paused)?;
        record.autopilot = self.autopilot_record();
        record.learned = self.learned_record(now);
        Some(record)
    }

    fn journaled(&mut self, now: Now, written: bool) {
        self.journal.written(now, written);
    }

    fn journal_wake(&self) -> Option<Tick> {
        self.journal.wake()
    }

    fn is_journaling(&self) -> bool {
        self.journal.is_writing()
    }

    fn close(&mut self, now: Now) {
        self.journal.close(now);
    }
}

impl Quota {
    /// Requests granted and not settled.
    pub fn in_flight(&self) -> usize {
        self.permits.len()
    }
}
