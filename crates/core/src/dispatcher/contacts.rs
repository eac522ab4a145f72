//! Which CRM record a contact is: cache → our own key → e-mail → phone search → create with our key.
//!
//! Where nothing is unique the look by our key is left out unless the publisher names the key (`key_tells_more`): a search
//! for what is searched for anyway.
//!
//! Invariants: one look-up or creation per contact at a time; two ways of naming one person (key and phone, say) are
//! resolved one after the other, so that the second finds what the first created. A contact found without our key
//! gets it, in passing, where a look by it is of use.

use std::collections::BTreeMap;

use super::state::{EffectRef, EventRef, JobId, Learnt, Purpose, Resolution, Stage, Step};
use super::{ContactWrite, Dispatcher};
use crate::card::{Card, News};
use crate::codes;
use crate::effect::{Effect, Object};
use crate::event::{ContactRef, Event};
use crate::lane::Lane;
use crate::plan::contact_base_fields;
use crate::record::{ContactRecord, EffectState, SCHEMA};
use crate::time::{Now, Tick, WallTime};
use crate::vendor::{Found, Item, ItemOutcome, Verb};

impl Dispatcher {
    /// What is known about a contact, the cache included.
    pub(super) fn resolution(&mut self, contact: &str, event: &Event) -> Resolution {
        let found = self.cache.find(&event.contact.aliases());
        let Some(state) = self.contacts.get(contact) else {
            return Resolution::Unresolved;
        };
        match (&state.resolution, found) {
            (Resolution::Working, _) => Resolution::Working,
            (_, Some(record)) => {
                let known = Resolution::Known(record.crm_id);
                self.set_resolution(contact, known.clone());
                known
            }
            (known, None) => known.clone(),
        }
    }

    pub(super) fn set_resolution(&mut self, contact: &str, resolution: Resolution) {
        let over = matches!(resolution, Resolution::Known(_) | Resolution::Unresolved);
        if let Some(state) = self.contacts.get_mut(contact) {
            state.resolution = resolution;
        }
        if over {
            self.release(contact);
        }
    }

    /// Looks for a contact, from this step on: steps for which the event gives nothing are left out.
    pub(super) fn look_up(
        &mut self,
        now: Now,
        lane: Lane,
        contact: &str,
        by: EventRef,
        step: Step,
    ) {
        let Some(reference) = self
            .lane(by.0)
            .events
            .get(&by.1)
            .and_then(|state| state.event.as_ref())
            .map(|event| event.contact.clone())
        else {
            // It has ended meanwhile, as one whose link has expired does. Others of this contact may wait.
            self.set_resolution(contact, Resolution::Unresolved);
            self.changed.insert(contact.to_owned());
            return;
        };
        let mut item = Item {
            key: contact.to_owned(),
            ..Item::default()
        };
        let (email, phone) = (reference.email(), reference.phone());
        let begun = match step {
            Step::Origin => self.begun_contact(&reference.aliases()),
            Step::Key | Step::Email | Step::Phone => None,
        };
        let (step, verb) = match step {
            Step::Origin if begun.is_some() => (Step::Origin, Verb::Probe),
            Step::Origin | Step::Key if self.key_tells_more(contact) => {
                (Step::Key, Verb::ReadByKey)
            }
            Step::Origin | Step::Key | Step::Email if email.is_some() => {
                (Step::Email, Verb::ReadByEmail)
            }
            _ if phone.is_some() => (Step::Phone, Verb::SearchByPhone),
            _ => {
                self.set_resolution(contact, Resolution::Absent);
                self.changed.insert(contact.to_owned());
                return;
            }
        };
        match step {
            Step::Origin | Step::Key => {}
            Step::Email => item.email = email,
            Step::Phone => item.phone = phone,
        }
        let mut not_before = Tick(0);
        if let Some(begun) = begun {
            item.key = begun.key;
            not_before = begun.quiet_at;
        }
        self.set_resolution(contact, Resolution::Working);
        let lane = self.urgency(contact, lane);
        let job = self.enqueue(
            now,
            lane,
            verb,
            Object::Contact,
            item,
            contact,
            Purpose::Lookup { step, by },
            None,
        );
        self.hold_until(now, job, not_before);
    }

