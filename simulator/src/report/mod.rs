//! Reports of a run: one [`Summary`], written as JSON, as Markdown and for the terminal, and the exit code that follows.
//!
//! Decides the verdict. Invariants: a number that wasn't measured is `null`, never 0; percentiles come from merged
//! histograms, never from averages; nothing here reads a clock or the machine.
//!
//! | verdict | when |
//! | --- | --- |
//! | `fail` | something was lost, doubled, reordered or over the limit; or another objective is missed on a fit machine; or one that doesn't depend on the machine's own speed (ratio to the bare publish loop, memory) on any |
//! | `unfit` | not `fail`, the scenario has objectives of latency, and the machine is not fit to judge them: see [`Fitness`] |
//! | `pass` | otherwise |

mod accounts;
mod exit;
mod facts;
mod markdown;
mod objectives;
mod text;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::Serialize;

pub use accounts::{AccountSummary, PerCall, Price};
pub use exit::{EXIT_ENVIRONMENT, EXIT_MISSED, EXIT_PASS, EXIT_UNFIT, EXIT_USAGE, exit_code};
pub use facts::{AccountFacts, Baseline, BlockRatio, Facts, WorkerFacts};
pub use objectives::{STALLS_PCT_MAX, SloRow};

/// Name and version of the JSON format.
pub const SCHEMA: &str = "callflume.report/1";

/// How a run was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Real time, real broker, real HTTP.
    RealTime,
    /// Virtual time: everything modelled in one process. The machine has no part in it, so it is always fit.
    VirtualTime,
}

impl Mode {
    /// As people read it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RealTime => "real time",
            Self::VirtualTime => "virtual time",
        }
    }
}

/// The verdict; see the table of [the module](self).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Everything that was to hold holds.
    Pass,
    /// Something doesn't.
    Fail,
    /// This machine can't tell.
    Unfit,
}

impl Verdict {
    /// As people read it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Unfit => "UNFIT",
        }
    }
}

/// Whether the machine can judge latency: a bare publish loop beside ours keeps the publish objective (1 ms when the
/// scenario has none), and the stall meter saw the machine stand still for at most [`STALLS_PCT_MAX`] percent of the time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fitness {
    /// 99th percentile of the bare publish loop, milliseconds.
    pub bare_p99_ms: Option<f64>,
    /// Part of the run in which the stall meter's thread wasn't scheduled, percent.
    pub stalls_pct: Option<f64>,
    /// 99th percentile of planned instant to publish call, milliseconds: how late the generator was.
    pub lag_p99_ms: Option<f64>,
    /// The verdict on the machine.
    pub fit: bool,
}

/// The calls of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallCounts {
    /// Calls in progress at the start and begun since.
    pub started: u64,
    /// The most in progress at once.
    pub peak_concurrent: u64,
    /// Planned outbound calls that the dialler did not place, on advice; left out when no dialler obeyed any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_dialled: Option<u64>,
}

/// The events of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventCounts {
    /// Planned, backlog included.
    pub planned: u64,
    /// Acknowledged.
    pub acked: u64,
    /// Never acknowledged.
    pub failed: u64,
}

/// What became of the effects; see [`crate::oracle`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the words are explained in the oracle's table")]
pub struct Writes {
    pub expected: u64,
    pub applied: u64,
    pub merged: u64,
    pub superseded: u64,
    pub lost: u64,
    pub doubled: u64,
    pub persons_doubled: u64,
    pub reordered: u64,
    pub dead: u64,
}

/// Time from the call of publish to its acknowledgement, milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "percentiles")]
pub struct PublishMs {
    pub p50: Option<f64>,
    pub p99: Option<f64>,
    pub p999: Option<f64>,
    pub max: Option<f64>,
}

/// Percentiles of ages, milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "percentiles")]
pub struct LaneAge {
    pub p50: Option<f64>,
    pub p99: Option<f64>,
    pub max: Option<f64>,
}

/// Age of an effect when the CRM holds it, from the planned instant, milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AgeMs {
    /// Operational.
    pub op: LaneAge,
    /// Enrichment, without the backlog.
    pub en: LaneAge,
}

/// The CRM's side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CrmCounts {
    /// Requests it saw.
    pub requests: u64,
    /// Of these answered 429, for whatever reason.
    pub throttled: u64,
    /// Of these sent into a full window.
    pub over_limit: u64,
    /// Effects per request.
    pub writes_per_request: f64,
}

