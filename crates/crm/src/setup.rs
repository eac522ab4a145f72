//! How what a CRM account needs is told: checked, missing, wrong, and what makes it right.
//!
//! The checks themselves are each CRM's own (`setup` of its module).

use callflume_core::vendor::HttpRequest;

/// How a required thing stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// As it must be.
    Ok,
    /// Not there.
    Missing,
    /// There but not as it must be, or not to be told; with the reason.
    Wrong(String),
}

/// The result of checking or making one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at, such as `property contacts.callflume_key`.
    pub what: String,
    /// How it stands.
    pub state: State,
    /// What to do; empty if it is as it must be.
    pub remedy: String,
    /// The request that makes what is missing, where one can.
    pub repair: Option<HttpRequest>,
}

impl Finding {
    /// It is as it must be.
    pub const fn ok(what: String) -> Self {
        Self {
            what,
            state: State::Ok,
            remedy: String::new(),
            repair: None,
        }
    }

    /// It isn't, for this reason.
    pub fn wrong(what: String, reason: String, remedy: impl Into<String>) -> Self {
        Self {
            what,
            state: State::Wrong(reason),
            remedy: remedy.into(),
            repair: None,
        }
    }
}
