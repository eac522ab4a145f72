//! A bulk job's steps: each one's request, and what its answer means.
//!
//! | step | done | not executed | unknown | refused, gone |
//! | --- | --- | --- | --- | --- |
//! | create | upload | again | again: a job that isn't closed writes nothing | rows back, no job for an hour |
//! | upload | store the manifest | again | leave the job, create another | refused: as above; gone: create another |
//! | store | close | again | again | – |
//! | close | poll | again | poll: it tells | gone: rows back |
//! | poll | open: close; over: results; else later | later | later | gone: rows back |
//! | results | next part; then settle | again | again | rows back |
//!
//! Invariants: a job is closed only after its manifest is stored. Nothing is learnt of a job by guessing: what can't be
//! known goes the ordinary way, which may repeat it.

use std::sync::Arc;

use super::answer::RETRY_EN_MS;
use super::bulk::{BulkJob, Next, effects_of};
use super::send::Tried;
use super::state::{Errand, Job};
use super::{Dispatcher, Output};
use crate::bulk::{Bulk, BulkAnswer, BulkAsk, BulkState, BulkStep, Part};
use crate::codes;
use crate::lane::Lane;
use crate::quota::{PermitId, Settlement};
use crate::record::BulkRow;
use crate::seed::backoff_ms;
use crate::time::{Now, Tick};
use crate::vendor::{Answer, ItemOutcome, Operation};

/// Longest wait between two looks at a job, milliseconds; it doubles until then. Fewer requests matter more than an early end.
const POLL_MAX_MS: u64 = 60_000;
/// No job for so long after one that could not be had, and after one that broke, milliseconds.
const OFF_MS: u64 = 3_600_000;
const BROKEN_OFF_MS: u64 = 10 * 60_000;
/// Uploads in a row that may get lost before the rows go the ordinary way.
const UPLOADS_MAX: u32 = 3;
/// Looks in a row without a usable answer, and results that can't be read, before a job is given up.
const LOOKS_MAX: u32 = 20;
const READS_MAX: u32 = 3;

impl Dispatcher {
    /// Sends the bulk job's next step, if it may leave now.
    pub(super) fn try_bulk(&mut self, now: Now) -> Tried {
        let (step, not_before) = match self.bulk.job.as_deref() {
            Some(job) if !job.in_air => match job.next {
                Next::Ask(step) => (step, job.not_before),
                Next::Store | Next::Settle | Next::Remove => return Tried::Nothing,
            },
            _ => return Tried::Nothing,
        };
        if not_before > now.tick {
            self.wake_at(not_before);
            return Tried::Nothing;
        }
        if step == BulkStep::Upload && !self.has_rows() {
            return Tried::Nothing;
        }
        let vendor = Arc::clone(&self.vendor);
        let Some((bulk, job)) = vendor.bulk().zip(self.bulk.job.as_deref()) else {
            return Tried::Nothing;
        };
        let windows = vendor.windows(job.verb, job.object);
        match self.permit(now, Lane::En, windows) {
            Ok(permit) => {
                self.send_bulk(now, bulk, step, permit);
                Tried::Sent
            }
            Err(tried) => tried,
        }
    }

    /// Whether a row is left to be uploaded; without one there is no job.
    fn has_rows(&mut self) -> bool {
        let rows = self.bulk.job.iter().flat_map(|job| &job.rows);
        let mut jobs = rows.filter_map(|row| self.jobs.get(&row.job?));
        let any = jobs.any(|job| self.stays_a_row(job));
        if !any && let Some(mut job) = self.bulk.job.take() {
            self.fix_rows(&mut job);
        }
        any
    }

    fn stays_a_row(&self, job: &Job) -> bool {
        job.lane == Lane::En && job.url_expires_at.is_none_or(|at| at > self.wall)
    }

    /// Fixes what the job's rows are, right before they are uploaded. What has become urgent, or lost its link, goes back.
    fn fix_rows(&mut self, bulk_job: &mut BulkJob) {
        let mut below = 0;
        let mut back = Vec::new();
        bulk_job.open.clear();
        bulk_job.rows.retain_mut(|row| {
            let Some((id, job)) = row.job.and_then(|id| Some((id, self.jobs.get(&id)?))) else {
                return false;
            };
            if !self.stays_a_row(job) {
                back.push(id);
                return false;
            }
            row.row = BulkRow {
                effects: Vec::new(),
                key: job.item.key.clone(),
                crm_id: job.item.crm_id.clone(),
                contact: job.item.contact.clone(),
                stamp: job.item.stamp,
            };
            for (lane, seq, index) in effects_of(&job.purpose) {
                let state = self.lanes[lane as usize].events.get(&seq);
                let work = state.and_then(|state| state.effects.get(index));
                if let Some(work) = work {
                    below = below.max(seq + 1);
                    bulk_job.open.insert(work.key.clone());
                    row.row.effects.push(work.key.clone());
                }
            }
            true
        });
        bulk_job.below = below;
        for id in back {
            self.requeue(id);
        }
    }

