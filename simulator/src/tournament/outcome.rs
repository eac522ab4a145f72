//! Figures of one run, read off the CRM's door and the broker's dead letters.

use std::collections::{BTreeMap, BTreeSet};

use callflume_core::lane::Lane;
use hdrhistogram::Histogram;

use super::SECOND_US;
use super::door::Door;
use super::scenarios::{
    CHANGE_GRACE_S, CHANGE_S, DAY_ENDS_S, FULL_RATE_AFTER_S, LIMIT, Measure, SERVICE_US, SPAN_S,
    Scenario,
};
use super::strategies::Strategy;
use super::work::{Planned, Work};

/// How a run left one account.
#[derive(Debug)]
pub(super) struct End {
    pub(super) door: Door,
    pub(super) dead: BTreeSet<usize>,
    /// Whether nothing waits any more.
    pub(super) finished: bool,
    pub(super) ownerless_us_max: u64,
    /// Requests that a foreign process wanted to send, and sent.
    pub(super) foreign: (u64, u64),
}

/// The figures of one strategy, scenario and seed.
#[derive(Debug, Clone)]
pub struct Figures {
    /// The strategy.
    pub strategy: Strategy,
    /// The scenario's letter.
    pub letter: char,
    /// The seed.
    pub seed: u64,
    /// What was measured.
    pub values: BTreeMap<Measure, f64>,
    /// Latency of operational effects, microseconds; from their publication to their being in the CRM.
    pub op_us: Histogram<u64>,
    /// The same of enrichment.
    pub en_us: Histogram<u64>,
}

/// The value that `percent` of the sorted values don't exceed.
pub(super) fn percentile(sorted: &[u64], percent: u64) -> Option<u64> {
    let place = (sorted.len() as u64 * percent).div_ceil(100).max(1) - 1;
    sorted.get(place as usize).copied()
}

/// Latencies of an account's operational effects that are in the CRM, with their instants.
pub(super) fn op_latencies<'a>(
    door: &'a Door,
    work: &'a Work,
) -> impl Iterator<Item = (u64, u64)> + 'a {
    latencies(door, work, Lane::Op)
}

fn latencies<'a>(
    door: &'a Door,
    work: &'a Work,
    lane: Lane,
) -> impl Iterator<Item = (u64, u64)> + 'a {
    work.planned
        .iter()
        .zip(&door.held)
        .filter(move |(planned, _)| planned.lane == lane)
        .filter_map(|(planned, held)| Some((planned.at_us, held.done_us? - planned.at_us)))
}

fn within(instants: &[u64], from_us: u64, to_us: u64) -> usize {
    instants
        .iter()
        .filter(|at| (from_us..to_us).contains(*at))
        .count()
}

fn ms(us: u64) -> f64 {
    us as f64 / 1_000.0
}

fn seconds(us: u64) -> f64 {
    us as f64 / SECOND_US as f64
}

/// An histogram of 0.1 % resolution.
pub(super) fn histogram() -> Histogram<u64> {
    // Three significant digits are always possible.
    Histogram::new(3)
        .unwrap_or_else(|_| unreachable!("three digits are within the library's range"))
}

/// The figures of the judged accounts; `alone_us` are operational latencies of accounts that ran alone.
pub(super) fn figures(
    scenario: &Scenario,
    strategy: Strategy,
    seed: u64,
    works: &[Work],
    ends: &[End],
    alone_us: &[u64],
) -> Figures {
    let judged: Vec<(&Work, &End)> = works
        .iter()
        .zip(ends)
        .enumerate()
        .filter(|(account, _)| scenario.judged().contains(account))
        .map(|(_, pair)| pair)
        .collect();
    let mut ops: Vec<(u64, u64)> = judged
        .iter()
        .flat_map(|(work, end)| op_latencies(&end.door, work))
        .collect();
    ops.sort_unstable_by_key(|(_, latency)| *latency);
    let op_sorted: Vec<u64> = ops.iter().map(|(_, latency)| *latency).collect();
    let mut op_us = histogram();
    let mut en_us = histogram();
    for latency in &op_sorted {
        op_us += *latency;
    }
    for (work, end) in &judged {
        for (_, latency) in latencies(&end.door, work, Lane::En) {
            en_us += latency;
        }
    }
    let sum = |count: &dyn Fn(&Work, &End) -> u64| {
        judged
            .iter()
            .map(|(work, end)| count(work, end))
            .sum::<u64>() as f64
    };
    let rejections = sum(&|_, end| end.door.rejections_us.len() as u64);
    let requests = sum(&|_, end| end.door.requests);
    let p99_us = percentile(&op_sorted, 99);
    let outside: Vec<u64> = ops
        .iter()
        .filter(|(at_us, _)| {
            !(CHANGE_S.0 * SECOND_US..(CHANGE_S.0 + CHANGE_GRACE_S) * SECOND_US).contains(at_us)
        })
        .map(|(_, latency)| *latency)
        .collect();
    let infinite = |us: Option<u64>| us.map_or(f64::INFINITY, ms);
    let mut values = BTreeMap::from([
        (Measure::Rejections, rejections),
        (
            Measure::RejectedPercent,
            100.0 * rejections / requests.max(1.0),
        ),
        (
            Measure::DayRejections,
            sum(&|_, end| end.door.day_rejections),
        ),
        (
            Measure::OpOverServiceMs,
            infinite(p99_us) - ms(SERVICE_US.1),
        ),
        (Measure::OpOutsideP99Ms, infinite(percentile(&outside, 99))),
        (Measure::OpMaxMs, infinite(op_sorted.last().copied())),
        (Measure::OverLimit, sum(&|_, end| end.door.over_limit)),
        (Measure::OpLate, sum(&op_late)),
        (
            Measure::Lost,
            sum(&|work, end| if end.finished { missing(work, end) } else { 0 }),
        ),
        (
            Measure::Unfinished,
            sum(&|work, end| if end.finished { 0 } else { missing(work, end) }),
        ),
        (
            Measure::Doubled,
            sum(&|_, end| {
                end.door
                    .held
                    .iter()
                    .map(|held| u64::from(held.records.saturating_sub(1)))
                    .sum()
            }),
        ),
        (
            Measure::Repeated,
            sum(&|_, end| {
                end.door
                    .held
                    .iter()
                    .map(|held| u64::from(held.repeated))
                    .sum()
            }),
        ),
        (
            Measure::RefusedWithoutLetter,
            sum(&|_, end| {
                (0..end.door.held.len())
                    .filter(|item| end.door.refuses(*item) && !end.dead.contains(item))
                    .count() as u64
            }),
        ),
        (
            Measure::ValidDead,
            sum(&|_, end| {
                end.dead
                    .iter()
                    .filter(|item| !end.door.refuses(**item))
                    .count() as u64
            }),
        ),
        (
            Measure::ForeignPercent,
            100.0 * sum(&|_, end| end.foreign.1) / sum(&|_, end| end.foreign.0).max(1.0),
        ),
        (
            Measure::OwnerlessMs,
            ms(ends
                .iter()
                .map(|end| end.ownerless_us_max)
                .max()
                .unwrap_or(0)),
        ),
        (
            Measure::DrainRatio,
            judged
                .iter()
                .map(|(_, end)| drain_s(end) / scenario.optimum_s())
                .fold(0.0, f64::max),
        ),
    ]);
    if let [(work, end)] = judged.as_slice() {
        values.extend(of_one(work, end));
    }
    let mut alone_sorted = alone_us.to_vec();
    alone_sorted.sort_unstable();
    if let Some(alone_us) = percentile(&alone_sorted, 99) {
        values.insert(
            Measure::OpBesideAlone,
            infinite(p99_us) / ms(alone_us).max(f64::MIN_POSITIVE),
        );
    }
    Figures {
        strategy,
        letter: scenario.letter,
        seed,
        values,
        op_us,
        en_us,
    }
}

