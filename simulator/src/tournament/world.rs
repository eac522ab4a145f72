//! What happens when: one queue of happenings for all accounts and workers of a run.
//!
//! Time is microseconds; nothing sleeps, every choice comes from the seed. A worker takes in one input at a time, turn
//! about between its accounts, each for [`HANDLE_US`]: what an account with a storm of answers would cost the others shows.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use callflume_core::config::{AccountConfig, SecretRef};
use callflume_core::dispatcher::{Bounds, Dispatcher, Input, Output, RequestId, Setup};
use callflume_core::lane::Lane;
use callflume_core::ownership::Ownership;
use callflume_core::record::{JournalRecord, SCHEMA};
use callflume_core::seed::Seed;
use callflume_core::time::{BrokerTime, Now, Tick, WallTime};
use callflume_core::vendor::Vendor;

use super::broker::Broker;
use super::door::Door;
use super::foreign;
use super::run::Error;
use super::scenarios::{DAY_ENDS_S, LEASE_S, Owners, Scenario};
use super::strategies::Strategy;
use super::vendor::{GateVendor, windows};
use super::work::Work;
use super::{MS_US, SECOND_US};

/// What a worker needs for one input, microseconds: twice what the dispatcher takes in a release build.
pub(super) const HANDLE_US: u64 = 10;
/// No run goes on for longer, seconds of its own time.
const CUT_OFF_S: u64 = 6 * 3_600;
/// 2026-03-03T00:00:00Z, the midnight of scenario E.
const MIDNIGHT_MS: i64 = 1_772_496_000_000;

#[derive(Debug)]
pub(super) enum Happening {
    Publish {
        account: usize,
        effect: usize,
    },
    /// An input for the owner of this life.
    Tell {
        account: usize,
        life: u64,
        input: Input,
    },
    /// A worker takes in the next input.
    Work {
        worker: usize,
    },
    Wake {
        account: usize,
        life: u64,
    },
    PullEnds {
        account: usize,
        life: u64,
        lane: Lane,
        pull: u64,
    },
    Arrive {
        account: usize,
        life: u64,
        request: RequestId,
        body: Vec<u8>,
        deadline_us: u64,
    },
    Apply {
        account: usize,
        life: u64,
        output: Output,
    },
    Start {
        account: usize,
        worker: usize,
    },
    Kill {
        account: usize,
    },
    HandOn {
        account: usize,
    },
    /// A worker looks at leases and heartbeats.
    Look {
        worker: usize,
    },
    Join {
        worker: usize,
    },
    Leave {
        worker: usize,
        killed: bool,
    },
    LeaseEnds {
        account: usize,
        life: u64,
    },
    HeartbeatEnds {
        worker: usize,
    },
    Foreign {
        account: usize,
        step: foreign::Step,
    },
}

/// An account's dispatcher in its worker.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) dispatcher: Dispatcher,
    pub(super) worker: usize,
    wake_at_us: Option<u64>,
    pub(super) pulls: [u64; 2],
    pub(super) stopping: bool,
}

#[derive(Debug)]
pub(super) struct Account {
    pub(super) door: Door,
    pub(super) broker: Broker,
    pub(super) run: Option<Run>,
    /// Counts owners; what belongs to an earlier one is recognised by it.
    pub(super) life: u64,
    /// The last owner ended in order: what it had given to the broker arrives.
    pub(super) in_order: bool,
    pub(super) delivered_us: [u64; 2],
    pub(super) ownerless_since_us: Option<u64>,
    pub(super) ownerless_us_max: u64,
    /// Worker that holds the lease.
    pub(super) lease: Option<usize>,
    pub(super) settled: bool,
    pub(super) foreign: foreign::Process,
    inbox: VecDeque<Input>,
}

#[derive(Debug)]
pub(super) struct Worker {
    ready: VecDeque<usize>,
    busy_until_us: u64,
    scheduled: bool,
    /// Its ticks count from somewhere else, and turn at another instant.
    base_ms: u64,
    phase_us: u64,
    clock_error_ms: i64,
    pub(super) alive: bool,
    pub(super) leaving: bool,
    /// Whether the others see its heartbeat.
    pub(super) seen: bool,
    pub(super) ownership: Ownership,
}

pub(super) struct World<'a> {
    pub(super) scenario: &'a Scenario,
    strategy: Strategy,
    pub(super) works: &'a [Work],
    start_ms: i64,
    pub(super) now_us: u64,
    order: u64,
    queue: BTreeMap<(u64, u64), Happening>,
    pub(super) accounts: Vec<Account>,
    pub(super) workers: Vec<Worker>,
    pub(super) rng: Seed,
    vendor: Arc<dyn Vendor>,
    judged: Range<usize>,
    /// Judged accounts that are not settled.
    open: usize,
}

