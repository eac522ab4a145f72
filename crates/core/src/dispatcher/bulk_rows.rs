//! What becomes of a bulk job's rows: outcomes taken in, a predecessor's job taken over, the manifest removed.
//!
//! An own row is a job of the dispatcher, and its outcome goes where an answer's would. Of a predecessor's job only the
//! manifest is known: its effects are no work of ours from the moment their event is loaded; an outcome that comes before
//! that is kept. Rows are taken in by portions, so that a job's end doesn't flood the stores.
//!
//! Invariants: an effect in a predecessor's manifest is never sent by itself before the results are in. The manifest stays
//! until no event below [`crate::record::BulkRecord::below`] can still be loaded whose effects it names.

use super::Dispatcher;
use super::bulk::{BulkJob, Next, Row, effects_of};
use super::state::{EffectRef, Job, Purpose, Record, Stage, newer_fields};
use crate::bulk::BulkStep;
use crate::effect::Object;
use crate::lane::Lane;
use crate::plan::contact_base_fields;
use crate::record::{BulkRecord, BulkRow};
use crate::time::Now;
use crate::vendor::{Item, ItemOutcome, Verb};

/// Recordings in the air beyond which no more rows are taken in.
const RECORDINGS_MAX: usize = 256;

impl Dispatcher {
    /// Goes on with the job that the predecessor left.
    pub(super) fn inherit_bulk(&mut self, now: Now, record: BulkRecord) {
        let rows = record.rows.into_iter().map(|row| Row { job: None, row });
        let mut job = BulkJob::new(record.verb, record.object, rows.collect(), now.tick);
        job.inherited = true;
        job.id = record.job;
        job.below = record.below;
        if self.vendor.bulk().is_none() || self.lanes[Lane::En as usize].above >= job.below {
            // All of it is settled, and only the manifest's removal is missing.
            job.next = Next::Remove;
            self.bulk.job = Some(Box::new(job));
            return self.save_bulk(None);
        }
        job.next = Next::Ask(BulkStep::Poll);
        for (index, row) in job.rows.iter().enumerate() {
            self.locks
                .entry(lock_of(job.verb, job.object, &row.row))
                .or_default();
            let keys = row.row.effects.iter().cloned();
            job.keys.extend(keys.map(|key| (key, index)));
        }
        self.bulk.job = Some(Box::new(job));
    }

    /// An event was loaded: which of its effects are a predecessor's job's business.
    pub(super) fn bulk_loaded(&mut self, lane: Lane, seq: u64) {
        let Some(job) = self.bulk.job.as_deref_mut() else {
            return;
        };
        if lane != Lane::En || seq >= job.below || job.keys.is_empty() {
            return;
        }
        let Some(state) = self.lanes[lane as usize].events.get_mut(&seq) else {
            return;
        };
        for (index, work) in state.effects.iter_mut().enumerate() {
            if let Some(row) = job.keys.get(&work.key)
                && work.stage == Stage::Pending
            {
                work.stage = Stage::Working;
                job.open.insert(work.key.clone());
                job.came.push_back((*row, (lane, seq, index)));
            }
        }
    }

    /// The end of an effect is recorded.
    pub(super) fn bulk_ended(&mut self, key: &str) {
        if let Some(job) = self.bulk.job.as_deref_mut() {
            job.open.remove(key);
        }
    }

    /// What became of each row is known.
    pub(super) fn results_in(&mut self, mut job: Box<BulkJob>, mut outcomes: Vec<ItemOutcome>) {
        outcomes.resize(job.rows.len(), ItemOutcome::Unknown);
        job.outcomes = outcomes;
        job.next = Next::Settle;
        if job.inherited {
            for row in &job.rows {
                let lock = lock_of(job.verb, job.object, &row.row);
                if let Some(waiting) = self.locks.remove(&lock) {
                    self.changed.extend(waiting);
                }
            }
        }
        self.bulk.job = Some(job);
    }

    /// Takes in what may be taken in now, and has the manifest removed when that was all.
    pub(super) fn settle_bulk(&mut self, now: Now) {
        if self.stopping {
            return;
        }
        while self.recordings.len() < RECORDINGS_MAX {
            let Some(job) = self
                .bulk
                .job
                .as_deref_mut()
                .filter(|job| job.next == Next::Settle)
            else {
                return;
            };
            if let Some((row, at)) = job.came.pop_front() {
                self.take_inherited(now, row, at);
            } else if !job.inherited && job.applied < job.rows.len() {
                job.applied += 1;
                let row = job.applied - 1;
                self.take_own(now, row);
            } else {
                break;
            }
        }
        if self.is_bulk_over()
            && let Some(job) = self.bulk.job.as_deref_mut()
        {
            job.next = Next::Remove;
            self.save_bulk(None);
        }
    }

