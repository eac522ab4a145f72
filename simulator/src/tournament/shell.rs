//! A worker's shell: carries out what a dispatcher decides, with latencies drawn from the seed.
//!
//! What a killed owner had given to the broker arrives or not, as chance has it; nothing of it arrives once a successor
//! has started, whose lease fences it. Requests that were on their way are carried out in any case.

use callflume_core::dispatcher::{Delivery, Input, Output, RequestId};
use callflume_core::event::ContentType;
use callflume_core::lane::Lane;
use callflume_core::record::{ContactRecord, SCHEMA};
use callflume_core::seed::Seed;
use callflume_core::vendor::Answer;

use super::scenarios::Owners;
use super::vendor;
use super::world::{HANDLE_US, Happening, World};
use super::{MS_US, SECOND_US};

/// Time-out of a request, microseconds.
pub(super) const TIMEOUT_US: u64 = 3 * SECOND_US;
/// How long a pull stands, microseconds.
const PULL_US: u64 = 2_500 * MS_US;
/// An operation of the broker takes so long, microseconds.
const BROKER_US: (u64, u64) = (500, 2_000);
/// A delivery takes so long, microseconds.
const DELIVERY_US: (u64, u64) = (300, 1_000);
/// A request's way to the CRM, and back, microseconds.
const TRIP_US: (u64, u64) = (500, 1_500);

fn between(rng: &mut Seed, (low, high): (u64, u64)) -> u64 {
    low + rng.below(high - low + 1)
}

/// One way to the CRM.
pub(super) fn trip_us(rng: &mut Seed) -> u64 {
    between(rng, TRIP_US)
}

