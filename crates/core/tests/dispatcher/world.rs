//! The world around a dispatcher in virtual time: broker, stores, network, CRM, clocks.
//!
//! A world outlives its dispatchers: [`World::crash`] drops one, [`World::take_over`] starts its successor from what
//! the stores hold. What is under way when it crashes still arrives, unless the network loses it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use callflume_core::account::AccountId;
use callflume_core::codes::Code;
use callflume_core::config::AccountConfig;
use callflume_core::dispatcher::{
    Bounds, DeadLetter, Delivery, Dispatcher, Input, Output, RequestId, Setup,
};
use callflume_core::event::{ContentType, Event, encode};
use callflume_core::lane::Lane;
use callflume_core::lookup::UnreadNumbers;
use callflume_core::quota::Advice;
use callflume_core::record::{BulkRecord, ContactRecord, JournalRecord, LedgerRecord};
use callflume_core::reference::ReferenceRecord;
use callflume_core::time::{BrokerTime, Now, Tick, WallTime};
use callflume_core::vendor::{Interpretation, Operation, WindowSpec};

use crate::crm::{Crm, FakeVendor, OwnAsk, SharedVendor, windows};
use crate::directory::Contents;
use crate::others::{Act, Others};

/// 2026-11-25T12:00:00Z, where every world starts.
pub(crate) const START_MS: i64 = 1_795_608_000_000;

/// What befalls a request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fate {
    /// Executed and answered.
    Served,
    /// Lost on the way there.
    LostBefore,
    /// Executed, the answer is lost.
    LostAfter,
    /// Executed, answered as if it had failed.
    Failed,
    /// Not executed, answered with this.
    Answered(Interpretation),
    /// Never sent.
    NotSent,
    /// Not executed for its credential's sake: whether it left, and the trouble if it isn't being renewed.
    Unauthorized(bool, Option<Code>),
    /// Executed and answered after this many milliseconds more.
    Slow(u64),
    /// Several operations in one request are refused as such; one alone is served.
    NotTogether,
}

type BulkFates = Box<dyn FnMut(&OwnAsk) -> Fate>;
type Fates = Box<dyn FnMut(u64, &Operation) -> Fate>;

#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) kind: String,
    pub(crate) id: String,
    pub(crate) payload: Vec<u8>,
}

#[derive(Debug, Default)]
pub(crate) struct Consumer {
    /// Next stream sequence to deliver.
    pub(crate) cursor: u64,
    pub(crate) delivered: u64,
    /// What the pull that stands may still bring, and its number.
    pub(crate) pull: Option<(usize, usize, u64)>,
    pub(crate) resets: u64,
}

pub(crate) enum Due {
    /// For the dispatcher of this generation.
    Input(Input),
    /// For it too, unless the consumer has been reset since.
    Deliver(u64, Delivery),
    PullEnds(Lane, u64),
    Arrive(RequestId, Vec<Operation>, Fate),
    /// A page of reference data is asked for.
    Reference(RequestId, String),
    ArriveBulk(RequestId, OwnAsk, Fate),
    Store(Output),
    Resync(Lane, u64),
    /// Of a foreign process: whoever owns the account then.
    Foreign(Act),
}

