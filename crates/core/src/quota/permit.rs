//! What is asked of the engine and told to it.

use crate::time::Tick;

/// A granted request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PermitId(pub u64);

/// What came of a granted request, as far as windows are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// A block must be journaled first: write [`super::Quota::journal_due`], then ask again.
    Unwritten,
    /// Nothing before this instant (`None`: not before something is settled).
    Wait {
        /// When to ask again.
        until: Option<Tick>,
        /// The window that binds; `pause` for a pause, `pace` for enrichment's spacing.
        window: &'static str,
    },
}
