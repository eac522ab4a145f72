//! Bulk API 2.0: files of records, written by jobs.
//!
//! A job is opened, gets one file, is closed and then waits, runs and ends as time goes by; what it has written stays
//! whatever becomes of it. Each of these requests counts as one call, the rows in a pool of their own. Jobs are kept for
//! seven days.

mod run;
mod sheet;

use csv::StringRecord;
use serde_json::{Value, json};

use super::Salesforce;
use super::ids::{self, RecordId};
use super::limits::DAY_MS;
use super::records::ObjectKind;
use super::replies::{Answer, Body, Failure, instant};
use super::route::Call;
use super::sobjects::object_of;
use super::writes::Hand;

/// How long a job is kept, milliseconds.
pub const JOB_KEPT_MS: i64 = 7 * DAY_MS;
/// The largest file, bytes, as it is before the vendor encodes it.
pub const FILE_MAX_BYTES: usize = 100 * 1_024 * 1_024;

/// What a job does with its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Insert,
    Update,
    Upsert,
    Delete,
}

impl Operation {
    const ALL: [(&'static str, Self); 4] = [
        ("insert", Self::Insert),
        ("update", Self::Update),
        ("upsert", Self::Upsert),
        ("delete", Self::Delete),
    ];

    fn word(self) -> &'static str {
        let mut all = Self::ALL.iter();
        all.find(|(_, it)| *it == self).map_or("", |(word, _)| word)
    }
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum JobState {
    Open,
    UploadComplete,
    InProgress,
    JobComplete,
    Failed,
    Aborted,
}

impl JobState {
    const fn word(self) -> &'static str {
        match self {
            Self::Open => "Open",
            Self::UploadComplete => "UploadComplete",
            Self::InProgress => "InProgress",
            Self::JobComplete => "JobComplete",
            Self::Failed => "Failed",
            Self::Aborted => "Aborted",
        }
    }

    const fn is_end(self) -> bool {
        matches!(self, Self::JobComplete | Self::Failed | Self::Aborted)
    }
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq)]
enum RowResult {
    Written { id: RecordId, made: bool },
    Refused { id: String, failure: Failure },
}

#[derive(Debug)]
pub(super) struct Job {
    id: String,
    object: ObjectKind,
    operation: Operation,
    /// The external id an upsert goes by.
    key: Option<String>,
    delimiter: (&'static str, u8),
    crlf: bool,
    state: JobState,
    created_ms: i64,
    changed_ms: i64,
    version: u32,
    /// Who opened it.
    user: RecordId,
    /// The file, once there is one.
    file: Option<Vec<StringRecord>>,
    unreadable: Option<sheet::Unreadable>,
    /// When it was closed, and by which request.
    closed: Option<(i64, u64)>,
    /// One for each row that was looked at.
    results: Vec<RowResult>,
    /// After how many rows it fails, if it does.
    fails_after: Option<usize>,
    error: Option<String>,
}

impl Job {
    /// The names in the first row; none without a file.
    fn header(&self) -> impl Iterator<Item = &str> {
        let first = self.file.iter().filter_map(|file| file.first());
        first.flatten()
    }

    fn rows(&self) -> &[StringRecord] {
        let file = self.file.as_deref().unwrap_or_default();
        file.get(1..).unwrap_or_default()
    }

