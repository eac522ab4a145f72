//! What the answer of a token address means. Total: every status, body and failure has a meaning.
//!
//! | answer | meaning |
//! | --- | --- |
//! | 2xx with an access token | granted |
//! | 2xx without a usable one | passing; the refresh token may be used up |
//! | 400 or 401 that says the refresh token is no good | ended |
//! | 400 with a word for a passing state (Salesforce: `unknown_error`, a login rate) | passing |
//! | 408, 425, 429 | passing, with the CRM's hint |
//! | 5xx, cut off, timed out | passing; the refresh token may be used up |
//! | nothing sent | passing |
//! | any other (3xx, 4xx) | misconfigured: app, secret or address |
//!
//! Of what the CRM says, only a word of letters and underscores leaves this module: a text may repeat what was sent.

use std::fmt;

use callflume_core::vendor::Answer;
use serde_json::{Map, Value};

use super::Dialect;
use crate::headers;

/// Longest access or refresh token, characters: HubSpot's are up to 300, those that are signed texts some thousands.
const TOKEN_MAX: usize = 16_384;
/// Longest list of scopes that is kept, characters.
const SCOPE_MAX: usize = 4_096;
/// Longest life that is believed, seconds: a year.
const LIFE_MAX_S: u64 = 31_536_000;
/// Words for a refresh token that is no good (any more).
const ENDED: &[&str] = &[
    "invalid_grant",
    "bad_refresh_token",
    "invalid_refresh_token",
];
/// Words, and parts of Salesforce's sentences, for a state that passes.
const PASSING: &[&str] = &[
    "unknown_error",
    "temporarily_unavailable",
    "server_error",
    "slow_down",
    "login_rate_exceeded",
    "rate_limit",
    "rate_limited",
];
const PASSING_PHRASES: &[&str] = &[
    "retry your request",
    "rate exceeded",
    "already being processed",
];

/// A new access token.
#[derive(Clone, PartialEq, Eq)]
pub struct Granted {
    /// The access token.
    pub access_token: String,
    /// The refresh token in the answer, which may be the one that was sent.
    pub refresh_token: Option<String>,
    /// How long the access token lives, seconds; none: until a request is refused.
    pub life_s: Option<u64>,
    /// Base address of the account's API, without a slash at its end.
    pub base_url: Option<String>,
    /// The scopes that it has, in the CRM's words, where the answer names them.
    pub scope: Option<String>,
}

impl fmt::Debug for Granted {
    /// Without the tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Granted")
            .field("refresh_token", &self.refresh_token.is_some())
            .field("life_s", &self.life_s)
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

/// What came of asking for an access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenAnswer {
    /// Here it is.
    Granted(Granted),
    /// The refresh token is revoked, expired or was never good: only a new consent helps.
    Ended {
        /// The CRM's word.
        reason: String,
    },
    /// The app's id, secret or address is wrong: only the operator can help.
    Misconfigured {
        /// The CRM's word, or the status.
        reason: String,
    },
    /// Not now; try again.
    Passing {
        /// The CRM's own hint, milliseconds.
        wait_ms: Option<u64>,
        /// Whether the CRM may have granted it all the same, and used the refresh token up.
        in_doubt: bool,
        /// The CRM's word, or what happened.
        reason: String,
    },
}

/// The meaning of an answer.
pub fn interpret(dialect: &Dialect, answer: &Answer) -> TokenAnswer {
    let (status, headers, body) = match answer {
        Answer::NotSent => return passing(None, false, "not sent"),
        Answer::Lost => return passing(None, true, "no answer"),
        Answer::Response {
            status,
            headers,
            body,
        } => (*status, headers, body),
    };
    let value = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let empty = Map::new();
    let fields = value.as_object().unwrap_or(&empty);
    let wait_ms = headers::value(headers, "retry-after").and_then(headers::seconds_as_ms);
    let word = said(fields).unwrap_or_else(|| format!("status {status}"));
    match status {
        200..=299 => match granted(dialect, fields) {
            Some(granted) => TokenAnswer::Granted(granted),
            None => passing(None, true, "an answer without a usable access token"),
        },
        408 | 425 | 429 => passing(wait_ms, false, &word),
        400..=499 if passes(fields) => passing(wait_ms, false, &word),
        400 | 401 | 403 if ended(fields) => TokenAnswer::Ended { reason: word },
        500..=599 => passing(wait_ms, true, &word),
        _ => TokenAnswer::Misconfigured { reason: word },
    }
}

