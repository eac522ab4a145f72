//! One worker process: it says that it lives, sees who owns what, claims, hands over, stops, is killed.
//!
//! Carries out what `core::ownership` decides, step by step as the real worker: claims, looks again after a while, stops when
//! everything it owned is given back. Claims go one after the other here, several at a time there: what holds of the slower
//! way holds of the quicker.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use callflume_core::account::AccountId;
use callflume_core::ownership::{Move, Ownership, SETTLE_MS, View};
use callflume_core::record::{LeaseRecord, bucket, key};
use callflume_core::time::{BrokerTime, Now, Tick, WallTime};

use super::broker::{Change, Watch, Watched};
use super::crm::Crm;
use super::happening::Happening;
use super::store::LeaseKey;
use super::task::TaskId;
use super::world::World;

/// Names a process; rises with every start.
pub(super) type WorkerNumber = u32;

/// Length of a lease, milliseconds.
pub(super) const LEASE_MS: u64 = 5_000;
/// How often ownership is looked at, milliseconds.
const LOOK_EVERY_MS: u64 = 250;
/// How often a worker says that it lives, milliseconds.
const HEARTBEAT_MS: u64 = LEASE_MS / 4;
/// Pause before an account that was lost is claimed again, milliseconds.
const REST_MS: u64 = 2_000;

/// A process.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) id: String,
    /// How far its idea of the broker's clock is off, milliseconds.
    pub(super) clock_error_ms: i64,
    pub(super) stopping: bool,
    pub(super) owned: BTreeMap<usize, TaskId>,
    ownership: Ownership,
    watch: Option<Watch>,
    workers: BTreeMap<String, u64>,
    leases: BTreeMap<AccountId, String>,
    rest: BTreeMap<usize, u64>,
    claims: VecDeque<usize>,
    /// Something changed since ownership was last decided.
    changed: bool,
}

impl Worker {
    pub(super) fn new(number: WorkerNumber, clock_error_ms: i64) -> Self {
        let id = format!("w{number}");
        Self {
            ownership: Ownership::new(id.clone()),
            id,
            clock_error_ms,
            stopping: false,
            owned: BTreeMap::new(),
            watch: None,
            workers: BTreeMap::new(),
            leases: BTreeMap::new(),
            rest: BTreeMap::new(),
            claims: VecDeque::new(),
            changed: true,
        }
    }

    fn take(&mut self, now_ms: u64, change: &Change) {
        if let Some(worker) = change.key.strip_prefix("worker.") {
            if change.value.is_none() {
                self.changed |= self.workers.remove(worker).is_some();
            } else if !self.workers.contains_key(worker) {
                self.workers.insert(worker.to_owned(), now_ms);
                self.changed = true;
            }
        } else if let Some(Ok(account)) = change.key.strip_prefix("account.").map(str::parse) {
            let owner = change
                .value
                .as_ref()
                .and_then(|value| serde_json::from_slice::<LeaseRecord>(value).ok())
                .map(|record| record.owner);
            if self.leases.get(&account) == owner.as_ref() {
                return;
            }
            self.changed = true;
            match owner {
                Some(owner) => self.leases.insert(account, owner),
                None => self.leases.remove(&account),
            };
        }
    }

    /// An account's task is over; when it was lost, it is left alone for a while.
    pub(super) fn ended(&mut self, now_ms: u64, account: usize, lost: bool) {
        self.owned.remove(&account);
        self.changed = true;
        if lost {
            self.rest.insert(account, now_ms + REST_MS);
        }
    }
}

impl<C: Crm> World<'_, '_, C> {
    /// What time a worker thinks it is.
    pub(super) fn now_of(&self, worker: WorkerNumber) -> Now {
        let clock_ms = self.clock_ms();
        let error_ms = self
            .workers
            .get(&worker)
            .map_or(0, |worker| worker.clock_error_ms);
        Now {
            tick: Tick(self.now_ms),
            broker: BrokerTime(clock_ms + error_ms),
            wall: WallTime(clock_ms),
        }
    }

