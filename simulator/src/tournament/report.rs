//! What came out: rows for programs, tables for people.
//!
//! Latencies are merged over all seeds; every count and ratio is that of the worst seed, because each must hold for each
//! seed.

use hdrhistogram::Histogram;
use serde::Serialize;

use super::outcome::{Figures, histogram};
use super::run::Options;
use super::scenarios::{Bound, Criterion, Measure, Scenario};
use super::strategies::Strategy;

/// One strategy in one scenario.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Name of the strategy.
    pub strategy: &'static str,
    /// Letter of the scenario.
    pub scenario: String,
    /// Seeds run.
    pub seeds: u64,
    /// Requests the CRM refused for its window; worst seed.
    pub rejections: u64,
    /// Median latency of operational effects, milliseconds; null when none was written.
    pub op_p50_ms: Option<f64>,
    /// 99th percentile.
    pub op_p99_ms: Option<f64>,
    /// Longest.
    pub op_max_ms: Option<f64>,
    /// Time until the last write over the shortest possible; worst seed.
    pub drain_ratio: f64,
    /// Requests that met an exact window full, to the published limit, of the sender's own; worst seed.
    pub over_limit: u64,
    /// Effects lost, those unfinished at the cut-off included; worst seed.
    pub lost: u64,
    /// Records too many; worst seed.
    pub doubled: u64,
    /// 99th percentile of enrichment's latency, seconds.
    pub en_wait_p99_s: Option<f64>,
}

/// A criterion of ours, judged.
#[derive(Debug, Clone)]
struct Verdict {
    letter: char,
    criterion: Criterion,
    /// The value farthest on the wrong side, and its seed.
    worst: f64,
    seed: u64,
}

impl Verdict {
    fn holds(&self) -> bool {
        self.criterion.holds(self.worst)
    }
}

/// The result of a tournament.
#[derive(Debug)]
pub struct Report {
    rows: Vec<Row>,
    verdicts: Vec<Verdict>,
    scenarios: Vec<&'static Scenario>,
    seeds: u64,
}

#[derive(Serialize)]
struct Json<'a> {
    results: &'a [Row],
}

impl Report {
    pub(super) fn new(options: &Options, all: &[Figures]) -> Self {
        let mut rows = Vec::new();
        let mut verdicts = Vec::new();
        for scenario in &options.scenarios {
            for strategy in &options.strategies {
                let these: Vec<&Figures> = all
                    .iter()
                    .filter(|one| one.letter == scenario.letter && one.strategy == *strategy)
                    .collect();
                rows.push(row(*strategy, scenario, &these));
                if *strategy == Strategy::Callflume {
                    verdicts.extend(judge(scenario, &these));
                }
            }
        }
        Self {
            rows,
            verdicts,
            scenarios: options.scenarios.clone(),
            seeds: options.seeds,
        }
    }

    /// The rows, by scenario, then strategy.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Whether ours keeps every criterion, in every seed.
    pub fn holds(&self) -> bool {
        self.verdicts.iter().all(Verdict::holds)
    }

    /// What ours misses, one line each.
    pub fn missed(&self) -> Vec<String> {
        self.verdicts
            .iter()
            .filter(|verdict| !verdict.holds())
            .map(|verdict| format!("{}: {}", verdict.letter, line(verdict)))
            .collect()
    }

    /// `{"results":[…]}`.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(&Json {
            results: &self.rows,
        })
    }

    /// A table per scenario.
    pub fn render_text(&self) -> String {
        let mut text = String::new();
        for scenario in &self.scenarios {
            self.section(&mut text, scenario);
        }
        text
    }

    fn section(&self, text: &mut String, scenario: &Scenario) {
        let letter = scenario.letter.to_string();
        let table = [
            match self.seeds {
                1 => format!("{letter}  {} · 1 seed", scenario.title),
                seeds => format!("{letter}  {} · {seeds} seeds", scenario.title),
            },
            format!(
                "   {:<13}{:>11}{:>11}{:>10}{:>10}{:>10}{:>11}{:>8}{:>8}{:>9}",
                "strategy",
                "rejections",
                "over limit",
                "op p50",
                "op p99",
                "op max",
                "en p99",
                "drain",
                "lost",
                "doubled"
            ),
        ];
        let rows = self
            .rows
            .iter()
            .filter(|row| row.scenario == letter)
            .map(|row| {
                format!(
                    "   {:<13}{:>11}{:>11}{:>10}{:>10}{:>10}{:>11}{:>8.4}{:>8}{:>9}",
                    row.strategy,
                    row.rejections,
                    row.over_limit,
                    time(row.op_p50_ms),
                    time(row.op_p99_ms),
                    time(row.op_max_ms),
                    time(row.en_wait_p99_s.map(|s| s * 1_000.0)),
                    row.drain_ratio,
                    row.lost,
                    row.doubled
                )
            });
        let criteria = self
            .verdicts
            .iter()
            .filter(|verdict| verdict.letter == scenario.letter)
            .map(|verdict| {
                let mark = if verdict.holds() { "holds " } else { "MISSED" };
                format!("   {mark}  {}", line(verdict))
            });
        for line in table.into_iter().chain(rows).chain(criteria) {
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text.push('\n');
    }
}

