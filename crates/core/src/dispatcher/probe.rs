//! Looking for what a creation of class B may have left, and for the id of a record to update.
//!
//! | why | then, when it is there | when it surely isn't |
//! | --- | --- | --- |
//! | the creation's outcome is unknown | done; a record of several events is brought up to date | create it again |
//! | its origin says that it may be there (module `origin`) | the same | create it |
//! | an update doesn't know its record's id | update by id | wait for it, or give it up |
//!
//! Invariants: none of these creations is repeated without a probe that answered "not there"; a probe leaves no earlier
//! than [`LATE_ARRIVAL_MS`] after the attempt it asks about was given up.

use super::Dispatcher;
use super::state::{Begun, EffectRef, JobId, Purpose, Record};
use crate::codes;
use crate::quota::LATE_ARRIVAL_MS;
use crate::time::Now;
use crate::vendor::{ItemOutcome, Verb};

impl Dispatcher {
    /// Makes a job that is queued as a probe one on behalf of this verb.
    pub(super) fn probe_for(&mut self, id: JobId, verb: Verb) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.probes_for = Some(verb);
        }
    }

    /// A job of unknown outcome that must not simply be repeated looks for its record first. Answers how long it waits at
    /// least, milliseconds.
    pub(super) fn look_before_repeating(&mut self, id: JobId) -> u64 {
        let Some(job) = self.jobs.get(&id) else {
            return 0;
        };
        if job.verb == Verb::Probe || !self.needs_probe(job.verb, job.object) {
            return 0;
        }
        if let Some(job) = self.jobs.get_mut(&id) {
            job.probes_for = Some(job.verb);
            job.verb = Verb::Probe;
            job.page_after = None;
        }
        LATE_ARRIVAL_MS
    }

    /// What a probe found.
    pub(super) fn probed(&mut self, now: Now, id: JobId, outcome: &ItemOutcome) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let Some(verb) = job.probes_for.take() else {
            return;
        };
        job.verb = verb;
        job.page_after = None;
        match outcome {
            ItemOutcome::Done { crm_id } => self.found_by_probe(now, id, crm_id),
            ItemOutcome::Gone => self.absent_by_probe(now, id),
            ItemOutcome::Refused { code, reason } => self.give_up(id, *code, reason),
            _ => self.give_up(
                id,
                codes::CRM_MALFORMED,
                "a probe was answered as something else",
            ),
        }
    }

    fn found_by_probe(&mut self, now: Now, id: JobId, crm_id: &str) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let record = (job.object, job.item.key.clone());
        match job.purpose.clone() {
            Purpose::CreateContact {
                by,
                effect,
                field_at,
            } => {
                let done = ItemOutcome::Done {
                    crm_id: crm_id.to_owned(),
                };
                self.created_contact(now, id, by, effect, &field_at, &done);
            }
            Purpose::Write { .. } if job.verb == Verb::UpdateById => {
                job.item.crm_id = Some(crm_id.to_owned());
                self.requeue(id);
            }
            Purpose::Write { effects, field_at } => {
                let begun = Begun {
                    key: record.1.clone(),
                    quiet_at: now.tick,
                };
                self.begun.insert(record.clone(), begun);
                self.ids.insert(record, crm_id.to_owned());
                // One that may stem from an earlier event is brought up to date.
                let found = ItemOutcome::Conflict {
                    existing: Some(crm_id.to_owned()),
                };
                self.wrote(now, id, &effects, &field_at, &found);
            }
            Purpose::Lookup { .. }
            | Purpose::Wanted { .. }
            | Purpose::Stamp
            | Purpose::Deals { .. }
            | Purpose::Page { .. } => self.requeue(id),
        }
    }

    fn absent_by_probe(&mut self, now: Now, id: JobId) {
        match self.jobs.get(&id).map(|job| (job.verb, &job.purpose)) {
            Some((Verb::UpdateById, Purpose::Write { effects, .. })) => {
                let effects = effects.clone();
                self.record_is_gone(now, id, &effects);
            }
            _ => self.requeue(id),
        }
    }

    /// The record that was to be updated by its id isn't there: the same as one that wasn't found by our key.
    pub(super) fn record_is_gone(&mut self, now: Now, id: JobId, effects: &[EffectRef]) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        job.verb = Verb::UpdateByKey;
        job.item.crm_id = None;
        job.item.contact = None;
        let record: Record = (job.object, job.item.key.clone());
        self.ids.remove(&record);
        self.gone(now, id, effects);
    }
}
