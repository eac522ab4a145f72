//! Each account by itself, where a scenario tells them apart: what became of its effects, and what a call cost there.

use serde::Serialize;

use super::facts::{lane_age, rounded};
use super::objectives::{Kind, SloRow};
use super::{AccountFacts, AgeMs, CrmCounts, Facts, Writes};
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
    /// All of these.
    pub total: Price,
    /// What the same events would have cost a program that writes each thing for itself, as it happens: counted, not run.
    pub naive: Price,
}

/// A number of requests and what they cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Price {
    /// Requests.
    pub requests: f64,
    /// Tokens; `null` where the CRM has no price per operation.
    pub tokens: Option<f64>,
}

/// What was to hold of each account by itself. Accounts are in the scenario's order.
pub(super) fn objectives(facts: &Facts<'_>) -> Vec<SloRow> {
    let mut rows = Vec::new();
    for (account, own) in facts.accounts.iter().zip(&facts.scenario.accounts.crm) {
        let summary = AccountSummary::from(account);
        for (key, limit) in own.slo.limits() {
            let Some(limit) = limit else {
                continue;
            };
            let (kind, actual) = summary.measured(key);
            let name = format!("{}.{}.{key}", summary.account, summary.vendor);
            rows.push(SloRow::at_most(kind, name, limit, actual));
        }
    }
    rows
}

impl AccountSummary {
    /// What an objective of this key is about.
    fn measured(&self, key: &str) -> (Kind, Option<f64>) {
        let parts = &self.per_call;
        match key {
            "op_requests_per_call_max" => {
                let requests = parts.operational.requests + parts.look_ups.requests;
                (Kind::Correctness, Some(rounded(requests)))
            }
            "en_requests_per_call_max" => (Kind::Correctness, Some(parts.enrichment.requests)),
            "tokens_per_call_max" => (Kind::Correctness, parts.total.tokens),
            _ => (Kind::Latency, self.age_ms.op.p99),
        }
    }
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
                total: per_call(spend.total()),
                naive: per_call(facts.naive),
            },
        }
    }
}

impl PerCall {
    /// The parts with their names, their sum, and what it stands against.
    pub(super) const fn parts(&self) -> [(&'static str, &Price); 6] {
        [
            ("operational", &self.operational),
            ("enrichment", &self.enrichment),
            ("look-ups", &self.look_ups),
            ("other", &self.other),
            ("all", &self.total),
            ("written directly", &self.naive),
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