    pub(super) fn heartbeat(&mut self, number: WorkerNumber) {
        let Some(worker) = self.workers.get(&number) else {
            return;
        };
        let id = worker.id.clone();
        let at_ms = self.soon();
        let arrives = Happening::HeartbeatArrives { worker: number, id };
        self.timeline.plan(at_ms, arrives);
        let next_ms = self.now_ms + HEARTBEAT_MS;
        self.timeline
            .plan(next_ms, Happening::Heartbeat { worker: number });
    }

    pub(super) fn heartbeat_arrives(&mut self, number: WorkerNumber, id: &str) {
        // Sent just before a kill, it may still be on its way; of a worker that has left, none is.
        if self.workers.contains_key(&number) || self.seed.below(2) == 0 {
            let stored = self.store().heartbeat(id, Some(LEASE_MS));
            debug_assert!(stored, "the lease bucket takes every heartbeat");
        }
    }

    /// Looks at who owns what, and does something about it.
    pub(super) fn look(&mut self, number: WorkerNumber) {
        let now_ms = self.now_ms;
        let Some(mut worker) = self.workers.remove(&number) else {
            return;
        };
        if worker.stopping {
            if worker.owned.is_empty() {
                self.note(format_args!("worker {} has left", worker.id));
                let withdrawn = self.store().heartbeat(&worker.id, None);
                debug_assert!(withdrawn, "the lease bucket takes every deletion");
                return;
            }
            self.workers.insert(number, worker);
            self.look_again(number);
            return;
        }
        self.read_watch(&mut worker);
        let moves = self.decide(&mut worker, now_ms);
        let mut releases = Vec::new();
        for step in moves {
            match step {
                Move::Claim(account) => {
                    if let Some(place) = self.numbers.get(&account)
                        && !worker.rest.contains_key(place)
                    {
                        worker.claims.push_back(*place);
                    }
                }
                Move::Release(account) => releases.extend(
                    self.numbers
                        .get(&account)
                        .and_then(|place| worker.owned.get(place))
                        .copied(),
                ),
            }
        }
        self.workers.insert(number, worker);
        for task in releases {
            self.stop_task(task);
        }
        self.next_claim(number);
    }

    fn look_again(&mut self, number: WorkerNumber) {
        let at_ms = self.now_ms + LOOK_EVERY_MS;
        self.timeline
            .plan(at_ms, Happening::Look { worker: number });
    }

    fn read_watch(&mut self, worker: &mut Worker) {
        let clock_ms = self.clock_ms();
        if worker.watch.is_none() {
            worker.watch = self.broker.watch(clock_ms, bucket::LEASES, ">").ok();
        }
        let Some(watch) = &mut worker.watch else {
            return;
        };
        let mut changes = Vec::new();
        while let Ok(Some(told)) = self.broker.watched(clock_ms, watch) {
            if let Watched::Change(change) = told {
                changes.push(change);
            }
        }
        for change in changes {
            worker.take(self.now_ms, &change);
        }
    }

    /// What to try now. Nothing is decided while nothing can have changed: no news, no account free, nobody so new that
    /// time alone would change who is to own what.
    fn decide(&mut self, worker: &mut Worker, now_ms: u64) -> Vec<Move> {
        let rests = worker.rest.len();
        worker.rest.retain(|_, until_ms| *until_ms > now_ms);
        let settling = worker
            .workers
            .values()
            .any(|since_ms| now_ms - since_ms <= SETTLE_MS + 2 * LOOK_EVERY_MS);
        let any_free = worker.leases.len() < self.accounts.len();
        if !(worker.changed || settling || any_free || worker.rest.len() < rests) {
            return Vec::new();
        }
        worker.changed = false;
        let mut view = View {
            workers: worker.workers.keys().cloned().collect(),
            accounts: self.numbers.keys().cloned().collect(),
            leases: worker.leases.clone(),
        };
        view.workers.insert(worker.id.clone());
        // What the bucket still shows of this worker, but is not worked on, is free for this worker.
        let numbers = &self.numbers;
        view.leases.retain(|account, owner| {
            *owner != worker.id
                || numbers
                    .get(account)
                    .is_some_and(|place| worker.owned.contains_key(place))
        });
        let owned: BTreeSet<AccountId> = worker
            .owned
            .keys()
            .map(|place| self.accounts[*place].id.clone())
            .collect();
        worker.ownership.decide(Tick(now_ms), &view, &owned)
    }

