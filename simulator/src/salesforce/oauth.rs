//! The token endpoint: `POST /services/oauth2/token`, a form.
//!
//! The reply doesn't say how long a token lives: that shows only when it is refused. A person may have granted an app at
//! most five times; a sixth grant ends the oldest. An app whose refresh tokens rotate gets another with each use, and the
//! one used is no good any more. Nothing here counts in any limit.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::Salesforce;
use super::access::Standing;
use super::replies::Answer;
use crate::fakes::{Method, Reply, Request};

/// How many grants of one app by one person are good.
pub const GRANTS_MAX: usize = 5;

/// An app that may get access tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectedApp {
    pub client_id: String,
    pub client_secret: String,
    /// Place of the user it acts for in the org's users.
    pub user: usize,
    /// Refresh tokens that are good, the oldest first.
    pub refresh_tokens: Vec<String>,
    /// Whether a refresh token is good for one use only.
    pub rotates: bool,
    /// Whether it may act for its user without a refresh token.
    pub client_credentials: bool,
}

impl ConnectedApp {
    /// An app with one grant.
    pub fn new(client_id: &str, client_secret: &str, refresh_token: &str, user: usize) -> Self {
        Self {
            client_id: client_id.to_owned(),
            client_secret: client_secret.to_owned(),
            user,
            refresh_tokens: vec![refresh_token.to_owned()],
            rotates: false,
            client_credentials: false,
        }
    }
}

/// Whether a request goes to the token endpoint.
pub(super) fn is_meant(request: &Request) -> bool {
    request.method == Method::Post && request.path == "/services/oauth2/token"
}

fn refused(error: &str, description: &str) -> Reply {
    let body = json!({"error": error, "error_description": description});
    Answer::json(400, body).reply()
}

impl Salesforce {
    /// Grants an app once more, as its user does by signing in; the new refresh token, `None` when there is no such app.
    pub fn grant(&mut self, client_id: &str) -> Option<String> {
        let app = self
            .apps
            .iter_mut()
            .find(|app| app.client_id == client_id)?;
        self.granted += 1;
        let token = format!("refresh-{}-{}", app.user, self.granted);
        app.refresh_tokens.push(token.clone());
        let excess = app.refresh_tokens.len().saturating_sub(GRANTS_MAX);
        app.refresh_tokens.drain(..excess);
        Some(token)
    }

    /// Withdraws a refresh token, as when a person removes the app. `false` when nobody has it.
    pub fn revoke_refresh_token(&mut self, refresh_token: &str) -> bool {
        let held = |app: &mut ConnectedApp| {
            let before = app.refresh_tokens.len();
            app.refresh_tokens.retain(|token| token != refresh_token);
            app.refresh_tokens.len() < before
        };
        self.apps.iter_mut().any(held)
    }

    pub(super) fn token(&mut self, now_ms: i64, request: &Request) -> Reply {
        let form = String::from_utf8_lossy(&request.body);
        // The query's rules are the form's.
        let form = Request::new(Method::Post, &format!("/?{form}"));
        let basic = request
            .header("authorization")
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
            .map(|(_, encoded)| encoded.trim());
        let mine = |app: &&mut ConnectedApp| match basic {
            Some(shown) => {
                let pair = format!("{}:{}", app.client_id, app.client_secret);
                shown == STANDARD.encode(pair)
            }
            None => form.parameter("client_id") == Some(&app.client_id),
        };
        let Some(app) = self.apps.iter_mut().find(mine) else {
            return refused("invalid_client_id", "client identifier invalid");
        };
        if basic.is_none() && form.parameter("client_secret") != Some(&app.client_secret) {
            return refused("invalid_client", "invalid client credentials");
        }
        let mut next = None;
        match form.parameter("grant_type") {
            Some("client_credentials") if app.client_credentials => {}
            Some("client_credentials") => {
                return refused("invalid_grant", "no client credentials user enabled");
            }
            Some("refresh_token") => {
                let given = form.parameter("refresh_token").unwrap_or_default();
                let Some(held) = app.refresh_tokens.iter_mut().find(|token| *token == given) else {
                    return refused("invalid_grant", "expired access/refresh token");
                };
                if app.rotates {
                    self.granted += 1;
                    *held = format!("refresh-{}-{}", app.user, self.granted);
                    next = Some(held.clone());
                }
            }
            _ => return refused("unsupported_grant_type", "grant type not supported"),
        }
        let user = app.user;
        let id = self.users.get(user).cloned().unwrap_or_default();
        self.tokens_made += 1;
        let org = self.config.org_id.get(..15).unwrap_or_default();
        let token = format!("{org}!sim.{user}.{}", self.tokens_made);
        let until_ms = now_ms.saturating_add(self.config.session_life_ms);
        self.access.set(&token, Standing { user, until_ms });
        let signed = STANDARD.encode(format!("{id}{now_ms}"));
        let mut body = json!({
            "access_token": token,
            "instance_url": self.config.instance_url,
            "id": format!("https://login.salesforce.com/id/{}/{id}", self.config.org_id),
            "token_type": "Bearer",
            "issued_at": now_ms.to_string(),
            "signature": signed,
            "scope": "api refresh_token",
        });
        if let Some(next) = next {
            body["refresh_token"] = next.into();
        }
        Answer::json(200, body).reply()
    }
}
