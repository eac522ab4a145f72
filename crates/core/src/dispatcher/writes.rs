//! Writes of records: merging pending updates, waiting for a call's record, and what the answers mean.

use std::collections::BTreeMap;

use super::state::{EffectRef, JobId, Learnt, Purpose, Resolution, Stage, Target, newer_fields};
use super::{ContactWrite, Dispatcher};
use crate::codes;
use crate::effect::{Fields, Object, Write};
use crate::record::{ContactRecord, EffectState};
use crate::time::{Now, WallTime};
use crate::vendor::{Item, ItemOutcome, Verb};

impl Dispatcher {
    pub(super) fn queue_contact_update(
        &mut self,
        now: Now,
        contact: &str,
        at: EffectRef,
        crm_id: &str,
    ) {
        let lock = (Object::Contact, crm_id.to_owned());
        let record = self.cache.by_id(crm_id).cloned();
        let (lane, seq, index) = at;
        let own = self
            .lane(lane)
            .events
            .get(&seq)
            .map(|state| state.effects[index].effect.fields.clone())
            .unwrap_or_default();
        let event_at = self.event_at(lane, seq);
        if own.is_empty() {
            // The contact must exist, and does.
            self.record_ends(
                vec![(at, EffectState::Done)],
                Some(crm_id.to_owned()),
                Learnt::default(),
                contact,
            );
            self.stamp_if_needed(now, contact, crm_id);
            return;
        }
        if newer_fields(&own, event_at, record.as_ref()).is_empty() {
            self.record_ends(
                vec![(at, EffectState::Superseded)],
                Some(crm_id.to_owned()),
                Learnt::default(),
                contact,
            );
            return;
        }
        if !self.lock(&lock, contact, lane) {
            return;
        }
        let (effects, fields, field_at) = self.merge(contact, at, record.as_ref());
        let stamp = record.is_none_or(|record| record.own_key.is_none());
        if stamp {
            self.stamped.insert(crm_id.to_owned());
        }
        let item = Item {
            key: contact.to_owned(),
            crm_id: Some(crm_id.to_owned()),
            fields,
            stamp,
            ..Item::default()
        };
        let purpose = Purpose::Write { effects, field_at };
        self.enqueue(
            now,
            lane,
            Verb::UpdateById,
            Object::Contact,
            item,
            contact,
            purpose,
            Some(lock),
        );
    }

    /// Queues an update by our key, or by id where the CRM knows no keys; `belongs_to` is the contact's id, among whose
    /// records one without a known id is looked for.
    pub(super) fn queue_update(
        &mut self,
        now: Now,
        contact: &str,
        at: EffectRef,
        belongs_to: Option<String>,
    ) {
        let (lane, seq, index) = at;
        let Some((object, key)) = self.lane(lane).events.get(&seq).map(|state| {
            let effect = &state.effects[index].effect;
            (effect.object, effect.key.clone())
        }) else {
            return;
        };
        let lock = (object, key.clone());
        if !self.lock(&lock, contact, lane) {
            return;
        }
        let (effects, fields, field_at) = self.merge(contact, at, None);
        let crm_id = self.ids.find(&lock).cloned();
        let verb = match &crm_id {
            _ if self.vendor.updates_by_key(object) => Verb::UpdateByKey,
            Some(_) => Verb::UpdateById,
            None => Verb::Probe,
        };
        let item = Item {
            key,
            fields,
            crm_id: crm_id.filter(|_| verb == Verb::UpdateById),
            contact: belongs_to.filter(|_| verb == Verb::Probe),
            ..Item::default()
        };
        let purpose = Purpose::Write { effects, field_at };
        let job = self.enqueue(now, lane, verb, object, item, contact, purpose, Some(lock));
        if verb == Verb::Probe {
            self.probe_for(job, Verb::UpdateById);
        }
    }