/// Broker time at the beginning of every run: two hours before a midnight.
pub(super) const fn start_ms() -> i64 {
    MIDNIGHT_MS - (DAY_ENDS_S * 1_000) as i64
}

/// Runs the work under a strategy that the dispatcher drives.
pub(super) fn run(
    scenario: &Scenario,
    strategy: Strategy,
    works: &[Work],
    doors: Vec<Door>,
    judged: Range<usize>,
    seed: u64,
) -> Result<Vec<Account>, Error> {
    let (workers, clock_error_ms) = match scenario.owners {
        Owners::One | Owners::Killed { .. } => (1, 0),
        Owners::HandedOn {
            workers,
            clock_error_ms,
            ..
        } => (workers, clock_error_ms),
        Owners::Fleet { .. } => (4, 0),
    };
    let mut rng = Seed::new(seed ^ 0x7031_3a11);
    let mut world = World {
        scenario,
        strategy,
        works,
        start_ms: start_ms(),
        now_us: 0,
        order: 0,
        queue: BTreeMap::new(),
        accounts: doors
            .into_iter()
            .map(|door| Account::new(door, scenario))
            .collect(),
        workers: (0..workers)
            .map(|number| Worker::new(number, clock_error_ms, &mut rng))
            .collect(),
        rng,
        vendor: Arc::new(GateVendor {
            batch_max: scenario.batch_max,
        }),
        open: judged.len(),
        judged,
    };
    world.begin();
    while world.open > 0
        && let Some(((at_us, _), happening)) = world.queue.pop_first()
    {
        if at_us > CUT_OFF_S * SECOND_US {
            break;
        }
        world.now_us = at_us;
        world.happen(happening)?;
    }
    Ok(world.accounts)
}

impl Account {
    fn new(door: Door, scenario: &Scenario) -> Self {
        let mut broker = Broker::default();
        if scenario.door.day_used > 0 {
            // What was sent earlier today stands in the journal, as a predecessor leaves it.
            broker.journal = Some(JournalRecord {
                schema: SCHEMA,
                days: [("2026-03-02".to_owned(), scenario.door.day_used)].into(),
                ..JournalRecord::default()
            });
        }
        Self {
            door,
            broker,
            run: None,
            life: 0,
            in_order: true,
            delivered_us: [0; 2],
            ownerless_since_us: None,
            ownerless_us_max: 0,
            lease: None,
            settled: false,
            foreign: foreign::Process::default(),
            inbox: VecDeque::new(),
        }
    }
}

impl Worker {
    fn new(number: usize, clock_error_ms: u64, rng: &mut Seed) -> Self {
        let error = rng.below(2 * clock_error_ms + 1) as i64 - clock_error_ms as i64;
        Self {
            ready: VecDeque::new(),
            busy_until_us: 0,
            scheduled: false,
            base_ms: (number as u64 + 1) * 77_777,
            phase_us: rng.below(MS_US),
            clock_error_ms: error,
            alive: false,
            leaving: false,
            seen: false,
            ownership: Ownership::new(format!("w{number}")),
        }
    }
}

