//! What an account's configuration says about how its CRM is spoken to.
//!
//! Valid by construction: whatever is read from a file or bucket has been checked, so building a request can't fail.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use callflume_core::codes::{self, Code};
use callflume_core::effect::DISPOSITIONS;
use serde::{Deserialize, Serialize};

/// Why a setting can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSetting {
    /// The API version is neither `v3` nor a date nor one of Salesforce's.
    #[error(
        "api_version = `{0}` is no API version: use `v3` or a dated one such as `2026-09` for HubSpot, `v{SALESFORCE_MIN}.0` or later for Salesforce"
    )]
    Api(String),
    /// A disposition that doesn't exist.
    #[error("dispositions.{0}: there is no such disposition; use one of {list}", list = DISPOSITIONS.join(", "))]
    Disposition(String),
    /// A disposition without an id.
    #[error(
        "dispositions.{0} is empty: give the id of the call outcome in the CRM, or remove the line"
    )]
    DispositionId(String),
    /// A custom field whose id can't be one.
    #[error(
        "custom_fields.{0}: give the field's id in the CRM, 1 to 100 letters, digits, `_`, `-` or `.`"
    )]
    CustomField(String),
}

impl InvalidSetting {
    /// The stable code of this error.
    pub const fn code(&self) -> Code {
        codes::CONFIG_VALUE
    }
}

/// Oldest of Salesforce's API versions that can be used: an upsert by key tells the record's id since this one.
const SALESFORCE_MIN: u16 = 46;

/// Which version of a CRM's interface is used: a family of HubSpot's paths (both take the same bodies), or a release of
/// Salesforce's. A CRM that has no such version uses its default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ApiVersion {
    /// HubSpot's `/crm/v3/objects/…`, enforced out of service in September 2027; elsewhere the CRM's default.
    #[default]
    V3,
    /// HubSpot's `/crm/objects/<date>/…`, each supported for 18 months.
    Dated(String),
    /// Salesforce's `/services/data/v<number>.0/…`, three a year.
    Numbered(u16),
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V3 => f.write_str("v3"),
            Self::Dated(date) => f.write_str(date),
            Self::Numbered(number) => write!(f, "v{number}.0"),
        }
    }
}

impl FromStr for ApiVersion {
    type Err = InvalidSetting;

    fn from_str(text: &str) -> Result<Self, InvalidSetting> {
        if text == "v3" {
            return Ok(Self::V3);
        }
        let number = text
            .strip_prefix('v')
            .and_then(|rest| rest.strip_suffix(".0"));
        if let Some(number) = number
            && (2..=3).contains(&number.len())
            && number.bytes().all(|b| b.is_ascii_digit())
            && let Ok(number) = number.parse()
            && number >= SALESFORCE_MIN
        {
            return Ok(Self::Numbered(number));
        }
        let dated = text.len() == 7
            && text.bytes().enumerate().all(|(index, b)| {
                if index == 4 {
                    b == b'-'
                } else {
                    b.is_ascii_digit()
                }
            });
        if dated {
            Ok(Self::Dated(text.to_owned()))
        } else {
            Err(InvalidSetting::Api(text.chars().take(80).collect()))
        }
    }
}

impl TryFrom<String> for ApiVersion {
    type Error = InvalidSetting;

    fn try_from(text: String) -> Result<Self, InvalidSetting> {
        text.parse()
    }
}

impl From<ApiVersion> for String {
    fn from(version: ApiVersion) -> Self {
        version.to_string()
    }
}

/// How an account's CRM is spoken to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Raw", into = "Raw")]
pub struct Settings {
    api: ApiVersion,
    dispositions: BTreeMap<String, String>,
    custom_fields: BTreeMap<String, String>,
    oauth: bool,
}

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Raw {
    api: ApiVersion,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    dispositions: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    custom_fields: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    oauth: bool,
}

impl Settings {
    /// Settings with this API version and these ids of call outcomes, by our names of dispositions, in place of or in
    /// addition to the CRM's defaults.
    pub fn new(
        api: ApiVersion,
        dispositions: BTreeMap<String, String>,
    ) -> Result<Self, InvalidSetting> {
        for (name, id) in &dispositions {
            if !DISPOSITIONS.contains(&name.as_str()) {
                return Err(InvalidSetting::Disposition(name.chars().take(80).collect()));
            }
            if id.trim().is_empty() {
                return Err(InvalidSetting::DispositionId(name.clone()));
            }
        }
        Ok(Self {
            api,
            dispositions,
            ..Self::default()
        })
    }

