//! Scripted faults: which requests go wrong, and how.
//!
//! No chance is involved: a fault says which matching requests it hits, so a run can be repeated to the byte. Faults see
//! only requests with good credentials that passed the limits; a throttled request is never also hit.

use super::replies::{Refusal, html};
use crate::fakes::{Deliver, Method, Reply};

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
pub type Fault = crate::fakes::Fault<FaultKind>;

impl Fault {
    /// Hits the next request of this method whose path contains the text.
    pub fn next(kind: FaultKind, method: Method, path_contains: &str) -> Self {
        Self::once(kind, Some(method), path_contains)
    }

    /// Hits every request of a span of time (an outage).
    pub fn during(kind: FaultKind, from_ms: i64, until_ms: i64) -> Self {
        Self::span(kind, "", from_ms, until_ms)
    }
}

pub(super) type FaultScript = crate::fakes::FaultScript<FaultKind>;

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