    /// Asks for the next lease to be claimed; after the last, looks again after a while.
    fn next_claim(&mut self, number: WorkerNumber) {
        let Some(worker) = self.workers.get_mut(&number) else {
            return;
        };
        match worker.claims.pop_front() {
            Some(account) => {
                let at_ms = self.soon();
                let asked = Happening::ClaimAsked {
                    worker: number,
                    account,
                };
                self.timeline.plan(at_ms, asked);
            }
            None if worker.stopping => {
                self.stop_tasks(number);
                self.look_again(number);
            }
            None => self.look_again(number),
        }
    }

    pub(super) fn claim_asked(&mut self, number: WorkerNumber, account: usize) {
        let Some(id) = self.workers.get(&number).map(|worker| worker.id.clone()) else {
            return;
        };
        let lease = key::lease(&self.accounts[account].id);
        let revision = match self.store().lease(&lease) {
            LeaseKey::Free(revision) => revision,
            LeaseKey::Held(known) if known.record.owner == id => known.revision,
            LeaseKey::Held(_) => {
                self.next_claim(number);
                return;
            }
        };
        let at_ms = self.soon();
        let held_until_ms = self.now_ms + LEASE_MS;
        let arrives = Happening::ClaimArrives {
            worker: number,
            id,
            account,
            revision,
            held_until_ms,
        };
        self.timeline.plan(at_ms, arrives);
    }

    pub(super) fn claim_arrives(
        &mut self,
        number: WorkerNumber,
        id: &str,
        account: usize,
        revision: u64,
        held_until_ms: u64,
    ) {
        let lives = self.workers.contains_key(&number);
        if !lives && self.seed.below(2) == 0 {
            return;
        }
        let lease = key::lease(&self.accounts[account].id);
        let claimed = self.store().swap_lease(&lease, id, revision, LEASE_MS);
        if let Some(revision) = claimed {
            let account_id = self.accounts[account].id.clone();
            self.note(format_args!("{id} claims {account_id} as {revision}"));
            if lives {
                self.start_task(number, account, revision, held_until_ms);
            }
        }
        self.next_claim(number);
    }

    /// Tells a worker to finish what is under way and to give everything back.
    pub(super) fn stop_worker(&mut self, number: WorkerNumber) {
        let Some(worker) = self.workers.get_mut(&number) else {
            return;
        };
        worker.stopping = true;
        let id = worker.id.clone();
        self.note(format_args!("worker {id} is told to stop"));
        self.stop_tasks(number);
    }

    fn stop_tasks(&mut self, number: WorkerNumber) {
        let tasks: Vec<TaskId> = self
            .workers
            .get(&number)
            .map(|worker| worker.owned.values().copied().collect())
            .unwrap_or_default();
        for task in tasks {
            self.stop_task(task);
        }
    }

    /// Kills a worker outright.
    pub(super) fn kill_worker(&mut self, number: WorkerNumber) {
        let Some(worker) = self.workers.remove(&number) else {
            return;
        };
        self.note(format_args!("worker {} is killed", worker.id));
        for (account, task) in &worker.owned {
            self.accounts[*account].killed_ms = Some(self.now_ms);
            self.drop_task(*task);
        }
    }
}