/// Measures that look at one account over time.
fn of_one(work: &Work, end: &End) -> [(Measure, f64); 5] {
    let door = &end.door;
    let span_us = SPAN_S * SECOND_US;
    let change_us = CHANGE_S.0 * SECOND_US;
    let mut by_window: BTreeMap<u64, u64> = BTreeMap::new();
    for at_us in &door.rejections_us {
        *by_window.entry(at_us / span_us).or_default() += 1;
    }
    let at_change = by_window.remove(&(change_us / span_us)).unwrap_or(0);
    let later = by_window.values().copied().max().unwrap_or(0);
    let full_us = (CHANGE_S.1 + FULL_RATE_AFTER_S) * SECOND_US;
    let full = within(&door.admitted_us, full_us, full_us + span_us);
    let en_done = || {
        work.planned
            .iter()
            .zip(&door.held)
            .filter(|(planned, _)| planned.lane == Lane::En)
            .filter_map(|(_, held)| held.done_us)
    };
    let (from_us, to_us) = (30 * SECOND_US, en_done().max().unwrap_or(0));
    let all = f64::from(LIMIT) / SPAN_S as f64 * seconds(to_us.saturating_sub(from_us));
    let left = all - within(&door.foreign_us, from_us, to_us) as f64;
    let day_ends_us = DAY_ENDS_S * SECOND_US;
    let resumed_us = en_done()
        .filter(|at_us| *at_us >= day_ends_us)
        .min()
        .map(|at_us| at_us - day_ends_us);
    [
        (Measure::RejectionsAtChange, at_change as f64),
        (Measure::RejectionsLater, later as f64),
        (
            Measure::FullRatePercent,
            100.0 * full as f64 / f64::from(LIMIT),
        ),
        (
            Measure::UsedPercent,
            100.0 * within(&door.admitted_us, from_us, to_us) as f64 / left.max(1.0),
        ),
        (Measure::ResumedS, resumed_us.map_or(f64::INFINITY, seconds)),
    ]
}

fn drain_s(end: &End) -> f64 {
    seconds(
        end.door
            .held
            .iter()
            .filter_map(|held| held.done_us)
            .max()
            .unwrap_or(0),
    )
}

/// Effects that are neither in the CRM nor in the dead letters.
fn missing(work: &Work, end: &End) -> u64 {
    let gone = |place: &usize, planned: &Planned| {
        let refused_for_good = planned.invalid && end.dead.is_empty();
        end.door.held[*place].records == 0 && !end.dead.contains(place) && !refused_for_good
    };
    work.planned
        .iter()
        .enumerate()
        .filter(|(place, planned)| gone(place, planned))
        .count() as u64
}

fn op_late(work: &Work, end: &End) -> u64 {
    work.planned
        .iter()
        .zip(&end.door.held)
        .filter(|(planned, held)| {
            planned.lane == Lane::Op
                && !planned.invalid
                && held
                    .done_us
                    .is_none_or(|done_us| done_us - planned.at_us > 60 * SECOND_US)
        })
        .count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_value_that_occurred() {
        let hundred: Vec<u64> = (1..=100).collect();
        for (values, percent, expected) in [
            (hundred.as_slice(), 99, Some(99)),
            (hundred.as_slice(), 50, Some(50)),
            (&[7], 99, Some(7)),
            (&[], 99, None),
        ] {
            assert_eq!(percentile(values, percent), expected);
        }
    }
}
