//! What happens when: publishers, the worker's shell, the CRM.
//!
//! The shell here carries out exactly what the real worker carries out, with latencies drawn from the seed. Killed, a
//! worker forgets everything; requests it had sent are still executed, their answers reach nobody; a successor starts
//! when the lease has run out.

use std::collections::BTreeMap;

use callflume_core::dispatcher::{Delivery, Dispatcher, Input, Output, RequestId, Setup};
use callflume_core::event::{ContentType, encode};
use callflume_core::lane::Lane;
use callflume_core::record::EffectState;
use callflume_core::seed::Seed;
use callflume_core::time::{BrokerTime, Now, Tick, WallTime};
use callflume_core::vendor::{Answer, HttpRequest, Method};

use super::broker::{Broker, Message, Pull, Stored};
use super::trace::Trace;
use crate::hubspot::{Deliver, HubSpot, Reply, Request};
use crate::oracle::{PublishOutcome, Published};
use crate::scenario::{Scenario, TOKEN};
use crate::traffic::Plan;

/// Length of a lease, milliseconds: what a successor of a killed worker waits.
const LEASE_MS: u64 = 5_000;
/// How long one pull stands, milliseconds.
const PULL_MS: u64 = 2_500;
/// Time a request is on its way, milliseconds.
const TRIP_MS: u64 = 1;
/// Broker operations take 1 to this many milliseconds.
const BROKER_MS: u64 = 2;

/// What came of a virtual run.
#[derive(Debug)]
pub struct VirtualRun {
    /// What publishers were told, per planned event.
    pub published: Vec<Published>,
    /// The CRM at the end.
    pub hubspot: HubSpot,
    /// Ids of events with dead letters.
    pub dead: Vec<String>,
    /// Whether every stored event was settled within the scenario's time.
    pub drained: bool,
    /// Instant of the last happening, milliseconds from the start.
    pub ended_ms: u64,
    /// Worst time from a kill to the first operational request of a successor, milliseconds.
    pub takeover_ms_max: Option<u64>,
}

#[derive(Debug)]
enum Happening {
    Publish {
        index: usize,
    },
    Start,
    /// Ends a worker that has nothing under way.
    Stop,
    Kill,
    /// An input for the worker of this life.
    Tell {
        life: u64,
        input: Input,
    },
    Wake {
        life: u64,
    },
    PullEnds {
        life: u64,
        lane: Lane,
        pull: u64,
    },
    Arrive {
        life: u64,
        request: RequestId,
        http: HttpRequest,
        sent_ms: u64,
        timeout_ms: u64,
    },
    Apply {
        life: u64,
        output: Output,
    },
}

struct World<'a, 'b> {
    plan: &'a Plan,
    setup: Setup,
    first_ms: u64,
    now_ms: u64,
    order: u64,
    queue: BTreeMap<(u64, u64), Happening>,
    broker: Broker,
    hubspot: HubSpot,
    dispatcher: Option<Dispatcher>,
    life: u64,
    wake_at: Option<u64>,
    pulls: [u64; 2],
    seed: Seed,
    published: Vec<Published>,
    twice: bool,
    killed_ms: Option<u64>,
    takeover_ms_max: Option<u64>,
    trace: &'a mut Trace<'b>,
}

