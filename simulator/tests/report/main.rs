//! Reports: the JSON format, the Markdown to the letter, verdicts and exit codes.

mod format;
mod verdicts;

use std::collections::BTreeMap;

use callflume_core::event::ContactRef;
use callflume_sim::oracle::{Ages, Defect, EffectCounts, Finding, Judgement, Spend};
use callflume_sim::report::{Baseline, BlockRatio, Facts, Mode, Summary, WorkerFacts};
use callflume_sim::scenario::Scenario;
use callflume_sim::traffic::{Direction, Plan, PlannedCall};
use hdrhistogram::Histogram;

const SCENARIO: &str = "
name = \"two-hundred\"
seed = 7
duration_s = 90
[calls]
concurrent = 2
[workers]
kill_at_s = [30]
[slo]
publish_p99_ms = 1.0
publish_ratio_max = 1.25
op_age_p99_ms = 2000
takeover_ms = 8000
worker_rss_mb = 64
";

/// Everything a summary is made of; tests change one thing and look at the verdict.
pub(crate) struct Case {
    pub(crate) scenario: Scenario,
    pub(crate) plan: Plan,
    pub(crate) mode: Mode,
    pub(crate) judgement: Judgement,
    pub(crate) publish_us: Option<Histogram<u64>>,
    pub(crate) baseline: Option<Baseline>,
    pub(crate) workers: Option<WorkerFacts>,
}

pub(crate) fn histogram(values: impl IntoIterator<Item = u64>) -> Histogram<u64> {
    let mut histogram = Histogram::new(3).unwrap();
    for value in values {
        histogram.record(value).unwrap();
    }
    histogram
}

impl Case {
    /// A run in real time on a fit machine in which everything holds.
    pub(crate) fn good() -> Self {
        let call = |start_ms, end_ms| PlannedCall {
            call_id: format!("c{start_ms}"),
            contact: ContactRef::default(),
            known: false,
            direction: Direction::Inbound,
            start_ms,
            end_ms,
            hang_up: false,
        };
        Self {
            scenario: Scenario::parse(SCENARIO, "x.toml").unwrap(),
            plan: Plan {
                account: "acme".parse().unwrap(),
                seed: 7,
                start_ms: 0,
                duration_ms: 90_000,
                calls: vec![call(-5, 40_000), call(0, 50_000), call(60_000, 61_000)],
                events: Vec::new(),
                backlog: Vec::new(),
            },
            mode: Mode::RealTime,
            judgement: Judgement {
                events_planned: 1_000,
                events_acked: 1_000,
                effects: EffectCounts {
                    expected: 1_100,
                    applied: 1_000,
                    merged: 80,
                    superseded: 20,
                    ..EffectCounts::default()
                },
                ages: Ages {
                    op: histogram([90, 120, 410]),
                    en: histogram([1_200, 2_600]),
                },
                backlog_done_ms: Some(31_250),
                requests: 540,
                throttled: 0,
                over_limit: 0,
                spend: Spend::default(),
                details: Vec::new(),
                findings: 0,
            },
            publish_us: Some(histogram((200..300).chain([640]))),
            baseline: Some(Baseline {
                bare_us: histogram((190..290).chain([630])),
                stalls_pct: 0.2,
                lag_us: histogram([40, 900]),
                blocks: [1.05, 1.1, 3.0]
                    .map(|ratio| BlockRatio {
                        p50: ratio,
                        p99: ratio,
                    })
                    .to_vec(),
            }),
            workers: Some(WorkerFacts {
                kills: 1,
                takeover_ms_max: Some(6_120.0),
                rss_mb_max: Some(21.5),
            }),
        }
    }

    /// The same under virtual time.
    pub(crate) fn virtual_time() -> Self {
        Self {
            mode: Mode::VirtualTime,
            publish_us: None,
            baseline: None,
            workers: None,
            ..Self::good()
        }
    }

    /// The same on a machine that fails its own baseline.
    pub(crate) fn unfit() -> Self {
        let mut case = Self::good();
        if let Some(baseline) = &mut case.baseline {
            baseline.bare_us = histogram([300, 4_000]);
        }
        case.publish_us = Some(histogram([310, 4_100]));
        case
    }

    /// With one acknowledged effect nowhere.
    pub(crate) fn with_loss(mut self) -> Self {
        self.judgement.effects.applied -= 1;
        self.judgement.effects.lost = 1;
        self.judgement.findings = 1;
        self.judgement.details = vec![Finding {
            defect: Defect::Lost,
            event: None,
            text: "`note_added` was acknowledged, but there is no such note".to_owned(),
        }];
        self
    }

    pub(crate) fn summary(&self) -> Summary {
        Summary::new(&Facts {
            scenario: &self.scenario,
            plan: &self.plan,
            mode: self.mode,
            judgement: &self.judgement,
            accounts: &[],
            not_dialled: None,
            publish_us: self.publish_us.as_ref(),
            baseline: self.baseline.as_ref(),
            workers: self.workers,
            environment: BTreeMap::from([
                (
                    "broker".to_owned(),
                    "nats-server 2.15.1, one server".to_owned(),
                ),
                ("machine".to_owned(), "2 cores | 4 GB".to_owned()),
            ]),
            command: "callflume loadtest loadtests/two-hundred.toml".to_owned(),
        })
    }
}
