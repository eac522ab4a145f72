//! Running jobs: which rows are due at an instant, and writing them.
//!
//! Rows are written 200 at a time, at the instant the last of them is due, jobs in the order of these instants. A job whose
//! file can't be used fails before any row is written.

use std::collections::BTreeMap;

use csv::StringRecord;
use serde_json::{Map, Value};

use super::sheet::Unreadable;
use super::{Job, JobState, Operation, RowResult};
use crate::salesforce::Salesforce;
use crate::salesforce::collections::{held_by_several, specified_twice};
use crate::salesforce::records::ObjectKind;
use crate::salesforce::schema::Schema;
use crate::salesforce::values::from_text;
use crate::salesforce::writes::{Hand, Upserted};

/// Rows that are written together.
const CHUNK: usize = 200;

/// What a job does next, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Start,
    /// Write the rows up to this one.
    Write(usize),
}

impl Salesforce {
    /// Lets the next job that starts fail once it has written so many rows.
    pub fn fail_next_job_after(&mut self, rows: usize) {
        self.job_failures.push_back(rows);
    }

    /// States of all jobs that are kept, in the order they were opened.
    pub fn job_states(&self) -> impl Iterator<Item = (&str, JobState)> {
        self.jobs.iter().map(|job| (job.id.as_str(), job.state))
    }

    /// Does what jobs have to do until an instant.
    pub(in crate::salesforce) fn run_jobs(&mut self, now_ms: i64) {
        loop {
            let due = self
                .jobs
                .iter()
                .enumerate()
                .filter_map(|(place, job)| {
                    self.next_step(job)
                        .map(|(at_ms, step)| (at_ms, place, step))
                })
                .filter(|(at_ms, ..)| *at_ms <= now_ms)
                .min_by_key(|(at_ms, place, _)| (*at_ms, *place));
            let Some((at_ms, place, step)) = due else {
                return;
            };
            match step {
                Step::Start => self.start(place, at_ms),
                Step::Write(until) => self.write_rows(place, at_ms, until),
            }
            self.store.commit();
        }
    }

    fn next_step(&self, job: &Job) -> Option<(i64, Step)> {
        let (closed_ms, _) = job.closed?;
        let started_ms = closed_ms.saturating_add(self.config.bulk_queue_ms);
        match job.state {
            JobState::UploadComplete => Some((started_ms, Step::Start)),
            JobState::InProgress => {
                let until = (job.results.len() + CHUNK).min(job.rows().len());
                let until = job
                    .fails_after
                    .map_or(until, |rows| until.min(rows.max(job.results.len())));
                let takes_ms = (until as u64 * 1_000).div_ceil(self.config.bulk_rows_per_s.into());
                Some((
                    started_ms.saturating_add(takes_ms as i64),
                    Step::Write(until),
                ))
            }
            _ => None,
        }
    }

    fn start(&mut self, place: usize, at_ms: i64) {
        let Some(job) = self.jobs.get_mut(place) else {
            return;
        };
        job.changed_ms = at_ms;
        if let Some(why) = unusable(&self.schema, job) {
            job.state = JobState::Failed;
            job.error = Some(why);
        } else {
            job.state = JobState::InProgress;
            job.fails_after = self.job_failures.pop_front();
        }
    }

