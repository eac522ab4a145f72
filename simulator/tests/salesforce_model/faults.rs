//! Scripted faults: what was carried out and what the requester learns are two things.

use callflume_sim::fakes::{Deliver, Method, Reply};
use callflume_sim::salesforce::{Fault, FaultKind, ObjectKind, Policy, Salesforce};
use serde_json::{Value, json};

use crate::{CONTACTS, KEY, NOON_MS, body, code, get, org, patch, post, with};

fn create(crm: &mut Salesforce, at_ms: i64) -> Reply {
    post(crm, at_ms, CONTACTS, &json!({"LastName": "A"}))
}

#[test]
fn each_fault_tells_and_does_what_it_says() {
    for (kind, status, delivered, carried_out, json) in [
        (FaultKind::ExecuteThenStatus(500), 500, true, true, true),
        (FaultKind::ExecuteThenStatus(502), 502, true, true, false),
        (FaultKind::ExecuteThenStatus(503), 503, true, true, true),
        (FaultKind::ExecuteThenDrop, 201, false, true, true),
        (FaultKind::ExecuteThenTruncate, 201, true, true, false),
        (FaultKind::ExecuteThenPage, 200, true, true, false),
        (FaultKind::ExecuteSlowly(9_000), 201, true, true, true),
        (FaultKind::DropWithoutExecuting, 500, false, false, true),
        (
            FaultKind::StatusWithoutExecuting(503),
            503,
            true,
            false,
            true,
        ),
        (
            FaultKind::StatusWithoutExecuting(420),
            420,
            true,
            false,
            false,
        ),
        (FaultKind::Throttled(Policy::Total), 403, true, false, true),
        (
            FaultKind::Throttled(Policy::Concurrent),
            403,
            true,
            false,
            true,
        ),
        (FaultKind::SessionInvalid, 401, true, false, true),
        (FaultKind::ApiDisabled, 403, true, false, true),
    ] {
        let mut crm = org();
        crm.add_fault(Fault::next(kind.clone(), "/sobjects/"));
        assert_eq!(
            get(&mut crm, NOON_MS, "/limits").status,
            200,
            "another path"
        );
        let reply = create(&mut crm, NOON_MS);
        assert_eq!(reply.status, status, "{kind:?}");
        assert_eq!(reply.deliver == Deliver::Normal, delivered, "{kind:?}");
        assert_eq!(reply.body_json().is_some(), json, "{kind:?}");
        let slow = matches!(kind, FaultKind::ExecuteSlowly(_));
        assert_eq!(reply.extra_delay_ms, if slow { 9_000 } else { 0 });
        assert_eq!(
            crm.records(ObjectKind::Contact).count(),
            usize::from(carried_out),
            "{kind:?}"
        );
        assert_eq!(crm.writes().len(), usize::from(carried_out), "{kind:?}");
        let audit = crm.requests().last().unwrap().clone();
        assert!(audit.faulted);
        assert_eq!(audit.executed, carried_out, "{kind:?}");
        assert_eq!(
            audit.calls,
            u32::from(!matches!(kind, FaultKind::Throttled(_))),
            "{kind:?}"
        );
        assert_eq!(create(&mut crm, NOON_MS).status, 201, "only the next one");
    }
}

