//! Jobs that wait: made, put into their pools, taken out of them, delayed, made operational.
//!
//! At most one write per record is under way: a job holds its record's lock from the moment it is queued, so an operational
//! effect that meets the lock makes the job operational. How jobs leave: `send`.

use std::collections::BTreeSet;

use super::Dispatcher;
use super::state::{Job, JobId, Purpose, Record};
use crate::effect::Object;
use crate::lane::Lane;
use crate::time::{Now, Tick};
use crate::vendor::{Item, Verb};

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
        let contact = contact.to_owned();
        let (queued_at, answers_before) = (now.tick, self.answers_ok);
        let class = (verb, object);
        let job = Job {
            lock,
            url_expires_at,
            ..Job::new(
                lane,
                class,
                item,
                contact,
                purpose,
                queued_at,
                answers_before,
            )
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
        let class = (job.verb, job.object);
        if waited || self.leave_bulk(id) {
            self.pools.entry(class).or_default().op.push_back(id);
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
