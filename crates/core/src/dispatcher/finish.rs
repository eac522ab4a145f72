//! Ends: recording them, dead letters, acknowledging.
//!
//! The only place that makes an [`Output::Ack`], and only for an event all of whose effects have ended, which they do
//! only when their end is stored.

use std::collections::BTreeSet;

use super::state::{
    EffectRef, EventRef, Job, JobId, Learnt, Recorded, Recording, Resolution, Stage,
};
use super::{ContactWrite, DeadLetter, Dispatcher, Output, RecordingId};
use crate::codes::Code;
use crate::event::BadEvent;
use crate::lane::Lane;
use crate::record::{BulkRecord, ContactRecord, EffectState, LedgerRecord};
use crate::time::Now;

/// Pause before a failed recording is tried again, milliseconds.
const RERECORD_AFTER_MS: u64 = 250;

impl Dispatcher {
    /// Ends a job: frees its record and looks again at whoever waited for it.
    pub(super) fn finish_job(&mut self, id: JobId) -> Option<Job> {
        let job = self.jobs.remove(&id)?;
        if let Some(at) = job.url_expires_at {
            self.links.remove(&(at, id));
        }
        if let Some(waiting) = job.lock.as_ref().and_then(|lock| self.locks.remove(lock)) {
            self.changed.extend(waiting);
        }
        Some(job)
    }

    /// Stores the ends of effects, with the news of contact and record.
    pub(super) fn record_ends(
        &mut self,
        ends: Vec<(EffectRef, EffectState)>,
        crm_id: Option<String>,
        mut news: Learnt,
        contact: &str,
    ) {
        for ((lane, seq, _), _) in &ends {
            self.tell_names((*lane, *seq), &mut news);
        }
        let mut ledger = Vec::with_capacity(ends.len() + 1);
        let mut touched = BTreeSet::from([contact.to_owned()]);
        let at = self.wall;
        for ((lane, seq, index), end) in &ends {
            let Some(state) = self.lane(*lane).events.get_mut(seq) else {
                continue;
            };
            touched.insert(state.contact.clone());
            let Some(work) = state.effects.get_mut(*index) else {
                continue;
            };
            work.stage = Stage::Working;
            let mut record = LedgerRecord::new(*end, at);
            record.crm_id.clone_from(&crm_id);
            ledger.push((work.key.clone(), record));
        }
        ledger.extend(news.origin);
        self.store(ledger, news.contacts, Recorded::Ends(ends), touched);
    }

    /// A contact known by one of an event's names is stored under the others too: nothing else may ever tell a successor
    /// that they are one person's.
    fn tell_names(&mut self, event: EventRef, news: &mut Learnt) {
        let aliases = self.aliases_of(event);
        let Some(record) = self.known_of(event, &aliases) else {
            return;
        };
        let told = |alias: &String| {
            record.aliases.contains(alias)
                || news.contacts.iter().any(|write| {
                    write.record.crm_id == record.crm_id && write.aliases.contains(alias)
                })
        };
        if !aliases.iter().all(told) {
            news.contacts.push(ContactWrite {
                record,
                aliases,
                only_if_absent: true,
            });
        }
    }

    /// What memory knows of an event's contact.
    fn known_of(&mut self, (lane, seq): EventRef, aliases: &[String]) -> Option<ContactRecord> {
        let found = self.cache.find(aliases);
        if found.is_some() {
            return found;
        }
        // Whoever it was looked up for may have ended before it was found.
        let state = self.lanes[lane as usize].events.get(&seq)?;
        let Resolution::Known(crm_id) = &self.contacts.get(&state.contact)?.resolution else {
            return None;
        };
        let record = self.cache.by_id(crm_id)?.clone();
        self.cache.insert(record.clone(), aliases);
        Some(record)
    }

    /// Stores news of contacts that no effect waits for.
    pub(super) fn record_cache(&mut self, contacts: Vec<ContactWrite>) {
        self.store(Vec::new(), contacts, Recorded::Cache, BTreeSet::new());
    }

