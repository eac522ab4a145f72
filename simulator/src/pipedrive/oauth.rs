//! The vendor's OAuth address: a refresh token for an access token of an hour.
//!
//! `POST /oauth/token`, a form, the client's id and secret as HTTP Basic. The refresh token stays the same; access tokens
//! given out before stay good until their own end. Nothing here counts in any limit.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::Pipedrive;
use super::config::Token;
use super::replies::json_reply;
use crate::fakes::{Method, Reply, Request, withdrawn};

/// A client that may refresh, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthClient {
    pub client_id: String,
    pub client_secret: String,
    /// Empty once it is withdrawn.
    pub refresh_token: String,
    /// Whose access tokens it gets.
    pub user_id: u64,
    /// How long an access token lives, seconds; 3,600 at the vendor's.
    pub expires_in_s: u32,
    /// Scopes, as the reply names them.
    pub scope: String,
}

impl OauthClient {
    /// A client with every scope that Callflume needs.
    pub fn new(client_id: &str, client_secret: &str, refresh_token: &str, user_id: u64) -> Self {
        Self {
            client_id: client_id.to_owned(),
            client_secret: client_secret.to_owned(),
            refresh_token: refresh_token.to_owned(),
            user_id,
            expires_in_s: 3_600,
            scope: "base,contacts:full,deals:full,activities:full".to_owned(),
        }
    }
}

/// Whether a request goes to the OAuth address.
pub(super) fn is_meant(request: &Request) -> bool {
    request.method == Method::Post && request.path == "/oauth/token"
}

impl Pipedrive {
    /// Withdraws a client's refresh token, as when the company removes the app. `false` when nobody has it.
    pub fn revoke_refresh_token(&mut self, refresh_token: &str) -> bool {
        let held = self.clients.iter_mut();
        withdrawn(held.map(|client| &mut client.refresh_token), refresh_token)
    }

    pub(super) fn refreshed(&mut self, now_ms: i64, request: &Request) -> Reply {
        let credentials = request
            .header("authorization")
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
            .map(|(_, encoded)| encoded.trim());
        let form = String::from_utf8_lossy(&request.body);
        // The query's rules are the form's.
        let form = Request::new(Method::Post, &format!("/?{form}")).query;
        let field = |name: &str| {
            form.iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.as_str())
        };
        if field("grant_type") != Some("refresh_token") {
            return refused(400, "invalid_request", "Invalid grant_type");
        }
        let Some(client) = self.clients.iter().find(|client| {
            let pair = format!("{}:{}", client.client_id, client.client_secret);
            credentials == Some(STANDARD.encode(pair).as_str())
        }) else {
            return refused(401, "invalid_client", "Invalid client: client is invalid");
        };
        let given = field("refresh_token").filter(|given| !given.is_empty());
        if given != Some(client.refresh_token.as_str()) {
            return refused(
                400,
                "invalid_grant",
                "Invalid grant: refresh_token is invalid",
            );
        }
        let client = client.clone();
        self.refreshes += 1;
        let value = format!("access-{}-{}", client.user_id, self.refreshes);
        let ends_ms = now_ms.saturating_add(i64::from(client.expires_in_s) * 1_000);
        let token = Token::oauth(&value, client.user_id);
        self.tokens.insert(value.clone(), (token, ends_ms));
        let api_domain = self.api_domain.clone();
        let api_domain =
            api_domain.unwrap_or_else(|| format!("https://{}.pipedrive.com", self.domain));
        json_reply(
            200,
            &json!({"access_token": value, "token_type": "Bearer", "expires_in": client.expires_in_s,
                "refresh_token": client.refresh_token, "scope": client.scope,
                "api_domain": api_domain}),
        )
    }
}

fn refused(status: u16, error: &str, message: &str) -> Reply {
    json_reply(
        status,
        &json!({"success": false, "message": message, "error": error}),
    )
}
