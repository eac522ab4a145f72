//! An account that renews its access tokens by OAuth: what stands about it in the configuration.
//!
//! Decides which values are usable. Which grants and addresses a CRM has is `crm`'s to know. Invariants: every secret is a
//! reference; a token address can't send a secret over the network in the clear.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{BadConfig, SecretRef};

/// What kind of credential an account has: `oauth = true`, or a table `[accounts.<id>.oauth]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum OAuth {
    /// An API key or private token, in `token`.
    #[default]
    Off,
    /// An OAuth access token in `token`, renewed by somebody else.
    AccessToken,
    /// Access tokens that Callflume renews itself.
    Renewed(Box<OAuthConfig>),
}

/// How access tokens are renewed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OAuthConfig {
    /// The app's id.
    pub client_id: SecretRef,
    /// The app's secret.
    pub client_secret: SecretRef,
    /// The refresh token that the customer's consent gave. Without one the app itself is the user (client credentials),
    /// where the CRM has that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<SecretRef>,
    /// Where tokens are renewed; the vendor's own address when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_url: Option<String>,
}

impl OAuth {
    /// Whether the credential is an OAuth access token, whoever renews it.
    pub const fn is_on(&self) -> bool {
        !matches!(self, Self::Off)
    }

    /// Whether the credential is an API key.
    pub const fn is_off(&self) -> bool {
        matches!(self, Self::Off)
    }

    /// How access tokens are renewed, if Callflume does.
    pub fn renewed(&self) -> Option<&OAuthConfig> {
        match self {
            Self::Renewed(config) => Some(config),
            Self::Off | Self::AccessToken => None,
        }
    }

    /// Checks what can be checked without knowing the CRM.
    pub(super) fn check(&self, token: Option<&SecretRef>) -> Result<(), BadConfig> {
        match (self, token) {
            (Self::Off | Self::AccessToken, Some(_)) => Ok(()),
            (Self::Off | Self::AccessToken, None) => Err(BadConfig::new(
                "token",
                "missing; write `token = { env = \"NAME\" }`, or a table `oauth` for a credential that is renewed",
            )),
            (Self::Renewed(_), Some(_)) => Err(BadConfig::new(
                "token",
                "stands beside a table `oauth`, which renews the access token: remove one of them",
            )),
            (Self::Renewed(config), None) => match &config.token_url {
                Some(url) if !is_safe(url) => Err(BadConfig::new(
                    "oauth.token_url",
                    "use `https://host/path` without user and query; `http://` only for this machine",
                )),
                _ => Ok(()),
            },
        }
    }
}

/// Whether a secret may be sent to this address.
fn is_safe(url: &str) -> bool {
    let clean = url.len() <= 500
        && url
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'@' | b'?' | b'#' | b'\\'));
    let host = |rest: &str| {
        let authority = rest.split('/').next().unwrap_or_default().to_owned();
        (!authority.is_empty()).then_some(authority)
    };
    let here = |authority: String| {
        let name = match authority.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => &authority,
        };
        matches!(name, "127.0.0.1" | "localhost" | "[::1]")
    };
    clean
        && match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
            (Some(rest), _) => host(rest).is_some(),
            (None, Some(rest)) => host(rest).is_some_and(here),
            (None, None) => false,
        }
}

impl Serialize for OAuth {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => serializer.serialize_bool(false),
            Self::AccessToken => serializer.serialize_bool(true),
            Self::Renewed(config) => config.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for OAuth {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Given)
    }
}

/// `true`, `false` or a table; an untagged enum would not say what is wrong inside the table.
struct Given;

impl<'de> Visitor<'de> for Given {
    type Value = OAuth;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`true`, `false`, or a table with client_id, client_secret and refresh_token")
    }

    fn visit_bool<E: serde::de::Error>(self, on: bool) -> Result<OAuth, E> {
        Ok(if on { OAuth::AccessToken } else { OAuth::Off })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OAuth, A::Error> {
        OAuthConfig::deserialize(MapAccessDeserializer::new(map))
            .map(|config| OAuth::Renewed(Box::new(config)))
            .map_err(A::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::super::AccountConfig;
    use super::*;

    const ACCOUNT: &str = "crm = \"hubspot\"\nprofile = \"public_oauth\"\n";
    const TABLE: &str = "[oauth]\nclient_id = { env = \"ID\" }\nclient_secret = { env = \"SECRET\" }\n\
                         refresh_token = { file = \"/run/refresh\" }\n";

    #[test]
    fn a_credential_is_given_in_one_way_and_reads_back() {
        for (text, faulty) in [
            (format!("{ACCOUNT}token = {{ env = \"T\" }}\n"), None),
            (
                format!("{ACCOUNT}token = {{ env = \"T\" }}\noauth = true\n"),
                None,
            ),
            (format!("{ACCOUNT}{TABLE}"), None),
            (ACCOUNT.to_owned(), Some("token")),
            (format!("{ACCOUNT}oauth = true\n"), Some("token")),
            (
                format!("{ACCOUNT}token = {{ env = \"T\" }}\n{TABLE}"),
                Some("token"),
            ),
            (
                format!("{ACCOUNT}{TABLE}token_url = \"http://crm.example/token\"\n"),
                Some("oauth.token_url"),
            ),
        ] {
            let config: AccountConfig = toml::from_str(&text).unwrap();
            let fault = config.check().err().map(|bad| bad.field);
            assert_eq!(fault.as_deref(), faulty, "{text}");
            let json = serde_json::to_string(&config).unwrap();
            let back: AccountConfig = serde_json::from_str(&json).unwrap();
            assert_eq!(back, config, "{json}");
        }
    }

    #[test]
    fn what_is_wrong_in_the_table_is_named() {
        for (text, part) in [
            ("oauth = 3", "a table with client_id"),
            ("[oauth]\nclient_id = { env = \"I\" }", "client_secret"),
            (
                "[oauth]\nclient_id = { env = \"I\" }\nclient_secret = { env = \"S\" }\nscope = \"x\"",
                "unknown field `scope`",
            ),
        ] {
            let error = toml::from_str::<AccountConfig>(&format!("{ACCOUNT}{text}\n")).unwrap_err();
            assert!(error.message().contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn no_secret_goes_over_the_network_in_the_clear() {
        for (url, safe) in [
            ("https://crm.example/oauth/token", true),
            ("http://127.0.0.1:8080/token", true),
            ("http://localhost/token", true),
            ("http://[::1]:9/token", true),
            ("http://crm.example/token", false),
            ("http://127.0.0.1.crm.example/token", false),
            ("http://localhost:80@crm.example/", false),
            ("https://user@crm.example/token", false),
            ("https://crm.example/token?x=1", false),
            ("https:///token", false),
            ("https://crm.example/to ken", false),
            ("ftp://crm.example/token", false),
            ("", false),
        ] {
            assert_eq!(is_safe(url), safe, "{url}");
        }
    }
}