    pub(super) fn store(
        &mut self,
        ledger: Vec<(String, LedgerRecord)>,
        contacts: Vec<ContactWrite>,
        what: Recorded,
        touched: BTreeSet<String>,
    ) {
        let id = self.next_id();
        let output = Output::Record {
            id,
            ledger,
            contacts,
            absent: Vec::new(),
        };
        self.record(id, output, what, touched);
    }

    /// Has something stored, and remembers it until it surely is.
    pub(super) fn record(
        &mut self,
        id: RecordingId,
        output: Output,
        what: Recorded,
        contacts: BTreeSet<String>,
    ) {
        let recording = Recording {
            what,
            contacts,
            output: output.clone(),
        };
        self.recordings.insert(id, recording);
        self.outputs.push_back(output);
    }

    /// Makes one effect a dead letter.
    pub(super) fn dead_effect(&mut self, at: EffectRef, code: Code, cause: &str, attempts: u32) {
        let (lane, seq, index) = at;
        let Some(state) = self.lane(lane).events.get_mut(&seq) else {
            return;
        };
        let contact = state.contact.clone();
        let event_id = state
            .event
            .as_ref()
            .map(|event| event.id.as_str().to_owned());
        let Some(work) = state.effects.get_mut(index) else {
            return;
        };
        work.stage = Stage::Working;
        let effect = Some(work.effect.name.clone());
        let attempts = attempts.max(work.attempts);
        let id = self.next_id();
        let letter = DeadLetter {
            id,
            lane,
            seq,
            code,
            cause: cause.to_owned(),
            attempts,
            effect,
            event_id,
        };
        self.bury(
            id,
            letter,
            Recorded::DeadEffect { effect: at, code },
            BTreeSet::from([contact]),
        );
    }

    /// Makes a whole event a dead letter: it can't be read or planned.
    pub(super) fn dead_event(
        &mut self,
        lane: Lane,
        seq: u64,
        bad: BadEvent,
        event_id: Option<String>,
    ) {
        let id = self.next_id();
        let letter = DeadLetter {
            id,
            lane,
            seq,
            code: bad.code,
            cause: bad.text,
            attempts: 0,
            effect: None,
            event_id,
        };
        self.bury(
            id,
            letter,
            Recorded::DeadEvent((lane, seq)),
            BTreeSet::new(),
        );
    }

    fn bury(
        &mut self,
        id: RecordingId,
        letter: DeadLetter,
        what: Recorded,
        contacts: BTreeSet<String>,
    ) {
        self.counters.dead += 1;
        self.record(id, Output::DeadLetter(letter), what, contacts);
    }

    pub(super) fn recorded(&mut self, now: Now, id: RecordingId, stored: bool) {
        if let Some(Recorded::Intent(request)) = self.recordings.get(&id).map(|it| &it.what) {
            // Not tried again by itself: its permit doesn't wait.
            let request = *request;
            self.recordings.remove(&id);
            self.intended(now, request, stored);
            return;
        }
        if !stored {
            if self.recordings.contains_key(&id) {
                self.rerecords
                    .insert((now.tick.plus_ms(RERECORD_AFTER_MS), id));
            }
            return;
        }
        let Some(recording) = self.recordings.remove(&id) else {
            return;
        };
        if let Output::Record { contacts, .. } = &recording.output {
            for write in contacts {
                self.cache.told(&write.record.crm_id, &write.aliases);
            }
        }
        match recording.what {
            Recorded::Ends(ends) => {
                let mut events: BTreeSet<EventRef> = BTreeSet::new();
                for (at, end) in ends {
                    match end {
                        EffectState::Done => self.counters.done += 1,
                        EffectState::Merged => self.counters.merged += 1,
                        EffectState::Superseded => self.counters.superseded += 1,
                        EffectState::Expired => self.counters.expired += 1,
                        EffectState::Dead | EffectState::Sent => {}
                    }
                    self.end_effect(at, end);
                    events.insert((at.0, at.1));
                }
                for (lane, seq) in events {
                    self.settle_if_ended(lane, seq);
                }
            }
            Recorded::DeadEffect {
                effect: (lane, seq, index),
                code,
            } => {
                let key = self
                    .lane(lane)
                    .events
                    .get(&seq)
                    .and_then(|state| Some(state.effects.get(index)?.key.clone()));
                if let Some(key) = key {
                    let mut record = LedgerRecord::new(EffectState::Dead, now.wall);
                    record.code = Some(code);
                    self.store(
                        vec![(key, record)],
                        Vec::new(),
                        Recorded::Ends(vec![((lane, seq, index), EffectState::Dead)]),
                        recording.contacts.clone(),
                    );
                }
                return;
            }
            Recorded::DeadEvent((lane, seq)) => self.settle(lane, seq),
            Recorded::Page { next } => self.page_stored(now, next),
            Recorded::Deals { next } => self.deals_stored(now, next),
            Recorded::Wanted(alias) => self.wanted.done(now.tick, &alias),
            Recorded::Bulk => self.bulk_stored(now),
            Recorded::Intent(_) | Recorded::Cache => {}
        }
        self.changed.extend(recording.contacts);
    }

