//! What the dispatcher wants done, done: by broker, stores, network and CRM.

use callflume_core::bulk::BulkAnswer;
use callflume_core::card::News;
use callflume_core::codes::Code;
use callflume_core::dispatcher::{ContactWrite, Delivery, Input, Output, RequestId};
use callflume_core::event::ContentType;
use callflume_core::lane::Lane;
use callflume_core::vendor::{
    AccountSignal, Answer, HttpRequest, ItemOutcome, Operation, Span, Vendor as _,
};

use crate::crm::{OwnAsk, response, whole};
use crate::world::{Consumer, Due, Fate, World};

/// To the broker and back, milliseconds.
const BROKER_MS: u64 = 2;
/// To the CRM, and back, milliseconds.
const TRIP_MS: u64 = 20;
/// How long a pull stands, milliseconds.
const PULL_MS: u64 = 5_000;

/// A request that was not executed for its credential's sake.
pub(crate) fn unauthorized(request: RequestId, left: bool, trouble: Option<Code>) -> Input {
    Input::Unauthorized {
        request,
        left,
        trouble: trouble.map(|code| (code, "see to it".to_owned())),
    }
}

impl World {
    pub(crate) fn carry_out(&mut self, output: Output) {
        match output {
            Output::Pull { lane, count, bytes } => {
                self.next += 1;
                let number = self.next;
                let consumer = &mut self.consumers[lane as usize];
                assert!(consumer.pull.is_none(), "two pulls at a time on {lane}");
                consumer.pull = Some((count, bytes, number));
                self.at(PULL_MS, Due::PullEnds(lane, number));
                self.serve(lane);
            }
            Output::Load {
                lane,
                seq,
                effects,
                aliases,
            } => {
                self.loads += 1;
                let input = if self.fail_loads > 0 {
                    self.fail_loads -= 1;
                    Input::LoadFailed { lane, seq }
                } else {
                    let contact = aliases
                        .iter()
                        .find_map(|alias| self.contacts.get(self.aliases.get(alias)?).cloned());
                    Input::Loaded {
                        lane,
                        seq,
                        ledger: effects
                            .iter()
                            .map(|key| self.ledger.get(key).cloned())
                            .collect(),
                        contact,
                    }
                };
                self.input(BROKER_MS, input);
            }
            Output::Send { request, http, .. } => self.send(request, &http),
            Output::SaveReference(record) => self.reference = Some(*record),
            Output::Resync { lane, floor } => self.at(BROKER_MS, Due::Resync(lane, floor)),
            Output::SaveFloor { .. }
            | Output::DeadLetter(_)
            | Output::SaveBulk { .. }
            | Output::WriteJournal(_)
            | Output::Ack { .. } => self.at(BROKER_MS, Due::Store(output)),
            Output::Record { .. } => self.at(BROKER_MS + self.slow_stores_ms, Due::Store(output)),
            Output::Alert { code, .. } => self.alerts.push(code),
            Output::AlertOver { code } => self.over.push(code),
            Output::Advice(advised) => self.advised.push(advised.advice),
            Output::PermitAnswered { ask, reply } => self.permit_answered(ask, reply),
            Output::Warmed {
                as_of,
                kinds,
                unread,
            } => self.warmed.push((as_of, kinds, unread)),
            Output::Stopped => self.stopped = true,
        }
    }

    fn send(&mut self, request: RequestId, http: &HttpRequest) {
        if self.send_reference(request, http) {
            return;
        }
        if let Some(ask) = self.vendor.bulk_ask(http) {
            let fate = (self.bulk_fates)(&ask);
            return match fate {
                Fate::NotSent => {
                    let answer = Answer::NotSent;
                    self.input(0, Input::Answered { request, answer });
                }
                Fate::Unauthorized(false, trouble) => {
                    self.input(0, unauthorized(request, false, trouble));
                }
                fate => self.at(TRIP_MS, Due::ArriveBulk(request, ask, fate)),
            };
        }
        let operations = self.vendor.operations(http);
        let fate = (self.fates)(self.now_ms, &operations[0]);
        match fate {
            Fate::NotSent => self.input(
                0,
                Input::Answered {
                    request,
                    answer: Answer::NotSent,
                },
            ),
            Fate::Unauthorized(false, trouble) => {
                self.input(0, unauthorized(request, false, trouble));
            }
            Fate::Slow(ms) => self.at(TRIP_MS + ms, Due::Arrive(request, operations, Fate::Served)),
            fate => self.at(TRIP_MS, Due::Arrive(request, operations, fate)),
        }
    }

