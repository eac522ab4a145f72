//! What happens when: publishers, workers started, stopped, killed and scaled, the end of a run.
//!
//! Invariants: whatever a process sent before it was killed still arrives at the CRM, and may or may not arrive at the
//! broker, as the seed has it; its answers reach nobody. An account is worked on by whoever holds its lease in the
//! broker's lease bucket, and by nobody else; nothing but that bucket and the workers' own watches of it decides it.

use std::collections::BTreeMap;

use callflume_core::account::AccountId;
use callflume_core::lane::Lane;
use callflume_core::seed::Seed;

use super::account::{Account, AccountRun, AccountSetup};
use super::broker::{Broker, PullNews};
use super::crm::Crm;
use super::happening::{Happening, PullOf};
use super::store::{Store, provisioned};
use super::task::{Task, TaskId};
use super::timeline::Timeline;
use super::trace::Trace;
use super::worker::{Worker, WorkerNumber};
use crate::scenario::Scenario;

/// A message is on its way this long, milliseconds.
pub(super) const TRIP_MS: u64 = 1;
/// An operation of the broker takes from the request to the answer 1 to this many milliseconds.
const BROKER_MS: u64 = 2;
/// Before the calls begin, milliseconds: a backlog is published, then workers start, so that accounts are owned by then.
const LEAD_MS: u64 = 2_000;
const BACKLOG_BEFORE_MS: u64 = 500;
const START_BEFORE_MS: u64 = 150;
/// A warm-up's worker is told to stop this long before the backlog is published, milliseconds.
const WARM_STOPS_BEFORE_MS: u64 = 1_500;
/// How often settled events are purged, and how long they are kept, milliseconds.
const PURGE_EVERY_MS: u64 = 600_000;
const HISTORY_MS: i64 = 3_600_000;

/// What came of a virtual run.
#[derive(Debug)]
pub struct VirtualRun<C> {
    /// The accounts, as they were given.
    pub accounts: Vec<AccountRun<C>>,
    /// Whether every stored event was settled within the scenario's time.
    pub drained: bool,
    /// Instant of the last happening, milliseconds since the calls began.
    pub ended_ms: i64,
    /// Workers killed.
    pub kills: u64,
    /// Worst time from a kill to the first operational request of a successor, milliseconds.
    pub takeover_ms_max: Option<u64>,
}

pub(super) struct World<'a, 't, C> {
    pub(super) scenario: &'a Scenario,
    start_ms: i64,
    pub(super) first_ms: u64,
    pub(super) now_ms: u64,
    pub(super) timeline: Timeline<Happening>,
    pub(super) broker: Broker,
    pub(super) accounts: Vec<Account<C>>,
    pub(super) numbers: BTreeMap<AccountId, usize>,
    pub(super) workers: BTreeMap<WorkerNumber, Worker>,
    pub(super) next_worker: WorkerNumber,
    pub(super) tasks: BTreeMap<TaskId, Task>,
    pub(super) next_task: TaskId,
    pub(super) pulls: BTreeMap<u64, PullOf>,
    pub(super) next_pull: u64,
    pub(super) seed: Seed,
    pub(super) warming: bool,
    pub(super) kills: u64,
    pub(super) takeover_ms_max: Option<u64>,
    /// Events of calls not published yet.
    pub(super) to_publish: usize,
    /// An account and lane that were not settled when last looked at.
    unsettled: (usize, usize),
    /// Something was acknowledged since then.
    pub(super) acked: bool,
    pub(super) trace: &'a mut Trace<'t>,
}

