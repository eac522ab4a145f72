//! Which effect of a contact may go next, and as what job.
//!
//! Order: per contact and lane only the oldest event works, its effects one after the other; younger updates of the
//! same record are merged into its request. Contacts are resolved before anything is linked to them:
//! cache → our own key → e-mail → phone search → create with our key.

use std::collections::BTreeMap;

use super::Dispatcher;
use super::state::{EffectRef, Job, Purpose, Resolution, Stage, Step, newer_fields};
use crate::effect::{Fields, Object, Write};
use crate::event::Event;
use crate::lane::Lane;
use crate::plan::contact_base_fields;
use crate::record::{ContactRecord, EffectState};
use crate::time::{Now, WallTime};
use crate::vendor::{Item, Verb};

/// Pause before an update asks again for the record of its call, milliseconds; grows to a minute.
const RECORD_WAIT_FIRST_MS: u64 = 1_000;
const RECORD_WAIT_MAX_MS: u64 = 60_000;

impl Dispatcher {
    /// Starts whatever of this contact can start.
    pub(super) fn advance(&mut self, now: Now, contact: &str) {
        for lane in Lane::ALL {
            while let Some(seq) = self.queue_head(contact, lane) {
                let Some(state) = self.lane(lane).events.get(&seq) else {
                    break;
                };
                if !state.loaded {
                    break;
                }
                let Some(index) = state
                    .effects
                    .iter()
                    .position(|work| work.stage != Stage::Ended)
                else {
                    // Every effect has ended: settling removes it from the queue.
                    if self.settle_if_ended(lane, seq) {
                        continue;
                    } else {
                        break;
                    }
                };
                let work = &state.effects[index];
                if work.stage != Stage::Pending {
                    break;
                }
                let key = work.key.clone();
                if self.recent.contains(&key) {
                    // A second copy of an event that ended a moment ago.
                    self.set_stage((lane, seq, index), Stage::Ended);
                    continue;
                }
                self.start(now, contact, (lane, seq, index));
                break;
            }
        }
        if self.contacts.get(contact).is_some_and(|state| {
            state
                .queues
                .iter()
                .all(std::collections::VecDeque::is_empty)
        }) {
            self.contacts.remove(contact);
        }
    }

    fn queue_head(&self, contact: &str, lane: Lane) -> Option<u64> {
        self.contacts.get(contact)?.queues[lane as usize]
            .front()
            .copied()
    }

    fn start(&mut self, now: Now, contact: &str, at: EffectRef) {
        let (lane, seq, index) = at;
        let Some(state) = self.lane(lane).events.get(&seq) else {
            return;
        };
        let Some(event) = state.event.clone() else {
            return;
        };
        let work = &state.effects[index];
        let (effect, update, waiting) = (
            work.effect.clone(),
            work.update,
            work.waiting_since.is_some(),
        );
        if effect.object != Object::Contact && (effect.write == Write::Update || update) {
            if effect.write == Write::Update
                && !waiting
                && self.creation_pending(contact, lane, &effect.key)
            {
                return;
            }
            self.queue_update(now, contact, at);
            return;
        }
        match self.resolution(contact, &event) {
            Resolution::Working => {}
            Resolution::Unresolved => self.look_up(now, lane, contact, (lane, seq), Step::Key),
            Resolution::Absent => self.create_contact(
                now,
                contact,
                at,
                &event,
                &effect.fields,
                effect.object == Object::Contact,
            ),
            Resolution::Known(crm_id) if effect.object == Object::Contact => {
                self.queue_contact_update(now, contact, at, &crm_id)
            }
            Resolution::Known(crm_id) => {
                let known = effect.write == Write::Upsert
                    && self.existing.contains(&(effect.object, effect.key.clone()));
                if known {
                    self.work(at, |work| work.update = true);
                    self.queue_update(now, contact, at);
                    return;
                }
                let lock = (effect.object, effect.key.clone());
                if !self.lock(&lock, contact) {
                    return;
                }
                let item = Item {
                    key: effect.key,
                    fields: effect.fields,
                    contact: effect.linked.then_some(crm_id),
                    ..Item::default()
                };
                let purpose = Purpose::Write {
                    effects: vec![at],
                    field_at: BTreeMap::new(),
                };
                self.set_stage(at, Stage::Working);
                self.enqueue(
                    now,
                    lane,
                    Verb::Create,
                    effect.object,
                    item,
                    contact,
                    purpose,
                    Some(lock),
                );
            }
        }
    }

