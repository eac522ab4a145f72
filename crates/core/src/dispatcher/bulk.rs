//! Back-fills by jobs, in a CRM that has them: when one is made, and of what. Its steps: `bulk_steps`.
//!
//! A job takes thousands of records in a handful of requests, and minutes. So it is made only of enrichment, only while
//! the lane has [`crate::bulk::Bulk::rows_min`] records or more before it, and one at a time: what waits meanwhile is the
//! next one's. Each row is a job of the dispatcher (`state::Job`) that leaves its pool and comes back to the same code as
//! if a request had been answered (module `bulk_rows`).
//!
//! Invariants: no job is closed before its manifest is stored, and no manifest is removed before the end of every effect
//! in it is recorded, or the effect is back on the ordinary way. Only writes that may be repeated blindly are rows. A row
//! keeps its record's lock, so nothing else writes the record meanwhile. Operational jobs are no rows; one that became
//! operational before the upload goes the ordinary way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::state::{EffectRef, Job, JobId, Purpose};
use super::{Bounds, Dispatcher};
use crate::bulk::{Bulk, BulkStep};
use crate::effect::{Object, Value};
use crate::lane::Lane;
use crate::record::{BulkRecord, BulkRow, SCHEMA};
use crate::time::{Now, Tick};
use crate::vendor::{Item, ItemOutcome, Operation, Repeat, Verb};

/// How long records gather for a job, milliseconds: long enough for the lane to be filled from the broker.
const GATHER_MS: u64 = 10_000;
/// Wait before the first look at a job, milliseconds.
pub(super) const POLL_FIRST_MS: u64 = 5_000;
/// So long records wait behind a job that is at work, milliseconds; later they go the ordinary way.
const PATIENCE_MS: u64 = 15 * 60_000;
/// About so large a table at most, bytes: it must pass within one request's time-out.
const TABLE_BYTES: usize = 2 << 20;
/// Bytes of events in the enrichment lane while a back-fill is under way.
const LANE_BYTES: usize = 24 << 20;

/// What is remembered about bulk jobs.
#[derive(Debug, Default)]
pub(super) struct Desk {
    /// The one at work.
    pub(super) job: Option<Box<BulkJob>>,
    /// Until then records go the ordinary way.
    pub(super) off_until: Tick,
    /// When the last one ended.
    pub(super) ended_at: Tick,
    /// Whether people were told that there is none to be had.
    pub(super) alerted: bool,
}

/// A bulk job and its rows.
#[derive(Debug)]
pub(super) struct BulkJob {
    pub(super) verb: Verb,
    pub(super) object: Object,
    /// The CRM's id of it; empty until it is made.
    pub(super) id: String,
    pub(super) rows: Vec<Row>,
    /// Its events are below this sequence.
    pub(super) below: u64,
    pub(super) next: Next,
    pub(super) in_air: bool,
    pub(super) not_before: Tick,
    pub(super) tries: u32,
    pub(super) uploads: u32,
    pub(super) reads: u32,
    pub(super) poll_ms: u64,
    pub(super) began: Tick,
    pub(super) broken: bool,
    /// Results that can only be empty, in the order of [`Part::ALL`].
    pub(super) skips: [bool; 3],
    pub(super) results: [Vec<u8>; 3],
    /// One per row, once the results are in.
    pub(super) outcomes: Vec<ItemOutcome>,
    /// Rows that were taken in so far.
    pub(super) applied: usize,
    /// Effects in memory whose end is not recorded yet.
    pub(super) open: BTreeSet<String>,
    /// Of a predecessor's job: the row of each effect; empty for an own one.
    pub(super) keys: BTreeMap<String, usize>,
    /// Of a predecessor's job: effects whose events were loaded again, to be taken in.
    pub(super) came: VecDeque<(usize, EffectRef)>,
    pub(super) inherited: bool,
}

/// A row.
#[derive(Debug)]
pub(super) struct Row {
    /// What waits for it; none in a predecessor's job.
    pub(super) job: Option<JobId>,
    pub(super) row: BulkRow,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Ask(BulkStep),
    /// The manifest is being stored.
    Store,
    /// The rows are taken in.
    Settle,
    /// The manifest is being removed.
    Remove,
}

