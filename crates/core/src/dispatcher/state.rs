//! What the dispatcher remembers. No decisions here.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::bulk::BulkStep;
use crate::codes::Code;
use crate::effect::{Effect, Fields, Object, Write};
use crate::event::Event;
use crate::lane::Lane;
use crate::quota::PermitId;
use crate::record::{ContactRecord, EffectState, LedgerRecord};
use crate::time::{Tick, WallTime};
use crate::vendor::{Item, Operation, Verb};

pub(super) type JobId = u64;

/// An event in memory: lane and stream sequence.
pub(super) type EventRef = (Lane, u64);

/// One effect of an event in memory.
pub(super) type EffectRef = (Lane, u64, usize);

/// A record in the CRM by our own key (contacts: by CRM id once known).
pub(super) type Record = (Object, String);

/// What merged updates have in common.
pub(super) type Target = (Object, String, Write);

#[derive(Debug)]
pub(super) struct LaneState {
    /// Pulled and not settled, by stream sequence.
    pub(super) events: BTreeMap<u64, EventState>,
    pub(super) bytes: usize,
    /// What the broker had not delivered yet at the last delivery; none before the first.
    pub(super) pending: Option<u64>,
    /// Events in memory of which it isn't known yet what was done.
    pub(super) loading: usize,
    pub(super) pulling: bool,
    pub(super) resyncing: bool,
    /// The consumer's last delivery number since the last resync.
    pub(super) consumer_seq: u64,
    /// One above the highest sequence delivered.
    pub(super) above: u64,
    pub(super) floor_saved: u64,
    pub(super) floor_save_at: Tick,
}

impl LaneState {
    pub(super) const fn new(floor: u64) -> Self {
        Self {
            events: BTreeMap::new(),
            bytes: 0,
            pending: None,
            loading: 0,
            pulling: false,
            resyncing: false,
            consumer_seq: 0,
            above: floor,
            floor_saved: floor,
            floor_save_at: Tick(0),
        }
    }

    /// First sequence that may be unsettled; never falls.
    pub(super) fn floor(&self) -> u64 {
        self.events
            .first_key_value()
            .map_or(self.above, |(seq, _)| *seq)
            .max(self.floor_saved)
    }
}

#[derive(Debug)]
pub(super) struct EventState {
    /// None for one that can't be read or planned: it only waits for its dead letter.
    pub(super) event: Option<Event>,
    pub(super) bytes: usize,
    /// Our own key of its contact.
    pub(super) contact: String,
    pub(super) effects: Vec<EffectWork>,
    /// What the ledger is asked for beside the effects.
    pub(super) origins: Vec<Origin>,
    pub(super) loaded: bool,
}

#[derive(Debug)]
pub(super) struct EffectWork {
    pub(super) effect: Effect,
    /// Key in the ledger.
    pub(super) key: String,
    pub(super) stage: Stage,
    pub(super) attempts: u32,
    /// The contact it was to be linked to turned out to be gone once already.
    pub(super) gone_once: bool,
    /// Since when it waits for the record it updates.
    pub(super) waiting_since: Option<Tick>,
    /// Not before this instant, unless the record has appeared.
    pub(super) not_before: Option<Tick>,
    /// The record is known to exist: update instead of create.
    pub(super) update: bool,
    /// Merged with others it was refused: goes alone now.
    pub(super) alone: bool,
    /// The creation of its contact met a conflict that named nobody once already.
    pub(super) conflicted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Pending,
    /// In a job, or its end is being recorded.
    Working,
    Ended,
}

#[derive(Debug, Default)]
pub(super) struct ContactState {
    /// Its events in memory, per lane in stream order.
    pub(super) queues: [VecDeque<u64>; 2],
    pub(super) resolution: Resolution,
    /// Names under which it alone may be resolved at the moment.
    pub(super) claimed: Vec<String>,
    /// An operational effect waits for its resolution.
    pub(super) urgent: bool,
}

/// A name of a person who is being resolved.
#[derive(Debug)]
pub(super) struct Claim {
    /// The contact that resolves it.
    pub(super) holder: String,
    /// Contacts to look at again after that.
    pub(super) waiting: BTreeSet<String>,
}