/// Runs a plan. `hubspot` is set up and seeded, `setup` is the account's.
pub fn run(
    scenario: &Scenario,
    plan: &Plan,
    hubspot: HubSpot,
    setup: Setup,
    trace: &mut Trace<'_>,
) -> VirtualRun {
    let mut world = World {
        plan,
        setup,
        first_ms: 0,
        now_ms: 0,
        order: 0,
        queue: BTreeMap::new(),
        broker: Broker::default(),
        hubspot,
        dispatcher: None,
        life: 0,
        wake_at: None,
        pulls: [0; 2],
        seed: Seed::new(scenario.seed ^ 0x5eed),
        published: Vec::new(),
        twice: scenario.publish_twice,
        killed_ms: None,
        takeover_ms_max: None,
        trace,
    };
    // As in real time: a worker reads the contacts and stops, then the backlog is published, then workers and calls start
    // at the same instant.
    let mut first_ms = 0;
    if scenario.warm {
        first_ms = warm_ms(scenario);
        world.at(0, Happening::Start);
        world.at(
            1,
            Happening::Tell {
                life: 1,
                input: Input::Warm,
            },
        );
        world.at(first_ms - 1_000, Happening::Stop);
    }
    world.first_ms = first_ms;
    for planned in &plan.backlog {
        world.at(
            first_ms.saturating_sub(500),
            Happening::Publish {
                index: planned.index,
            },
        );
    }
    world.at(first_ms, Happening::Start);
    for planned in &plan.events {
        let at_ms = first_ms + u64::try_from(planned.at_ms).unwrap_or(0);
        world.at(
            at_ms,
            Happening::Publish {
                index: planned.index,
            },
        );
    }
    for kill_s in &scenario.workers.kill_at_s {
        world.at(first_ms + kill_s * 1_000, Happening::Kill);
    }
    let last_ms = first_ms
        + plan
            .events
            .last()
            .map_or(0, |event| u64::try_from(event.at_ms).unwrap_or(0));
    let end_ms = last_ms + scenario.drain_s_max * 1_000;
    let mut drained = false;
    while let Some(((at_ms, _), happening)) = world.queue.pop_first() {
        if at_ms > end_ms {
            break;
        }
        world.now_ms = at_ms;
        world.happen(happening);
        if at_ms >= last_ms && world.broker.settled() {
            drained = true;
            break;
        }
    }
    VirtualRun {
        published: world.published,
        dead: world.broker.dead,
        drained,
        ended_ms: world.now_ms,
        takeover_ms_max: world.takeover_ms_max,
        hubspot: world.hubspot,
    }
}

/// Time that reading all contacts takes at the enrichment's pace, with room.
fn warm_ms(scenario: &Scenario) -> u64 {
    let pages = u64::from(scenario.crm.contacts).div_ceil(100);
    3_000 + pages * 200
}

impl World<'_, '_> {
    fn at(&mut self, at_ms: u64, happening: Happening) {
        self.order += 1;
        self.queue.insert((at_ms, self.order), happening);
    }

    fn soon(&mut self) -> u64 {
        self.now_ms + 1 + self.seed.below(BROKER_MS)
    }

    fn clock_ms(&self) -> i64 {
        self.plan.start_ms + self.run_ms()
    }

    /// Milliseconds since the plan's start; negative before it.
    fn run_ms(&self) -> i64 {
        i64::try_from(self.now_ms).unwrap_or(i64::MAX) - i64::try_from(self.first_ms).unwrap_or(0)
    }

    fn now(&self) -> Now {
        Now {
            tick: Tick(self.now_ms),
            broker: BrokerTime(self.clock_ms()),
            wall: WallTime(self.clock_ms()),
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Publish { index } => self.publish(index),
            Happening::Start => self.start(),
            Happening::Stop => self.stop(),
            Happening::Kill => self.kill(),
            Happening::Tell { life, input } => {
                if life == self.life && self.dispatcher.is_some() {
                    self.tell(input);
                }
            }
            Happening::Wake { life } => {
                if life == self.life && self.wake_at == Some(self.now_ms) {
                    self.wake_at = None;
                    self.tell(Input::Wake);
                }
            }
            Happening::PullEnds { life, lane, pull } => {
                if life == self.life
                    && pull == self.pulls[lane as usize]
                    && self.broker.end_pull(lane)
                {
                    self.tell(Input::PullEnded(lane));
                }
            }
            Happening::Arrive {
                life,
                request,
                http,
                sent_ms,
                timeout_ms,
            } => self.arrive(life, request, &http, sent_ms, timeout_ms),
            Happening::Apply { life, output } => {
                if life == self.life {
                    self.apply(output);
                }
            }
        }
    }

    fn publish(&mut self, index: usize) {
        let plan = self.plan;
        let Some(planned) = plan.get(index) else {
            return;
        };
        let Ok(payload) = encode(&planned.event, ContentType::MessagePack) else {
            return;
        };
        let message = Message {
            kind: planned.event.kind.clone(),
            msg_id: planned.event.id.as_str().to_owned(),
            payload,
        };
        let lane = planned.lane;
        // A second copy meets the deduplication, and the publisher is told so.
        let copies = if self.twice { 2 } else { 1 };
        for _ in 0..copies {
            let stored = self.broker.publish(lane, message.clone());
            self.trace.note(
                self.now_ms,
                format_args!("publish {lane} {} {stored:?}", planned.event.id),
            );
            let outcome = match stored {
                Stored::New => PublishOutcome::Stored {
                    at_ms: self.run_ms(),
                },
                Stored::Duplicate => PublishOutcome::Duplicate,
            };
            self.published.push(Published { index, outcome });
        }
        self.deliver(lane);
    }

