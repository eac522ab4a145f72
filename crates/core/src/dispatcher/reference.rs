//! Reading owners, pipelines and stages from the CRM, page by page.
//!
//! Data is read when a name needs it (`names`) and it is not there, older than a day, or doesn't know the name; and on
//! order. One request at a time, as enrichment, or as operational while an operational event waits.
//!
//! Invariants: unless it is ordered, a reading begins an hour after the last one at the earliest. A reading that fails
//! costs no attempt of any effect, and what waits for it goes on without it.

use super::answer::{RETRY_EN_MS, RETRY_OP_MS};
use super::send::Tried;
use super::state::{Errand, EventRef, Sent};
use super::{Dispatcher, Output};
use crate::codes;
use crate::lane::Lane;
use crate::quota::Settlement;
use crate::reference::{OWNERS, PIPELINES, Page, PageOutcome, ReferenceRecord, STAGES};
use crate::seed::backoff_ms;
use crate::time::{Now, Tick, WallTime};
use crate::vendor::{AccountSignal, Answer};

/// Data older than this is read again before a name is looked up in it, milliseconds.
pub(super) const STALE_MS: u64 = 24 * 3_600_000;
/// A reading begins this long after the last one at the earliest, milliseconds; an unknown owner is told as seldom.
pub(super) const AGAIN_MS: u64 = 3_600_000;
/// So often a page may fail while the CRM answers others, and so often in any case.
const ATTEMPTS: (u32, u32) = (5, 20);

/// What is known, and the reading that is under way.
#[derive(Debug, Default)]
pub(super) struct Reference {
    pub(super) record: Option<ReferenceRecord>,
    pub(super) reading: Option<Reading>,
    /// When the last reading ended.
    pub(super) ended_at: Option<Tick>,
    /// Events that wait for the reading.
    pub(super) waiting: Vec<EventRef>,
    /// Whether it is told that something can't be read.
    lacking_told: bool,
    /// When an unknown owner was told, until a known one came an hour later.
    pub(super) unknown_told_at: Option<Tick>,
}

impl Reference {
    /// What the predecessor knew.
    pub(super) fn known(record: Option<ReferenceRecord>) -> Self {
        Self {
            record,
            ..Self::default()
        }
    }

    /// Milliseconds since the data was read; none without data.
    pub(super) fn age_ms(&self, now: WallTime) -> Option<u64> {
        let read_at = self.record.as_ref()?.read_at;
        Some(u64::try_from(now.0.saturating_sub(read_at.0)).unwrap_or(0))
    }
}

#[derive(Debug)]
pub(super) struct Reading {
    page: Page,
    record: ReferenceRecord,
    lane: Lane,
    not_before: Tick,
    attempts: u32,
    /// Good answers of the account when the page came up.
    answers_before: u64,
    in_air: bool,
    /// What the CRM doesn't give.
    refused: Vec<&'static str>,
}

impl Dispatcher {
    /// Starts a reading unless one is under way.
    pub(super) fn read_reference(&mut self, now: Now, lane: Lane) {
        if let Some(reading) = &mut self.reference.reading {
            if lane == Lane::Op {
                reading.lane = lane;
            }
            return;
        }
        let vendor = self.vendor.clone();
        if let Some(references) = vendor.references() {
            self.reference.reading = Some(Reading {
                page: references.first(),
                record: ReferenceRecord::default(),
                lane,
                not_before: now.tick,
                attempts: 0,
                answers_before: self.answers_ok,
                in_air: false,
                refused: Vec::new(),
            });
        }
    }

    /// The same, unless the data is younger than an hour.
    pub(super) fn warm_reference(&mut self, now: Now) {
        let age_ms = self.reference.age_ms(now.wall);
        if age_ms.is_none_or(|age_ms| age_ms >= AGAIN_MS) {
            self.read_reference(now, Lane::En);
        }
    }

    /// Sends the next page if it is this lane's turn and a permit stands.
    pub(super) fn try_reference(&mut self, now: Now, lane: Lane) -> Tried {
        let Some(reading) = &self.reference.reading else {
            return Tried::Nothing;
        };
        if reading.lane != lane || reading.in_air {
            return Tried::Nothing;
        }
        let (not_before, page) = (reading.not_before, reading.page.clone());
        if not_before > now.tick {
            self.wake_at(not_before);
            return Tried::Nothing;
        }
        let vendor = self.vendor.clone();
        let Some(references) = vendor.references() else {
            return Tried::Nothing;
        };
        let permit = match self.permit(now, lane, references.charges(&page)) {
            Ok(permit) => permit,
            Err(tried) => return tried,
        };
        if let Some(reading) = &mut self.reference.reading {
            reading.in_air = true;
        }
        self.send_errand(
            now,
            lane,
            Errand::Reference,
            references.request(&page),
            permit,
        );
        Tried::Sent
    }