    /// The effect with all younger pending updates of the same record right behind it, their fields in one, and the
    /// event time of each field. All of them are marked as working.
    fn merge(
        &mut self,
        contact: &str,
        at: EffectRef,
        record: Option<&ContactRecord>,
    ) -> (Vec<EffectRef>, Fields, BTreeMap<String, WallTime>) {
        let (lane, seq, index) = at;
        let wall = self.wall;
        let mut effects = Vec::new();
        let mut fields = Fields::new();
        let mut field_at: BTreeMap<String, WallTime> = BTreeMap::new();
        let mut target: Option<Target> = None;
        for other in self
            .queue(contact, lane)
            .into_iter()
            .filter(|other| *other >= seq)
        {
            let event_at = self.event_at(lane, other);
            let Some(state) = self.lane(lane).events.get(&other) else {
                break;
            };
            let open: Vec<usize> = (0..state.effects.len())
                .filter(|i| state.effects[*i].stage != Stage::Ended)
                .collect();
            let place = if other == seq {
                index
            } else {
                match open.as_slice() {
                    [] if state.loaded => continue,
                    [only]
                        if state.loaded
                            && !state.effects[*only].alone
                            && state.effects[*only].stage == Stage::Pending =>
                    {
                        *only
                    }
                    _ => break,
                }
            };
            let work = &state.effects[place];
            let effect = &work.effect;
            let this = (effect.object, effect.key.clone(), effect.write);
            let first = target.is_none();
            if !first
                && (target.as_ref() != Some(&this)
                    || !matches!(effect.write, Write::Contact | Write::Update)
                    || effect.has_expired(wall))
            {
                break;
            }
            for (field, value) in newer_fields(&effect.fields, event_at, record) {
                let name = field.name();
                if field_at.get(&name).is_none_or(|held| *held <= event_at) {
                    field_at.insert(name, event_at);
                    fields.insert(field, value);
                }
            }
            target = Some(this);
            effects.push((lane, other, place));
            if first && (open.len() > 1 || work.alone) {
                // The event has more to do after this effect, and younger events wait for that; or merged with
                // others it was refused.
                break;
            }
        }
        for effect in &effects {
            self.set_stage(*effect, Stage::Working);
        }
        (effects, fields, field_at)
    }

    pub(super) fn wrote(
        &mut self,
        now: Now,
        id: JobId,
        effects: &[EffectRef],
        field_at: &BTreeMap<String, WallTime>,
        outcome: &ItemOutcome,
    ) {
        let Some(job) = self.jobs.get(&id) else {
            return;
        };
        let (verb, stamp) = (job.verb, job.item.stamp);
        let by_id = verb == Verb::UpdateById && job.object != Object::Contact;
        match outcome {
            ItemOutcome::Done { crm_id } => {
                let deal = self.deal_written(id, effects, field_at, crm_id);
                self.write_done(id, effects, field_at, Some(crm_id.clone()), deal);
            }
            ItemOutcome::Conflict { existing } if verb == Verb::Create => {
                let upsert = effects
                    .first()
                    .is_some_and(|at| self.write_of(*at) == Some(Write::Upsert));
                if upsert {
                    // It is there already, from an earlier event of the same record: bring it up to date.
                    for at in effects {
                        self.work(*at, |work| work.update = true);
                    }
                    if let Some(job) = self.start_over(id, effects) {
                        self.exists((job.object, job.item.key));
                    }
                } else {
                    self.write_done(id, effects, field_at, existing.clone(), None);
                }
            }
            ItemOutcome::Gone if by_id => self.record_is_gone(now, id, effects),
            ItemOutcome::Gone => self.gone(now, id, effects),
            ItemOutcome::Conflict { .. } if stamp => {
                // Our key may be what is taken, on another record of the same person: the fields matter more.
                if let Some(job) = self.jobs.get_mut(&id) {
                    job.item.stamp = false;
                }
                self.requeue(id);
            }
            ItemOutcome::Refused { .. } | ItemOutcome::Conflict { .. } if effects.len() > 1 => {
                // One of the merged is to blame, the others must not share its fate.
                for at in effects {
                    self.work(*at, |work| work.alone = true);
                }
                self.start_over(id, effects);
            }
            ItemOutcome::Refused { code, reason } => self.give_up(id, *code, reason),
            ItemOutcome::Conflict { .. } => self.give_up(
                id,
                codes::CRM_CONFLICT,
                "another record in the CRM has this value already",
            ),
            _ => self.give_up(
                id,
                codes::CRM_MALFORMED,
                "a write was answered as if it were a look-up",
            ),
        }
    }