    /// Whether a look by this key of ours may find somebody whom e-mail address and phone number don't. Where nothing is unique
    /// (class B) it is a search of its own, as dear as theirs, and a key that the publisher doesn't name is made of one of
    /// them. Elsewhere it is a read that many share, and sure.
    fn key_tells_more(&self, own_key: &str) -> bool {
        ContactRef::is_named_key(own_key) || !self.needs_probe(Verb::UpsertByKey, Object::Contact)
    }

    pub(super) fn looked_up(
        &mut self,
        now: Now,
        id: JobId,
        step: Step,
        by: EventRef,
        outcome: &ItemOutcome,
    ) {
        let Some(job) = self.jobs.get(&id) else {
            return;
        };
        let (contact, lane, key) = (job.contact.clone(), job.lane, job.item.key.clone());
        if step == Step::Origin && matches!(outcome, ItemOutcome::Done { .. } | ItemOutcome::Gone) {
            let aliases = self.names_of(&contact, by);
            self.contact_cleared(&aliases, &key);
        }
        match outcome {
            ItemOutcome::Done { crm_id } if step == Step::Origin => {
                self.finish_job(id);
                let found = Found {
                    crm_id: crm_id.clone(),
                    own_key: Some(key),
                    ..Found::default()
                };
                self.know(now, &contact, by, &found);
            }
            ItemOutcome::Matches(found) if !found.is_empty() => {
                self.finish_job(id);
                if let Some(best) = choose(found, &contact) {
                    self.know(now, &contact, by, best);
                }
            }
            ItemOutcome::Matches(_) | ItemOutcome::Gone => {
                self.finish_job(id);
                match step {
                    // Another of its names may have been used in another creation.
                    Step::Origin => self.look_up(now, lane, &contact, by, Step::Origin),
                    Step::Key => self.look_up(now, lane, &contact, by, Step::Email),
                    Step::Email => self.look_up(now, lane, &contact, by, Step::Phone),
                    Step::Phone => {
                        self.set_resolution(&contact, Resolution::Absent);
                        self.changed.insert(contact);
                    }
                }
            }
            ItemOutcome::Refused { code, reason } => self.give_up(id, *code, reason),
            _ => self.give_up(
                id,
                codes::CRM_MALFORMED,
                "a look-up was answered as if it were a write",
            ),
        }
    }

    /// A contact was found: remember it, go on, and stamp it if it lacks our key and nothing else does that.
    fn know(&mut self, now: Now, contact: &str, by: EventRef, found: &Found) {
        let aliases = self.names_of(contact, by);
        let mut record = match self.cache.by_id(&found.crm_id) {
            Some(known) => known.clone(),
            None => ContactRecord {
                schema: SCHEMA,
                crm_id: found.crm_id.clone(),
                ..ContactRecord::default()
            },
        };
        record.own_key = record.own_key.or_else(|| found.own_key.clone());
        record = read_record(found).onto(&record, News::Read);
        self.cache.insert(record.clone(), &aliases);
        self.set_resolution(contact, Resolution::Known(found.crm_id.clone()));
        self.record_cache(vec![ContactWrite {
            record,
            aliases,
            only_if_absent: true,
        }]);
        self.advance(now, contact);
        self.stamp_if_needed(now, contact, &found.crm_id);
    }

    /// Whether a person needn't be looked for: named by our key alone, which an upsert finds by itself, with nothing
    /// written onto one who is there but what this effect says.
    pub(super) fn is_upsert_enough(&self, event: &Event, wanted: &Effect) -> bool {
        let named = &event.contact;
        wanted.object == Object::Contact
            && named.key.as_deref().is_some_and(|key| !key.is_empty())
            && named.phone.is_none()
            && named.email.is_none()
            && contact_base_fields(event)
                .keys()
                .all(|field| wanted.fields.contains_key(field))
            && !self.needs_probe(Verb::UpsertByKey, Object::Contact)
            && self.vendor.upserts_plainly(Object::Contact, &wanted.fields)
    }

