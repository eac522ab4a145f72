//! The dispatcher: one state machine per owned account, from deliveries to acknowledgements.
//!
//! A shell calls [`Dispatcher::handle`] with what happened, then [`Dispatcher::poll`] until it answers `None`, then waits for the next
//! input or for [`Dispatcher::wake`], whichever comes first (at a wake it calls `handle` with [`Input::Wake`]).
//!
//! What it decides: how much to pull, what an event writes, which contact is meant, which effects may go now, which
//! share a request, when it leaves, what its answer means, when an event is settled.
//!
//! Invariants:
//! * [`Output::Ack`] follows only after the end of every effect of the event is recorded (ledger or dead letters).
//! * Per contact and lane, events are worked in stream order; one that must wait holds back only its contact.
//! * At most one write per record is in flight; no older field overwrites a newer one.
//! * A throttled answer is never an attempt. An unknown outcome is repeated only in ways that cannot double.
//! * Bounded: [`Bounds`]; everything beyond stays in the broker.
//!
//! | module | subject |
//! | --- | --- |
//! | `io` | inputs and outputs |
//! | `intake` | deliveries, loading, pulling, floors |
//! | `advance` | which effect of a contact may go next |
//! | `contacts` | which CRM record a contact is: look-ups, creation, our key |
//! | `claims` | who resolves a person at the moment |
//! | `writes` | writes of records, and what their answers mean; `deals`: what that says of a contact's open deal |
//! | `origin` | creations that the CRM doesn't make once by itself: what is stored before and after |
//! | `probe` | looking for what such a creation may have left |
//! | `waiting` | updates that wait for their call's record |
//! | `link` | links that expire before they can be written |
//! | `warm` | reading all contacts of the CRM; `warm_deals`: and which deals are open |
//! | `lookup` | contacts that voice services ask for |
//! | `names` | owners, pipelines and stages by name: what waits for them, and their ids |
//! | `pages` | look-ups that take more than one page |
//! | `reference` | reading owners, pipelines and stages |
//! | `pools` | jobs that wait, locks of records |
//! | `send` | jobs to requests, permits |
//! | `bulk` | back-fills by jobs: when one is made; `bulk_steps`: its requests; `bulk_rows`: what becomes of its rows |
//! | `answer` | what an answer means for the account, and whose it is |
//! | `foreign` | permits for processes that are not Callflume; `desk`: what is remembered of them |
//! | `day` | alerts and advice about the day's limit |
//! | `finish` | recording ends, dead letters, acknowledging |

mod advance;
mod answer;
mod bulk;
mod bulk_rows;
mod bulk_steps;
mod claims;
mod contacts;
mod day;
mod deals;
mod desk;
mod finish;
mod foreign;
mod intake;
mod io;
mod link;
mod lookup;
mod names;
mod origin;
mod pages;
mod pools;
mod probe;
mod reference;
mod send;
mod state;
mod waiting;
mod warm;
mod warm_deals;
mod writes;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use self::desk::Desk;
pub use self::io::{
    AskId, Bounds, ContactWrite, Counters, DeadLetter, Delivery, Input, Output, RecordingId,
    RequestId, Setup,
};
pub use self::pages::PAGES_MAX;
use self::state::{Claim, ContactState, Job, JobId, LaneState, Pool, Record, Recording, Sent};
use crate::account::AccountId;
use crate::cache::{CONTACTS_MAX, ContactCache};
use crate::config::{AccountConfig, BadConfig};
use crate::effect::Object;
use crate::lane::Lane;
use crate::plan::Planner;
use crate::quota::{Limiter, Quota, Settings, shared_limit};
use crate::seed::Seed;
use crate::time::{Now, Tick, WallTime};
use crate::vendor::{Vendor, Verb, WindowSpec};

