//! Jobs to requests: which leave now, and what shares one.
//!
//! Operational jobs leave at once while permits stand; while they wait for one, everything of their kind that is
//! ready shares the next request, enrichment filling what room is left. Enrichment waits until its batch is full or
//! its oldest job has waited long enough. A request with room left takes what is ready of the other lane along. Each
//! lane has its own cap of requests in flight.

use std::collections::BTreeSet;

use super::state::{Errand, JobId, Purpose, Sent};
use super::{Dispatcher, Output};
use crate::effect::Object;
use crate::lane::Lane;
use crate::quota::{Grant, PermitId};
use crate::time::{Now, Tick};
use crate::vendor::{Charge, HttpRequest, Operation, Verb};

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
        if lane == Lane::En {
            match self.try_bulk(now) {
                Tried::Nothing => {}
                tried => return tried,
            }
        }
        for (verb, object) in self.due_classes(now, lane) {
            match self.permit(now, lane, self.vendor.windows(verb, object)) {
                Ok(permit) => {
                    self.send(now, lane, verb, object, permit);
                    return Tried::Sent;
                }
                Err(Tried::Nothing) => {}
                Err(tried) => return tried,
            }
        }
        Tried::Nothing
    }

    /// A permit for one request, or what stands in its way.
    pub(super) fn permit(
        &mut self,
        now: Now,
        lane: Lane,
        charges: &[Charge],
    ) -> Result<PermitId, Tried> {
        match self.limiter.ask(now, lane, charges) {
            Grant::Granted(permit) => Ok(permit),
            Grant::Unwritten => {
                self.write_block(now, charges);
                Err(Tried::Unwritten)
            }
            Grant::Wait { until, .. } => {
                if let Some(until) = until {
                    self.wake_at(until.max(now.tick.plus_ms(1)));
                }
                Err(Tried::Nothing)
            }
        }
    }

    /// Sends a request that carries no operation.
    pub(super) fn send_errand(
        &mut self,
        now: Now,
        lane: Lane,
        errand: Errand,
        http: HttpRequest,
        permit: PermitId,
    ) {
        let request = self.next_id();
        self.in_flight[lane as usize] += 1;
        self.counters.requests += 1;
        self.requests.insert(
            request,
            Sent {
                lane,
                permit,
                operations: Vec::new(),
                jobs: Vec::new(),
                granted_at: now.tick,
                errand: Some(errand),
                held: None,
            },
        );
        self.outputs.push_back(Output::Send {
            request,
            lane,
            http,
            timeout_ms: self.config.request_timeout_ms,
        });
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
        let held = self.held_for_bulk(now, lane);
        for ((verb, object), pool) in &mut self.pools {
            if held.contains(&(*verb, *object)) {
                continue;
            }
            let queue = pool.lane(lane);
            let Some(first) = queue.front().and_then(|id| self.jobs.get(id)) else {
                continue;
            };
            let ready_at = first.queued_at.plus_ms(wait_ms);
            let full = queue.len() >= self.vendor.batch_max(*verb, *object);
            // A page has nothing to wait for: it is never more than one.
            let page = *verb == Verb::List || first.page_after.is_some();
            if full || page || first.group.is_some() || ready_at <= now.tick {
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

    fn send(&mut self, now: Now, lane: Lane, verb: Verb, object: Object, permit: PermitId) {
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
                errand: None,
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
            match &job.purpose {
                Purpose::Page { after: mark } => after.clone_from(mark),
                Purpose::Deals {
                    items: of,
                    after: mark,
                } => {
                    after.clone_from(mark);
                    items.extend(of.iter().cloned());
                }
                _ => {
                    after.clone_from(&job.page_after);
                    items.push(job.item.clone());
                }
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
        let mut goes_on = false;
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
                    goes_on = job.page_after.is_some();
                } else if goes_on || job.page_after.is_some() {
                    // A mark is good for one query only.
                    break;
                }
                // At most one write per record in a batch; the second goes with the next.
                let record = job.item.crm_id.as_deref().unwrap_or(&job.item.key);
                if job.group != group || !records.insert(record) {
                    break;
                }
                queue.pop_front();
                batch.push(id);
            }
        }
        batch
    }
}
