//! What was lost: executed or not, the probe tells, and nothing is there twice.

use callflume_core::effect::{Field, Object};
use callflume_core::vendor::{AccountSignal, ItemOutcome, Verb};
use callflume_sim::pipedrive::{Fault, FaultKind, Kind, PipedriveConfig, Policy};

use crate::line::{Line, by_phone, on, text, write};
use crate::{TOKEN, config};

#[test]
fn what_was_executed_and_never_answered_is_found_exactly_once() {
    for fault in [
        FaultKind::ExecuteThenDrop,
        FaultKind::ExecuteThenStatus(500),
        FaultKind::ExecuteThenStatus(502),
        FaultKind::ExecuteThenStatus(504),
        FaultKind::ExecuteThenTruncate,
        FaultKind::ExecuteThenPage,
    ] {
        for (object, kind) in [
            (Object::Contact, Kind::Person),
            (Object::Call, Kind::Activity),
            (Object::Task, Kind::Activity),
            (Object::Note, Kind::Note),
            (Object::Deal, Kind::Deal),
        ] {
            let mut line = Line::new(config());
            let person = line.person();
            let before = line.count(kind);
            let verb = if object == Object::Contact {
                Verb::UpsertByKey
            } else {
                Verb::Create
            };
            let operation = on(
                write(verb, object, "x-1", &[(Field::Text, text("a"))]),
                &person,
            );
            line.crm.add_fault(Fault::next(fault.clone(), ""));
            let meaning = line.exchange(&operation);
            assert_eq!(meaning.items, [ItemOutcome::Unknown], "{object} {fault:?}");
            assert_eq!(meaning.account, AccountSignal::Failing);
            // At once: the search would not show it yet.
            let found = line.done(&on(write(Verb::Probe, object, "x-1", &[]), &person));
            assert_eq!(line.count(kind), before + 1, "{object} {fault:?}");
            let last = line.crm.records(kind).last().unwrap();
            assert_eq!(last.id.to_string(), found);
            // Another key is still nowhere.
            let other = on(write(Verb::Probe, object, "x-11", &[]), &person);
            assert_eq!(line.outcome(&other), ItemOutcome::Gone, "{object}");
        }
    }
}

#[test]
fn what_was_lost_before_it_was_executed_is_sent_again_once() {
    for fault in [
        FaultKind::DropWithoutExecuting,
        FaultKind::StatusWithoutExecuting(500),
        FaultKind::StatusWithoutExecuting(503),
    ] {
        for (object, kind) in [
            (Object::Contact, Kind::Person),
            (Object::Call, Kind::Activity),
            (Object::Note, Kind::Note),
            (Object::Deal, Kind::Deal),
        ] {
            let mut line = Line::new(config());
            let person = line.person();
            let before = line.count(kind);
            let operation = on(write(Verb::Create, object, "x-1", &[]), &person);
            line.crm.add_fault(Fault::next(fault.clone(), ""));
            assert_eq!(line.exchange(&operation).items, [ItemOutcome::Unknown]);
            let probe = on(write(Verb::Probe, object, "x-1", &[]), &person);
            assert_eq!(
                line.outcome(&probe),
                ItemOutcome::Gone,
                "{object} {fault:?}"
            );
            let made = line.done(&operation);
            assert_eq!(line.done(&probe), made);
            assert_eq!(line.count(kind), before + 1, "{object} {fault:?}");
        }
    }
}

#[test]
fn a_brownout_says_nothing_about_any_record() {
    let mut line = Line::new(config());
    let person = line.person();
    let until = line.now_ms + 60_000;
    let fault = FaultKind::StatusWithoutExecuting(503);
    line.crm
        .add_fault(Fault::during(fault, "", line.now_ms, until));
    for (operation, expect) in [
        (
            on(write(Verb::Create, Object::Call, "c-1", &[]), &person),
            ItemOutcome::Unknown,
        ),
        (
            on(write(Verb::Probe, Object::Call, "c-1", &[]), &person),
            ItemOutcome::NotExecuted,
        ),
        (by_phone("+12025550101"), ItemOutcome::NotExecuted),
    ] {
        let meaning = line.exchange(&operation);
        assert_eq!(meaning.items, [expect]);
        assert_eq!(meaning.account, AccountSignal::Failing);
    }
    line.now_ms = until;
    line.done(&on(write(Verb::Create, Object::Call, "c-1", &[]), &person));
}

#[test]
fn a_page_of_the_newest_persons_proves_absence_as_far_as_it_reaches() {
    let mut line = Line::new(PipedriveConfig {
        burst_limit: 1_000,
        ..config()
    });
    line.crm.seed_contacts(600, 2).unwrap();
    let probe = write(Verb::Probe, Object::Contact, "p-none", &[]);
    assert_eq!(
        line.outcome(&probe),
        ItemOutcome::Gone,
        "the others are old"
    );
    // More than a page of new persons within a quarter of an hour.
    for number in 0..501 {
        line.now_ms -= 1_950;
        line.done(&write(
            Verb::UpsertByKey,
            Object::Contact,
            &format!("n-{number}"),
            &[],
        ));
    }
    assert_eq!(line.outcome(&probe), ItemOutcome::Unknown);
    assert!(matches!(
        line.outcome(&write(Verb::Probe, Object::Contact, "n-1", &[])),
        ItemOutcome::Done { .. }
    ));
    line.now_ms += 15 * 60_000;
    assert_eq!(line.outcome(&probe), ItemOutcome::Gone);
}

#[test]
fn refusals_for_want_of_quota_say_which() {
    for (policy, expect) in [
        (
            Policy::Burst,
            AccountSignal::Throttled {
                window: "burst",
                wait_ms: Some(2_000),
            },
        ),
        (Policy::Daily, AccountSignal::DayExhausted),
        (Policy::LockedOut, AccountSignal::Busy { wait_ms: 600_000 }),
    ] {
        let mut line = Line::new(config());
        line.crm
            .add_fault(Fault::next(FaultKind::Throttled(policy), ""));
        let meaning = line.exchange(&write(Verb::Create, Object::Call, "c-1", &[]));
        assert_eq!(meaning.items, [ItemOutcome::NotExecuted], "{policy:?}");
        assert_eq!(meaning.account, expect, "{policy:?}");
    }
    let mut line = Line::new(PipedriveConfig {
        search_limit: 1,
        ..config()
    });
    line.found(&by_phone("+12025550101"));
    line.now_ms -= 2_000;
    assert_eq!(
        line.exchange(&by_phone("+12025550101")).account,
        AccountSignal::Throttled {
            window: "search",
            wait_ms: Some(2_000)
        }
    );
    line.crm.revoke(TOKEN);
    let meaning = line.exchange(&by_phone("+12025550101"));
    assert_eq!(meaning.account, AccountSignal::CredentialRefused);
}
