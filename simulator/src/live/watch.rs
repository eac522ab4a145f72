//! Looking after a run from its first call until everything is settled: kills as planned, workers that must not end by
//! themselves, progress.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use callflume_core::lane::Lane;

use super::progress::{Progress, Seen};
use super::run::{Error, LiveStage};
use super::stage::epoch_ms;
use super::voice::Voice;
use super::worker_process::WorkerProcess;
use crate::scenario::Scenario;
use crate::traffic::Plan;

/// How often memory, progress and the broker are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// A run from its first call on.
pub(super) struct Watch<'a> {
    pub(super) stage: &'a LiveStage,
    pub(super) scenario: &'a Scenario,
    pub(super) plan: &'a Plan,
    pub(super) voice: &'a Voice,
    pub(super) progress: &'a Progress,
    pub(super) start: Instant,
}

impl Watch<'_> {
    /// Kills as planned, until every event is published; answers when workers were killed, epoch milliseconds.
    pub(super) async fn until_done(
        &self,
        workers: &mut [WorkerProcess],
        mut calls: tokio::task::JoinHandle<()>,
    ) -> Result<Vec<i64>, Error> {
        let mut planned: Vec<u64> = self.scenario.workers.kill_at_s.clone();
        planned.sort_unstable();
        let mut kills = Vec::new();
        loop {
            if let Some(at_s) = planned.first().copied()
                && self.start.elapsed() >= Duration::from_secs(at_s)
                && Instant::now() >= self.start
            {
                planned.remove(0);
                let victim = kills.len() % workers.len().max(1);
                if let Some(worker) = workers.get_mut(victim) {
                    kills.push(epoch_ms());
                    worker.kill_and_restart().await.map_err(Error::worker)?;
                    self.progress.say("a worker was killed and started again");
                }
            }
            self.look(workers)?;
            tokio::select! {
                ended = &mut calls => {
                    ended.map_err(|error| Error::Worker(format!("publishing broke: {error}")))?;
                    return Ok(kills);
                }
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Waits until everything stored is settled; answers whether it was, in time.
    pub(super) async fn drain(&self, workers: &mut [WorkerProcess]) -> Result<bool, Error> {
        let deadline = Instant::now() + Duration::from_secs(self.scenario.drain_s_max);
        self.progress
            .say("calls are over; waiting until everything is settled");
        loop {
            self.look(workers)?;
            if self.unsettled().await? == 0 {
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn look(&self, workers: &mut [WorkerProcess]) -> Result<(), Error> {
        for worker in workers {
            worker.sample();
            if let Some(status) = worker.ended().map_err(Error::worker)? {
                return Err(Error::Worker(format!(
                    "it ended by itself ({status}); see its log"
                )));
            }
        }
        let elapsed_ms = i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX);
        let requests = self.stage.model().requests_seen();
        self.progress.show(Seen {
            elapsed_ms,
            running: self.plan.concurrent_at(elapsed_ms),
            acked: self.voice.acked.load(Ordering::Relaxed),
            requests,
        });
        Ok(())
    }

    /// Events stored and not acknowledged by a worker.
    async fn unsettled(&self) -> Result<u64, Error> {
        let mut left = 0;
        for lane in Lane::ALL {
            let consumer: async_nats::jetstream::consumer::PullConsumer = self
                .stage
                .broker
                .context()
                .get_consumer_from_stream(lane.consumer(&self.stage.account), lane.stream())
                .await
                .map_err(Error::broker)?;
            let info = consumer.cached_info();
            left += info.num_pending + info.num_ack_pending as u64;
        }
        Ok(left)
    }
}