    pub(crate) fn happen(&mut self, generation: u64, due: Due) {
        let ours = generation == self.generation && self.dispatcher.is_some();
        match due {
            Due::Input(input) if ours => self.handle(input),
            Due::Deliver(resets, delivery)
                if ours
                    && self.consumers[delivery.lane as usize].resets == resets
                    && !self.lose_deliveries.remove(&(delivery.lane, delivery.seq)) =>
            {
                self.handle(Input::Delivered(delivery));
            }
            Due::PullEnds(lane, number) if ours => {
                let consumer = &mut self.consumers[lane as usize];
                if consumer.pull.is_some_and(|(_, _, pull)| pull == number) {
                    consumer.pull = None;
                    self.handle(Input::PullEnded(lane));
                }
            }
            Due::Resync(lane, floor) if ours => {
                self.consumers[lane as usize].reset(floor);
                self.handle(Input::Resynced(lane));
            }
            Due::Foreign(act) => self.act(act),
            Due::Arrive(request, operations, fate) => {
                self.arrive(generation, request, &operations, fate);
            }
            Due::Reference(request, what) => self.read_reference(generation, request, &what),
            Due::ArriveBulk(request, ask, fate) => {
                self.arrive_bulk(generation, request, &ask, fate);
            }
            Due::Store(output) => {
                if let Some(input) = self.store(output)
                    && ours
                {
                    self.handle(input);
                }
            }
            _ => {}
        }
    }

    fn arrive(
        &mut self,
        generation: u64,
        request: RequestId,
        operations: &[Operation],
        fate: Fate,
    ) {
        if let Fate::Unauthorized(left, trouble) = fate {
            self.count_arrival(&operations[0]);
            let input = Due::Input(unauthorized(request, left, trouble));
            return self.of_generation(generation, TRIP_MS, input);
        }
        let answer = match fate {
            Fate::LostBefore => Answer::Lost,
            Fate::NotTogether if operations.len() > 1 => {
                self.count_arrival(&operations[0]);
                response("refused")
            }
            Fate::Answered(meaning) => {
                self.count_arrival(&operations[0]);
                self.vendor.answer(vec![meaning; operations.len()])
            }
            fate => {
                self.count_arrival(&operations[0]);
                let now_ms = self.now_ms;
                let meanings = operations
                    .iter()
                    .map(|operation| self.crm.execute(now_ms, operation))
                    .collect();
                match fate {
                    Fate::LostAfter => Answer::Lost,
                    Fate::Failed => {
                        let failed = operations.iter().map(|operation| {
                            whole(operation, AccountSignal::Failing, ItemOutcome::Unknown)
                        });
                        self.vendor.answer(failed.collect())
                    }
                    _ => self.vendor.answer(meanings),
                }
            }
        };
        self.answer(generation, request, answer);
    }

    fn answer(&mut self, generation: u64, request: RequestId, answer: Answer) {
        let wait_ms = if answer == Answer::Lost {
            self.setup.config.request_timeout_ms - TRIP_MS
        } else {
            TRIP_MS
        };
        let input = Due::Input(Input::Answered { request, answer });
        self.of_generation(generation, wait_ms, input);
    }

    /// A step of a bulk job arrives.
    fn arrive_bulk(&mut self, generation: u64, request: RequestId, ask: &OwnAsk, fate: Fate) {
        if let Fate::Unauthorized(left, trouble) = fate {
            self.count([0, 2].into_iter());
            let input = Due::Input(unauthorized(request, left, trouble));
            return self.of_generation(generation, TRIP_MS, input);
        }
        let answer = match fate {
            Fate::LostBefore => Answer::Lost,
            Fate::Answered(meaning) => {
                self.count([0, 2].into_iter());
                self.vendor
                    .bulk_answer(meaning.account, BulkAnswer::NotExecuted)
            }
            fate => {
                self.count([0, 2].into_iter());
                let said = self.crm.bulk_step(self.now_ms, ask);
                match fate {
                    Fate::LostAfter => Answer::Lost,
                    Fate::Failed => self
                        .vendor
                        .bulk_answer(AccountSignal::Failing, BulkAnswer::Unknown),
                    _ => self.vendor.bulk_answer(AccountSignal::Fine, said),
                }
            }
        };
        self.answer(generation, request, answer);
    }

    /// The oracle at the CRM's door.
    fn count_arrival(&mut self, operation: &Operation) {
        let charges = self.vendor.windows(operation.verb, operation.object);
        self.count(charges.iter().map(|charge| charge.window));
    }

    /// One request in these windows.
    pub(crate) fn count(&mut self, windows: impl Iterator<Item = usize>) {
        for index in windows {
            let spec = &self.windows[index];
            let Span::RollingMs(span_ms) = spec.span else {
                continue;
            };
            let seen = self.arrivals.entry(index).or_default();
            seen.push(self.now_ms);
            let recent = seen
                .iter()
                .rev()
                .take_while(|at| **at + span_ms > self.now_ms);
            let count = recent.count();
            assert!(
                count <= spec.limit as usize,
                "{count} in a {} window of {}",
                spec.name,
                spec.limit
            );
        }
    }

