//! OAuth as each CRM speaks it: where tokens are renewed, how it is asked for, what the answer means, when to ask.
//!
//! | CRM | address | client is shown | an access token lives | refresh token | base address in the answer |
//! | --- | --- | --- | --- | --- | --- |
//! | HubSpot | `api.hubapi.com/oauth/v3/token` | in the form | 30 min | stays the same | – |
//! | Salesforce | `login.salesforce.com/services/oauth2/token` | in the form | isn't told | may be exchanged (a setting of the app) | `instance_url` |
//! | Close | `api.close.com/oauth2/token/` | in the form | 60 min | may be exchanged (not documented) | – |
//! | Pipedrive | `oauth.pipedrive.com/oauth/token` | HTTP Basic | 60 min | stays the same | `api_domain` |
//!
//! Sources: the vendors' OAuth pages. HubSpot's `/oauth/v1/token` takes the same form and ends in February 2027. Only
//! Salesforce has client credentials, and only at the organisation's own domain.
//!
//! Decides nothing about when a renewal is tried again, where tokens are kept, who may use them. Never in this module: a
//! secret in an error text or in `Debug`.

mod answer;
mod ask;
mod due;

use std::fmt;

use crate::{close, hubspot, pipedrive, salesforce};

pub use answer::{Granted, TokenAnswer, interpret};
pub use ask::{Grant, TokenRequest, request};
pub use due::{RENEW_LEFT_MS, again_after_ms, renew_after_ms};

/// How the app itself is shown to the CRM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientShown {
    /// `client_id` and `client_secret` in the form.
    Form,
    /// `Authorization: Basic`, the id as user and the secret as password.
    Basic,
}

/// What becomes of a refresh token that was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// It stays good: a renewal whose answer was lost is simply asked for again.
    Never,
    /// The answer may bring another one, which alone is good from then on: losing that answer loses the consent.
    Possible,
}

/// How one CRM speaks OAuth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// Name of the CRM, for messages.
    pub vendor: &'static str,
    /// Where tokens are renewed, unless the account says otherwise.
    pub token_url: &'static str,
    /// How the app is shown.
    pub client: ClientShown,
    /// What becomes of a used refresh token.
    pub rotation: Rotation,
    /// Whether the app itself can be the user, without a refresh token; then at an address of the account's own.
    pub client_credentials: bool,
    /// How long an access token lives when the answer doesn't tell, seconds; none: until a request is refused.
    pub life_s: Option<u64>,
    /// The field of the answer with the base address of the account's API.
    pub base_url_field: Option<&'static str>,
}

/// The dialect of the CRM with this name.
pub fn dialect(vendor: &str) -> Option<&'static Dialect> {
    DIALECTS.iter().find(|dialect| dialect.vendor == vendor)
}

const DIALECTS: &[Dialect] = &[
    Dialect {
        vendor: hubspot::NAME,
        token_url: "https://api.hubapi.com/oauth/v3/token",
        client: ClientShown::Form,
        rotation: Rotation::Never,
        client_credentials: false,
        life_s: Some(1_800),
        base_url_field: None,
    },
    Dialect {
        vendor: salesforce::NAME,
        token_url: "https://login.salesforce.com/services/oauth2/token",
        client: ClientShown::Form,
        rotation: Rotation::Possible,
        client_credentials: true,
        life_s: None,
        base_url_field: Some("instance_url"),
    },
    Dialect {
        vendor: close::NAME,
        token_url: "https://api.close.com/oauth2/token/",
        client: ClientShown::Form,
        rotation: Rotation::Possible,
        client_credentials: false,
        life_s: Some(3_600),
        base_url_field: None,
    },
    Dialect {
        vendor: pipedrive::NAME,
        token_url: "https://oauth.pipedrive.com/oauth/token",
        client: ClientShown::Basic,
        rotation: Rotation::Never,
        client_credentials: false,
        life_s: Some(3_600),
        base_url_field: Some("api_domain"),
    },
];

/// Why an account's OAuth settings don't fit its CRM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// The field, below the account.
    pub field: &'static str,
    /// What is wrong and what to write instead.
    pub text: String,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.text)
    }
}

/// The dialect of an account, if its settings fit it: whether it has a refresh token and an address of its own.
pub fn fitting(
    vendor: &str,
    has_refresh_token: bool,
    has_token_url: bool,
) -> Result<&'static Dialect, Unfit> {
    let unfit = |field, text: String| Err(Unfit { field, text });
    let Some(dialect) = dialect(vendor) else {
        let text = format!(
            "no OAuth is known for `{}`; use `token`",
            vendor.chars().take(80).collect::<String>()
        );
        return unfit("oauth", text);
    };
    if has_refresh_token {
        return Ok(dialect);
    }
    if !dialect.client_credentials {
        let text = format!(
            "missing; {vendor} renews with a refresh token: write `refresh_token = {{ env = \"NAME\" }}`"
        );
        return unfit("oauth.refresh_token", text);
    }
    if !has_token_url {
        let text = "missing; client credentials (no `refresh_token`) need the organisation's own address: \
                    `https://<my domain>.my.salesforce.com/services/oauth2/token`";
        return unfit("oauth.token_url", text.to_owned());
    }
    Ok(dialect)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_fit_the_crm_or_say_what_is_missing() {
        for (vendor, refresh_token, token_url, expect) in [
            ("hubspot", true, false, Ok("hubspot")),
            ("hubspot", false, true, Err("oauth.refresh_token")),
            ("close", true, false, Ok("close")),
            ("close", false, false, Err("oauth.refresh_token")),
            ("pipedrive", true, true, Ok("pipedrive")),
            ("pipedrive", false, false, Err("oauth.refresh_token")),
            ("salesforce", true, false, Ok("salesforce")),
            ("salesforce", false, true, Ok("salesforce")),
            ("salesforce", false, false, Err("oauth.token_url")),
            ("other", true, true, Err("oauth")),
        ] {
            let found = fitting(vendor, refresh_token, token_url);
            let found = found
                .map(|dialect| dialect.vendor)
                .map_err(|unfit| unfit.field);
            assert_eq!(found, expect, "{vendor} {refresh_token} {token_url}");
        }
    }

    #[test]
    fn every_crm_has_one_dialect_over_tls() {
        for vendor in ["hubspot", "salesforce", "close", "pipedrive"] {
            let found: Vec<_> = DIALECTS.iter().filter(|d| d.vendor == vendor).collect();
            assert_eq!(found.len(), 1, "{vendor}");
            assert!(found[0].token_url.starts_with("https://"));
        }
    }
}
