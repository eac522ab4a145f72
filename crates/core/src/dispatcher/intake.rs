//! Deliveries in, demand out: reading events, loading what is known about them, pulling, floors.

use std::collections::VecDeque;

use super::state::{EffectWork, EventState, Stage};
use super::{Delivery, Dispatcher, Output};
use crate::card::News;
use crate::codes;
use crate::effect::effect_key;
use crate::event::{BadEvent, Event, decode};
use crate::lane::Lane;
use crate::record::{ContactRecord, EffectState, LedgerRecord};
use crate::time::Now;

/// Floors are saved at most this often, milliseconds: what a successor works through again in vain.
const FLOOR_EVERY_MS: u64 = 1_000;
/// Pause before ledger or bucket are asked again, milliseconds.
const RELOAD_AFTER_MS: u64 = 250;
/// A pause at least this long stops pulling, milliseconds: shorter ones end before the prefetch is used up.
const PAUSE_WITHOUT_PULL_MS: u64 = 5_000;

impl Dispatcher {
    pub(super) fn delivered(&mut self, now: Now, delivery: Delivery) {
        self.counters.delivered += 1;
        if self.stopping {
            return;
        }
        let lane = delivery.lane;
        let state = self.lane(lane);
        let expected = state.consumer_seq + 1;
        if delivery.consumer_seq < expected {
            // Sent before a resync: it comes again in its place.
            return;
        }
        state.consumer_seq = delivery.consumer_seq;
        if delivery.consumer_seq > expected {
            // A delivery got lost on the way here, be it the first. It would come again only after the consumer's ack
            // wait, and the floor must not pass it: start over from the floor.
            self.resync(lane);
            return;
        }
        if state.resyncing {
            return;
        }
        state.pending = Some(delivery.pending);
        if state.events.contains_key(&delivery.seq) {
            return;
        }
        let bytes = delivery.payload.len();
        let state = self.lane(lane);
        state.bytes += bytes;
        state.above = state.above.max(delivery.seq + 1);
        match read(&self.planner, &delivery) {
            Ok((event, effects)) => self.admit(now, lane, delivery.seq, bytes, event, effects),
            Err((bad, event_id)) => {
                self.lane(lane).events.insert(
                    delivery.seq,
                    EventState {
                        event: None,
                        bytes,
                        contact: String::new(),
                        effects: Vec::new(),
                        origins: Vec::new(),
                        loaded: true,
                    },
                );
                self.dead_event(lane, delivery.seq, bad, event_id.or(delivery.msg_id));
            }
        }
    }

    fn admit(
        &mut self,
        now: Now,
        lane: Lane,
        seq: u64,
        bytes: usize,
        event: Event,
        effects: Vec<EffectWork>,
    ) {
        let contact = event.contact.own_key().unwrap_or_default();
        let origins = self.origins_of(&event, &effects);
        self.lane(lane).events.insert(
            seq,
            EventState {
                event: Some(event),
                bytes,
                contact: contact.clone(),
                effects,
                origins,
                loaded: false,
            },
        );
        let queue = &mut self.contacts.entry(contact.clone()).or_default().queues[lane as usize];
        // Redeliveries may come after younger ones: keep stream order.
        let at = queue.partition_point(|other| *other < seq);
        queue.insert(at, seq);
        if self
            .lane(lane)
            .events
            .get(&seq)
            .is_some_and(|state| state.effects.is_empty())
        {
            self.settle_if_ended(lane, seq);
            self.advance(now, &contact);
        } else {
            self.lane(lane).loading += 1;
            self.load(lane, seq);
        }
    }

    fn load(&mut self, lane: Lane, seq: u64) {
        let Some(state) = self.lane(lane).events.get(&seq) else {
            return;
        };
        let mut keys: Vec<String> = state.effects.iter().map(|work| work.key.clone()).collect();
        keys.extend(state.origins.iter().map(|origin| origin.key().to_owned()));
        let aliases = state
            .event
            .as_ref()
            .map(|event| event.contact.aliases())
            .unwrap_or_default();
        let known = self.cache.find(&aliases);
        let aliases = match known {
            Some(record) if !self.glimpsed.contains(&record.crm_id) => Vec::new(),
            _ => aliases,
        };
        self.outputs.push_back(Output::Load {
            lane,
            seq,
            effects: keys,
            aliases,
        });
    }

