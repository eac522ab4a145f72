//! Creations that a CRM does not make once by itself (class B): what is stored before they leave, and after.
//!
//! The ledger keeps the *origin* of a record under our own key, and of a contact under each of its aliases: `sent` before
//! the creation leaves, `done` with the CRM's id once it is there. So a successor, and an event that comes later, knows
//! without asking the CRM that nothing was begun (create), that something may be there (probe), or which id to update.
//!
//! | origin | what it means for who wants to create | for who wants to update |
//! | --- | --- | --- |
//! | none, and the ledger would know | create | look once, then wait for it |
//! | none, and the ledger may have forgotten | probe first | probe |
//! | `sent` | probe first, once nothing can arrive any more | probe |
//! | `done` with its id | it is there | update by this id |
//!
//! Invariants: no creation of this class leaves before its `sent` is stored, nor so late that its permit may be over. What
//! a predecessor began is looked for no earlier than its request's time-out and [`LATE_ARRIVAL_MS`] after this was read.
//! In a CRM whose writes may all be repeated blindly nothing here happens.

use std::collections::BTreeSet;

use super::state::{Begun, EffectWork, Origin, Purpose, Record, Recorded};
use super::{Dispatcher, RequestId};
use crate::effect::{Effect, Field, Object, Value, Write};
use crate::event::Event;
use crate::quota::{LATE_ARRIVAL_MS, Settlement};
use crate::record::{EffectState, LEDGER_TTL_HOURS, LedgerRecord};
use crate::time::{Now, Tick, WallTime};
use crate::vendor::{Repeat, Verb};

/// Longest time between a permit and its request's leaving, milliseconds, that storing an intent may take: well within
/// the time that a block of permits may be spent ([`crate::record::BLOCK_VALID_MS`]).
const INTENT_MS: u64 = 1_000;
/// Pause after an intent that could not be stored, milliseconds.
const INTENT_AGAIN_MS: u64 = 250;
/// What is older than this may have been begun before the ledger's memory begins, milliseconds: half of that memory,
/// so that no clock a few hours wrong makes a difference.
const SURELY_KNOWN_MS: i64 = LEDGER_TTL_HOURS as i64 * 3_600_000 / 2;

impl Origin {
    /// Its key in the ledger. Keys of records and aliases have a letter and a dash in front, keys of effects don't.
    pub(super) fn key(&self) -> &str {
        match self {
            Self::Record((_, key)) => key,
            Self::Contact(alias) => alias,
        }
    }
}

impl Dispatcher {
    /// Whether a write of this kind must not be repeated without a probe.
    pub(super) fn needs_probe(&self, verb: Verb, object: Object) -> bool {
        self.vendor.repeat(verb, object) == Repeat::AfterProbe
    }

    /// What has to be asked of the ledger for an event, beside its effects.
    pub(super) fn origins_of(&self, event: &Event, effects: &[EffectWork]) -> Vec<Origin> {
        let mut origins = Vec::new();
        if effects.is_empty() {
            return origins;
        }
        for work in effects {
            let object = work.effect.object;
            if object != Object::Contact && self.needs_probe(Verb::Create, object) {
                let origin = Origin::Record((object, work.effect.key.clone()));
                if !origins.contains(&origin) {
                    origins.push(origin);
                }
            }
        }
        if self.needs_probe(Verb::UpsertByKey, Object::Contact) {
            origins.extend(event.contact.aliases().into_iter().map(Origin::Contact));
        }
        origins
    }

    /// Takes in what the ledger says. Memory knows better where it knows something.
    pub(super) fn learn_origin(&mut self, now: Now, origin: Origin, ledger: &LedgerRecord) {
        let quiet_at = now
            .tick
            .plus_ms(INTENT_MS + self.config.request_timeout_ms + LATE_ARRIVAL_MS);
        match origin {
            Origin::Record(record) => {
                if self.ids.find(&record).is_some() || self.begun.find(&record).is_some() {
                    return;
                }
                if let (EffectState::Done, Some(crm_id)) = (ledger.state, &ledger.crm_id) {
                    self.ids.insert(record, crm_id.clone());
                } else {
                    let key = record.1.clone();
                    self.begun.insert(record, Begun { key, quiet_at });
                }
            }
            Origin::Contact(alias) => {
                if self.begun_contacts.find(&alias).is_none()
                    && let Some(key) = ledger.own_key.clone()
                {
                    self.begun_contacts.insert(alias, Begun { key, quiet_at });
                }
            }
        }
    }

