//! Scripted faults: what was carried out and what the requester learns are two things.

use callflume_sim::fakes::{Deliver, Method, Reply};
use callflume_sim::pipedrive::{Fault, FaultKind, Kind, Pipedrive, Policy};
use serde_json::json;

use crate::{NOON_MS, PERSONS, company, get, post};

fn create(crm: &mut Pipedrive, at_ms: i64) -> Reply {
    post(crm, at_ms, PERSONS, &json!({"name": "A"}))
}

#[test]
fn each_fault_tells_and_does_what_it_says() {
    for (kind, status, delivered, carried_out, json) in [
        (FaultKind::ExecuteThenStatus(502), 502, true, true, false),
        (FaultKind::ExecuteThenStatus(500), 500, true, true, true),
        (FaultKind::ExecuteThenDrop, 200, false, true, true),
        (FaultKind::ExecuteThenTruncate, 200, true, true, false),
        (FaultKind::ExecuteThenPage, 200, true, true, false),
        (FaultKind::ExecuteSlowly(9_000), 200, true, true, true),
        (FaultKind::DropWithoutExecuting, 500, false, false, true),
        (
            FaultKind::StatusWithoutExecuting(500),
            500,
            true,
            false,
            true,
        ),
        (
            FaultKind::StatusWithoutExecuting(503),
            503,
            true,
            false,
            false,
        ),
        (FaultKind::Throttled(Policy::Burst), 429, true, false, true),
        (FaultKind::Throttled(Policy::Daily), 429, true, false, true),
        (
            FaultKind::Throttled(Policy::LockedOut),
            403,
            true,
            false,
            false,
        ),
    ] {
        let mut crm = company();
        crm.add_fault(Fault::next(kind.clone(), "/persons"));
        let reply = create(&mut crm, NOON_MS);
        assert_eq!(reply.status, status, "{kind:?}");
        assert_eq!(reply.deliver == Deliver::Normal, delivered, "{kind:?}");
        assert_eq!(reply.body_json().is_some(), json, "{kind:?}");
        let slow = matches!(kind, FaultKind::ExecuteSlowly(_));
        assert_eq!(reply.extra_delay_ms, if slow { 9_000 } else { 0 });
        let there = crm.records(Kind::Person).count();
        assert_eq!(there, usize::from(carried_out), "{kind:?}");
        let audit = crm.requests().last().unwrap().clone();
        assert!(audit.faulted);
        assert_eq!(audit.executed, carried_out, "{kind:?}");
        let costs = !matches!(kind, FaultKind::Throttled(_));
        assert_eq!(audit.tokens, if costs { 5 } else { 0 }, "{kind:?}");
        assert_eq!(crm.day(NOON_MS).used, u64::from(audit.tokens), "{kind:?}");
        assert_eq!(create(&mut crm, NOON_MS).status, 200, "only the next one");
    }
}

#[test]
fn faults_choose_by_method_path_time_and_number() {
    let mut crm = company();
    crm.add_fault(Fault::nth(
        FaultKind::StatusWithoutExecuting(500),
        "/persons",
        2,
    ));
    crm.add_fault(Fault {
        method: Some(Method::Get),
        ..Fault::during(
            FaultKind::StatusWithoutExecuting(503),
            "/persons",
            NOON_MS + 1_000,
            NOON_MS + 2_000,
        )
    });
    assert_eq!(create(&mut crm, NOON_MS).status, 200);
    assert_eq!(create(&mut crm, NOON_MS).status, 500);
    for (at, expect) in [(999, 200), (1_000, 503), (1_999, 503), (2_000, 200)] {
        assert_eq!(get(&mut crm, NOON_MS + at, PERSONS).status, expect, "{at}");
    }
    crm.add_fault(Fault::next(FaultKind::ExecuteThenDrop, ""));
    crm.clear_faults();
    assert_eq!(create(&mut crm, NOON_MS + 2_000).status, 200);
}

#[test]
fn the_same_requests_give_the_same_bytes() {
    let run = || {
        let mut crm = company();
        crm.seed_contacts(20, 3).unwrap();
        let mut replies = Vec::new();
        for turn in 0..30 {
            replies.push(create(&mut crm, NOON_MS + turn * 10));
            replies.push(get(&mut crm, NOON_MS + turn * 10, PERSONS));
        }
        let times: Vec<u64> = (0..10).map(|_| crm.service_time_ms()).collect();
        (replies, crm.writes().to_vec(), times)
    };
    assert_eq!(run(), run());
}
