//! Scenarios: what a load test runs, what breaks, what must hold. One small TOML file each.
//!
//! Decides which files are usable: an unknown key, a wrong type or a value out of range is refused with file, line,
//! column, field and remedy, before anything is started. Never reads anything but the one file. Invariant: whatever
//! [`Scenario::parse`] returns can be run; no later stage has to check a value again.

mod accounts;
mod checks;
mod durations;
mod error;
mod fault;
mod fault_checks;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use accounts::{AccountCrm, AccountSlo, Accounts};
pub use durations::{DurationPreset, Durations};
pub use error::{OnlyVirtual, ScenarioError};
pub use fault::{FaultAction, FaultSpec, ThrottlePolicy};

/// The token that every scenario's account accepts.
pub const TOKEN: &str = "sim-token";

/// One scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Names the run in every report: `[a-z0-9-]`, 1 to 64.
    pub name: String,
    /// One or two sentences for the reader of a report.
    #[serde(default)]
    pub description: String,
    /// Everything random follows from it. At most 2⁶³−1, TOML's largest whole number.
    pub seed: u64,
    /// How long calls are made, seconds.
    pub duration_s: u64,
    /// After the last event, until everything must be settled, seconds.
    #[serde(default = "drain_s_max")]
    pub drain_s_max: u64,
    /// Whether every event is published two times.
    #[serde(default)]
    pub publish_twice: bool,
    /// Whether the worker's cache is filled from the CRM before the first event.
    #[serde(default)]
    pub warm: bool,
    /// The calls.
    pub calls: Calls,
    /// The CRM.
    #[serde(default)]
    pub crm: Crm,
    /// What waits already when the run starts.
    #[serde(default)]
    pub backlog: Backlog,
    /// The workers.
    #[serde(default)]
    pub workers: Workers,
    /// The accounts.
    #[serde(default)]
    pub accounts: Accounts,
    /// What must hold, beside correctness, which always must.
    #[serde(default)]
    pub slo: Slo,
}

/// The calls of a scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calls {
    /// Calls in progress at once, from the first second on. With `arrivals = "day"` at the busiest half hour.
    pub concurrent: u32,
    /// How calls arrive over the run.
    #[serde(default)]
    pub arrivals: Arrivals,
    /// Time of day at which the run starts, `HH:MM`; for `arrivals = "day"`.
    #[serde(default = "day_start")]
    pub day_start: String,
    /// How long calls last.
    #[serde(default)]
    pub durations: Durations,
    /// Share of calls that end within 1 to 10 s (uniform): measured in the call-centre data of 1999, 5.1 % of served calls.
    #[serde(default = "hang_up_share")]
    pub hang_up_share: f64,
    /// Calls are this many times shorter and come this many times faster; the number in progress stays.
    #[serde(default = "one")]
    pub compress: f64,
    /// Share of calls with people the CRM doesn't know.
    #[serde(default = "unknown_share")]
    pub unknown_share: f64,
    /// Share of calls by somebody whose last call ended within two minutes.
    #[serde(default = "redial_share")]
    pub redial_share: f64,
    /// Share of calls that we place.
    #[serde(default = "outbound_share")]
    pub outbound_share: f64,
    /// Whether the dialler that places them obeys the advice on `advice.v1.<account>`; see [`crate::traffic::Dialler`].
    #[serde(default = "dialler")]
    pub dialler: bool,
    /// Which events a call has.
    #[serde(default)]
    pub mix: Mix,
}

/// How calls arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arrivals {
    /// Poisson at one rate.
    #[default]
    Constant,
    /// Poisson at the rate of the time of day; see [`crate::traffic::profile`].
    Day,
}

/// Shares of calls that have each event; 0 to 1. Chosen, not measured: about 2.8 operational and 2.5 enrichment events
/// per call. Every call has `call_started` and `call_ended`; calls hung up within 10 s have nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mix {
    /// `caller_identified`.
    pub identified_share: f64,
    /// `task_created`.
    pub task_share: f64,
    /// `call_transferred`.
    pub transfer_share: f64,
    /// `deal_stage_changed`; a third of them twice in the call.
    pub deal_share: f64,
    /// `opted_out`.
    pub opt_out_share: f64,
    /// `call_ended` that also sets a property of the contact.
    pub outcome_property_share: f64,
    /// `note_added`.
    pub note_share: f64,
    /// `transcript_ready`.
    pub transcript_share: f64,
    /// `sentiment_tagged`.
    pub sentiment_share: f64,
    /// `recording_ready`.
    pub recording_share: f64,
    /// `contact_enriched`.
    pub enriched_share: f64,
    /// `analytics_rolled_up`.
    pub analytics_share: f64,
}

impl Default for Mix {
    fn default() -> Self {
        Self {
            identified_share: 0.4,
            task_share: 0.2,
            transfer_share: 0.08,
            deal_share: 0.15,
            opt_out_share: 0.02,
            outcome_property_share: 0.25,
            note_share: 0.6,
            transcript_share: 0.5,
            sentiment_share: 0.5,
            recording_share: 0.4,
            enriched_share: 0.3,
            analytics_share: 0.2,
        }
    }
}

/// The CRM of a scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Crm {
    /// Which: one of [`crate::fakes::VENDORS`].
    pub vendor: String,
    /// Limit profile, the vendor's plan.
    pub profile: String,
    /// Share of the limits that the worker uses, percent.
    pub share_percent: u32,
    /// Requests a day, or tokens where the CRM counts those, in place of the profile's.
    pub daily_limit: Option<u32>,
    /// How long enrichment waits for its batch to fill, milliseconds, in place of the product's default.
    pub batch_wait_ms: Option<u64>,
    /// How long operational effects wait for others to share their request, milliseconds, in place of the CRM's default.
    pub op_batch_wait_ms: Option<u64>,
    /// Mean service time of a request and how far one lies from it at most, milliseconds.
    pub service_ms: u64,
    /// See `service_ms`.
    pub service_jitter_ms: u64,
    /// Contacts that are there already, typed by people, without our key.
    pub contacts: u32,
    /// How long after a write the search shows it, milliseconds.
    pub search_lag_ms: u64,
    /// What goes wrong.
    pub faults: Vec<FaultSpec>,
}