impl World<'_> {
    fn begin(&mut self) {
        for (account, work) in self.works.iter().enumerate() {
            for (effect, planned) in work.planned.iter().enumerate() {
                if planned.at_us == 0 {
                    self.accounts[account].broker.publish(planned.lane, effect);
                } else {
                    self.at(planned.at_us, Happening::Publish { account, effect });
                }
            }
        }
        self.begin_foreign();
        if let Owners::Fleet { grow_s, shrink_s } = self.scenario.owners {
            self.begin_fleet(grow_s * SECOND_US, shrink_s * SECOND_US);
            return;
        }
        for account in 0..self.accounts.len() {
            self.at(0, Happening::Start { account, worker: 0 });
            match self.scenario.owners {
                Owners::Killed { every_s } => {
                    self.at(every_s * SECOND_US, Happening::Kill { account });
                }
                Owners::HandedOn { every_s, .. } => {
                    self.at(every_s * SECOND_US, Happening::HandOn { account });
                }
                Owners::One | Owners::Fleet { .. } => {}
            }
        }
    }

    pub(super) fn at(&mut self, at_us: u64, happening: Happening) {
        self.order += 1;
        self.queue.insert((at_us, self.order), happening);
    }

    pub(super) fn worker_now(&self, worker: usize) -> Now {
        let (base_ms, phase_us, error_ms) = self
            .workers
            .get(worker)
            .map_or((0, 0, 0), |w| (w.base_ms, w.phase_us, w.clock_error_ms));
        let ms = (self.now_us + phase_us) / MS_US;
        let epoch_ms = self.start_ms + (self.now_us / MS_US) as i64 + error_ms;
        Now {
            tick: Tick(base_ms + ms),
            broker: BrokerTime(epoch_ms),
            wall: WallTime(epoch_ms),
        }
    }

    fn happen(&mut self, happening: Happening) -> Result<(), Error> {
        match happening {
            Happening::Publish { account, effect } => {
                if let Some(planned) = self.works[account].planned.get(effect) {
                    let lane = planned.lane;
                    self.accounts[account].broker.publish(lane, effect);
                    self.deliver(account, lane);
                }
            }
            Happening::Tell {
                account,
                life,
                input,
            } => {
                if self.accounts[account].life == life {
                    self.tell(account, input);
                }
            }
            Happening::Work { worker } => self.work(worker),
            Happening::Wake { account, life } => self.woken(account, life),
            Happening::PullEnds {
                account,
                life,
                lane,
                pull,
            } => {
                let this = &mut self.accounts[account];
                let stands = this.life == life
                    && this
                        .run
                        .as_ref()
                        .is_some_and(|run| run.pulls[lane as usize] == pull);
                if stands && this.broker.end_pull(lane) {
                    self.tell(account, Input::PullEnded(lane));
                }
            }
            Happening::Arrive {
                account,
                life,
                request,
                body,
                deadline_us,
            } => self.arrive(account, life, request, &body, deadline_us),
            Happening::Apply {
                account,
                life,
                output,
            } => self.apply(account, life, output),
            Happening::Start { account, worker } => self.start(account, worker)?,
            Happening::Kill { account } => self.kill_and_succeed(account),
            Happening::HandOn { account } => self.hand_on(account),
            Happening::Look { worker } => self.look(worker),
            Happening::Join { worker } => self.join(worker),
            Happening::Leave { worker, killed } => self.leave(worker, killed),
            Happening::Foreign { account, step } => self.foreign(account, step),
            Happening::LeaseEnds { account, life } => {
                if self.accounts[account].life == life {
                    self.accounts[account].lease = None;
                }
            }
            Happening::HeartbeatEnds { worker } => {
                if let Some(worker) = self.workers.get_mut(worker) {
                    worker.seen = false;
                }
            }
        }
        Ok(())
    }

    /// Everything of an account is acknowledged.
    pub(super) fn settled(&mut self, account: usize) {
        let this = &mut self.accounts[account];
        if !this.settled {
            this.settled = true;
            if self.judged.contains(&account) {
                self.open -= 1;
            }
        }
    }

    fn start(&mut self, account: usize, worker: usize) -> Result<(), Error> {
        let leaving = |worker: &Worker| !worker.alive || worker.leaving;
        if matches!(self.scenario.owners, Owners::Fleet { .. }) && leaving(&self.workers[worker]) {
            self.accounts[account].lease = None;
            return Ok(());
        }
        let now = self.worker_now(worker);
        let mut config = AccountConfig::new(
            "gate",
            SecretRef::Env("CALLFLUME_TOURNAMENT_TOKEN".to_owned()),
            "tournament",
        );
        config.share_percent = 100;
        let this = &mut self.accounts[account];
        this.life += 1;
        this.inbox.clear();
        this.in_order = false;
        if let Some(since_us) = this.ownerless_since_us.take() {
            this.ownerless_us_max = this.ownerless_us_max.max(self.now_us - since_us);
        }
        let setup = Setup {
            account: self.works[account].account.clone(),
            config,
            vendor: Arc::clone(&self.vendor),
            windows: windows(self.scenario.door.day_limit),
            bounds: Bounds::default(),
            seed: self.rng.below(u64::MAX),
            floors: this.broker.floors,
            journal: this.broker.journal.clone(),
            reference: None,
            bulk: None,
        };
        for lane in Lane::ALL {
            this.broker.reset(lane, setup.floors[lane as usize]);
        }
        let dispatcher = match self.strategy.limiter(now.tick) {
            Some(limiter) => Dispatcher::with_limiter(setup, limiter, now),
            None => Dispatcher::new(setup, now),
        }?;
        this.run = Some(Run {
            dispatcher,
            worker,
            wake_at_us: None,
            pulls: [0; 2],
            stopping: false,
        });
        self.drain_outputs(account);
        Ok(())
    }

    /// The owner is gone: what it had in memory is, too.
    pub(super) fn kill(&mut self, account: usize) {
        let this = &mut self.accounts[account];
        if this.run.take().is_none() {
            return;
        }
        this.inbox.clear();
        this.in_order = false;
        this.ownerless_since_us.get_or_insert(self.now_us);
        for lane in Lane::ALL {
            this.broker.end_pull(lane);
        }
    }

    fn kill_and_succeed(&mut self, account: usize) {
        self.kill(account);
        self.at(
            self.now_us + LEASE_S * SECOND_US,
            Happening::Start { account, worker: 0 },
        );
        if let Owners::Killed { every_s } = self.scenario.owners {
            self.at(
                self.now_us + every_s * SECOND_US,
                Happening::Kill { account },
            );
        }
    }

    fn hand_on(&mut self, account: usize) {
        self.stop(account);
        if let Owners::HandedOn { every_s, .. } = self.scenario.owners {
            self.at(
                self.now_us + every_s * SECOND_US,
                Happening::HandOn { account },
            );
        }
    }

    /// Asks the owner to end in order.
    pub(super) fn stop(&mut self, account: usize) {
        let this = &mut self.accounts[account];
        if let Some(run) = this.run.as_mut().filter(|run| !run.stopping) {
            run.stopping = true;
            this.ownerless_since_us.get_or_insert(self.now_us);
            self.tell(account, Input::Stop);
        }
    }

    /// Gives the owner of an account an input: at once, or when its worker gets round to it.
    pub(super) fn tell(&mut self, account: usize, input: Input) {
        let this = &mut self.accounts[account];
        let Some(number) = this.run.as_ref().map(|run| run.worker) else {
            return;
        };
        let worker = &mut self.workers[number];
        if !worker.scheduled && worker.busy_until_us <= self.now_us && worker.ready.is_empty() {
            self.handle(account, input);
            return;
        }
        this.inbox.push_back(input);
        if this.inbox.len() == 1 {
            worker.ready.push_back(account);
        }
        if !worker.scheduled {
            worker.scheduled = true;
            let at_us = worker.busy_until_us.max(self.now_us);
            self.at(at_us, Happening::Work { worker: number });
        }
    }

    fn work(&mut self, number: usize) {
        self.workers[number].scheduled = false;
        while let Some(account) = self.workers[number].ready.pop_front() {
            let this = &mut self.accounts[account];
            let Some(input) = this.inbox.pop_front() else {
                continue;
            };
            if !this.inbox.is_empty() {
                self.workers[number].ready.push_back(account);
            }
            self.handle(account, input);
            break;
        }
        let worker = &mut self.workers[number];
        if !worker.ready.is_empty() && !worker.scheduled {
            worker.scheduled = true;
            let at_us = worker.busy_until_us;
            self.at(at_us, Happening::Work { worker: number });
        }
    }

    fn handle(&mut self, account: usize, input: Input) {
        let Some(worker) = self.accounts[account].run.as_ref().map(|run| run.worker) else {
            return;
        };
        let now = self.worker_now(worker);
        self.workers[worker].busy_until_us = self.now_us + HANDLE_US;
        if let Some(run) = &mut self.accounts[account].run {
            run.dispatcher.handle(now, input);
        }
        self.drain_outputs(account);
    }

    fn drain_outputs(&mut self, account: usize) {
        while let Some(output) = self.accounts[account]
            .run
            .as_mut()
            .and_then(|run| run.dispatcher.poll())
        {
            self.carry_out(account, output);
        }
        let Some(run) = &self.accounts[account].run else {
            return;
        };
        let worker = &self.workers[run.worker];
        let wake_us = run.dispatcher.wake().map(|tick| {
            let at_us =
                (tick.0.saturating_sub(worker.base_ms) * MS_US).saturating_sub(worker.phase_us);
            at_us.max(self.now_us + 1)
        });
        let sooner = |at_us: &u64| {
            run.wake_at_us
                .is_none_or(|planned| planned <= self.now_us || *at_us < planned)
        };
        if let Some(at_us) = wake_us.filter(sooner) {
            let life = self.accounts[account].life;
            if let Some(run) = &mut self.accounts[account].run {
                run.wake_at_us = Some(at_us);
            }
            self.at(at_us, Happening::Wake { account, life });
        }
    }

    fn woken(&mut self, account: usize, life: u64) {
        let now_us = self.now_us;
        let this = &mut self.accounts[account];
        if this.life == life
            && let Some(run) = this
                .run
                .as_mut()
                .filter(|run| run.wake_at_us == Some(now_us))
        {
            run.wake_at_us = None;
            self.tell(account, Input::Wake);
        }
    }
}
