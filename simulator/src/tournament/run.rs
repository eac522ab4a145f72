//! Many seeds at once: every pair of scenario and seed is made once and put to each strategy.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

use callflume_core::config::BadConfig;
use callflume_core::ownership;

use super::SECOND_US;
use super::direct;
use super::door::Door;
use super::fleet;
use super::outcome::{End, Figures, figures, op_latencies};
use super::report::Report;
use super::scenarios::{DAY_ENDS_S, LEASE_S, Owners, Scenario};
use super::strategies::Strategy;
use super::work::{BadWork, Work};
use super::world;

/// Accounts of scenario D that also run alone, for comparison.
const ALONE: usize = 4;

/// What is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The scenarios.
    pub scenarios: Vec<&'static Scenario>,
    /// The strategies.
    pub strategies: Vec<Strategy>,
    /// Seeds of each.
    pub seeds: u64,
    /// The first of them.
    pub first_seed: u64,
    /// Runs at the same time.
    pub threads: usize,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An account.
    #[error(transparent)]
    Config(#[from] BadConfig),
    /// The work.
    #[error(transparent)]
    Work(#[from] BadWork),
}

/// A job's number and what came of it, per strategy.
type Done = (usize, Result<Vec<Figures>, Error>);

/// Runs everything; the result doesn't depend on the number of threads.
pub fn run(options: &Options) -> Result<Report, Error> {
    let jobs: Vec<(&'static Scenario, u64)> = options
        .scenarios
        .iter()
        .flat_map(|scenario| (0..options.seeds).map(move |n| (*scenario, options.first_seed + n)))
        .collect();
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<Done>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..options.threads.clamp(1, jobs.len().max(1)) {
            scope.spawn(|| {
                while let Some((number, (scenario, seed))) = {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    jobs.get(number).map(|job| (number, *job))
                } {
                    let result = one(scenario, &options.strategies, seed);
                    done.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push((number, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(number, _)| *number);
    let mut all = Vec::with_capacity(done.len() * options.strategies.len());
    for (_, result) in done {
        all.extend(result?);
    }
    Ok(Report::new(options, &all))
}

/// One scenario and seed, for all strategies.
fn one(scenario: &Scenario, strategies: &[Strategy], seed: u64) -> Result<Vec<Figures>, Error> {
    let works = (0..scenario.accounts)
        .map(|account| Work::new(scenario, account, world::start_ms(), seed))
        .collect::<Result<Vec<_>, _>>()?;
    strategies
        .iter()
        .map(|strategy| {
            let ends = ends(scenario, *strategy, &works, 0, seed)?;
            let mut alone_us = Vec::new();
            if scenario.letter == 'D' {
                for account in scenario.judged().take(ALONE) {
                    let works = works.get(account..=account).unwrap_or_default();
                    let ends = self::ends(scenario, *strategy, works, account, seed)?;
                    for (work, end) in works.iter().zip(&ends) {
                        alone_us.extend(op_latencies(&end.door, work).map(|(_, latency)| latency));
                    }
                }
            }
            Ok(figures(scenario, *strategy, seed, &works, &ends, &alone_us))
        })
        .collect()
}

/// How a strategy leaves these accounts, the first of which is the scenario's `first`.
fn ends(
    scenario: &Scenario,
    strategy: Strategy,
    works: &[Work],
    first: usize,
    seed: u64,
) -> Result<Vec<End>, Error> {
    let door = |place: usize| {
        let account = first + place;
        Door::new(
            scenario.door_of(account),
            works.get(place).map(Work::invalid).unwrap_or_default(),
            DAY_ENDS_S * SECOND_US,
            seed.wrapping_mul(31) ^ account as u64,
        )
    };
    let doors: Vec<Door> = (0..works.len()).map(door).collect();
    if strategy == Strategy::Direct {
        return Ok(works
            .iter()
            .zip(doors)
            .map(|(work, mut door)| {
                let instants: Vec<u64> = work.planned.iter().map(|planned| planned.at_us).collect();
                direct::run(&instants, &mut door, &outages(scenario, work), seed);
                End {
                    door,
                    dead: std::collections::BTreeSet::new(),
                    finished: true,
                    ownerless_us_max: 0,
                    // There is nobody to ask.
                    foreign: (0, 0),
                }
            })
            .collect());
    }
    let judged = if works.len() == scenario.accounts {
        scenario.judged()
    } else {
        0..works.len()
    };
    let accounts = world::run(scenario, strategy, works, doors, judged, seed)?;
    Ok(accounts
        .into_iter()
        .map(|account| End {
            finished: account.settled,
            door: account.door,
            dead: account.broker.dead,
            ownerless_us_max: account.ownerless_us_max,
            foreign: (account.foreign.wished, account.foreign.sent),
        })
        .collect())
}

/// When the process of a direct integration is down: where the scenario kills an owner. What hands over in order is
/// taken to lose nothing, and another process to be there at once.
fn outages(scenario: &Scenario, work: &Work) -> Vec<(u64, u64)> {
    match scenario.owners {
        Owners::One | Owners::HandedOn { .. } => Vec::new(),
        // An hour: longer than any write is repeated.
        Owners::Killed { every_s } => (1..=3_600 / every_s)
            .map(|n| n * every_s * SECOND_US)
            .map(|at_us| (at_us, at_us + LEASE_S * SECOND_US))
            .collect(),
        Owners::Fleet { shrink_s, .. } => {
            let workers = (0..4).map(fleet::name).collect();
            let killed = ownership::preferred(&work.account, &workers)
                .is_some_and(|worker| *worker == fleet::name(1));
            let at_us = shrink_s * SECOND_US;
            killed.then_some((at_us, at_us)).into_iter().collect()
        }
    }
}
