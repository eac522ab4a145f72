//! The small CRM's bulk side: jobs that take 1 s and 10 ms per row, results as tables of row numbers.

use callflume_core::bulk::{Bulk, BulkAnswer, BulkAsk, BulkState, BulkStep, Part};
use callflume_core::effect::Object;
use callflume_core::vendor::{
    AccountSignal, Answer, Content, HttpRequest, ItemOutcome, Method, Operation, Verb,
};

use crate::crm::{Crm, FakeVendor, lock, response};

/// A job is worth its requests from so many records on, and takes so many.
pub(crate) const ROWS_MIN: usize = 20;
pub(crate) const ROWS_MAX: usize = 50;
/// A person with this in a text makes no row.
pub(crate) const NO_ROW: &str = "no row";

/// A step as it travels.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum OwnAsk {
    Create(Verb, Object),
    Upload(String, Operation),
    Close(String),
    Abort(String),
    Poll(String),
    Results(String, Part),
}

impl OwnAsk {
    pub(crate) fn step(&self) -> BulkStep {
        match self {
            Self::Create(..) => BulkStep::Create,
            Self::Upload(..) => BulkStep::Upload,
            Self::Close(_) => BulkStep::Close,
            Self::Abort(_) => BulkStep::Abort,
            Self::Poll(_) => BulkStep::Poll,
            Self::Results(_, part) => BulkStep::Results(*part),
        }
    }
}

/// How jobs misbehave.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct BulkTrouble {
    /// No job is made.
    pub(crate) refuses: bool,
    /// The table is refused.
    pub(crate) refuses_tables: bool,
    /// The next job fails after so many rows.
    pub(crate) fails_after: Option<usize>,
    /// Of the next job that ends, nothing is known any more.
    pub(crate) forgets: bool,
    /// So many results can't be read.
    pub(crate) garbled: u32,
    /// The successful are told without the counts.
    pub(crate) tells_no_counts: bool,
}

#[derive(Debug)]
pub(crate) struct FakeJob {
    pub(crate) state: FakeState,
    pub(crate) operation: Option<Operation>,
    pub(crate) closed_ms: u64,
    /// One per row that was looked at.
    pub(crate) outcomes: Vec<ItemOutcome>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FakeState {
    Open,
    Closed,
    Complete,
    Failed,
    Aborted,
    Forgotten,
}

impl FakeVendor {
    pub(crate) fn bulk_ask(&self, http: &HttpRequest) -> Option<OwnAsk> {
        let place: usize = http.path.strip_prefix("/bulk/")?.parse().unwrap();
        Some(lock(&self.asks)[place].clone())
    }

    pub(crate) fn bulk_answer(&self, account: AccountSignal, said: BulkAnswer) -> Answer {
        let mut all = lock(&self.said);
        all.push((account, said));
        response(&(all.len() - 1).to_string())
    }
}

impl Bulk for FakeVendor {
    fn is_possible(&self, verb: Verb, _object: Object) -> bool {
        matches!(verb, Verb::Create | Verb::UpsertByKey | Verb::UpdateById)
    }

    fn fits(&self, operation: &Operation) -> bool {
        !format!("{:?}", operation.items).contains(NO_ROW)
    }

    fn rows_min(&self) -> usize {
        ROWS_MIN
    }

    fn rows_max(&self) -> usize {
        self.rows_max
    }

    fn request(&self, ask: &BulkAsk<'_>) -> HttpRequest {
        let own = match *ask {
            BulkAsk::Create(operation) => OwnAsk::Create(operation.verb, operation.object),
            BulkAsk::Upload(job, operation) => OwnAsk::Upload(job.to_owned(), operation.clone()),
            BulkAsk::Close(job) => OwnAsk::Close(job.to_owned()),
            BulkAsk::Abort(job) => OwnAsk::Abort(job.to_owned()),
            BulkAsk::Poll(job) => OwnAsk::Poll(job.to_owned()),
            BulkAsk::Results(job, part) => OwnAsk::Results(job.to_owned(), part),
        };
        assert_eq!(own.step(), ask.step());
        let mut asks = lock(&self.asks);
        asks.push(own);
        HttpRequest {
            method: Method::Post,
            path: format!("/bulk/{}", asks.len() - 1),
            body: None,
            content: Content::Csv,
        }
    }

    fn interpret(&self, _step: BulkStep, answer: &Answer) -> (AccountSignal, BulkAnswer) {
        match answer {
            Answer::Response { body, .. } => {
                let place: usize = std::str::from_utf8(body).unwrap().parse().unwrap();
                lock(&self.said)[place].clone()
            }
            Answer::NotSent => (AccountSignal::Failing, BulkAnswer::NotExecuted),
            Answer::Lost => (AccountSignal::Failing, BulkAnswer::Unknown),
        }
    }