/// The workers' side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkerCounts {
    /// Workers killed.
    pub kills: u64,
    /// Longest time from a kill to the successor's first request, milliseconds.
    pub takeover_ms_max: Option<f64>,
    /// Largest resident set, megabytes.
    pub rss_mb_max: Option<f64>,
}

/// Publish latency as a multiple of the bare loop's, medians over blocks.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "percentiles")]
pub struct PublishRatio {
    pub p50: f64,
    pub p99: f64,
}

/// One run. Fields up to `slo` are the format [`SCHEMA`]; those after it are left out when there is nothing to say.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The verdict.
    pub verdict: Verdict,
    /// The scenario's name.
    pub scenario: String,
    /// Its seed.
    pub seed: u64,
    /// How the run was made.
    pub mode: Mode,
    /// Whether the machine can judge latency.
    pub fitness: Fitness,
    /// The calls.
    pub calls: CallCounts,
    /// The events.
    pub events: EventCounts,
    /// Their effects.
    pub writes: Writes,
    /// Publish latency.
    pub publish_ms: PublishMs,
    /// Ages of effects.
    pub age_ms: AgeMs,
    /// The CRM.
    pub crm: CrmCounts,
    /// Every objective, judged.
    pub slo: Vec<SloRow>,
    /// The workers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<WorkerCounts>,
    /// Ratio to the bare loop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publish_ratio: Option<PublishRatio>,
    /// When the backlog was worked off, milliseconds since the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backlog_done_ms: Option<i64>,
    /// Each account's own, where the scenario tells them apart; left out else.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<AccountSummary>,
    /// The first findings of the oracle.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
    /// What the run was made on: machine, broker, versions.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// The plan's digest: two runs with the same one published the same.
    pub plan_digest: String,
    /// The command that makes this run again.
    pub command: String,
}

impl Summary {
    /// Sums up a run and judges it.
    pub fn new(facts: &Facts<'_>) -> Self {
        let judgement = facts.judgement;
        let fitness = objectives::fitness(facts);
        let publish_ratio = facts.baseline.and_then(Baseline::median_ratio);
        let slo = objectives::judge(facts, publish_ratio.as_ref(), fitness.fit);
        let verdict = objectives::verdict(&slo, fitness.fit);
        Self {
            schema: SCHEMA,
            verdict,
            scenario: facts.scenario.name.clone(),
            seed: facts.scenario.seed,
            mode: facts.mode,
            fitness,
            calls: CallCounts {
                started: facts.plan.calls.len() as u64,
                peak_concurrent: facts.plan.peak_concurrent() as u64,
                not_dialled: facts.not_dialled,
            },
            events: EventCounts {
                planned: judgement.events_planned,
                acked: judgement.events_acked,
                failed: judgement.events_unacked(),
            },
            writes: (&judgement.effects).into(),
            publish_ms: facts.publish_ms(),
            age_ms: (&judgement.ages).into(),
            crm: judgement.into(),
            accounts: facts.accounts.iter().map(Into::into).collect(),
            slo,
            workers: facts.workers.map(|workers| WorkerCounts {
                kills: workers.kills,
                takeover_ms_max: workers.takeover_ms_max,
                rss_mb_max: workers.rss_mb_max,
            }),
            publish_ratio,
            backlog_done_ms: judgement.backlog_done_ms,
            findings: judgement.details.iter().map(ToString::to_string).collect(),
            environment: facts.environment.clone(),
            plan_digest: facts.plan.digest(),
            command: facts.command.clone(),
        }
    }

    /// The JSON text, ending in a line break.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// The Markdown text.
    pub fn to_markdown(&self) -> String {
        markdown::render(self)
    }

    /// What the terminal shows; `color` when it may be coloured (a terminal, and `NO_COLOR` is not set).
    pub fn render_text(&self, color: bool) -> String {
        text::render(self, color)
    }

    /// Writes `summary.json` and `summary.md` into a directory, which is made if it isn't there.
    pub fn write(&self, directory: &Path) -> io::Result<()> {
        std::fs::create_dir_all(directory)?;
        let json = self.to_json().map_err(io::Error::other)?;
        std::fs::write(directory.join("summary.json"), json)?;
        std::fs::write(directory.join("summary.md"), self.to_markdown())
    }
}
