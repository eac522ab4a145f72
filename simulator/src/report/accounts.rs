//! Each account by itself, where a scenario tells them apart: what became of its effects, and what a call cost there.

use serde::Serialize;

use super::facts::{lane_age, rounded};
use super::{AccountFacts, AgeMs, CrmCounts, Writes};
use crate::oracle::{Ages, Cost, EffectCounts, Judgement};

/// One account of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AccountSummary {
    /// Its id.
    pub account: String,
    /// Name of its CRM.
    pub vendor: String,
    /// Calls in progress at the start and begun since.
    pub calls: u64,
    /// What became of its effects.
    pub writes: Writes,
    /// Ages of its effects.
    pub age_ms: AgeMs,
    /// Its CRM's side.
    pub crm: CrmCounts,
    /// What its CRM was asked for, per call.
    pub per_call: PerCall,
}

/// What a CRM was asked for, per call; see [`crate::oracle::Spend`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PerCall {
    /// Writes that carried something operational.
    pub operational: Price,
    /// Writes that carried enrichment only, the backlog's too.
    pub enrichment: Price,
    /// Searches, listings and reads.
    pub look_ups: Price,
    /// Everything else.
    pub other: Price,
}

/// A number of requests and what they cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Price {
    /// Requests.
    pub requests: f64,
    /// Tokens; `null` where the CRM has no price per operation.
    pub tokens: Option<f64>,
}

impl From<&AccountFacts<'_>> for AccountSummary {
    fn from(facts: &AccountFacts<'_>) -> Self {
        let judgement = facts.judgement;
        let spend = &judgement.spend;
        let priced = spend.total().tokens > 0;
        let per_call = |cost: Cost| Price {
            requests: share(cost.requests, facts.calls),
            tokens: priced.then(|| share(cost.tokens, facts.calls)),
        };
        Self {
            account: facts.account.to_owned(),
            vendor: facts.crm.to_owned(),
            calls: facts.calls,
            writes: (&judgement.effects).into(),
            age_ms: (&judgement.ages).into(),
            crm: judgement.into(),
            per_call: PerCall {
                operational: per_call(spend.op),
                enrichment: per_call(spend.en),
                look_ups: per_call(spend.look_ups),
                other: per_call(spend.other),
            },
        }
    }
}

impl PerCall {
    /// The parts with their names.
    pub(super) const fn parts(&self) -> [(&'static str, &Price); 4] {
        [
            ("operational", &self.operational),
            ("enrichment", &self.enrichment),
            ("look-ups", &self.look_ups),
            ("other", &self.other),
        ]
    }
}

fn share(count: u64, calls: u64) -> f64 {
    if calls == 0 {
        0.0
    } else {
        rounded(count as f64 / calls as f64)
    }
}

impl From<&EffectCounts> for Writes {
    fn from(effects: &EffectCounts) -> Self {
        Self {
            expected: effects.expected,
            applied: effects.applied,
            merged: effects.merged,
            superseded: effects.superseded,
            lost: effects.lost,
            doubled: effects.doubled,
            persons_doubled: effects.persons_doubled,
            reordered: effects.reordered,
            dead: effects.dead,
        }
    }
}

impl From<&Ages> for AgeMs {
    fn from(ages: &Ages) -> Self {
        Self {
            op: lane_age(&ages.op),
            en: lane_age(&ages.en),
        }
    }
}

impl From<&Judgement> for CrmCounts {
    fn from(judgement: &Judgement) -> Self {
        Self {
            requests: judgement.requests,
            throttled: judgement.throttled,
            over_limit: judgement.over_limit,
            writes_per_request: rounded(judgement.writes_per_request()),
        }
    }
}