    fn store(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::SaveFloor { lane, seq } => {
                let floor = &mut self.floors[lane as usize];
                assert!(seq >= *floor, "the floor fell from {floor} to {seq}");
                *floor = seq;
                None
            }
            Output::Ack { lane, seq } => {
                self.acked[lane as usize].insert(seq);
                None
            }
            Output::WriteJournal(record) => {
                self.journal_writes += 1;
                let stored = self.fail_journals == 0;
                self.fail_journals = self.fail_journals.saturating_sub(1);
                if stored {
                    self.journal = Some(record);
                }
                Some(Input::Journaled { stored })
            }
            Output::SaveBulk { id, record } => {
                let stored = self.stores(|world| {
                    world.bulk_saves += 1;
                    world.bulk = record;
                });
                Some(Input::Recorded { id, stored })
            }
            Output::DeadLetter(letter) => {
                let id = letter.id;
                let stored = self.stores(|world| world.dead.push(letter));
                Some(Input::Recorded { id, stored })
            }
            Output::Record {
                id,
                ledger,
                contacts,
                absent,
            } => {
                let stored = self.stores(|world| {
                    world.ledger.extend(ledger);
                    for write in contacts {
                        world.store_contact(write);
                    }
                    for alias in absent {
                        if !world.aliases.contains_key(&alias) {
                            world.absent.push(alias);
                        }
                    }
                });
                Some(Input::Recorded { id, stored })
            }
            _ => None,
        }
    }

    fn stores(&mut self, apply: impl FnOnce(&mut Self)) -> bool {
        if self.refuse_stores > 0 {
            self.refuse_stores -= 1;
            return false;
        }
        apply(self);
        if self.silent_stores > 0 {
            self.silent_stores -= 1;
            return false;
        }
        true
    }

    fn store_contact(&mut self, write: ContactWrite) {
        let id = write.record.crm_id.clone();
        let news = if write.only_if_absent {
            News::Read
        } else {
            News::Written
        };
        let mut record = match self.contacts.get(&id) {
            Some(stored) => write.record.onto(stored, news),
            None => write.record,
        };
        record.called(&write.aliases);
        for alias in write.aliases {
            self.aliases.insert(alias, id.clone());
        }
        self.contacts.insert(id, record);
    }

    /// Delivers what the pull that stands may bring.
    pub(crate) fn serve(&mut self, lane: Lane) {
        loop {
            let consumer = &mut self.consumers[lane as usize];
            let Some((count, bytes, number)) = consumer.pull else {
                return;
            };
            let place = consumer.cursor.max(1) as usize - 1;
            let Some(message) = self.streams[lane as usize].get(place) else {
                return;
            };
            let left = count - 1;
            let bytes_left = bytes.saturating_sub(message.payload.len());
            consumer.cursor = place as u64 + 2;
            consumer.delivered += 1;
            let pending = self.streams[lane as usize].len() as u64 - place as u64 - 1;
            let delivery = Delivery {
                lane,
                pending,
                seq: place as u64 + 1,
                consumer_seq: consumer.delivered,
                kind: message.kind.clone(),
                msg_id: Some(message.id.clone()),
                content_type: ContentType::Json,
                payload: message.payload.clone(),
            };
            let resets = consumer.resets;
            let over = left == 0 || bytes_left == 0;
            consumer.pull = (!over).then_some((left, bytes_left, number));
            self.at(BROKER_MS / 2, Due::Deliver(resets, delivery));
            if over {
                self.input(BROKER_MS / 2, Input::PullEnded(lane));
            }
        }
    }

    /// Puts an unacknowledged message into the broker's hands again, as after its ack wait.
    pub(crate) fn redeliver(&mut self, lane: Lane, seq: u64) {
        let message = self.streams[lane as usize][seq as usize - 1].clone();
        let consumer = &mut self.consumers[lane as usize];
        consumer.delivered += 1;
        let delivery = Delivery {
            lane,
            pending: 0,
            seq,
            consumer_seq: consumer.delivered,
            kind: message.kind,
            msg_id: Some(message.id),
            content_type: ContentType::Json,
            payload: message.payload,
        };
        let resets = consumer.resets;
        self.at(BROKER_MS / 2, Due::Deliver(resets, delivery));
    }
}

impl Consumer {
    pub(crate) fn reset(&mut self, floor: u64) {
        self.cursor = floor.max(1);
        self.delivered = 0;
        self.pull = None;
        self.resets += 1;
    }
}