    /// Stores that the creations of a request may have been sent; it is held until that is stored.
    pub(super) fn record_intent(&mut self, request: RequestId) {
        let Some(jobs) = self.requests.get(&request).map(|sent| sent.jobs.clone()) else {
            return;
        };
        let mut ledger = Vec::new();
        for id in jobs.into_iter().flatten() {
            let Some(job) = self.jobs.get(&id) else {
                continue;
            };
            if !self.needs_probe(job.verb, job.object) {
                continue;
            }
            let key = job.item.key.clone();
            let begun = Begun {
                key: key.clone(),
                quiet_at: Tick(0),
            };
            let mut sent = LedgerRecord::new(EffectState::Sent, self.wall);
            if let Purpose::CreateContact { by, .. } = job.purpose {
                sent.own_key = Some(key);
                let contact = job.contact.clone();
                for alias in self.names_of(&contact, by) {
                    ledger.push((alias.clone(), sent.clone()));
                    self.begun_contacts.insert(alias, begun.clone());
                }
            } else {
                let record: Record = (job.object, key.clone());
                ledger.push((key, sent));
                self.begun.insert(record, begun);
            }
        }
        self.store(
            ledger,
            Vec::new(),
            Recorded::Intent(request),
            BTreeSet::new(),
        );
    }

    /// The intent of a request is stored, or not: then, and when that took too long, its permit goes back.
    pub(super) fn intended(&mut self, now: Now, request: RequestId, stored: bool) {
        let Some(sent) = self.requests.get_mut(&request) else {
            return;
        };
        let in_time = now.tick.since_ms(sent.granted_at) <= INTENT_MS;
        if stored
            && in_time
            && !self.stopping
            && let Some(output) = sent.held.take()
        {
            self.counters.requests += 1;
            self.outputs.push_back(*output);
            return;
        }
        let Some(sent) = self.requests.remove(&request) else {
            return;
        };
        let lane = sent.lane as usize;
        self.in_flight[lane] = self.in_flight[lane].saturating_sub(1);
        self.limiter.settle(now, sent.permit, Settlement::NotSent);
        let wait_ms = if stored { 0 } else { INTENT_AGAIN_MS };
        for id in sent.jobs.into_iter().flatten().rev() {
            self.delay(now, id, wait_ms);
        }
    }

    /// A record is there, under this id; the ledger entry that says so, for a CRM that needs it.
    pub(super) fn originated(
        &mut self,
        record: &Record,
        crm_id: Option<&str>,
    ) -> Option<(String, LedgerRecord)> {
        if record.0 == Object::Contact || !self.needs_probe(Verb::Create, record.0) {
            return None;
        }
        let crm_id = crm_id?.to_owned();
        let begun = self.begun.find(record).is_some();
        self.begun.remove(record);
        if !begun && self.ids.find(record) == Some(&crm_id) {
            return None;
        }
        self.ids.insert(record.clone(), crm_id.clone());
        let mut done = LedgerRecord::new(EffectState::Done, self.wall);
        done.crm_id = Some(crm_id);
        Some((record.1.clone(), done))
    }

    /// Whether an effect's record has to be looked for before it is created, and when at the earliest.
    pub(super) fn looks_first(&self, effect: &Effect, event_at: WallTime) -> Option<Tick> {
        if !self.needs_probe(Verb::Create, effect.object) {
            return None;
        }
        let record = (effect.object, effect.key.clone());
        if let Some(begun) = self.begun.find(&record) {
            return Some(begun.quiet_at);
        }
        // Nobody can have begun it before this instant.
        let since = match effect.write {
            Write::Create => Some(event_at),
            // The call's beginning, whichever of its events this is.
            Write::Upsert if effect.object == Object::Call => match effect.fields.get(&Field::At) {
                Some(Value::At(at)) => Some(*at),
                _ => None,
            },
            // A deal lives for months.
            Write::Upsert | Write::Update | Write::Contact => None,
        };
        let known = since.is_some_and(|since| self.wall.0 - since.0 < SURELY_KNOWN_MS);
        (!known).then_some(Tick(0))
    }

    /// A creation of this person that may have been carried out, under whichever name.
    pub(super) fn begun_contact(&self, aliases: &[String]) -> Option<Begun> {
        aliases
            .iter()
            .find_map(|alias| self.begun_contacts.find(alias).cloned())
    }

    /// What was begun under this key is found, or surely isn't there.
    pub(super) fn contact_cleared(&mut self, aliases: &[String], key: &str) {
        for alias in aliases {
            if self
                .begun_contacts
                .find(alias)
                .is_some_and(|begun| begun.key == key)
            {
                self.begun_contacts.remove(alias);
            }
        }
    }
}