    /// A table is lines of `key|outcome`.
    fn outcomes(&self, operation: &Operation, results: [&[u8]; 3]) -> Option<Vec<ItemOutcome>> {
        let mut outcomes = vec![ItemOutcome::Unknown; operation.items.len()];
        for table in results {
            for line in std::str::from_utf8(table).ok()?.lines() {
                let (key, said) = line.split_once('|')?;
                let mut items = operation.items.iter();
                let place = items.position(|item| item.key == key)?;
                outcomes[place] = match said.split_once(' ').unwrap_or((said, "")) {
                    ("done", id) => ItemOutcome::Done {
                        crm_id: id.to_owned(),
                    },
                    ("refused", reason) => ItemOutcome::Refused {
                        code: callflume_core::codes::CRM_REFUSED,
                        reason: reason.to_owned(),
                    },
                    ("conflict", _) => ItemOutcome::Conflict { existing: None },
                    ("gone", _) => ItemOutcome::Gone,
                    _ => ItemOutcome::NotExecuted,
                };
            }
        }
        Some(outcomes)
    }
}

impl Crm {
    /// Lets jobs run until an instant.
    fn run_jobs(&mut self, now_ms: u64) {
        for place in 0..self.bulk_jobs.len() {
            let job = &self.bulk_jobs[place];
            let Some(operation) = job.operation.clone() else {
                continue;
            };
            let rows = operation.items.len();
            let due = (now_ms.saturating_sub(job.closed_ms + 1_000) / 10) as usize;
            let until = self
                .bulk_trouble
                .fails_after
                .unwrap_or(rows)
                .min(rows)
                .min(due);
            if job.state != FakeState::Closed || now_ms < job.closed_ms + 1_000 {
                continue;
            }
            for at in job.outcomes.len()..until {
                self.now_ms = job_instant(self.bulk_jobs[place].closed_ms, at);
                let outcome = self.item(&operation, &operation.items[at]);
                self.bulk_jobs[place].outcomes.push(outcome);
            }
            let fails = self.bulk_trouble.fails_after == Some(until) && until < rows;
            let job = &mut self.bulk_jobs[place];
            if fails {
                job.state = FakeState::Failed;
                self.bulk_trouble.fails_after = None;
            } else if job.outcomes.len() == rows {
                job.state = FakeState::Complete;
            }
            if job.state != FakeState::Closed && std::mem::take(&mut self.bulk_trouble.forgets) {
                job.state = FakeState::Forgotten;
            }
        }
    }

    pub(crate) fn bulk_step(&mut self, now_ms: u64, ask: &OwnAsk) -> BulkAnswer {
        self.run_jobs(now_ms);
        let refused = |why: &str| BulkAnswer::Refused(why.to_owned());
        let trouble = self.bulk_trouble;
        let id = match ask {
            OwnAsk::Create(..) => {
                if trouble.refuses {
                    return refused("no bulk here");
                }
                self.bulk_jobs.push(FakeJob {
                    state: FakeState::Open,
                    operation: None,
                    closed_ms: 0,
                    outcomes: Vec::new(),
                });
                return self.shown(self.bulk_jobs.len() - 1);
            }
            OwnAsk::Upload(id, _)
            | OwnAsk::Close(id)
            | OwnAsk::Abort(id)
            | OwnAsk::Poll(id)
            | OwnAsk::Results(id, _) => id,
        };
        let place: usize = id.strip_prefix("job-").unwrap().parse().unwrap();
        let job = &mut self.bulk_jobs[place];
        if job.state == FakeState::Forgotten {
            return BulkAnswer::Gone;
        }
        match ask {
            OwnAsk::Create(..) | OwnAsk::Poll(_) => {}
            OwnAsk::Upload(_, operation) => {
                assert!(job.operation.is_none(), "a table is sent once");
                if trouble.refuses_tables {
                    return refused("too many rows today");
                }
                job.operation = Some(operation.clone());
                return BulkAnswer::Uploaded;
            }
            OwnAsk::Close(_) => {
                if job.state != FakeState::Open {
                    return refused("not open");
                }
                assert!(job.operation.is_some(), "closed without a table");
                job.state = FakeState::Closed;
                job.closed_ms = now_ms;
            }
            OwnAsk::Abort(_) => job.state = FakeState::Aborted,
            OwnAsk::Results(_, part) => {
                if self.bulk_trouble.garbled > 0 {
                    self.bulk_trouble.garbled -= 1;
                    return BulkAnswer::Table(b"<html>".to_vec());
                }
                return BulkAnswer::Table(table(job, *part));
            }
        }
        self.shown(place)
    }

    fn shown(&self, place: usize) -> BulkAnswer {
        let job = &self.bulk_jobs[place];
        let state = match job.state {
            FakeState::Open => BulkState::Open,
            FakeState::Closed => BulkState::Working,
            FakeState::Complete => BulkState::Complete,
            FakeState::Failed | FakeState::Aborted | FakeState::Forgotten => BulkState::Broken,
        };
        let count = |count: usize| (!self.bulk_trouble.tells_no_counts).then_some(count as u64);
        let failed = job.outcomes.iter().filter(|it| !is_done(it)).count();
        BulkAnswer::Job {
            id: format!("job-{place}"),
            state,
            processed: count(job.outcomes.len()),
            failed: count(failed),
        }
    }
}

fn job_instant(closed_ms: u64, row: usize) -> u64 {
    closed_ms + 1_000 + 10 * row as u64
}

fn is_done(outcome: &ItemOutcome) -> bool {
    matches!(outcome, ItemOutcome::Done { .. })
}

fn table(job: &FakeJob, part: Part) -> Vec<u8> {
    let mut lines = Vec::new();
    for (place, item) in job.operation.iter().flat_map(|it| &it.items).enumerate() {
        let outcome = job.outcomes.get(place);
        let said = match (part, outcome) {
            (Part::Successful, Some(ItemOutcome::Done { crm_id })) => format!("done {crm_id}"),
            (Part::Failed, Some(ItemOutcome::Refused { reason, .. })) => {
                format!("refused {reason}")
            }
            (Part::Failed, Some(ItemOutcome::Conflict { .. })) => "conflict".to_owned(),
            (Part::Failed, Some(ItemOutcome::Gone)) => "gone".to_owned(),
            (Part::Unprocessed, None) => "left".to_owned(),
            _ => continue,
        };
        lines.push(format!("{}|{said}\n", item.key));
    }
    lines.concat().into_bytes()
}