pub(crate) struct World {
    pub(crate) now_ms: u64,
    /// What the clocks show beyond the true time: broker, calendar.
    pub(crate) clock_error_ms: (i64, i64),
    pub(crate) setup: Setup,
    pub(crate) dispatcher: Option<Dispatcher>,
    pub(crate) generation: u64,
    /// The process of this generation started then: its ticks count from there.
    started_ms: u64,
    pub(crate) vendor: SharedVendor,
    pub(crate) crm: Crm,
    pub(crate) fates: Fates,
    pub(crate) bulk_fates: BulkFates,
    pub(crate) windows: Vec<WindowSpec>,
    pub(crate) arrivals: BTreeMap<usize, Vec<u64>>,
    pub(crate) due: BTreeMap<(u64, u64), (u64, Due)>,
    pub(crate) next: u64,
    pub(crate) streams: [Vec<Message>; 2],
    pub(crate) consumers: [Consumer; 2],
    /// Deliveries (lane, stream sequence) that get lost on the way once.
    pub(crate) lose_deliveries: BTreeSet<(Lane, u64)>,
    pub(crate) ledger: BTreeMap<String, LedgerRecord>,
    pub(crate) contacts: BTreeMap<String, ContactRecord>,
    pub(crate) aliases: BTreeMap<String, String>,
    /// Aliases stored as nobody's, in order.
    pub(crate) absent: Vec<String>,
    /// Readings of all contacts that ended.
    pub(crate) warmed: Vec<(WallTime, Vec<&'static str>, UnreadNumbers)>,
    pub(crate) journal: Option<JournalRecord>,
    pub(crate) reference: Option<ReferenceRecord>,
    pub(crate) directory: Contents,
    pub(crate) bulk: Option<BulkRecord>,
    /// How often a bulk job was stored, or removed.
    pub(crate) bulk_saves: u64,
    pub(crate) floors: [u64; 2],
    pub(crate) acked: [BTreeSet<u64>; 2],
    pub(crate) dead: Vec<DeadLetter>,
    pub(crate) alerts: Vec<Code>,
    /// Codes of alerts that are over.
    pub(crate) over: Vec<Code>,
    pub(crate) advised: Vec<Advice>,
    pub(crate) stopped: bool,
    pub(crate) others: Others,
    /// So many stores fail from now on: refused, or stored without saying so.
    pub(crate) refuse_stores: u32,
    pub(crate) silent_stores: u32,
    /// How much longer than usual storing takes, milliseconds.
    pub(crate) slow_stores_ms: u64,
    /// So many loads and journal writes fail from now on.
    pub(crate) fail_loads: u32,
    pub(crate) fail_journals: u32,
    pub(crate) journal_writes: u64,
    pub(crate) loads: u64,
    /// Outputs carried out, for crash points.
    pub(crate) outputs: usize,
    /// The process is killed once so many are.
    pub(crate) dies_at: Option<usize>,
    /// Second of the last wakes after which there was nothing to do, how many these were, and the most in any second.
    pub(crate) idle_wakes: (u64, u32, u32),
    pub(crate) most_resident: [usize; 2],
}

/// Changes of the minimal configuration, as TOML lines.
pub(crate) fn config(lines: &str) -> AccountConfig {
    let text = format!(
        "crm = \"fake\"\nprofile = \"p\"\ntoken = {{ env = \"T\" }}\nshare_percent = 100\n{lines}\n"
    );
    let config: AccountConfig = toml::from_str(&text).unwrap();
    config.check().unwrap();
    config
}

pub(crate) fn account() -> AccountId {
    "acme".parse().unwrap()
}

impl World {
    pub(crate) fn new(lines: &str, limits: Vec<WindowSpec>) -> Self {
        Self::of(FakeVendor::default(), lines, limits)
    }

    /// A CRM in which nothing is unique.
    pub(crate) fn class_b() -> Self {
        let mut world = Self::of(FakeVendor::class_b(), "", windows(190, 5, 1_000_000));
        world.crm.class_b = true;
        world
    }

    /// A CRM that takes several operations in one request.
    pub(crate) fn bundling() -> Self {
        Self::of(
            FakeVendor::bundling(),
            "op_batch_wait_ms = 300",
            windows(190, 5, 1_000_000),
        )
    }

    pub(crate) fn with_directory(lines: &str) -> Self {
        Self::with_directory_in(lines, windows(190, 5, 1_000_000))
    }

    pub(crate) fn with_directory_in(lines: &str, limits: Vec<WindowSpec>) -> Self {
        Self::of(FakeVendor::naming(), lines, limits)
    }

    /// A CRM that also writes by jobs.
    pub(crate) fn with_bulk() -> Self {
        Self::with_jobs_of(crate::bulk_crm::ROWS_MAX)
    }

    /// The same, with jobs of so many rows.
    pub(crate) fn with_jobs_of(rows_max: usize) -> Self {
        let mut vendor = FakeVendor::with_bulk();
        vendor.rows_max = rows_max;
        Self::of(vendor, "", windows(190, 5, 1_000_000))
    }

