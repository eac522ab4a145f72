//! What an owner says of its account: in memory, over request/reply, and in `callflume status --json`.

use callflume_core::account::AccountId;
use callflume_core::quota::AdviceMessage;
use serde::{Deserialize, Serialize};

/// State of an owned account, for status. What a worker of another version leaves out is taken as nothing, and what it
/// adds is not read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AccountStatus {
    /// The account.
    pub account: AccountId,
    /// Events in memory, operational lane.
    #[serde(default)]
    pub resident_op: usize,
    /// Events in memory, enrichment lane.
    #[serde(default)]
    pub resident_en: usize,
    /// Requests sent since the takeover.
    #[serde(default)]
    pub requests: u64,
    /// Of these, throttled by the CRM.
    #[serde(default)]
    pub throttled: u64,
    /// Permits granted to other processes on the credential since the takeover.
    #[serde(default)]
    pub lent: u64,
    /// Effects done since the takeover.
    #[serde(default)]
    pub done: u64,
    /// Effects that a later update carried along, since the takeover.
    #[serde(default)]
    pub merged: u64,
    /// Effects that found a newer value, since the takeover.
    #[serde(default)]
    pub superseded: u64,
    /// Effects whose link had expired before it could be written, since the takeover.
    #[serde(default)]
    pub expired: u64,
    /// Owners named by an address that no active owner in the CRM has, left out since the takeover.
    #[serde(default)]
    pub owners_unknown: u64,
    /// Effects and events that became dead letters, since the takeover.
    #[serde(default)]
    pub dead: u64,
    /// Events settled since the takeover.
    #[serde(default)]
    pub settled: u64,
    /// Contacts read by warm-ups.
    #[serde(default)]
    pub warmed: u64,
    /// Whether a warm-up is running.
    #[serde(default)]
    pub warming: bool,
    /// Windows: name, used, allowed.
    #[serde(default)]
    pub windows: Vec<(String, u32, u32)>,
    /// The alerts that stand, if any, as code and text.
    #[serde(default)]
    pub alert: Option<String>,
    /// What an outbound dialler is advised to do.
    #[serde(default)]
    pub advice: Option<AdviceMessage>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_another_version_are_read_as_far_as_they_go() {
        let older = r#"{"account": "acme", "settled": 3}"#;
        let newer = r#"{"account": "acme", "settled": 3, "mood": {"good": true}}"#;
        for text in [older, newer] {
            let status: AccountStatus = serde_json::from_str(text).unwrap();
            assert_eq!((status.settled, status.dead, status.warming), (3, 0, false));
            assert!(status.windows.is_empty() && status.alert.is_none());
        }
    }
}