    fn send_bulk(&mut self, now: Now, bulk: &dyn Bulk, step: BulkStep, permit: PermitId) {
        let Some(mut job) = self.bulk.job.take() else {
            return;
        };
        let mut operation = Operation {
            verb: job.verb,
            object: job.object,
            items: Vec::new(),
            after: None,
        };
        if step == BulkStep::Upload {
            self.fix_rows(&mut job);
            for id in job.rows.iter().filter_map(|row| row.job) {
                if let Some(row) = self.jobs.get_mut(&id) {
                    row.answers_before = self.answers_ok;
                    operation.items.push(row.item.clone());
                }
            }
        }
        let http = bulk.request(&match step {
            BulkStep::Create => BulkAsk::Create(&operation),
            BulkStep::Upload => BulkAsk::Upload(&job.id, &operation),
            BulkStep::Close => BulkAsk::Close(&job.id),
            BulkStep::Abort => BulkAsk::Abort(&job.id),
            BulkStep::Poll => BulkAsk::Poll(&job.id),
            BulkStep::Results(part) => BulkAsk::Results(&job.id, part),
        });
        job.in_air = true;
        self.bulk.job = Some(job);
        self.send_errand(now, Lane::En, Errand::Bulk(step), http, permit);
    }

    /// A step was answered, or surely won't be.
    pub(super) fn bulk_answered(
        &mut self,
        now: Now,
        permit: PermitId,
        step: BulkStep,
        settlement: Settlement,
        answer: &Answer,
    ) {
        let vendor = Arc::clone(&self.vendor);
        let class = self.bulk.job.as_ref().map(|job| (job.verb, job.object));
        if let (Answer::Response { headers, .. }, Some((verb, object))) = (answer, class) {
            let observed = vendor.observe(verb, object, headers);
            if !observed.is_empty() {
                self.limiter.observe(now, permit, &observed);
            }
        }
        let Some(bulk) = vendor.bulk() else {
            return self.limiter.settle(now, permit, settlement);
        };
        let (signal, said) = bulk.interpret(step, answer);
        let again_ms = self.account_signal(now, permit, &signal);
        self.limiter.settle(now, permit, settlement);
        if said == BulkAnswer::NotExecuted {
            return self.bulk_not_executed(now, again_ms);
        }
        let Some(mut job) = self.bulk.job.take() else {
            return;
        };
        job.in_air = false;
        match step {
            BulkStep::Create | BulkStep::Upload | BulkStep::Abort => {
                self.making(now, job, step, said, again_ms);
            }
            BulkStep::Close | BulkStep::Poll => self.working(now, job, step, said, again_ms),
            BulkStep::Results(part) => self.told(now, bulk, job, part, said, again_ms),
        }
    }

    /// A step was certainly not executed, for whatever reason: it is tried again.
    pub(super) fn bulk_not_executed(&mut self, now: Now, least_ms: u64) {
        if let Some(mut job) = self.bulk.job.take() {
            job.in_air = false;
            job.not_before = self.again_at(now, &mut job.tries, least_ms);
            self.bulk.job = Some(job);
        }
    }

    fn again_at(&mut self, now: Now, tries: &mut u32, least_ms: u64) -> Tick {
        *tries = tries.saturating_add(1);
        let wait_ms = backoff_ms(&mut self.seed, *tries, RETRY_EN_MS.0, RETRY_EN_MS.1);
        now.tick.plus_ms(wait_ms.max(least_ms))
    }

    /// Until the manifest is stored: whatever is in the way, the job is left, and the rows go back.
    fn making(
        &mut self,
        now: Now,
        mut job: Box<BulkJob>,
        step: BulkStep,
        said: BulkAnswer,
        again_ms: u64,
    ) {
        match (step, said) {
            (BulkStep::Create, BulkAnswer::Job { id, .. }) => {
                job.id = id;
                job.goes_on(BulkStep::Upload, now.tick);
                if std::mem::take(&mut self.bulk.alerted) {
                    let code = codes::CRM_NO_BULK;
                    self.outputs.push_back(Output::AlertOver { code });
                }
            }
            (BulkStep::Create, BulkAnswer::Unknown) => {
                job.not_before = self.again_at(now, &mut job.tries, again_ms);
            }
            (BulkStep::Upload, BulkAnswer::Uploaded) => {
                job.next = Next::Store;
                if !self.stopping {
                    self.save_bulk(Some(job.record()));
                }
            }
            (BulkStep::Upload, BulkAnswer::Gone) if job.uploads < UPLOADS_MAX => {
                job.uploads += 1;
                job.goes_on(BulkStep::Create, now.tick);
            }
            (BulkStep::Upload, BulkAnswer::Unknown) if job.uploads < UPLOADS_MAX => {
                // Its table may be there, whole or not, and can't be sent twice.
                job.uploads += 1;
                let at = self.again_at(now, &mut job.tries, again_ms);
                job.goes_on(BulkStep::Abort, at);
            }
            (BulkStep::Abort, _) => job.goes_on(BulkStep::Create, now.tick),
            (_, said) => return self.no_bulk(now, &job, &said),
        }
        self.bulk.job = Some(job);
    }