    /// With these ids of custom fields, by our names of them (`<object>_<name>`).
    pub fn with_custom_fields(
        self,
        custom_fields: BTreeMap<String, String>,
    ) -> Result<Self, InvalidSetting> {
        let usable = |id: &str| {
            (1..=100).contains(&id.len())
                && id
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        };
        match custom_fields.iter().find(|(_, id)| !usable(id)) {
            Some((name, _)) => Err(InvalidSetting::CustomField(name.chars().take(80).collect())),
            None => Ok(Self {
                custom_fields,
                ..self
            }),
        }
    }

    /// With an OAuth access token as the credential, or an API key.
    #[must_use]
    pub fn with_oauth(self, oauth: bool) -> Self {
        Self { oauth, ..self }
    }

    /// The account's id of a custom field, if the settings give one.
    pub fn custom_field(&self, name: &str) -> Option<&str> {
        self.custom_fields.get(name).map(String::as_str)
    }

    /// Whether the credential is an OAuth access token rather than an API key.
    pub const fn oauth(&self) -> bool {
        self.oauth
    }

    /// The version of the CRM's interface.
    pub const fn api(&self) -> &ApiVersion {
        &self.api
    }

    /// The account's own id of a call outcome, if the settings give one.
    pub fn disposition(&self, name: &str) -> Option<&str> {
        self.dispositions.get(name).map(String::as_str)
    }
}

impl TryFrom<Raw> for Settings {
    type Error = InvalidSetting;

    fn try_from(raw: Raw) -> Result<Self, InvalidSetting> {
        Ok(Self::new(raw.api, raw.dispositions)?
            .with_custom_fields(raw.custom_fields)?
            .with_oauth(raw.oauth))
    }
}

impl From<Settings> for Raw {
    fn from(settings: Settings) -> Self {
        Self {
            api: settings.api,
            dispositions: settings.dispositions,
            custom_fields: settings.custom_fields,
            oauth: settings.oauth,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_or_refused_with_the_reason() {
        for (text, expect) in [
            ("{}", Ok("v3")),
            (r#"{"api":"2026-09"}"#, Ok("2026-09")),
            (
                r#"{"api":"v3","dispositions":{"declined":"0-1"}}"#,
                Ok("v3"),
            ),
            (r#"{"api":"v66.0"}"#, Ok("v66.0")),
            (r#"{"api":"v4"}"#, Err("api_version = `v4`")),
            (r#"{"api":"v45.0"}"#, Err("api_version = `v45.0`")),
            (r#"{"api":"v+66.0"}"#, Err("api_version = `v+66.0`")),
            (r#"{"api":"2026/09"}"#, Err("api_version = `2026/09`")),
            (
                r#"{"dispositions":{"hung_up":"x"}}"#,
                Err("dispositions.hung_up"),
            ),
            (
                r#"{"dispositions":{"busy":" "}}"#,
                Err("dispositions.busy is empty"),
            ),
            (
                r#"{"custom_fields":{"contact_key":"cf_9Ab"},"oauth":true}"#,
                Ok("v3"),
            ),
            (
                r#"{"custom_fields":{"contact_key":"a b"}}"#,
                Err("custom_fields.contact_key"),
            ),
            (r#"{"apis":"v3"}"#, Err("unknown field")),
        ] {
            match (serde_json::from_str::<Settings>(text), expect) {
                (Ok(settings), Ok(api)) => {
                    assert_eq!(settings.api().to_string(), api, "{text}");
                    let written = serde_json::to_string(&settings).unwrap();
                    assert_eq!(
                        serde_json::from_str::<Settings>(&written).unwrap(),
                        settings
                    );
                }
                (Err(error), Err(part)) => {
                    assert!(error.to_string().contains(part), "{text}: {error}");
                }
                (result, _) => panic!("{text}: {result:?}"),
            }
        }
    }
}
