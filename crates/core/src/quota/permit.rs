//! What is asked of the engine and told to it.

use serde::{Deserialize, Serialize};

use crate::lane::Lane;
use crate::time::Tick;
use crate::vendor::Charge;

/// A granted request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct PermitId(pub u64);

/// What came of a granted request, as far as windows are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settlement {
    /// The CRM answered.
    Answered,
    /// No answer came; it may arrive there late.
    Unanswered,
    /// It never left.
    NotSent,
}

/// Answer to the wish for a permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// The request may leave now.
    Granted(PermitId),
    /// A block must be journaled first: write [`super::Limiter::journal_due`], then ask again.
    Unwritten,
    /// Nothing before this instant (`None`: not before something is settled).
    Wait {
        /// When to ask again.
        until: Option<Tick>,
        /// The window that binds; `pause` for a pause, `pace` for enrichment's spacing.
        window: &'static str,
    },
}

/// How a granted request found one of its windows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seat {
    /// The window, and what it takes of it.
    pub(super) charge: Charge,
    /// What we occupied ourselves, itself included.
    pub(super) own: u32,
    /// What had ever been granted in it, itself included.
    pub(super) granted: u64,
    /// Whether it is one of those that try a level out.
    pub(super) zone: bool,
    /// How far it moved the pace on, milliseconds.
    pub(super) step_ms: u64,
}

/// What is remembered of a request under way.
#[derive(Debug)]
pub(super) struct Permit {
    pub(super) seats: Vec<Seat>,
    pub(super) lane: Lane,
    pub(super) block: u64,
    pub(super) granted_at: Tick,
    pub(super) day: i32,
    /// Operational grants since the last one of enrichment, before this one.
    pub(super) op_since_en: u32,
    /// The CRM refused it for its limits.
    pub(super) refused: bool,
    /// Windows of which its answer told what is left, and whether that is next to nothing.
    pub(super) told: Vec<(usize, bool)>,
}

impl Permit {
    /// How it found this window, if it counts there.
    pub(super) fn seat(&self, window: usize) -> Option<Seat> {
        self.seats
            .iter()
            .find(|seat| seat.charge.window == window)
            .copied()
    }

    /// What it costs.
    pub(super) fn charges(&self) -> impl Iterator<Item = Charge> + '_ {
        self.seats.iter().map(|seat| seat.charge)
    }
}
