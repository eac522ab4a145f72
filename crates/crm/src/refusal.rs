//! What the refusals of all CRMs have in common.

use callflume_core::codes;
use callflume_core::vendor::ItemOutcome;

/// The reason of a refusal that says nothing.
pub(crate) fn bare_reason(status: u16) -> String {
    format!("HTTP {status}")
}

/// Refused for good, for this reason.
pub(crate) const fn refused(reason: String) -> ItemOutcome {
    ItemOutcome::Refused {
        code: codes::CRM_REFUSED,
        reason,
    }
}