/// Runs a scenario's workers on these accounts.
pub fn run<C: Crm>(
    scenario: &Scenario,
    accounts: Vec<AccountSetup<C>>,
    trace: &mut Trace<'_>,
) -> VirtualRun<C> {
    let start_ms = accounts.first().map_or(0, |first| first.plan.start_ms);
    let accounts: Vec<Account<C>> = accounts.into_iter().map(Account::new).collect();
    let numbers = accounts
        .iter()
        .enumerate()
        .map(|(number, account)| (account.id.clone(), number))
        .collect();
    let mut world = World {
        scenario,
        start_ms,
        first_ms: LEAD_MS + if scenario.warm { warm_ms(scenario) } else { 0 },
        now_ms: 0,
        timeline: Timeline::new(),
        broker: provisioned(),
        accounts,
        numbers,
        workers: BTreeMap::new(),
        next_worker: 1,
        tasks: BTreeMap::new(),
        next_task: 1,
        pulls: BTreeMap::new(),
        next_pull: 1,
        seed: Seed::new(scenario.seed ^ 0x5eed),
        warming: scenario.warm,
        kills: 0,
        takeover_ms_max: None,
        to_publish: 0,
        unsettled: (0, 0),
        acked: true,
        trace,
    };
    let last_ms = world.plan_everything();
    let end_ms = last_ms + scenario.drain_s_max * 1_000;
    let mut drained = false;
    while let Some((at_ms, happening)) = world.timeline.next() {
        if at_ms > end_ms {
            break;
        }
        world.now_ms = at_ms;
        world.happen(happening);
        world.pass_news_on();
        if world.to_publish == 0 && at_ms >= last_ms && world.is_settled() {
            drained = true;
            break;
        }
    }
    VirtualRun {
        drained,
        ended_ms: world.run_ms(),
        kills: world.kills,
        takeover_ms_max: world.takeover_ms_max,
        accounts: world.accounts.into_iter().map(Account::ended).collect(),
    }
}

/// Time that reading all contacts takes at the enrichment's pace, with room for claiming and stopping.
fn warm_ms(scenario: &Scenario) -> u64 {
    let pages = u64::from(scenario.crm.contacts).div_ceil(100);
    4_000 + pages * 200
}

impl<C: Crm> World<'_, '_, C> {
    /// Plans what the scenario says; answers the instant of the last event.
    fn plan_everything(&mut self) -> u64 {
        // As in real time: a worker reads the contacts and stops, then the backlog is published, then workers and calls
        // start at the same instant.
        let first_ms = self.first_ms;
        let backlog_ms = first_ms - BACKLOG_BEFORE_MS;
        if self.warming {
            self.timeline.plan(0, Happening::Scale { count: 1 });
            self.timeline.plan(
                backlog_ms - WARM_STOPS_BEFORE_MS,
                Happening::Scale { count: 0 },
            );
        }
        let workers = &self.scenario.workers;
        self.timeline.plan(
            first_ms - START_BEFORE_MS,
            Happening::Scale {
                count: workers.count,
            },
        );
        for step in &workers.scale {
            self.timeline.plan(
                first_ms + step.at_s * 1_000,
                Happening::Scale { count: step.count },
            );
        }
        for (instants, killed) in [(&workers.kill_at_s, true), (&workers.stop_at_s, false)] {
            for at_s in instants {
                self.timeline
                    .plan(first_ms + at_s * 1_000, Happening::Replace { killed });
            }
        }
        self.timeline
            .plan(first_ms + PURGE_EVERY_MS, Happening::Purge);
        let mut last_ms = first_ms;
        for number in 0..self.accounts.len() {
            self.timeline
                .plan(backlog_ms, Happening::Backlog { account: number });
            self.to_publish += self.accounts[number].plan.events.len();
            if let Some(last) = self.accounts[number].plan.events.last() {
                last_ms = last_ms.max(first_ms + last.at_ms.max(0).cast_unsigned());
            }
            self.plan_publish(number);
        }
        last_ms
    }

    /// Instant at which an operation sent now arrives and is answered.
    pub(super) fn soon(&mut self) -> u64 {
        self.now_ms + 1 + self.seed.below(BROKER_MS)
    }

    /// The broker's clock, epoch milliseconds.
    pub(super) fn clock_ms(&self) -> i64 {
        self.start_ms + self.run_ms()
    }

    /// Milliseconds since the calls began; negative before.
    pub(super) fn run_ms(&self) -> i64 {
        self.now_ms.cast_signed() - self.first_ms.cast_signed()
    }

