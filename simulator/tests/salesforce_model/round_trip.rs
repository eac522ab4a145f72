//! What Callflume sends to Salesforce and what it reads from the answers, against the model: done is done, and what a
//! lost answer left is found exactly once.

use callflume_core::effect::{Field, Object, Value as FieldValue};
use callflume_core::vendor::{AccountSignal, ItemOutcome, Operation, Verb};
use callflume_sim::salesforce::{Fault, FaultKind, ObjectKind, Policy};
use serde_json::json;

use crate::line::{Line, bo, by_email, by_phone, of, on, records, text, together, write};

#[test]
fn everything_that_is_written_is_held_in_one_request_each() {
    let mut line = Line::new();
    let before = line.crm.counters().calls;
    let person = line.person();
    let ids = records(&person).map(|operation| line.done(&operation));
    assert_eq!(line.crm.counters().calls - before, 5);
    let [call, note, task, deal] = &ids;
    for (id, name, expect) in [
        (&person, "FirstName", json!("Bo")),
        (&person, "LastName", json!("Roe")),
        (&person, "Phone", json!("+12025550143")),
        (&person, "Email", json!("bo@example.org")),
        (&person, "Callflume_Key__c", json!("p-1")),
        (call, "Callflume_Key__c", json!("c-1")),
        (call, "TaskSubtype", json!("Call")),
        (call, "Status", json!("Completed")),
        (call, "Subject", json!("Intro")),
        (call, "CallType", json!("Inbound")),
        (call, "CallDurationInSeconds", json!(66)),
        (call, "CallDisposition", json!("No answer")),
        (call, "CallObject", json!("CA-1")),
        (call, "ActivityDate", json!("2026-06-15")),
        (
            call,
            "Description",
            json!("They want a quote.\n\nFrom: +12025550143\nBegan: 2026-06-15 12:00:00 UTC"),
        ),
        (
            call,
            "Callflume_Recording__c",
            json!("https://r.example/1.mp3"),
        ),
        (call, "Callflume_Sentiment__c", json!("neutral")),
        (call, "WhoId", json!(person)),
        (note, "Status", json!("Completed")),
        (note, "Description", json!("n")),
        (note, "WhoId", json!(person)),
        (task, "Status", json!("Not Started")),
        (task, "Priority", json!("High")),
        (task, "ActivityDate", json!("2026-06-15")),
        (deal, "Name", json!("Quote")),
        (deal, "StageName", json!("Proposal")),
        (deal, "Amount", json!(2400.5)),
        (deal, "ContactId", json!(person)),
        (deal, "Callflume_Key__c", json!("d-1")),
    ] {
        assert_eq!(line.shown(id, name), expect, "{name}");
    }
}

#[test]
fn what_is_changed_is_held_and_the_rest_stays() {
    for task_subtype_is_fixed in [false, true] {
        let mut line = Line::with(|config| config.task_subtype_is_fixed = task_subtype_is_fixed);
        let person = line.person();
        let [call, _, task, deal] = records(&person).map(|operation| line.done(&operation));
        let url = text("https://r.example/2.mp3");
        let stage = (Field::Stage, text("Closed Won"));
        for (object, key, id, field) in [
            (
                Object::Contact,
                "p-1",
                &person,
                (Field::OptedOut, FieldValue::Flag(true)),
            ),
            (Object::Call, "c-1", &call, (Field::RecordingUrl, url)),
            (Object::Task, "r-2", &task, (Field::Title, text("Later"))),
            (Object::Deal, "d-1", &deal, stage),
        ] {
            // By id and by our key, blindly and again.
            for verb in [Verb::UpdateById, Verb::UpdateByKey, Verb::UpdateById] {
                let operation = of(write(verb, object, key, std::slice::from_ref(&field)), id);
                assert_eq!(&line.done(&operation), id, "{verb:?} {object}");
            }
        }
        for (id, name, expect) in [
            (&person, "DoNotCall", json!(true)),
            (&person, "LastName", json!("Roe")),
            (
                &call,
                "Callflume_Recording__c",
                json!("https://r.example/2.mp3"),
            ),
            (&call, "Subject", json!("Intro")),
            (&call, "TaskSubtype", json!("Call")),
            (&task, "Subject", json!("Later")),
            (&task, "Status", json!("Not Started")),
            (&deal, "StageName", json!("Closed Won")),
            (&deal, "ContactId", json!(person)),
        ] {
            assert_eq!(line.shown(id, name), expect, "{name}");
        }
    }
}

