//! What the oracle reads: every request that arrived and every write that was applied, in order.
//!
//! Kept whole, without bound: runs are bounded by their scenario. Nothing a requester was *told* is taken as a fact.

use std::collections::BTreeMap;

use super::limits::Scope;
use super::records::ObjectKind;
use crate::fakes::{FieldWrite, Method};

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestAudit {
    /// 1 for the first request.
    pub request_no: u64,
    pub at_ms: i64,
    /// Place of the credential in the configuration; none when it was refused.
    pub key: Option<usize>,
    pub method: Method,
    pub path: String,
    /// Method and path template; empty for an unknown path.
    pub group: &'static str,
    /// Whose limit was full.
    pub throttled: Option<Scope>,
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
    /// Moved to another lead by a merge.
    Move,
    Delete,
}

/// One applied write.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    pub at_ms: i64,
    /// 0 for what was done from outside (seeding, users of the CRM).
    pub request_no: u64,
    pub object: ObjectKind,
    pub id: String,
    pub kind: WriteKind,
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
    /// The most requests of one key that the window of a group has held.
    pub max_in_window: BTreeMap<&'static str, u32>,
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
