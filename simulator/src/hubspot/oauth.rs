//! The OAuth address: a refresh token for an access token of half an hour.
//!
//! `POST /oauth/v1/token`, or `/oauth/v3/token` and `/oauth/2026-03/token`, whose reply says more; a form, credentials in
//! it. The refresh token stays the same; access tokens given out before stay good until their own end. A refresh counts
//! in no limit. The casing of the newer reply isn't certain (the vendor shows both); chosen: as in its guides.

use serde_json::json;

use super::config::App;
use super::{HubSpot, TokenState};
use crate::fakes::{Method, Reply, Request, withdrawn};

/// A public app that may refresh, for this account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthClient {
    pub client_id: String,
    pub client_secret: String,
    /// Empty once it is withdrawn.
    pub refresh_token: String,
    /// How long an access token lives, seconds; 1,800 at the vendor's.
    pub expires_in_s: u32,
    /// What its access tokens may and how much; its token is a new one each time.
    pub app: App,
}

impl OauthClient {
    /// A public app with every scope and its 110 requests per window.
    pub fn new(client_id: &str, client_secret: &str, refresh_token: &str) -> Self {
        Self {
            client_id: client_id.to_owned(),
            client_secret: client_secret.to_owned(),
            refresh_token: refresh_token.to_owned(),
            expires_in_s: 1_800,
            app: App {
                app_id: 9_101,
                interval_limit: 110,
                oauth: true,
                ..App::private("")
            },
        }
    }
}

/// Whether a request goes to the OAuth address.
pub(super) fn is_meant(request: &Request) -> bool {
    request.method == Method::Post && version(request).is_some()
}

fn version(request: &Request) -> Option<&str> {
    let version = request
        .path
        .strip_prefix("/oauth/")?
        .strip_suffix("/token")?;
    matches!(version, "v1" | "v3" | "2026-03").then_some(version)
}

fn refused(status: &str, message: &str) -> Reply {
    Reply::json(400, &json!({"status": status, "message": message}))
}

impl HubSpot {
    /// Withdraws a client's refresh token, as when the customer removes the app. `false` when nobody has it.
    pub fn revoke_refresh_token(&mut self, refresh_token: &str) -> bool {
        let held = self.clients.iter_mut();
        withdrawn(held.map(|client| &mut client.refresh_token), refresh_token)
    }

    pub(super) fn refreshed(&mut self, now_ms: i64, request: &Request) -> Reply {
        let form = String::from_utf8_lossy(&request.body);
        // The query's rules are the form's.
        let form = Request::new(Method::Post, &format!("/?{form}"));
        if form.parameter("grant_type") != Some("refresh_token") {
            return refused("BAD_GRANT_TYPE", "missing or unknown grant type");
        }
        let Some(client) = self.clients.iter().find(|client| {
            form.parameter("client_id") == Some(&client.client_id)
                && form.parameter("client_secret") == Some(&client.client_secret)
        }) else {
            return refused("BAD_CLIENT_ID", "missing or invalid client id or secret");
        };
        let given = form
            .parameter("refresh_token")
            .filter(|given| !given.is_empty());
        if given != Some(client.refresh_token.as_str()) {
            return refused("BAD_REFRESH_TOKEN", "missing or invalid refresh token");
        }
        let client = client.clone();
        self.refreshes += 1;
        let token = format!("access-{}-{}", client.app.app_id, self.refreshes);
        let ends_ms = now_ms.saturating_add(i64::from(client.expires_in_s) * 1_000);
        let mut body = json!({
            "token_type": "bearer",
            "refresh_token": client.refresh_token,
            "access_token": token,
            "expires_in": client.expires_in_s,
        });
        if version(request) != Some("v1") {
            body["hub_id"] = self.account.portal_id.into();
            body["scopes"] = json!(client.app.scopes);
            body["user_id"] = 31_007.into();
        }
        let app = App {
            token: token.clone(),
            ..client.app
        };
        self.apps
            .insert(token, (app, TokenState::ExpiresAt(ends_ms)));
        Reply::json(200, &body)
    }
}
