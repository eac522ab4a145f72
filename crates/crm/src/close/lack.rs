//! Why an item isn't sent.

use callflume_core::codes;
use callflume_core::vendor::ItemOutcome;

/// What keeps an item from being sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lack {
    /// It never can be, for this reason.
    Refused(&'static str),
    /// A custom field that `account prepare` makes isn't in the account's settings: trouble of the whole account.
    Unprepared,
    /// The id of the record, or of the contact it belongs to, is none of Close's: it is looked up anew.
    Gone,
}

impl Lack {
    /// What it means for the item.
    pub(crate) fn outcome(self) -> ItemOutcome {
        match self {
            Self::Refused(reason) => ItemOutcome::Refused {
                code: codes::CRM_REFUSED,
                reason: format!("not sent: {reason}"),
            },
            Self::Unprepared => ItemOutcome::NotExecuted,
            Self::Gone => ItemOutcome::Gone,
        }
    }
}
