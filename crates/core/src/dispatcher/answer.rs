//! Answers to outcomes: what each answer means for the account and for the jobs it carried.
//!
//! | outcome | effect | look-up | creation of a contact |
//! | --- | --- | --- | --- |
//! | done | end recorded | – | contact known, its effect recorded |
//! | matches | – | contact known, or next step | – |
//! | not executed | again, no attempt | again | again |
//! | unknown | again after backoff, an attempt if the CRM answered others meanwhile | same | same |
//! | conflict | `create`: done; `upsert`: becomes an update | – | update the existing one, or look up by e-mail |
//! | gone | contact: forget and resolve once more; call: create, or wait for it | next step | look up again |
//! | refused | dead letter | dead letters of what waits for the contact | same |
//! | split | each alone | each alone | each alone |

use std::collections::BTreeMap;

use super::state::{EffectRef, JobId, Purpose, Resolution, Stage, Step};
use super::{ContactWrite, Dispatcher, Output, RequestId};
use crate::codes::{self, Code};
use crate::effect::{Object, Write};
use crate::event::{ContactRef, Phone};
use crate::lane::Lane;
use crate::quota::Settlement;
use crate::record::{ContactRecord, EffectState, SCHEMA};
use crate::seed::backoff_ms;
use crate::time::{Now, WallTime};
use crate::vendor::{AccountSignal, Answer, Found, ItemOutcome, Verb};

