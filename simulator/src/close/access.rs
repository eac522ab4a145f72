//! Credentials: an API key is a Basic user without password, an OAuth token a bearer; and refreshing tokens.
//!
//! Close's text for a credential that is refused isn't documented. A refresh token is used once: the reply has the next
//! one, as OAuth servers that rotate do (chosen).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;

use serde_json::json;

use super::Close;
use super::config::{ApiKey, SetupError};
use super::replies::Refusal;
use crate::fakes::{Reply, Request};

/// A credential as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    /// Its place among all credentials that there have been.
    place: usize,
    manages_fields: bool,
    /// From when on it is refused.
    until_ms: i64,
}

/// Every credential by what is shown of it.
#[derive(Debug, Default)]
pub(super) struct Access {
    shown: BTreeMap<String, Standing>,
    /// Refresh tokens handed out.
    refreshed: u32,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asker {
    pub(super) key: usize,
    pub(super) manages_fields: bool,
}

const REFUSED: Refusal = Refusal::Plain(401, "This credential isn't known here.");

fn shown(secret: &str, oauth: bool) -> String {
    if oauth {
        format!("bearer {secret}")
    } else {
        format!("basic {}", user(secret))
    }
}

/// A user without password.
fn user(secret: &str) -> String {
    STANDARD.encode(format!("{secret}:"))
}

/// What the `Authorization` header says of an API key.
pub(crate) fn basic_credential(secret: &str) -> String {
    format!("Basic {}", user(secret))
}
impl Access {
    pub(super) fn add(&mut self, key: &ApiKey, until_ms: i64) -> Result<(), SetupError> {
        let standing = Standing {
            place: self.shown.len(),
            manages_fields: key.manages_fields,
            until_ms,
        };
        match self.shown.insert(shown(&key.secret, key.oauth), standing) {
            None => Ok(()),
            Some(_) => Err(SetupError::SharedSecret),
        }
    }

    /// Lets a credential be good until an instant. `false` when there is none.
    pub(super) fn end(&mut self, secret: &str, at_ms: i64) -> bool {
        let mut found = false;
        for oauth in [true, false] {
            if let Some(standing) = self.shown.get_mut(&shown(secret, oauth)) {
                standing.until_ms = at_ms;
                found = true;
            }
        }
        found
    }

    /// Who shows this credential.
    pub(super) fn asker(&self, now_ms: i64, request: &Request) -> Result<Asker, Refusal> {
        let (scheme, secret) = request
            .header("authorization")
            .and_then(|header| header.split_once(' '))
            .ok_or(REFUSED)?;
        let shown = format!("{} {}", scheme.to_ascii_lowercase(), secret.trim());
        self.shown
            .get(&shown)
            .filter(|standing| now_ms < standing.until_ms)
            .map(|standing| Asker {
                key: standing.place,
                manages_fields: standing.manages_fields,
            })
            .ok_or(REFUSED)
    }
}

impl Close {
    /// `POST /oauth2/token/`: a form with the grant.
    pub(super) fn refresh(&mut self, now_ms: i64, request: &Request) -> Result<Reply, Refusal> {
        let form = String::from_utf8_lossy(&request.body);
        // A form is a query in a body.
        let form = Request::new(request.method, &format!("/?{form}"));
        let refused = Refusal::Plain(400, "invalid_grant");
        let client = self.config.oauth.as_mut().ok_or_else(Refusal::not_found)?;
        let fits = form.parameter("grant_type") == Some("refresh_token")
            && form.parameter("client_id") == Some(&client.client_id)
            && form.parameter("client_secret") == Some(&client.client_secret)
            && form.parameter("refresh_token") == Some(&client.refresh_token);
        if !fits {
            return Err(refused);
        }
        self.access.refreshed += 1;
        let number = self.access.refreshed;
        let token = format!("{}-access-{number}", client.client_id);
        client.refresh_token = format!("{}-refresh-{number}", client.client_id);
        let reply = json!({
            "access_token": token,
            "refresh_token": client.refresh_token,
            "expires_in": client.expires_in_s,
            "token_type": "Bearer",
            "scope": "all.full_access offline_access",
        });
        let until_ms = now_ms + client.expires_in_s * 1_000;
        self.access
            .add(&ApiKey::token(&token), until_ms)
            .map_err(|_| refused)?;
        Ok(Reply::json(200, &reply))
    }
}