    fn start(&mut self) {
        self.life += 1;
        let mut setup = self.setup.clone();
        setup.floors = self.broker.floors;
        setup.journal.clone_from(&self.broker.journal);
        setup.seed = self.setup.seed ^ self.life;
        for lane in Lane::ALL {
            self.broker.reset(lane, setup.floors[lane as usize]);
        }
        self.trace
            .note(self.now_ms, format_args!("start life {}", self.life));
        match Dispatcher::new(setup, self.now()) {
            Ok(dispatcher) => self.dispatcher = Some(dispatcher),
            Err(error) => self
                .trace
                .note(self.now_ms, format_args!("refused {error}")),
        }
        self.drain_outputs();
    }

    fn stop(&mut self) {
        self.trace
            .note(self.now_ms, format_args!("stop life {}", self.life));
        self.dispatcher = None;
        self.wake_at = None;
        for lane in Lane::ALL {
            self.broker.end_pull(lane);
        }
    }

    fn kill(&mut self) {
        self.trace
            .note(self.now_ms, format_args!("kill life {}", self.life));
        self.dispatcher = None;
        self.wake_at = None;
        self.killed_ms = Some(self.now_ms);
        for lane in Lane::ALL {
            self.broker.end_pull(lane);
        }
        self.at(self.now_ms + LEASE_MS, Happening::Start);
    }

    fn tell(&mut self, input: Input) {
        let now = self.now();
        if let Some(dispatcher) = &mut self.dispatcher {
            dispatcher.handle(now, input);
        }
        self.drain_outputs();
    }

    fn drain_outputs(&mut self) {
        while let Some(output) = self.dispatcher.as_mut().and_then(Dispatcher::poll) {
            self.carry_out(output);
        }
        let wake = self
            .dispatcher
            .as_ref()
            .and_then(Dispatcher::wake)
            .map(|tick| tick.0.max(self.now_ms + 1));
        if let Some(at_ms) = wake
            && self
                .wake_at
                .is_none_or(|planned| planned <= self.now_ms || at_ms < planned)
        {
            self.wake_at = Some(at_ms);
            let life = self.life;
            self.at(at_ms, Happening::Wake { life });
        }
    }

    fn carry_out(&mut self, output: Output) {
        let life = self.life;
        match output {
            Output::Pull { lane, count, bytes } => {
                self.broker.pull(lane, Pull { count, bytes });
                self.pulls[lane as usize] += 1;
                let pull = self.pulls[lane as usize];
                self.at(
                    self.now_ms + PULL_MS,
                    Happening::PullEnds { life, lane, pull },
                );
                self.deliver(lane);
            }
            Output::Send {
                request,
                lane,
                http,
                timeout_ms,
            } => {
                self.trace
                    .note(self.now_ms, format_args!("send {request} {lane} {http:?}"));
                if lane == Lane::Op
                    && let Some(killed_ms) = self.killed_ms.take()
                {
                    let took = self.now_ms - killed_ms;
                    self.takeover_ms_max =
                        Some(self.takeover_ms_max.map_or(took, |worst| worst.max(took)));
                }
                let sent_ms = self.now_ms;
                self.at(
                    self.now_ms + TRIP_MS,
                    Happening::Arrive {
                        life,
                        request,
                        http,
                        sent_ms,
                        timeout_ms,
                    },
                );
            }
            Output::Alert { code, .. } => {
                self.trace.note(self.now_ms, format_args!("alert {code}"));
            }
            Output::Stopped => {}
            other => {
                let at_ms = self.soon();
                self.at(
                    at_ms,
                    Happening::Apply {
                        life,
                        output: other,
                    },
                );
            }
        }
    }

