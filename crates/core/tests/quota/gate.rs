//! One engine in front of a CRM that counts exactly what arrives and refuses the rest, with a backlog of enrichment,
//! operational requests at random, and, if wanted, another application on the same account. In microseconds.

use std::collections::{BTreeMap, VecDeque};

use callflume_core::lane::Lane;
use callflume_core::quota::{Grant, Limiter, PermitId, Quota, Settings, Settlement};
use callflume_core::time::{BrokerTime, Now, Tick, WallTime};
use callflume_core::vendor::{Charge, Observation, WindowSpec};

use crate::sim::NOON_MS;

const SPAN_US: u64 = 10_000_000;
const CHARGES: &[Charge] = &[Charge::one(0)];

/// What is played.
#[derive(Clone)]
pub(crate) struct Play {
    pub(crate) seed: u64,
    pub(crate) bulk: usize,
    /// Operational requests per second, at random, for this many seconds.
    pub(crate) op: (f64, u64),
    /// The CRM's limit, and from when on.
    pub(crate) limits: Vec<(u64, u32)>,
    pub(crate) share_percent: u32,
    /// Requests of another application per second, at random, this many together.
    pub(crate) others: (f64, u32),
    /// At even distances instead.
    pub(crate) others_even: bool,
    /// Whether answers carry limit and remaining.
    pub(crate) headers: bool,
    /// Whether a refused request counts at the CRM.
    pub(crate) refusals_count: bool,
    /// How long a request and its answer take together.
    pub(crate) service_us: (u64, u64),
}

pub(crate) const PLAY: Play = Play {
    seed: 0,
    bulk: 9_000,
    op: (1.9, 500),
    limits: Vec::new(),
    share_percent: 100,
    others: (0.0, 1),
    others_even: false,
    headers: false,
    refusals_count: false,
    service_us: (30_000, 50_000),
};

/// What came of it; instants in microseconds.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) refused: Vec<u64>,
    /// Ours that were taken.
    pub(crate) taken: Vec<u64>,
    pub(crate) others: Vec<u64>,
    /// Wish and time until the answer of operational requests.
    pub(crate) op: Vec<(u64, u64)>,
    pub(crate) end_us: u64,
}

impl Outcome {
    pub(crate) fn op_percentile_us(&self, percent: usize, during: impl Fn(u64) -> bool) -> u64 {
        let mut waits: Vec<u64> = self
            .op
            .iter()
            .filter(|(at, _)| during(*at))
            .map(|(_, wait)| *wait)
            .collect();
        waits.sort_unstable();
        waits
            .get((waits.len() * percent / 100).min(waits.len().saturating_sub(1)))
            .copied()
            .unwrap_or(0)
    }

    /// Most instants within any stretch of this length.
    pub(crate) fn most_within(instants: &[u64], stretch_us: u64) -> usize {
        (0..instants.len())
            .map(|first| {
                instants[first..]
                    .iter()
                    .take_while(|at| **at - instants[first] < stretch_us)
                    .count()
            })
            .max()
            .unwrap_or(0)
    }

    pub(crate) fn taken_between(&self, from_us: u64, to_us: u64) -> usize {
        self.taken
            .iter()
            .filter(|at| (from_us..to_us).contains(*at))
            .count()
    }
}

enum Event {
    Wish,
    Other,
    Arrive(PermitId, Lane, u64, u64),
    Answer(PermitId, Lane, u64, Option<(u32, u32)>, bool),
    Wake,
}

struct Run {
    play: Play,
    quota: Quota,
    now_us: u64,
    state: u64,
    events: BTreeMap<(u64, u64), Event>,
    next: u64,
    /// When each was wished for.
    pending: [VecDeque<u64>; 2],
    /// What the CRM counts.
    counted: VecDeque<u64>,
    outcome: Outcome,
}

pub(crate) fn run(play: Play) -> Outcome {
    let limit = play.limits.first().map_or(190, |(_, limit)| *limit);
    let start = Now {
        tick: Tick(0),
        broker: BrokerTime(NOON_MS),
        wall: WallTime(NOON_MS),
    };
    let windows = vec![WindowSpec::rolling(
        "ten_secondly",
        limit * play.share_percent / 100,
        SPAN_US / 1_000,
    )];
    let settings = Settings {
        windows,
        share_percent: play.share_percent,
        reserve: 3,
        floor_op_percent: 20,
        request_timeout_ms: 10_000,
        time_zone: "UTC".to_owned(),
    };
    let mut run = Run {
        quota: Quota::new(settings, start, None),
        now_us: 0,
        state: play.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5851_F42D_4C95_7F2D,
        events: BTreeMap::new(),
        next: 0,
        pending: [VecDeque::new(), vec![0; play.bulk].into()],
        counted: VecDeque::new(),
        outcome: Outcome::default(),
        play,
    };
    run.at(0, Event::Wake);
    if run.play.op.0 > 0.0 {
        let gap_us = run.gap_us(run.play.op.0);
        run.at(gap_us, Event::Wish);
    }
    if run.play.others.0 > 0.0 {
        run.at(1, Event::Other);
    }
    run.go();
    run.outcome
}

