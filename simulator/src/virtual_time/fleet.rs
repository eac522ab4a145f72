//! Processes started, stopped, killed and replaced, as the scenario says.

use super::crm::Crm;
use super::happening::Happening;
use super::worker::{Worker, WorkerNumber};
use super::world::World;

/// From a process's start to its first look at who owns what, milliseconds.
const STARTUP_MS: u64 = 100;

impl<C: Crm> World<'_, '_, C> {
    pub(super) fn scale(&mut self, count: u32) {
        self.note(format_args!("scale to {count}"));
        if count == 0 {
            self.warming = false;
        }
        let mut running: Vec<WorkerNumber> = self
            .workers
            .iter()
            .filter(|(_, worker)| !worker.stopping)
            .map(|(number, _)| *number)
            .collect();
        while running.len() < count as usize {
            running.push(self.start_worker());
        }
        for number in running.split_off(count as usize) {
            self.stop_worker(number);
        }
    }

    /// Starts a process; answers its number.
    fn start_worker(&mut self) -> WorkerNumber {
        let number = self.next_worker;
        self.next_worker += 1;
        let error_ms = self.scenario.workers.clock_error_ms.cast_signed();
        let drawn = self.seed.below((2 * error_ms + 1).cast_unsigned());
        let worker = Worker::new(number, drawn.cast_signed() - error_ms);
        self.note(format_args!(
            "worker {} starts, its clock is {} ms off",
            worker.id, worker.clock_error_ms
        ));
        self.workers.insert(number, worker);
        let at_ms = self.now_ms + STARTUP_MS;
        self.timeline
            .plan(at_ms, Happening::Heartbeat { worker: number });
        self.timeline
            .plan(at_ms, Happening::Look { worker: number });
        number
    }

    /// The owner of the first account, or else the oldest worker, goes; another process starts at once.
    pub(super) fn replace_owner(&mut self, killed: bool) {
        let owner = self
            .tasks
            .values()
            .find(|task| task.account == 0 && !task.stopping)
            .map(|task| task.worker);
        let oldest = || {
            self.workers
                .iter()
                .find(|(_, worker)| !worker.stopping)
                .map(|(number, _)| *number)
        };
        if let Some(number) = owner.or_else(oldest) {
            if killed {
                self.kill_worker(number);
                self.kills += 1;
            } else {
                self.stop_worker(number);
            }
        }
        self.start_worker();
    }
}
