//! Answers to outcomes: what each answer means for the account and for the jobs it carried.
//!
//! | outcome | effect | look-up | creation of a contact |
//! | --- | --- | --- | --- |
//! | done | end recorded | – | contact known, its effect recorded |
//! | matches | – | contact known, or next step | – |
//! | not executed | again, no attempt | again, or the next page (`pages`) | again |
//! | unknown | again after backoff, an attempt if the CRM answered others meanwhile | same | same |
//! | conflict | `create`: done; `upsert`: becomes an update | – | update the existing one, or look up by e-mail |
//! | gone | contact: forget and resolve once more; call: create, or wait for it | next step | – |
//! | refused | merged: each by itself; else dead letter | dead letter of what wanted the contact | same |
//! | split | in halves | in halves | in halves |

use super::state::{Errand, JobId, Purpose, Resolution, Stage};
use super::warm_deals::reads_deals;
use super::{Dispatcher, Output, RequestId};
use crate::codes::{self, Code};
use crate::lane::Lane;
use crate::quota::{PermitId, Settlement};
use crate::seed::backoff_ms;
use crate::time::Now;
use crate::vendor::{AccountSignal, Answer, Interpretation, ItemOutcome, Operation, Verb};

/// First and longest wait of one job after an unknown outcome, milliseconds, per lane.
pub(super) const RETRY_OP_MS: (u64, u64) = (200, 10_000);
pub(super) const RETRY_EN_MS: (u64, u64) = (1_000, 60_000);
/// Pause of a failing account: from its third failure in a row, milliseconds.
const FAILING_MS: (u64, u64) = (500, 30_000);
/// Pause of an account whose credential is refused, until it is tried again, milliseconds.
const TROUBLE_MS: (u64, u64) = (5_000, 300_000);
/// A CRM that is busy for this long pauses the account instead of the item, milliseconds.
const BUSY_PAUSE_MS: u64 = 10_000;
/// From this long on people should know: Pipedrive shuts a company out for ten minutes, milliseconds.
const SHUT_OUT_MS: u64 = 60_000;
/// Longest wait that a CRM's own hint is believed, milliseconds.
const HINT_MAX_MS: u64 = 24 * 3_600_000;
/// Attempts count only while the CRM answers others; this many times the maximum ends it in any case.
const ATTEMPTS_CEILING: u32 = 20;

impl Dispatcher {
    pub(super) fn answered(&mut self, now: Now, request: RequestId, answer: &Answer) {
        let Some(sent) = self.requests.remove(&request) else {
            return;
        };
        let lane = sent.lane;
        self.in_flight[lane as usize] = self.in_flight[lane as usize].saturating_sub(1);
        let settlement = match answer {
            Answer::Response { .. } => Settlement::Answered,
            Answer::Lost => Settlement::Unanswered,
            Answer::NotSent => Settlement::NotSent,
        };
        match sent.errand {
            Some(Errand::Reference) => {
                return self.reference_answered(now, &sent, answer, settlement);
            }
            Some(Errand::Bulk(step)) => {
                return self.bulk_answered(now, sent.permit, step, settlement, answer);
            }
            None => {}
        }
        if let (Answer::Response { headers, .. }, Some(first)) = (answer, sent.operations.first()) {
            let observed = self.vendor.observe(first.verb, first.object, headers);
            if !observed.is_empty() {
                self.limiter.observe(now, sent.permit, &observed);
            }
        }
        let mut parts;
        let answers = if sent.operations.len() == 1 {
            std::slice::from_ref(answer)
        } else {
            let Some(apart) = self.vendor.unbundle(&sent.operations, answer) else {
                self.limiter.settle(now, sent.permit, settlement);
                return self.take_apart(&sent.jobs);
            };
            parts = apart;
            // An answer that says nothing about an operation leaves it unknown.
            parts.resize(sent.operations.len(), Answer::Lost);
            parts.as_slice()
        };
        let meanings: Vec<Interpretation> = sent
            .operations
            .iter()
            .zip(answers)
            .map(|(operation, answer)| {
                let mut meaning = self.vendor.interpret(operation, answer);
                Self::of_deals_only(operation, &mut meaning);
                meaning
            })
            .collect();
        let signal = meanings
            .iter()
            .map(|meaning| &meaning.account)
            .find(|signal| **signal != AccountSignal::Fine)
            .unwrap_or(&AccountSignal::Fine);
        let again_ms = self.account_signal(now, sent.permit, signal);
        self.limiter.settle(now, sent.permit, settlement);
        for ((operation, jobs), meaning) in sent.operations.iter().zip(&sent.jobs).zip(meanings) {
            self.operation_answered(now, operation, jobs, meaning, again_ms);
        }
    }

    /// A request of several operations was refused as such: each goes for itself.
    fn take_apart(&mut self, operations: &[Vec<JobId>]) {
        for jobs in operations {
            let group = Some(self.next_id());
            for id in jobs.iter().rev() {
                if let Some(job) = self.jobs.get_mut(id) {
                    job.group = group;
                }
                self.requeue(*id);
            }
        }
    }

