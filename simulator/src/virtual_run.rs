//! A scenario under virtual time, from scenario to judgement.
//!
//! Each account has a plan, a CRM and a judgement of its own; a report shows their sum. Never reads the machine's clock.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use callflume_core::account::AccountId;
use callflume_core::config::BadConfig;
use callflume_core::event::EventId;

use crate::fakes::{self, FakeCrm, SetupError};
use crate::holdings::Holdings;
use crate::live::stage;
use crate::naive;
use crate::oracle::{self, Cost, DETAILS_MAX, Judgement};
use crate::report::{AccountFacts, Facts, Mode, Summary, WorkerFacts};
use crate::scenario::Scenario;
use crate::traffic::{Plan, PlanError};
use crate::virtual_time::{self, AccountRun, AccountSetup, Trace};

/// Start of every virtual run: Monday 2026-03-02, 09:00 in New York. A fixed instant, so that a seed says it all.
pub const START_MS: i64 = 1_772_460_000_000;

/// What came of a virtual run.
#[derive(Debug)]
pub struct VirtualResult {
    /// The oracle's judgement; of several accounts their sum.
    pub judgement: Judgement,
    /// What was published; of several accounts all of it, for reports.
    pub plan: Plan,
    /// Each account's own, where there are several.
    pub accounts: Vec<AccountResult>,
    /// Workers killed.
    pub kills: u64,
    /// Worst time from a kill to the first operational request, milliseconds.
    pub takeover_ms_max: Option<u64>,
    /// Whether everything was settled in time.
    pub drained: bool,
    /// When the last thing happened, milliseconds since the calls began.
    pub ended_ms: i64,
    /// Lines and digest of the trace.
    pub trace: (u64, u64),
}

/// What came of one account.
#[derive(Debug)]
pub struct AccountResult {
    /// The account.
    pub account: AccountId,
    /// Name of its CRM.
    pub crm: &'static str,
    /// Its calls.
    pub calls: u64,
    /// What its events would have cost a program that writes each thing for itself.
    pub naive: Cost,
    /// The oracle's judgement.
    pub judgement: Judgement,
    /// How long it had no owner, milliseconds, for each time it changed hands.
    pub unowned_ms: Vec<u64>,
    /// Times that a new owner began while another one still worked: never, while leases keep their word.
    pub overlaps: u64,
    /// Outbound calls that the dialler did not place.
    pub not_dialled: u64,
}

impl VirtualResult {
    /// The longest that an account had no owner, milliseconds; none when none changed hands.
    pub fn unowned_ms_max(&self) -> Option<u64> {
        self.accounts
            .iter()
            .flat_map(|account| account.unowned_ms.iter().copied())
            .max()
    }

    /// How often accounts changed hands.
    pub fn moves(&self) -> usize {
        self.accounts
            .iter()
            .map(|account| account.unowned_ms.len())
            .sum()
    }

    /// Outbound calls that diallers did not place.
    pub fn not_dialled(&self) -> u64 {
        self.accounts
            .iter()
            .map(|account| account.not_dialled)
            .sum()
    }

