//! What the oracle reads: every request that arrived and every write that was applied, in order.
//!
//! Kept whole, without bound: runs are bounded by their scenario. Nothing here is ever changed afterwards, and nothing a
//! requester was *told* is taken as a fact: only what was applied.

use std::collections::BTreeMap;

use super::limits::{Policy, Pool};
use super::records::{Kind, RecordId};
use crate::fakes::{FieldWrite, Method};

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestAudit {
    /// 1 for the first request.
    pub request_no: u64,
    pub at_ms: i64,
    /// Whose token it came with; `None` when the credential was refused.
    pub user_id: Option<u64>,
    pub method: Method,
    pub path: String,
    pub pool: Pool,
    /// Tokens that were charged; none for a refused request.
    pub tokens: u32,
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
    Delete,
    /// Taken up by another person.
    Merge,
}

/// One applied write.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    pub at_ms: i64,
    /// 0 for what was done from outside (seeding, a user of the CRM).
    pub request_no: u64,
    pub kind: Kind,
    pub id: RecordId,
    pub what: WriteKind,
    pub fields: Vec<FieldWrite>,
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
    /// The most requests any rolling window of one token has held.
    pub max_in_burst: u32,
    /// The most searches any rolling search window of one token has held.
    pub max_in_search: u32,
    /// The most tokens of any day.
    pub max_in_day: u64,
    /// Tokens charged in all.
    pub tokens: u64,
    /// How often a token was locked out.
    pub lock_outs: u64,
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
