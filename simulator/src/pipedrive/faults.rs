//! Scripted faults: which requests go wrong, and how.
//!
//! No chance is involved: a fault says which matching requests it hits, so a run can be repeated to the byte. Faults see
//! only requests with good credentials that passed the limits; a throttled request is never also hit.

use super::limits::Policy;
use super::replies::failed;
use crate::hubspot::{Deliver, Method, Reply, Request};

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// Carried out, answered with this status (an HTML page for 502, 503, 504, an error body else).
    ExecuteThenStatus(u16),
    /// Carried out, never answered.
    ExecuteThenDrop,
    /// Carried out, the answer's body stops half way.
    ExecuteThenTruncate,
    /// Carried out, the answer comes this many milliseconds later.
    ExecuteSlowly(u64),
    /// Carried out, answered with a page of something in between, status 200.
    ExecuteThenPage,
    /// Not carried out, never answered.
    DropWithoutExecuting,
    /// Not carried out, answered with this status and an error body or page.
    StatusWithoutExecuting(u16),
    /// Not carried out, a refusal although no window is full (somebody else spent the quota).
    Throttled(Policy),
}

impl FaultKind {
    /// Whether the request is carried out all the same.
    pub const fn executes(&self) -> bool {
        matches!(
            self,
            Self::ExecuteThenStatus(_)
                | Self::ExecuteThenDrop
                | Self::ExecuteThenTruncate
                | Self::ExecuteSlowly(_)
                | Self::ExecuteThenPage
        )
    }
}

/// A fault and the requests it hits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub kind: FaultKind,
    /// Only this method.
    pub method: Option<Method>,
    /// Only paths that contain this; empty for all.
    pub path_contains: String,
    /// Only requests that arrive at or after this instant, epoch milliseconds.
    pub from_ms: Option<i64>,
    /// Only requests that arrive before this instant.
    pub until_ms: Option<i64>,
    /// Matching requests let through first.
    pub skip: u64,
    /// Matching requests hit after that.
    pub times: u64,
}

impl Fault {
    /// Hits the next request whose path contains the text.
    pub fn next(kind: FaultKind, path_contains: &str) -> Self {
        Self {
            kind,
            method: None,
            path_contains: path_contains.to_owned(),
            from_ms: None,
            until_ms: None,
            skip: 0,
            times: 1,
        }
    }

    /// Hits the `n`th matching request from now, 1 for the next.
    pub fn nth(kind: FaultKind, path_contains: &str, n: u64) -> Self {
        Self {
            skip: n.saturating_sub(1),
            ..Self::next(kind, path_contains)
        }
    }

    /// Hits every matching request of a span of time (an outage, a brownout).
    pub fn during(kind: FaultKind, path_contains: &str, from_ms: i64, until_ms: i64) -> Self {
        Self {
            from_ms: Some(from_ms),
            until_ms: Some(until_ms),
            times: u64::MAX,
            ..Self::next(kind, path_contains)
        }
    }

    fn matches(&self, now_ms: i64, request: &Request) -> bool {
        self.method.is_none_or(|method| method == request.method)
            && request.path.contains(&self.path_contains)
            && self.from_ms.is_none_or(|from| now_ms >= from)
            && self.until_ms.is_none_or(|until| now_ms < until)
    }
}

#[derive(Debug, Default)]
pub(super) struct FaultScript {
    /// Each fault with the number of matching requests it has seen.
    faults: Vec<(Fault, u64)>,
}

impl FaultScript {
    pub(super) fn add(&mut self, fault: Fault) {
        self.faults.push((fault, 0));
    }

    pub(super) fn clear(&mut self) {
        self.faults.clear();
    }

    /// The fault that hits this request: the first in the order added. The others count it as seen all the same.
    pub(super) fn strike(&mut self, now_ms: i64, request: &Request) -> Option<FaultKind> {
        let mut struck = None;
        for (fault, seen) in &mut self.faults {
            if !fault.matches(now_ms, request) {
                continue;
            }
            let place = *seen;
            *seen += 1;
            let hit = place >= fault.skip && place - fault.skip < fault.times;
            if hit && struck.is_none() {
                struck = Some(fault.kind.clone());
            }
        }
        struck
    }
}

/// What a fault does to the reply of a request, carried out or not.
pub(super) fn spoil(kind: &FaultKind, reply: &mut Reply) {
    match kind {
        FaultKind::ExecuteThenStatus(status) => *reply = failed(*status),
        FaultKind::ExecuteThenPage => *reply = super::replies::html(200, "One moment"),
        FaultKind::ExecuteThenDrop | FaultKind::DropWithoutExecuting => {
            reply.deliver = Deliver::Drop;
        }
        FaultKind::ExecuteThenTruncate => reply.body.truncate(reply.body.len() / 2),
        FaultKind::ExecuteSlowly(delay_ms) => reply.extra_delay_ms = *delay_ms,
        FaultKind::StatusWithoutExecuting(_) | FaultKind::Throttled(_) => {}
    }
}