    pub(super) fn create_contact(
        &mut self,
        now: Now,
        contact: &str,
        at: EffectRef,
        event: &Event,
        wanted: &Effect,
    ) {
        let lock = (Object::Contact, contact.to_owned());
        if !self.lock(&lock, contact, at.0) {
            return;
        }
        let mut fields = contact_base_fields(event);
        let mut effect = None;
        if wanted.object == Object::Contact {
            fields.extend(wanted.fields.clone());
            effect = Some(at);
            self.set_stage(at, Stage::Working);
        }
        let field_at = fields
            .keys()
            .map(|field| (field.name(), event.at))
            .collect();
        let item = Item {
            key: contact.to_owned(),
            fields,
            ..Item::default()
        };
        self.set_resolution(contact, Resolution::Working);
        let purpose = Purpose::CreateContact {
            by: (at.0, at.1),
            effect,
            field_at,
        };
        let lane = self.urgency(contact, at.0);
        self.enqueue(
            now,
            lane,
            Verb::UpsertByKey,
            Object::Contact,
            item,
            contact,
            purpose,
            Some(lock),
        );
    }

    pub(super) fn created_contact(
        &mut self,
        now: Now,
        id: JobId,
        by: EventRef,
        effect: Option<EffectRef>,
        field_at: &BTreeMap<String, WallTime>,
        outcome: &ItemOutcome,
    ) {
        let Some(job) = self.jobs.get(&id) else {
            return;
        };
        let (contact, lane, key) = (job.contact.clone(), job.lane, job.item.key.clone());
        let mut card = Card::default();
        card.take_written(&job.item.fields);
        // This attempt's outcome is known, and no earlier one can be open.
        let aliases = self.names_of(&contact, by);
        self.contact_cleared(&aliases, &key);
        match outcome {
            ItemOutcome::Done { crm_id } => {
                let made = ContactRecord {
                    schema: SCHEMA,
                    crm_id: crm_id.clone(),
                    own_key: Some(contact.clone()),
                    field_at: field_at.clone(),
                    card,
                    ..ContactRecord::default()
                };
                // One that was there may hold newer fields, and more than this creation knows.
                let record = match self.cache.by_id(crm_id) {
                    Some(known) => made.onto(known, News::Written),
                    None => made,
                };
                self.cache.insert(record.clone(), &aliases);
                self.finish_job(id);
                self.set_resolution(&contact, Resolution::Known(crm_id.clone()));
                let write = ContactWrite {
                    record,
                    aliases,
                    only_if_absent: false,
                };
                match effect {
                    Some(effect) => self.record_ends(
                        vec![(effect, EffectState::Done)],
                        Some(crm_id.clone()),
                        Learnt::of(write),
                        &contact,
                    ),
                    None => self.record_cache(vec![write]),
                }
                self.changed.insert(contact);
            }
            ItemOutcome::Conflict { existing } => {
                self.finish_job(id);
                if let Some(effect) = effect {
                    self.set_stage(effect, Stage::Pending);
                }
                self.creation_conflict(now, &contact, lane, by, existing.as_deref());
            }
            ItemOutcome::Refused { code, reason } => self.give_up(id, *code, reason),
            _ => self.give_up(
                id,
                codes::CRM_MALFORMED,
                "the creation of a contact was answered as something else",
            ),
        }
    }

    /// Somebody else has this e-mail address or phone number: that is whom the event means.
    fn creation_conflict(
        &mut self,
        now: Now,
        contact: &str,
        lane: Lane,
        by: EventRef,
        existing: Option<&str>,
    ) {
        if let Some(crm_id) = existing {
            let found = Found {
                crm_id: crm_id.to_owned(),
                ..Found::default()
            };
            return self.know(now, contact, by, &found);
        }
        let mut first_time = false;
        let wanted = self.first_open(by);
        if let Some(at) = wanted {
            self.work(at, |work| {
                first_time = !work.conflicted;
                work.conflicted = true;
            });
        }
        if first_time && self.has_email(by) {
            self.look_up(now, lane, contact, by, Step::Email);
            return;
        }
        self.set_resolution(contact, Resolution::Unresolved);
        match wanted {
            Some(at) => self.dead_effect(
                at,
                codes::CRM_CONFLICT,
                "the CRM reports a conflict without naming the record",
                1,
            ),
            None => {
                self.changed.insert(contact.to_owned());
            }
        }
    }

