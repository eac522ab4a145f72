//! The limits to the letter: prices, windows, the day, the lock-out.

use callflume_sim::fakes::{Method, Reply, Request};
use callflume_sim::pipedrive::{Pipedrive, PipedriveConfig, Policy};
use serde_json::{Value, json};

use crate::{
    ACTIVITIES, DEALS, NOON_MS, NOTES, PERSONS, TOKEN, body, company, config, created, get, person,
    post, send,
};

const ME: &str = "/api/v1/users/me";
const SEARCH: &str = "/api/v2/persons/search?term=ab";

fn with(change: impl FnOnce(&mut PipedriveConfig)) -> Pipedrive {
    let mut config = config();
    change(&mut config);
    Pipedrive::new(config).unwrap()
}

fn header(reply: &Reply, name: &str) -> i64 {
    reply.header(name).unwrap().parse().unwrap()
}

#[test]
fn every_endpoint_has_its_price() {
    let mut crm = company();
    let person = person(&mut crm, NOON_MS, "Bela Lepik");
    let activity = created(&mut crm, NOON_MS, ACTIVITIES, json!({"subject": "x"}));
    let deal = created(&mut crm, NOON_MS, DEALS, json!({"title": "x"}));
    let note = created(
        &mut crm,
        NOON_MS,
        NOTES,
        json!({"content": "x", "person_id": person}),
    );
    let log = json!({"to_phone_number": "+12025550101", "outcome": "busy", "start_time": "2026-06-15 11:00:00",
        "end_time": "2026-06-15 11:00:09"});
    let named = json!({"name": "x"});
    let field = json!({"field_name": "x", "field_type": "varchar"});
    let none = Value::Null;
    let table: [(Method, String, &Value, u32); 27] = [
        (Method::Get, PERSONS.into(), &none, 10),
        (Method::Post, PERSONS.into(), &named, 5),
        (Method::Get, format!("{PERSONS}/{person}"), &none, 1),
        (Method::Patch, format!("{PERSONS}/{person}"), &named, 5),
        (Method::Get, SEARCH.into(), &none, 20),
        (Method::Get, ACTIVITIES.into(), &none, 10),
        (Method::Post, ACTIVITIES.into(), &json!({"subject": "x"}), 5),
        (Method::Get, format!("{ACTIVITIES}/{activity}"), &none, 1),
        (
            Method::Patch,
            format!("{ACTIVITIES}/{activity}"),
            &json!({"done": true}),
            5,
        ),
        (Method::Delete, format!("{ACTIVITIES}/{activity}"), &none, 3),
        (Method::Get, DEALS.into(), &none, 10),
        (Method::Post, DEALS.into(), &json!({"title": "x"}), 5),
        (
            Method::Patch,
            format!("{DEALS}/{deal}"),
            &json!({"value": 3}),
            5,
        ),
        (Method::Get, NOTES.into(), &none, 20),
        (
            Method::Post,
            NOTES.into(),
            &json!({"content": "x", "deal_id": deal}),
            10,
        ),
        (Method::Get, format!("{NOTES}/{note}"), &none, 2),
        (
            Method::Put,
            format!("{NOTES}/{note}"),
            &json!({"content": "y"}),
            10,
        ),
        (Method::Delete, format!("{NOTES}/{note}"), &none, 6),
        (Method::Get, "/api/v1/callLogs".into(), &none, 20),
        (Method::Post, "/api/v1/callLogs".into(), &log, 10),
        (Method::Get, ME.into(), &none, 2),
        (Method::Get, "/api/v1/users".into(), &none, 20),
        (Method::Get, "/api/v2/pipelines".into(), &none, 5),
        (Method::Get, "/api/v2/stages?pipeline_id=1".into(), &none, 5),
        (Method::Get, "/api/v2/personFields".into(), &none, 10),
        (Method::Post, "/api/v2/dealFields".into(), &field, 5),
        (Method::Get, "/api/v1/activityTypes".into(), &none, 20),
    ];
    for (turn, (method, target, body, tokens)) in (1..).zip(table) {
        let before = crm.day(NOON_MS).used;
        let reply = send(&mut crm, NOON_MS + turn * 2_000, method, &target, body);
        assert_eq!(reply.status, 200, "{method:?} {target}");
        assert_eq!(
            crm.requests().last().unwrap().tokens,
            tokens,
            "{method:?} {target}"
        );
        assert_eq!(crm.day(NOON_MS).used - before, u64::from(tokens));
    }
}