    /// Has a bulk job stored, or removed.
    pub(super) fn save_bulk(&mut self, record: Option<BulkRecord>) {
        let id = self.next_id();
        let output = Output::SaveBulk { id, record };
        self.record(id, output, Recorded::Bulk, BTreeSet::new());
    }

    /// Tries again to store what could not be stored.
    pub(super) fn rerecord_due(&mut self, now: Now) {
        while let Some((at, id)) = self.rerecords.first().copied() {
            if at > now.tick {
                self.wake_at(at);
                break;
            }
            self.rerecords.pop_first();
            if let Some(recording) = self.recordings.get(&id) {
                self.outputs.push_back(recording.output.clone());
            }
        }
    }

    fn end_effect(&mut self, (lane, seq, index): EffectRef, end: EffectState) {
        let key = self.lane(lane).events.get_mut(&seq).and_then(|state| {
            let work = state.effects.get_mut(index)?;
            work.stage = Stage::Ended;
            Some(work.key.clone())
        });
        if let Some(key) = &key {
            self.bulk_ended(key);
        }
        // A dead effect may come again: as the replay of its dead letter.
        if let Some(key) = key.filter(|_| end != EffectState::Dead) {
            self.recent.insert(key);
        }
    }

    /// Settles an event if every effect of it has ended; answers whether it did.
    pub(super) fn settle_if_ended(&mut self, lane: Lane, seq: u64) -> bool {
        let ended = self.lane(lane).events.get(&seq).is_some_and(|state| {
            (state.loaded || state.effects.is_empty())
                && state.event.is_some()
                && state.effects.iter().all(|work| work.stage == Stage::Ended)
        });
        if ended {
            self.settle(lane, seq);
        }
        ended
    }

    fn settle(&mut self, lane: Lane, seq: u64) {
        let Some(state) = self.lane(lane).events.remove(&seq) else {
            return;
        };
        self.lane(lane).bytes = self.lane(lane).bytes.saturating_sub(state.bytes);
        self.counters.settled += 1;
        if let Some(contact) = self.contacts.get_mut(&state.contact) {
            contact.queues[lane as usize].retain(|other| *other != seq);
        }
        self.outputs.push_back(Output::Ack { lane, seq });
    }

    /// After [`super::Input::Stop`]: once nothing is in the air, floors are saved and the end is told. A pull that
    /// still stands is not waited for: what it brings is not looked at and comes again to the successor.
    pub(super) fn finish_stop(&mut self) {
        let busy = !self.requests.is_empty()
            || !self.recordings.is_empty()
            || self.limiter.is_journaling();
        if self.stopping && !self.stopped && !busy {
            self.stopped = true;
            self.outputs.push_back(Output::Stopped);
        }
    }
}