#[test]
fn a_person_is_found_by_key_by_address_and_by_number_however_it_is_typed() {
    let mut line = Line::new();
    let seeded = line.crm.seed_contacts(40, 7).unwrap();
    let person = line.person();
    let key = |verb| write(verb, Object::Contact, "p-1", &[]);
    assert_eq!(line.only(&key(Verb::ReadByKey)), person);
    assert_eq!(line.done(&key(Verb::Probe)), person);
    assert_eq!(line.only(&by_email("BO@example.org")), person);
    assert_eq!(line.only(&by_phone("+12025550143")), person);
    for known in &seeded {
        assert_eq!(line.only(&by_phone(&known.e164)), known.id);
    }
    let nobody = write(Verb::ReadByKey, Object::Contact, "p-9", &[]);
    assert_eq!(line.found(&nobody), Vec::<String>::new());
    assert_eq!(
        line.found(&by_email("nobody@example.org")),
        Vec::<String>::new()
    );
    assert_eq!(line.found(&by_phone("+442079460018")), Vec::<String>::new());
    let absent = write(Verb::Probe, Object::Contact, "p-9", &[]);
    assert_eq!(line.outcome(&absent), ItemOutcome::Gone);

    // Many in one request.
    let calls = line.crm.counters().calls;
    let many = together(seeded.iter().map(|known| by_phone(&known.e164)));
    let meaning = line.exchange(&many);
    for (known, outcome) in seeded.iter().zip(&meaning.items) {
        let ItemOutcome::Matches(found) = outcome else {
            panic!("{outcome:?}");
        };
        let ids: Vec<&str> = found.iter().map(|it| it.crm_id.as_str()).collect();
        assert_eq!(ids, [known.id.as_str()]);
    }
    assert_eq!(line.crm.counters().calls - calls, 1);
}

#[test]
fn a_listing_goes_through_everybody() {
    let mut line = Line::new();
    let seeded = line.crm.seed_contacts(450, 7).unwrap();
    let mut listed = Vec::new();
    let mut list = Operation {
        verb: Verb::List,
        object: Object::Contact,
        items: Vec::new(),
        after: None,
    };
    loop {
        let mut meaning = line.exchange(&list);
        let ItemOutcome::Matches(page) = meaning.items.remove(0) else {
            panic!("{:?}", meaning.account);
        };
        listed.extend(page.into_iter().map(|found| found.crm_id));
        match meaning.next_page {
            Some(next) => list.after = Some(next),
            None => break,
        }
    }
    let ids: Vec<String> = seeded.into_iter().map(|known| known.id).collect();
    assert_eq!(listed, ids);
}

#[test]
fn a_repeated_creation_meets_its_own_record() {
    let mut line = Line::new();
    let person = line.person();
    assert_eq!(line.person(), person, "an upsert finds it");
    for operation in records(&person) {
        let made = line.done(&operation);
        // The answer to the first was lost, say: the second is told which record it is, or finds it by its key.
        let again = line.outcome(&operation);
        let ItemOutcome::Conflict { existing } = &again else {
            panic!("{}: {again:?}", operation.object);
        };
        assert_eq!(existing.as_ref(), Some(&made), "{}", operation.object);
        let probe = Operation {
            verb: Verb::Probe,
            ..operation
        };
        assert_eq!(line.done(&probe), made);
    }
    assert_eq!(line.living(ObjectKind::Contact).len(), 1);
    assert_eq!(line.living(ObjectKind::Task).len(), 3);
    assert_eq!(line.living(ObjectKind::Opportunity).len(), 1);
}

#[test]
fn a_lost_answer_is_repeated_and_the_record_is_there_exactly_once() {
    for fault in [
        FaultKind::ExecuteThenDrop,
        FaultKind::ExecuteThenStatus(502),
        FaultKind::ExecuteThenTruncate,
        FaultKind::ExecuteThenPage,
        FaultKind::DropWithoutExecuting,
        FaultKind::StatusWithoutExecuting(503),
    ] {
        let mut line = Line::new();
        let made = |line: &mut Line, operation: &Operation| {
            line.crm.add_fault(Fault::next(fault.clone(), ""));
            let lost = line.exchange(operation).items.remove(0);
            assert_eq!(lost, ItemOutcome::Unknown, "{fault:?} {}", operation.object);
            match line.outcome(operation) {
                ItemOutcome::Done { crm_id } => crm_id,
                ItemOutcome::Conflict {
                    existing: Some(crm_id),
                } => {
                    assert!(fault.executes(), "{fault:?}");
                    crm_id
                }
                other => panic!("{fault:?}: {other:?}"),
            }
        };
        let person = made(&mut line, &bo());
        for operation in records(&person) {
            made(&mut line, &operation);
        }
        assert_eq!(line.living(ObjectKind::Contact).len(), 1, "{fault:?}");
        assert_eq!(line.living(ObjectKind::Task).len(), 3, "{fault:?}");
        assert_eq!(line.living(ObjectKind::Opportunity).len(), 1, "{fault:?}");
    }
}