#[test]
fn a_rolling_window_holds_its_limit_and_frees_each_place_after_its_span() {
    let mut crm = with(|config| config.burst_limit = 3);
    for at in [0, 500, 1_000] {
        assert_eq!(get(&mut crm, NOON_MS + at, ME).status, 200);
    }
    for (at, status) in [
        (1_999, 429),
        (2_000, 200),
        (2_001, 429),
        (2_500, 200),
        (2_501, 429),
    ] {
        assert_eq!(get(&mut crm, NOON_MS + at, ME).status, status, "{at}");
    }
    assert_eq!(crm.counters().max_in_burst, 3);
    assert_eq!(crm.counters().throttled[&Policy::Burst], 3);
}

#[test]
fn searches_have_a_window_of_their_own() {
    let mut crm = with(|config| config.burst_limit = 2);
    for _ in 0..10 {
        assert_eq!(get(&mut crm, NOON_MS, SEARCH).status, 200);
    }
    let refused = get(&mut crm, NOON_MS, SEARCH);
    assert_eq!(refused.status, 429);
    assert_eq!(header(&refused, "x-ratelimit-limit"), 10);
    assert_eq!(
        get(&mut crm, NOON_MS, ME).status,
        200,
        "others are not held up"
    );
    assert_eq!(crm.counters().throttled[&Policy::Search], 1);
}

#[test]
fn each_token_has_a_window_of_its_own_and_the_day_is_the_companys() {
    let mut crm = with(|config| config.burst_limit = 1);
    let other = Request::new(Method::Get, ME).with_bearer("oauth-token");
    assert_eq!(get(&mut crm, NOON_MS, ME).status, 200);
    assert_eq!(get(&mut crm, NOON_MS, ME).status, 429);
    assert_eq!(crm.handle(NOON_MS, &other).status, 200);
    assert_eq!(crm.day(NOON_MS).used, 4);
}

#[test]
fn headers_show_the_window_the_request_counted_in_and_the_day() {
    let mut crm = company();
    let first = get(&mut crm, NOON_MS, ME);
    let second = get(&mut crm, NOON_MS + 700, ME);
    for (reply, remaining, reset, left) in [(&first, 39, 2, 599_998), (&second, 38, 2, 599_996)] {
        assert_eq!(header(reply, "x-ratelimit-limit"), 40);
        assert_eq!(header(reply, "x-ratelimit-remaining"), remaining);
        assert_eq!(header(reply, "x-ratelimit-reset"), reset);
        assert_eq!(header(reply, "x-daily-ratelimit-token-limit"), 600_000);
        assert_eq!(header(reply, "x-daily-ratelimit-token-remaining"), left);
    }
    assert_eq!(first.header("date"), Some("Mon, 15 Jun 2026 12:00:00 GMT"));
    let mut silent = with(|config| config.daily_headers = false);
    let reply = get(&mut silent, NOON_MS, ME);
    assert_eq!(reply.header("x-daily-ratelimit-token-remaining"), None);
    assert_eq!(header(&reply, "x-ratelimit-remaining"), 39);
}

