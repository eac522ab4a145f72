//! Which effect of a contact may go next.
//!
//! Order: per contact and lane only the oldest event works; younger updates of the same record are merged into its
//! request. Its effects work one after the other until its contact is known, then all at once: each is another record's.
//! Contacts are resolved before anything is linked to them. Whatever an operational effect has to wait for becomes
//! operational itself.

use std::collections::BTreeMap;

use super::Dispatcher;
use super::state::{EffectRef, EffectWork, Learnt, Purpose, Record, Resolution, Stage, Step};
use crate::effect::{Object, Write};
use crate::lane::Lane;
use crate::record::EffectState;
use crate::time::Now;
use crate::vendor::{Item, Verb};

impl Dispatcher {
    /// Looks at every contact for which something has changed.
    pub(super) fn advance_changed(&mut self, now: Now) {
        while let Some(contact) = self.changed.pop_first() {
            self.advance(now, &contact);
        }
    }

    /// Starts whatever of this contact can start.
    pub(super) fn advance(&mut self, now: Now, contact: &str) {
        for lane in Lane::ALL {
            while let Some(seq) = self.queue_head(contact, lane) {
                let Some(state) = self.lanes[lane as usize].events.get(&seq) else {
                    break;
                };
                if !state.loaded {
                    break;
                }
                let copies: Vec<usize> = (0..state.effects.len())
                    .filter(|index| {
                        let work = &state.effects[*index];
                        work.stage == Stage::Pending && self.recent.contains(&work.key)
                    })
                    .collect();
                for index in copies {
                    // A second copy of an event that ended a moment ago.
                    self.set_stage((lane, seq, index), Stage::Ended);
                }
                // Once every effect has ended, settling removes the event from the queue.
                if self.settle_if_ended(lane, seq) {
                    continue;
                }
                self.start_effects(now, contact, lane, seq);
                break;
            }
        }
        let idle = self.contacts.get(contact).is_some_and(|state| {
            state
                .queues
                .iter()
                .all(std::collections::VecDeque::is_empty)
        });
        if idle {
            self.release(contact);
            self.contacts.remove(contact);
        }
    }

    /// Starts what may start of an event: its first effect that hasn't ended, and those after it once its contact is
    /// known.
    fn start_effects(&mut self, now: Now, contact: &str, lane: Lane, seq: u64) {
        for index in 0.. {
            let Some((work, earlier)) = self.lanes[lane as usize]
                .events
                .get(&seq)
                .and_then(|state| Some((state.effects.get(index)?, &state.effects[..index])))
            else {
                return;
            };
            let mut open = earlier
                .iter()
                .filter(|other| other.stage != Stage::Ended)
                .peekable();
            let effect = &work.effect;
            let may = open.peek().is_none()
                || self.is_known(contact)
                    && open.all(|other| {
                        (other.effect.object, &other.effect.key) != (effect.object, &effect.key)
                    });
            if may && work.stage == Stage::Pending {
                self.start(now, contact, (lane, seq, index));
            }
        }
    }

    fn is_known(&self, contact: &str) -> bool {
        let state = self.contacts.get(contact);
        state.is_some_and(|state| matches!(state.resolution, Resolution::Known(_)))
    }

    fn queue_head(&self, contact: &str, lane: Lane) -> Option<u64> {
        self.contacts.get(contact)?.queues[lane as usize]
            .front()
            .copied()
    }