    /// What came of one operation of a request.
    fn operation_answered(
        &mut self,
        now: Now,
        operation: &Operation,
        jobs: &[JobId],
        mut meaning: Interpretation,
        again_ms: u64,
    ) {
        if reads_deals(operation) {
            if let Some(id) = jobs.first() {
                self.deals_page(now, *id, meaning, again_ms);
            }
            return;
        }
        // An answer that says nothing about an item leaves it unknown.
        meaning.items.resize(jobs.len(), ItemOutcome::Unknown);
        if operation.verb == Verb::List {
            if let (Some(id), Some(outcome)) = (jobs.first(), meaning.items.first()) {
                self.page(now, *id, outcome, meaning.next_page, again_ms);
            }
            return;
        }
        self.go_on(jobs, &mut meaning);
        self.split(jobs, &mut meaning.items);
        // In reverse, so that what goes back to the front of its pool keeps its order.
        for (id, outcome) in jobs.iter().zip(&meaning.items).rev() {
            self.outcome(now, *id, outcome, again_ms);
        }
    }

    /// Nothing was executed, and no attempt is counted. A request that left has used its permit up all the same.
    pub(super) fn unauthorized(
        &mut self,
        now: Now,
        request: RequestId,
        left: bool,
        trouble: Option<(Code, String)>,
    ) {
        let Some(sent) = self.requests.remove(&request) else {
            return;
        };
        let lane = sent.lane;
        self.in_flight[lane as usize] = self.in_flight[lane as usize].saturating_sub(1);
        if let Some((code, text)) = trouble {
            self.trouble_pause(now, code, &text);
        }
        let settlement = if left {
            Settlement::Answered
        } else {
            Settlement::NotSent
        };
        self.limiter.settle(now, sent.permit, settlement);
        match sent.errand {
            Some(Errand::Reference) => return self.reference_not_executed(now),
            Some(Errand::Bulk(_)) => return self.bulk_not_executed(now, 0),
            None => {}
        }
        for (operation, jobs) in sent.operations.iter().zip(&sent.jobs) {
            let meaning = Interpretation {
                account: AccountSignal::Fine,
                items: vec![ItemOutcome::NotExecuted; jobs.len()],
                next_page: None,
            };
            self.operation_answered(now, operation, jobs, meaning, 0);
        }
    }

    /// A batch that was refused as a whole goes again in halves, until what is to blame stands alone: a hundred items
    /// with one bad one take some fourteen requests instead of a hundred.
    fn split(&mut self, jobs: &[JobId], outcomes: &mut [ItemOutcome]) {
        if let [outcome @ ItemOutcome::Split] = outcomes {
            *outcome = ItemOutcome::Refused {
                code: codes::CRM_REFUSED,
                reason: "refused without a reason".to_owned(),
            };
        }
        let refused: Vec<JobId> = jobs
            .iter()
            .zip(outcomes.iter())
            .filter(|(_, outcome)| **outcome == ItemOutcome::Split)
            .map(|(id, _)| *id)
            .collect();
        for half in refused.chunks(refused.len().div_ceil(2).max(1)) {
            let group = Some(self.next_id());
            for id in half {
                if let Some(job) = self.jobs.get_mut(id) {
                    job.group = group;
                }
            }
        }
    }

    /// What the answer means for the account; answers how long an item that was not executed waits.
    pub(super) fn account_signal(
        &mut self,
        now: Now,
        permit: PermitId,
        signal: &AccountSignal,
    ) -> u64 {
        if !matches!(signal, AccountSignal::Failing) {
            self.failing = 0;
        }
        match signal {
            AccountSignal::Fine => {
                self.answers_ok += 1;
                self.trouble = 0;
                0
            }
            AccountSignal::Throttled { window, wait_ms } => {
                self.counters.throttled += 1;
                let hint_ms = wait_ms.map(|wait| wait.min(HINT_MAX_MS));
                self.limiter.throttled(now, permit, window, hint_ms);
                0
            }
            AccountSignal::DayExhausted => {
                self.counters.throttled += 1;
                if self.limiter.day_exhausted(now) {
                    self.alert(
                        codes::CRM_DAY_EXHAUSTED,
                        "the CRM says the day's quota is used up; paused until its midnight",
                    );
                }
                0
            }
            AccountSignal::CredentialRefused => {
                self.trouble_pause(
                    now,
                    codes::CRM_CREDENTIAL,
                    "the CRM refused the credential; paused, nothing is lost. Renew the token",
                );
                0
            }
            AccountSignal::ScopeMissing => {
                self.trouble_pause(now, codes::CRM_SCOPE, "the credential lacks a scope; paused, nothing is lost. `callflume account check` names it");
                0
            }
            AccountSignal::Failing => {
                self.failing = self.failing.saturating_add(1);
                if self.failing >= 3 {
                    let wait =
                        backoff_ms(&mut self.seed, self.failing - 2, FAILING_MS.0, FAILING_MS.1);
                    self.limiter.pause(now.tick.plus_ms(wait));
                }
                0
            }
            AccountSignal::Busy { wait_ms } => {
                let wait_ms = (*wait_ms).min(HINT_MAX_MS);
                if wait_ms >= BUSY_PAUSE_MS {
                    let shut_out =
                        wait_ms >= SHUT_OUT_MS && self.limiter.paused_for_ms(now.tick) == 0;
                    self.limiter.pause(now.tick.plus_ms(wait_ms));
                    if shut_out {
                        self.alert(
                            codes::CRM_LOCKED_OUT,
                            "the CRM answers nobody on this account for a while; paused until then, nothing is lost",
                        );
                    }
                }
                wait_ms
            }
        }
    }

