//! The voice side of a run: every planned event published at its instant, and what the publisher was told.
//!
//! Open model: the plan says when, whatever came of the events before. `lag` runs from the planned instant to the call,
//! `publish` from the call to the acknowledgement. One task per call, so that a call that waits holds up no other.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use callflume_client::Publisher;
use callflume_core::event::{ContentType, encode};
use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use super::dialling::Dialling;
use super::meter::BarePublisher;
use crate::oracle::{PublishOutcome, Published};
use crate::traffic::{Plan, PlannedEvent};

/// The bare loop publishes this long before or after ours, in turns: near enough to meet the same machine, far enough not
/// to meet our own publish; in turns, because whoever comes first wakes a machine that was asleep.
const BARE_APART: Duration = Duration::from_millis(25);
/// Events of one block while the backlog is published.
const BLOCK: usize = 250;
/// Rate while the backlog is published, events per second.
const BACKLOG_PER_SECOND: u64 = 1_000;
/// Events of the backlog that are published at this rate, to compare with the bare loop; the rest goes as fast as it
/// can.
pub(super) const COMPARED_MAX: usize = 5_000;

/// Latencies in microseconds.
pub(super) type Latencies = Histogram<u64>;

/// What the voice side has measured so far.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) publish: Latencies,
    pub(super) lag: Latencies,
    pub(super) bare: Latencies,
    pub(super) published: Vec<Published>,
    pub(super) failures: Vec<String>,
}

/// An empty histogram of microseconds, three digits exact.
pub(super) fn latencies() -> Latencies {
    // The bounds are constants that the library accepts; the fallback has the same precision.
    Histogram::new_with_bounds(1, 600_000_000, 3).unwrap_or_else(|error| panic!("{error}"))
}

/// Publishes; shared by all tasks of a run.
#[derive(Debug, Clone)]
pub(super) struct Voice {
    publisher: Publisher,
    bare: BarePublisher,
    plan: Arc<Plan>,
    dialling: Dialling,
    twice: bool,
    measured: Arc<Mutex<Measured>>,
    pub(super) acked: Arc<AtomicU64>,
}

impl Voice {
    pub(super) fn new(
        publisher: Publisher,
        bare: BarePublisher,
        plan: Arc<Plan>,
        dialling: Dialling,
        twice: bool,
    ) -> Self {
        let measured = Measured {
            publish: latencies(),
            lag: latencies(),
            bare: latencies(),
            published: Vec::new(),
            failures: Vec::new(),
        };
        Self {
            publisher,
            bare,
            plan,
            dialling,
            twice,
            measured: Arc::new(Mutex::new(measured)),
            acked: Arc::default(),
        }
    }

