//! What the dispatcher needs of whatever decides when a request may leave.
//!
//! [`super::Quota`] is the one that accounts run with; others exist to be compared with it, under the same dispatcher.
//!
//! Contract for one request: [`Limiter::ask`] grants it; with its answer come, in this order,
//! [`Limiter::observe`] (what the headers say), at most one of [`Limiter::throttled`] and [`Limiter::day_exhausted`]
//! (the CRM refused it for its limits), and always [`Limiter::settle`], which ends the permit.

use std::fmt::Debug;

use super::{Grant, PermitId, Settlement, Told};
use crate::lane::Lane;
use crate::record::JournalRecord;
use crate::time::{Now, Tick};
use crate::vendor::{Charge, Observation};

/// Decides when requests leave. Never waits and never reads a clock; says until when there is nothing to be had.
pub trait Limiter: Send + Debug {
    /// Asks for one request that costs `charges`: all windows grant it or none does.
    fn ask(&mut self, now: Now, lane: Lane, charges: &[Charge]) -> Grant;

    /// What the headers of the answer to this request say about the windows.
    fn observe(&mut self, _now: Now, _permit: PermitId, _observations: &[Observation]) {}

    /// The CRM refused this request because a window is full. `window` is its name, empty when the CRM doesn't say;
    /// `hint_ms` the CRM's own idea of how long to wait. Decides until when nothing leaves and what comes then.
    fn throttled(&mut self, now: Now, permit: PermitId, window: &str, hint_ms: Option<u64>);

    /// The CRM says that the day's quota is used up. Answers whether that is news: requests that were under way at
    /// the same time say the same.
    fn day_exhausted(&mut self, now: Now) -> bool;

    /// Says what came of a granted request. Unknown permits are ignored, so settling twice is harmless.
    fn settle(&mut self, now: Now, permit: PermitId, settlement: Settlement);

    /// An operational request is wished for, whether or not it is granted at once: what the reserve is learned from.
    fn wished(&mut self, _now: Now, _charges: &[Charge]) {}

    /// Looks at the windows of a day: what is to be told about them.
    fn look(&mut self, _now: Now) -> Told {
        Told::default()
    }

    /// Whether enrichment has waited for its share and is asked for first.
    fn en_turn(&self) -> bool {
        false
    }

    /// No request before `until`, for reasons other than limits: the CRM is failing, the credential is refused.
    fn pause(&mut self, until: Tick);

    /// How long the account as a whole is still paused, milliseconds.
    fn paused_for_ms(&self, now: Tick) -> u64;

    /// Ends every pause.
    fn resume(&mut self);

    /// Per window its name, what is used of it and what is allowed at the moment.
    fn usage(&mut self, now: Now) -> Vec<(&'static str, u32, u32)>;

    /// The journal record to write now, if one is due: a new block because permits are `wanted`, or the settlement of
    /// old ones. At most one is in the air; [`Limiter::journaled`] ends it. Without a journal: never.
    fn journal_due(&mut self, _now: Now, _wanted: Option<&[Charge]>) -> Option<JournalRecord> {
        None
    }

    /// The record in the air was written (`true`), or the write failed and must be tried again.
    fn journaled(&mut self, _now: Now, _written: bool) {}

    /// When [`Limiter::journal_due`] wants to be asked by itself.
    fn journal_wake(&self) -> Option<Tick> {
        None
    }

    /// Whether a journal record is in the air.
    fn is_journaling(&self) -> bool {
        false
    }

    /// Gives permits that were taken in advance back, for whoever comes next.
    fn close(&mut self, _now: Now) {}
}
