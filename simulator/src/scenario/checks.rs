//! What a readable scenario must satisfy to be run.

use super::fault_checks::fault;
use super::{AccountCrm, Arrivals, Crm, Scenario};
use crate::fakes;
use crate::fakes::FICTIONAL_NUMBERS;

/// One step of a field's path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// A value that can't be used.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) path: Vec<Step>,
    pub(super) problem: String,
    pub(super) remedy: String,
}

impl Fault {
    pub(super) fn new(path: &str, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            path: path
                .split('.')
                .map(|step| match step.parse() {
                    Ok(index) => Step::Index(index),
                    Err(_) => Step::Key(step.to_owned()),
                })
                .collect(),
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    /// The path as people write it: `crm.faults[0].until_s`.
    pub(super) fn field(&self) -> String {
        let mut text = String::new();
        for step in &self.path {
            let part = match step {
                Step::Index(index) => format!("[{index}]"),
                Step::Key(key) if text.is_empty() => key.clone(),
                Step::Key(key) => format!(".{key}"),
            };
            text.push_str(&part);
        }
        text
    }
}

/// Longest run, seconds: a day of traffic with a little to spare.
pub(super) const RUN_S_MAX: u64 = 2 * 86_400;

pub(super) fn check(scenario: &Scenario) -> Result<(), Fault> {
    let name_fits = (1..=64).contains(&scenario.name.len())
        && scenario
            .name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !name_fits {
        return Err(Fault::new(
            "name",
            "is no name",
            "use 1 to 64 of a-z, 0-9 and `-`",
        ));
    }
    between(
        "duration_s",
        scenario.duration_s as f64,
        1.0,
        RUN_S_MAX as f64,
    )?;
    between(
        "drain_s_max",
        scenario.drain_s_max as f64,
        0.0,
        RUN_S_MAX as f64,
    )?;
    calls(scenario)?;
    crm("crm", &scenario.crm)?;
    accounts(scenario)?;
    let backlog = scenario.backlog.enrichment;
    let nobody = (0..scenario
        .accounts_count()
        .min(scenario.accounts.crm.len() as u32 + 1))
        .any(|number| scenario.of_account(number).crm.contacts == 0);
    if backlog > 0 && nobody {
        return Err(Fault::new(
            "backlog.enrichment",
            "a backlog is about contacts that are there, and there are none",
            "set `crm.contacts`",
        ));
    }
    between("backlog.enrichment", f64::from(backlog), 0.0, 2_000_000.0)?;
    between(
        "workers.count",
        f64::from(scenario.workers.count),
        1.0,
        32.0,
    )?;
    workers(scenario)?;
    slo(scenario)
}

fn accounts(scenario: &Scenario) -> Result<(), Fault> {
    let accounts = &scenario.accounts;
    between("accounts.count", f64::from(accounts.count), 1.0, 1_000.0)?;
    let named = accounts.crm.len();
    if named > 0 && accounts.count > 1 && accounts.count as usize != named {
        return Err(Fault::new(
            "accounts.count",
            format!("{named} accounts are listed in `accounts.crm`"),
            "remove `count`: every account of the list is one",
        ));
    }
    between("accounts.crm", named as f64, 0.0, 1_000.0)?;
    for (place, own) in accounts.crm.iter().enumerate() {
        let path = format!("accounts.crm.{place}");
        crm(&path, &own.over(&scenario.crm))?;
        account_slo(&path, own)?;
    }
    Ok(())
}

fn account_slo(path: &str, own: &AccountCrm) -> Result<(), Fault> {
    for (key, limit) in own.slo.limits() {
        let at = format!("{path}.slo.{key}");
        possible(&at, limit)?;
        if key.ends_with("tokens_per_call_max") && limit.is_some() && !fakes::has_price(&own.vendor)
        {
            return Err(Fault::new(
                &at,
                format!("{} counts no tokens", own.vendor),
                "limit the requests per call",
            ));
        }
    }
    Ok(())
}

fn workers(scenario: &Scenario) -> Result<(), Fault> {
    let workers = &scenario.workers;
    for (list, instants) in [
        ("kill_at_s", &workers.kill_at_s),
        ("stop_at_s", &workers.stop_at_s),
    ] {
        rising(scenario, &format!("workers.{list}"), "", instants)?;
    }
    let instants: Vec<u64> = workers.scale.iter().map(|step| step.at_s).collect();
    rising(scenario, "workers.scale", ".at_s", &instants)?;
    for (place, step) in workers.scale.iter().enumerate() {
        let path = format!("workers.scale.{place}.count");
        between(&path, f64::from(step.count), 1.0, 32.0)?;
    }
    between(
        "workers.clock_error_ms",
        workers.clock_error_ms as f64,
        0.0,
        60_000.0,
    )
}

/// Instants within the run, each after the one before.
fn rising(scenario: &Scenario, list: &str, field: &str, instants: &[u64]) -> Result<(), Fault> {
    let mut last_s = 0;
    for (place, &at_s) in instants.iter().enumerate() {
        let path = format!("{list}.{place}{field}");
        if at_s == 0 || at_s >= scenario.duration_s {
            return Err(Fault::new(
                &path,
                format!("{at_s} s is not within the run"),
                format!(
                    "use 1 to {} (`duration_s` − 1)",
                    scenario.duration_s.saturating_sub(1)
                ),
            ));
        }
        if at_s <= last_s {
            return Err(Fault::new(
                &path,
                format!("{at_s} s does not come after the one before"),
                "write the instants in rising order",
            ));
        }
        last_s = at_s;
    }
    Ok(())
}

fn calls(scenario: &Scenario) -> Result<(), Fault> {
    let calls = &scenario.calls;
    between(
        "calls.concurrent",
        f64::from(calls.concurrent),
        1.0,
        10_000.0,
    )?;
    between("calls.compress", calls.compress, 1.0, 100.0)?;
    between("calls.durations.mu", calls.durations.mu, 0.0, 10.0)?;
    between("calls.durations.sigma", calls.durations.sigma, 0.01, 3.0)?;
    between(
        "calls.durations.max_s",
        calls.durations.max_s,
        1.0,
        86_400.0,
    )?;
    let mix = &calls.mix;
    for (path, share) in [
        ("calls.hang_up_share", calls.hang_up_share),
        ("calls.unknown_share", calls.unknown_share),
        ("calls.redial_share", calls.redial_share),
        ("calls.outbound_share", calls.outbound_share),
        ("calls.mix.identified_share", mix.identified_share),
        ("calls.mix.task_share", mix.task_share),
        ("calls.mix.transfer_share", mix.transfer_share),
        ("calls.mix.deal_share", mix.deal_share),
        ("calls.mix.opt_out_share", mix.opt_out_share),
        (
            "calls.mix.outcome_property_share",
            mix.outcome_property_share,
        ),
        ("calls.mix.note_share", mix.note_share),
        ("calls.mix.transcript_share", mix.transcript_share),
        ("calls.mix.sentiment_share", mix.sentiment_share),
        ("calls.mix.recording_share", mix.recording_share),
        ("calls.mix.enriched_share", mix.enriched_share),
        ("calls.mix.analytics_share", mix.analytics_share),
    ] {
        between(path, share, 0.0, 1.0)?;
    }
    if calls.arrivals == Arrivals::Day && minutes(&calls.day_start).is_none() {
        return Err(Fault::new(
            "calls.day_start",
            "is no time of day",
            "write `HH:MM`, such as \"10:00\"",
        ));
    }
    Ok(())
}

fn crm(path: &str, crm: &Crm) -> Result<(), Fault> {
    let at = |field: &str| format!("{path}.{field}");
    if !fakes::VENDORS.contains(&crm.vendor.as_str()) {
        return Err(Fault::new(
            &at("vendor"),
            "there is no fake CRM of this name",
            format!("write one of {}", fakes::VENDORS.join(", ")),
        ));
    }
    if callflume_crm::limit_profile(&crm.vendor, &crm.profile).is_none() {
        return Err(Fault::new(
            &at("profile"),
            "is no limit profile",
            format!(
                "use one of {}",
                callflume_crm::limit_profile_ids(&crm.vendor).join(", ")
            ),
        ));
    }
    between(
        &at("share_percent"),
        f64::from(crm.share_percent),
        1.0,
        100.0,
    )?;
    if let Some(daily_limit) = crm.daily_limit {
        if !fakes::has_day(&crm.vendor) {
            return Err(Fault::new(
                &at("daily_limit"),
                format!("{} has no limit per day", crm.vendor),
                "remove it",
            ));
        }
        // A limit that a hundred times fits into 32 bits, as percentages of it must.
        between(
            &at("daily_limit"),
            f64::from(daily_limit),
            1.0,
            40_000_000.0,
        )?;
    }
    for (field, value, high) in [
        ("batch_wait_ms", crm.batch_wait_ms.unwrap_or(0), 60_000.0),
        (
            "op_batch_wait_ms",
            crm.op_batch_wait_ms.unwrap_or(0),
            5_000.0,
        ),
        ("service_ms", crm.service_ms, 60_000.0),
        ("service_jitter_ms", crm.service_jitter_ms, 60_000.0),
        ("search_lag_ms", crm.search_lag_ms, 600_000.0),
    ] {
        between(&at(field), value as f64, 0.0, high)?;
    }
    // Half the numbers stay for callers whom the CRM doesn't know.
    between(
        &at("contacts"),
        f64::from(crm.contacts),
        0.0,
        f64::from(FICTIONAL_NUMBERS / 2),
    )?;
    for (place, spec) in crm.faults.iter().enumerate() {
        let path = at(&format!("faults.{place}"));
        fault(&path, spec)?;
        if !fakes::can_fail(&crm.vendor, spec) {
            return Err(Fault::new(
                &format!("{path}.kind"),
                format!("{} doesn't fail in this way", crm.vendor),
                "use another kind, or leave out its `policy`",
            ));
        }
    }
    Ok(())
}

fn slo(scenario: &Scenario) -> Result<(), Fault> {
    let slo = &scenario.slo;
    for (path, value) in [
        ("slo.publish_p99_ms", slo.publish_p99_ms),
        ("slo.op_age_p99_ms", slo.op_age_p99_ms),
        ("slo.en_age_p99_ms", slo.en_age_p99_ms),
        ("slo.takeover_ms", slo.takeover_ms),
        ("slo.worker_rss_mb", slo.worker_rss_mb),
    ] {
        possible(path, value)?;
    }
    if let Some(ratio) = slo.publish_ratio_max {
        between("slo.publish_ratio_max", ratio, 1.0, 100.0)?;
    }
    if slo.takeover_ms.is_some() && scenario.workers.kill_at_s.is_empty() {
        return Err(Fault::new(
            "slo.takeover_ms",
            "no worker is killed in this scenario, so nothing is taken over",
            "add `workers.kill_at_s` or remove it",
        ));
    }
    Ok(())
}

/// A limit that something above nothing can keep.
fn possible(path: &str, limit: Option<f64>) -> Result<(), Fault> {
    match limit {
        Some(limit) if !(limit.is_finite() && limit > 0.0) => Err(Fault::new(
            path,
            format!("{limit} can't be met"),
            "use a number above 0",
        )),
        _ => Ok(()),
    }
}

pub(super) fn between(path: &str, value: f64, low: f64, high: f64) -> Result<(), Fault> {
    if value.is_finite() && (low..=high).contains(&value) {
        Ok(())
    } else {
        Err(Fault::new(
            path,
            format!("{value} is out of range"),
            format!("use {low} to {high}"),
        ))
    }
}

/// `HH:MM` as minutes since midnight.
pub(super) fn minutes(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    let digits = |text: &str| {
        (text.len() == 2)
            .then(|| text.parse::<u32>().ok())
            .flatten()
    };
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}
