//! What the dispatcher needs of a CRM that also writes records by jobs: thousands of rows in a handful of requests.
//!
//! A job is made, given one table of rows, closed, asked after, and then tells what became of each row. Nothing is
//! written before it is closed. Implementations are pure, as those of [`crate::vendor::Vendor`]; when a job is worth its
//! requests, and what comes of its rows, the dispatcher decides.

use crate::effect::Object;
use crate::vendor::{AccountSignal, Answer, HttpRequest, ItemOutcome, Operation, Verb};

/// One step of a job, as a request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BulkAsk<'a> {
    /// Make a job for rows of this operation's verb and object.
    Create(&'a Operation),
    /// Give a job its table: one row per item. Once per job.
    Upload(&'a str, &'a Operation),
    /// Start a job that has its table. May be repeated.
    Close(&'a str),
    /// Leave a job: what it hasn't written stays unwritten.
    Abort(&'a str),
    /// Ask how far a job is.
    Poll(&'a str),
    /// Ask what became of its rows.
    Results(&'a str, Part),
}

impl BulkAsk<'_> {
    /// The step that it is.
    pub const fn step(&self) -> BulkStep {
        match self {
            Self::Create(_) => BulkStep::Create,
            Self::Upload(..) => BulkStep::Upload,
            Self::Close(_) => BulkStep::Close,
            Self::Abort(_) => BulkStep::Abort,
            Self::Poll(_) => BulkStep::Poll,
            Self::Results(_, part) => BulkStep::Results(*part),
        }
    }
}

/// The steps of a job that are requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkStep {
    /// [`BulkAsk::Create`].
    Create,
    /// [`BulkAsk::Upload`].
    Upload,
    /// [`BulkAsk::Close`].
    Close,
    /// [`BulkAsk::Abort`].
    Abort,
    /// [`BulkAsk::Poll`].
    Poll,
    /// [`BulkAsk::Results`].
    Results(Part),
}

/// Which of a job's results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// What was written.
    Successful,
    /// What was refused, with the reason.
    Failed,
    /// What was not looked at.
    Unprocessed,
}

impl Part {
    /// All parts, in the order they are fetched.
    pub const ALL: [Self; 3] = [Self::Successful, Self::Failed, Self::Unprocessed];
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkState {
    /// Waits to be closed.
    Open,
    /// Closed, or at work.
    Working,
    /// Over: every row was looked at.
    Complete,
    /// Over: given up or left; some rows may have been written.
    Broken,
}

/// What the answer to a step says.
#[derive(Clone, PartialEq, Eq)]
pub enum BulkAnswer {
    /// Of a job: its id, how far it is, rows looked at and rows refused, if told.
    Job {
        /// The CRM's id of it.
        id: String,
        /// How far it is.
        state: BulkState,
        /// Rows looked at, refused ones among them.
        processed: Option<u64>,
        /// Rows refused.
        failed: Option<u64>,
    },
    /// The table arrived.
    Uploaded,
    /// The results asked for, for [`Bulk::outcomes`].
    Table(Vec<u8>),
    /// Certainly not executed: again, as the account allows.
    NotExecuted,
    /// May have been executed.
    Unknown,
    /// There is no such job (any more).
    Gone,
    /// Refused for good, or for the day: no job can be had. The reason holds no value.
    Refused(String),
}

impl std::fmt::Debug for BulkAnswer {
    /// Of a table its size: its cells are personal data.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Job { id, state, .. } => write!(f, "Job({id}, {state:?})"),
            Self::Uploaded => f.write_str("Uploaded"),
            Self::Table(table) => write!(f, "Table({} bytes)", table.len()),
            Self::NotExecuted => f.write_str("NotExecuted"),
            Self::Unknown => f.write_str("Unknown"),
            Self::Gone => f.write_str("Gone"),
            Self::Refused(reason) => write!(f, "Refused({reason})"),
        }
    }
}

/// The bulk side of a CRM.
pub trait Bulk {
    /// Whether records of this kind can be written by a job.
    fn is_possible(&self, verb: Verb, object: Object) -> bool;

    /// Whether every item of this operation makes a row. One that lacks what it needs goes the ordinary way, where it is
    /// refused.
    fn fits(&self, operation: &Operation) -> bool;

    /// From so many records on a job is worth its requests.
    fn rows_min(&self) -> usize;

    /// Most rows of a job.
    fn rows_max(&self) -> usize;

    /// The request for a step.
    fn request(&self, ask: &BulkAsk<'_>) -> HttpRequest;

    /// What an answer to it means, for the account and for the job. Total, as [`crate::vendor::Vendor::interpret`].
    fn interpret(&self, step: BulkStep, answer: &Answer) -> (AccountSignal, BulkAnswer);

    /// What became of an operation's items, from the results in [`Part::ALL`]'s order (empty for one that wasn't
    /// fetched). Only an item's key, id and contact are looked at; one that is in no table is unknown. None when a table
    /// can't be read: it is fetched again.
    fn outcomes(&self, operation: &Operation, results: [&[u8]; 3]) -> Option<Vec<ItemOutcome>>;
}
