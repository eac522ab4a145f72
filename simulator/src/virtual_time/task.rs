//! One owned account: its lease, its dispatcher, what it is told, how it ends.
//!
//! Invariants: nothing is told to a task that has ended; an owner that finds its lease gone ends at once; one that is told
//! to stop saves its floors and gives the lease back only after its dispatcher has stopped.

use std::collections::BTreeMap;
use std::sync::Arc;

use callflume_core::dispatcher::{Delivery, Dispatcher, Input, Output};
use callflume_core::event::ContentType;
use callflume_core::lane::{Lane, SubjectParts};
use callflume_core::quota::Advice;
use callflume_core::record::key;

use super::broker::{ConsumerConfig, Message, PullNews, header, header_value};
use super::crm::Crm;
use super::happening::Happening;
use super::store::LeaseKey;
use super::worker::{LEASE_MS, WorkerNumber};
use super::world::World;

/// Names a task; rises with every takeover.
pub(super) type TaskId = u64;

/// How often a lease is renewed, milliseconds.
const RENEW_EVERY_MS: u64 = LEASE_MS / 5;
/// Requests to the broker from the claim to the first pull: floors, journal, two consumers made and set back. One more where
/// the CRM writes by jobs.
const BEGIN_TRIPS: u64 = 8;
/// Requests to the broker from the dispatcher's stop to the lease given back: two floors, the lease.
const RELEASE_TRIPS: u64 = 3;
/// As the worker's consumers have it.
const ACK_WAIT_MS: u64 = 600_000;
const MAX_ACK_PENDING: usize = 10_000;

/// A lane of a task.
#[derive(Debug, Default)]
pub(super) struct LaneShell {
    /// Rises when what is on its way must not be taken in any more.
    pub(super) epoch: u64,
    /// The pull that stands.
    pub(super) pull: Option<u64>,
    /// The latest floor to be saved, and whether an older one is on its way.
    pub(super) floor: u64,
    pub(super) saving: bool,
    /// Messages not settled yet.
    pub(super) held: BTreeMap<u64, Arc<Message>>,
}

/// A task.
pub(super) struct Task {
    pub(super) worker: WorkerNumber,
    pub(super) account: usize,
    pub(super) dispatcher: Option<Dispatcher>,
    pub(super) lanes: [LaneShell; 2],
    pub(super) held_until_ms: u64,
    pub(super) journal_revision: Option<u64>,
    /// Of the record of its bulk job.
    pub(super) bulk_revision: Option<u64>,
    pub(super) stopping: bool,
    owner: String,
    lease_revision: u64,
    finished: bool,
    wake_at: Option<u64>,
}

impl<C: Crm> World<'_, '_, C> {
    /// A lease was claimed: what the predecessor left is read.
    pub(super) fn start_task(
        &mut self,
        number: WorkerNumber,
        account: usize,
        lease_revision: u64,
        held_until_ms: u64,
    ) {
        let Some(worker) = self.workers.get_mut(&number) else {
            return;
        };
        let id = self.next_task;
        self.next_task += 1;
        worker.owned.insert(account, id);
        let owner = worker.id.clone();
        self.tasks.insert(
            id,
            Task {
                worker: number,
                account,
                dispatcher: None,
                lanes: <[LaneShell; 2]>::default(),
                held_until_ms,
                journal_revision: None,
                bulk_revision: None,
                stopping: false,
                owner,
                lease_revision,
                finished: false,
                wake_at: None,
            },
        );
        let mut begin_ms = self.now_ms;
        let bulk = self.accounts[account].setup.vendor.bulk();
        for _ in 0..BEGIN_TRIPS + u64::from(bulk.is_some()) {
            begin_ms += self.soon() - self.now_ms;
        }
        self.timeline.plan(begin_ms, Happening::Begin { task: id });
        self.timeline
            .plan(self.now_ms + RENEW_EVERY_MS, Happening::Renew { task: id });
    }