    pub(super) fn loaded(
        &mut self,
        now: Now,
        lane: Lane,
        seq: u64,
        ledger: &[Option<LedgerRecord>],
        contact: Option<ContactRecord>,
    ) {
        let lane_state = self.lane(lane);
        let Some(state) = lane_state.events.get_mut(&seq) else {
            return;
        };
        if !state.loaded {
            lane_state.loading = lane_state.loading.saturating_sub(1);
        }
        state.loaded = true;
        let (ends, known) = ledger.split_at(state.effects.len().min(ledger.len()));
        for (work, record) in state.effects.iter_mut().zip(ends) {
            if record
                .as_ref()
                .is_some_and(|record| record.state != EffectState::Sent)
            {
                work.stage = Stage::Ended;
            }
        }
        let origins = std::mem::take(&mut state.origins);
        let key = state.contact.clone();
        let aliases = state
            .event
            .as_ref()
            .map(|event| event.contact.aliases())
            .unwrap_or_default();
        for (origin, record) in origins.into_iter().zip(known) {
            if let Some(record) = record {
                self.learn_origin(now, origin, record);
            }
        }
        if let Some(record) = contact {
            self.glimpsed.remove(&record.crm_id);
            // Memory may have learnt more while the bucket was being read, or know less: it found the contact by another
            // name, or for a voice service.
            let record = match self.cache.by_id(&record.crm_id) {
                Some(known) => known.onto(&record, News::Written),
                None => record,
            };
            self.cache.insert(record, &aliases);
        }
        if !self.names_resolved(now, lane, seq) {
            return;
        }
        self.bulk_loaded(lane, seq);
        self.settle_if_ended(lane, seq);
        self.advance(now, &key);
    }

    pub(super) fn load_failed(&mut self, now: Now, lane: Lane, seq: u64) {
        if self.lane(lane).events.contains_key(&seq) {
            self.reloads
                .insert((now.tick.plus_ms(RELOAD_AFTER_MS), lane, seq));
        }
    }

    /// Asks again for what could not be read.
    pub(super) fn reload_due(&mut self, now: Now) {
        while let Some((at, lane, seq)) = self.reloads.first().copied() {
            if at > now.tick {
                self.wake_at(at);
                break;
            }
            self.reloads.pop_first();
            self.load(lane, seq);
        }
    }

    pub(super) fn resync(&mut self, lane: Lane) {
        let state = self.lane(lane);
        if state.resyncing {
            return;
        }
        state.resyncing = true;
        let floor = state.floor();
        self.outputs.push_back(Output::Resync { lane, floor });
    }

    pub(super) fn resynced(&mut self, lane: Lane) {
        let state = self.lane(lane);
        state.resyncing = false;
        state.pulling = false;
        state.pending = None;
        state.consumer_seq = 0;
    }

    /// Pulls what can be worked on soon; the rest stays in the broker.
    pub(super) fn demand(&mut self, now: Now) {
        if self.stopping {
            return;
        }
        let paused_ms = self.limiter.paused_for_ms(now.tick);
        if paused_ms >= PAUSE_WITHOUT_PULL_MS {
            // With nothing in memory nobody else would notice the end of the pause.
            self.wake_at(now.tick.plus_ms(paused_ms - PAUSE_WITHOUT_PULL_MS + 1));
            return;
        }
        for lane in Lane::ALL {
            let bounds = self.bounds_of(lane);
            let state = self.lane(lane);
            let room = bounds.events_max.saturating_sub(state.events.len());
            let bytes = bounds.bytes_max.saturating_sub(state.bytes);
            let enough = room >= bounds.events_max / 4 && bytes >= bounds.bytes_max / 4;
            if !state.pulling && !state.resyncing && enough {
                state.pulling = true;
                self.outputs.push_back(Output::Pull {
                    lane,
                    count: room,
                    bytes,
                });
            }
        }
    }

    pub(super) fn save_floors(&mut self, now: Now) {
        for lane in Lane::ALL {
            let stopping = self.stopping;
            let state = self.lane(lane);
            let floor = state.floor();
            if floor <= state.floor_saved {
                continue;
            }
            if stopping || state.floor_save_at <= now.tick {
                state.floor_saved = floor;
                state.floor_save_at = now.tick.plus_ms(FLOOR_EVERY_MS);
                self.outputs
                    .push_back(Output::SaveFloor { lane, seq: floor });
            } else {
                let at = state.floor_save_at;
                self.wake_at(at);
            }
        }
    }

    /// The events of a contact and lane, oldest first.
    pub(super) fn queue(&self, contact: &str, lane: Lane) -> VecDeque<u64> {
        self.contacts
            .get(contact)
            .map(|state| state.queues[lane as usize].clone())
            .unwrap_or_default()
    }
}

type Readable = (Event, Vec<EffectWork>);

fn read(
    planner: &crate::plan::Planner,
    delivery: &Delivery,
) -> Result<Readable, (BadEvent, Option<String>)> {
    let event = decode(
        &delivery.payload,
        delivery.content_type,
        delivery.msg_id.as_deref(),
    )
    .map_err(|bad| (bad, None))?;
    let id = Some(event.id.as_str().to_owned());
    if event.kind != delivery.kind {
        let text =
            "`kind` differs from the subject's last token; publish on the subject of the kind"
                .to_owned();
        return Err((
            BadEvent {
                code: codes::EVENT_FIELD_INVALID,
                text,
            },
            id,
        ));
    }
    let effects = planner.plan(&event).map_err(|bad| (bad, id))?;
    let effects = effects
        .into_iter()
        .map(|effect| EffectWork {
            key: effect_key(&event.id, &effect.name),
            effect,
            stage: Stage::Pending,
            attempts: 0,
            gone_once: false,
            waiting_since: None,
            not_before: None,
            update: false,
            alone: false,
            conflicted: false,
        })
        .collect();
    Ok((event, effects))
}
