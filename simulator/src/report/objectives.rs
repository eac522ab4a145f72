//! Objectives: what was expected, what was measured, and the verdict that follows.

use std::borrow::Cow;

use serde::Serialize;

use super::accounts;
use super::facts::{ms_at, rounded};
use super::{Facts, Fitness, Mode, PublishRatio, Verdict};

/// Largest part of a run, in percent, that the machine may stand still and still be fit to judge latency.
pub const STALLS_PCT_MAX: f64 = 1.0;

/// The publish objective by which a machine is judged when the scenario has none, milliseconds.
const PUBLISH_P99_MS: f64 = 1.0;

/// On what an objective depends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// On nothing but the product.
    Correctness,
    /// On the machine's speed too.
    Latency,
    /// On the product, measured against the machine.
    Relative,
}

/// One objective.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SloRow {
    /// Its name: the scenario's key, or what the oracle counts; of one account behind `<account>.<vendor>.`.
    pub name: Cow<'static, str>,
    /// What must hold, such as `<= 2000`.
    pub expected: String,
    /// What was measured; `null` when nothing was, which never passes.
    pub actual: Option<f64>,
    /// Whether it holds.
    pub pass: bool,
    /// On what it depends.
    #[serde(skip)]
    pub(super) kind: Kind,
}

impl SloRow {
    pub(super) fn at_most(
        kind: Kind,
        name: impl Into<Cow<'static, str>>,
        limit: f64,
        actual: Option<f64>,
    ) -> Self {
        let expected = if limit == 0.0 {
            "== 0".to_owned()
        } else {
            format!("<= {limit}")
        };
        Self {
            name: name.into(),
            expected,
            actual,
            pass: actual.is_some_and(|actual| actual <= limit),
            kind,
        }
    }
}

pub(super) fn fitness(facts: &Facts<'_>) -> Fitness {
    let Some(baseline) = facts.baseline else {
        return Fitness {
            bare_p99_ms: None,
            stalls_pct: None,
            lag_p99_ms: None,
            // In real time a machine that was not measured can't be called fit.
            fit: facts.mode == Mode::VirtualTime,
        };
    };
    let bare_p99_ms = ms_at(&baseline.bare_us, 0.99);
    let limit_ms = facts.scenario.slo.publish_p99_ms.unwrap_or(PUBLISH_P99_MS);
    Fitness {
        bare_p99_ms,
        stalls_pct: Some(rounded(baseline.stalls_pct)),
        lag_p99_ms: ms_at(&baseline.lag_us, 0.99),
        fit: bare_p99_ms.is_some_and(|bare| bare < limit_ms)
            && baseline.stalls_pct <= STALLS_PCT_MAX,
    }
}

pub(super) fn judge(facts: &Facts<'_>, ratio: Option<&PublishRatio>, fit: bool) -> Vec<SloRow> {
    let judgement = facts.judgement;
    let effects = &judgement.effects;
    let slo = &facts.scenario.slo;
    let count = |name, limit: u64, actual: u64| {
        SloRow::at_most(Kind::Correctness, name, limit as f64, Some(actual as f64))
    };
    let mut rows = vec![
        count("lost", 0, effects.lost),
        count("doubled", 0, effects.doubled),
        count("persons_doubled", 0, effects.persons_doubled),
        count("reordered", 0, effects.reordered),
        count("over_limit", 0, judgement.over_limit),
        count(
            "throttled",
            slo.throttled_max.unwrap_or(0),
            judgement.throttled,
        ),
        count("dead", slo.dead_max.unwrap_or(0), effects.dead),
        count(
            "unacked",
            slo.unacked_max.unwrap_or(0),
            judgement.events_unacked(),
        ),
    ];
    let timed = facts.mode == Mode::RealTime;
    let ages = &judgement.ages;
    let age_p99 = |histogram: &hdrhistogram::Histogram<u64>| {
        (!histogram.is_empty()).then(|| histogram.value_at_quantile(0.99) as f64)
    };
    let workers = facts.workers;
    // What virtual time can't measure isn't judged there.
    for (kind, name, limit, actual, judged) in [
        (
            Kind::Latency,
            "publish_p99_ms",
            slo.publish_p99_ms,
            facts
                .publish_us
                .and_then(|histogram| ms_at(histogram, 0.99)),
            timed,
        ),
        (
            Kind::Relative,
            "publish_ratio_max",
            slo.publish_ratio_max,
            ratio.map(|ratio| ratio.p99),
            // A fit machine is judged by the latency itself.
            timed && !fit,
        ),
        (
            Kind::Latency,
            "op_age_p99_ms",
            slo.op_age_p99_ms,
            age_p99(&ages.op),
            true,
        ),
        (
            Kind::Latency,
            "en_age_p99_ms",
            slo.en_age_p99_ms,
            age_p99(&ages.en),
            true,
        ),
        (
            Kind::Latency,
            "takeover_ms",
            slo.takeover_ms,
            workers.and_then(|workers| workers.takeover_ms_max),
            timed || workers.is_some(),
        ),
        (
            Kind::Relative,
            "worker_rss_mb",
            slo.worker_rss_mb,
            workers.and_then(|workers| workers.rss_mb_max),
            timed,
        ),
    ] {
        if let Some(limit) = limit.filter(|_| judged) {
            rows.push(SloRow::at_most(kind, name, limit, actual));
        }
    }
    rows.extend(accounts::objectives(facts));
    rows
}

pub(super) fn verdict(rows: &[SloRow], fit: bool) -> Verdict {
    let failed = rows
        .iter()
        .filter(|row| !row.pass)
        .any(|row| fit || row.kind != Kind::Latency || row.actual.is_none());
    if failed {
        Verdict::Fail
    } else if !fit && rows.iter().any(|row| row.kind == Kind::Latency) {
        Verdict::Unfit
    } else {
        Verdict::Pass
    }
}