/// The state machine; see the module's page.
pub struct Dispatcher {
    account: AccountId,
    config: AccountConfig,
    vendor: Arc<dyn Vendor>,
    published: Vec<WindowSpec>,
    planner: Planner,
    limiter: Box<dyn Limiter>,
    desk: Desk,
    bounds: Bounds,
    seed: Seed,
    lanes: [LaneState; 2],
    contacts: BTreeMap<String, ContactState>,
    cache: ContactCache,
    jobs: BTreeMap<JobId, Job>,
    pools: BTreeMap<(Verb, Object), Pool>,
    delayed: BTreeSet<(Tick, JobId)>,
    /// Records being written, with the contacts that wait for them.
    locks: BTreeMap<Record, BTreeSet<String>>,
    /// Names of persons who are being resolved.
    claims: BTreeMap<String, Claim>,
    /// Records that updates wait for, with the contacts to look at when one appears.
    awaited: BTreeMap<Record, BTreeSet<String>>,
    /// The same, by when they are looked at in any case.
    parked: BTreeSet<(Tick, String, Record)>,
    /// Contacts to look at before this input is done.
    changed: BTreeSet<String>,
    requests: BTreeMap<RequestId, Sent>,
    recordings: BTreeMap<RecordingId, Recording>,
    /// Recordings that failed, by when they are tried again.
    rerecords: BTreeSet<(Tick, RecordingId)>,
    /// Events of which nothing could be read, by when that is tried again.
    reloads: BTreeSet<(Tick, Lane, u64)>,
    /// Effects that ended lately, so that a second copy of an event in memory isn't written again.
    recent: state::Recent<String>,
    /// Records known to exist in the CRM, so that a correction goes straight to an update.
    existing: state::Recent<Record>,
    /// Contacts on which our key is being put, or could not be.
    stamped: state::Recent<String>,
    /// Contacts in memory of which only the CRM was asked: events still ask the bucket.
    glimpsed: state::Recent<String>,
    /// Ids of records lately written, for a CRM that updates by id only.
    ids: state::Memory<Record, String>,
    /// Records whose creation may have been carried out, for a CRM that doesn't make them once by itself.
    begun: state::Memory<Record, state::Begun>,
    /// The same of contacts, by alias.
    begun_contacts: state::Memory<String, state::Begun>,
    /// Jobs with a link, by when it expires.
    links: BTreeSet<(WallTime, JobId)>,
    /// Persons whom voice services asked for.
    wanted: lookup::Wanted,
    /// The reading of all contacts that is under way.
    warming: warm::Warming,
    /// Owners, pipelines and stages.
    reference: reference::Reference,
    /// The bulk job that is under way.
    bulk: bulk::Desk,
    next_id: u64,
    in_flight: [usize; 2],
    failing: u32,
    trouble: u32,
    answers_ok: u64,
    wake: Option<Tick>,
    wall: WallTime,
    outputs: VecDeque<Output>,
    counters: Counters,
    stopping: bool,
    /// Unused permits are given back.
    closed: bool,
    stopped: bool,
}

impl std::fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dispatcher")
            .field("account", &self.account)
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

impl Dispatcher {
    /// A dispatcher that continues where its predecessor stopped.
    pub fn new(setup: Setup, now: Now) -> Result<Self, BadConfig> {
        let windows = effective_windows(&setup.config, &setup.windows)?;
        let quota = Quota::new(
            Settings {
                windows,
                share_percent: setup.config.share_percent,
                reserve: setup.config.reserve_permits,
                floor_op_percent: setup.config.daily_floor_op_percent,
                request_timeout_ms: setup.config.request_timeout_ms,
                time_zone: setup.config.time_zone.clone(),
            },
            now,
            setup.journal.as_ref(),
        );
        Self::with_limiter(setup, Box::new(quota), now)
    }

    /// The same with something else in the place of the quota engine: what limits and journal of `setup` say is then
    /// the limiter's business.
    pub fn with_limiter(
        setup: Setup,
        limiter: Box<dyn Limiter>,
        now: Now,
    ) -> Result<Self, BadConfig> {
        let planner = Planner::new(&setup.config)?;
        let windows = effective_windows(&setup.config, &setup.windows)?;
        let desk = Desk::new(&setup.account, windows, setup.seed);
        let mut dispatcher = Self {
            account: setup.account,
            config: setup.config,
            vendor: setup.vendor,
            published: setup.windows,
            planner,
            limiter,
            desk,
            bounds: setup.bounds,
            seed: Seed::new(setup.seed),
            lanes: setup.floors.map(LaneState::new),
            contacts: BTreeMap::new(),
            cache: ContactCache::default(),
            jobs: BTreeMap::new(),
            pools: BTreeMap::new(),
            delayed: BTreeSet::new(),
            locks: BTreeMap::new(),
            claims: BTreeMap::new(),
            awaited: BTreeMap::new(),
            parked: BTreeSet::new(),
            changed: BTreeSet::new(),
            requests: BTreeMap::new(),
            recordings: BTreeMap::new(),
            rerecords: BTreeSet::new(),
            reloads: BTreeSet::new(),
            recent: state::Recent::bounded(8_192),
            existing: state::Recent::bounded(8_192),
            stamped: state::Recent::bounded(8_192),
            glimpsed: state::Recent::bounded(CONTACTS_MAX),
            ids: state::Memory::bounded(8_192),
            begun: state::Memory::bounded(8_192),
            begun_contacts: state::Memory::bounded(8_192),
            links: BTreeSet::new(),
            wanted: lookup::Wanted::default(),
            warming: warm::Warming::default(),
            reference: reference::Reference::known(setup.reference),
            bulk: bulk::Desk::default(),
            next_id: 0,
            in_flight: [0; 2],
            failing: 0,
            trouble: 0,
            answers_ok: 0,
            wake: None,
            wall: now.wall,
            outputs: VecDeque::new(),
            counters: Counters::default(),
            stopping: false,
            closed: false,
            stopped: false,
        };
        if let Some(record) = setup.bulk {
            dispatcher.inherit_bulk(now, record);
        }
        dispatcher.settle_down(now);
        Ok(dispatcher)
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Now, input: Input) {
        self.wall = now.wall;
        match input {
            Input::Wake => {}
            Input::Delivered(delivery) => self.delivered(now, delivery),
            Input::PullEnded(lane) => self.lane(lane).pulling = false,
            Input::Resynced(lane) => self.resynced(lane),
            Input::Reconnected => Lane::ALL.into_iter().for_each(|lane| self.resync(lane)),
            Input::Loaded {
                lane,
                seq,
                ledger,
                contact,
            } => self.loaded(now, lane, seq, &ledger, contact),
            Input::LoadFailed { lane, seq } => self.load_failed(now, lane, seq),
            Input::Answered { request, answer } => self.answered(now, request, &answer),
            Input::Unauthorized {
                request,
                left,
                trouble,
            } => self.unauthorized(now, request, left, trouble),
            Input::Recorded { id, stored } => self.recorded(now, id, stored),
            Input::Journaled { stored } => self.limiter.journaled(now, stored),
            Input::PermitAsked { ask, wish } => self.permit_asked(now, ask, &wish),
            Input::PermitSettled(settle) => self.permit_settled(now, settle),
            Input::Warm => {
                self.warm(now);
                self.warm_reference(now);
            }
            Input::ReadReference => self.read_reference(now, Lane::En),
            Input::Wanted(person) => self.want(now, &person),
            Input::Resume => {
                self.failing = 0;
                self.trouble = 0;
                self.limiter.resume();
            }
            Input::Stop => self.stopping = true,
        }
        self.settle_down(now);
    }

