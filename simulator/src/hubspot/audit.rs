//! What the oracle reads: every request that arrived and every write that was applied, in order.
//!
//! Kept whole, without bound: runs are bounded by their scenario. Nothing here is ever changed afterwards, and nothing a
//! requester was *told* is taken as a fact: only what was applied.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::limits::{Policy, Pool};
use super::records::{Association, ObjectKind, RecordId};
use crate::fakes::Method;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestAudit {
    /// 1 for the first request.
    pub request_no: u64,
    pub at_ms: i64,
    /// `None` when the credentials were refused.
    pub app_id: Option<u64>,
    pub method: Method,
    pub path: String,
    pub pool: Pool,
    /// Inputs of a batch, else 1.
    pub inputs: u32,
    /// Which limit was full.
    pub throttled: Option<Policy>,
    /// Whether the request was carried out, whatever the requester was told.
    pub executed: bool,
    /// Whether a scripted fault changed the outcome.
    pub faulted: bool,
    /// Status of the reply, also when it was never delivered.
    pub status: u16,
}

/// What a write did to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WriteKind {
    /// There before the first request.
    Seeded,
    Create,
    Update,
    /// Two records linked, nothing else.
    Associate,
    Archive,
}

/// One property of a write, as stored (times in ISO form, e-mail addresses in lower case).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropertyWrite {
    pub name: Arc<str>,
    /// Empty when the value was cleared.
    pub value: Arc<str>,
    /// Whether the value was another one before.
    pub changed: bool,
}

/// One applied write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    pub at_ms: i64,
    /// 0 for what was done from outside (seeding, archiving by a user of the CRM).
    pub request_no: u64,
    pub object: ObjectKind,
    pub id: RecordId,
    pub kind: WriteKind,
    pub properties: Vec<PropertyWrite>,
    /// Links made by this write, seen from this record.
    pub associations: Vec<Association>,
}

/// Sums for a first glance; everything else is in the lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    pub requests: u64,
    /// Requests that passed every limit.
    pub admitted: u64,
    /// Requests that met a full window: none of them may exist in a sound run.
    pub over_limit: u64,
    /// The same per policy.
    pub throttled: BTreeMap<Policy, u64>,
    /// The most requests of one app any rolling window has held.
    pub max_in_interval: u32,
    /// The most searches any rolling search window has held.
    pub max_in_search_interval: u32,
    /// The most requests of any day.
    pub max_in_day: u64,
    pub unauthorized: u64,
    /// Replies with the statuses given.
    pub statuses: BTreeMap<u16, u64>,
}

/// Everything recorded.
#[derive(Debug, Default)]
pub(super) struct Audit {
    pub(super) requests: Vec<RequestAudit>,
    pub(super) writes: Vec<Write>,
    pub(super) counters: Counters,
}