    pub(super) fn begin(&mut self, id: TaskId) {
        let Some((number, account)) = self.tasks.get(&id).map(|task| (task.worker, task.account))
        else {
            return;
        };
        let account_id = self.accounts[account].id.clone();
        let mut setup = self.accounts[account].setup.clone();
        let journal = self.store().journal(&account_id);
        let journal_revision = journal.as_ref().map(|known| known.revision);
        setup.journal = journal.map(|known| known.record);
        setup.reference = self.store().reference(&account_id);
        let has_jobs = setup.vendor.bulk().is_some();
        let bulk = self.store().bulk(&account_id).filter(|_| has_jobs);
        let bulk_revision = bulk.as_ref().map(|known| known.revision);
        setup.bulk = bulk.map(|known| known.record);
        setup.seed ^= id;
        for lane in Lane::ALL {
            let floor = self.store().floor(lane, &account_id).max(1);
            setup.floors[lane as usize] = floor;
            let config = ConsumerConfig {
                name: self.accounts[account].consumers[lane as usize].clone(),
                filter: self.accounts[account].filter(lane).to_owned(),
                ack_wait_ms: ACK_WAIT_MS,
                max_ack_pending: MAX_ACK_PENDING,
            };
            let made = self.broker.create_consumer(lane.stream(), config);
            debug_assert!(made.is_ok(), "every lane has its stream");
            self.reset_consumer(account, lane, floor);
        }
        let floors = setup.floors;
        self.changed_hands(id, account);
        let now = self.now_of(number);
        let dispatcher = match Dispatcher::new(setup, now) {
            Ok(dispatcher) => dispatcher,
            Err(error) => {
                self.note(format_args!("{account_id} refused: {error}"));
                self.end_task(id, true);
                return;
            }
        };
        let warming = self.warming;
        if let Some(task) = self.tasks.get_mut(&id) {
            self.trace.note(
                self.now_ms,
                format_args!("{} owns {account_id} from {floors:?}", task.owner),
            );
            task.journal_revision = journal_revision;
            task.bulk_revision = bulk_revision;
            task.dispatcher = Some(dispatcher);
            let stopping = task.stopping;
            // As the real worker: a new owner begins with this, whatever the one before said.
            self.advise(account, Advice::Ok);
            self.drain_outputs(id);
            if warming {
                self.tell(id, Input::Warm);
            }
            if stopping {
                self.tell(id, Input::Stop);
            }
        }
    }

    /// Counts how long an account had no owner, and whether it has two.
    fn changed_hands(&mut self, id: TaskId, number: usize) {
        let others = self
            .tasks
            .iter()
            .any(|(other, task)| *other != id && task.account == number);
        let account = &mut self.accounts[number];
        account.overlaps += u64::from(others);
        if let Some(since_ms) = account.unowned_since.take() {
            account.unowned_ms.push(self.now_ms - since_ms);
        }
    }

    pub(super) fn reset_consumer(&mut self, account: usize, lane: Lane, floor: u64) {
        let clock_ms = self.clock_ms();
        let (stream, consumer) = self.accounts[account].consumer(lane);
        let reset = self.broker.reset(clock_ms, stream, consumer, floor.max(1));
        debug_assert!(reset.is_ok(), "an owned account has its consumers");
    }

    pub(super) fn renew(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get(&id) else {
            return;
        };
        let arrives = Happening::RenewalArrives {
            task: id,
            account: task.account,
            owner: task.owner.clone(),
            revision: task.lease_revision,
            held_until_ms: self.now_ms + LEASE_MS,
        };
        let at_ms = self.soon();
        self.timeline.plan(at_ms, arrives);
    }

    pub(super) fn renewal_arrives(
        &mut self,
        id: TaskId,
        account: usize,
        owner: &str,
        revision: u64,
        held_until_ms: u64,
    ) {
        let lives = self.tasks.contains_key(&id);
        if !lives && self.seed.below(2) == 0 {
            return;
        }
        let lease = key::lease(&self.accounts[account].id);
        let mut store = self.store();
        let renewed = store
            .swap_lease(&lease, owner, revision, LEASE_MS)
            .or_else(|| match store.lease(&lease) {
                // An earlier renewal may have arrived without its answer.
                LeaseKey::Held(known) if known.record.owner == owner => {
                    store.swap_lease(&lease, owner, known.revision, LEASE_MS)
                }
                LeaseKey::Held(_) | LeaseKey::Free(_) => None,
            });
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        match renewed {
            Some(revision) => {
                task.lease_revision = revision;
                task.held_until_ms = held_until_ms;
                self.timeline
                    .plan(self.now_ms + RENEW_EVERY_MS, Happening::Renew { task: id });
            }
            None => self.end_task(id, true),
        }
    }

    /// Tells an owner to finish and give its account up.
    pub(super) fn stop_task(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        if !task.stopping {
            task.stopping = true;
            self.tell(id, Input::Stop);
        }
    }

    /// The dispatcher has stopped: what is left are floors and lease.
    pub(super) fn finish(&mut self, id: TaskId) {
        if let Some(task) = self.tasks.get_mut(&id) {
            task.finished = true;
        }
        let mut at_ms = self.now_ms;
        for _ in 0..RELEASE_TRIPS {
            at_ms += self.soon() - self.now_ms;
        }
        self.timeline.plan(at_ms, Happening::Release { task: id });
    }