    fn write_rows(&mut self, place: usize, at_ms: i64, until: usize) {
        let Some(job) = self.jobs.get(place) else {
            return;
        };
        let hand = Hand {
            now_ms: at_ms,
            request_no: job.closed.map_or(0, |(_, request_no)| request_no),
            user: job.user.clone(),
            admin: false,
            version: job.version,
            allow_duplicates: false,
        };
        let (object, operation, key) = (job.object, job.operation, job.key.clone());
        let begun = job.results.len();
        let rows: Vec<Map<String, Value>> = job
            .rows()
            .iter()
            .take(until)
            .skip(begun)
            .map(|row| record(&self.schema, job, row))
            .collect();
        let mut uses: BTreeMap<String, u32> = BTreeMap::new();
        for row in &rows {
            if let Some(text) = key.as_ref().and_then(|key| self.key_of(object, key, row)) {
                *uses.entry(text).or_insert(0) += 1;
            }
        }
        let mut results = Vec::with_capacity(rows.len());
        for mut row in rows {
            let id = row
                .get("Id")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned();
            let written = match (operation, &key) {
                (Operation::Insert, _) => self.insert(&hand, object, &row).map(|id| (id, true)),
                (Operation::Update, _) => {
                    self.change(&hand, object, &id, &row).map(|id| (id, false))
                }
                (Operation::Delete, _) => self.delete(&hand, object, &id).map(|id| (id, false)),
                (Operation::Upsert, key) => {
                    let key = key.clone().unwrap_or_default();
                    let folded = self.key_of(object, &key, &row);
                    let value = row.remove(&key).unwrap_or(Value::Null);
                    match folded.filter(|text| uses.get(text).is_some_and(|uses| *uses > 1)) {
                        Some(_) => Err(specified_twice(value.as_str().unwrap_or_default())),
                        None => match self.upsert(&hand, object, (&key, &value), &row, false) {
                            Ok(Upserted::Created(id)) => Ok((id, true)),
                            Ok(Upserted::Updated(id)) => Ok((id, false)),
                            Ok(Upserted::Several(ids)) => Err(held_by_several(&key, &ids)),
                            Err(failure) => Err(failure),
                        },
                    }
                }
            };
            self.audit.counters.bulk_rows += 1;
            results.push(match written {
                Ok((id, made)) => RowResult::Written { id, made },
                Err(failure) => RowResult::Refused { id, failure },
            });
        }
        let Some(job) = self.jobs.get_mut(place) else {
            return;
        };
        job.results.extend(results);
        job.changed_ms = at_ms;
        if job
            .fails_after
            .is_some_and(|rows| job.results.len() >= rows)
        {
            job.state = JobState::Failed;
            job.error = Some("InternalServerError : the job was stopped".to_owned());
        } else if job.results.len() == job.rows().len() {
            job.state = JobState::JobComplete;
        }
    }

    /// The folded key of a row.
    fn key_of(&self, object: ObjectKind, key: &str, row: &Map<String, Value>) -> Option<String> {
        let field = self.schema.field(object, key)?;
        match row.get(&field.name)? {
            Value::Null => None,
            Value::String(text) => Some(field.folded(text)),
            other => Some(other.to_string()),
        }
    }
}

/// Why a job can't be run at all.
fn unusable(schema: &Schema, job: &Job) -> Option<String> {
    match job.unreadable {
        Some(Unreadable::LineEnding) => {
            let word = if job.crlf { "CRLF" } else { "LF" };
            return Some(format!(
                "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is {word}"
            ));
        }
        Some(Unreadable::Quotes) => {
            return Some("ClientInputError : the file's quotes don't match".to_owned());
        }
        None => {}
    }
    if job.rows().is_empty() {
        return Some("InvalidBatch : the file has no records".to_owned());
    }
    let unknown = job
        .header()
        .find(|name| schema.field(job.object, name).is_none());
    if let Some(name) = unknown {
        return Some(format!("InvalidBatch : Field name not found : {name}"));
    }
    let needed = match job.operation {
        Operation::Insert => None,
        Operation::Update | Operation::Delete => Some("Id"),
        Operation::Upsert => job.key.as_deref(),
    };
    let lacking =
        needed.filter(|needed| !job.header().any(|name| name.eq_ignore_ascii_case(needed)));
    if let Some(name) = lacking {
        return Some(format!("InvalidBatch : Field name not found : {name}"));
    }
    let width = job.header().count();
    let odd = job.rows().iter().position(|row| row.len() != width);
    odd.map(|place| {
        format!(
            "InvalidBatch : row {} has another number of values than the header",
            place + 1
        )
    })
}

/// A row as a record: what is empty isn't written, `#N/A` empties a field.
fn record(schema: &Schema, job: &Job, row: &StringRecord) -> Map<String, Value> {
    job.header()
        .zip(row)
        .filter(|(_, text)| !text.is_empty())
        .filter_map(|(name, text)| {
            let field = schema.field(job.object, name)?;
            let value = if text == "#N/A" {
                Value::Null
            } else {
                from_text(field, text)
            };
            Some((field.name.clone(), value))
        })
        .collect()
}