impl World<'_> {
    pub(super) fn broker_us(&mut self) -> u64 {
        between(&mut self.rng, BROKER_US)
    }

    pub(super) fn carry_out(&mut self, account: usize, output: Output) {
        let life = self.accounts[account].life;
        let now_us = self.now_us + HANDLE_US;
        match output {
            Output::Pull { lane, count, .. } => {
                let this = &mut self.accounts[account];
                this.broker.pull(lane, count);
                let Some(run) = &mut this.run else {
                    return;
                };
                run.pulls[lane as usize] += 1;
                let pull = run.pulls[lane as usize];
                self.at(
                    now_us + PULL_US,
                    Happening::PullEnds {
                        account,
                        life,
                        lane,
                        pull,
                    },
                );
                self.deliver(account, lane);
            }
            Output::Send {
                request,
                http,
                timeout_ms,
                ..
            } => {
                let trip_us = trip_us(&mut self.rng);
                self.at(
                    now_us + trip_us,
                    Happening::Arrive {
                        account,
                        life,
                        request,
                        body: http.body.unwrap_or_default(),
                        deadline_us: now_us + timeout_ms * MS_US,
                    },
                );
            }
            Output::PermitAnswered { ask, reply } => self.permit_answered(account, ask, reply),
            Output::Stopped => self.stopped(account),
            // Nothing here writes by jobs.
            Output::SaveBulk { .. }
            | Output::Alert { .. }
            | Output::AlertOver { .. }
            | Output::Advice(_) => {}
            output => {
                let at_us = now_us + self.broker_us();
                self.at(
                    at_us,
                    Happening::Apply {
                        account,
                        life,
                        output,
                    },
                );
            }
        }
    }

    /// The owner has ended in order: it gives the lease up after the last thing it stored.
    fn stopped(&mut self, account: usize) {
        let this = &mut self.accounts[account];
        let Some(run) = this.run.take() else {
            return;
        };
        this.in_order = true;
        for lane in Lane::ALL {
            this.broker.end_pull(lane);
        }
        let released_us = self.now_us + HANDLE_US + BROKER_US.1 + self.broker_us();
        match self.scenario.owners {
            Owners::HandedOn { workers, .. } => {
                let claimed_us = released_us + self.broker_us();
                self.at(
                    claimed_us,
                    Happening::Start {
                        account,
                        worker: (run.worker + 1) % workers,
                    },
                );
            }
            Owners::Fleet { .. } => {
                let life = self.accounts[account].life;
                self.at(released_us, Happening::LeaseEnds { account, life });
            }
            Owners::One | Owners::Killed { .. } => {}
        }
    }

    /// An operation reaches the broker, and its answer is told.
    pub(super) fn apply(&mut self, account: usize, life: u64, output: Output) {
        let this = &mut self.accounts[account];
        if this.life != life {
            return;
        }
        if this.run.is_none() && !this.in_order && self.rng.below(2) == 0 {
            return;
        }
        let broker = &mut this.broker;
        let work = &self.works[account];
        let input = match output {
            Output::Load {
                lane,
                seq,
                effects,
                aliases,
            } => Input::Loaded {
                lane,
                seq,
                ledger: effects
                    .iter()
                    .map(|key| broker.ledger.get(key).cloned())
                    .collect(),
                contact: aliases.first().map(|alias| ContactRecord {
                    schema: SCHEMA,
                    crm_id: alias.clone(),
                    own_key: Some(alias.clone()),
                    ..ContactRecord::default()
                }),
            },
            Output::Record { id, ledger, .. } => {
                broker.ledger.extend(ledger);
                Input::Recorded { id, stored: true }
            }
            Output::DeadLetter(letter) => {
                let place = letter
                    .event_id
                    .and_then(|event| work.by_event.get(&event).copied());
                broker.dead.extend(place);
                Input::Recorded {
                    id: letter.id,
                    stored: true,
                }
            }
            Output::Ack { lane, seq } => {
                broker.ack(lane, seq);
                if broker.acked == work.planned.len() {
                    self.settled(account);
                }
                return;
            }
            Output::SaveFloor { lane, seq } => {
                let floor = &mut broker.floors[lane as usize];
                *floor = (*floor).max(seq);
                return;
            }
            Output::WriteJournal(record) => {
                broker.journal = Some(record);
                Input::Journaled { stored: true }
            }
            Output::Resync { lane, floor } => {
                broker.reset(lane, floor);
                // What is on its way was sent before.
                let at_us = this.delivered_us[lane as usize].max(self.now_us);
                let input = Input::Resynced(lane);
                self.at(
                    at_us,
                    Happening::Tell {
                        account,
                        life,
                        input,
                    },
                );
                return;
            }
            _ => return,
        };
        self.tell(account, input);
    }

    /// Sends what a standing pull gets, in order.
    pub(super) fn deliver(&mut self, account: usize, lane: Lane) {
        let (given, full) = self.accounts[account].broker.deliver(lane);
        if given.is_empty() && !full {
            return;
        }
        let arrives_us = self.now_us + between(&mut self.rng, DELIVERY_US);
        let this = &mut self.accounts[account];
        let at_us = this.delivered_us[lane as usize].max(arrives_us);
        this.delivered_us[lane as usize] = at_us;
        let life = this.life;
        let works = self.works;
        for given in given {
            let Some(planned) = works[account].planned.get(given.effect) else {
                continue;
            };
            let input = Input::Delivered(Delivery {
                lane,
                seq: given.seq,
                consumer_seq: given.consumer_seq,
                pending: 0,
                kind: planned.kind.to_owned(),
                msg_id: Some(planned.msg_id.clone()),
                content_type: ContentType::MessagePack,
                payload: planned.payload.clone(),
            });
            self.at(
                at_us,
                Happening::Tell {
                    account,
                    life,
                    input,
                },
            );
        }
        if full {
            let input = Input::PullEnded(lane);
            self.at(
                at_us,
                Happening::Tell {
                    account,
                    life,
                    input,
                },
            );
        }
    }

    /// A request reaches the CRM.
    pub(super) fn arrive(
        &mut self,
        account: usize,
        life: u64,
        request: RequestId,
        body: &[u8],
        deadline_us: u64,
    ) {
        let work = &self.works[account];
        let items: Vec<usize> = std::str::from_utf8(body)
            .unwrap_or_default()
            .lines()
            .filter_map(|key| work.by_key.get(key).copied())
            .collect();
        let door = &mut self.accounts[account].door;
        let answered = door.handle(self.now_us, &items, true);
        let tells = door.tells();
        let back_us = self.now_us + answered.service_us + trip_us(&mut self.rng);
        let (at_us, answer) = if answered.lost || back_us > deadline_us {
            (deadline_us, Answer::Lost)
        } else {
            (back_us, vendor::answer(&answered, tells))
        };
        let input = Input::Answered { request, answer };
        self.at(
            at_us,
            Happening::Tell {
                account,
                life,
                input,
            },
        );
    }
}
