//! Scripted faults: what was carried out and what the requester learns are two things.

use callflume_sim::fakes::{Deliver, Method, Reply};
use callflume_sim::hubspot::{Fault, FaultKind, HubSpot, ObjectKind, Policy};
use serde_json::json;

use crate::{CONTACTS, NOON_MS, account, body, get, post};

fn create(crm: &mut HubSpot, at_ms: i64) -> Reply {
    post(
        crm,
        at_ms,
        CONTACTS,
        &json!({"properties": {"firstname": "A"}}),
    )
}

#[test]
fn each_fault_tells_and_does_what_it_says() {
    let cases = [
        // fault, status, delivered, carried out
        (FaultKind::ExecuteThenStatus(502), 502, true, true),
        (FaultKind::ExecuteThenStatus(504), 504, true, true),
        (FaultKind::ExecuteThenStatus(500), 500, true, true),
        (FaultKind::ExecuteThenDrop, 201, false, true),
        (FaultKind::ExecuteThenTruncate, 201, true, true),
        (FaultKind::ExecuteSlowly(9_000), 201, true, true),
        (FaultKind::DropWithoutExecuting, 500, false, false),
        (FaultKind::StatusWithoutExecuting(500), 500, true, false),
        (FaultKind::StatusWithoutExecuting(503), 503, true, false),
        (FaultKind::Html502, 502, true, false),
        (FaultKind::Locked423, 423, true, false),
        (
            FaultKind::Migrating477 {
                retry_after_s: 3_600,
            },
            477,
            true,
            false,
        ),
        (
            FaultKind::Throttled(Policy::TenSecondlyRolling),
            429,
            true,
            false,
        ),
        (FaultKind::Throttled(Policy::Daily), 429, true, false),
    ];
    for (kind, status, delivered, carried_out) in cases {
        let mut crm = account();
        crm.add_fault(Fault::next(kind.clone(), "/contacts"));
        let reply = create(&mut crm, NOON_MS);
        assert_eq!(reply.status, status, "{kind:?}");
        assert_eq!(reply.deliver == Deliver::Normal, delivered, "{kind:?}");
        assert_eq!(
            crm.records(ObjectKind::Contacts).count(),
            usize::from(carried_out),
            "{kind:?}"
        );
        let audit = &crm.requests()[0];
        assert_eq!(
            (audit.executed, audit.faulted),
            (carried_out, true),
            "{kind:?}"
        );
        assert_eq!(create(&mut crm, NOON_MS).status, 201, "{kind:?} hits once");
    }
}

#[test]
fn broken_answers_look_as_they_do_in_the_field() {
    let mut crm = account();
    crm.add_fault(Fault::next(FaultKind::Html502, ""));
    let reply = create(&mut crm, NOON_MS);
    assert_eq!(reply.header("content-type"), Some("text/html"));
    assert_eq!(reply.body_json(), None);
    crm.add_fault(Fault::next(FaultKind::ExecuteThenTruncate, ""));
    assert_eq!(create(&mut crm, NOON_MS).body_json(), None);
    crm.add_fault(Fault::next(
        FaultKind::Migrating477 { retry_after_s: 90 },
        "",
    ));
    assert_eq!(create(&mut crm, NOON_MS).header("retry-after"), Some("90"));
    crm.add_fault(Fault::next(FaultKind::ExecuteSlowly(9_000), ""));
    assert_eq!(create(&mut crm, NOON_MS).extra_delay_ms, 9_000);
    crm.add_fault(Fault::next(FaultKind::Throttled(Policy::Secondly), ""));
    assert_eq!(
        body(&create(&mut crm, NOON_MS), 429)["category"],
        "RATE_LIMITS"
    );
}

#[test]
fn faults_hit_the_requests_they_name() {
    let mut crm = account();
    crm.add_fault(Fault::nth(FaultKind::Locked423, "/contacts", 2));
    crm.add_fault(Fault {
        method: Some(Method::Get),
        times: 2,
        ..Fault::next(FaultKind::Html502, "/owners")
    });
    let statuses: Vec<u16> = (0..3).map(|_| create(&mut crm, NOON_MS).status).collect();
    assert_eq!(statuses, [201, 423, 201]);
    let statuses: Vec<u16> = (0..3)
        .map(|_| get(&mut crm, NOON_MS, "/crm/v3/owners/").status)
        .collect();
    assert_eq!(statuses, [502, 502, 200]);
}

#[test]
fn an_outage_lasts_for_its_span_or_until_it_is_called_off() {
    let mut crm = account();
    crm.add_fault(Fault::during(
        FaultKind::StatusWithoutExecuting(503),
        "",
        NOON_MS + 10,
        NOON_MS + 20,
    ));
    let statuses: Vec<u16> = [9, 10, 19, 20]
        .map(|at| create(&mut crm, NOON_MS + at).status)
        .into();
    assert_eq!(statuses, [201, 503, 503, 201]);
    crm.add_fault(Fault::during(
        FaultKind::DropWithoutExecuting,
        "",
        NOON_MS,
        i64::MAX,
    ));
    assert_eq!(create(&mut crm, NOON_MS + 30).deliver, Deliver::Drop);
    crm.clear_faults();
    assert_eq!(create(&mut crm, NOON_MS + 30).deliver, Deliver::Normal);
}

#[test]
fn a_refusal_by_fault_holds_no_place_in_the_window_and_a_broken_request_does() {
    let mut crm = account();
    crm.add_fault(Fault::next(
        FaultKind::Throttled(Policy::TenSecondlyRolling),
        "",
    ));
    create(&mut crm, NOON_MS);
    crm.add_fault(Fault::next(FaultKind::Html502, ""));
    create(&mut crm, NOON_MS);
    let reply = create(&mut crm, NOON_MS);
    assert_eq!(reply.header("X-HubSpot-RateLimit-Remaining"), Some("188"));
    // No window was full: the run is not at fault.
    assert_eq!(crm.counters().over_limit, 0);
}

#[test]
fn a_refusal_by_fault_shows_the_headers_of_a_full_limit() {
    const DAY: &str = "X-HubSpot-RateLimit-Daily-Remaining";
    const WINDOW: &str = "X-HubSpot-RateLimit-Remaining";
    for (policy, day, window) in [
        (Policy::TenSecondlyRolling, Some("625000"), Some("0")),
        (Policy::Daily, Some("0"), None),
    ] {
        let mut crm = account();
        crm.add_fault(Fault::next(FaultKind::Throttled(policy), ""));
        let refused = create(&mut crm, NOON_MS);
        assert_eq!(
            (refused.header(DAY), refused.header(WINDOW)),
            (day, window),
            "{policy:?}"
        );
        let admitted = create(&mut crm, NOON_MS);
        assert_eq!(
            (admitted.header(DAY), admitted.header(WINDOW)),
            (Some("624999"), Some("189")),
            "{policy:?}"
        );
    }
}

/// The same requests and faults give the same bytes.
#[test]
fn runs_repeat_to_the_byte() {
    let run = || {
        let mut crm = account();
        crm.seed_contacts(20, 3).unwrap();
        crm.add_fault(Fault::nth(FaultKind::ExecuteThenDrop, "", 3));
        let replies: Vec<Reply> = (0..6).map(|at| create(&mut crm, NOON_MS + at)).collect();
        (replies, crm.writes().to_vec(), crm.requests().to_vec())
    };
    assert_eq!(run(), run());
}
