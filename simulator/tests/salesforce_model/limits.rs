//! The limits to the letter.

use callflume_sim::salesforce::{DAY_MS, Policy, Salesforce};
use serde_json::json;

use crate::{CONTACTS, NOON_MS, body, get, org, post, with};

const HOUR_MS: i64 = 3_600_000;

fn limits(crm: &mut Salesforce, at_ms: i64) -> u16 {
    get(crm, at_ms, "/limits").status
}

#[test]
fn any_24_hours_hold_the_figure_and_each_call_leaves_after_a_day() {
    let mut crm = with(|config| config.daily_requests = 3);
    for at in [0, HOUR_MS, 23 * HOUR_MS] {
        assert_eq!(limits(&mut crm, NOON_MS + at), 200);
    }
    for (at, status) in [
        (23 * HOUR_MS, 403),
        (DAY_MS - 1, 403),
        (DAY_MS, 200),
        (DAY_MS + 1, 403),
        (DAY_MS + HOUR_MS, 200),
        (DAY_MS + HOUR_MS, 403),
        (DAY_MS + 23 * HOUR_MS, 200),
    ] {
        assert_eq!(limits(&mut crm, NOON_MS + at), status, "{at}");
    }
    assert_eq!(crm.counters().max_in_day, 3);
    assert_eq!(crm.counters().throttled[&Policy::Total], 4);
}

#[test]
fn a_refusal_says_that_the_total_is_spent_and_does_nothing() {
    let mut crm = with(|config| config.daily_requests = 1);
    assert_eq!(limits(&mut crm, NOON_MS), 200);
    let reply = post(&mut crm, NOON_MS, CONTACTS, &json!({"LastName": "A"}));
    assert_eq!(
        body(&reply, 403),
        json!([{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}])
    );
    assert_eq!(reply.header("sforce-limit-info"), Some("api-usage=1/1"));
    for name in ["retry-after", "ratelimit"] {
        assert_eq!(reply.header(name), None);
    }
    assert!(crm.writes().is_empty());
    let audit = crm.requests().last().unwrap();
    assert_eq!(
        (audit.calls, audit.executed, audit.throttled),
        (0, false, Some(Policy::Total))
    );
    crm.set_daily_requests(2);
    assert_eq!(limits(&mut crm, NOON_MS), 200);
}

#[test]
fn every_answer_tells_the_usage() {
    let mut crm = with(|config| config.burst_header = true);
    for used in 1..4 {
        let reply = get(&mut crm, NOON_MS, "/what");
        let expect = format!("api-usage={used}/110000; api-bursts=1/750");
        assert_eq!(reply.header("sforce-limit-info"), Some(expect.as_str()));
    }
    let mut crm = org();
    let shown = body(&get(&mut crm, NOON_MS, "/limits"), 200);
    assert_eq!(
        shown["DailyApiRequests"],
        json!({"Max": 110_000, "Remaining": 109_999})
    );
}

#[test]
fn a_paid_org_may_run_over_its_figure() {
    let mut crm = with(|config| {
        config.daily_requests = 10;
        config.overrun_percent = 20;
    });
    assert_eq!(crm.spend_elsewhere(NOON_MS, 9), 9);
    for (used, status) in [(10, 200), (11, 200), (12, 200), (12, 403)] {
        let reply = get(&mut crm, NOON_MS, "/limits");
        assert_eq!(reply.status, status);
        let expect = format!("api-usage={used}/10");
        assert_eq!(reply.header("sforce-limit-info"), Some(expect.as_str()));
    }
    assert_eq!(crm.spend_elsewhere(NOON_MS, 9), 0);
    let day = crm.day(NOON_MS);
    assert_eq!(
        (day.used, day.limit, day.next_free_ms),
        (12, 10, Some(NOON_MS + DAY_MS))
    );
}

#[test]
fn long_requests_keep_others_out_while_all_places_are_taken() {
    let mut crm = with(|config| config.long_requests = 2);
    crm.occupy_elsewhere(NOON_MS, 1, 60_000);
    crm.occupy_elsewhere(NOON_MS, 30, 19_999);
    crm.occupy_elsewhere(NOON_MS + 10_000, 1, 30_000);
    for (at, status) in [
        (10_000, 200),
        (29_999, 200),
        (30_000, 403),
        (39_999, 403),
        (40_000, 200),
    ] {
        assert_eq!(limits(&mut crm, NOON_MS + at), status, "{at}");
    }
    let mut crm = with(|config| config.long_requests = 1);
    crm.occupy_elsewhere(NOON_MS, 1, 25_000);
    let reply = get(&mut crm, NOON_MS + 20_000, "/limits");
    assert_eq!(
        body(&reply, 403),
        json!([{"message": "ConcurrentRequests (Concurrent API Requests) Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}])
    );
    assert_eq!(crm.counters().throttled[&Policy::Concurrent], 1);
    assert_eq!(crm.day(NOON_MS + 20_000).used, 0);
}