fn line(verdict: &Verdict) -> String {
    let bound = match verdict.criterion.bound {
        Bound::AtMost(most) => format!("at most {most}"),
        Bound::AtLeast(least) => format!("at least {least}"),
    };
    format!(
        "{}: {}, {bound} (seed {})",
        verdict.criterion.measure.text(),
        (verdict.worst * 1e4).round() / 1e4,
        verdict.seed
    )
}

fn time(ms: Option<f64>) -> String {
    match ms {
        None => "–".to_owned(),
        Some(ms) if ms < 10_000.0 => format!("{ms:.0} ms"),
        Some(ms) => format!("{:.1} s", ms / 1_000.0),
    }
}

fn worst(these: &[&Figures], measure: Measure) -> f64 {
    these
        .iter()
        .filter_map(|one| one.values.get(&measure).copied())
        .fold(0.0, f64::max)
}

fn row(strategy: Strategy, scenario: &Scenario, these: &[&Figures]) -> Row {
    let merged = |of: fn(&Figures) -> &Histogram<u64>| {
        let mut all = histogram();
        for one in these {
            all += of(one);
        }
        all
    };
    let (op, en) = (merged(|one| &one.op_us), merged(|one| &one.en_us));
    let ms = |value: &dyn Fn(&Histogram<u64>) -> u64| {
        (!op.is_empty()).then(|| value(&op) as f64 / 1_000.0)
    };
    let count = |measure| worst(these, measure) as u64;
    Row {
        strategy: strategy.name(),
        scenario: scenario.letter.to_string(),
        seeds: these.len() as u64,
        rejections: count(Measure::Rejections),
        op_p50_ms: ms(&|op| op.value_at_quantile(0.5)),
        op_p99_ms: ms(&|op| op.value_at_quantile(0.99)),
        op_max_ms: ms(&Histogram::max),
        drain_ratio: (worst(these, Measure::DrainRatio) * 1e4).round() / 1e4,
        over_limit: count(Measure::OverLimit),
        lost: these
            .iter()
            .map(|one| {
                [Measure::Lost, Measure::Unfinished]
                    .iter()
                    .filter_map(|measure| one.values.get(measure))
                    .sum::<f64>() as u64
            })
            .max()
            .unwrap_or(0),
        doubled: count(Measure::Doubled),
        en_wait_p99_s: (!en.is_empty()).then(|| en.value_at_quantile(0.99) as f64 / 1e6),
    }
}

fn judge(scenario: &Scenario, these: &[&Figures]) -> Vec<Verdict> {
    let finished = Criterion {
        measure: Measure::Unfinished,
        bound: Bound::AtMost(0.0),
    };
    scenario
        .criteria
        .iter()
        .chain(std::iter::once(&finished))
        .filter_map(|criterion| {
            let values = these.iter().map(|one| {
                // What could not be measured was not kept.
                let missing = match criterion.bound {
                    Bound::AtMost(_) => f64::INFINITY,
                    Bound::AtLeast(_) => f64::NEG_INFINITY,
                };
                let value = one.values.get(&criterion.measure).copied();
                (value.unwrap_or(missing), one.seed)
            });
            let by_value = |a: &(f64, u64), b: &(f64, u64)| a.0.total_cmp(&b.0);
            let (worst, seed) = match criterion.bound {
                Bound::AtMost(_) => values.max_by(by_value),
                Bound::AtLeast(_) => values.min_by(by_value),
            }?;
            Some(Verdict {
                letter: scenario.letter,
                criterion: *criterion,
                worst,
                seed,
            })
        })
        .collect()
}