    pub(super) fn store(&mut self) -> Store<'_> {
        let now_ms = self.clock_ms();
        Store {
            broker: &mut self.broker,
            now_ms,
        }
    }

    pub(super) fn note(&mut self, what: std::fmt::Arguments<'_>) {
        self.trace.note(self.now_ms, what);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Backlog { account } => self.publish_backlog(account),
            Happening::Publish { account } => self.publish_next(account),
            Happening::Scale { count } => self.scale(count),
            Happening::Replace { killed } => self.replace_owner(killed),
            Happening::Purge => self.purge(),
            Happening::Look { worker } => self.look(worker),
            Happening::Heartbeat { worker } => self.heartbeat(worker),
            Happening::HeartbeatArrives { worker, id } => self.heartbeat_arrives(worker, &id),
            Happening::ClaimAsked { worker, account } => self.claim_asked(worker, account),
            Happening::ClaimArrives {
                worker,
                id,
                account,
                revision,
                held_until_ms,
            } => self.claim_arrives(worker, &id, account, revision, held_until_ms),
            Happening::Begin { task } => self.begin(task),
            Happening::Renew { task } => self.renew(task),
            Happening::RenewalArrives {
                task,
                account,
                owner,
                revision,
                held_until_ms,
            } => self.renewal_arrives(task, account, &owner, revision, held_until_ms),
            Happening::Release { task } => self.release(task),
            Happening::Wake { task } => self.wake(task),
            Happening::Tell { task, input } => self.tell(task, input),
            Happening::Pulled {
                task,
                lane,
                epoch,
                news,
            } => self.pulled(task, lane, epoch, news),
            Happening::Arrive {
                task,
                account,
                work,
            } => self.arrive(task, account, work),
            Happening::Serve { account, lane } => self.serve(account, lane),
            Happening::Advised { account, advice } => self.advised(account, advice),
            Happening::AtCrm {
                task,
                account,
                request,
                http,
                deadline_ms,
            } => self.at_crm(task, account, request, &http, deadline_ms),
        }
    }

    fn purge(&mut self) {
        let before_ms = self.clock_ms() - HISTORY_MS;
        for number in 0..self.accounts.len() {
            let id = self.accounts[number].id.clone();
            for lane in Lane::ALL {
                self.store().purge_settled(lane, &id, before_ms);
            }
        }
        let at_ms = self.now_ms + PURGE_EVERY_MS;
        self.timeline.plan(at_ms, Happening::Purge);
    }

    /// Sends on what the broker has for pulls, and plans when it has something by itself.
    fn pass_news_on(&mut self) {
        for (token, news) in self.broker.take_news() {
            let Some(of) = self.pulls.get(&token).copied() else {
                continue;
            };
            if matches!(news, PullNews::End(_)) {
                self.pulls.remove(&token);
            }
            let pulled = Happening::Pulled {
                task: of.task,
                lane: of.lane,
                epoch: of.epoch,
                news,
            };
            self.timeline.plan(self.now_ms + TRIP_MS, pulled);
        }
        for (stream, consumer) in self.broker.take_touched() {
            let Some(due_ms) = self.broker.next_ms(&stream, &consumer) else {
                continue;
            };
            let Some((lane, account)) = self.whose(&consumer) else {
                continue;
            };
            let ahead_ms = (due_ms - self.clock_ms()).max(1).cast_unsigned();
            let at_ms = self.now_ms + ahead_ms;
            let planned = &mut self.accounts[account].served_at[lane as usize];
            if planned.is_none_or(|planned| at_ms < planned) {
                *planned = Some(at_ms);
                self.timeline
                    .plan(at_ms, Happening::Serve { account, lane });
            }
        }
    }

    fn whose(&self, consumer: &str) -> Option<(Lane, usize)> {
        let (lane, account) = consumer.split_once('-')?;
        let account: AccountId = account.parse().ok()?;
        Some((lane.parse().ok()?, *self.numbers.get(&account)?))
    }

    fn serve(&mut self, number: usize, lane: Lane) {
        let now_ms = self.clock_ms();
        let account = &mut self.accounts[number];
        if account.served_at[lane as usize] != Some(self.now_ms) {
            return;
        }
        account.served_at[lane as usize] = None;
        let (stream, consumer) = account.consumer(lane);
        if let Err(refusal) = self.broker.serve(now_ms, stream, consumer) {
            tracing::debug!(%refusal, "a consumer was not served");
        }
    }

    /// Whether everything stored is settled. Looked at only after acknowledgements, from where it was not the last time.
    fn is_settled(&mut self) -> bool {
        if !std::mem::take(&mut self.acked) {
            return false;
        }
        let lanes = self.accounts.len() * 2;
        let from = self.unsettled.0 * 2 + self.unsettled.1;
        let unsettled = (0..lanes)
            .map(|step| (from + step) % lanes)
            .map(|place| (place / 2, place % 2))
            .find(|(number, lane)| {
                let account = &self.accounts[*number];
                let lane = Lane::ALL[*lane];
                let (stream, consumer) = account.consumer(lane);
                !self
                    .broker
                    .is_settled(stream, consumer, account.filter(lane))
            });
        self.unsettled = unsettled.unwrap_or((0, 0));
        unsettled.is_none()
    }
}
