//! What a fake company looks like before its first request.
//!
//! Defaults are a Growth company of ten seats with one API token: 40 requests per rolling 2 s, 10 searches per rolling 2 s,
//! 600,000 tokens a day (the vendor's rate-limiting page, September 2026). What is marked "chosen" has no published source.

use super::oauth::OauthClient;
use crate::fakes::NoMoreNumbers;

/// A fake company.
#[derive(Debug, Clone)]
pub struct PipedriveConfig {
    pub company_id: u64,
    /// The company's part of its address.
    pub domain: String,
    /// Where the OAuth address says that the company's API is; at the vendor's without it.
    pub api_domain: Option<String>,
    /// IANA name of the server's zone: the day's tokens start anew at its midnight. Not published; chosen: UTC.
    pub time_zone: String,
    /// Currency of deals that name none.
    pub currency: String,
    pub users: Vec<User>,
    pub tokens: Vec<Token>,
    /// Who may refresh access tokens.
    pub oauth_clients: Vec<OauthClient>,
    /// Tokens (the unit of cost) a day for the whole company.
    pub daily_tokens: u64,
    /// Requests per rolling window of one token, searches left out.
    pub burst_limit: u32,
    /// Searches per rolling window of one token.
    pub search_limit: u32,
    /// Length of both windows.
    pub window_ms: i64,
    /// Whether answers show what is left of the day; the vendor calls these headers optional.
    pub daily_headers: bool,
    /// After how many refused requests without an admitted one an API token is locked out. Chosen.
    pub lock_out_after: u32,
    /// How long a lock-out lasts. Chosen.
    pub lock_out_ms: i64,
    /// How long after a write the search shows it. No bound is documented; chosen: 5 s.
    pub search_lag_ms: i64,
    pub phone_search: PhoneSearch,
    /// Status of a creation: the API description says 200, the page on status codes 201.
    pub created_status: u16,
    /// Mean service time, and how far a sample lies from it at most (uniform).
    pub service_ms: u64,
    pub service_jitter_ms: u64,
    /// Seed of the service times.
    pub seed: u64,
    /// Custom fields made before the first request.
    pub custom_fields: Vec<CustomField>,
    pub pipelines: Vec<Pipeline>,
}

impl Default for PipedriveConfig {
    fn default() -> Self {
        Self {
            company_id: 7_700_001,
            domain: "sim-company".to_owned(),
            api_domain: None,
            time_zone: "UTC".to_owned(),
            currency: "EUR".to_owned(),
            users: vec![
                User::new(31, "Ines Hale", "sales.east@example.com", true),
                User::new(32, "Joss Marek", "sales.west@example.com", false),
            ],
            tokens: vec![Token::api("sim-token", 31)],
            oauth_clients: Vec::new(),
            daily_tokens: 600_000,
            burst_limit: 40,
            search_limit: 10,
            window_ms: 2_000,
            daily_headers: true,
            lock_out_after: 50,
            lock_out_ms: 60_000,
            search_lag_ms: 5_000,
            phone_search: PhoneSearch::AsTyped,
            created_status: 200,
            service_ms: 60,
            service_jitter_ms: 15,
            seed: 1,
            custom_fields: Vec::new(),
            pipelines: vec![Pipeline::default()],
        }
    }
}

/// How the search compares phone numbers. Not documented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhoneSearch {
    /// With what was typed, character by character: the strictest reading, so chosen.
    AsTyped,
    /// With the digits of what was typed.
    Digits,
}

/// A credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub value: String,
    /// Whose it is.
    pub user_id: u64,
    /// OAuth access tokens go as a bearer and are never locked out; API tokens go in a header of their own.
    pub oauth: bool,
}

impl Token {
    /// An API token.
    pub fn api(value: &str, user_id: u64) -> Self {
        Self {
            value: value.to_owned(),
            user_id,
            oauth: false,
        }
    }

    /// An OAuth access token.
    pub fn oauth(value: &str, user_id: u64) -> Self {
        Self {
            oauth: true,
            ..Self::api(value, user_id)
        }
    }
}

/// A user of the company.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: u64,
    pub name: String,
    pub email: String,
    /// Administrators may make custom fields and give notes another author or date.
    pub admin: bool,
}

impl User {
    pub fn new(id: u64, name: &str, email: &str, admin: bool) -> Self {
        Self {
            id,
            name: name.to_owned(),
            email: email.to_owned(),
            admin,
        }
    }
}

/// Objects with custom fields of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FieldOwner {
    Person,
    Deal,
}

/// A custom field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomField {
    pub on: FieldOwner,
    pub name: String,
    /// 40 hexadecimal digits at the vendor's.
    pub code: String,
    /// `varchar`, `text`, `double`, …
    pub kind: String,
}

impl CustomField {
    /// A field of one line of text.
    pub fn text(on: FieldOwner, name: &str, code: &str) -> Self {
        Self {
            on,
            name: name.to_owned(),
            code: code.to_owned(),
            kind: "varchar".to_owned(),
        }
    }
}

/// A pipeline with its stages in order: id and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipeline {
    pub id: u64,
    pub name: String,
    pub stages: Vec<(u64, String)>,
}

impl Default for Pipeline {
    /// The pipeline a new company has.
    fn default() -> Self {
        let stages = [
            "Qualified",
            "Contact made",
            "Demo",
            "Proposal",
            "Negotiation",
        ];
        Self {
            id: 1,
            name: "Pipeline".to_owned(),
            stages: (1..)
                .zip(stages)
                .map(|(id, name)| (id, name.to_owned()))
                .collect(),
        }
    }
}

/// A company that can't be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    #[error("`{0}` is no time zone: use an IANA name such as `Europe/Tallinn`")]
    UnknownTimeZone(String),
    #[error("{0} is zero: no request would ever be admitted")]
    ZeroLimit(&'static str),
    #[error("a token belongs to user {0}, who is not among the users")]
    UnknownUser(u64),
    #[error("two tokens of user {0} are the same")]
    SharedToken(u64),
    #[error(transparent)]
    NoMoreNumbers(#[from] NoMoreNumbers),
}
