//! What the oracle reads: every request that arrived and every write that was applied, in order.
//!
//! Kept whole, without bound: runs are bounded by their scenario. What was rolled back was never applied and isn't here.
//! Nothing a requester was *told* is taken as a fact.

use std::collections::BTreeMap;

use super::ids::RecordId;
use super::limits::Policy;
use super::records::ObjectKind;
use crate::fakes::{FieldWrite, Method};

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestAudit {
    /// 1 for the first request.
    pub request_no: u64,
    pub at_ms: i64,
    /// Whose session it came with; `None` when the credential was refused or isn't needed.
    pub user: Option<RecordId>,
    pub method: Method,
    pub path: String,
    /// Methods of the parts of a composite, in their order; none for anything else.
    pub parts: Vec<Method>,
    /// How many API calls it was counted as; none for a refused request.
    pub calls: u32,
    /// Which limit was said to be full; one that wasn't if the request is also faulted.
    pub throttled: Option<Policy>,
    /// Whether the request was carried out, whatever the requester was told and however its items fared.
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
    /// Taken up by another contact.
    Merge,
}

/// One applied write.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    pub at_ms: i64,
    /// 0 for what was done from outside (seeding, users of the CRM); for a row of a job, the request that closed the job.
    pub request_no: u64,
    pub object: ObjectKind,
    pub id: RecordId,
    pub kind: WriteKind,
    pub fields: Vec<FieldWrite>,
}

/// Sums for a first glance; everything else is in the lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    pub requests: u64,
    /// Requests that passed every limit.
    pub admitted: u64,
    /// API calls counted in all.
    pub calls: u64,
    /// Requests that met a full limit: none of them may exist in a sound run.
    pub over_limit: u64,
    /// The same per limit.
    pub throttled: BTreeMap<Policy, u64>,
    /// The most calls any 24 hours have held.
    pub max_in_day: u32,
    /// Rows of jobs that were written or refused.
    pub bulk_rows: u64,
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
