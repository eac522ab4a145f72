//! Salesforce's bulk interface (Bulk API 2.0), for back-fills: thousands of records in a handful of requests.
//!
//! Pure steps of a job; the shell sends them and keeps what it needs to go on after a kill:
//!
//! 1. [`create`] makes a job; [`job`] reads its id. Nothing is written yet.
//! 2. [`upload`] sends the [`table`] of the records, once per job and as `text/csv`. If the answer is lost, the job is left
//!    ([`abort`]) and another made: a job that was never closed writes nothing.
//! 3. Whoever wants to go on after a kill stores the job's id with its items **before** closing it.
//! 4. [`close`] starts it. Repeating it is harmless.
//! 5. [`poll`] until [`JobState::is_over`].
//! 6. [`results`] of all three kinds, then [`outcomes`]: one per item, found by our key, or by its id where it was updated
//!    by that. Salesforce keeps jobs and results for seven days.
//!
//! | verb | job | a record that is there, or isn't |
//! | --- | --- | --- |
//! | create | `insert` | there: a conflict, told by our key |
//! | upsert by key | `upsert` by our key | either will do |
//! | update by id | `update` | not there: gone |
//!
//! Other verbs can't be jobs ([`is_possible`]): an update by key would make what is gone. A repeated job doubles nothing.

mod results;
mod sheet;
mod side;

use std::collections::{BTreeMap, BTreeSet};

pub use callflume_core::bulk::Part;
use callflume_core::effect::Object;
use callflume_core::vendor::{
    AccountSignal, Answer, Content, HttpRequest, Item, Method, Operation, Verb,
};
use serde_json::{Map, Value, json};

use super::bodies::{Mode, record};
use super::build::{get, send, sent};
use super::fields::key_field;
use super::kinds::Kind;
use super::paths::{base, percent_encoded, sobject};
use super::refusal::Refusal;
use super::settled::signal;
use crate::settings::Settings;
pub use results::{outcomes, told};
pub use sheet::NoTable;

/// Largest table of a job, bytes; whose items make a larger one belong in several jobs. Salesforce takes 150 MB after an encoding that makes it half as large again.
pub const TABLE_MAX: usize = 100_000_000;

/// Column of a record's own id.
pub(super) const ID: &str = "Id";
const IN_MEMORY: &str = "rows of one width can't fail in memory";
/// What Salesforce takes for "empty this field".
const NULL: &str = "#N/A";

/// Whether records of this verb can be written by a job.
pub const fn is_possible(verb: Verb) -> bool {
    bulk_operation(verb).is_some()
}

const fn bulk_operation(verb: Verb) -> Option<&'static str> {
    match verb {
        Verb::Create => Some("insert"),
        Verb::UpsertByKey => Some("upsert"),
        Verb::UpdateById => Some("update"),
        Verb::ReadByKey
        | Verb::ReadByEmail
        | Verb::SearchByPhone
        | Verb::UpdateByKey
        | Verb::List
        | Verb::Probe => None,
    }
}

/// The table of an operation's records: a header, and one row per item that can be sent. None for a verb that can't be a
/// job. Of a record an empty cell leaves the field as it is.
pub fn table(settings: &Settings, operation: &Operation) -> Option<Vec<u8>> {
    bulk_operation(operation.verb)?;
    let records: Vec<Map<String, Value>> = sent(settings, operation)
        .into_iter()
        .filter_map(|item| row(settings, operation, item))
        .collect();
    // One spelling per field, for columns are the same in any case.
    let mut columns: BTreeMap<String, String> = BTreeMap::new();
    for name in records.iter().flat_map(Map::keys) {
        columns
            .entry(name.to_ascii_lowercase())
            .or_insert_with(|| name.clone());
    }
    let mut table = sheet::writer();
    table.write_record(columns.values()).expect(IN_MEMORY);
    for record in &records {
        let cells: BTreeMap<String, String> = record
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), cell(value)))
            .collect();
        let row = columns
            .keys()
            .map(|name| cells.get(name).map_or("", String::as_str));
        table.write_record(row).expect(IN_MEMORY);
    }
    Some(table.into_inner().expect(IN_MEMORY))
}

