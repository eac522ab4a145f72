//! Updates that wait for the record of their call to appear.
//!
//! A waiting update holds back its contact's lane, nothing else: not the record, or the event that creates it could
//! never be written.

use super::Dispatcher;
use super::state::{EffectRef, JobId, Record};
use crate::codes;
use crate::time::Now;

/// Pause before an update asks again for the record of its call, milliseconds; grows to a minute.
const RECORD_WAIT_MS: (u64, u64) = (1_000, 60_000);

impl Dispatcher {
    /// A record is in the CRM: corrections of it go straight to an update, and who waits for it may go.
    pub(super) fn exists(&mut self, record: Record) {
        if let Some(waiting) = self.awaited.remove(&record) {
            self.changed.extend(waiting);
        }
        self.existing.insert(record);
    }

    /// The event that creates the record has not been written yet: the update waits, without holding the record, and
    /// goes when it is there or the wait is over; after [`crate::config::AccountConfig::call_record_wait_ms`] it is
    /// given up.
    pub(super) fn await_record(
        &mut self,
        now: Now,
        id: JobId,
        effects: &[EffectRef],
        first: EffectRef,
        record: Record,
    ) {
        let mut since = now.tick;
        self.work(first, |work| {
            since = *work.waiting_since.get_or_insert(now.tick);
        });
        let waited_ms = now.tick.since_ms(since);
        let left_ms = self.config.call_record_wait_ms.saturating_sub(waited_ms);
        if left_ms == 0 {
            self.give_up(
                id,
                codes::CRM_RECORD_GONE,
                "the record to update did not appear",
            );
            return;
        }
        // Where only a probe can tell, it is asked at the beginning and at the end: it may cost much, and records are
        // created by this process alone, which then wakes whoever waits.
        let wait_ms = if self.vendor.updates_by_key(record.0) {
            waited_ms
                .clamp(RECORD_WAIT_MS.0, RECORD_WAIT_MS.1)
                .min(left_ms)
        } else {
            left_ms
        };
        let until = now.tick.plus_ms(wait_ms);
        self.work(first, |work| work.not_before = Some(until));
        if let Some(job) = self.start_over(id, effects) {
            self.awaited
                .entry(record.clone())
                .or_default()
                .insert(job.contact.clone());
            self.parked.insert((until, job.contact, record));
        }
    }

    /// Looks again at who waited long enough for a record.
    pub(super) fn unpark_due(&mut self, now: Now) {
        while let Some((at, ..)) = self.parked.first() {
            if *at > now.tick {
                let at = *at;
                self.wake_at(at);
                break;
            }
            let Some((_, contact, record)) = self.parked.pop_first() else {
                break;
            };
            if let Some(waiting) = self.awaited.get_mut(&record) {
                waiting.remove(&contact);
                if waiting.is_empty() {
                    self.awaited.remove(&record);
                }
            }
            self.changed.insert(contact);
        }
    }
}