    fn start(&mut self, now: Now, contact: &str, at: EffectRef) {
        let (lane, seq, index) = at;
        let Some(state) = self.lanes[lane as usize].events.get(&seq) else {
            return;
        };
        let Some(event) = state.event.clone() else {
            return;
        };
        let expired = state.effects[index].effect.has_expired(self.wall);
        if expired && self.drop_link(contact, at) {
            return;
        }
        let Some(state) = self.lane(lane).events.get(&seq) else {
            return;
        };
        let work = &state.effects[index];
        let (effect, mut update, not_before) = (work.effect.clone(), work.update, work.not_before);
        let record = (effect.object, effect.key.clone());
        let by_id = !self.vendor.updates_by_key(effect.object);
        let crm_id = self.ids.find(&record).filter(|_| by_id).cloned();
        if let (Some(crm_id), Write::Create) = (&crm_id, effect.write) {
            // Created before a crash; only the end of the effect was not recorded.
            let ends = vec![(at, EffectState::Done)];
            return self.record_ends(ends, Some(crm_id.clone()), Learnt::default(), contact);
        }
        if crm_id.is_some() && effect.write == Write::Upsert && !update {
            update = true;
            self.work(at, |work| work.update = true);
        }
        if effect.object != Object::Contact && (effect.write == Write::Update || update) {
            let absent =
                not_before.is_some_and(|at| at > now.tick) && !self.existing.contains(&record);
            if effect.write == Write::Update
                && (absent || self.creation_pending(contact, lane, &record))
            {
                return;
            }
            // A record without an id is looked for among its contact's.
            if !by_id || crm_id.is_some() {
                self.queue_update(now, contact, at, None);
                return;
            }
        }
        match self.resolution(contact, &event) {
            Resolution::Working => {
                if lane == Lane::Op {
                    self.hurry(contact);
                }
            }
            Resolution::Unresolved => {
                if self.claim(contact, &event, lane) {
                    if self.is_upsert_enough(&event, &effect) {
                        self.create_contact(now, contact, at, &event, &effect);
                    } else {
                        self.look_up(now, lane, contact, (lane, seq), Step::Origin);
                    }
                }
            }
            Resolution::Absent => {
                if self.claim(contact, &event, lane) {
                    self.create_contact(now, contact, at, &event, &effect);
                }
            }
            Resolution::Known(crm_id) if effect.object == Object::Contact => {
                self.queue_contact_update(now, contact, at, &crm_id);
            }
            Resolution::Known(crm_id) if effect.write == Write::Update || update => {
                self.queue_update(now, contact, at, Some(crm_id));
            }
            Resolution::Known(crm_id) => {
                if effect.write == Write::Upsert && self.existing.contains(&record) {
                    self.work(at, |work| work.update = true);
                    self.queue_update(now, contact, at, Some(crm_id));
                    return;
                }
                if !self.lock(&record, contact, lane) {
                    return;
                }
                let looks_first = self.looks_first(&effect, event.at);
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
                let verb = if looks_first.is_some() {
                    Verb::Probe
                } else {
                    Verb::Create
                };
                let job = self.enqueue(
                    now,
                    lane,
                    verb,
                    effect.object,
                    item,
                    contact,
                    purpose,
                    Some(record),
                );
                if let Some(not_before) = looks_first {
                    self.probe_for(job, Verb::Create);
                    self.hold_until(now, job, not_before);
                }
            }
        }
    }

    /// Whether an operational event in memory will create this record: an enrichment of a call waits for its call.
    /// It is looked at again when that event's effect has ended.
    fn creation_pending(&mut self, contact: &str, lane: Lane, record: &Record) -> bool {
        lane == Lane::En
            && self.queue(contact, Lane::Op).into_iter().any(|seq| {
                self.lane(Lane::Op).events.get(&seq).is_some_and(|state| {
                    state.effects.iter().any(|work| {
                        work.stage != Stage::Ended
                            && work.effect.object == record.0
                            && work.effect.key == record.1
                            && work.effect.write == Write::Upsert
                    })
                })
            })
    }

    pub(super) fn set_stage(&mut self, at: EffectRef, stage: Stage) {
        self.work(at, |work| work.stage = stage);
    }

    pub(super) fn work(
        &mut self,
        (lane, seq, index): EffectRef,
        change: impl FnOnce(&mut EffectWork),
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

    /// The first effect of an event that has not ended.
    pub(super) fn first_open(&mut self, (lane, seq): (Lane, u64)) -> Option<EffectRef> {
        let index = self
            .lane(lane)
            .events
            .get(&seq)?
            .effects
            .iter()
            .position(|work| work.stage != Stage::Ended)?;
        Some((lane, seq, index))
    }
}