    /// Whether nothing in the manifest is needed any more.
    fn is_bulk_over(&self) -> bool {
        let Some(job) =
            self.bulk.job.as_deref().filter(|job| {
                job.next == Next::Settle && job.open.is_empty() && job.came.is_empty()
            })
        else {
            return false;
        };
        if !job.inherited {
            return job.applied == job.rows.len();
        }
        let lane = &self.lanes[Lane::En as usize];
        // A stream that was made anew has other sequences: when it is read to its end, nothing else can come.
        let read = lane.above >= job.below || lane.pending == Some(0);
        read && !lane.resyncing
            && lane
                .events
                .range(..job.below)
                .all(|(_, state)| state.loaded)
    }

    /// Takes in the outcome of an own row.
    fn take_own(&mut self, now: Now, row: usize) {
        let Some(job) = self.bulk.job.as_deref() else {
            return;
        };
        let outcome = job.outcomes[row].clone();
        let Some(id) = job.rows[row].job else {
            return;
        };
        let effects = self
            .jobs
            .get(&id)
            .map(|job| effects_of(&job.purpose))
            .unwrap_or_default();
        self.outcome(now, id, &outcome, 0);
        let goes_on = self.jobs.contains_key(&id);
        for at in effects {
            self.unless_ending(at, goes_on);
        }
    }

    /// An effect whose end is not being recorded is back on the ordinary way, where it needs no manifest.
    fn unless_ending(&mut self, (lane, seq, index): EffectRef, goes_on: bool) {
        let state = self.lanes[lane as usize].events.get(&seq);
        let Some(work) = state.and_then(|state| state.effects.get(index)) else {
            return;
        };
        if (goes_on || work.stage != Stage::Working)
            && let Some(job) = self.bulk.job.as_deref_mut()
        {
            job.open.remove(&work.key);
        }
    }

    /// Takes in the outcome of a predecessor's row, for one of its effects.
    fn take_inherited(&mut self, now: Now, row: usize, at: EffectRef) {
        let (lane, seq, index) = at;
        let Some(job) = self.bulk.job.as_deref() else {
            return;
        };
        let (verb, object, outcome) = (job.verb, job.object, job.outcomes[row].clone());
        let row = job.rows[row].row.clone();
        let Some(state) = self.lanes[lane as usize].events.get(&seq) else {
            return;
        };
        let contact = state.contact.clone();
        // Of merged effects that were refused one is to blame, and the others must not share its fate.
        let together = row.effects.len() > 1 && !matches!(outcome, ItemOutcome::Done { .. });
        match outcome {
            ItemOutcome::Done { .. }
            | ItemOutcome::Conflict { .. }
            | ItemOutcome::Gone
            | ItemOutcome::Refused { .. }
                if !together =>
            {
                let mut fields = state.effects[index].effect.fields.clone();
                let event = state.event.as_ref();
                let event_at = event.map_or(self.wall, |event| event.at);
                if object == Object::Contact
                    && let Some(known) = row.crm_id.as_deref().and_then(|id| self.cache.by_id(id))
                {
                    // Of merged effects the newer one's value was written, whichever is taken in last.
                    fields = newer_fields(&fields, event_at, Some(known));
                }
                let creates = verb == Verb::UpsertByKey && object == Object::Contact;
                if let Some(event) = event.filter(|_| creates) {
                    let mut base = contact_base_fields(event);
                    base.append(&mut fields);
                    fields = base;
                }
                let id = self.next_id();
                let field_at = fields
                    .keys()
                    .map(|field| (field.name(), event_at))
                    .collect();
                let purpose = if creates {
                    Purpose::CreateContact {
                        by: (lane, seq),
                        effect: Some(at),
                        field_at,
                    }
                } else {
                    Purpose::Write {
                        effects: vec![at],
                        field_at,
                    }
                };
                let item = Item {
                    trace: id,
                    key: row.key,
                    crm_id: row.crm_id,
                    contact: row.contact,
                    stamp: row.stamp,
                    fields,
                    ..Item::default()
                };
                let class = (verb, object);
                let before = self.answers_ok;
                let job = Job::new(lane, class, item, contact, purpose, now.tick, before);
                self.jobs.insert(id, job);
                self.outcome(now, id, &outcome, 0);
                if self.jobs.contains_key(&id) {
                    // It would go on without a lock: its effect begins afresh instead.
                    self.withdraw(id);
                    self.start_over(id, &[at]);
                }
            }
            _ => {
                self.set_stage(at, Stage::Pending);
                self.changed.insert(contact);
            }
        }
        self.unless_ending(at, false);
    }

    /// Takes a job out of wherever it waits.
    fn withdraw(&mut self, id: u64) {
        self.take_out(id);
        self.delayed.retain(|(_, other)| *other != id);
    }
}

/// The record that a row writes, as its job's lock names it.
fn lock_of(verb: Verb, object: Object, row: &BulkRow) -> Record {
    let by_id = object == Object::Contact && verb == Verb::UpdateById;
    let id = row.crm_id.clone().filter(|_| by_id);
    (object, id.unwrap_or_else(|| row.key.clone()))
}