    fn shown(&self) -> Value {
        let mut shown = json!({
            "id": self.id, "operation": self.operation.word(), "object": self.object.name(),
            "createdById": self.user, "createdDate": instant(self.created_ms),
            "systemModstamp": instant(self.changed_ms), "state": self.state.word(), "concurrencyMode": "Parallel",
            "contentType": "CSV", "apiVersion": f64::from(self.version),
            "contentUrl": format!("services/data/v{}.0/jobs/ingest/{}/batches", self.version, self.id),
            "lineEnding": if self.crlf { "CRLF" } else { "LF" }, "columnDelimiter": self.delimiter.0,
        });
        if let Some(key) = &self.key {
            shown["externalIdFieldName"] = key.as_str().into();
        }
        shown
    }
}

const DELIMITERS: [(&str, u8); 6] = [
    ("COMMA", b','),
    ("SEMICOLON", b';'),
    ("TAB", b'\t'),
    ("PIPE", b'|'),
    ("BACKQUOTE", b'`'),
    ("CARET", b'^'),
];

fn invalid_job(said: impl Into<String>) -> Failure {
    Failure::request(400, "INVALIDJOB", said)
}

fn invalid_state(said: impl Into<String>) -> Failure {
    Failure::request(400, "INVALIDJOBSTATE", said)
}

impl Salesforce {
    pub(super) fn create_job(&mut self, hand: &Hand, call: &Call<'_>) -> Result<Answer, Failure> {
        let body = object_of(call.json()?)?;
        let said = |name: &str| body.get(name).and_then(Value::as_str);
        let object = said("object")
            .and_then(ObjectKind::named)
            .filter(|object| object.is_written())
            .ok_or_else(|| invalid_job("object must name an object that can be written"))?;
        let operation = Operation::ALL
            .into_iter()
            .find(|(word, _)| said("operation") == Some(word))
            .map(|(_, operation)| operation)
            .ok_or_else(|| invalid_job("operation must be insert, update, upsert or delete"))?;
        let key = match (operation, said("externalIdFieldName")) {
            (Operation::Upsert, Some(name)) => {
                let field = self.key_field(object, name);
                let field = field.map_err(|failure| invalid_job(failure.message))?;
                Some(field.name.clone())
            }
            (Operation::Upsert, None) => {
                return Err(invalid_job("externalIdFieldName is required for upsert"));
            }
            (_, Some(_)) => {
                return Err(invalid_job(
                    "externalIdFieldName has a meaning for upsert only",
                ));
            }
            (_, None) => None,
        };
        if said("contentType").is_some_and(|kind| kind != "CSV") {
            return Err(invalid_job("contentType must be CSV"));
        }
        let crlf = match said("lineEnding") {
            None | Some("LF") => false,
            Some("CRLF") => true,
            Some(_) => return Err(invalid_job("lineEnding must be LF or CRLF")),
        };
        let delimiter = said("columnDelimiter").unwrap_or("COMMA");
        let delimiter = DELIMITERS
            .into_iter()
            .find(|(word, _)| *word == delimiter)
            .ok_or_else(|| invalid_job("columnDelimiter isn't known"))?;
        self.jobs_made += 1;
        let job = Job {
            id: ids::made("750", self.jobs_made),
            object,
            operation,
            key,
            delimiter,
            crlf,
            state: JobState::Open,
            created_ms: hand.now_ms,
            changed_ms: hand.now_ms,
            version: hand.version,
            user: hand.user.clone(),
            file: None,
            unreadable: None,
            closed: None,
            results: Vec::new(),
            fails_after: None,
            error: None,
        };
        let shown = job.shown();
        self.jobs.push(job);
        Ok(Answer::json(200, shown))
    }

    fn job_place(&self, id: &str) -> Result<usize, Failure> {
        let id = ids::canonical(id).ok_or_else(Failure::not_found)?;
        let mut jobs = self.jobs.iter();
        jobs.position(|job| {
            job.id == id && self.now_ms < job.created_ms.saturating_add(JOB_KEPT_MS)
        })
        .ok_or_else(Failure::not_found)
    }

    fn job(&self, id: &str) -> Result<&Job, Failure> {
        let place = self.job_place(id)?;
        self.jobs.get(place).ok_or_else(Failure::not_found)
    }

    pub(super) fn read_job(&self, id: &str) -> Result<Answer, Failure> {
        let job = self.job(id)?;
        let refused = |result: &&RowResult| matches!(result, RowResult::Refused { .. });
        let failed = job.results.iter().filter(refused).count();
        let mut shown = job.shown();
        shown["jobType"] = "V2Ingest".into();
        shown["numberRecordsProcessed"] = job.results.len().into();
        shown["numberRecordsFailed"] = failed.into();
        shown["retries"] = 0.into();
        let took_ms = job
            .closed
            .map_or(0, |(closed_ms, _)| job.changed_ms - closed_ms);
        shown["totalProcessingTime"] = took_ms.into();
        if let Some(error) = &job.error {
            shown["errorMessage"] = error.as_str().into();
        }
        Ok(Answer::json(200, shown))
    }