    /// The report of this run; `command` makes it again.
    pub fn summary(&self, scenario: &Scenario, command: String) -> Summary {
        let (lines, digest) = self.trace;
        let mut environment = BTreeMap::from([
            ("callflume".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
            ("trace_lines".to_owned(), lines.to_string()),
            ("trace_digest".to_owned(), format!("{digest:016x}")),
            ("settled_in_time".to_owned(), self.drained.to_string()),
            ("accounts".to_owned(), self.accounts.len().to_string()),
            ("ownership_moves".to_owned(), self.moves().to_string()),
        ]);
        if let Some(unowned_ms) = self.unowned_ms_max() {
            environment.insert("without_owner_ms_max".to_owned(), unowned_ms.to_string());
        }
        let accounts: Vec<AccountFacts<'_>> = self
            .accounts
            .iter()
            .filter(|_| !scenario.accounts.crm.is_empty())
            .map(|account| AccountFacts {
                account: account.account.as_str(),
                crm: account.crm,
                calls: account.calls,
                judgement: &account.judgement,
                naive: account.naive,
            })
            .collect();
        Summary::new(&Facts {
            scenario,
            plan: &self.plan,
            mode: Mode::VirtualTime,
            judgement: &self.judgement,
            accounts: &accounts,
            not_dialled: scenario.calls.dialler.then(|| self.not_dialled()),
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
    let setups: Vec<AccountSetup<Box<dyn FakeCrm>>> = (0..scenario.accounts_count().max(1))
        .map(|number| account(scenario, number))
        .collect::<Result<_, _>>()?;
    let mut trace = Trace::new(out);
    let run = virtual_time::run(scenario, setups, &mut trace);
    let mut plans = Vec::new();
    let mut accounts = Vec::new();
    for account in run.accounts {
        let judgement = judged(&account);
        accounts.push(AccountResult {
            account: account.plan.account.clone(),
            crm: account.crm.vendor(),
            calls: account.plan.calls.len() as u64,
            naive: naive::cost(account.crm.vendor(), &account.plan),
            judgement,
            unowned_ms: account.unowned_ms,
            overlaps: account.overlaps,
            not_dialled: account.not_dialled,
        });
        plans.push(account.plan);
    }
    Ok(VirtualResult {
        judgement: summed(&accounts),
        plan: joined(plans),
        accounts,
        kills: run.kills,
        takeover_ms_max: run.takeover_ms_max,
        drained: run.drained,
        ended_ms: run.ended_ms,
        trace: trace.finish()?,
    })
}

/// An account with its CRM and its traffic. The first one is the account of a scenario with one.
fn account(scenario: &Scenario, number: u32) -> Result<AccountSetup<Box<dyn FakeCrm>>, Error> {
    let own = scenario.of_account(number);
    let id: AccountId = match number {
        0 => stage::account_id()?,
        number => format!("{}-{}", stage::ACCOUNT, number + 1)
            .parse()
            .map_err(|error: callflume_core::account::InvalidAccountId| {
                BadConfig::new("accounts", error.to_string())
            })?,
    };
    let prepared = fakes::prepared(&own, "http://virtual.invalid", START_MS)?;
    let setup = callflume_worker::setup(&id, &prepared.config, [0; 2], None, own.seed)?;
    let plan = Plan::generate(&own, &id, START_MS, &prepared.known)?;
    Ok(AccountSetup {
        setup,
        plan,
        crm: prepared.crm,
    })
}

fn judged(account: &AccountRun<Box<dyn FakeCrm>>) -> Judgement {
    let dead: BTreeSet<EventId> = account
        .dead
        .iter()
        .filter_map(|id| EventId::new(id.clone()))
        .collect();
    oracle::judge(&account.plan, &account.published, &account.crm, &dead)
}

/// The sum over accounts.
fn summed(accounts: &[AccountResult]) -> Judgement {
    let mut judgements = accounts.iter().map(|account| &account.judgement);
    let mut sum = judgements
        .next()
        .cloned()
        .expect("a scenario has one account at least");
    for one in judgements {
        sum.events_planned += one.events_planned;
        sum.events_acked += one.events_acked;
        let (total, effects) = (&mut sum.effects, &one.effects);
        total.expected += effects.expected;
        total.applied += effects.applied;
        total.merged += effects.merged;
        total.superseded += effects.superseded;
        total.lost += effects.lost;
        total.doubled += effects.doubled;
        total.persons_doubled += effects.persons_doubled;
        total.reordered += effects.reordered;
        total.dead += effects.dead;
        for (all, ages) in [
            (&mut sum.ages.op, &one.ages.op),
            (&mut sum.ages.en, &one.ages.en),
        ] {
            all.add(ages)
                .expect("all of these histograms have the same bounds");
        }
        sum.backlog_done_ms = sum.backlog_done_ms.max(one.backlog_done_ms);
        sum.requests += one.requests;
        sum.throttled += one.throttled;
        sum.over_limit += one.over_limit;
        sum.spend += one.spend;
        let room = DETAILS_MAX.saturating_sub(sum.details.len());
        sum.details.extend(one.details.iter().take(room).cloned());
        sum.findings += one.findings;
    }
    sum
}

/// All plans as one, for a report's figures.
fn joined(plans: Vec<Plan>) -> Plan {
    let mut plans = plans.into_iter();
    let mut all = plans.next().expect("a scenario has one account at least");
    for plan in plans {
        let calls = all.calls.len();
        all.calls.extend(plan.calls);
        let moved = |mut event: crate::traffic::PlannedEvent| {
            event.call_index = event.call_index.map(|index| index + calls);
            event
        };
        all.events.extend(plan.events.into_iter().map(moved));
        all.backlog.extend(plan.backlog.into_iter().map(moved));
    }
    for (index, event) in all.backlog.iter_mut().chain(&mut all.events).enumerate() {
        event.index = index;
    }
    all
}
