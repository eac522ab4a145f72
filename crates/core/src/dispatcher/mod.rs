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
//! | `intake` | deliveries, loading, pulling, floors |
//! | `advance` | which effect of a contact may go next, and as what job |
//! | `send` | jobs to requests, permits |
//! | `answer` | answers to outcomes of jobs |
//! | `finish` | recording ends, dead letters, acknowledging |

mod advance;
mod answer;
mod finish;
mod intake;
mod send;
mod state;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use self::state::{ContactState, Job, JobId, LaneState, Pool, Recording, Sent};
use crate::account::AccountId;
use crate::cache::ContactCache;
use crate::codes::Code;
use crate::config::{AccountConfig, BadConfig};
use crate::effect::Object;
use crate::lane::Lane;
use crate::plan::Planner;
use crate::quota::{Quota, Settings, shared_limit};
use crate::record::{ContactRecord, JournalRecord, LedgerRecord};
use crate::seed::Seed;
use crate::time::{Now, Tick, WallTime};
use crate::vendor::{Answer, HttpRequest, Vendor, Verb, WindowSpec};

/// Bounds of one account's memory, per lane.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Events pulled and not yet settled.
    pub events_max: usize,
    /// Their bytes, as delivered.
    pub bytes_max: usize,
}

impl Default for Bounds {
    /// Six full batches, or 8 MiB: more would only wait here instead of in the broker.
    fn default() -> Self {
        Self {
            events_max: 600,
            bytes_max: 8 << 20,
        }
    }
}

/// Names a recording or dead letter in the air.
pub type RecordingId = u64;
/// Names a request in flight.
pub type RequestId = u64;

/// A message of an account's consumer.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The lane it came on.
    pub lane: Lane,
    /// Its sequence in the stream: names the event from here on.
    pub seq: u64,
    /// The consumer's own delivery sequence: a gap means that a delivery was lost on the way.
    pub consumer_seq: u64,
    /// Kind token of the subject.
    pub kind: String,
    /// `Nats-Msg-Id`.
    pub msg_id: Option<String>,
    /// Whether `Content-Type` says JSON.
    pub content_type: crate::event::ContentType,
    /// The body.
    pub payload: Vec<u8>,
}

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// Nothing but time.
    Wake,
    /// A message arrived.
    Delivered(Delivery),
    /// A pull ended (full, expired or failed).
    PullEnded(Lane),
    /// The consumer stands at the floor again; everything unsettled comes again.
    Resynced(Lane),
    /// The connection to the broker was lost and is back: deliveries may be missing.
    Reconnected,
    /// What ledger and contact bucket say about an event.
    Loaded {
        /// The event.
        lane: Lane,
        /// The event.
        seq: u64,
        /// In the order asked for.
        ledger: Vec<Option<LedgerRecord>>,
        /// The contact, if the bucket knows it.
        contact: Option<ContactRecord>,
    },
    /// Ledger or contact bucket could not be read; it is asked for again.
    LoadFailed {
        /// The event.
        lane: Lane,
        /// The event.
        seq: u64,
    },
    /// A request ended.
    Answered {
        /// Which.
        request: RequestId,
        /// How.
        answer: Answer,
    },
    /// A recording or dead letter was written, or not (then it is tried again).
    Recorded {
        /// Which.
        id: RecordingId,
        /// Whether it is surely stored.
        stored: bool,
    },
    /// The journal was written, or not.
    Journaled {
        /// Whether it is surely stored.
        stored: bool,
    },
    /// Read the CRM's contacts into the cache.
    Warm,
    /// The operator says that the account's trouble is over.
    Resume,
    /// Finish what is under way, start nothing, then [`Output::Stopped`].
    Stop,
}

/// What to do.
#[derive(Debug, Clone)]
pub enum Output {
    /// Pull up to this many messages and bytes; end with [`Input::PullEnded`].
    Pull {
        /// From the consumer of this lane.
        lane: Lane,
        /// Messages.
        count: usize,
        /// Bytes.
        bytes: usize,
    },
    /// Read ledger records and the contact; answer with [`Input::Loaded`].
    Load {
        /// The event.
        lane: Lane,
        /// The event.
        seq: u64,
        /// Keys of the effects.
        effects: Vec<String>,
        /// Aliases of the contact, empty when memory knows it.
        aliases: Vec<String>,
    },
    /// Send a request; answer with [`Input::Answered`].
    Send {
        /// Its name.
        request: RequestId,
        /// Whose urgency it has.
        lane: Lane,
        /// What to send.
        http: HttpRequest,
        /// Within this time, milliseconds.
        timeout_ms: u64,
    },
    /// Store; answer with [`Input::Recorded`].
    Record {
        /// Its name.
        id: RecordingId,
        /// Effect keys and their records, for the ledger.
        ledger: Vec<(String, LedgerRecord)>,
        /// For the contact bucket.
        contacts: Vec<ContactWrite>,
    },
    /// Store a dead letter with the event's original bytes; answer with [`Input::Recorded`].
    DeadLetter(DeadLetter),
    /// Acknowledge the message and forget it.
    Ack {
        /// The event.
        lane: Lane,
        /// The event.
        seq: u64,
    },
    /// Store the floor: everything below is settled.
    SaveFloor {
        /// Of this lane.
        lane: Lane,
        /// First sequence that may be unsettled.
        seq: u64,
    },
    /// Store the journal, with compare-and-set; answer with [`Input::Journaled`].
    WriteJournal(JournalRecord),
    /// Drop what is being pulled and set the consumer back to `floor`; answer with [`Input::Resynced`].
    Resync {
        /// Of this lane.
        lane: Lane,
        /// First sequence that may be unsettled.
        floor: u64,
    },
    /// The operator should know.
    Alert {
        /// What about.
        code: Code,
        /// In words, without personal data.
        text: String,
    },
    /// Everything is finished, after [`Input::Stop`].
    Stopped,
}