    /// The next thing to do; `None` until the next input.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call `handle(now, Input::Wake)` if nothing else happens before.
    pub const fn wake(&self) -> Option<Tick> {
        self.wake
    }

    /// What has been counted so far.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Events in memory, per lane.
    pub fn resident(&self) -> [usize; 2] {
        [self.lanes[0].events.len(), self.lanes[1].events.len()]
    }

    /// Window name, used and allowed.
    pub fn usage(&mut self, now: Now) -> Vec<(&'static str, u32, u32)> {
        self.limiter.usage(now)
    }

    /// Replaces the configuration; a value that can't be used leaves the old one in force. Limits and zone apply from
    /// the next takeover, everything else at once.
    pub fn configure(&mut self, config: AccountConfig) -> Result<(), BadConfig> {
        effective_windows(&config, &self.published)?;
        self.planner = Planner::new(&config)?;
        self.config = config;
        Ok(())
    }

    /// Everything that follows from a change: due timers, requests, pulls, floors, the next wake.
    fn settle_down(&mut self, now: Now) {
        self.wake = None;
        self.retry_due(now);
        self.drop_expired_links();
        self.settle_bulk(now);
        self.advance_changed(now);
        self.form_bulk(now);
        self.expire_foreign(now);
        self.pump(now);
        self.answer_waiting(now);
        self.watch_day(now);
        self.demand(now);
        self.save_floors(now);
        if self.stopping && self.requests.is_empty() && !self.closed {
            self.closed = true;
            self.limiter.close(now);
        }
        if let Some(wake) = self.limiter.journal_wake() {
            if wake <= now.tick
                && let Some(record) = self.limiter.journal_due(now, None)
            {
                self.outputs.push_back(Output::WriteJournal(record));
            }
            if let Some(wake) = self.limiter.journal_wake() {
                self.wake_at(wake.max(now.tick.plus_ms(1)));
            }
        }
        self.finish_stop();
    }

    fn wake_at(&mut self, at: Tick) {
        self.wake = Some(self.wake.map_or(at, |other| other.min(at)));
    }

    const fn next_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    const fn lane(&mut self, lane: Lane) -> &mut LaneState {
        match lane {
            Lane::Op => &mut self.lanes[0],
            Lane::En => &mut self.lanes[1],
        }
    }

    /// The event time of an event in memory.
    fn event_at(&mut self, lane: Lane, seq: u64) -> WallTime {
        self.lane(lane)
            .events
            .get(&seq)
            .and_then(|state| state.event.as_ref())
            .map_or(WallTime(0), |event| event.at)
    }
}

/// The limits an account really works with: the profile's or its own, times its share.
pub fn effective_windows(
    config: &AccountConfig,
    published: &[WindowSpec],
) -> Result<Vec<WindowSpec>, BadConfig> {
    if let Some(unknown) = config
        .limits
        .keys()
        .find(|name| !published.iter().any(|window| window.name == *name))
    {
        let known: Vec<&str> = published.iter().map(|window| window.name).collect();
        return Err(BadConfig::new(
            format!("limits.{unknown}"),
            format!("no such window; this CRM has {}", known.join(", ")),
        ));
    }
    Ok(published
        .iter()
        .map(|window| WindowSpec {
            limit: shared_limit(
                config
                    .limits
                    .get(window.name)
                    .copied()
                    .unwrap_or(window.limit),
                config.share_percent,
            ),
            ..window.clone()
        })
        .collect())
}