    pub(super) fn reference_answered(
        &mut self,
        now: Now,
        sent: &Sent,
        answer: &Answer,
        settlement: Settlement,
    ) {
        let vendor = self.vendor.clone();
        let (Some(references), Some(reading)) =
            (vendor.references(), self.reference.reading.as_mut())
        else {
            self.limiter.settle(now, sent.permit, settlement);
            return;
        };
        reading.in_air = false;
        if let Answer::Response { headers, .. } = answer {
            let observed = references.observe(&reading.page, headers);
            if !observed.is_empty() {
                self.limiter.observe(now, sent.permit, &observed);
            }
        }
        let meaning = references.interpret(&reading.page, answer);
        let again_ms = self.account_signal(now, sent.permit, &meaning.account);
        self.limiter.settle(now, sent.permit, settlement);
        match meaning.outcome {
            PageOutcome::Read { piece, next } => {
                if let Some(reading) = &mut self.reference.reading {
                    reading.record.add(piece);
                }
                self.page_of_reference(now, next);
            }
            PageOutcome::Refused { next } => {
                if let Some(reading) = &mut self.reference.reading {
                    reading.refused.push(reading.page.what);
                }
                self.page_of_reference(now, next);
            }
            PageOutcome::NotExecuted => {
                let failed = meaning.account == AccountSignal::Failing;
                self.reference_again(now, failed, again_ms);
            }
        }
    }

    /// The page was not executed for a reason of the credential's: it is asked for again, without an attempt.
    pub(super) fn reference_not_executed(&mut self, now: Now) {
        if let Some(reading) = &mut self.reference.reading {
            reading.in_air = false;
        }
        self.reference_again(now, false, 0);
    }

    fn page_of_reference(&mut self, now: Now, next: Option<Page>) {
        let answers_ok = self.answers_ok;
        let Some(reading) = &mut self.reference.reading else {
            return;
        };
        match next {
            Some(page) => {
                reading.page = page;
                reading.attempts = 0;
                reading.answers_before = answers_ok;
            }
            None => self.reference_read(now),
        }
    }

    fn reference_again(&mut self, now: Now, failed: bool, again_ms: u64) {
        let answers_ok = self.answers_ok;
        let Some(reading) = &mut self.reference.reading else {
            return;
        };
        if !failed {
            reading.not_before = now.tick.plus_ms(again_ms);
            return;
        }
        reading.attempts += 1;
        let others = answers_ok > reading.answers_before;
        if reading.attempts >= ATTEMPTS.1 || (others && reading.attempts >= ATTEMPTS.0) {
            let what = reading.page.what;
            self.reference.reading = None;
            self.reference_ended(now, &[what]);
            return;
        }
        let (base, cap) = match reading.lane {
            Lane::Op => RETRY_OP_MS,
            Lane::En => RETRY_EN_MS,
        };
        let wait_ms = backoff_ms(&mut self.seed, reading.attempts, base, cap);
        reading.not_before = now.tick.plus_ms(wait_ms.max(again_ms));
    }

    /// Every page was read or refused.
    fn reference_read(&mut self, now: Now) {
        let Some(reading) = self.reference.reading.take() else {
            return;
        };
        let mut record = reading.record;
        record.schema = crate::record::SCHEMA;
        record.read_at = now.wall;
        if let Some(old) = self.reference.record.take() {
            // What the CRM gave once and doesn't give today is better than nothing.
            if reading.refused.contains(&OWNERS) {
                record.owners = old.owners;
            }
            if reading.refused.contains(&PIPELINES) || reading.refused.contains(&STAGES) {
                record.pipelines = old.pipelines;
            }
        }
        self.outputs
            .push_back(Output::SaveReference(Box::new(record.clone())));
        self.reference.record = Some(record);
        self.reference_ended(now, &reading.refused);
    }

    /// A reading is over, whatever came of it: tells what could not be read, and lets go on what waited.
    fn reference_ended(&mut self, now: Now, lacking: &[&str]) {
        self.reference.ended_at = Some(now.tick);
        let told = std::mem::replace(&mut self.reference.lacking_told, !lacking.is_empty());
        if lacking.is_empty() {
            if told {
                self.outputs.push_back(Output::AlertOver {
                    code: codes::CRM_REFERENCE,
                });
            }
        } else {
            let text = format!(
                "the CRM's {} could not be read; names of them are not understood until they can",
                lacking.join(", ")
            );
            self.alert(codes::CRM_REFERENCE, &text);
        }
        let vendor = self.vendor.clone();
        for (lane, seq) in std::mem::take(&mut self.reference.waiting) {
            let Some(state) = self.lane(lane).events.get_mut(&seq) else {
                continue;
            };
            state.loaded = true;
            let contact = state.contact.clone();
            if let Some(references) = vendor.references() {
                self.put_ids(now, (lane, seq), references);
            }
            self.bulk_loaded(lane, seq);
            self.changed.insert(contact);
        }
    }
}