fn row(settings: &Settings, operation: &Operation, item: &Item) -> Option<Map<String, Value>> {
    let key_name = key_field(settings, operation.object);
    let updates = operation.verb == Verb::UpdateById;
    let mode = if updates { Mode::Update } else { Mode::Create };
    let mut fields = record(settings, operation.object, mode, item).ok()?;
    if updates {
        fields.insert(ID.to_owned(), item.crm_id.clone().into());
    }
    if !updates || item.stamp {
        fields.insert(key_name.to_owned(), item.key.clone().into());
    }
    Some(fields)
}

fn cell(value: &Value) -> String {
    match value {
        Value::String(text) if text == NULL => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Makes a job for an operation's verb and object; none for a verb that can't be one.
pub fn create(settings: &Settings, operation: &Operation) -> Option<HttpRequest> {
    let kind = bulk_operation(operation.verb)?;
    let mut body = json!({
        "object": sobject(operation.object),
        "operation": kind,
        "contentType": "CSV",
        "lineEnding": "LF",
    });
    if operation.verb == Verb::UpsertByKey {
        body["externalIdFieldName"] = key_field(settings, operation.object).into();
    }
    Some(send(
        Method::Post,
        jobs(settings),
        body.to_string().into_bytes(),
    ))
}

/// Sends a job's table, as `text/csv`.
pub fn upload(settings: &Settings, job: &str, table: Vec<u8>) -> HttpRequest {
    HttpRequest {
        content: Content::Csv,
        ..send(
            Method::Put,
            format!("{}/batches", path(settings, job)),
            table,
        )
    }
}

/// Starts a job whose table was sent.
pub fn close(settings: &Settings, job: &str) -> HttpRequest {
    state(settings, job, "UploadComplete")
}

/// Leaves a job: what it hasn't written stays unwritten.
pub fn abort(settings: &Settings, job: &str) -> HttpRequest {
    state(settings, job, "Aborted")
}

fn state(settings: &Settings, job: &str, state: &str) -> HttpRequest {
    let body = json!({"state": state}).to_string().into_bytes();
    send(Method::Patch, path(settings, job), body)
}

/// Asks how far a job is.
pub fn poll(settings: &Settings, job: &str) -> HttpRequest {
    get(path(settings, job))
}

/// Asks for a job's results, a table.
pub fn results(settings: &Settings, job: &str, part: Part) -> HttpRequest {
    let part = match part {
        Part::Successful => "successfulResults",
        Part::Failed => "failedResults",
        Part::Unprocessed => "unprocessedrecords",
    };
    get(format!("{}/{part}", path(settings, job)))
}

fn jobs(settings: &Settings) -> String {
    format!("{}/jobs/ingest", base(settings))
}

fn path(settings: &Settings, job: &str) -> String {
    format!("{}/{}", jobs(settings), percent_encoded(job))
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// Waits for its table, or to be closed.
    Open,
    /// Closed, not begun.
    UploadComplete,
    /// At work.
    InProgress,
    /// Over: every row was looked at.
    JobComplete,
    /// Over: given up by Salesforce; some rows may have been written.
    Failed,
    /// Over: left; some rows may have been written.
    Aborted,
}

impl JobState {
    const ALL: [(&'static str, Self); 6] = [
        ("Open", Self::Open),
        ("UploadComplete", Self::UploadComplete),
        ("InProgress", Self::InProgress),
        ("JobComplete", Self::JobComplete),
        ("Failed", Self::Failed),
        ("Aborted", Self::Aborted),
    ];

    /// Whether nothing more happens, so that the results can be fetched.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::JobComplete | Self::Failed | Self::Aborted)
    }
}

/// A job, as Salesforce tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Salesforce's id of it.
    pub id: String,
    /// How far it is.
    pub state: JobState,
    /// Rows looked at, if told.
    pub processed: Option<u64>,
    /// Rows refused, if told.
    pub failed: Option<u64>,
}

/// Why a step of a job was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Certainly not executed; to be tried again as the account allows.
    NotExecuted(AccountSignal),
    /// The records of 24 hours are used up, which have nothing to do with the requests.
    Quota,
    /// May have been executed.
    Unknown,
    /// There is no such job (any more).
    Gone,
    /// Refused for good; the reason holds no value.
    Refused(String),
}