/// How far it is known which CRM record a contact is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Resolution {
    #[default]
    Unresolved,
    /// A look-up or the creation is under way.
    Working,
    /// Looked for everywhere: not there.
    Absent,
    /// CRM id.
    Known(String),
}

/// Where a look-up has got to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// By the key of a creation that may have been carried out; left out where there was none.
    Origin,
    Key,
    Email,
    Phone,
}

#[derive(Debug, Clone)]
pub(super) enum Purpose {
    /// Find a contact; the event's contact reference says what by.
    Lookup { step: Step, by: EventRef },
    /// Create the contact, with the fields of this effect if it is a contact effect.
    CreateContact {
        by: EventRef,
        effect: Option<EffectRef>,
        field_at: BTreeMap<String, WallTime>,
    },
    /// Write effects: the first is the oldest, the others are merged into its request.
    Write {
        effects: Vec<EffectRef>,
        field_at: BTreeMap<String, WallTime>,
    },
    /// Put our key on a contact that was found without it.
    Stamp,
    /// Read a page of all contacts.
    Page { after: Option<String> },
    /// Read open deals: a page of all, or those of these items.
    Deals {
        items: Vec<Item>,
        after: Option<String>,
    },
    /// Look for somebody a voice service asked for; the item says whom.
    Wanted { alias: String },
}

#[derive(Debug)]
pub(super) struct Job {
    pub(super) lane: Lane,
    pub(super) verb: Verb,
    pub(super) object: Object,
    pub(super) item: Item,
    /// Own key of the contact it is for; empty for pages.
    pub(super) contact: String,
    pub(super) purpose: Purpose,
    pub(super) lock: Option<Record>,
    pub(super) queued_at: Tick,
    /// Travels with this group only: a batch they were in was refused without saying why.
    pub(super) group: Option<u64>,
    pub(super) attempts: u32,
    /// Good answers of the account when it was last sent.
    pub(super) answers_before: u64,
    /// While it is a probe: what it becomes when it has found nothing, or something.
    pub(super) probes_for: Option<Verb>,
    /// Where a probe or a look-up goes on.
    pub(super) page_after: Option<String>,
    /// Pages of strangers that a look-up has read.
    pub(super) pages: u32,
    /// From then on a link among its fields leads nowhere.
    pub(super) url_expires_at: Option<WallTime>,
}

impl Job {
    /// A job that was never sent, alone, without a lock.
    pub(super) fn new(
        lane: Lane,
        (verb, object): (Verb, Object),
        item: Item,
        contact: String,
        purpose: Purpose,
        queued_at: Tick,
        answers_before: u64,
    ) -> Self {
        Self {
            lane,
            verb,
            object,
            item,
            contact,
            purpose,
            lock: None,
            queued_at,
            group: None,
            attempts: 0,
            answers_before,
            probes_for: None,
            page_after: None,
            pages: 0,
            url_expires_at: None,
        }
    }
}

/// Jobs of one kind that wait for a request.
#[derive(Debug, Default)]
pub(super) struct Pool {
    pub(super) op: VecDeque<JobId>,
    pub(super) en: VecDeque<JobId>,
}

impl Pool {
    pub(super) const fn lane(&mut self, lane: Lane) -> &mut VecDeque<JobId> {
        match lane {
            Lane::Op => &mut self.op,
            Lane::En => &mut self.en,
        }
    }
}

/// What a request without operations is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Errand {
    /// A page of reference data.
    Reference,
    /// A step of the bulk job.
    Bulk(BulkStep),
}

/// A request in flight.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) lane: Lane,
    pub(super) permit: PermitId,
    /// What it does; several operations in a CRM that takes them together.
    pub(super) operations: Vec<Operation>,
    /// For each operation the jobs of its items, in their order.
    pub(super) jobs: Vec<Vec<JobId>>,
    pub(super) granted_at: Tick,
    /// What it is for, when it carries no operation.
    pub(super) errand: Option<Errand>,
    /// The request, while its intent is being stored.
    pub(super) held: Option<Box<super::Output>>,
}

/// What is stored with the ends of effects.
#[derive(Debug, Default)]
pub(super) struct Learnt {
    pub(super) contacts: Vec<super::ContactWrite>,
    /// Where a record has come to be; see module `origin`.
    pub(super) origin: Option<(String, LedgerRecord)>,
}