#[test]
fn errors_without_execution_have_their_codes() {
    for (kind, status, expect) in [
        (
            FaultKind::StatusWithoutExecuting(500),
            500,
            "UNKNOWN_EXCEPTION",
        ),
        (
            FaultKind::StatusWithoutExecuting(503),
            503,
            "SERVER_UNAVAILABLE",
        ),
        (FaultKind::SessionInvalid, 401, "INVALID_SESSION_ID"),
        (FaultKind::ApiDisabled, 403, "API_DISABLED_FOR_ORG"),
        (
            FaultKind::Throttled(Policy::Concurrent),
            403,
            "REQUEST_LIMIT_EXCEEDED",
        ),
        (
            FaultKind::RowsLocked { first: 0, count: 1 },
            400,
            "UNABLE_TO_LOCK_ROW",
        ),
        (
            FaultKind::RowsRefused { first: 0, count: 1 },
            400,
            "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        ),
    ] {
        let mut crm = org();
        crm.add_fault(Fault::next(kind, ""));
        assert_eq!(code(&create(&mut crm, NOON_MS), status), expect);
        assert!(crm.writes().is_empty());
    }
}

#[test]
fn single_records_of_a_request_can_be_locked_or_refused() {
    let sent = json!({"records": (0..5).map(|at| json!({"attributes": {"type": "Contact"}, "LastName": "A", KEY: format!("k{at}")}))
        .collect::<Vec<Value>>()});
    let path = format!("/composite/sobjects/Contact/{KEY}");
    let codes = |answer: &Value| -> Vec<String> {
        let items = answer.as_array().unwrap().iter();
        items
            .map(|it| {
                it["errors"][0]["statusCode"]
                    .as_str()
                    .unwrap_or("done")
                    .to_owned()
            })
            .collect()
    };
    let mut crm = org();
    crm.add_fault(Fault::next(
        FaultKind::RowsLocked { first: 1, count: 2 },
        "",
    ));
    let answer = body(&patch(&mut crm, NOON_MS, &path, &sent), 200);
    assert_eq!(
        codes(&answer),
        [
            "done",
            "UNABLE_TO_LOCK_ROW",
            "UNABLE_TO_LOCK_ROW",
            "done",
            "done"
        ]
    );
    assert_eq!(crm.records(ObjectKind::Contact).count(), 3);
    crm.add_fault(Fault::next(
        FaultKind::RowsRefused { first: 0, count: 1 },
        "",
    ));
    let answer = body(&patch(&mut crm, NOON_MS, &path, &sent), 200);
    assert_eq!(
        codes(&answer),
        [
            "FIELD_CUSTOM_VALIDATION_EXCEPTION",
            "done",
            "done",
            "done",
            "done"
        ]
    );
    let part = |name: &str| {
        json!({"referenceId": name, "method": "POST", "url": "/services/data/v66.0/sobjects/Contact",
        "body": {"LastName": "A"}})
    };
    crm.add_fault(Fault::next(
        FaultKind::RowsLocked { first: 1, count: 1 },
        "",
    ));
    let before = crm.writes().len();
    let composite = json!({"allOrNone": true, "compositeRequest": [part("a"), part("b")]});
    let answer = body(&post(&mut crm, NOON_MS, "/composite", &composite), 200);
    assert_eq!(
        answer["compositeResponse"][1]["body"][0]["errorCode"],
        "UNABLE_TO_LOCK_ROW"
    );
    assert_eq!(crm.writes().len(), before);
}

#[test]
fn an_answer_of_20_seconds_takes_a_long_requests_place() {
    let mut crm = with(|config| config.long_requests = 1);
    crm.add_fault(Fault::next(FaultKind::ExecuteSlowly(30_000), ""));
    assert_eq!(create(&mut crm, NOON_MS).status, 201);
    for (at, status) in [(19_999, 201), (20_000, 403), (29_999, 403), (30_000, 201)] {
        assert_eq!(create(&mut crm, NOON_MS + at).status, status, "{at}");
    }
}

#[test]
fn faults_choose_by_method_path_time_and_number() {
    let mut crm = org();
    crm.add_fault(Fault::nth(
        FaultKind::StatusWithoutExecuting(500),
        "/sobjects",
        2,
    ));
    crm.add_fault(Fault {
        method: Some(Method::Get),
        ..Fault::during(
            FaultKind::StatusWithoutExecuting(503),
            "/limits",
            NOON_MS + 1_000,
            NOON_MS + 2_000,
        )
    });
    assert_eq!(create(&mut crm, NOON_MS).status, 201);
    assert_eq!(create(&mut crm, NOON_MS).status, 500);
    for (at, expect) in [(999, 200), (1_000, 503), (1_999, 503), (2_000, 200)] {
        assert_eq!(
            get(&mut crm, NOON_MS + at, "/limits").status,
            expect,
            "{at}"
        );
    }
    crm.add_fault(Fault::next(FaultKind::ExecuteThenDrop, ""));
    crm.clear_faults();
    assert_eq!(create(&mut crm, NOON_MS + 2_000).deliver, Deliver::Normal);
}

#[test]
fn the_same_requests_give_the_same_bytes() {
    let run = || {
        let mut crm = org();
        crm.seed_contacts(20, 3).unwrap();
        let mut replies = Vec::new();
        for turn in 0..30 {
            replies.push(create(&mut crm, NOON_MS + turn * 10));
            replies.push(get(
                &mut crm,
                NOON_MS + turn * 10,
                "/query?q=SELECT+Id+FROM+Contact",
            ));
        }
        let times: Vec<u64> = (0..10).map(|_| crm.service_time_ms()).collect();
        (replies, crm.writes().to_vec(), times)
    };
    assert_eq!(run(), run());
}