    pub(crate) fn of(vendor: FakeVendor, lines: &str, limits: Vec<WindowSpec>) -> Self {
        let vendor: SharedVendor = Arc::new(vendor);
        let setup = Setup {
            account: account(),
            config: config(lines),
            vendor: vendor.clone(),
            windows: limits.clone(),
            bounds: Bounds::default(),
            seed: 7,
            floors: [0, 0],
            journal: None,
            reference: None,
            bulk: None,
        };
        let mut world = Self {
            now_ms: 0,
            clock_error_ms: (0, 0),
            setup,
            dispatcher: None,
            generation: 0,
            started_ms: 0,
            vendor,
            crm: Crm::default(),
            fates: Box::new(|_, _| Fate::Served),
            bulk_fates: Box::new(|_| Fate::Served),
            windows: limits,
            arrivals: BTreeMap::new(),
            due: BTreeMap::new(),
            next: 0,
            streams: [Vec::new(), Vec::new()],
            consumers: [Consumer::default(), Consumer::default()],
            lose_deliveries: BTreeSet::new(),
            ledger: BTreeMap::new(),
            contacts: BTreeMap::new(),
            aliases: BTreeMap::new(),
            absent: Vec::new(),
            warmed: Vec::new(),
            journal: None,
            reference: None,
            directory: Contents::default(),
            bulk: None,
            bulk_saves: 0,
            floors: [0, 0],
            acked: [BTreeSet::new(), BTreeSet::new()],
            dead: Vec::new(),
            alerts: Vec::new(),
            over: Vec::new(),
            advised: Vec::new(),
            stopped: false,
            others: Others::default(),
            refuse_stores: 0,
            silent_stores: 0,
            slow_stores_ms: 0,
            fail_loads: 0,
            fail_journals: 0,
            journal_writes: 0,
            loads: 0,
            outputs: 0,
            dies_at: None,
            idle_wakes: (0, 0, 0),
            most_resident: [0, 0],
        };
        world.take_over();
        world
    }

    /// 190 requests in 10 s, 5 searches a second, no day to speak of.
    pub(crate) fn usual() -> Self {
        Self::new("", windows(190, 5, 1_000_000))
    }

    pub(crate) fn now(&self) -> Now {
        let at = |error: i64| START_MS + self.now_ms as i64 + error;
        Now {
            tick: Tick(self.now_ms - self.started_ms),
            broker: BrokerTime(at(self.clock_error_ms.0)),
            wall: WallTime(at(self.clock_error_ms.1)),
        }
    }

    /// A dispatcher from what the stores hold.
    pub(crate) fn take_over(&mut self) {
        self.generation += 1;
        self.dies_at = None;
        // A process's clock starts at a number of its own.
        self.started_ms = self.now_ms.saturating_sub(self.generation * 1_000);
        for (consumer, floor) in self.consumers.iter_mut().zip(self.floors) {
            consumer.reset(floor);
        }
        let mut setup = self.setup.clone();
        setup.floors = self.floors;
        setup.seed += self.generation;
        setup.journal.clone_from(&self.journal);
        setup.reference.clone_from(&self.reference);
        setup.bulk.clone_from(&self.bulk);
        self.dispatcher = Some(Dispatcher::new(setup, self.now()).unwrap());
        self.drain();
    }

    /// The process is killed; `network_too`: what is under way is lost as well. Foreign processes live on.
    pub(crate) fn crash(&mut self, network_too: bool) {
        self.dispatcher = None;
        if network_too {
            self.due
                .retain(|_, (_, due)| matches!(due, Due::Foreign(_)));
        }
    }

    pub(crate) fn publish(&mut self, lane: Lane, event: &Event) -> u64 {
        self.publish_raw(
            lane,
            Message {
                kind: event.kind.clone(),
                id: event.id.as_str().to_owned(),
                payload: encode(event, ContentType::Json).unwrap(),
            },
        )
    }