#[test]
fn the_day_is_spent_in_tokens_and_begins_anew_at_the_servers_midnight() {
    let mut crm = with(|config| {
        config.daily_tokens = 24;
        config.time_zone = "America/Chicago".into();
    });
    assert_eq!(get(&mut crm, NOON_MS, SEARCH).status, 200);
    // 4 are left: a creation would take 5.
    let refused = post(&mut crm, NOON_MS, PERSONS, &json!({"name": "x"}));
    assert_eq!(
        body(&refused, 429),
        json!({"success": false, "error": "daily request budget exceeded", "errorCode": 429,
            "error_info": "Please check developers.pipedrive.com"})
    );
    // Midnight in Chicago is 17 hours after noon in UTC.
    assert_eq!(header(&refused, "retry-after"), 17 * 3_600);
    assert_eq!(header(&refused, "x-daily-ratelimit-token-remaining"), 0);
    assert_eq!(refused.header("x-ratelimit-remaining"), None);
    assert_eq!(
        get(&mut crm, NOON_MS, ME).status,
        200,
        "what is left may be spent"
    );
    assert_eq!(crm.spend_elsewhere(NOON_MS, 9), 2);
    assert_eq!(get(&mut crm, NOON_MS, ME).status, 429);
    let midnight = NOON_MS + 17 * 3_600_000;
    assert_eq!(crm.day(NOON_MS).ends_ms, midnight);
    assert_eq!(get(&mut crm, midnight - 1, ME).status, 429);
    assert_eq!(get(&mut crm, midnight, ME).status, 200);
    assert_eq!(crm.counters().max_in_day, 22);
    assert_eq!(
        crm.records(callflume_sim::pipedrive::Kind::Person).count(),
        0
    );
}

#[test]
fn who_ignores_refusals_is_locked_out_with_a_page() {
    let mut crm = with(|config| {
        config.burst_limit = 1;
        config.lock_out_after = 3;
    });
    assert_eq!(get(&mut crm, NOON_MS, ME).status, 200);
    for _ in 0..3 {
        let refused = get(&mut crm, NOON_MS + 1, ME);
        assert_eq!(body(&refused, 429)["error"], "request over limit");
        assert_eq!(header(&refused, "x-ratelimit-remaining"), 0);
    }
    let locked = get(&mut crm, NOON_MS + 5_000, ME);
    assert_eq!(locked.status, 403);
    assert_eq!(locked.body_json(), None);
    assert!(
        locked
            .header("content-type")
            .unwrap()
            .starts_with("text/html")
    );
    assert_eq!(get(&mut crm, NOON_MS + 60_000, ME).status, 403);
    assert_eq!(get(&mut crm, NOON_MS + 60_001, ME).status, 200);
    assert_eq!(crm.counters().lock_outs, 1);
    assert_eq!(crm.counters().throttled[&Policy::LockedOut], 2);
}

#[test]
fn refusals_between_successes_and_those_of_oauth_do_not_lock_out() {
    let mut crm = with(|config| {
        config.burst_limit = 1;
        config.lock_out_after = 2;
    });
    for turn in 0..4 {
        let at = NOON_MS + turn * 2_000;
        assert_eq!(get(&mut crm, at, ME).status, 200);
        assert_eq!(get(&mut crm, at, ME).status, 429);
    }
    let other = Request::new(Method::Get, ME).with_bearer("oauth-token");
    assert_eq!(crm.handle(NOON_MS + 9_000, &other).status, 200);
    for _ in 0..9 {
        assert_eq!(crm.handle(NOON_MS + 9_000, &other).status, 429);
    }
    assert_eq!(crm.counters().lock_outs, 0);
    crm.lock_out(TOKEN, NOON_MS + 20_000);
    assert_eq!(get(&mut crm, NOON_MS + 19_999, ME).status, 403);
    assert_eq!(get(&mut crm, NOON_MS + 20_000, ME).status, 200);
}

#[test]
fn a_refused_request_changes_and_costs_nothing() {
    let mut crm = with(|config| config.burst_limit = 1);
    created(&mut crm, NOON_MS, PERSONS, json!({"name": "x"}));
    let used = crm.day(NOON_MS).used;
    assert_eq!(
        post(&mut crm, NOON_MS, PERSONS, &json!({"name": "y"})).status,
        429
    );
    assert_eq!(crm.day(NOON_MS).used, used);
    assert_eq!(crm.writes().len(), 1);
    let audit = crm.requests().last().unwrap();
    assert_eq!((audit.tokens, audit.executed), (0, false));
    crm.set_burst_limit(2);
    assert_eq!(
        post(&mut crm, NOON_MS, PERSONS, &json!({"name": "y"})).status,
        200
    );
}
