//! An account's configuration, as it stands in the file and in the config bucket.
//!
//! Decides which values are usable; a refused value names itself and the remedy, and the one before stays in force.
//! Secrets stand here by reference only (environment variable or file), never by value.

mod oauth;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::codes::{self, Code};
use crate::effect::{Object, Write};

pub use oauth::{OAuth, OAuthConfig};

/// Where a secret is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum SecretRef {
    /// Name of an environment variable of the worker.
    Env(String),
    /// Path of a file that the worker can read; white space at its ends is cut. Read again for every use, so that a
    /// rotated secret needs no restart.
    File(String),
}

/// One CRM account. The key in file and bucket is the account id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountConfig {
    /// Format number.
    #[serde(default = "schema")]
    pub schema: u32,
    /// Which CRM: `hubspot`, `salesforce`, `close` or `pipedrive`.
    pub crm: String,
    /// The credential; absent when `oauth` says how it is renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<SecretRef>,
    /// Base address of the CRM's API; the vendor's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Version of the CRM's API, as its paths spell it; the connector's default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// The account's own ids of call outcomes, by Callflume's names of dispositions, where they differ from the CRM's
    /// defaults.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dispositions: BTreeMap<String, String>,
    /// The account's own ids of custom fields, by what Callflume keeps there (`contact.key`, `deal.key` …), for a CRM
    /// that names them by ids. `account check` prints them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub custom_fields: BTreeMap<String, String>,
    /// Whether the credential is an OAuth access token, and how it is renewed if Callflume does that.
    #[serde(default, skip_serializing_if = "OAuth::is_off")]
    pub oauth: OAuth,
    /// Limit profile, the vendor's plan: `private_professional` …
    pub profile: String,
    /// Share of the published limits that Callflume uses, percent (1 to 100). The rest is left to other applications.
    #[serde(default = "share_percent")]
    pub share_percent: u32,
    /// Published limits that differ from the profile, by window name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, u32>,
    /// IANA name of the account's time zone: its midnight ends the day's quota.
    #[serde(default = "time_zone")]
    pub time_zone: String,
    /// Permits that enrichment leaves standing in each rolling window, so that an operational effect leaves at once.
    #[serde(default = "reserve_permits")]
    pub reserve_permits: u32,
    /// Share of a day's limit that is kept for operational requests, percent (0 to 100).
    #[serde(default = "daily_floor_op_percent")]
    pub daily_floor_op_percent: u32,
    /// Most requests in flight for the operational lane.
    #[serde(default = "in_flight_op_max")]
    pub in_flight_op_max: usize,
    /// Most requests in flight for the enrichment lane.
    #[serde(default = "in_flight_en_max")]
    pub in_flight_en_max: usize,
    /// How long enrichment waits for its batch to fill, milliseconds.
    #[serde(default = "batch_wait_ms")]
    pub batch_wait_ms: u64,
    /// How long operational effects wait for others to share their request, milliseconds, 0 to 5,000; the CRM's own
    /// default without it, which is 0 except where only a day's number of requests counts (Salesforce).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op_batch_wait_ms: Option<u64>,
    /// Time-out of one request, milliseconds. Must be shorter than the lease (5 s on one server).
    #[serde(default = "request_timeout_ms")]
    pub request_timeout_ms: u64,
    /// Attempts of one effect before it becomes a dead letter. Throttled answers don't count.
    #[serde(default = "attempts_max")]
    pub attempts_max: u32,
    /// How long an update waits for the record of its call to appear, milliseconds.
    #[serde(default = "call_record_wait_ms")]
    pub call_record_wait_ms: u64,
    /// Country calling code (digits) for numbers in the CRM that are typed without one; without it such numbers are
    /// found by search only and not by `cache warm`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_country: Option<String>,
    /// What kinds of events write; a kind listed here replaces its default.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mapping: BTreeMap<String, Vec<EffectTemplate>>,
}

/// One effect of a mapped kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EffectTemplate {
    /// The kind of record.
    pub object: Object,
    /// How it is written; `contact` for contacts, else `create` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write: Option<Write>,
    /// Field name (`text`, `x.lead_score` …) to a minijinja template over `event` (`event.body.score`,
    /// `event.contact.name`, `event.at` …). An empty result leaves the field out.
    pub fields: BTreeMap<String, String>,
}

const fn schema() -> u32 {
    crate::record::SCHEMA
}
const fn share_percent() -> u32 {
    80
}
fn time_zone() -> String {
    "UTC".to_owned()
}
const fn reserve_permits() -> u32 {
    3
}
const fn daily_floor_op_percent() -> u32 {
    20
}
const fn in_flight_op_max() -> usize {
    16
}
const fn in_flight_en_max() -> usize {
    8
}
const fn batch_wait_ms() -> u64 {
    1_000
}
const fn request_timeout_ms() -> u64 {
    3_000
}
const fn attempts_max() -> u32 {
    8
}
const fn call_record_wait_ms() -> u64 {
    600_000
}

/// A value that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: `{field}`: {text}")]
pub struct BadConfig {
    /// The code.
    pub code: Code,
    /// The field, as a path below the account.
    pub field: String,
    /// What is wrong and what to write instead.
    pub text: String,
}

