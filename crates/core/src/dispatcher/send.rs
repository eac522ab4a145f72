//! Jobs to requests: which leave now, and what shares one.
//!
//! Operational jobs leave at once while permits stand; while they wait for one, everything of their kind that is
//! ready shares the next request, enrichment filling what room is left. Enrichment waits until its batch is full or
//! its oldest job has waited long enough. A request with room left takes what is ready of the other lane along. Each
//! lane has its own cap of requests in flight. At most one write per record is under way: a job holds its record's
//! lock from the moment it is queued, so an operational effect that meets the lock makes the job operational.

use std::collections::BTreeSet;

use super::state::{Job, JobId, Purpose, Record, Sent};
use super::{Dispatcher, Output};
use crate::effect::Object;
use crate::lane::Lane;
use crate::quota::Grant;
use crate::time::{Now, Tick};
use crate::vendor::{Charge, Item, Operation, Verb};

/// What came of trying to send for a lane.
pub(super) enum Tried {
    /// One request left.
    Sent,
    /// Nothing to send, or nothing allowed.
    Nothing,
    /// The journal must be written first.
    Unwritten,
}

impl Dispatcher {
    #[expect(
        clippy::too_many_arguments,
        reason = "a job is made in one place; a builder would only rename its fields"
    )]
    pub(super) fn enqueue(
        &mut self,
        now: Now,
        lane: Lane,
        verb: Verb,
        object: Object,
        mut item: Item,
        contact: &str,
        purpose: Purpose,
        lock: Option<Record>,
    ) -> JobId {
        let id = self.next_id();
        item.trace = id;
        let url_expires_at = self.link_expires_at(&purpose);
        if let Some(at) = url_expires_at {
            self.links.insert((at, id));
        }
        let job = Job {
            lane,
            verb,
            object,
            item,
            contact: contact.to_owned(),
            purpose,
            lock,
            queued_at: now.tick,
            group: None,
            attempts: 0,
            answers_before: self.answers_ok,
            probes_for: None,
            probe_after: None,
            url_expires_at,
        };
        self.jobs.insert(id, job);
        let queue = self.pools.entry((verb, object)).or_default().lane(lane);
        // What shares a request that is wished for already is no wish of its own.
        let wish = lane == Lane::Op
            && queue
                .len()
                .is_multiple_of(self.vendor.batch_max(verb, object).max(1));
        queue.push_back(id);
        if wish {
            self.limiter.wished(now, self.vendor.windows(verb, object));
        }
        id
    }

    /// Takes the right to write a record; whoever doesn't get it is looked at again when it is free.
    pub(super) fn lock(&mut self, lock: &Record, contact: &str, lane: Lane) -> bool {
        let Some(waiting) = self.locks.get_mut(lock) else {
            self.locks.insert(lock.clone(), BTreeSet::new());
            return true;
        };
        waiting.insert(contact.to_owned());
        if lane == Lane::Op {
            let holder = self
                .jobs
                .iter()
                .find(|(_, job)| job.lock.as_ref() == Some(lock))
                .map(|(id, _)| *id);
            if let Some(holder) = holder {
                self.promote(holder);
            }
        }
        false
    }

    /// Makes a job operational: an operational effect waits for it.
    pub(super) fn promote(&mut self, id: JobId) {
        if self.jobs.get(&id).is_none_or(|job| job.lane == Lane::Op) {
            return;
        }
        let waited = self.take_out(id);
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        job.lane = Lane::Op;
        if waited && let Some(pool) = self.pools.get_mut(&(job.verb, job.object)) {
            pool.op.push_back(id);
        }
    }

    /// Takes a job out of its pool; answers whether it waited there.
    pub(super) fn take_out(&mut self, id: JobId) -> bool {
        let Some(job) = self.jobs.get(&id) else {
            return false;
        };
        let Some(pool) = self.pools.get_mut(&(job.verb, job.object)) else {
            return false;
        };
        let queue = pool.lane(job.lane);
        let place = queue.iter().position(|other| *other == id);
        place.and_then(|place| queue.remove(place)).is_some()
    }

    /// Takes a queued job out of its pool until this instant.
    pub(super) fn hold_until(&mut self, now: Now, id: JobId, at: Tick) {
        if at > now.tick && self.take_out(id) {
            self.delay(now, id, at.since_ms(now.tick));
        }
    }

    /// Sends everything that may leave now and notes when the next may.
    pub(super) fn pump(&mut self, now: Now) {
        if self.stopping {
            return;
        }
        loop {
            let order = if self.limiter.en_turn() {
                [Lane::En, Lane::Op]
            } else {
                Lane::ALL
            };
            let mut sent = false;
            for lane in order {
                match self.try_either(now, lane) {
                    Tried::Sent => {
                        sent = true;
                        break;
                    }
                    Tried::Nothing => {}
                    Tried::Unwritten => return,
                }
            }
            if !sent {
                return;
            }
        }
    }

    /// Own requests and foreign ones take turns while both wait.
    fn try_either(&mut self, now: Now, lane: Lane) -> Tried {
        if self.desk.is_idle() {
            return self.try_lane(now, lane);
        }
        let next = self.desk.is_next(lane);
        for foreign in [next, !next] {
            let tried = if foreign {
                self.try_foreign(now, lane)
            } else {
                self.try_lane(now, lane)
            };
            match tried {
                Tried::Nothing => {}
                Tried::Sent => {
                    self.desk.left(lane, foreign);
                    return Tried::Sent;
                }
                Tried::Unwritten => return Tried::Unwritten,
            }
        }
        Tried::Nothing
    }

    /// Has a block of permits written, if that is not under way.
    pub(super) fn write_block(&mut self, now: Now, charges: &[Charge]) {
        if let Some(record) = self.limiter.journal_due(now, Some(charges)) {
            self.outputs.push_back(Output::WriteJournal(record));
        }
    }

    fn try_lane(&mut self, now: Now, lane: Lane) -> Tried {
        let cap = match lane {
            Lane::Op => self.config.in_flight_op_max,
            Lane::En => self.config.in_flight_en_max,
        };
        if self.in_flight[lane as usize] >= cap {
            return Tried::Nothing;
        }
        match self.try_reference(now, lane) {
            Tried::Nothing => {}
            tried => return tried,
        }
        for (verb, object) in self.due_classes(now, lane) {
            let windows = self.vendor.windows(verb, object);
            match self.limiter.ask(now, lane, windows) {
                Grant::Granted(permit) => {
                    self.send(now, lane, verb, object, permit);
                    return Tried::Sent;
                }
                Grant::Unwritten => {
                    self.write_block(now, windows);
                    return Tried::Unwritten;
                }
                Grant::Wait { until, .. } => {
                    if let Some(until) = until {
                        self.wake_at(until.max(now.tick.plus_ms(1)));
                    }
                }
            }
        }
        Tried::Nothing
    }

    /// The kinds of jobs of a lane that may go now, the one that has waited longest first.
    fn due_classes(&mut self, now: Now, lane: Lane) -> Vec<(Verb, Object)> {
        let mut due: Vec<(Tick, (Verb, Object))> = Vec::new();
        let wait_ms = match lane {
            Lane::Op => self
                .config
                .op_batch_wait_ms
                .unwrap_or_else(|| self.vendor.op_batch_wait_ms()),
            Lane::En => self.config.batch_wait_ms,
        };
        let mut wake = None;
        for ((verb, object), pool) in &mut self.pools {
            let queue = pool.lane(lane);
            let Some(first) = queue.front().and_then(|id| self.jobs.get(id)) else {
                continue;
            };
            let ready_at = first.queued_at.plus_ms(wait_ms);
            let full = queue.len() >= self.vendor.batch_max(*verb, *object);
            // A page has nothing to wait for: it is never more than one.
            if full || first.group.is_some() || *verb == Verb::List || ready_at <= now.tick {
                due.push((first.queued_at, (*verb, *object)));
            } else {
                wake = Some(wake.map_or(ready_at, |other: Tick| other.min(ready_at)));
            }
        }
        if let Some(wake) = wake {
            self.wake_at(wake);
        }
        due.sort_unstable_by_key(|(since, _)| *since);
        due.into_iter().map(|(_, class)| class).collect()
    }

    fn send(
        &mut self,
        now: Now,
        lane: Lane,
        verb: Verb,
        object: Object,
        permit: crate::quota::PermitId,
    ) {
        let (operations, jobs) = self.take_operations(lane, verb, object);
        let http = match operations.as_slice() {
            [operation] => self.vendor.request(operation),
            several => self.vendor.bundle(several),
        };
        let creates = operations
            .iter()
            .any(|operation| self.needs_probe(operation.verb, operation.object));
        let request = self.next_id();
        self.in_flight[lane as usize] += 1;
        let output = Output::Send {
            request,
            lane,
            http,
            timeout_ms: self.config.request_timeout_ms,
        };
        self.requests.insert(
            request,
            Sent {
                lane,
                permit,
                operations,
                jobs,
                granted_at: now.tick,
                held: None,
            },
        );
        if creates {
            if let Some(sent) = self.requests.get_mut(&request) {
                sent.held = Some(Box::new(output));
            }
            self.record_intent(request);
        } else {
            self.counters.requests += 1;
            self.outputs.push_back(output);
        }
    }

    /// What the next request carries: a batch of this kind, and whatever else waits, costs the same and may join.
    fn take_operations(
        &mut self,
        lane: Lane,
        verb: Verb,
        object: Object,
    ) -> (Vec<Operation>, Vec<Vec<JobId>>) {
        let mut operations = Vec::new();
        let mut jobs = Vec::new();
        let charges = self.vendor.windows(verb, object);
        let others: Vec<(Verb, Object)> = self
            .pools
            .iter()
            .filter(|((other, _), pool)| {
                *other != Verb::List && !(pool.op.is_empty() && pool.en.is_empty())
            })
            .map(|(class, _)| *class)
            .filter(|class| *class != (verb, object))
            .filter(|(verb, object)| self.vendor.windows(*verb, *object) == charges)
            .collect();
        for (verb, object) in std::iter::once((verb, object)).chain(others) {
            let mut room = self.vendor.room(&operations, verb, object);
            if operations.is_empty() {
                // The permit is for this one: it goes, whatever the CRM thinks fits.
                room = room.max(1);
            } else if room == 0 || self.goes_alone(verb, object) {
                continue;
            }
            let batch = self.take_batch(lane, verb, object, room);
            if batch.is_empty() {
                continue;
            }
            operations.push(self.operation(verb, object, &batch));
            let grouped = batch
                .first()
                .and_then(|id| self.jobs.get(id))
                .is_some_and(|job| job.group.is_some());
            jobs.push(batch);
            if grouped {
                break;
            }
        }
        (operations, jobs)
    }

    /// Whether what is next of this kind was refused together with others: it shares no request now.
    fn goes_alone(&self, verb: Verb, object: Object) -> bool {
        self.pools.get(&(verb, object)).is_some_and(|pool| {
            let first = [pool.op.front(), pool.en.front()];
            first
                .into_iter()
                .flatten()
                .filter_map(|id| self.jobs.get(id))
                .any(|job| job.group.is_some())
        })
    }

    fn operation(&mut self, verb: Verb, object: Object, jobs: &[JobId]) -> Operation {
        let mut items = Vec::with_capacity(jobs.len());
        let mut after = None;
        for id in jobs {
            let Some(job) = self.jobs.get_mut(id) else {
                continue;
            };
            job.answers_before = self.answers_ok;
            if let Purpose::Page { after: mark } = &job.purpose {
                after.clone_from(mark);
            } else {
                after.clone_from(&job.probe_after);
                items.push(job.item.clone());
            }
        }
        Operation {
            verb,
            object,
            items,
            after,
        }
    }

    /// Takes up to a batch of jobs out of a pool: the lane's own first, then the other's ride along.
    fn take_batch(&mut self, lane: Lane, verb: Verb, object: Object, max: usize) -> Vec<JobId> {
        let Some(pool) = self.pools.get_mut(&(verb, object)) else {
            return Vec::new();
        };
        let lanes = match lane {
            Lane::Op => [Lane::Op, Lane::En],
            Lane::En => [Lane::En, Lane::Op],
        };
        let mut batch = Vec::new();
        let mut group = None;
        let mut after: Option<String> = None;
        let mut records: BTreeSet<&str> = BTreeSet::new();
        for lane in lanes {
            let queue = pool.lane(lane);
            while batch.len() < max
                && let Some(id) = queue.front().copied()
            {
                let Some(job) = self.jobs.get(&id) else {
                    queue.pop_front();
                    continue;
                };
                if batch.is_empty() {
                    group = job.group;
                    after.clone_from(&job.probe_after);
                }
                // At most one write per record in a batch; the second goes with the next.
                let record = job.item.crm_id.as_deref().unwrap_or(&job.item.key);
                if job.group != group || job.probe_after != after || !records.insert(record) {
                    break;
                }
                queue.pop_front();
                batch.push(id);
            }
        }
        batch
    }

    /// Puts jobs back whose wait is over, and asks again for what could not be read or stored.
    pub(super) fn retry_due(&mut self, now: Now) {
        while let Some((at, id)) = self.delayed.first().copied() {
            if at > now.tick {
                self.wake_at(at);
                break;
            }
            self.delayed.pop_first();
            self.requeue(id);
        }
        self.unpark_due(now);
        self.reload_due(now);
        self.rerecord_due(now);
    }

    /// Puts a job back in front of its pool: it has waited before.
    pub(super) fn requeue(&mut self, id: JobId) {
        if self.drop_expired(id) {
            return;
        }
        if let Some(job) = self.jobs.get(&id) {
            self.pools
                .entry((job.verb, job.object))
                .or_default()
                .lane(job.lane)
                .push_front(id);
        }
    }

    /// Puts a job back after a wait.
    pub(super) fn delay(&mut self, now: Now, id: JobId, wait_ms: u64) {
        if wait_ms == 0 {
            self.requeue(id);
        } else {
            self.delayed.insert((now.tick.plus_ms(wait_ms), id));
            self.wake_at(now.tick.plus_ms(wait_ms));
        }
    }
}
