//! What a fake organisation looks like before its first request.
//!
//! Close publishes no figures of its limits: the defaults are its documentation's examples, 20 requests a second per key
//! and endpoint group and three times as many per organisation, and a stricter search. What is marked "chosen" has no
//! published source.

use std::collections::BTreeMap;

use super::records::ObjectKind;
use crate::fakes::NoMoreNumbers;

/// A fake organisation.
#[derive(Debug, Clone)]
pub struct CloseConfig {
    pub organization_id: String,
    pub keys: Vec<ApiKey>,
    /// What refreshes OAuth tokens, if anything does.
    pub oauth: Option<OauthClient>,
    /// Requests of one key in each endpoint group per window.
    pub key_limit: u32,
    /// Length of the sliding window.
    pub window_ms: i64,
    /// Groups with a limit of their own, by method and path template (`POST /data/search/`).
    pub group_limits: BTreeMap<String, u32>,
    /// The organisation's limit is so many times the key's.
    pub organization_factor: u32,
    /// Whether a 429 has the older, deprecated body, with its fractional `rate_reset`.
    pub old_throttle_body: bool,
    /// How long after a write the search shows it. Chosen: 3 s.
    pub search_lag_ms: i64,
    /// Country calling code for numbers typed without one; such numbers are then kept in E.164. Without it every number
    /// stays as it was typed. Chosen: 1.
    pub country: Option<String>,
    /// Mean service time, and how far a sample lies from it at most (uniform).
    pub service_ms: u64,
    pub service_jitter_ms: u64,
    /// Seed of the service times.
    pub seed: u64,
    /// Custom fields made by the customer before the first request.
    pub custom_fields: Vec<CustomField>,
    pub users: Vec<String>,
    /// E-mail addresses of users, by id; one without has none.
    pub user_emails: BTreeMap<String, String>,
    /// Statuses of leads, the default first.
    pub lead_statuses: Vec<String>,
    /// Statuses of opportunities in their one pipeline, the default first.
    pub opportunity_statuses: Vec<String>,
    /// What a status says of an opportunity: `won` or `lost`; `active` for one that isn't here.
    pub status_types: BTreeMap<String, String>,
    pub pipeline: String,
    /// What people call statuses, pipeline and outcomes, by id; what isn't here is called by its id.
    pub labels: BTreeMap<String, String>,
    /// Outcomes of calls.
    pub outcomes: Vec<String>,
    /// The largest `_skip` of a listing: beyond it a 400. Chosen.
    pub max_skip: usize,
}

impl Default for CloseConfig {
    fn default() -> Self {
        Self {
            organization_id: "orga_5300".to_owned(),
            keys: vec![ApiKey::key("sim-key")],
            oauth: None,
            key_limit: 20,
            window_ms: 1_000,
            group_limits: [("POST /data/search/".to_owned(), 5)].into(),
            organization_factor: 3,
            old_throttle_body: false,
            search_lag_ms: 3_000,
            country: Some("1".to_owned()),
            service_ms: 60,
            service_jitter_ms: 20,
            seed: 1,
            custom_fields: Vec::new(),
            users: vec!["user_71".to_owned(), "user_72".to_owned()],
            user_emails: texts(&[
                ("user_71", "sales.east@example.com"),
                ("user_72", "sales.west@example.com"),
            ]),
            lead_statuses: vec!["stat_10".to_owned(), "stat_11".to_owned()],
            opportunity_statuses: vec![
                "stat_20".to_owned(),
                "stat_21".to_owned(),
                "stat_22".to_owned(),
            ],
            status_types: texts(&[("stat_22", "won")]),
            pipeline: "pipe_1".to_owned(),
            labels: texts(&[
                ("pipe_1", "Sales"),
                ("stat_20", "Talking"),
                ("stat_21", "Offer sent"),
                ("stat_22", "Won"),
            ]),
            outcomes: vec!["outcome_1".to_owned()],
            max_skip: 10_000,
        }
    }
}

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    pairs
        .map(|(id, text)| ((*id).to_owned(), (*text).to_owned()))
        .collect()
}

/// A credential. Each has limits of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub secret: String,
    /// Shown as a bearer token rather than as a user name.
    pub oauth: bool,
    /// Whether its user may make custom fields.
    pub manages_fields: bool,
}

impl ApiKey {
    /// An API key of an administrator.
    pub fn key(secret: &str) -> Self {
        Self {
            secret: secret.to_owned(),
            oauth: false,
            manages_fields: true,
        }
    }

    /// An OAuth access token of an administrator.
    pub fn token(secret: &str) -> Self {
        Self {
            oauth: true,
            ..Self::key(secret)
        }
    }
}

/// An OAuth application with the refresh token it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthClient {
    pub client_id: String,
    pub client_secret: String,
    pub refresh_token: String,
    /// Life of an access token, seconds: an hour, second-hand.
    pub expires_in_s: i64,
}

/// A custom field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomField {
    pub object: ObjectKind,
    /// `cf_` and letters or digits.
    pub id: String,
    pub name: String,
    /// `text`, `number`, `date` or `choices`.
    pub kind: String,
}

impl CustomField {
    pub fn text(object: ObjectKind, id: &str, name: &str) -> Self {
        Self {
            object,
            id: id.to_owned(),
            name: name.to_owned(),
            kind: "text".to_owned(),
        }
    }
}

/// A configuration the model can't work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    #[error("two credentials have the same secret: give each its own")]
    SharedSecret,
    #[error("{0} must be greater than zero: nothing could ever be sent")]
    ZeroLimit(&'static str),
    #[error("there are two custom fields {0:?}: choose another id")]
    FieldExists(String),
    #[error(transparent)]
    NoMoreNumbers(#[from] NoMoreNumbers),
}