/// Reads the answer to [`create`], [`close`], [`abort`] or [`poll`].
pub fn job(settings: &Settings, answer: &Answer) -> Result<Job, Trouble> {
    let body = body(settings, answer)?;
    let body = serde_json::from_slice::<Value>(body).map_err(|_| Trouble::Unknown)?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let state = JobState::ALL
        .iter()
        .find(|(name, _)| text("state") == Some(name));
    match (text("id").filter(|id| !id.is_empty()), state) {
        (Some(id), Some((_, state))) => Ok(Job {
            id: id.to_owned(),
            state: *state,
            processed: body.get("numberRecordsProcessed").and_then(Value::as_u64),
            failed: body.get("numberRecordsFailed").and_then(Value::as_u64),
        }),
        _ => Err(Trouble::Unknown),
    }
}

/// Reads the answer to [`upload`].
pub fn uploaded(settings: &Settings, answer: &Answer) -> Result<(), Trouble> {
    body(settings, answer).map(drop)
}

/// Reads the answer to [`results`]: the table, for [`outcomes`].
pub fn downloaded<'a>(settings: &Settings, answer: &'a Answer) -> Result<&'a [u8], Trouble> {
    body(settings, answer)
}

/// The body of a success, or what is in its way.
fn body<'a>(settings: &Settings, answer: &'a Answer) -> Result<&'a [u8], Trouble> {
    let (status, body) = match answer {
        Answer::NotSent => return Err(Trouble::NotExecuted(AccountSignal::Failing)),
        Answer::Lost => return Err(Trouble::Unknown),
        Answer::Response { status, body, .. } => (*status, body.as_slice()),
    };
    if let 200 | 201 = status {
        return Ok(body);
    }
    if status == 401 {
        return Err(Trouble::NotExecuted(AccountSignal::CredentialRefused));
    }
    let document = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let Some(refusal) = Refusal::of_body(&document) else {
        return Err(Trouble::Unknown);
    };
    // Of a job no record's key is at stake, so any object will do.
    let kind = refusal.kind(settings, Object::Contact);
    Err(match (status, kind) {
        (_, Kind::Day | Kind::Concurrent | Kind::Limit) => Trouble::NotExecuted(signal(kind)),
        (500.., _) | (_, Kind::Internal) => Trouble::Unknown,
        (_, Kind::Session | Kind::Locked | Kind::Account) => Trouble::NotExecuted(signal(kind)),
        _ if refusal.has_code("EXCEEDED_QUOTA") => Trouble::Quota,
        (403, _) => Trouble::NotExecuted(AccountSignal::ScopeMissing),
        (404, _) => Trouble::Gone,
        _ => Trouble::Refused(refusal.reason(status)),
    })
}

/// The keys or ids by which rows are told apart: those that occur once.
pub(super) fn names(operation: &Operation, items: &[&Item]) -> BTreeSet<String> {
    let mut once = BTreeSet::new();
    let mut twice = BTreeSet::new();
    for item in items {
        let name = name(operation, item).to_owned();
        if !once.insert(name.clone()) {
            twice.insert(name);
        }
    }
    once.retain(|name| !twice.contains(name));
    once
}

/// By what an item's row is found.
pub(super) fn name<'a>(operation: &Operation, item: &'a Item) -> &'a str {
    if operation.verb == Verb::UpdateById {
        item.crm_id.as_deref().unwrap_or_default()
    } else {
        &item.key
    }
}
