//! Scripted faults: which requests go wrong, and how.
//!
//! No chance is involved: a fault says which matching requests it hits, so a run can be repeated to the byte. Faults see
//! only requests with good credentials that passed the limits; a throttled request is never also hit.

use super::limits::Policy;
use super::replies::failed;
use crate::fakes::Struck;
use crate::fakes::{Deliver, Reply};

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
pub type Fault = crate::fakes::Fault<FaultKind>;

impl Struck for FaultKind {}

pub(super) type FaultScript = crate::fakes::FaultScript<FaultKind>;

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