    fn trouble_pause(&mut self, now: Now, code: Code, text: &str) {
        // Requests in flight at the same time report the same trouble: one pause, one alert.
        if self.limiter.paused_for_ms(now.tick) == 0 {
            self.trouble = self.trouble.saturating_add(1);
            let doublings = (self.trouble - 1).min(10);
            self.limiter.pause(
                now.tick
                    .plus_ms((TROUBLE_MS.0 << doublings).min(TROUBLE_MS.1)),
            );
            self.alert(code, text);
        }
    }

    pub(super) fn alert(&mut self, code: Code, text: &str) {
        self.outputs.push_back(Output::Alert {
            code,
            text: text.to_owned(),
        });
    }

    pub(super) fn outcome(&mut self, now: Now, id: JobId, outcome: &ItemOutcome, again_ms: u64) {
        match outcome {
            ItemOutcome::NotExecuted => return self.delay(now, id, again_ms),
            ItemOutcome::Split => return self.requeue(id),
            ItemOutcome::Unknown => return self.unknown(now, id),
            _ => {}
        }
        let Some(job) = self.jobs.get(&id) else {
            return;
        };
        if job.probes_for.is_some() && job.verb == Verb::Probe {
            return self.probed(now, id, outcome);
        }
        let purpose = job.purpose.clone();
        match purpose {
            Purpose::Lookup { step, by } => self.looked_up(now, id, step, by, outcome),
            Purpose::CreateContact {
                by,
                effect,
                field_at,
            } => self.created_contact(now, id, by, effect, &field_at, outcome),
            Purpose::Write { effects, field_at } => {
                self.wrote(now, id, &effects, &field_at, outcome);
            }
            Purpose::Stamp => self.stamp_answered(id, outcome),
            Purpose::Wanted { alias } => self.wanted_answered(now, id, &alias, outcome),
            Purpose::Page { .. } | Purpose::Deals { .. } => {}
        }
    }

    fn unknown(&mut self, now: Now, id: JobId) {
        let others_answered = self.answers_ok;
        let max = self.config.attempts_max;
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let attempts = job.attempts + 1;
        let counted = others_answered > job.answers_before && attempts >= max;
        if counted || attempts >= max.saturating_mul(ATTEMPTS_CEILING) {
            job.attempts = attempts;
            self.give_up(
                id,
                codes::CRM_GAVE_UP,
                "no usable answer after all attempts",
            );
            return;
        }
        let least_ms = self.look_before_repeating(id);
        self.delay_unknown(now, id, least_ms);
    }

    /// Counts an attempt whose outcome is unknown, and puts the job back after a backoff of `least_ms` at least.
    pub(super) fn delay_unknown(&mut self, now: Now, id: JobId, least_ms: u64) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        job.attempts += 1;
        let (base, cap) = match job.lane {
            Lane::Op => RETRY_OP_MS,
            Lane::En => RETRY_EN_MS,
        };
        let wait = backoff_ms(&mut self.seed, job.attempts, base, cap);
        self.delay(now, id, wait.max(least_ms));
    }

    /// Ends a job whose effects can't be written: they become dead letters.
    pub(super) fn give_up(&mut self, id: JobId, code: Code, cause: &str) {
        let Some(job) = self.finish_job(id) else {
            return;
        };
        let attempts = job.attempts.max(1);
        match job.purpose {
            Purpose::Write { effects, .. } => {
                for effect in effects {
                    self.dead_effect(effect, code, cause, attempts);
                }
            }
            Purpose::Lookup { by, .. } | Purpose::CreateContact { by, .. } => {
                if let Purpose::CreateContact {
                    effect: Some(effect),
                    ..
                } = job.purpose
                {
                    self.set_stage(effect, Stage::Pending);
                }
                self.set_resolution(&job.contact, Resolution::Unresolved);
                // What the contact was wanted for can't be written; the next event tries again.
                match self.first_open(by) {
                    Some(effect) => self.dead_effect(effect, code, cause, attempts),
                    None => {
                        self.changed.insert(job.contact);
                    }
                }
            }
            Purpose::Wanted { alias } => self.wanted.given_up(&alias),
            Purpose::Stamp | Purpose::Page { .. } | Purpose::Deals { .. } => {}
        }
    }
}
