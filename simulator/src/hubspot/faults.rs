//! Scripted faults: which requests go wrong, and how.
//!
//! No chance is involved: a fault says which matching requests it hits, so a run can be repeated to the byte. Faults see
//! only requests with good credentials that passed the limits; a throttled request is never also hit.

use super::HubSpot;
use super::config::App;
use super::limits::{Policy, Pool};
use super::replies::{Refusal, html, throttled};
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
    /// Not carried out, never answered.
    DropWithoutExecuting,
    /// Not carried out, answered with this status and an error body.
    StatusWithoutExecuting(u16),
    /// Not carried out, a 502 as an HTML page.
    Html502,
    /// Not carried out, 423: the account is busy for 2 s.
    Locked423,
    /// Not carried out, 477: the account is moving; `Retry-After` in seconds.
    Migrating477 { retry_after_s: u32 },
    /// Not carried out, a 429 although no window is full (somebody else spent the quota).
    Throttled(Policy),
}

impl FaultKind {
    /// Whether the request is carried out all the same.
    pub fn executes(&self) -> bool {
        matches!(
            self,
            Self::ExecuteThenStatus(_)
                | Self::ExecuteThenDrop
                | Self::ExecuteThenTruncate
                | Self::ExecuteSlowly(_)
        )
    }
}

/// A fault and the requests it hits.
pub type Fault = crate::fakes::Fault<FaultKind>;

impl Struck for FaultKind {}

pub(super) type FaultScript = crate::fakes::FaultScript<FaultKind>;

impl HubSpot {
    /// The reply to a request that a fault keeps from being carried out.
    pub(super) fn broken(
        &mut self,
        kind: &FaultKind,
        app: &App,
        pool: Pool,
        correlation: &str,
    ) -> Reply {
        match kind {
            FaultKind::Throttled(policy) => {
                self.limits.give_back(app, pool);
                let mut reply = throttled(*policy, correlation);
                self.add_limit_headers(self.now_ms, app, pool, Some(*policy), &mut reply);
                reply
            }
            FaultKind::Html502 => html(502, "Bad Gateway"),
            FaultKind::Locked423 => {
                Refusal::new(423, "LOCKED", "The account is locked: try again in 2 s")
                    .reply(correlation)
            }
            FaultKind::Migrating477 { retry_after_s } => {
                let mut reply = Refusal::new(477, "MIGRATION_IN_PROGRESS", "Migration in progress")
                    .reply(correlation);
                reply.push_header("Retry-After", retry_after_s);
                reply
            }
            FaultKind::StatusWithoutExecuting(status) => failed(*status, correlation),
            _ => failed(500, correlation),
        }
    }
}

fn failed(status: u16, correlation: &str) -> Reply {
    match status {
        502 => html(502, "Bad Gateway"),
        503 => html(503, "Service Unavailable"),
        504 => html(504, "Gateway Timeout"),
        status => Refusal::new(status, "INTERNAL_ERROR", "internal error").reply(correlation),
    }
}

/// What a fault does to the reply of a request, carried out or not.
pub(super) fn spoil(kind: &FaultKind, correlation: &str, reply: &mut Reply) {
    match kind {
        FaultKind::ExecuteThenStatus(status) => *reply = failed(*status, correlation),
        FaultKind::ExecuteThenDrop | FaultKind::DropWithoutExecuting => {
            reply.deliver = Deliver::Drop;
        }
        FaultKind::ExecuteThenTruncate => reply.body.truncate(reply.body.len() / 2),
        FaultKind::ExecuteSlowly(delay_ms) => reply.extra_delay_ms = *delay_ms,
        _ => {}
    }
}