fn passing(wait_ms: Option<u64>, in_doubt: bool, reason: &str) -> TokenAnswer {
    TokenAnswer::Passing {
        wait_ms,
        in_doubt,
        reason: reason.to_owned(),
    }
}

/// Fields in which the CRMs name the kind of error, the telling one first.
const WORDS: [&str; 3] = ["error", "status", "errorCode"];
/// Fields with a sentence, for telling kinds apart only.
const SENTENCES: [&str; 3] = ["error_description", "message", "error"];

/// The CRM's word for the error, if it is one.
fn said(fields: &Map<String, Value>) -> Option<String> {
    WORDS
        .iter()
        .filter_map(|name| fields.get(*name)?.as_str())
        .find(|word| {
            (1..=40).contains(&word.len())
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
                // HubSpot's plain "error" says nothing.
                && !word.eq_ignore_ascii_case("error")
        })
        .map(str::to_ascii_lowercase)
}

fn sentences(fields: &Map<String, Value>) -> impl Iterator<Item = String> + '_ {
    SENTENCES
        .iter()
        .filter_map(|name| fields.get(*name)?.as_str())
        .map(str::to_ascii_lowercase)
}

fn has_word(fields: &Map<String, Value>, words: &[&str]) -> bool {
    WORDS.iter().any(|name| {
        fields
            .get(*name)
            .and_then(Value::as_str)
            .is_some_and(|said| words.iter().any(|word| said.eq_ignore_ascii_case(word)))
    })
}

fn passes(fields: &Map<String, Value>) -> bool {
    has_word(fields, PASSING)
        || sentences(fields).any(|text| PASSING_PHRASES.iter().any(|phrase| text.contains(phrase)))
}

fn ended(fields: &Map<String, Value>) -> bool {
    has_word(fields, ENDED)
        || sentences(fields).any(|text| {
            text.contains("invalid grant")
                || (text.contains("invalid") && text.contains("refresh token"))
                || (text.contains("invalid") && text.contains("refresh_token"))
        })
}

/// HubSpot's dated answers may be in camel case.
fn field<'a>(fields: &'a Map<String, Value>, snake: &str, camel: &str) -> Option<&'a Value> {
    fields.get(snake).or_else(|| fields.get(camel))
}

fn token(fields: &Map<String, Value>, snake: &str, camel: &str) -> Option<String> {
    let text = field(fields, snake, camel)?.as_str()?;
    let usable =
        (1..=TOKEN_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    usable.then(|| text.to_owned())
}

fn granted(dialect: &Dialect, fields: &Map<String, Value>) -> Option<Granted> {
    let life = field(fields, "expires_in", "expiresIn").and_then(|value| match value {
        Value::Number(number) => number.as_u64().or_else(|| {
            let seconds = number.as_f64()?;
            (seconds >= 1.0).then_some(seconds as u64)
        }),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    });
    let life_s = life
        .filter(|life| *life > 0)
        .map(|life| life.min(LIFE_MAX_S));
    Some(Granted {
        access_token: token(fields, "access_token", "accessToken")?,
        refresh_token: token(fields, "refresh_token", "refreshToken"),
        life_s: life_s.or(dialect.life_s),
        base_url: dialect
            .base_url_field
            .and_then(|name| fields.get(name)?.as_str())
            .and_then(base_url),
        scope: fields.get("scope").and_then(Value::as_str).and_then(scope),
    })
}

/// Names of scopes: words of letters, digits and a few signs, none of which a secret is made of alone.
fn scope(text: &str) -> Option<String> {
    let named = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'_' | b'-' | b'.' | b',' | b' ')
    };
    (text.len() <= SCOPE_MAX && text.bytes().all(named)).then(|| text.to_owned())
}

/// A base address that a credential may be sent to: TLS and a plain host.
fn base_url(text: &str) -> Option<String> {
    let text = text.trim_end_matches('/');
    let host = text.strip_prefix("https://")?;
    let plain = (1..=253).contains(&host.len())
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
        && !host.starts_with(['.', '-'])
        && host.contains('.');
    plain.then(|| text.to_owned())
}
