//! The accounts of a scenario: how many, the CRM of each where they differ, and what must hold of each.

use serde::{Deserialize, Serialize};

use super::{Crm, FaultSpec, Scenario};
use crate::fakes;

/// The accounts of a scenario. Each has a CRM, contacts, calls and a backlog of its own, as the other tables say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Accounts {
    /// How many, all with the CRM of `[crm]`. More than one under virtual time only.
    pub count: u32,
    /// The CRM of each, in place of `count`; under virtual time only.
    pub crm: Vec<AccountCrm>,
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            count: 1,
            crm: Vec::new(),
        }
    }
}

/// The CRM of one account. What it leaves out is as in `[crm]`; profile and day only for the same vendor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountCrm {
    /// Which: one of [`fakes::VENDORS`].
    pub vendor: String,
    /// See [`Crm::profile`]; for a vendor other than `[crm]`'s [`fakes::default_profile`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// See [`Crm::share_percent`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_percent: Option<u32>,
    /// See [`Crm::daily_limit`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_limit: Option<u32>,
    /// See [`Crm::batch_wait_ms`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_wait_ms: Option<u64>,
    /// See [`Crm::op_batch_wait_ms`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op_batch_wait_ms: Option<u64>,
    /// See [`Crm::service_ms`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_ms: Option<u64>,
    /// See [`Crm::service_ms`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_jitter_ms: Option<u64>,
    /// See [`Crm::contacts`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contacts: Option<u32>,
    /// See [`Crm::search_lag_ms`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search_lag_ms: Option<u64>,
    /// What goes wrong here, in place of what goes wrong in `[crm]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub faults: Option<Vec<FaultSpec>>,
    /// What must hold of this account, beside what must of all of them together.
    #[serde(default)]
    pub slo: AccountSlo,
}

/// What must hold of one account. What isn't given isn't judged.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccountSlo {
    /// Requests per call that carried something operational, and look-ups.
    pub op_requests_per_call_max: Option<f64>,
    /// Requests per call that carried enrichment only, the backlog's too.
    pub en_requests_per_call_max: Option<f64>,
    /// Tokens per call of all requests; only where the CRM has a price per operation.
    pub tokens_per_call_max: Option<f64>,
    /// See [`super::Slo::op_age_p99_ms`].
    pub op_age_p99_ms: Option<f64>,
}

impl AccountSlo {
    /// The limits by their keys.
    pub const fn limits(&self) -> [(&'static str, Option<f64>); 4] {
        [
            ("op_requests_per_call_max", self.op_requests_per_call_max),
            ("en_requests_per_call_max", self.en_requests_per_call_max),
            ("tokens_per_call_max", self.tokens_per_call_max),
            ("op_age_p99_ms", self.op_age_p99_ms),
        ]
    }
}

impl AccountCrm {
    /// The whole of it.
    pub(super) fn over(&self, common: &Crm) -> Crm {
        let own = self.clone();
        let same = own.vendor == common.vendor;
        let profile = if same {
            common.profile.clone()
        } else {
            fakes::default_profile(&own.vendor).to_owned()
        };
        Crm {
            profile: own.profile.unwrap_or(profile),
            share_percent: own.share_percent.unwrap_or(common.share_percent),
            daily_limit: own.daily_limit.or(common.daily_limit.filter(|_| same)),
            batch_wait_ms: own.batch_wait_ms.or(common.batch_wait_ms),
            op_batch_wait_ms: own.op_batch_wait_ms.or(common.op_batch_wait_ms),
            service_ms: own.service_ms.unwrap_or(common.service_ms),
            service_jitter_ms: own.service_jitter_ms.unwrap_or(common.service_jitter_ms),
            contacts: own.contacts.unwrap_or(common.contacts),
            search_lag_ms: own.search_lag_ms.unwrap_or(common.search_lag_ms),
            faults: own.faults.unwrap_or_else(|| common.faults.clone()),
            vendor: own.vendor,
        }
    }
}

impl Scenario {
    /// How many accounts there are.
    pub fn accounts_count(&self) -> u32 {
        match self.accounts.crm.len() {
            0 => self.accounts.count,
            named => named as u32,
        }
    }

    /// The scenario of one account, from 0: its CRM is the account's, its seed its own. Of the first account it is the
    /// scenario's.
    #[must_use]
    pub fn of_account(&self, number: u32) -> Self {
        let mut own = self.clone();
        // Accounts differ in everything that is drawn. The golden ratio's bits spread neighbouring numbers (SplitMix64).
        own.seed ^= u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        if let Some(crm) = self.accounts.crm.get(number as usize) {
            own.crm = crm.over(&self.crm);
        }
        own
    }
}