    pub(crate) fn publish_raw(&mut self, lane: Lane, message: Message) -> u64 {
        let stream = &mut self.streams[lane as usize];
        stream.push(message);
        let seq = stream.len() as u64;
        self.serve(lane);
        seq
    }

    pub(crate) fn handle(&mut self, input: Input) {
        let now = self.now();
        if let Some(dispatcher) = &mut self.dispatcher {
            dispatcher.handle(now, input);
            self.drain();
        }
    }

    /// Carries out everything the dispatcher wants now.
    fn drain(&mut self) {
        while let Some(output) = self.poll() {
            self.carry_out(output);
        }
    }

    fn poll(&mut self) -> Option<Output> {
        let dispatcher = self.dispatcher.as_mut()?;
        for (most, resident) in self.most_resident.iter_mut().zip(dispatcher.resident()) {
            *most = (*most).max(resident);
        }
        if self.dies_at.is_some_and(|at| self.outputs >= at) {
            self.dispatcher = None;
            return None;
        }
        let output = dispatcher.poll()?;
        self.outputs += 1;
        Some(output)
    }

    /// Lets the next thing happen; `false` when nothing ever will. Not beyond `until_ms`.
    pub(crate) fn step(&mut self, until_ms: u64) -> bool {
        let wake = self
            .dispatcher
            .as_ref()
            .and_then(Dispatcher::wake)
            .map(|tick| (tick.0 + self.started_ms).max(self.now_ms));
        let due = self.due.first_key_value().map(|((at, _), _)| *at);
        let Some(next) = [wake, due].into_iter().flatten().min() else {
            self.now_ms = until_ms;
            return false;
        };
        if next > until_ms {
            self.now_ms = until_ms;
            return false;
        }
        self.now_ms = next.max(self.now_ms);
        if due.is_some_and(|due| due <= self.now_ms) {
            let Some((_, (generation, due))) = self.due.pop_first() else {
                return true;
            };
            self.happen(generation, due);
        } else {
            let outputs = self.outputs;
            self.handle(Input::Wake);
            if self.outputs == outputs {
                self.woke_in_vain();
            }
        }
        true
    }

    fn woke_in_vain(&mut self) {
        let second = self.now_ms / 1_000;
        let (last, count, most) = self.idle_wakes;
        let count = if last == second { count + 1 } else { 1 };
        self.idle_wakes = (second, count, most.max(count));
    }

    pub(crate) fn run_for(&mut self, ms: u64) {
        let until_ms = self.now_ms + ms;
        while self.step(until_ms) {}
    }

    /// Runs until the condition holds; panics when that takes longer than `limit_ms` of virtual time.
    pub(crate) fn run_until(&mut self, limit_ms: u64, done: impl Fn(&Self) -> bool) {
        let until_ms = self.now_ms + limit_ms;
        while !done(self) {
            assert!(
                self.step(until_ms),
                "not within {limit_ms} ms; dead {:?}, acked {:?}, {:?}",
                self.dead,
                self.acked.each_ref().map(BTreeSet::len),
                self.dispatcher.as_ref().map(Dispatcher::counters)
            );
        }
    }

    /// Runs until every message is acknowledged, within an hour.
    pub(crate) fn run_until_settled(&mut self) {
        self.run_until(3_600_000, Self::is_settled);
    }

    pub(crate) fn is_settled(&self) -> bool {
        Lane::ALL
            .into_iter()
            .all(|lane| self.acked[lane as usize].len() == self.streams[lane as usize].len())
    }

    pub(crate) fn at(&mut self, in_ms: u64, due: Due) {
        self.next += 1;
        self.due
            .insert((self.now_ms + in_ms, self.next), (self.generation, due));
    }

    /// Something that only the dispatcher of this generation sees.
    pub(crate) fn of_generation(&mut self, generation: u64, in_ms: u64, due: Due) {
        self.next += 1;
        self.due
            .insert((self.now_ms + in_ms, self.next), (generation, due));
    }

    pub(crate) fn input(&mut self, in_ms: u64, input: Input) {
        self.at(in_ms, Due::Input(input));
    }
}