impl BadConfig {
    /// A fault of `field`.
    pub fn new(field: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            code: codes::CONFIG_VALUE,
            field: field.into(),
            text: text.into(),
        }
    }
}

impl AccountConfig {
    /// An account with the documented defaults.
    pub fn new(crm: &str, token: SecretRef, profile: &str) -> Self {
        Self {
            schema: schema(),
            crm: crm.to_owned(),
            token: Some(token),
            base_url: None,
            api_version: None,
            dispositions: BTreeMap::new(),
            custom_fields: BTreeMap::new(),
            oauth: OAuth::Off,
            profile: profile.to_owned(),
            share_percent: share_percent(),
            limits: BTreeMap::new(),
            time_zone: time_zone(),
            reserve_permits: reserve_permits(),
            daily_floor_op_percent: daily_floor_op_percent(),
            in_flight_op_max: in_flight_op_max(),
            in_flight_en_max: in_flight_en_max(),
            batch_wait_ms: batch_wait_ms(),
            op_batch_wait_ms: None,
            request_timeout_ms: request_timeout_ms(),
            attempts_max: attempts_max(),
            call_record_wait_ms: call_record_wait_ms(),
            default_country: None,
            mapping: BTreeMap::new(),
        }
    }

    /// Checks every value that can be checked without the CRM's limit profile, which is `crm`'s.
    pub fn check(&self) -> Result<(), BadConfig> {
        let range = |field: &str, value: u64, low: u64, high: u64| {
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(BadConfig::new(
                    field,
                    format!("{value} is out of range, use {low} to {high}"),
                ))
            }
        };
        if self.schema != crate::record::SCHEMA {
            return Err(BadConfig::new(
                "schema",
                format!(
                    "{} is not readable, this version reads {}",
                    self.schema,
                    crate::record::SCHEMA
                ),
            ));
        }
        self.oauth.check(self.token.as_ref())?;
        range("share_percent", self.share_percent.into(), 1, 100)?;
        range("reserve_permits", self.reserve_permits.into(), 0, 1_000)?;
        range(
            "daily_floor_op_percent",
            self.daily_floor_op_percent.into(),
            0,
            100,
        )?;
        range("in_flight_op_max", self.in_flight_op_max as u64, 1, 256)?;
        range("in_flight_en_max", self.in_flight_en_max as u64, 1, 256)?;
        range("batch_wait_ms", self.batch_wait_ms, 0, 60_000)?;
        range(
            "op_batch_wait_ms",
            self.op_batch_wait_ms.unwrap_or(0),
            0,
            5_000,
        )?;
        range("request_timeout_ms", self.request_timeout_ms, 100, 30_000)?;
        range("attempts_max", self.attempts_max.into(), 1, 1_000)?;
        range(
            "call_record_wait_ms",
            self.call_record_wait_ms,
            1_000,
            86_400_000,
        )?;
        if jiff::tz::TimeZone::get(&self.time_zone).is_err() {
            return Err(BadConfig::new(
                "time_zone",
                "not an IANA time zone; write e.g. `Europe/Berlin` or `UTC`",
            ));
        }
        if let Some(url) = &self.base_url
            && !(url.starts_with("https://") || url.starts_with("http://"))
        {
            return Err(BadConfig::new(
                "base_url",
                "starts with neither https:// nor http://",
            ));
        }
        if let Some(country) = &self.default_country
            && !((1..=3).contains(&country.len()) && country.bytes().all(|b| b.is_ascii_digit()))
        {
            return Err(BadConfig::new(
                "default_country",
                "1 to 3 digits without `+`, e.g. `1` or `44`",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) const MINIMAL: &str =
        "crm = \"hubspot\"\nprofile = \"private_professional\"\ntoken = { env = \"TOKEN\" }\n";

    #[test]
    fn a_minimal_account_has_the_documented_defaults_and_reads_back() {
        let config: AccountConfig = toml::from_str(MINIMAL).unwrap();
        config.check().unwrap();
        assert_eq!(
            (
                config.share_percent,
                config.reserve_permits,
                config.request_timeout_ms
            ),
            (80, 3, 3_000)
        );
        let json = serde_json::to_string(&config).unwrap();
        assert_eq!(
            serde_json::from_str::<AccountConfig>(&json).unwrap(),
            config
        );
    }

    #[test]
    fn bad_values_name_their_field() {
        for (line, field) in [
            ("share_percent = 0", "share_percent"),
            ("daily_floor_op_percent = 101", "daily_floor_op_percent"),
            ("time_zone = \"Mars/Base\"", "time_zone"),
            ("base_url = \"ftp://x\"", "base_url"),
            ("default_country = \"+1\"", "default_country"),
            ("request_timeout_ms = 1", "request_timeout_ms"),
            ("schema = 9", "schema"),
        ] {
            let config: AccountConfig = toml::from_str(&format!("{MINIMAL}{line}\n")).unwrap();
            assert_eq!(config.check().unwrap_err().field, field);
        }
        assert!(toml::from_str::<AccountConfig>(&format!("{MINIMAL}sharepercent = 5\n")).is_err());
    }
}