#[test]
fn rows_of_a_collection_fare_each_for_itself() {
    let mut line = Line::new();
    let person = line.person();
    let note = |key: &str| {
        let fields = [(Field::Text, text(key))];
        on(write(Verb::Create, Object::Note, key, &fields), &person)
    };
    line.done(&note("r-2"));
    let many = together((1..=5).map(|number| note(&format!("r-{number}"))));
    let locked = FaultKind::RowsLocked { first: 2, count: 1 };
    line.crm.add_fault(Fault::next(locked, ""));
    let refused = FaultKind::RowsRefused { first: 3, count: 1 };
    let meaning = line.exchange(&many);
    let kinds: Vec<&str> = meaning.items.iter().map(kind).collect();
    assert_eq!(kinds, ["done", "conflict", "not executed", "done", "done"]);
    assert_eq!(meaning.account, AccountSignal::Busy { wait_ms: 1_000 });

    let more = together((6..=9).map(|number| note(&format!("r-{number}"))));
    line.crm.add_fault(Fault::next(refused, ""));
    let meaning = line.exchange(&more);
    let kinds: Vec<&str> = meaning.items.iter().map(kind).collect();
    assert_eq!(kinds, ["done", "done", "done", "refused"]);
    assert_eq!(meaning.account, AccountSignal::Fine);
}

pub(crate) const fn kind(outcome: &ItemOutcome) -> &'static str {
    match outcome {
        ItemOutcome::Done { .. } => "done",
        ItemOutcome::Matches(_) => "matches",
        ItemOutcome::Deals(_) => "deals",
        ItemOutcome::NotExecuted => "not executed",
        ItemOutcome::Unknown => "unknown",
        ItemOutcome::Conflict { .. } => "conflict",
        ItemOutcome::Gone => "gone",
        ItemOutcome::Refused { .. } => "refused",
        ItemOutcome::Split => "split",
    }
}

#[test]
fn what_is_in_the_accounts_way_is_told_and_nothing_is_refused_for_good() {
    for (fault, expect) in [
        (
            FaultKind::Throttled(Policy::Total),
            AccountSignal::DayExhausted,
        ),
        (
            FaultKind::Throttled(Policy::Concurrent),
            AccountSignal::Throttled {
                window: "long_running",
                wait_ms: Some(5_000),
            },
        ),
        (FaultKind::SessionInvalid, AccountSignal::CredentialRefused),
        (FaultKind::ApiDisabled, AccountSignal::ScopeMissing),
    ] {
        let mut line = Line::new();
        line.crm.add_fault(Fault::next(fault.clone(), ""));
        let meaning = line.exchange(&bo());
        assert_eq!(meaning.account, expect, "{fault:?}");
        assert_eq!(meaning.items, [ItemOutcome::NotExecuted], "{fault:?}");
        assert!(line.living(ObjectKind::Contact).is_empty());
        line.person();
    }
}

#[test]
fn long_texts_are_taken_cut_and_marked() {
    let mut line = Line::new();
    let person = line.person();
    let long = "so & sø ".repeat(30_000);
    for object in [Object::Call, Object::Task, Object::Note, Object::Deal] {
        let mut fields = vec![(Field::Text, text(&long)), (Field::Title, text(&long))];
        if object == Object::Deal {
            fields.push((Field::Stage, text("Proposal")));
        }
        let key = format!("x-{object}");
        let made = line.done(&on(write(Verb::Create, object, &key, &fields), &person));
        let name = match object {
            Object::Deal => "Name",
            Object::Task => "Subject",
            _ => "Description",
        };
        let shown = line.shown(&made, name);
        assert!(shown.as_str().unwrap().ends_with(" […]"), "{object}");
    }
}
