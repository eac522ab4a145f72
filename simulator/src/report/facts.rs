//! What a runner measured, as it hands it over.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use super::{LaneAge, Mode, PublishMs, PublishRatio};
use crate::oracle::{Cost, Judgement};
use crate::scenario::Scenario;
use crate::traffic::Plan;

/// A finished run.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// What was asked for.
    pub scenario: &'a Scenario,
    /// What was published.
    pub plan: &'a Plan,
    /// How.
    pub mode: Mode,
    /// What the oracle says.
    pub judgement: &'a Judgement,
    /// Each account's own, where the scenario tells them apart; empty else.
    pub accounts: &'a [AccountFacts<'a>],
    /// Outbound calls that the dialler did not place; none when no dialler obeyed advice.
    pub not_dialled: Option<u64>,
    /// Time from each publish call to its acknowledgement, microseconds; none when it wasn't measured (virtual time).
    pub publish_us: Option<&'a Histogram<u64>>,
    /// What the machine did meanwhile; none when it has no part in it (virtual time).
    pub baseline: Option<&'a Baseline>,
    /// The workers; none when there are no processes.
    pub workers: Option<WorkerFacts>,
    /// Machine, broker, versions, for the reader.
    pub environment: BTreeMap<String, String>,
    /// The command that makes this run again.
    pub command: String,
}

/// What came of one account.
#[derive(Debug, Clone, Copy)]
pub struct AccountFacts<'a> {
    /// Its id.
    pub account: &'a str,
    /// Name of its CRM.
    pub crm: &'a str,
    /// Its calls.
    pub calls: u64,
    /// What the oracle says of it alone.
    pub judgement: &'a Judgement,
    /// What its events would have cost a program that writes each thing for itself; see [`crate::naive`].
    pub naive: Cost,
}

/// What the machine did during a timed run.
#[derive(Debug, Clone)]
pub struct Baseline {
    /// The bare publish loop, all blocks merged, microseconds.
    pub bare_us: Histogram<u64>,
    /// Part of the run in which the stall meter wasn't scheduled, percent.
    pub stalls_pct: f64,
    /// Planned instant to publish call, microseconds.
    pub lag_us: Histogram<u64>,
    /// Ours to the bare loop's, block by block.
    pub blocks: Vec<BlockRatio>,
}

/// Ours to the bare loop's within one block of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlockRatio {
    /// Of the medians.
    pub p50: f64,
    /// Of the 99th percentiles.
    pub p99: f64,
}

impl BlockRatio {
    /// The ratios of a block; `None` when either side has no sample in it.
    pub fn of(ours_us: &Histogram<u64>, bare_us: &Histogram<u64>) -> Option<Self> {
        if ours_us.is_empty() || bare_us.is_empty() {
            return None;
        }
        let ratio = |quantile| {
            ours_us.value_at_quantile(quantile) as f64
                / bare_us.value_at_quantile(quantile).max(1) as f64
        };
        Some(Self {
            p50: ratio(0.5),
            p99: ratio(0.99),
        })
    }
}

impl Baseline {
    /// The median over blocks; `None` without blocks.
    pub(super) fn median_ratio(&self) -> Option<PublishRatio> {
        Some(PublishRatio {
            p50: rounded(median(self.blocks.iter().map(|block| block.p50))?),
            p99: rounded(median(self.blocks.iter().map(|block| block.p99))?),
        })
    }
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values.get(middle).copied()
    } else {
        let upper = values.get(middle)?;
        Some(f64::midpoint(*values.get(middle.checked_sub(1)?)?, *upper))
    }
}

/// What the worker processes did.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct WorkerFacts {
    /// Workers killed.
    pub kills: u64,
    /// Longest time from a kill to the successor's first request, milliseconds.
    pub takeover_ms_max: Option<f64>,
    /// Largest resident set, megabytes.
    pub rss_mb_max: Option<f64>,
}

impl Facts<'_> {
    pub(super) fn publish_ms(&self) -> PublishMs {
        let at = |quantile| {
            self.publish_us
                .and_then(|histogram| ms_at(histogram, quantile))
        };
        PublishMs {
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            max: at(1.0),
        }
    }
}

/// A quantile of a histogram of microseconds, in milliseconds; `None` without samples.
pub(super) fn ms_at(histogram_us: &Histogram<u64>, quantile: f64) -> Option<f64> {
    (!histogram_us.is_empty())
        .then(|| rounded(histogram_us.value_at_quantile(quantile) as f64 / 1_000.0))
}

/// Percentiles of a histogram of milliseconds.
pub(super) fn lane_age(histogram_ms: &Histogram<u64>) -> LaneAge {
    let at = |quantile| {
        (!histogram_ms.is_empty()).then(|| histogram_ms.value_at_quantile(quantile) as f64)
    };
    LaneAge {
        p50: at(0.5),
        p99: at(0.99),
        max: at(1.0),
    }
}

/// Three decimals.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_blocks_isnt_moved_by_one_bad_block() {
        assert_eq!(median([1.0, 90.0, 1.1].into_iter()), Some(1.1));
        assert_eq!(median([1.0, 2.0].into_iter()), Some(1.5));
        assert_eq!(median(std::iter::empty()), None);
    }
}
