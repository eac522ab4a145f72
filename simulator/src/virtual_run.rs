//! A scenario under virtual time, from scenario to judgement.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use callflume_core::account::AccountId;
use callflume_core::config::BadConfig;
use callflume_core::event::EventId;

use crate::hubspot::{HubSpot, SetupError};
use crate::live::stage;
use crate::oracle::{self, Judgement};
use crate::report::{Facts, Mode, Summary, WorkerFacts};
use crate::scenario::Scenario;
use crate::traffic::{Plan, PlanError};
use crate::virtual_time::{self, Trace};

/// Start of every virtual run: Monday 2026-03-02, 09:00 in New York. A fixed instant, so that a seed says it all.
pub const START_MS: i64 = 1_772_460_000_000;

/// What came of a virtual run.
#[derive(Debug)]
pub struct VirtualResult {
    /// The oracle's judgement.
    pub judgement: Judgement,
    /// What was published.
    pub plan: Plan,
    /// Workers killed.
    pub kills: u64,
    /// Worst time from a kill to the first operational request, milliseconds.
    pub takeover_ms_max: Option<u64>,
    /// Whether everything was settled in time.
    pub drained: bool,
    /// Lines and digest of the trace.
    pub trace: (u64, u64),
}

impl VirtualResult {
    /// The report of this run; `command` makes it again.
    pub fn summary(&self, scenario: &Scenario, command: String) -> Summary {
        let (lines, digest) = self.trace;
        let environment = BTreeMap::from([
            ("callflume".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
            ("trace_lines".to_owned(), lines.to_string()),
            ("trace_digest".to_owned(), format!("{digest:016x}")),
            ("settled_in_time".to_owned(), self.drained.to_string()),
        ]);
        Summary::new(&Facts {
            scenario,
            plan: &self.plan,
            mode: Mode::VirtualTime,
            judgement: &self.judgement,
            publish_us: None,
            baseline: None,
            workers: Some(WorkerFacts {
                kills: self.kills,
                takeover_ms_max: self.takeover_ms_max.map(|ms| ms as f64),
                rss_mb_max: None,
            }),
            environment,
            command,
        })
    }
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The account.
    #[error(transparent)]
    Config(#[from] BadConfig),
    /// The fake CRM.
    #[error("the fake CRM can't be set up: {0}")]
    Model(#[from] SetupError),
    /// The scenario.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The trace.
    #[error("the trace can't be written: {0}")]
    Trace(#[from] std::io::Error),
}

/// Runs a scenario under virtual time; the trace goes to `out`.
pub fn run(scenario: &Scenario, out: Option<&mut dyn Write>) -> Result<VirtualResult, Error> {
    let hubspot = stage::with_own_properties(scenario.hubspot_config());
    let time_zone = hubspot.time_zone.clone();
    let mut model = HubSpot::new(hubspot)?;
    let contacts = model.seed_contacts(scenario.crm.contacts, scenario.seed)?;
    for fault in &scenario.crm.faults {
        model.add_fault(fault.fault(START_MS));
    }
    let account: AccountId = stage::account_id()?;
    let config = stage::account_config(
        "http://virtual.invalid",
        &scenario.crm.profile,
        scenario.crm.share_percent,
        &time_zone,
    );
    let setup = callflume_worker::setup(&account, &config, [0; 2], None, scenario.seed)?;
    let plan = Plan::generate(scenario, &account, START_MS, &contacts)?;
    let mut trace = Trace::new(out);
    let run = virtual_time::run(scenario, &plan, model, setup, &mut trace);
    let dead: BTreeSet<EventId> = run
        .dead
        .iter()
        .filter_map(|id| EventId::new(id.clone()))
        .collect();
    let judgement = oracle::judge(&plan, &run.published, &run.hubspot, &contacts, &dead);
    Ok(VirtualResult {
        judgement,
        plan,
        kills: scenario.workers.kill_at_s.len() as u64,
        takeover_ms_max: run.takeover_ms_max,
        drained: run.drained,
        trace: trace.finish()?,
    })
}