    /// A contact that was found without our key gets it, in passing, where somebody may once be found by it. No lock: nothing
    /// else writes this property.
    pub(super) fn stamp_if_needed(&mut self, now: Now, contact: &str, crm_id: &str) {
        if !self.key_tells_more(contact) {
            return;
        }
        let unstamped = self
            .cache
            .by_id(crm_id)
            .is_some_and(|record| record.own_key.is_none());
        if unstamped && !self.stamped.contains(&crm_id.to_owned()) {
            self.stamped.insert(crm_id.to_owned());
            let item = Item {
                key: contact.to_owned(),
                crm_id: Some(crm_id.to_owned()),
                stamp: true,
                ..Item::default()
            };
            self.enqueue(
                now,
                Lane::En,
                Verb::UpdateById,
                Object::Contact,
                item,
                contact,
                Purpose::Stamp,
                None,
            );
        }
    }

    /// Whatever the answer, nothing depends on it: without our key the contact is found again by phone or e-mail.
    pub(super) fn stamp_answered(&mut self, id: JobId, outcome: &ItemOutcome) {
        let Some(job) = self.finish_job(id) else {
            return;
        };
        if let (ItemOutcome::Done { .. }, Some(crm_id)) = (outcome, job.item.crm_id)
            && let Some(mut record) = self.cache.by_id(&crm_id).cloned()
        {
            record.own_key = Some(job.contact);
            self.cache.insert(record.clone(), &[]);
            self.record_cache(vec![ContactWrite {
                record,
                aliases: Vec::new(),
                only_if_absent: false,
            }]);
        }
    }

    /// The names of a contact that is looked for, or created, for an event. One whose link has expired may have ended
    /// meanwhile: then those of the next in line, and our own key at least.
    pub(super) fn names_of(&mut self, contact: &str, by: EventRef) -> Vec<String> {
        let next = |lane: Lane| Some((lane, *self.queue(contact, lane).front()?));
        let mut events = vec![by];
        events.extend(Lane::ALL.into_iter().filter_map(next));
        events
            .into_iter()
            .map(|event| self.aliases_of(event))
            .find(|aliases| !aliases.is_empty())
            .unwrap_or_else(|| vec![contact.to_owned()])
    }

    pub(super) fn aliases_of(&mut self, (lane, seq): EventRef) -> Vec<String> {
        self.lane(lane)
            .events
            .get(&seq)
            .and_then(|state| state.event.as_ref())
            .map(|event| event.contact.aliases())
            .unwrap_or_default()
    }

    fn has_email(&mut self, (lane, seq): EventRef) -> bool {
        self.lane(lane)
            .events
            .get(&seq)
            .and_then(|state| state.event.as_ref())
            .is_some_and(|event| event.contact.email().is_some())
    }
}

/// What a contact's record holds when nothing is known but what the CRM says.
pub(super) fn read_record(found: &Found) -> ContactRecord {
    ContactRecord {
        schema: SCHEMA,
        crm_id: found.crm_id.clone(),
        own_key: found.own_key.clone(),
        card: Card::from(found),
        ..ContactRecord::default()
    }
}

/// The one that carries our key, else the oldest (lowest id): always the same, whoever asks.
pub(super) fn choose<'a>(found: &'a [Found], own_key: &str) -> Option<&'a Found> {
    found
        .iter()
        .find(|found| found.own_key.as_deref() == Some(own_key))
        .or_else(|| {
            found
                .iter()
                .min_by_key(|found| (found.crm_id.len(), found.crm_id.clone()))
        })
}