impl Run {
    fn random(&mut self) -> f64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn gap_us(&mut self, per_s: f64) -> u64 {
        (-(1.0 - self.random()).ln() / per_s * 1e6) as u64 + 1
    }

    fn at(&mut self, at_us: u64, event: Event) {
        self.next += 1;
        self.events.insert((at_us, self.next), event);
    }

    fn now(&self) -> Now {
        let ms = self.now_us / 1_000;
        Now {
            tick: Tick(ms),
            broker: BrokerTime(NOON_MS + ms as i64),
            wall: WallTime(NOON_MS + ms as i64),
        }
    }

    fn go(&mut self) {
        while let Some(((at_us, _), event)) = self.events.pop_first() {
            self.now_us = at_us;
            self.happen(event);
            self.pump();
            let under_way = self.quota.in_flight() > 0;
            if self.pending.iter().all(VecDeque::is_empty) && !under_way {
                let wishes = self
                    .events
                    .values()
                    .any(|event| matches!(event, Event::Wish));
                if !wishes {
                    self.outcome.end_us = at_us;
                    return;
                }
            }
            assert!(at_us < 3_600_000_000, "stuck");
        }
        self.outcome.end_us = self.now_us;
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Wish => {
                self.pending[0].push_back(self.now_us);
                let at_us = self.now_us + self.gap_us(self.play.op.0);
                if at_us < self.play.op.1 * 1_000_000 {
                    self.at(at_us, Event::Wish);
                }
            }
            Event::Other => {
                for _ in 0..self.play.others.1 {
                    if self.arrive() {
                        self.outcome.others.push(self.now_us);
                    }
                }
                let per_s = self.play.others.0 / f64::from(self.play.others.1);
                let gap_us = if self.play.others_even {
                    (1e6 / per_s) as u64
                } else {
                    self.gap_us(per_s)
                };
                self.at(self.now_us + gap_us, Event::Other);
            }
            Event::Arrive(permit, lane, wished, back_us) => {
                let taken = self.arrive();
                if taken {
                    self.outcome.taken.push(self.now_us);
                } else {
                    self.outcome.refused.push(self.now_us);
                }
                let limit = self.limit();
                let headers = self
                    .play
                    .headers
                    .then(|| (limit, limit.saturating_sub(self.counted.len() as u32)));
                let answer = Event::Answer(permit, lane, wished, headers, taken);
                self.at(self.now_us + back_us, answer);
            }
            Event::Answer(permit, lane, wished, headers, taken) => {
                let now = self.now();
                if let Some((limit, remaining)) = headers {
                    let observation = Observation {
                        window: 0,
                        limit: Some(limit),
                        remaining: Some(remaining),
                        resets_in_ms: None,
                    };
                    self.quota.observe(now, permit, &[observation]);
                }
                if !taken {
                    self.quota.throttled(now, permit, "ten_secondly", None);
                    self.pending[lane as usize].push_front(wished);
                } else if lane == Lane::Op {
                    self.outcome.op.push((wished, self.now_us - wished));
                }
                self.quota.settle(now, permit, Settlement::Answered);
            }
            Event::Wake => {}
        }
    }

    fn limit(&self) -> u32 {
        self.play
            .limits
            .iter()
            .rev()
            .find(|(from, _)| *from <= self.now_us)
            .map_or(190, |(_, limit)| *limit)
    }

    fn arrive(&mut self) -> bool {
        while self
            .counted
            .front()
            .is_some_and(|at| at + SPAN_US <= self.now_us)
        {
            self.counted.pop_front();
        }
        let taken = self.counted.len() < self.limit() as usize;
        if taken || self.play.refusals_count {
            self.counted.push_back(self.now_us);
        }
        taken
    }

    fn pump(&mut self) {
        loop {
            let order = if self.quota.en_turn() {
                [Lane::En, Lane::Op]
            } else {
                Lane::ALL
            };
            if !order.into_iter().any(|lane| self.send(lane)) {
                return;
            }
        }
    }

    fn send(&mut self, lane: Lane) -> bool {
        let now = self.now();
        let Some(wished) = self.pending[lane as usize].front().copied() else {
            return false;
        };
        match self.quota.ask(now, lane, CHARGES) {
            Grant::Granted(permit) => {
                self.pending[lane as usize].pop_front();
                let (least, most) = self.play.service_us;
                let service = least + (self.random() * (most - least) as f64) as u64;
                let arrive = Event::Arrive(permit, lane, wished, service - service / 2);
                self.at(self.now_us + service / 2, arrive);
                true
            }
            Grant::Unwritten => {
                // The journal is written at once: here it is not what is looked at.
                assert!(self.quota.journal_due(now, Some(CHARGES)).is_some());
                self.quota.journaled(now, true);
                self.send(lane)
            }
            Grant::Wait { until, .. } => {
                if let Some(until) = until {
                    let at_us = until.0 * 1_000;
                    assert!(at_us > self.now_us, "{until:?} is past");
                    let known = self
                        .events
                        .range((at_us, 0)..(at_us, u64::MAX))
                        .any(|(_, event)| matches!(event, Event::Wake));
                    if !known {
                        self.at(at_us, Event::Wake);
                    }
                }
                false
            }
        }
    }
}