/// First and longest wait of one job after an unknown outcome, milliseconds, per lane.
const RETRY_OP_MS: (u64, u64) = (200, 10_000);
const RETRY_EN_MS: (u64, u64) = (1_000, 60_000);
/// Pause of a failing account: from its third failure in a row, milliseconds.
const FAILING_MS: (u64, u64) = (500, 30_000);
/// Pause of an account whose credential is refused, until it is tried again, milliseconds.
const TROUBLE_MS: (u64, u64) = (5_000, 300_000);
/// Pause when a CRM throttles without saying which window, milliseconds.
const THROTTLED_MS: u64 = 1_000;
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
        self.quota.settle(now, sent.permit, settlement);
        let meaning = self.vendor.interpret(&sent.operation, answer);
        let again_ms = self.account_signal(now, &meaning.account);
        if sent.operation.verb == Verb::List {
            if let (Some(id), Some(outcome)) = (sent.jobs.first(), meaning.items.first()) {
                self.page(now, *id, outcome, meaning.next_page, again_ms);
            }
            return;
        }
        // In reverse, so that what goes back to the front of its pool keeps its order.
        for (id, outcome) in sent.jobs.iter().zip(&meaning.items).rev() {
            self.outcome(now, *id, outcome, again_ms);
        }
    }

    /// What the answer means for the account; answers how long an item that was not executed waits.
    fn account_signal(&mut self, now: Now, signal: &AccountSignal) -> u64 {
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
                let hint = wait_ms.map(|wait| now.tick.plus_ms(wait.min(HINT_MAX_MS)));
                let own = self
                    .quota
                    .oldest_leaves(window, now.tick)
                    .max(now.tick.plus_ms(THROTTLED_MS));
                self.quota.pause_window(window, hint.unwrap_or(own));
                0
            }
            AccountSignal::DayExhausted => {
                self.counters.throttled += 1;
                self.quota.pause(self.quota.next_midnight(now));
                self.alert(
                    codes::CRM_DAY_EXHAUSTED,
                    "the CRM says the day's quota is used up; paused until its midnight",
                );
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
                    self.quota.pause(now.tick.plus_ms(wait));
                }
                0
            }
            AccountSignal::Busy { wait_ms } => {
                let wait_ms = (*wait_ms).min(HINT_MAX_MS);
                if wait_ms >= 10_000 {
                    self.quota.pause(now.tick.plus_ms(wait_ms));
                }
                wait_ms
            }
        }
    }

    fn trouble_pause(&mut self, now: Now, code: Code, text: &str) {
        // Requests in flight at the same time report the same trouble: one pause, one alert.
        if self.quota.paused_for_ms(now.tick) == 0 {
            self.trouble = self.trouble.saturating_add(1);
            let doublings = (self.trouble - 1).min(10);
            self.quota.pause(
                now.tick
                    .plus_ms((TROUBLE_MS.0 << doublings).min(TROUBLE_MS.1)),
            );
            self.alert(code, text);
        }
    }

    fn alert(&mut self, code: Code, text: &str) {
        self.outputs.push_back(Output::Alert {
            code,
            text: text.to_owned(),
        });
    }

    fn outcome(&mut self, now: Now, id: JobId, outcome: &ItemOutcome, again_ms: u64) {
        match outcome {
            ItemOutcome::NotExecuted => return self.delay(now, id, again_ms),
            ItemOutcome::Split => {
                if let Some(job) = self.jobs.get_mut(&id) {
                    job.solo = true;
                }
                return self.requeue(id);
            }
            ItemOutcome::Unknown => return self.unknown(now, id),
            _ => {}
        }
        let Some(purpose) = self.jobs.get(&id).map(|job| job.purpose.clone()) else {
            return;
        };
        match purpose {
            Purpose::Lookup { step, by } => self.looked_up(now, id, step, by, outcome),
            Purpose::CreateContact {
                by,
                effect,
                field_at,
            } => self.created_contact(now, id, by, effect, &field_at, outcome),
            Purpose::Write { effects, field_at } => {
                self.wrote(now, id, &effects, &field_at, outcome)
            }
            Purpose::Stamp => self.stamped(now, id, outcome),
            Purpose::Page { .. } => {}
        }
    }

    fn unknown(&mut self, now: Now, id: JobId) {
        let others_answered = self.answers_ok;
        let max = self.config.attempts_max;
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        job.attempts += 1;
        let counted = others_answered > job.answers_before && job.attempts >= max;
        let attempts = job.attempts;
        let (base, cap) = if job.lane == Lane::Op {
            RETRY_OP_MS
        } else {
            RETRY_EN_MS
        };
        if counted || attempts >= max.saturating_mul(ATTEMPTS_CEILING) {
            self.give_up(
                now,
                id,
                codes::CRM_GAVE_UP,
                "no usable answer after all attempts",
            );
            return;
        }
        let wait = backoff_ms(&mut self.seed, attempts, base, cap);
        self.delay(now, id, wait);
    }

    /// Ends a job whose effects can't be written: they become dead letters.
    fn give_up(&mut self, now: Now, id: JobId, code: Code, cause: &str) {
        let Some(job) = self.finish_job(now, id) else {
            return;
        };
        match job.purpose {
            Purpose::Write { effects, .. } => {
                for effect in effects {
                    self.dead_effect(effect, code, cause, job.attempts.max(1));
                }
            }
            Purpose::Lookup { by, .. } | Purpose::CreateContact { by, .. } => {
                self.set_resolution(&job.contact, Resolution::Unresolved);
                // What the contact was wanted for can't be written; the next event tries again.
                let index = self.lane(by.0).events.get(&by.1).and_then(|state| {
                    state
                        .effects
                        .iter()
                        .position(|work| work.stage != Stage::Ended)
                });
                match index {
                    Some(index) => {
                        self.dead_effect((by.0, by.1, index), code, cause, job.attempts.max(1))
                    }
                    None => self.advance(now, &job.contact),
                }
            }
            Purpose::Stamp | Purpose::Page { .. } => {}
        }
    }

    fn looked_up(
        &mut self,
        now: Now,
        id: JobId,
        step: Step,
        by: (Lane, u64),
        outcome: &ItemOutcome,
    ) {
        let contact = self
            .jobs
            .get(&id)
            .map(|job| job.contact.clone())
            .unwrap_or_default();
        match outcome {
            ItemOutcome::Matches(found) if !found.is_empty() => {
                self.finish_job(now, id);
                if let Some(best) = choose(found, &contact) {
                    self.know(now, &contact, by, best);
                }
            }
            ItemOutcome::Matches(_) | ItemOutcome::Gone => {
                let lane = self.jobs.get(&id).map_or(by.0, |job| job.lane);
                self.finish_job(now, id);
                let next = match step {
                    Step::Key => Step::Email,
                    Step::Email | Step::Phone => Step::Phone,
                };
                if step == Step::Phone {
                    self.set_resolution(&contact, Resolution::Absent);
                    self.advance(now, &contact);
                } else {
                    self.look_up_after(now, lane, &contact, by, step, next);
                }
            }
            ItemOutcome::Refused { code, reason } => self.give_up(now, id, *code, reason),
            _ => self.give_up(
                now,
                id,
                codes::CRM_MALFORMED,
                "a look-up was answered as if it were a write",
            ),
        }
    }

    fn look_up_after(
        &mut self,
        now: Now,
        lane: Lane,
        contact: &str,
        by: (Lane, u64),
        done: Step,
        next: Step,
    ) {
        let has_phone = self
            .lane(by.0)
            .events
            .get(&by.1)
            .and_then(|state| state.event.as_ref())
            .is_some_and(|event| event.contact.phone().is_some());
        if done == Step::Email && !has_phone {
            self.set_resolution(contact, Resolution::Absent);
            self.advance(now, contact);
        } else {
            self.look_up(now, lane, contact, by, next);
        }
    }

    /// A contact was found: remember it, stamp it if it lacks our key, go on.
    fn know(&mut self, now: Now, contact: &str, by: (Lane, u64), found: &Found) {
        let aliases = self.aliases_of(by);
        let record = match self.cache.by_id(&found.crm_id) {
            Some(known) => known.clone(),
            None => ContactRecord {
                schema: SCHEMA,
                crm_id: found.crm_id.clone(),
                own_key: found.own_key.clone(),
                ..ContactRecord::default()
            },
        };
        self.cache.insert(record.clone(), &aliases);
        self.set_resolution(contact, Resolution::Known(found.crm_id.clone()));
        self.record_cache(vec![ContactWrite {
            record,
            aliases,
            only_if_absent: true,
        }]);
        self.stamp_if_needed(now, contact, &found.crm_id);
        self.advance(now, contact);
    }

    fn created_contact(
        &mut self,
        now: Now,
        id: JobId,
        by: (Lane, u64),
        effect: Option<EffectRef>,
        field_at: &BTreeMap<String, WallTime>,
        outcome: &ItemOutcome,
    ) {
        let contact = self
            .jobs
            .get(&id)
            .map(|job| job.contact.clone())
            .unwrap_or_default();
        match outcome {
            ItemOutcome::Done { crm_id } => {
                self.finish_job(now, id);
                let aliases = self.aliases_of(by);
                let record = ContactRecord {
                    schema: SCHEMA,
                    crm_id: crm_id.clone(),
                    own_key: Some(contact.clone()),
                    field_at: field_at.clone(),
                    ..ContactRecord::default()
                };
                self.cache.insert(record.clone(), &aliases);
                self.set_resolution(&contact, Resolution::Known(crm_id.clone()));
                let write = ContactWrite {
                    record,
                    aliases,
                    only_if_absent: false,
                };
                match effect {
                    Some(effect) => self.record_ends(
                        vec![(effect, EffectState::Done)],
                        Some(crm_id.clone()),
                        vec![write],
                        &contact,
                    ),
                    None => self.record_cache(vec![write]),
                }
                self.advance(now, &contact);
            }
            ItemOutcome::Conflict { existing } => {
                self.finish_job(now, id);
                if let Some(effect) = effect {
                    self.set_stage(effect, Stage::Pending);
                }
                match existing {
                    Some(crm_id) => self.know(
                        now,
                        &contact,
                        by,
                        &Found {
                            crm_id: crm_id.clone(),
                            ..Found::default()
                        },
                    ),
                    None if self.has_email(by) => {
                        self.look_up(now, by.0, &contact, by, Step::Email)
                    }
                    None => {
                        self.set_resolution(&contact, Resolution::Unresolved);
                        if let Some(effect) = effect.or_else(|| self.first_open(by)) {
                            self.dead_effect(
                                effect,
                                codes::CRM_CONFLICT,
                                "the CRM reports a conflict without naming the record",
                                1,
                            );
                        }
                    }
                }
            }
            ItemOutcome::Refused { code, reason } => {
                let (code, reason) = (*code, reason.clone());
                self.finish_job(now, id);
                self.set_resolution(&contact, Resolution::Unresolved);
                if let Some(effect) = effect.or_else(|| self.first_open(by)) {
                    self.dead_effect(effect, code, &reason, 1);
                }
            }
            _ => {
                if let Some(effect) = effect {
                    self.set_stage(effect, Stage::Pending);
                }
                self.give_up(
                    now,
                    id,
                    codes::CRM_MALFORMED,
                    "the creation of a contact was answered as something else",
                );
            }
        }
    }

    fn first_open(&mut self, (lane, seq): (Lane, u64)) -> Option<EffectRef> {
        let index = self
            .lane(lane)
            .events
            .get(&seq)?
            .effects
            .iter()
            .position(|work| work.stage != Stage::Ended)?;
        Some((lane, seq, index))
    }

    fn wrote(
        &mut self,
        now: Now,
        id: JobId,
        effects: &[EffectRef],
        field_at: &BTreeMap<String, WallTime>,
        outcome: &ItemOutcome,
    ) {
        let Some(job) = self.jobs.get(&id) else {
            return;
        };
        let (contact, verb, object, key) = (
            job.contact.clone(),
            job.verb,
            job.object,
            job.item.key.clone(),
        );
        let stamp = job.item.stamp;
        match outcome {
            ItemOutcome::Done { crm_id } => {
                self.write_done(now, id, effects, field_at, Some(crm_id.clone()), stamp)
            }
            ItemOutcome::Conflict { existing } if verb == Verb::Create => {
                let upsert = effects
                    .first()
                    .is_some_and(|at| self.write_of(*at) == Some(Write::Upsert));
                if upsert {
                    // It is there already, from an earlier event of the same record: bring it up to date.
                    self.existing.insert((object, key));
                    self.finish_job(now, id);
                    for at in effects {
                        self.work(*at, |work| {
                            work.update = true;
                            work.stage = Stage::Pending;
                        });
                    }
                    self.advance(now, &contact);
                } else {
                    self.write_done(now, id, effects, field_at, existing.clone(), false);
                }
            }
            ItemOutcome::Gone => self.gone(now, id, effects),
            ItemOutcome::Refused { code, reason } => self.give_up(now, id, *code, reason),
            ItemOutcome::Conflict { .. } => self.give_up(
                now,
                id,
                codes::CRM_CONFLICT,
                "another record in the CRM has this value already",
            ),
            _ => self.give_up(
                now,
                id,
                codes::CRM_MALFORMED,
                "a write was answered as if it were a look-up",
            ),
        }
    }

    fn write_of(&mut self, (lane, seq, index): EffectRef) -> Option<Write> {
        Some(
            self.lane(lane)
                .events
                .get(&seq)?
                .effects
                .get(index)?
                .effect
                .write,
        )
    }

    fn write_done(
        &mut self,
        now: Now,
        id: JobId,
        effects: &[EffectRef],
        field_at: &BTreeMap<String, WallTime>,
        crm_id: Option<String>,
        stamp: bool,
    ) {
        let Some(job) = self.finish_job(now, id) else {
            return;
        };
        let mut writes = Vec::new();
        if job.object == Object::Contact {
            if let Some(mut record) = crm_id.as_ref().and_then(|id| self.cache.by_id(id)).cloned() {
                for (field, at) in field_at {
                    let held = record.field_at.entry(field.clone()).or_insert(*at);
                    *held = (*held).max(*at);
                }
                if stamp {
                    record.own_key = Some(job.contact.clone());
                }
                let aliases = effects
                    .first()
                    .map(|(lane, seq, _)| self.aliases_of((*lane, *seq)))
                    .unwrap_or_default();
                self.cache.insert(record.clone(), &aliases);
                writes.push(ContactWrite {
                    record,
                    aliases,
                    only_if_absent: false,
                });
            }
        } else {
            self.existing.insert((job.object, job.item.key.clone()));
        }
        let last = effects.len().saturating_sub(1);
        let ends = effects
            .iter()
            .enumerate()
            .map(|(place, at)| {
                (
                    *at,
                    if place == last {
                        EffectState::Done
                    } else {
                        EffectState::Merged
                    },
                )
            })
            .collect();
        self.record_ends(ends, crm_id, writes, &job.contact);
    }

    /// The record to write to, or to link to, isn't there.
    fn gone(&mut self, now: Now, id: JobId, effects: &[EffectRef]) {
        let Some(mut job) = self.jobs.remove(&id) else {
            return;
        };
        let first = effects.first().copied();
        let write = first.and_then(|at| self.write_of(at));
        if job.verb == Verb::UpdateByKey {
            if write == Some(Write::Update) {
                // The event that creates the record has not been written yet.
                match self.wait_for_record(now, &mut job) {
                    Some(wait_ms) => {
                        self.jobs.insert(id, job);
                        self.delay(now, id, wait_ms);
                    }
                    None => {
                        self.jobs.insert(id, job);
                        self.give_up(
                            now,
                            id,
                            codes::CRM_RECORD_GONE,
                            "the record to update did not appear",
                        );
                    }
                }
                return;
            }
            // Deleted in the CRM, or never there: create it.
            self.existing.remove(&(job.object, job.item.key.clone()));
        }
        let mut again = true;
        for at in effects {
            self.work(*at, |work| {
                again &= !work.gone_once;
                work.gone_once = true;
                work.update = false;
            });
        }
        let contact = job.contact.clone();
        let crm_id = job.item.crm_id.clone().or_else(|| job.item.contact.clone());
        self.jobs.insert(id, job);
        if !again {
            return self.give_up(
                now,
                id,
                codes::CRM_RECORD_GONE,
                "the record was gone again after it was looked up anew",
            );
        }
        if let Some(crm_id) = crm_id {
            self.cache.forget(&crm_id);
        }
        self.set_resolution(&contact, Resolution::Unresolved);
        for at in effects {
            self.set_stage(*at, Stage::Pending);
        }
        self.finish_job(now, id);
        self.advance(now, &contact);
    }

    fn stamped(&mut self, now: Now, id: JobId, outcome: &ItemOutcome) {
        let Some(job) = self.finish_job(now, id) else {
            return;
        };
        if let (ItemOutcome::Done { .. }, Some(crm_id)) = (outcome, job.item.crm_id)
            && let Some(mut record) = self.cache.by_id(&crm_id).cloned()
        {
            record.own_key = Some(job.contact);
            self.cache.insert(record.clone(), &[]);
            self.record_cache(vec![ContactWrite {
                record,
                aliases: Vec::new(),
                only_if_absent: false,
            }]);
        }
    }

    /// A page of all contacts for the cache.
    fn page(
        &mut self,
        now: Now,
        id: JobId,
        outcome: &ItemOutcome,
        next: Option<String>,
        again_ms: u64,
    ) {
        match outcome {
            ItemOutcome::Matches(found) => {
                self.finish_job(now, id);
                self.counters.warmed += found.len() as u64;
                let country = self.config.default_country.clone();
                let writes: Vec<ContactWrite> = found
                    .iter()
                    .filter_map(|found| warm_write(found, country.as_deref()))
                    .collect();
                for write in &writes {
                    if self.cache.by_id(&write.record.crm_id).is_none() {
                        self.cache.insert(write.record.clone(), &write.aliases);
                    }
                }
                if !writes.is_empty() {
                    self.record_cache(writes);
                }
                match next {
                    Some(after) => {
                        let purpose = Purpose::Page { after: Some(after) };
                        self.enqueue(
                            now,
                            Lane::En,
                            Verb::List,
                            Object::Contact,
                            crate::vendor::Item::default(),
                            "",
                            purpose,
                            None,
                        );
                    }
                    None => self.counters.warming = 0,
                }
            }
            ItemOutcome::NotExecuted => self.delay(now, id, again_ms),
            ItemOutcome::Unknown => {
                let attempts = self.jobs.get_mut(&id).map_or(0, |job| {
                    job.attempts += 1;
                    job.attempts
                });
                let wait = backoff_ms(&mut self.seed, attempts, RETRY_EN_MS.0, RETRY_EN_MS.1);
                self.delay(now, id, wait);
            }
            _ => {
                self.finish_job(now, id);
                self.counters.warming = 0;
                self.alert(
                    codes::CRM_MALFORMED,
                    "the CRM refused to list its contacts; the cache stays as it is",
                );
            }
        }
    }

    fn aliases_of(&mut self, (lane, seq): (Lane, u64)) -> Vec<String> {
        self.lane(lane)
            .events
            .get(&seq)
            .and_then(|state| state.event.as_ref())
            .map(|event| event.contact.aliases())
            .unwrap_or_default()
    }

    fn has_email(&mut self, (lane, seq): (Lane, u64)) -> bool {
        self.lane(lane)
            .events
            .get(&seq)
            .and_then(|state| state.event.as_ref())
            .is_some_and(|event| event.contact.email().is_some())
    }
}