    /// Ends a job whose effects are to be looked at afresh.
    pub(super) fn start_over(
        &mut self,
        id: JobId,
        effects: &[EffectRef],
    ) -> Option<super::state::Job> {
        for at in effects {
            self.set_stage(*at, Stage::Pending);
        }
        let job = self.finish_job(id)?;
        self.changed.insert(job.contact.clone());
        Some(job)
    }

    fn write_of(&mut self, (lane, seq, index): EffectRef) -> Option<Write> {
        let state = self.lane(lane).events.get(&seq)?;
        Some(state.effects.get(index)?.effect.write)
    }

    fn write_done(
        &mut self,
        id: JobId,
        effects: &[EffectRef],
        field_at: &BTreeMap<String, WallTime>,
        crm_id: Option<String>,
        deal: Option<ContactWrite>,
    ) {
        let Some(job) = self.finish_job(id) else {
            return;
        };
        let mut news = Learnt::default();
        news.contacts.extend(deal);
        if job.object != Object::Contact {
            let record = (job.object, job.item.key);
            news.origin = self.originated(&record, crm_id.as_deref());
            self.exists(record);
        } else if let Some(mut record) =
            crm_id.as_ref().and_then(|id| self.cache.by_id(id)).cloned()
        {
            for (field, at) in field_at {
                let held = record.field_at.entry(field.clone()).or_insert(*at);
                *held = (*held).max(*at);
            }
            record.card.take_written(&job.item.fields);
            if job.item.stamp {
                record.own_key = Some(job.contact.clone());
            }
            let aliases = effects
                .first()
                .map(|(lane, seq, _)| self.aliases_of((*lane, *seq)))
                .unwrap_or_default();
            self.cache.insert(record.clone(), &aliases);
            news.contacts.push(ContactWrite {
                record,
                aliases,
                only_if_absent: false,
            });
        }
        let last = effects.len().saturating_sub(1);
        let ends = effects
            .iter()
            .enumerate()
            .map(|(place, at)| {
                let end = if place == last {
                    EffectState::Done
                } else {
                    EffectState::Merged
                };
                (*at, end)
            })
            .collect();
        self.record_ends(ends, crm_id, news, &job.contact);
    }

    /// The record to write to, or to link to, isn't there.
    pub(super) fn gone(&mut self, now: Now, id: JobId, effects: &[EffectRef]) {
        let Some(job) = self.jobs.get(&id) else {
            return;
        };
        let contact = job.contact.clone();
        let crm_id = job.item.crm_id.clone().or_else(|| job.item.contact.clone());
        if job.verb == Verb::UpdateByKey {
            // Not written yet, or deleted in the CRM.
            let record = (job.object, job.item.key.clone());
            self.existing.remove(&record);
            let first = effects.first().copied();
            if let Some(first) = first
                && self.write_of(first) == Some(Write::Update)
            {
                self.await_record(now, id, effects, first, record);
                return;
            }
        }
        let mut again = true;
        for at in effects {
            self.work(*at, |work| {
                again &= !work.gone_once;
                work.gone_once = true;
                work.update = false;
            });
        }
        if !again {
            self.give_up(
                id,
                codes::CRM_RECORD_GONE,
                "the record was gone again after it was looked up anew",
            );
            return;
        }
        if let Some(crm_id) = crm_id {
            self.cache.forget(&crm_id);
            let known = Resolution::Known(crm_id);
            if self
                .contacts
                .get(&contact)
                .is_some_and(|state| state.resolution == known)
            {
                self.set_resolution(&contact, Resolution::Unresolved);
            }
        }
        self.start_over(id, effects);
    }
}
