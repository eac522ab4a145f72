//! Several operations in one composite request, which counts as one call: each fares as it would alone.

use callflume_core::effect::{Field, Object};
use callflume_core::vendor::{AccountSignal, ItemOutcome, Operation, Vendor, Verb};
use callflume_sim::salesforce::{Fault, FaultKind, ObjectKind, Policy};

use crate::line::{Line, bo, by_phone, done, of, on, records, text, together, write};
use crate::round_trip::kind;

#[test]
fn a_whole_call_is_one_request() {
    let mut line = Line::new();
    let person = line.person();
    let calls = line.crm.counters().calls;
    let operations = records(&person);
    let meanings = line.bundled(&operations);
    assert_eq!(line.crm.counters().calls - calls, 1);
    for (operation, meaning) in operations.iter().zip(&meanings) {
        assert_eq!(meaning.account, AccountSignal::Fine);
        let id = done(&meaning.items[0]);
        let key = operation.items[0].key.as_str();
        assert_eq!(line.shown(&id, "Callflume_Key__c"), key);
    }
}

#[test]
fn operations_of_every_kind_share_a_request_and_one_that_fails_takes_nobody_along() {
    let mut line = Line::new();
    let person = line.person();
    let [call, note, task, deal] = records(&person);
    let call_id = line.done(&call);
    let gone = line.done(&task);
    assert!(line.crm.delete_record(line.now_ms, &gone));
    let url = [(Field::RecordingUrl, text("https://r.example/9.mp3"))];
    let title = [(Field::Title, text("x"))];
    let mut bad_deal = deal.clone();
    bad_deal.items[0].key = "d-9".to_owned();
    bad_deal.items[0]
        .fields
        .insert(Field::Stage, text("No such stage"));
    let mut updates = together([
        write(Verb::UpdateByKey, Object::Call, "c-1", &url),
        write(Verb::UpdateByKey, Object::Call, "c-none", &url),
    ]);
    for (trace, item) in (100..).zip(&mut updates.items) {
        item.trace = trace;
    }
    let operations: Vec<Operation> = vec![
        call,
        note,
        together([deal, on(bad_deal, &person)]),
        updates,
        of(write(Verb::UpdateById, Object::Task, "r-2", &title), &gone),
        by_phone("+12025550143"),
    ];
    let rooms: Vec<usize> = (0..operations.len())
        .map(|at| {
            let (before, next) = (&operations[..at], &operations[at]);
            line.vendor.room(before, next.verb, next.object)
        })
        .collect();
    assert!(rooms.iter().all(|room| *room >= 1), "{rooms:?}");
    let calls = line.crm.counters().calls;
    let meanings = line.bundled(&operations);
    assert_eq!(line.crm.counters().calls - calls, 1);
    let kinds: Vec<Vec<&str>> = meanings
        .iter()
        .map(|meaning| meaning.items.iter().map(kind).collect())
        .collect();
    let expect: [&[&str]; 6] = [
        &["conflict"],
        &["done"],
        &["done", "refused"],
        &["done", "gone"],
        &["gone"],
        &["matches"],
    ];
    assert_eq!(kinds, expect);
    assert_eq!(meanings[3].items[0], ItemOutcome::Done { crm_id: call_id });
    for meaning in &meanings {
        assert_eq!(meaning.account, AccountSignal::Fine);
    }
}

#[test]
fn a_full_request_is_taken() {
    let mut line = Line::new();
    let person = line.person();
    let [call, note, task, deal] = records(&person);
    let many = |first: &Operation, count: usize| {
        together((0..count).map(|number| {
            let mut one = first.clone();
            one.items[0].key = format!("{}-{number}", first.items[0].key);
            one
        }))
    };
    let mut operations = vec![
        many(&call, 200),
        many(&note, 200),
        many(&task, 200),
        many(&deal, 200),
        bo(),
    ];
    let room = line
        .vendor
        .room(&operations, Verb::UpdateByKey, Object::Call);
    assert_eq!(room, 20);
    let url = [(Field::RecordingUrl, text("https://r.example/9.mp3"))];
    let mut updates = together((0..room).map(|number| {
        write(
            Verb::UpdateByKey,
            Object::Call,
            &format!("c-1-{number}"),
            &url,
        )
    }));
    for (trace, item) in (1_000..).zip(&mut updates.items) {
        item.trace = trace;
    }
    operations.push(updates);
    let meanings = line.bundled(&operations);
    for meaning in &meanings {
        assert!(meaning.items.iter().all(|item| kind(item) == "done"));
    }
    assert_eq!(line.living(ObjectKind::Task).len(), 600);
    assert_eq!(line.living(ObjectKind::Opportunity).len(), 200);
}

#[test]
fn rows_that_are_locked_wait_and_their_neighbours_do_not() {
    let mut line = Line::new();
    let person = line.person();
    let locked = FaultKind::RowsLocked { first: 1, count: 2 };
    line.crm.add_fault(Fault::next(locked, "/composite"));
    let operations = records(&person);
    let meanings = line.bundled(&operations);
    let kinds: Vec<&str> = meanings.iter().map(|it| kind(&it.items[0])).collect();
    assert_eq!(kinds, ["done", "not executed", "not executed", "done"]);
    for (meaning, operation) in meanings.iter().zip(&operations) {
        if meaning.items[0] == ItemOutcome::NotExecuted {
            line.done(operation);
        }
    }
    assert_eq!(line.living(ObjectKind::Task).len(), 3);
}

#[test]
fn a_request_that_never_got_in_or_whose_answer_was_lost_says_the_same_of_all() {
    for (fault, expect) in [
        (FaultKind::ExecuteThenDrop, ItemOutcome::Unknown),
        (FaultKind::ExecuteThenTruncate, ItemOutcome::Unknown),
        (FaultKind::ExecuteThenPage, ItemOutcome::Unknown),
        (FaultKind::StatusWithoutExecuting(503), ItemOutcome::Unknown),
        (FaultKind::SessionInvalid, ItemOutcome::NotExecuted),
        (
            FaultKind::Throttled(Policy::Total),
            ItemOutcome::NotExecuted,
        ),
    ] {
        let mut line = Line::new();
        let person = line.person();
        line.crm.add_fault(Fault::next(fault.clone(), "/composite"));
        let operations = records(&person);
        for meaning in line.bundled(&operations) {
            assert_eq!(meaning.items, std::slice::from_ref(&expect), "{fault:?}");
        }
        // Sent again, each is there once.
        for meaning in line.bundled(&operations) {
            let repeated = kind(&meaning.items[0]);
            let expect = if fault.executes() { "conflict" } else { "done" };
            assert_eq!(repeated, expect, "{fault:?}");
        }
        assert_eq!(line.living(ObjectKind::Task).len(), 3);
        assert_eq!(line.living(ObjectKind::Opportunity).len(), 1);
    }
}