impl BulkJob {
    pub(super) fn new(verb: Verb, object: Object, rows: Vec<Row>, now: Tick) -> Self {
        Self {
            verb,
            object,
            id: String::new(),
            rows,
            below: 0,
            next: Next::Ask(BulkStep::Create),
            in_air: false,
            not_before: Tick(0),
            tries: 0,
            uploads: 0,
            reads: 0,
            poll_ms: POLL_FIRST_MS,
            began: now,
            broken: false,
            skips: [false; 3],
            results: Default::default(),
            outcomes: Vec::new(),
            applied: 0,
            open: BTreeSet::new(),
            keys: BTreeMap::new(),
            came: VecDeque::new(),
            inherited: false,
        }
    }

    pub(super) fn goes_on(&mut self, step: BulkStep, not_before: Tick) {
        self.next = Next::Ask(step);
        self.not_before = not_before;
        self.tries = 0;
    }

    /// The rows as far as the manifest knows them: enough to find them in the results.
    pub(super) fn operation(&self) -> Operation {
        let items = self.rows.iter().map(|row| Item {
            key: row.row.key.clone(),
            crm_id: row.row.crm_id.clone(),
            contact: row.row.contact.clone(),
            stamp: row.row.stamp,
            ..Item::default()
        });
        Operation {
            verb: self.verb,
            object: self.object,
            items: items.collect(),
            after: None,
        }
    }

    pub(super) fn record(&self) -> BulkRecord {
        BulkRecord {
            schema: SCHEMA,
            job: self.id.clone(),
            verb: self.verb,
            object: self.object,
            below: self.below,
            rows: self.rows.iter().map(|row| row.row.clone()).collect(),
        }
    }
}

impl Dispatcher {
    /// How much of a lane is in memory at most: more of enrichment while a back-fill is under way, or no job could form.
    pub(super) fn bounds_of(&self, lane: Lane) -> Bounds {
        let bounds = self.bounds;
        let Some(bulk) = self.vendor.bulk().filter(|_| lane == Lane::En) else {
            return bounds;
        };
        let state = &self.lanes[lane as usize];
        let before_it = backlog(state.events.len(), state.pending);
        if before_it < bulk.rows_min() && self.bulk.job.is_none() {
            return bounds;
        }
        Bounds {
            events_max: bounds.events_max.max(bulk.rows_max() + bulk.rows_max() / 5),
            bytes_max: bounds.bytes_max.max(LANE_BYTES),
        }
    }

    /// Kinds of jobs that wait for a bulk job to be made of them.
    pub(super) fn held_for_bulk(&mut self, now: Now, lane: Lane) -> BTreeSet<(Verb, Object)> {
        let mut held = BTreeSet::new();
        let vendor = Arc::clone(&self.vendor);
        let Some(bulk) = vendor.bulk().filter(|_| lane == Lane::En) else {
            return held;
        };
        if self.bulk.off_until > now.tick {
            return held;
        }
        let mut wake = None;
        for ((verb, object), pool) in &self.pools {
            let Some(first) = pool.en.front().and_then(|id| self.jobs.get(id)) else {
                continue;
            };
            let state = &self.lanes[lane as usize];
            let before_it = backlog(pool.en.len() + state.loading, state.pending);
            if before_it < bulk.rows_min()
                || first.group.is_some()
                || !bulk.is_possible(*verb, *object)
            {
                continue;
            }
            let until = match &self.bulk.job {
                Some(job) => job.began.plus_ms(PATIENCE_MS),
                None => self.gathered_at(first),
            };
            if until > now.tick {
                held.insert((*verb, *object));
                wake = Some(wake.map_or(until, |other: Tick| other.min(until)));
            }
        }
        if let Some(wake) = wake {
            self.wake_at(wake);
        }
        held
    }

    fn gathered_at(&self, first: &Job) -> Tick {
        first.queued_at.max(self.bulk.ended_at).plus_ms(GATHER_MS)
    }