/// A write to the contact bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactWrite {
    /// The contact.
    pub record: ContactRecord,
    /// Its aliases.
    pub aliases: Vec<String>,
    /// Leave a record that is there already as it is (aliases are written all the same).
    pub only_if_absent: bool,
}

/// An effect or event that can't be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its name.
    pub id: RecordingId,
    /// The event.
    pub lane: Lane,
    /// The event.
    pub seq: u64,
    /// Why, as a code.
    pub code: Code,
    /// Why, in words, without personal data.
    pub cause: String,
    /// Attempts made.
    pub attempts: u32,
    /// The effect; none when the event as a whole can't be used.
    pub effect: Option<String>,
    /// The event's id, if it could be read.
    pub event_id: Option<String>,
}

/// What an account counts, since this owner took it over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages delivered.
    pub delivered: u64,
    /// Requests sent.
    pub requests: u64,
    /// Requests the CRM throttled.
    pub throttled: u64,
    /// Effects done.
    pub done: u64,
    /// Effects merged into a later one.
    pub merged: u64,
    /// Effects superseded by a newer value.
    pub superseded: u64,
    /// Dead letters.
    pub dead: u64,
    /// Events settled.
    pub settled: u64,
    /// Contacts read by a warm-up.
    pub warmed: u64,
    /// Pages left unread by a warm-up: 0 when none runs.
    pub warming: u64,
}

/// What a dispatcher is made of.
#[derive(Clone)]
pub struct Setup {
    /// The account.
    pub account: AccountId,
    /// Its configuration, checked.
    pub config: AccountConfig,
    /// Its CRM.
    pub vendor: Arc<dyn Vendor>,
    /// The published limits of its profile.
    pub windows: Vec<WindowSpec>,
    /// Memory bounds.
    pub bounds: Bounds,
    /// Seed of its jitter.
    pub seed: u64,
    /// Floors saved by the predecessor, per lane in [`Lane::ALL`]'s order; 0 for none.
    pub floors: [u64; 2],
    /// The predecessor's journal.
    pub journal: Option<JournalRecord>,
}

/// The state machine; see the module's page.
pub struct Dispatcher {
    account: AccountId,
    config: AccountConfig,
    vendor: Arc<dyn Vendor>,
    planner: Planner,
    quota: Quota,
    bounds: Bounds,
    seed: Seed,
    lanes: [LaneState; 2],
    contacts: BTreeMap<String, ContactState>,
    cache: ContactCache,
    jobs: BTreeMap<JobId, Job>,
    pools: BTreeMap<(Verb, Object), Pool>,
    delayed: BTreeSet<(Tick, JobId)>,
    locks: BTreeMap<(Object, String), BTreeSet<String>>,
    requests: BTreeMap<RequestId, Sent>,
    recordings: BTreeMap<RecordingId, Recording>,
    /// Effects that ended lately, so that a second copy of an event in memory isn't written again.
    recent: state::Recent<String>,
    /// Records known to exist in the CRM, so that a correction goes straight to an update.
    existing: state::Recent<(Object, String)>,
    /// Contacts on which our key is being put, or could not be.
    stamped: state::Recent<String>,
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
        let planner = Planner::new(&setup.config)?;
        let windows = effective_windows(&setup.config, &setup.windows)?;
        let quota = Quota::new(
            Settings {
                windows,
                reserve: setup.config.reserve_permits,
                request_timeout_ms: setup.config.request_timeout_ms,
                time_zone: setup.config.time_zone.clone(),
            },
            now,
            setup.journal.as_ref(),
        );
        let mut dispatcher = Self {
            account: setup.account,
            config: setup.config,
            vendor: setup.vendor,
            planner,
            quota,
            bounds: setup.bounds,
            seed: Seed::new(setup.seed),
            lanes: setup.floors.map(LaneState::new),
            contacts: BTreeMap::new(),
            cache: ContactCache::default(),
            jobs: BTreeMap::new(),
            pools: BTreeMap::new(),
            delayed: BTreeSet::new(),
            locks: BTreeMap::new(),
            requests: BTreeMap::new(),
            recordings: BTreeMap::new(),
            recent: state::Recent::bounded(8_192),
            existing: state::Recent::bounded(8_192),
            stamped: state::Recent::bounded(8_192),
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
            stopped: false,
        };
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
            Input::Recorded { id, stored } => self.recorded(now, id, stored),
            Input::Journaled { stored } => self.quota.journaled(now, stored),
            Input::Warm => self.warm(now),
            Input::Resume => {
                self.failing = 0;
                self.trouble = 0;
                self.quota.resume();
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
        self.quota.usage(now)
    }

    /// Replaces the configuration; a value that can't be used leaves the old one in force. Limits and zone apply from
    /// the next takeover, everything else at once.
    pub fn configure(&mut self, config: AccountConfig) -> Result<(), BadConfig> {
        self.planner = Planner::new(&config)?;
        self.config = config;
        Ok(())
    }

    /// Everything that follows from a change: due timers, requests, pulls, floors, the next wake.
    fn settle_down(&mut self, now: Now) {
        self.wake = None;
        self.retry_due(now);
        self.pump(now);
        self.demand(now);
        self.save_floors(now);
        if let Some(wake) = self.quota.journal_wake() {
            if wake <= now.tick
                && let Some(record) = self.quota.journal_due(now, None)
            {
                self.outputs.push_back(Output::WriteJournal(record));
            }
            if let Some(wake) = self.quota.journal_wake() {
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