    /// Whether an operational event in memory will create this record: an enrichment of a call waits for its call.
    fn creation_pending(&mut self, contact: &str, lane: Lane, key: &str) -> bool {
        lane == Lane::En
            && self.queue(contact, Lane::Op).into_iter().any(|seq| {
                self.lane(Lane::Op).events.get(&seq).is_some_and(|state| {
                    state.effects.iter().any(|work| {
                        work.stage != Stage::Ended
                            && work.effect.key == key
                            && work.effect.write == Write::Upsert
                    })
                })
            })
    }

    /// What is known about a contact, the cache included.
    fn resolution(&mut self, contact: &str, event: &Event) -> Resolution {
        let found = self.cache.find(&event.contact.aliases());
        let Some(state) = self.contacts.get_mut(contact) else {
            return Resolution::Unresolved;
        };
        match (&state.resolution, found) {
            (Resolution::Working, _) => Resolution::Working,
            (_, Some(record)) => {
                state.resolution = Resolution::Known(record.crm_id);
                state.resolution.clone()
            }
            (known, None) => known.clone(),
        }
    }

    pub(super) fn look_up(
        &mut self,
        now: Now,
        lane: Lane,
        contact: &str,
        by: (Lane, u64),
        step: Step,
    ) {
        let Some(event) = self
            .lane(by.0)
            .events
            .get(&by.1)
            .and_then(|state| state.event.clone())
        else {
            self.set_resolution(contact, Resolution::Unresolved);
            return;
        };
        let mut item = Item {
            key: contact.to_owned(),
            ..Item::default()
        };
        let (step, verb) = match step {
            Step::Key => (Step::Key, Verb::ReadByKey),
            Step::Email if event.contact.email().is_some() => (Step::Email, Verb::ReadByEmail),
            Step::Email | Step::Phone if event.contact.phone().is_some() => {
                (Step::Phone, Verb::SearchByPhone)
            }
            Step::Email | Step::Phone => {
                self.set_resolution(contact, Resolution::Absent);
                self.advance(now, contact);
                return;
            }
        };
        match step {
            Step::Key => {}
            Step::Email => item.email = event.contact.email(),
            Step::Phone => item.phone = event.contact.phone(),
        }
        self.set_resolution(contact, Resolution::Working);
        self.enqueue(
            now,
            lane,
            verb,
            Object::Contact,
            item,
            contact,
            Purpose::Lookup { step, by },
            None,
        );
    }

    fn create_contact(
        &mut self,
        now: Now,
        contact: &str,
        at: EffectRef,
        event: &Event,
        fields: &Fields,
        is_contact: bool,
    ) {
        let lock = (Object::Contact, contact.to_owned());
        if !self.lock(&lock, contact) {
            return;
        }
        let mut all = contact_base_fields(event);
        let mut effect = None;
        if is_contact {
            all.extend(fields.clone());
            effect = Some(at);
            self.set_stage(at, Stage::Working);
        }
        let field_at = all.keys().map(|field| (field.name(), event.at)).collect();
        let item = Item {
            key: contact.to_owned(),
            fields: all,
            ..Item::default()
        };
        self.set_resolution(contact, Resolution::Working);
        let purpose = Purpose::CreateContact {
            by: (at.0, at.1),
            effect,
            field_at,
        };
        self.enqueue(
            now,
            at.0,
            Verb::UpsertByKey,
            Object::Contact,
            item,
            contact,
            purpose,
            Some(lock),
        );
    }