    /// Makes a bulk job of what waits, if that is enough.
    pub(super) fn form_bulk(&mut self, now: Now) {
        let vendor = Arc::clone(&self.vendor);
        let Some(bulk) = vendor.bulk() else {
            return;
        };
        if self.bulk.job.is_some()
            || self.stopping
            || self.bulk.off_until > now.tick
            || self.limiter.paused_for_ms(now.tick) > 0
        {
            return;
        }
        let ready = self
            .pools
            .iter()
            .filter(|((verb, object), pool)| {
                let first = pool.en.front().and_then(|id| self.jobs.get(id));
                let gathered = first.is_some_and(|job| self.gathered_at(job) <= now.tick);
                pool.en.len() >= bulk.rows_min()
                    && (gathered || pool.en.len() >= bulk.rows_max())
                    && bulk.is_possible(*verb, *object)
                    && vendor.repeat(*verb, *object) == Repeat::Blindly
            })
            .max_by_key(|(_, pool)| pool.en.len())
            .map(|(class, _)| *class);
        let Some((verb, object)) = ready else {
            return;
        };
        let taken = self.rows_for(bulk, verb, object);
        if taken.len() < bulk.rows_min() {
            // Too many that can't be rows: they go the ordinary way first.
            self.bulk.off_until = now.tick.plus_ms(GATHER_MS);
            return;
        }
        if let Some(pool) = self.pools.get_mut(&(verb, object)) {
            let taken: BTreeSet<JobId> = taken.iter().copied().collect();
            pool.en.retain(|id| !taken.contains(id));
        }
        let rows = taken.into_iter().map(|id| Row {
            job: Some(id),
            row: BulkRow::default(),
        });
        let job = BulkJob::new(verb, object, rows.collect(), now.tick);
        self.bulk.job = Some(Box::new(job));
    }

    /// Takes a job out of the bulk job whose table has not left yet; answers whether it was in one.
    pub(super) fn leave_bulk(&mut self, id: JobId) -> bool {
        let Some(job) = self.bulk.job.as_deref_mut() else {
            return false;
        };
        let unsent = match job.next {
            Next::Ask(BulkStep::Create | BulkStep::Abort) => true,
            Next::Ask(BulkStep::Upload) => !job.in_air,
            Next::Ask(_) | Next::Store | Next::Settle | Next::Remove => false,
        };
        let place = job.rows.iter().position(|row| row.job == Some(id));
        let leaves = place.filter(|_| unsent);
        if let Some(place) = leaves {
            job.rows.remove(place);
        }
        leaves.is_some()
    }

    /// The jobs of a pool that can be rows of one bulk job, the oldest first.
    fn rows_for(&self, bulk: &dyn Bulk, verb: Verb, object: Object) -> Vec<JobId> {
        let mut taken = Vec::new();
        let mut records: BTreeSet<&str> = BTreeSet::new();
        let mut bytes = 0;
        let Some(pool) = self.pools.get(&(verb, object)) else {
            return taken;
        };
        for id in &pool.en {
            let Some(job) = self.jobs.get(id) else {
                continue;
            };
            if taken.len() >= bulk.rows_max() || bytes >= TABLE_BYTES {
                break;
            }
            let record = job.item.crm_id.as_deref().unwrap_or(&job.item.key);
            let operation = Operation {
                verb,
                object,
                items: vec![job.item.clone()],
                after: None,
            };
            if job.group.is_none() && bulk.fits(&operation) && records.insert(record) {
                bytes += size(&job.item);
                taken.push(*id);
            }
        }
        taken
    }
}

/// The effects that a job carries.
pub(super) fn effects_of(purpose: &Purpose) -> Vec<EffectRef> {
    match purpose {
        Purpose::Write { effects, .. } => effects.clone(),
        Purpose::CreateContact { effect, .. } => effect.iter().copied().collect(),
        Purpose::Lookup { .. }
        | Purpose::Stamp
        | Purpose::Page { .. }
        | Purpose::Deals { .. }
        | Purpose::Wanted { .. } => Vec::new(),
    }
}

/// Records before a job: those that wait here, and the events still in the broker.
fn backlog(here: usize, pending: Option<u64>) -> usize {
    let pending = usize::try_from(pending.unwrap_or(0)).unwrap_or(usize::MAX);
    here.saturating_add(pending)
}

/// About how long an item's row is, bytes.
fn size(item: &Item) -> usize {
    let fields = item.fields.values().map(|value| match value {
        Value::Text(text) => text.len() + 8,
        _ => 32,
    });
    item.key.len() + fields.sum::<usize>()
}
