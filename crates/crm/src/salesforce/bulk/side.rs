//! The bulk side of Salesforce as the dispatcher knows it: its steps in terms of this module.
//!
//! | Salesforce's trouble | for the dispatcher |
//! | --- | --- |
//! | not executed, with what it says about the account | the same |
//! | the interface is closed to the user (403) when a job is made | refused: the account's other requests go on |
//! | the records of 24 hours are used up | refused |
//! | unknown | the same; the CRM is failing |

use callflume_core::bulk::{Bulk, BulkAnswer, BulkAsk, BulkState, BulkStep};
use callflume_core::effect::Object;
use callflume_core::vendor::{
    AccountSignal, Answer, HttpRequest, Item, ItemOutcome, Operation, Verb,
};

use super::{Job, JobState, Trouble};
use crate::salesforce::Salesforce;
use crate::salesforce::build::lack;

/// From so many pending records on a job: what the vendor advises, and about where its seven or eight requests are fewer than
/// those of 200 records each.
const ROWS_MIN: usize = 2_000;
/// Most rows of a job. Salesforce takes millions; but the manifest of so many, 725 kB at most, must fit the broker's largest
/// message (1 MiB).
const ROWS_MAX: usize = 5_000;

impl Bulk for Salesforce {
    fn is_possible(&self, verb: Verb, _object: Object) -> bool {
        super::is_possible(verb)
    }

    fn fits(&self, operation: &Operation) -> bool {
        let mut items = operation.items.iter();
        items.all(|item| lack(&self.settings, operation, item).is_none())
    }

    fn rows_min(&self) -> usize {
        ROWS_MIN
    }

    fn rows_max(&self) -> usize {
        ROWS_MAX
    }

    /// Of a verb that can't be a job, which is never asked for, a question for the limits.
    fn request(&self, ask: &BulkAsk<'_>) -> HttpRequest {
        let settings = &self.settings;
        let limits = || crate::salesforce::build::limits(settings);
        match *ask {
            BulkAsk::Create(operation) => super::create(settings, operation).unwrap_or_else(limits),
            BulkAsk::Upload(job, operation) => super::table(settings, operation)
                .map_or_else(limits, |table| super::upload(settings, job, table)),
            BulkAsk::Close(job) => super::close(settings, job),
            BulkAsk::Abort(job) => super::abort(settings, job),
            BulkAsk::Poll(job) => super::poll(settings, job),
            BulkAsk::Results(job, part) => super::results(settings, job, part),
        }
    }

    fn interpret(&self, step: BulkStep, answer: &Answer) -> (AccountSignal, BulkAnswer) {
        let settings = &self.settings;
        let said = match step {
            BulkStep::Create | BulkStep::Close | BulkStep::Abort | BulkStep::Poll => {
                super::job(settings, answer).map(shown)
            }
            BulkStep::Upload => super::uploaded(settings, answer).map(|()| BulkAnswer::Uploaded),
            BulkStep::Results(_) => {
                super::downloaded(settings, answer).map(|table| BulkAnswer::Table(table.to_vec()))
            }
        };
        let fine = |said| (AccountSignal::Fine, said);
        match said {
            Ok(said) => fine(said),
            Err(Trouble::NotExecuted(AccountSignal::ScopeMissing)) if step == BulkStep::Create => {
                fine(BulkAnswer::Refused("the user may not make one".to_owned()))
            }
            Err(Trouble::NotExecuted(signal)) => (signal, BulkAnswer::NotExecuted),
            Err(Trouble::Quota) => fine(BulkAnswer::Refused(
                "the records of 24 hours are used up".to_owned(),
            )),
            Err(Trouble::Unknown) => (AccountSignal::Failing, BulkAnswer::Unknown),
            Err(Trouble::Gone) => fine(BulkAnswer::Gone),
            Err(Trouble::Refused(reason)) => fine(BulkAnswer::Refused(reason)),
        }
    }

    fn outcomes(&self, operation: &Operation, results: [&[u8]; 3]) -> Option<Vec<ItemOutcome>> {
        let items: Vec<&Item> = operation.items.iter().collect();
        let told = super::told(&self.settings, operation, &items, results).ok()?;
        Some(operation.items.iter().map(told).collect())
    }
}

fn shown(job: Job) -> BulkAnswer {
    BulkAnswer::Job {
        id: job.id,
        state: match job.state {
            JobState::Open => BulkState::Open,
            JobState::UploadComplete | JobState::InProgress => BulkState::Working,
            JobState::JobComplete => BulkState::Complete,
            JobState::Failed | JobState::Aborted => BulkState::Broken,
        },
        processed: job.processed,
        failed: job.failed,
    }
}