    fn note(&self, change: impl FnOnce(&mut Measured)) {
        change(&mut self.measured.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What was measured. To be called when nothing publishes any more.
    pub(super) fn measured(self) -> Measured {
        let empty = Measured {
            publish: latencies(),
            lag: latencies(),
            bare: latencies(),
            published: Vec::new(),
            failures: Vec::new(),
        };
        std::mem::replace(
            &mut *self.measured.lock().unwrap_or_else(PoisonError::into_inner),
            empty,
        )
    }

    /// Publishes one event (twice, if the scenario says so); answers how long the first took.
    async fn publish(&self, planned: &PlannedEvent) -> Duration {
        let before = Instant::now();
        let first = self.publish_once(planned).await;
        let took = before.elapsed();
        if self.twice && first {
            self.publish_once(planned).await;
        }
        took
    }

    async fn publish_once(&self, planned: &PlannedEvent) -> bool {
        let account = &self.plan.account;
        let result = self
            .publisher
            .publish(account, planned.lane, &planned.event)
            .await;
        let at_ms = super::stage::epoch_ms() - self.plan.start_ms;
        let outcome = match &result {
            Ok(receipt) if receipt.duplicate => PublishOutcome::Duplicate,
            Ok(_) => PublishOutcome::Stored { at_ms },
            Err(error) if error.may_be_stored() => PublishOutcome::Unknown,
            Err(_) => PublishOutcome::Failed,
        };
        if result.is_ok() {
            self.acked.fetch_add(1, Ordering::Relaxed);
        }
        self.note(|measured| {
            measured.published.push(Published {
                index: planned.index,
                outcome,
            });
            if let Err(error) = &result
                && measured.failures.len() < 20
            {
                measured.failures.push(format!("{}: {error}", error.code()));
            }
        });
        result.is_ok()
    }

    /// Publishes the backlog from 200 tasks, in blocks that alternate with blocks of the bare loop; answers, per pair of
    /// blocks, ours over bare at p50 and p99.
    pub(super) async fn backlog(&self, tasks: usize) -> Vec<(f64, f64)> {
        let mut ratios = Vec::new();
        let plan = self.plan.clone();
        let (compared, rest) = plan.backlog.split_at(plan.backlog.len().min(COMPARED_MAX));
        self.flood(rest, tasks).await;
        for (number, block) in compared.chunks(BLOCK).enumerate() {
            // Who goes first alternates, so that a drift of the machine favours neither.
            let (ours, bare) = if number % 2 == 0 {
                let ours = self.block(block, tasks, false).await;
                (ours, self.block(block, tasks, true).await)
            } else {
                let bare = self.block(block, tasks, true).await;
                (self.block(block, tasks, false).await, bare)
            };
            if block.len() == BLOCK {
                let ratio = |quantile: f64| {
                    ours.value_at_quantile(quantile) as f64
                        / bare.value_at_quantile(quantile).max(1) as f64
                };
                ratios.push((ratio(0.5), ratio(0.99)));
            }
        }
        ratios
    }

    /// Publishes as fast as the tasks can.
    async fn flood(&self, events: &[PlannedEvent], tasks: usize) {
        let mut running = JoinSet::new();
        for task in 0..tasks {
            let mine: Vec<PlannedEvent> =
                events.iter().skip(task).step_by(tasks).cloned().collect();
            let voice = self.clone();
            running.spawn(async move {
                for event in mine {
                    voice.publish(&event).await;
                }
            });
        }
        while running.join_next().await.is_some() {}
    }

    async fn block(&self, events: &[PlannedEvent], tasks: usize, bare: bool) -> Latencies {
        let start = Instant::now() + Duration::from_millis(5);
        let mut running = JoinSet::new();
        for task in 0..tasks {
            let mine: Vec<(u64, PlannedEvent)> = events
                .iter()
                .enumerate()
                .skip(task)
                .step_by(tasks)
                .map(|(place, event)| (place as u64, event.clone()))
                .collect();
            let voice = self.clone();
            running.spawn(async move {
                let mut latencies = Vec::with_capacity(mine.len());
                for (place, event) in mine {
                    let planned =
                        start + Duration::from_micros(place * 1_000_000 / BACKLOG_PER_SECOND);
                    tokio::time::sleep_until(planned.into()).await;
                    let took = if bare {
                        voice.bare(&event).await
                    } else {
                        Some(voice.publish(&event).await)
                    };
                    latencies.extend(took);
                }
                latencies
            });
        }
        let mut all = latencies();
        while let Some(done) = running.join_next().await {
            for took in done.unwrap_or_default() {
                all.saturating_record(micros(took));
            }
        }
        all
    }

    async fn bare(&self, planned: &PlannedEvent) -> Option<Duration> {
        let body = encode(&planned.event, ContentType::MessagePack).ok()?;
        self.bare
            .publish(planned.event.id.as_str(), body)
            .await
            .ok()
    }

    async fn bare_at(self, event: PlannedEvent, at: Instant) {
        tokio::time::sleep_until(at.into()).await;
        if let Some(took) = self.bare(&event).await {
            self.note(|measured| measured.bare.saturating_record(micros(took)));
        }
    }

    /// Publishes the run's events, each at its instant after `start`, but for those of calls that are not dialled; returns
    /// when all are answered.
    pub(super) async fn calls(&self, start: Instant) {
        let mut by_call: std::collections::BTreeMap<Option<usize>, Vec<usize>> =
            std::collections::BTreeMap::new();
        for (place, event) in self.plan.events.iter().enumerate() {
            by_call.entry(event.call_index).or_default().push(place);
        }
        let mut running = JoinSet::new();
        for places in by_call.into_values() {
            let voice = self.clone();
            running.spawn(async move {
                let mut bare_loop = JoinSet::new();
                for place in places {
                    let Some(event) = voice.plan.events.get(place).cloned() else {
                        continue;
                    };
                    let planned =
                        start + Duration::from_millis(u64::try_from(event.at_ms).unwrap_or(0));
                    let bare_at = if place % 2 == 0 {
                        planned + BARE_APART
                    } else {
                        planned.checked_sub(BARE_APART).unwrap_or(planned)
                    };
                    bare_loop.spawn(voice.clone().bare_at(event.clone(), bare_at));
                    tokio::time::sleep_until(planned.into()).await;
                    let lag = planned.elapsed();
                    if let Some(call) = event.call_index
                        && !voice.dialling.dialler().takes_place(call)
                    {
                        break;
                    }
                    let took = voice.publish(&event).await;
                    voice.note(|measured| {
                        measured.lag.saturating_record(micros(lag));
                        measured.publish.saturating_record(micros(took));
                    });
                }
                while bare_loop.join_next().await.is_some() {}
            });
        }
        while running.join_next().await.is_some() {}
    }
}

/// Whole microseconds, at least 1.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros())
        .unwrap_or(u64::MAX)
        .max(1)
}