    pub(super) fn upload(
        &mut self,
        hand: &Hand,
        id: &str,
        call: &Call<'_>,
    ) -> Result<Answer, Failure> {
        let place = self.job_place(id)?;
        let text = call.csv()?;
        let job = self.jobs.get_mut(place).ok_or_else(Failure::not_found)?;
        if job.state != JobState::Open {
            return Err(invalid_state(format!(
                "The job is {}: it takes no file",
                job.state.word()
            )));
        }
        if job.file.is_some() || job.unreadable.is_some() {
            return Err(invalid_state(
                "The job has a file already: open another job",
            ));
        }
        if text.len() > FILE_MAX_BYTES {
            return Err(Failure::request(
                400,
                "CLIENTINPUTERROR",
                "The file is too large",
            ));
        }
        match sheet::rows(text, job.delimiter.1, job.crlf) {
            // What can't be read shows only when the job is run.
            Err(why) => job.unreadable = Some(why),
            Ok(rows) => {
                let count = rows.len().saturating_sub(1) as u64;
                if !self.limits.take_rows(hand.now_ms, count) {
                    let said = "The number of records exceeds the daily limit.";
                    return Err(Failure::request(400, "EXCEEDED_QUOTA", said));
                }
                job.file = Some(rows);
            }
        }
        job.changed_ms = hand.now_ms;
        Ok(Answer::empty(201))
    }

    pub(super) fn close_job(
        &mut self,
        hand: &Hand,
        id: &str,
        call: &Call<'_>,
    ) -> Result<Answer, Failure> {
        let place = self.job_place(id)?;
        let body = object_of(call.json()?)?;
        let wanted = body.get("state").and_then(Value::as_str);
        let job = self.jobs.get_mut(place).ok_or_else(Failure::not_found)?;
        let state = match (wanted, job.state) {
            (Some("UploadComplete"), JobState::Open) => {
                job.closed = Some((hand.now_ms, hand.request_no));
                JobState::UploadComplete
            }
            (Some("Aborted"), state) if !state.is_end() => JobState::Aborted,
            (Some(word @ ("UploadComplete" | "Aborted")), state) => {
                let said = format!("The job is {}: it can't become {word}", state.word());
                return Err(invalid_state(said));
            }
            _ => return Err(invalid_job("state must be UploadComplete or Aborted")),
        };
        job.state = state;
        job.changed_ms = hand.now_ms;
        let mut shown = job.shown();
        if let Some(shown) = shown.as_object_mut() {
            shown.remove("lineEnding");
        }
        Ok(Answer::json(200, shown))
    }

    pub(super) fn delete_job(&mut self, id: &str) -> Result<Answer, Failure> {
        let place = self.job_place(id)?;
        let state = self.job(id)?.state;
        if state == JobState::Open || state == JobState::InProgress {
            let said = format!("The job is {}: abort it first", state.word());
            return Err(invalid_state(said));
        }
        self.jobs.remove(place);
        Ok(Answer::empty(204))
    }

    /// `successfulResults`, `failedResults` or `unprocessedrecords`.
    pub(super) fn results(&self, id: &str, which: &str) -> Result<Answer, Failure> {
        let job = self.job(id)?;
        let mut file = sheet::writer(job.delimiter.1, job.crlf);
        let first: &[&str] = match which {
            "successfulResults" => &["sf__Id", "sf__Created"],
            "failedResults" => &["sf__Id", "sf__Error"],
            "unprocessedrecords" => &[],
            _ => return Err(Failure::not_found()),
        };
        let mut add = |first: &[&str], row: &StringRecord| {
            let mut row = first.iter().copied().chain(row).peekable();
            if row.peek().is_some() {
                file.write_record(row).expect(sheet::IN_MEMORY);
            }
        };
        add(first, &job.header().collect());
        for (place, row) in job.rows().iter().enumerate() {
            match (which, job.results.get(place)) {
                ("successfulResults", Some(RowResult::Written { id, made })) => {
                    add(&[id, if *made { "true" } else { "false" }], row);
                }
                ("failedResults", Some(RowResult::Refused { id, failure })) => {
                    add(&[id, &failure.row()], row);
                }
                ("unprocessedrecords", None) => add(&[], row),
                _ => {}
            }
        }
        Ok(Answer {
            status: 200,
            body: Body::Csv(sheet::text(file)),
            location: None,
        })
    }
}