impl Default for Crm {
    fn default() -> Self {
        Self {
            vendor: "hubspot".to_owned(),
            profile: "private_professional".to_owned(),
            share_percent: 80,
            daily_limit: None,
            batch_wait_ms: None,
            op_batch_wait_ms: None,
            service_ms: 40,
            service_jitter_ms: 10,
            contacts: 5_000,
            search_lag_ms: 5_000,
            faults: Vec::new(),
        }
    }
}

/// Events that wait when the run starts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Backlog {
    /// How many enrichment events.
    pub enrichment: u32,
}

/// The workers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Workers {
    /// How many processes.
    pub count: u32,
    /// Instants at which the owner (of the first account) is killed outright and started again, seconds since the start.
    pub kill_at_s: Vec<u64>,
    /// Instants at which the owner (of the first account) is stopped as planned and another process started, seconds
    /// since the start. Under virtual time only.
    pub stop_at_s: Vec<u64>,
    /// Instants at which the number of processes changes: new ones are started, the youngest stopped as planned. Under
    /// virtual time only.
    pub scale: Vec<Scale>,
    /// How far a worker's idea of the broker's clock is off at most, milliseconds; each process draws its own. What is
    /// promised about limits holds up to 125. Under virtual time only.
    pub clock_error_ms: u64,
}

/// A change of the number of worker processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// When, seconds since the start.
    pub at_s: u64,
    /// How many there are from then on.
    pub count: u32,
}

impl Default for Workers {
    fn default() -> Self {
        Self {
            count: 1,
            kill_at_s: Vec::new(),
            stop_at_s: Vec::new(),
            scale: Vec::new(),
            clock_error_ms: 0,
        }
    }
}

/// What must hold. What isn't given isn't judged, except correctness: lost, doubled, reordered and over-limit are 0 in
/// every scenario; dead letters, unacknowledged events and throttled requests too, unless a number is given here.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Slo {
    /// 99th percentile of a publish, call to acknowledgement, milliseconds.
    pub publish_p99_ms: Option<f64>,
    /// The same as a multiple of a bare publish loop's on the same machine in the same minute, median over blocks.
    /// Judged where the machine is not fit to judge the latency itself.
    pub publish_ratio_max: Option<f64>,
    /// 99th percentile of the age of an operational effect when the CRM holds it, milliseconds since the planned instant.
    pub op_age_p99_ms: Option<f64>,
    /// The same of enrichment; the backlog is not part of it.
    pub en_age_p99_ms: Option<f64>,
    /// Longest time from a kill to the successor's first request, milliseconds.
    pub takeover_ms: Option<f64>,
    /// Largest resident set of a worker, megabytes.
    pub worker_rss_mb: Option<f64>,
    /// Effects that may end as dead letters; 0 when absent.
    pub dead_max: Option<u64>,
    /// Events that may stay without acknowledgement; 0 when absent.
    pub unacked_max: Option<u64>,
    /// Requests that the CRM may throttle; 0 when absent.
    pub throttled_max: Option<u64>,
}

impl Slo {
    /// Drops every objective that depends on the machine's speed.
    pub fn judge_correctness_only(&mut self) {
        *self = Self {
            dead_max: self.dead_max,
            unacked_max: self.unacked_max,
            throttled_max: self.throttled_max,
            ..Self::default()
        };
    }
}

const fn drain_s_max() -> u64 {
    120
}
fn day_start() -> String {
    "10:00".to_owned()
}
const fn hang_up_share() -> f64 {
    0.051
}
const fn one() -> f64 {
    1.0
}
const fn unknown_share() -> f64 {
    0.2
}
const fn redial_share() -> f64 {
    0.05
}
const fn outbound_share() -> f64 {
    0.25
}
const fn dialler() -> bool {
    true
}

impl Scenario {
    /// Reads and checks a file.
    pub fn read(path: &Path) -> Result<Self, ScenarioError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|cause| ScenarioError::Unreadable {
            file: name.clone(),
            cause,
        })?;
        Self::parse(&text, &name)
    }

    /// Checks a text; `name` stands in errors as the file.
    pub fn parse(text: &str, name: &str) -> Result<Self, ScenarioError> {
        let scenario: Self =
            toml::from_str(text).map_err(|cause| error::from_toml(text, name, &cause))?;
        checks::check(&scenario).map_err(|fault| error::from_check(text, name, fault))?;
        Ok(scenario)
    }

    /// Whether this can be run in real time; the error names the first field that can't.
    pub fn check_real_time(&self) -> Result<(), OnlyVirtual> {
        let workers = &self.workers;
        let fields = [
            ("accounts.count", self.accounts.count > 1),
            ("accounts.crm", !self.accounts.crm.is_empty()),
            ("workers.scale", !workers.scale.is_empty()),
            ("workers.stop_at_s", !workers.stop_at_s.is_empty()),
            ("workers.clock_error_ms", workers.clock_error_ms > 0),
        ];
        match fields.into_iter().find(|(_, used)| *used) {
            Some((field, _)) => Err(OnlyVirtual { field }),
            None => Ok(()),
        }
    }

    /// Time of day at which the run starts, minutes since midnight.
    pub fn day_start_minutes(&self) -> u32 {
        checks::minutes(&self.calls.day_start).unwrap_or(0)
    }
}