    /// There is no job to be had: the rows go the ordinary way.
    fn no_bulk(&mut self, now: Now, job: &BulkJob, said: &BulkAnswer) {
        self.bulk.off_until = now.tick.plus_ms(OFF_MS);
        self.bulk.ended_at = now.tick;
        self.bulk.alerted = true;
        let why = match said {
            BulkAnswer::Refused(reason) => reason.as_str(),
            _ => "its table was not taken",
        };
        self.alert(
            codes::CRM_NO_BULK,
            &format!("the CRM takes no bulk job ({why}); records go in ordinary requests for an hour, nothing is lost"),
        );
        for id in job.rows.iter().rev().filter_map(|row| row.job) {
            self.requeue(id);
        }
    }

    /// From the manifest to the end of the job.
    fn working(
        &mut self,
        now: Now,
        mut job: Box<BulkJob>,
        step: BulkStep,
        said: BulkAnswer,
        again_ms: u64,
    ) {
        match (step, said) {
            (_, BulkAnswer::Gone) => return self.lost(now, job),
            (BulkStep::Close, BulkAnswer::Job { .. }) => {
                job.goes_on(BulkStep::Poll, now.tick.plus_ms(job.poll_ms));
            }
            (BulkStep::Close, _) => {
                // It may be closed, or was before: the job itself tells.
                let at = self.again_at(now, &mut job.tries, again_ms);
                job.goes_on(BulkStep::Poll, at);
            }
            (
                _,
                BulkAnswer::Job {
                    state,
                    processed,
                    failed,
                    ..
                },
            ) => match state {
                BulkState::Open => job.goes_on(BulkStep::Close, now.tick),
                BulkState::Working => {
                    job.poll_ms = (job.poll_ms * 2).min(POLL_MAX_MS);
                    job.goes_on(BulkStep::Poll, now.tick.plus_ms(job.poll_ms));
                }
                BulkState::Complete => {
                    // What can only be empty isn't fetched.
                    job.reads = 0;
                    let all = processed.is_some_and(|count| count >= job.rows.len() as u64);
                    job.skips = [false, all && failed == Some(0), all];
                    job.goes_on(BulkStep::Results(Part::Successful), now.tick);
                }
                BulkState::Broken => {
                    job.broken = true;
                    job.skips = [false; 3];
                    job.goes_on(BulkStep::Results(Part::Successful), now.tick);
                }
            },
            _ if job.tries >= LOOKS_MAX => return self.lost(now, job),
            _ => job.not_before = self.again_at(now, &mut job.tries, again_ms),
        }
        self.bulk.job = Some(job);
    }

    /// Some of the results came.
    fn told(
        &mut self,
        now: Now,
        bulk: &dyn Bulk,
        mut job: Box<BulkJob>,
        part: Part,
        said: BulkAnswer,
        again_ms: u64,
    ) {
        match said {
            BulkAnswer::Table(table) => {
                job.results[part as usize] = table;
                let mut left = Part::ALL.into_iter().filter(|next| *next > part);
                if let Some(next) = left.find(|next| !job.skips[*next as usize]) {
                    job.goes_on(BulkStep::Results(next), now.tick);
                } else {
                    let [done, failed, left] = &job.results;
                    let outcomes = bulk.outcomes(&job.operation(), [done, failed, left]);
                    job.results = Default::default();
                    match outcomes {
                        Some(outcomes) => {
                            if job.broken {
                                self.bulk.off_until = now.tick.plus_ms(BROKEN_OFF_MS);
                            }
                            return self.results_in(job, outcomes);
                        }
                        None if job.reads + 1 < READS_MAX => {
                            job.reads += 1;
                            job.goes_on(BulkStep::Results(Part::Successful), now.tick);
                        }
                        None => return self.lost(now, job),
                    }
                }
            }
            BulkAnswer::Unknown if job.tries < LOOKS_MAX => {
                job.not_before = self.again_at(now, &mut job.tries, again_ms);
            }
            _ => return self.lost(now, job),
        }
        self.bulk.job = Some(job);
    }

    /// Nothing more can be learnt of a job: its rows go the ordinary way, which repeats what it may have written.
    fn lost(&mut self, now: Now, job: Box<BulkJob>) {
        self.bulk.off_until = now.tick.plus_ms(OFF_MS);
        let outcomes = vec![ItemOutcome::NotExecuted; job.rows.len()];
        self.results_in(job, outcomes);
    }

    /// The manifest is stored, or removed.
    pub(super) fn bulk_stored(&mut self, now: Now) {
        let Some(job) = self.bulk.job.as_deref_mut() else {
            return;
        };
        match job.next {
            Next::Store => job.goes_on(BulkStep::Close, now.tick),
            Next::Remove => {
                self.bulk.job = None;
                self.bulk.ended_at = now.tick;
            }
            Next::Ask(_) | Next::Settle => {}
        }
    }
}
