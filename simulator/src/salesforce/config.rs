//! What a fake org looks like before its first request.
//!
//! Defaults are an Enterprise org of ten licences: 110,000 requests in any 24 hours, 25 long requests at a time (the
//! vendor's page on limits, autumn 2026). What is marked "chosen" has no published source.

use super::custom::CustomField;
use super::oauth::ConnectedApp;
use crate::fakes::NoMoreNumbers;

/// A fake org.
#[derive(Debug, Clone)]
pub struct SalesforceConfig {
    /// 18 characters, as it opens access tokens.
    pub org_id: String,
    /// Where the token endpoint says that the org lives.
    pub instance_url: String,
    pub users: Vec<User>,
    /// Access tokens that are good from the start and until something ends them.
    pub sessions: Vec<Session>,
    pub apps: Vec<ConnectedApp>,
    /// How long an access token of the token endpoint lives. The reply doesn't say it. Chosen: 2 h, the usual setting.
    pub session_life_ms: i64,
    /// Requests in any 24 hours, of the whole org.
    pub daily_requests: u32,
    /// How many per cent of the daily figure an org may exceed it before it is refused. 0 for Developer, trial and
    /// sandbox orgs; for others not published.
    pub overrun_percent: u32,
    /// Requests of 20 s and longer at the same time.
    pub long_requests: u32,
    /// Rows of Bulk API 2.0 in any 24 hours.
    pub daily_bulk_rows: u64,
    /// Whether the usage header also names `api-bursts`, whose meaning is documented nowhere.
    pub burst_header: bool,
    /// How long after a write `parameterizedSearch` shows it. No bound is documented; chosen: 5 s.
    pub search_lag_ms: i64,
    /// The rule that keeps people from being there twice, if the org has it switched on.
    pub duplicate_rule: Option<DuplicateRule>,
    pub custom_fields: Vec<CustomField>,
    /// Whether a field made through the Tooling API may be seen and written by its maker at once. Without it, as in orgs
    /// where nobody granted access, it is there and yet can't be used. Not documented where we looked; chosen: true.
    pub made_fields_are_visible: bool,
    /// Whether `TaskSubtype` can be given on creation only. Not verified; chosen: false.
    pub task_subtype_is_fixed: bool,
    pub stages: Vec<Stage>,
    /// How long a closed job waits before its rows are written. Chosen: 2 s.
    pub bulk_queue_ms: i64,
    /// Rows of a job written per second. Chosen: 1,000.
    pub bulk_rows_per_s: u32,
    /// Mean service time, and how far a sample lies from it at most (uniform).
    pub service_ms: u64,
    pub service_jitter_ms: u64,
    /// Seed of the service times.
    pub seed: u64,
}

impl Default for SalesforceConfig {
    fn default() -> Self {
        Self {
            org_id: "00D5g0000007700EAA".to_owned(),
            instance_url: "https://sim-org.my.salesforce.com".to_owned(),
            users: vec![
                User::new("Ines Hale", "sales.east@example.com", true),
                User::new("Joss Marek", "sales.west@example.com", false),
            ],
            sessions: vec![Session::new("sim-token", 0)],
            apps: Vec::new(),
            session_life_ms: 7_200_000,
            daily_requests: 110_000,
            overrun_percent: 0,
            long_requests: 25,
            daily_bulk_rows: 150_000_000,
            burst_header: false,
            search_lag_ms: 5_000,
            duplicate_rule: None,
            custom_fields: Vec::new(),
            made_fields_are_visible: true,
            task_subtype_is_fixed: false,
            stages: Stage::usual(),
            bulk_queue_ms: 2_000,
            bulk_rows_per_s: 1_000,
            service_ms: 120,
            service_jitter_ms: 40,
            seed: 1,
        }
    }
}

/// A user of the org.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub name: String,
    pub email: String,
    /// Whether the user may make custom fields.
    pub admin: bool,
    /// An inactive user can own nothing new.
    pub active: bool,
}

impl User {
    /// An active user.
    pub fn new(name: &str, email: &str, admin: bool) -> Self {
        Self {
            name: name.to_owned(),
            email: email.to_owned(),
            admin,
            active: true,
        }
    }
}

/// An access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub token: String,
    /// Place of its user in [`SalesforceConfig::users`].
    pub user: usize,
}

impl Session {
    pub fn new(token: &str, user: usize) -> Self {
        Self {
            token: token.to_owned(),
            user,
        }
    }
}

/// A rule against contacts that are there already: the same e-mail address, or the same name with the same phone.
///
/// It looks at creations only, upserts among them. How the vendor's standard rule compares isn't published; chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DuplicateRule {
    /// Whether `Sforce-Duplicate-Rule-Header: allowSave=true` passes it.
    pub allow_save: bool,
    /// Whether the answer spells the result `duplicateResut`, as the vendor did when it was last seen.
    pub misspelt: bool,
    /// Whether items of a collection name the records found. The only sample seen doesn't.
    pub told_in_items: bool,
}

impl Default for DuplicateRule {
    fn default() -> Self {
        Self {
            allow_save: true,
            misspelt: true,
            told_in_items: false,
        }
    }
}

/// A stage of opportunities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    pub name: String,
    /// Per cent.
    pub probability: u32,
    pub closed: bool,
    pub won: bool,
    pub active: bool,
}

impl Stage {
    /// A stage on the way.
    pub fn open(name: &str, probability: u32) -> Self {
        Self {
            name: name.to_owned(),
            probability,
            closed: false,
            won: false,
            active: true,
        }
    }

    /// A stage at the end.
    pub fn closed(name: &str, won: bool) -> Self {
        Self {
            name: name.to_owned(),
            probability: if won { 100 } else { 0 },
            closed: true,
            won,
            active: true,
        }
    }

    fn usual() -> Vec<Self> {
        vec![
            Self::open("Prospecting", 10),
            Self::open("Qualification", 20),
            Self::open("Proposal", 60),
            Self::closed("Closed Won", true),
            Self::closed("Closed Lost", false),
        ]
    }
}

/// An org that can't be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    #[error("{0} is zero: no request would ever be admitted")]
    ZeroLimit(&'static str),
    #[error("a session or an app belongs to user {0}, but there are only {1} users")]
    UnknownUser(usize, usize),
    #[error("two sessions of user {0} have the same token: give each its own")]
    SharedToken(usize),
    #[error("a custom field {0:?} can't be made: {1}")]
    BadField(String, String),
    #[error(transparent)]
    NoMoreNumbers(#[from] NoMoreNumbers),
}
