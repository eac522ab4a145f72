//! Thousands of records by jobs: from the table to every record's outcome, and what it costs in API calls.

use callflume_core::effect::{Field, Object, Value as FieldValue};
use callflume_core::vendor::{ItemOutcome, Operation, Verb};
use callflume_crm::Settings;
use callflume_crm::salesforce::bulk::{self, Job, JobState, Part};
use callflume_sim::salesforce::{Fault, FaultKind, ObjectKind};

use crate::line::{Line, done, of, text, together, write};

/// Contacts of the back-fill, and which of them a rule of the CRM refuses: every fiftieth.
const CONTACTS: usize = 20_000;
const BAD_EVERY: usize = 50;
/// The most API calls it may take.
const CALLS_MAX: u64 = 40;
/// From one poll to the next, at most.
const POLL_MAX_MS: i64 = 60_000;

fn settings() -> Settings {
    Settings::default()
}

fn is_bad(number: usize) -> bool {
    number.is_multiple_of(BAD_EVERY)
}

fn contacts() -> Operation {
    together((0..CONTACTS).map(|number| {
        let email = if is_bad(number) {
            "no address".to_owned()
        } else {
            format!("p{number}@example.org")
        };
        let fields = [
            (Field::FirstName, text("Bo, \"the\"")),
            (Field::LastName, text(&format!("Roe\n{number}"))),
            (Field::Email, text(&email)),
        ];
        write(
            Verb::UpsertByKey,
            Object::Contact,
            &format!("p-{number}"),
            &fields,
        )
    }))
}

impl Line {
    #[track_caller]
    fn opened(&mut self, operation: &Operation) -> Job {
        let request = bulk::create(&settings(), operation).unwrap();
        let answer = self.answer(&request);
        let job = bulk::job(&settings(), &answer).unwrap();
        assert_eq!(job.state, JobState::Open);
        job
    }

    #[track_caller]
    fn uploaded(&mut self, job: &Job, operation: &Operation) {
        let table = bulk::table(&settings(), operation).unwrap();
        assert!(table.len() < bulk::TABLE_MAX);
        let answer = self.answer(&bulk::upload(&settings(), &job.id, table));
        bulk::uploaded(&settings(), &answer).unwrap();
    }

    /// Waits for a job, each time twice as long.
    #[track_caller]
    fn ended(&mut self, job: &Job) -> Job {
        let mut wait_ms = 1_000;
        for _ in 0..30 {
            self.now_ms += wait_ms;
            wait_ms = (wait_ms * 2).min(POLL_MAX_MS);
            let answer = self.answer(&bulk::poll(&settings(), &job.id));
            let job = bulk::job(&settings(), &answer).unwrap();
            if job.state.is_over() {
                return job;
            }
        }
        panic!("the job never ends");
    }

    #[track_caller]
    fn outcomes(&mut self, job: &Job, operation: &Operation) -> Vec<ItemOutcome> {
        let mut table = |part| {
            let answer = self.answer(&bulk::results(&settings(), &job.id, part));
            bulk::downloaded(&settings(), &answer).unwrap().to_vec()
        };
        let [done, failed, unprocessed] =
            [Part::Successful, Part::Failed, Part::Unprocessed].map(&mut table);
        bulk::outcomes(&settings(), operation, &done, &failed, &unprocessed).unwrap()
    }

    /// An operation as a job.
    #[track_caller]
    fn worked_off(&mut self, operation: &Operation) -> Vec<ItemOutcome> {
        let job = self.opened(operation);
        self.uploaded(&job, operation);
        let answer = self.answer(&bulk::close(&settings(), &job.id));
        bulk::job(&settings(), &answer).unwrap();
        self.ended(&job);
        self.outcomes(&job, operation)
    }
}

#[test]
fn twenty_thousand_contacts_of_which_2_percent_are_bad_take_at_most_40_calls() {
    let mut line = Line::new();
    let operation = contacts();
    let before = line.crm.counters().calls;
    let job = line.opened(&operation);
    line.uploaded(&job, &operation);
    assert!(
        line.living(ObjectKind::Contact).is_empty(),
        "not closed yet"
    );
    let answer = line.answer(&bulk::close(&settings(), &job.id));
    bulk::job(&settings(), &answer).unwrap();
    let ended = line.ended(&job);
    assert_eq!(ended.state, JobState::JobComplete);
    let bad = CONTACTS / BAD_EVERY;
    assert_eq!(
        (ended.processed, ended.failed),
        (Some(CONTACTS as u64), Some(bad as u64))
    );
    let outcomes = line.outcomes(&job, &operation);
    assert_eq!(outcomes.len(), CONTACTS);
    for (number, outcome) in outcomes.iter().enumerate() {
        match outcome {
            ItemOutcome::Refused { reason, .. } => {
                assert!(is_bad(number), "{number}: {reason}");
                assert!(reason.contains("INVALID_EMAIL_ADDRESS"), "{reason}");
                assert!(!reason.contains("no address"), "{reason}");
            }
            ItemOutcome::Done { crm_id } => {
                assert!(!is_bad(number), "{number}");
                let record = line.crm.record(crm_id).unwrap();
                assert_eq!(
                    record.text("Callflume_Key__c"),
                    Some(format!("p-{number}").as_str())
                );
                assert_eq!(
                    record.text("LastName"),
                    Some(format!("Roe {number}").as_str())
                );
            }
            other => panic!("{number}: {other:?}"),
        }
    }
    assert_eq!(line.living(ObjectKind::Contact).len(), CONTACTS - bad);
    let calls = line.crm.counters().calls - before;
    assert!(calls <= CALLS_MAX, "{calls} calls");
}