/// The one that carries our key, else the oldest (lowest id): always the same, whoever asks.
fn choose<'a>(found: &'a [Found], own_key: &str) -> Option<&'a Found> {
    found
        .iter()
        .find(|found| found.own_key.as_deref() == Some(own_key))
        .or_else(|| {
            found
                .iter()
                .min_by_key(|found| (found.crm_id.len(), found.crm_id.clone()))
        })
}

/// A contact of a page as cache entry; `None` when nothing on it can be an alias.
fn warm_write(found: &Found, country: Option<&str>) -> Option<ContactWrite> {
    let mut aliases: Vec<String> = found
        .phones
        .iter()
        .filter_map(|typed| Phone::typed(typed, country))
        .map(|p| ContactRef::phone_alias(&p))
        .collect();
    if let Some(email) = found
        .email
        .as_deref()
        .filter(|email| !email.trim().is_empty())
    {
        aliases.push(ContactRef::email_alias(email));
    }
    if let Some(key) = &found.own_key {
        aliases.push(key.clone());
    }
    aliases.sort_unstable();
    aliases.dedup();
    if aliases.is_empty() {
        return None;
    }
    let record = ContactRecord {
        schema: SCHEMA,
        crm_id: found.crm_id.clone(),
        own_key: found.own_key.clone(),
        ..ContactRecord::default()
    };
    Some(ContactWrite {
        record,
        aliases,
        only_if_absent: true,
    })
}