    fn queue_contact_update(&mut self, now: Now, contact: &str, at: EffectRef, crm_id: &str) {
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
        if newer_fields(&own, event_at, record.as_ref()).is_empty() {
            // Nothing to set: the contact exists, or everything in it is newer already.
            let end = if own.is_empty() {
                EffectState::Done
            } else {
                EffectState::Superseded
            };
            self.record_ends(
                vec![(at, end)],
                Some(crm_id.to_owned()),
                Vec::new(),
                contact,
            );
            if own.is_empty() {
                self.stamp_if_needed(now, contact, crm_id);
            }
            return;
        }
        if !self.lock(&lock, contact) {
            return;
        }
        let (effects, fields, field_at) = self.merge(contact, at, record.as_ref());
        let stamp = record.is_none_or(|record| record.own_key.is_none());
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

    /// A contact that was found without our key gets it, in passing. No lock: nothing else writes this property.
    pub(super) fn stamp_if_needed(&mut self, now: Now, contact: &str, crm_id: &str) {
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

    fn queue_update(&mut self, now: Now, contact: &str, at: EffectRef) {
        let (lane, seq, index) = at;
        let Some(effect) = self
            .lane(lane)
            .events
            .get(&seq)
            .map(|state| state.effects[index].effect.clone())
        else {
            return;
        };
        let lock = (effect.object, effect.key.clone());
        if !self.lock(&lock, contact) {
            return;
        }
        let (effects, fields, field_at) = self.merge(contact, at, None);
        let item = Item {
            key: effect.key,
            fields,
            ..Item::default()
        };
        let purpose = Purpose::Write { effects, field_at };
        self.enqueue(
            now,
            lane,
            Verb::UpdateByKey,
            effect.object,
            item,
            contact,
            purpose,
            Some(lock),
        );
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
        let mut effects = Vec::new();
        let mut fields = Fields::new();
        let mut field_at: BTreeMap<String, WallTime> = BTreeMap::new();
        let mut target: Option<(Object, String, Write)> = None;
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
                    [] => continue,
                    [only] if state.loaded && state.effects[*only].stage == Stage::Pending => *only,
                    _ => break,
                }
            };
            let work = &state.effects[place];
            let effect = &work.effect;
            let this = (effect.object, effect.key.clone(), effect.write);
            let first = target.is_none();
            if !first
                && (target.as_ref() != Some(&this)
                    || !matches!(effect.write, Write::Contact | Write::Update))
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
            if first && open.len() > 1 {
                // The event has more to do after this effect; younger events wait for that.
                break;
            }
        }
        for effect in &effects {
            self.set_stage(*effect, Stage::Working);
        }
        (effects, fields, field_at)
    }

    /// Puts an update whose record isn't there yet aside; answers whether its time is up.
    pub(super) fn wait_for_record(&mut self, now: Now, job: &mut Job) -> Option<u64> {
        let Purpose::Write { effects, .. } = &job.purpose else {
            return None;
        };
        let at = *effects.first()?;
        let limit_ms = self.config.call_record_wait_ms;
        let mut since = now.tick;
        self.work(at, |work| {
            since = *work.waiting_since.get_or_insert(now.tick)
        });
        if now.tick.since_ms(since) >= limit_ms {
            return None;
        }
        let waited = now.tick.since_ms(since);
        Some(waited.clamp(RECORD_WAIT_FIRST_MS, RECORD_WAIT_MAX_MS))
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "a job is made in one place; a builder would only rename its fields"
    )]
    pub(super) fn enqueue(
        &mut self,
        now: Now,
        lane: Lane,
        verb: Verb,
        object: Object,
        mut item: Item,
        contact: &str,
        purpose: Purpose,
        lock: Option<(Object, String)>,
    ) {
        let id = self.next_id();
        item.trace = id;
        let job = Job {
            lane,
            verb,
            object,
            item,
            contact: contact.to_owned(),
            purpose,
            lock,
            queued_at: now.tick,
            solo: false,
            attempts: 0,
            answers_before: self.answers_ok,
        };
        self.jobs.insert(id, job);
        self.pools
            .entry((verb, object))
            .or_default()
            .lane(lane)
            .push_back(id);
    }

    /// Reads the CRM's contacts, page by page, as enrichment.
    pub(super) fn warm(&mut self, now: Now) {
        if self.counters.warming == 0 {
            self.counters.warming = 1;
            let purpose = Purpose::Page { after: None };
            self.enqueue(
                now,
                Lane::En,
                Verb::List,
                Object::Contact,
                Item::default(),
                "",
                purpose,
                None,
            );
        }
    }

    /// Takes the right to write a record; whoever doesn't get it is looked at again when it is free.
    pub(super) fn lock(&mut self, lock: &(Object, String), contact: &str) -> bool {
        match self.locks.get_mut(lock) {
            Some(waiting) => {
                waiting.insert(contact.to_owned());
                false
            }
            None => {
                self.locks
                    .insert(lock.clone(), std::collections::BTreeSet::new());
                true
            }
        }
    }

    pub(super) fn set_resolution(&mut self, contact: &str, resolution: Resolution) {
        if let Some(state) = self.contacts.get_mut(contact) {
            state.resolution = resolution;
        }
    }

    pub(super) fn set_stage(&mut self, at: EffectRef, stage: Stage) {
        self.work(at, |work| work.stage = stage);
    }

    pub(super) fn work(
        &mut self,
        (lane, seq, index): EffectRef,
        change: impl FnOnce(&mut super::state::EffectWork),
    ) {
        if let Some(work) = self
            .lane(lane)
            .events
            .get_mut(&seq)
            .and_then(|state| state.effects.get_mut(index))
        {
            change(work);
        }
    }
}