impl Learnt {
    pub(super) fn of(contact: super::ContactWrite) -> Self {
        Self {
            contacts: vec![contact],
            origin: None,
        }
    }
}

/// Something being stored.
#[derive(Debug)]
pub(super) struct Recording {
    pub(super) what: Recorded,
    /// Contacts to look at again once it is stored.
    pub(super) contacts: BTreeSet<String>,
    /// The output, kept to be sent again when storing failed.
    pub(super) output: super::Output,
}

#[derive(Debug)]
pub(super) enum Recorded {
    /// Ends of effects.
    Ends(Vec<(EffectRef, EffectState)>),
    /// A dead letter of an effect; its ledger record follows.
    DeadEffect { effect: EffectRef, code: Code },
    /// A dead letter of an event that can't be used.
    DeadEvent(EventRef),
    /// A page of contacts; the next one follows.
    Page { next: Option<String> },
    /// What was read of open deals; their next page follows, or whatever else is to be read.
    Deals { next: Option<String> },
    /// That a request of class B is about to leave.
    Intent(super::RequestId),
    /// What was found of somebody a voice service asked for.
    Wanted(String),
    /// Which bulk job is at work, or that none is.
    Bulk,
    /// Nothing waits for it.
    Cache,
}

/// A bounded memory of the latest entries.
#[derive(Debug)]
pub(super) struct Recent<T> {
    max: usize,
    set: BTreeSet<T>,
    order: VecDeque<T>,
}

impl<T: Ord + Clone> Recent<T> {
    pub(super) const fn bounded(max: usize) -> Self {
        Self {
            max,
            set: BTreeSet::new(),
            order: VecDeque::new(),
        }
    }

    pub(super) fn insert(&mut self, entry: T) {
        self.insert_over(entry);
    }

    /// Answers what is forgotten for it.
    fn insert_over(&mut self, entry: T) -> Option<T> {
        if !self.set.insert(entry.clone()) {
            return None;
        }
        self.order.push_back(entry);
        if self.order.len() <= self.max {
            return None;
        }
        let oldest = self.order.pop_front()?;
        self.set.remove(&oldest);
        Some(oldest)
    }

    pub(super) fn contains(&self, entry: &T) -> bool {
        self.set.contains(entry)
    }

    pub(super) fn remove(&mut self, entry: &T) {
        if self.set.remove(entry) {
            self.order.retain(|other| other != entry);
        }
    }
}

/// Of what the ledger may know the origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// A record other than a contact.
    Record(Record),
    /// A contact under this alias.
    Contact(String),
}

/// A creation that may have been carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Begun {
    /// Our own key, which the record then carries.
    pub(super) key: String,
    /// From then on the request can't arrive any more.
    pub(super) quiet_at: Tick,
}

/// The latest entries of a map, as many as [`Recent`] holds.
#[derive(Debug)]
pub(super) struct Memory<K, V> {
    latest: Recent<K>,
    entries: BTreeMap<K, V>,
}

impl<K: Ord + Clone, V> Memory<K, V> {
    pub(super) const fn bounded(max: usize) -> Self {
        Self {
            latest: Recent::bounded(max),
            entries: BTreeMap::new(),
        }
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        if let Some(oldest) = self.latest.insert_over(key.clone()) {
            self.entries.remove(&oldest);
        }
        self.entries.insert(key, value);
    }

    pub(super) fn find(&self, key: &K) -> Option<&V> {
        self.entries.get(key)
    }

    pub(super) fn remove(&mut self, key: &K) {
        self.latest.remove(key);
        self.entries.remove(key);
    }
}

/// Fields of an effect that are not older than what the contact holds, and whether any was dropped.
pub(super) fn newer_fields(
    fields: &Fields,
    at: WallTime,
    record: Option<&ContactRecord>,
) -> Fields {
    fields
        .iter()
        .filter(|(field, _)| {
            record
                .and_then(|record| record.field_at.get(&field.name()))
                .is_none_or(|held| *held <= at)
        })
        .map(|(field, value)| (field.clone(), value.clone()))
        .collect()
}