    pub(super) fn release(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get(&id) else {
            return;
        };
        let account = self.accounts[task.account].id.clone();
        let floors = [task.lanes[0].floor, task.lanes[1].floor];
        let revision = task.lease_revision;
        for lane in Lane::ALL {
            let floor = floors[lane as usize];
            if floor > 0 {
                let saved = self.store().save_floor(lane, &account, floor);
                debug_assert!(saved, "the ledger takes every floor");
            }
        }
        let released = self.store().release_lease(&key::lease(&account), revision);
        self.note(format_args!("{account} given up, lease ours: {released}"));
        self.end_task(id, false);
    }

    /// Ends a task of a worker that lives on.
    pub(super) fn end_task(&mut self, id: TaskId, lost: bool) {
        let Some((number, account)) = self.tasks.get(&id).map(|task| (task.worker, task.account))
        else {
            return;
        };
        if lost {
            let account_id = self.accounts[account].id.clone();
            self.note(format_args!("{account_id} lost"));
        }
        let now_ms = self.now_ms;
        if let Some(worker) = self.workers.get_mut(&number) {
            worker.ended(now_ms, account, lost);
        }
        self.drop_task(id);
    }

    /// Nobody hears of this task any more; its pulls are withdrawn with its connection.
    pub(super) fn drop_task(&mut self, id: TaskId) {
        let Some(task) = self.tasks.remove(&id) else {
            return;
        };
        for lane in Lane::ALL {
            if let Some(token) = task.lanes[lane as usize].pull {
                self.withdraw(task.account, lane, token);
            }
        }
        let account = &mut self.accounts[task.account];
        account.unowned_since.get_or_insert(self.now_ms);
    }

    pub(super) fn withdraw(&mut self, account: usize, lane: Lane, token: u64) {
        self.pulls.remove(&token);
        let (stream, consumer) = self.accounts[account].consumer(lane);
        let withdrawn = self.broker.withdraw(stream, consumer, token);
        debug_assert!(withdrawn.is_ok(), "an owned account has its consumers");
    }

    pub(super) fn wake(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        if task.wake_at == Some(self.now_ms) {
            task.wake_at = None;
            self.tell(id, Input::Wake);
        }
    }

    pub(super) fn tell(&mut self, id: TaskId, input: Input) {
        let Some(number) = self.tasks.get(&id).map(|task| task.worker) else {
            return;
        };
        let now = self.now_of(number);
        let dispatcher = self
            .tasks
            .get_mut(&id)
            .filter(|task| !task.finished)
            .and_then(|task| task.dispatcher.as_mut());
        if let Some(dispatcher) = dispatcher {
            dispatcher.handle(now, input);
            self.drain_outputs(id);
        }
    }

    /// What a pull brought: a message, or its end.
    pub(super) fn pulled(&mut self, id: TaskId, lane: Lane, epoch: u64, news: PullNews) {
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        let shell = &mut task.lanes[lane as usize];
        if shell.epoch != epoch {
            return;
        }
        let input = match news {
            PullNews::End(_) => {
                shell.pull = None;
                Input::PullEnded(lane)
            }
            PullNews::Message(delivered) => {
                let message = delivered.message;
                shell.held.insert(message.seq, message.clone());
                Input::Delivered(Delivery {
                    lane,
                    seq: message.seq,
                    consumer_seq: delivered.consumer_seq,
                    pending: delivered.pending,
                    kind: SubjectParts::parse(&message.subject)
                        .map(|parts| parts.kind)
                        .unwrap_or_default(),
                    msg_id: header_value(&message.headers, header::MESSAGE_ID)
                        .map(ToOwned::to_owned),
                    content_type: ContentType::MessagePack,
                    payload: message.payload.to_vec(),
                })
            }
        };
        self.tell(id, input);
    }

    pub(super) fn drain_outputs(&mut self, id: TaskId) {
        loop {
            let output = self
                .tasks
                .get_mut(&id)
                .filter(|task| !task.finished)
                .and_then(|task| task.dispatcher.as_mut())
                .and_then(Dispatcher::poll);
            match output {
                None => break,
                Some(Output::Stopped) => {
                    self.finish(id);
                    return;
                }
                Some(output) => self.carry_out(id, output),
            }
        }
        let now_ms = self.now_ms;
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        let wake = task.dispatcher.as_ref().and_then(Dispatcher::wake);
        let Some(at_ms) = wake.map(|tick| tick.0.max(now_ms + 1)) else {
            return;
        };
        if task
            .wake_at
            .is_none_or(|planned| planned <= now_ms || at_ms < planned)
        {
            task.wake_at = Some(at_ms);
            self.timeline.plan(at_ms, Happening::Wake { task: id });
        }
    }
}
