//! What a fake account looks like before its first request.
//!
//! Defaults are a Professional account with one private app: 190 requests per rolling 10 s, 5 searches per rolling second,
//! 625,000 requests a day (the vendor's usage guidelines). Numbers marked "chosen" have no published source.

use std::collections::BTreeSet;

use super::oauth::OauthClient;
use super::records::ObjectKind;
use crate::fakes::NoMoreNumbers;

/// Every scope the model knows; a private app in the defaults holds them all.
pub const ALL_SCOPES: [&str; 7] = [
    "crm.objects.contacts.read",
    "crm.objects.contacts.write",
    "crm.objects.deals.read",
    "crm.objects.deals.write",
    "crm.objects.owners.read",
    "crm.schemas.contacts.write",
    "crm.schemas.deals.write",
];

/// A fake account.
#[derive(Debug, Clone)]
pub struct HubSpotConfig {
    pub portal_id: u64,
    /// IANA name of the account's zone: the daily counter starts anew at its midnight.
    pub time_zone: String,
    pub apps: Vec<App>,
    /// Who may refresh access tokens.
    pub oauth_clients: Vec<OauthClient>,
    /// Requests a day for the whole account.
    pub daily_limit: u64,
    /// Searches per `search_interval_ms` for the whole account.
    pub search_limit: u32,
    pub search_interval_ms: i64,
    /// Length of the rolling window of each app.
    pub interval_ms: i64,
    /// Whether a throttled request takes a place in the windows. Not documented; chosen: it doesn't.
    pub rejected_requests_count: bool,
    /// How long after a write the search index shows it. No bound is documented; chosen: 5 s.
    pub search_lag_ms: i64,
    /// Mean service time, and how far a sample lies from it at most (uniform).
    pub service_ms: u64,
    pub service_jitter_ms: u64,
    /// Seed of the service times.
    pub seed: u64,
    /// Properties made by the customer before the first request.
    pub properties: Vec<CustomProperty>,
    pub owners: Vec<Owner>,
    pub deal_pipelines: Vec<Pipeline>,
    pub unique_conflict: UniqueConflict,
    /// The vendor promises no order of batch results. `false` turns them by one place, so that whoever relies on the
    /// order is found out.
    pub batch_results_in_order: bool,
}

impl Default for HubSpotConfig {
    fn default() -> Self {
        Self {
            portal_id: 4_242_001,
            time_zone: "America/New_York".to_owned(),
            apps: vec![App::private("sim-token")],
            oauth_clients: Vec::new(),
            daily_limit: 625_000,
            search_limit: 5,
            search_interval_ms: 1_000,
            interval_ms: 10_000,
            rejected_requests_count: false,
            search_lag_ms: 5_000,
            service_ms: 40,
            service_jitter_ms: 10,
            seed: 1,
            properties: Vec::new(),
            owners: vec![
                Owner::new("7700", "sales.east@example.com", "Ines", "Hale"),
                Owner::new("7701", "sales.west@example.com", "Joss", "Marek"),
            ],
            deal_pipelines: vec![Pipeline::default()],
            unique_conflict: UniqueConflict::Conflict409,
            batch_results_in_order: false,
        }
    }
}

/// One set of credentials. Its rolling window is its own; daily counter and searches are the account's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    pub app_id: u64,
    pub token: String,
    pub scopes: BTreeSet<String>,
    /// Requests per rolling window: 100, 190 or 250 for private apps, 110 for public OAuth apps.
    pub interval_limit: u32,
    /// Public OAuth apps get no daily headers and no daily limit.
    pub oauth: bool,
}

impl App {
    /// A private app with every scope and 190 requests per window.
    pub fn private(token: &str) -> Self {
        Self {
            app_id: 9_001,
            token: token.to_owned(),
            scopes: ALL_SCOPES.iter().map(|&scope| scope.to_owned()).collect(),
            interval_limit: 190,
            oauth: false,
        }
    }
}

/// A property the customer made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomProperty {
    pub object: ObjectKind,
    pub name: String,
    /// `hasUniqueValue`: two records can't hold the same value, and upserts may go by it.
    pub unique: bool,
}

impl CustomProperty {
    pub fn text(object: ObjectKind, name: &str) -> Self {
        Self {
            object,
            name: name.to_owned(),
            unique: false,
        }
    }

    pub fn unique(object: ObjectKind, name: &str) -> Self {
        Self {
            object,
            name: name.to_owned(),
            unique: true,
        }
    }
}

/// A user records can belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    pub id: String,
    pub email: String,
    pub first_name: String,
    pub last_name: String,
}

impl Owner {
    pub fn new(id: &str, email: &str, first_name: &str, last_name: &str) -> Self {
        Self {
            id: id.to_owned(),
            email: email.to_owned(),
            first_name: first_name.to_owned(),
            last_name: last_name.to_owned(),
        }
    }
}

/// A deal pipeline with its stages in display order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipeline {
    pub id: String,
    pub label: String,
    pub stages: Vec<Stage>,
}

/// A stage: id, label, probability as text (`0.2`), whether a deal in it is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    pub id: String,
    pub label: String,
    pub probability: String,
    pub closed: bool,
}

impl Default for Pipeline {
    /// The pipeline a new account has.
    fn default() -> Self {
        let stage = |id: &str, label: &str, probability: &str, closed| Stage {
            id: id.to_owned(),
            label: label.to_owned(),
            probability: probability.to_owned(),
            closed,
        };
        Self {
            id: "default".to_owned(),
            label: "Sales Pipeline".to_owned(),
            stages: vec![
                stage(
                    "appointmentscheduled",
                    "Appointment Scheduled",
                    "0.2",
                    false,
                ),
                stage("qualifiedtobuy", "Qualified To Buy", "0.4", false),
                stage(
                    "presentationscheduled",
                    "Presentation Scheduled",
                    "0.6",
                    false,
                ),
                stage(
                    "decisionmakerboughtin",
                    "Decision Maker Bought-In",
                    "0.8",
                    false,
                ),
                stage("contractsent", "Contract Sent", "0.9", false),
                stage("closedwon", "Closed Won", "1.0", true),
                stage("closedlost", "Closed Lost", "0.0", true),
            ],
        }
    }
}

/// How a value that must be unique and isn't is refused: a key of the customer's own as well as an e-mail address, in a
/// create, an update and an upsert. Live accounts answer in either shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UniqueConflict {
    /// 409 `CONFLICT`, `<Object> already exists. Existing ID: <id>`.
    Conflict409,
    /// 400 `VALIDATION_ERROR`, `Cannot set PropertyValueCoordinates{…} on <id>. <existing id> already has that value.`, as
    /// recorded in 2026. A create names the id that the record would have had.
    AlreadyHasThatValue400,
}

/// A configuration the model can't work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    #[error("time zone {0:?} is not in the IANA database: use a name such as \"America/New_York\"")]
    UnknownTimeZone(String),
    #[error("app {0} and another one share a token: give each app its own")]
    SharedToken(u64),
    #[error("{0} must be greater than zero: nothing could ever be sent")]
    ZeroLimit(&'static str),
    #[error("property {0:?} exists already: choose another name")]
    PropertyExists(String),
    #[error(transparent)]
    NoMoreNumbers(#[from] NoMoreNumbers),
}