    /// A broker operation of the worker takes effect, and its answer is told.
    fn apply(&mut self, output: Output) {
        let input = match output {
            Output::Load {
                lane,
                seq,
                effects,
                aliases,
            } => {
                let ledger = effects
                    .iter()
                    .map(|key| self.broker.ledger.get(key).cloned())
                    .collect();
                let contact = aliases
                    .iter()
                    .find_map(|alias| self.broker.aliases.get(alias))
                    .and_then(|crm_id| self.broker.contacts.get(crm_id))
                    .cloned();
                Input::Loaded {
                    lane,
                    seq,
                    ledger,
                    contact,
                }
            }
            Output::Record {
                id,
                ledger,
                contacts,
            } => {
                for write in contacts {
                    let crm_id = write.record.crm_id.clone();
                    for alias in write.aliases {
                        self.broker.aliases.insert(alias, crm_id.clone());
                    }
                    if !(write.only_if_absent && self.broker.contacts.contains_key(&crm_id)) {
                        self.broker.contacts.insert(crm_id, write.record);
                    }
                }
                for (key, record) in ledger {
                    self.trace
                        .note(self.now_ms, format_args!("record {key} {:?}", record.state));
                    debug_assert!(
                        record.state != EffectState::Sent,
                        "class A effects are never recorded as sent"
                    );
                    self.broker.ledger.insert(key, record);
                }
                Input::Recorded { id, stored: true }
            }
            Output::DeadLetter(letter) => {
                self.trace.note(
                    self.now_ms,
                    format_args!("dead {} {} {}", letter.lane, letter.seq, letter.code),
                );
                self.broker.dead.extend(letter.event_id);
                Input::Recorded {
                    id: letter.id,
                    stored: true,
                }
            }
            Output::Ack { lane, seq } => {
                self.trace
                    .note(self.now_ms, format_args!("ack {lane} {seq}"));
                self.broker.ack(lane, seq);
                return;
            }
            Output::SaveFloor { lane, seq } => {
                let floor = &mut self.broker.floors[lane as usize];
                *floor = (*floor).max(seq);
                return;
            }
            Output::WriteJournal(record) => {
                self.broker.journal = Some(record);
                Input::Journaled { stored: true }
            }
            Output::Resync { lane, floor } => {
                self.broker.reset(lane, floor);
                Input::Resynced(lane)
            }
            Output::Pull { .. } | Output::Send { .. } | Output::Alert { .. } | Output::Stopped => {
                return;
            }
        };
        self.tell(input);
    }

    fn deliver(&mut self, lane: Lane) {
        let (given, full) = self.broker.deliver(lane);
        let life = self.life;
        let at_ms = self.now_ms + 1;
        for given in given {
            let delivery = Delivery {
                lane,
                seq: given.seq,
                consumer_seq: given.consumer_seq,
                kind: given.message.kind,
                msg_id: Some(given.message.msg_id),
                content_type: ContentType::MessagePack,
                payload: given.message.payload,
            };
            self.at(
                at_ms,
                Happening::Tell {
                    life,
                    input: Input::Delivered(delivery),
                },
            );
        }
        if full {
            self.at(
                at_ms,
                Happening::Tell {
                    life,
                    input: Input::PullEnded(lane),
                },
            );
        }
    }

    fn arrive(
        &mut self,
        life: u64,
        request: RequestId,
        http: &HttpRequest,
        sent_ms: u64,
        timeout_ms: u64,
    ) {
        let reply = self.hubspot.handle(self.clock_ms(), &model_request(http));
        let service_ms = self.hubspot.service_time_ms() + reply.extra_delay_ms;
        self.trace.note(
            self.now_ms,
            format_args!("crm {request} {} {service_ms}", reply.status),
        );
        let answered_ms = self.now_ms + service_ms + TRIP_MS;
        let deadline_ms = sent_ms + timeout_ms;
        let (at_ms, answer) = if reply.deliver == Deliver::Drop || answered_ms > deadline_ms {
            (deadline_ms, Answer::Lost)
        } else {
            (answered_ms, answer_of(reply))
        };
        self.at(
            at_ms,
            Happening::Tell {
                life,
                input: Input::Answered { request, answer },
            },
        );
    }
}

fn model_request(http: &HttpRequest) -> Request {
    let method = match http.method {
        Method::Get => crate::hubspot::Method::Get,
        Method::Post => crate::hubspot::Method::Post,
        Method::Patch => crate::hubspot::Method::Patch,
        Method::Put => crate::hubspot::Method::Put,
    };
    let mut request = Request::new(method, &http.path).with_bearer(TOKEN);
    if let Some(body) = &http.body {
        request
            .headers
            .push(("content-type".to_owned(), "application/json".to_owned()));
        request.body.clone_from(body);
    }
    request
}

fn answer_of(reply: Reply) -> Answer {
    let headers = reply
        .headers
        .into_iter()
        .map(|(name, value)| (name.to_lowercase(), value))
        .collect();
    Answer::Response {
        status: reply.status,
        headers,
        body: reply.body,
    }
}