#[test]
fn a_repeated_job_doubles_nobody_and_a_job_that_was_left_writes_nobody() {
    let mut line = Line::new();
    let people = together((0..10).map(|number| {
        let fields = [(Field::LastName, text("Roe"))];
        write(
            Verb::UpsertByKey,
            Object::Contact,
            &format!("p-{number}"),
            &fields,
        )
    }));
    // The answer to the upload is lost: the job is left, and another made.
    let job = line.opened(&people);
    line.crm
        .add_fault(Fault::next(FaultKind::ExecuteThenDrop, "/batches"));
    let table = bulk::table(&settings(), &people).unwrap();
    let lost = line.answer(&bulk::upload(&settings(), &job.id, table));
    assert_eq!(
        bulk::uploaded(&settings(), &lost),
        Err(bulk::Trouble::Unknown)
    );
    let left = line.answer(&bulk::abort(&settings(), &job.id));
    let left = bulk::job(&settings(), &left).unwrap();
    assert_eq!(left.state, JobState::Aborted);

    let first: Vec<String> = line.worked_off(&people).iter().map(done).collect();
    let second: Vec<String> = line.worked_off(&people).iter().map(done).collect();
    assert_eq!(first, second);
    assert_eq!(line.living(ObjectKind::Contact).len(), 10);
}

#[test]
fn closing_a_job_again_is_harmless() {
    let mut line = Line::new();
    let one = write(
        Verb::UpsertByKey,
        Object::Contact,
        "p-1",
        &[(Field::LastName, text("Roe"))],
    );
    let job = line.opened(&one);
    line.uploaded(&job, &one);
    line.crm
        .add_fault(Fault::next(FaultKind::ExecuteThenDrop, "/jobs/ingest/"));
    let lost = line.answer(&bulk::close(&settings(), &job.id));
    assert_eq!(bulk::job(&settings(), &lost), Err(bulk::Trouble::Unknown));
    // Whatever the second one is told, the job goes on.
    let again = line.answer(&bulk::close(&settings(), &job.id));
    assert!(!matches!(
        bulk::job(&settings(), &again),
        Err(bulk::Trouble::NotExecuted(_) | bulk::Trouble::Quota)
    ));
    let ended = line.ended(&job);
    assert_eq!(
        (ended.state, ended.failed),
        (JobState::JobComplete, Some(0))
    );
    done(&line.outcomes(&job, &one)[0]);
    assert_eq!(line.living(ObjectKind::Contact).len(), 1);
}

#[test]
fn updates_and_creations_are_jobs_too() {
    let mut line = Line::new();
    let person = line.person();
    let note = |key: &str| {
        let fields = [(Field::Text, text("a\n\"b\""))];
        let mut note = write(Verb::Create, Object::Note, key, &fields);
        note.items[0].contact = Some(person.clone());
        note
    };
    let there = line.done(&note("r-1"));
    let made = line.worked_off(&together([note("r-1"), note("r-2")]));
    assert_eq!(
        made[0],
        ItemOutcome::Conflict {
            existing: Some(there.clone())
        }
    );
    let second = done(&made[1]);
    assert_eq!(line.shown(&second, "Description"), "a\n\"b\"");
    assert_eq!(line.shown(&second, "WhoId"), person.as_str());

    let gone = done(&line.worked_off(&note("r-3"))[0]);
    assert!(line.crm.delete_record(line.now_ms, &gone));
    let opted_out = [(Field::OptedOut, FieldValue::Flag(true))];
    let update = of(
        write(Verb::UpdateById, Object::Contact, "p-1", &opted_out),
        &person,
    );
    assert_eq!(done(&line.worked_off(&update)[0]), person);
    assert_eq!(line.shown(&person, "DoNotCall"), true);
    let texts = [(Field::Text, text("c"))];
    let updates = together(
        [&there, &gone].map(|id| of(write(Verb::UpdateById, Object::Note, "r-x", &texts), id)),
    );
    let updated = line.worked_off(&updates);
    assert_eq!(done(&updated[0]), there);
    assert_eq!(updated[1], ItemOutcome::Gone);
}
