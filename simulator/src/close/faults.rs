//! Scripted faults: which requests go wrong, and how.
//!
//! No chance is involved: a fault says which matching requests it hits, so a run can be repeated to the byte. Faults see
//! only requests with good credentials that passed the limits; a throttled request is never also hit.

use super::replies::{Refusal, html};
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
    /// Carried out, the answer is a page that isn't JSON, under the status of a success.
    ExecuteThenHtml,
    /// Carried out, the answer comes this many milliseconds later (a brownout).
    ExecuteSlowly(u64),
    /// Not carried out, never answered.
    DropWithoutExecuting,
    /// Not carried out, answered with this status.
    StatusWithoutExecuting(u16),
    /// Not carried out, a 429 although no window is full (somebody else spent the quota).
    Throttled,
    /// Not carried out, 402: the plan or a payment.
    PaymentRequired,
}

impl FaultKind {
    /// Whether the request is carried out all the same.
    pub const fn executes(&self) -> bool {
        matches!(
            self,
            Self::ExecuteThenStatus(_)
                | Self::ExecuteThenDrop
                | Self::ExecuteThenTruncate
                | Self::ExecuteThenHtml
                | Self::ExecuteSlowly(_)
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
    /// Hits the next request of this method whose path contains the text.
    pub fn next(kind: FaultKind, method: Method, path_contains: &str) -> Self {
        Self {
            kind,
            method: Some(method),
            path_contains: path_contains.to_owned(),
            from_ms: None,
            until_ms: None,
            skip: 0,
            times: 1,
        }
    }

    /// Hits every request of a span of time (an outage).
    pub fn during(kind: FaultKind, from_ms: i64, until_ms: i64) -> Self {
        Self {
            kind,
            method: None,
            path_contains: String::new(),
            from_ms: Some(from_ms),
            until_ms: Some(until_ms),
            skip: 0,
            times: u64::MAX,
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

/// The reply to a request that a fault keeps from being carried out, but for a throttled one.
pub(super) fn broken(kind: &FaultKind) -> Reply {
    match kind {
        FaultKind::StatusWithoutExecuting(status) => failed(*status),
        FaultKind::PaymentRequired => {
            Refusal::Plain(402, "The organisation's plan doesn't include this.").reply()
        }
        _ => failed(500),
    }
}

fn failed(status: u16) -> Reply {
    match status {
        502 => html(502, "Bad Gateway"),
        503 => html(503, "Service Unavailable"),
        504 => html(504, "Gateway Timeout"),
        status => Refusal::Plain(status, "Something went wrong here.").reply(),
    }
}

/// What a fault does to the reply of a request, carried out or not.
pub(super) fn spoil(kind: &FaultKind, reply: &mut Reply) {
    match kind {
        FaultKind::ExecuteThenStatus(status) => *reply = failed(*status),
        FaultKind::ExecuteThenHtml => *reply = html(200, "Welcome"),
        FaultKind::ExecuteThenDrop | FaultKind::DropWithoutExecuting => {
            reply.deliver = Deliver::Drop;
        }
        FaultKind::ExecuteThenTruncate => reply.body.truncate(reply.body.len() / 2),
        FaultKind::ExecuteSlowly(delay_ms) => reply.extra_delay_ms = *delay_ms,
        FaultKind::StatusWithoutExecuting(_)
        | FaultKind::Throttled
        | FaultKind::PaymentRequired => {}
    }
}
