//! Scripted faults: what goes wrong with a request, or with single records of it.
//!
//! Faults see only requests with good credentials that passed the limits; a throttled request is never also hit. An
//! answer of 20 s and more makes its request a long one.

use std::ops::Range;

use super::limits::Policy;
use super::replies::{Answer, Failure, html};
use crate::fakes::Struck;
use crate::fakes::{Deliver, Reply};

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// Carried out, answered with this status (an HTML page for 420, 502 and 504, an error body else).
    ExecuteThenStatus(u16),
    /// Carried out, never answered.
    ExecuteThenDrop,
    /// Carried out, the answer's body stops half way.
    ExecuteThenTruncate,
    /// Carried out, the answer is a page that isn't JSON, status 200.
    ExecuteThenPage,
    /// Carried out, the answer comes this many milliseconds later (a brownout).
    ExecuteSlowly(u64),
    /// Carried out but for these records of it, counted from 0: they are locked by somebody else.
    RowsLocked { first: usize, count: usize },
    /// Carried out but for these records of it, counted from 0: a rule of the org refuses them.
    RowsRefused { first: usize, count: usize },
    /// Not carried out, never answered.
    DropWithoutExecuting,
    /// Not carried out, answered with this status.
    StatusWithoutExecuting(u16),
    /// Not carried out, a refusal although no limit is full (somebody else spent it).
    Throttled(Policy),
    /// Not carried out: the session isn't good although nothing ended it.
    SessionInvalid,
    /// Not carried out: the API is switched off for the org.
    ApiDisabled,
}

/// What happens to single records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowFault {
    Locked,
    Refused,
}

impl FaultKind {
    /// Whether the request is carried out all the same.
    pub const fn executes(&self) -> bool {
        matches!(
            self,
            Self::ExecuteThenStatus(_)
                | Self::ExecuteThenDrop
                | Self::ExecuteThenTruncate
                | Self::ExecuteThenPage
                | Self::ExecuteSlowly(_)
                | Self::RowsLocked { .. }
                | Self::RowsRefused { .. }
        )
    }

    pub(super) const fn rows(&self) -> Option<(RowFault, Range<usize>)> {
        match *self {
            Self::RowsLocked { first, count } => {
                Some((RowFault::Locked, first..first.saturating_add(count)))
            }
            Self::RowsRefused { first, count } => {
                Some((RowFault::Refused, first..first.saturating_add(count)))
            }
            _ => None,
        }
    }
}

/// A fault and the requests it hits.
pub type Fault = crate::fakes::Fault<FaultKind>;

impl Struck for FaultKind {}

pub(super) type FaultScript = crate::fakes::FaultScript<FaultKind>;

/// The answer to a session that isn't good.
pub(super) fn session_invalid() -> Failure {
    Failure::request(401, "INVALID_SESSION_ID", "Session expired or invalid")
}

/// The reply to a request that a fault keeps from being carried out, but for a throttled one.
pub(super) fn broken(kind: &FaultKind) -> Reply {
    let failure = match kind {
        FaultKind::SessionInvalid => session_invalid(),
        FaultKind::ApiDisabled => Failure::request(
            403,
            "API_DISABLED_FOR_ORG",
            "The REST API is not enabled for this Organization.",
        ),
        FaultKind::StatusWithoutExecuting(status) => return failed(*status),
        _ => return failed(500),
    };
    Answer::of(Err(failure)).reply()
}

fn failed(status: u16) -> Reply {
    let failure = match status {
        420 => return html(420, "Enhance Your Calm"),
        502 => return html(502, "Bad Gateway"),
        504 => return html(504, "Gateway Timeout"),
        503 => Failure::request(503, "SERVER_UNAVAILABLE", "Server unavailable"),
        _ => Failure::request(status, "UNKNOWN_EXCEPTION", "An unexpected error occurred."),
    };
    Answer::of(Err(failure)).reply()
}

/// What a fault does to the reply of a request, carried out or not.
pub(super) fn spoil(kind: &FaultKind, reply: &mut Reply) {
    match kind {
        FaultKind::ExecuteThenStatus(status) => *reply = failed(*status),
        FaultKind::ExecuteThenPage => *reply = html(200, "One moment"),
        FaultKind::ExecuteThenDrop | FaultKind::DropWithoutExecuting => {
            reply.deliver = Deliver::Drop;
        }
        FaultKind::ExecuteThenTruncate => reply.body.truncate(reply.body.len() / 2),
        FaultKind::ExecuteSlowly(delay_ms) => reply.extra_delay_ms = *delay_ms,
        FaultKind::RowsLocked { .. }
        | FaultKind::RowsRefused { .. }
        | FaultKind::StatusWithoutExecuting(_)
        | FaultKind::Throttled(_)
        | FaultKind::SessionInvalid
        | FaultKind::ApiDisabled => {}
    }
}
