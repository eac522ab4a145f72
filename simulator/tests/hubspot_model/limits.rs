//! Windows, the two 429 shapes, headers, and the account's day.

use callflume_sim::fakes::{Method, Request};
use callflume_sim::hubspot::{App, HubSpot, HubSpotConfig, Policy, Pool};
use proptest::prelude::*;
use serde_json::json;

use crate::{CONTACTS, NOON_MS, TOKEN, account, body, config, get, post};

const INTERVAL_HEADERS: [&str; 5] = [
    "X-HubSpot-RateLimit-Interval-Milliseconds",
    "X-HubSpot-RateLimit-Max",
    "X-HubSpot-RateLimit-Remaining",
    "X-HubSpot-RateLimit-Secondly",
    "X-HubSpot-RateLimit-Secondly-Remaining",
];
const DAILY_HEADERS: [&str; 2] = [
    "X-HubSpot-RateLimit-Daily",
    "X-HubSpot-RateLimit-Daily-Remaining",
];

fn search(crm: &mut HubSpot, at_ms: i64) -> callflume_sim::fakes::Reply {
    post(
        crm,
        at_ms,
        &format!("{CONTACTS}/search"),
        &json!({"filterGroups": []}),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever the gaps between requests, no 10 s hold more admitted ones than the limit, and none is refused needlessly.
    #[test]
    fn no_rolling_window_holds_more_than_the_limit(
        gaps in prop::collection::vec(prop_oneof![4 => 0_i64..40, 1 => 40_i64..900, 1 => 3_000_i64..11_000], 1..900)
    ) {
        let mut crm = account();
        let mut now_ms = NOON_MS;
        let mut admitted: Vec<i64> = Vec::new();
        let mut refused = 0;
        for gap in gaps {
            now_ms += gap;
            let reply = get(&mut crm, now_ms, "/crm/v3/owners/");
            let held = admitted.iter().filter(|&&at| at > now_ms - 10_000).count();
            prop_assert_eq!(reply.status, if held < 190 { 200 } else { 429 });
            if reply.status == 200 {
                admitted.push(now_ms);
            } else {
                refused += 1;
            }
        }
        let counters = crm.counters();
        prop_assert_eq!(counters.over_limit, refused);
        prop_assert_eq!(counters.admitted, admitted.len() as u64);
        prop_assert!(counters.max_in_interval <= 190);
    }
}

#[test]
fn a_request_leaves_the_window_after_exactly_ten_seconds() {
    let mut crm = account();
    for _ in 0..190 {
        body(&get(&mut crm, NOON_MS, "/crm/v3/owners/"), 200);
    }
    for (at_ms, status) in [(0, 429), (9_999, 429), (10_000, 200)] {
        assert_eq!(
            get(&mut crm, NOON_MS + at_ms, "/crm/v3/owners/").status,
            status,
            "{at_ms}"
        );
    }
    assert_eq!(crm.counters().max_in_interval, 190);
    assert_eq!(crm.counters().throttled[&Policy::TenSecondlyRolling], 2);
}

#[test]
fn refused_requests_take_a_place_only_when_told_to() {
    for (count, later) in [(false, 200), (true, 429)] {
        let mut settings = config();
        settings.apps[0].interval_limit = 1;
        settings.rejected_requests_count = count;
        let mut crm = HubSpot::new(settings).unwrap();
        assert_eq!(get(&mut crm, NOON_MS, "/crm/v3/owners/").status, 200);
        assert_eq!(
            get(&mut crm, NOON_MS + 5_000, "/crm/v3/owners/").status,
            429
        );
        assert_eq!(
            get(&mut crm, NOON_MS + 10_000, "/crm/v3/owners/").status,
            later
        );
    }
}

#[test]
fn a_full_window_answers_in_the_documented_shape() {
    let mut settings = config();
    settings.apps[0].interval_limit = 1;
    let mut crm = HubSpot::new(settings).unwrap();
    get(&mut crm, NOON_MS, "/crm/v3/owners/");
    let reply = get(&mut crm, NOON_MS + 1, "/crm/v3/owners/");
    let text = body(&reply, 429);
    assert_eq!(text["policyName"], "TEN_SECONDLY_ROLLING");
    assert_eq!(text["errorType"], "RATE_LIMIT");
    assert_eq!(
        text["message"],
        "You have reached your ten_secondly_rolling limit."
    );
    assert_eq!(
        text["correlationId"].as_str(),
        reply.header("x-hubspot-correlation-id")
    );
    assert_eq!(reply.header("x-hubspot-ratelimit-remaining"), Some("0"));
    assert_eq!(reply.header("retry-after"), None);
    assert!(!crm.requests()[1].executed);
}

#[test]
fn searches_have_their_own_pool_and_their_own_shape() {
    let mut crm = account();
    for _ in 0..5 {
        let reply = search(&mut crm, NOON_MS);
        body(&reply, 200);
        for name in INTERVAL_HEADERS.iter().chain(&DAILY_HEADERS) {
            assert_eq!(reply.header(name), None, "{name}");
        }
    }
    let reply = search(&mut crm, NOON_MS + 999);
    let text = body(&reply, 429);
    assert_eq!(text["message"], "You have reached your secondly limit.");
    assert_eq!(text["category"], "RATE_LIMITS");
    assert_eq!(text.get("policyName"), None);
    assert_eq!(text.get("errorType"), None);
    assert_eq!(search(&mut crm, NOON_MS + 1_000).status, 200);

    let reply = get(&mut crm, NOON_MS + 1_000, "/crm/v3/owners/");
    assert_eq!(reply.header("X-HubSpot-RateLimit-Remaining"), Some("189"));
    // Searches count for the day all the same: six of them and this read.
    assert_eq!(
        reply.header("X-HubSpot-RateLimit-Daily-Remaining"),
        Some("624993")
    );
    assert_eq!(crm.counters().max_in_search_interval, 5);
    assert_eq!(crm.counters().throttled[&Policy::Secondly], 1);
}

#[test]
fn ordinary_replies_carry_both_sets_of_headers_and_oauth_only_one() {
    let mut settings = config();
    settings.apps.push(App {
        app_id: 77,
        interval_limit: 110,
        oauth: true,
        ..App::private("oauth-token")
    });
    let mut crm = HubSpot::new(settings).unwrap();
    let reply = get(&mut crm, NOON_MS, "/crm/v3/owners/");
    for (name, value) in INTERVAL_HEADERS
        .iter()
        .chain(&DAILY_HEADERS)
        .zip(["10000", "190", "189", "19", "18", "625000", "624999"])
    {
        assert_eq!(reply.header(name), Some(value), "{name}");
    }
    let request = Request::new(Method::Get, "/crm/v3/owners/").with_bearer("oauth-token");
    let reply = crm.handle(NOON_MS, &request);
    assert_eq!(reply.header("X-HubSpot-RateLimit-Max"), Some("110"));
    assert_eq!(reply.header("X-HubSpot-RateLimit-Remaining"), Some("109"));
    assert_eq!(reply.header(DAILY_HEADERS[0]), None);
}

#[test]
fn each_app_has_its_own_window_and_two_tokens_of_one_app_share_it() {
    let mut settings = config();
    settings.apps[0].interval_limit = 1;
    settings.apps.push(App {
        app_id: 9_002,
        ..App::private("other-app")
    });
    settings.apps.push(App::private("rotated"));
    let mut crm = HubSpot::new(settings).unwrap();
    let mut ask = |token: &str| {
        let request = Request::new(Method::Get, "/crm/v3/owners/").with_bearer(token);
        crm.handle(NOON_MS, &request).status
    };
    assert_eq!(ask(TOKEN), 200);
    assert_eq!(ask("rotated"), 429);
    assert_eq!(ask("other-app"), 200);
}

/// The day ends at midnight where the account is, also when that day has 23 or 25 hours.
#[test]
fn the_day_ends_at_midnight_of_the_accounts_zone() {
    for (zone, first_ms, midnight_ms) in [
        // 15 June, 23:59 in New York (UTC-4).
        (
            "America/New_York",
            1_781_582_340_000_i64,
            1_781_582_400_000_i64,
        ),
        // 29 March 2026 in Berlin: summer time begins, the day has 23 hours (from 28 March 23:00 UTC to 29 March 22:00 UTC).
        ("Europe/Berlin", 1_774_738_800_000, 1_774_821_600_000),
        // 25 October 2026 in Berlin: 25 hours.
        ("Europe/Berlin", 1_792_879_200_000, 1_792_969_200_000),
        ("Asia/Kolkata", 1_781_542_800_000, 1_781_548_200_000),
    ] {
        let mut crm = HubSpot::new(HubSpotConfig {
            time_zone: zone.to_owned(),
            daily_limit: 2,
            ..config()
        })
        .unwrap();
        let statuses: Vec<u16> = [first_ms, first_ms, midnight_ms - 1, midnight_ms]
            .into_iter()
            .map(|at_ms| get(&mut crm, at_ms, "/crm/v3/owners/").status)
            .collect();
        assert_eq!(statuses, [200, 200, 429, 200], "{zone}");
    }
}

#[test]
fn a_spent_day_answers_with_the_daily_policy_for_searches_too() {
    let mut crm = HubSpot::new(HubSpotConfig {
        daily_limit: 1,
        ..config()
    })
    .unwrap();
    get(&mut crm, NOON_MS, "/crm/v3/owners/");
    for reply in [
        get(&mut crm, NOON_MS, "/crm/v3/owners/"),
        search(&mut crm, NOON_MS),
    ] {
        let text = body(&reply, 429);
        assert_eq!(text["policyName"], "DAILY");
        assert_eq!(text["errorType"], "RATE_LIMIT");
        assert!(text["requestId"].is_string());
        assert_eq!(reply.header(INTERVAL_HEADERS[2]), None);
    }
    assert_eq!(crm.counters().throttled[&Policy::Daily], 2);
    assert_eq!(crm.counters().max_in_day, 1);
    assert_eq!(crm.day(NOON_MS).used, 1);
}

#[test]
fn what_others_spend_is_seen_in_headers_and_usage() {
    let mut crm = account();
    assert_eq!(
        crm.spend_elsewhere(NOON_MS, TOKEN, Pool::Interval, 100),
        100
    );
    let reply = get(
        &mut crm,
        NOON_MS,
        "/account-info/v3/api-usage/daily/private-apps",
    );
    assert_eq!(reply.header("X-HubSpot-RateLimit-Remaining"), Some("89"));
    let usage = &body(&reply, 200)["results"][0];
    assert_eq!(usage["currentUsage"], 101);
    assert_eq!(usage["usageLimit"], 625_000);
    // Midnight in New York.
    assert_eq!(usage["resetsAt"], "2026-06-16T04:00:00.000Z");
    assert_eq!(crm.spend_elsewhere(NOON_MS, TOKEN, Pool::Interval, 100), 89);
    assert_eq!(get(&mut crm, NOON_MS, "/crm/v3/owners/").status, 429);
    assert_eq!(crm.counters().requests, 2);
}

#[test]
fn a_lowered_limit_holds_at_once() {
    let mut crm = account();
    for _ in 0..50 {
        get(&mut crm, NOON_MS, "/crm/v3/owners/");
    }
    assert!(crm.set_interval_limit(TOKEN, 50));
    assert_eq!(
        get(&mut crm, NOON_MS + 9_000, "/crm/v3/owners/").status,
        429
    );
    assert_eq!(
        get(&mut crm, NOON_MS + 10_000, "/crm/v3/owners/").status,
        200
    );
}

#[test]
fn an_older_instant_counts_as_the_newest_seen() {
    let mut crm = account();
    get(&mut crm, NOON_MS, "/crm/v3/owners/");
    get(&mut crm, NOON_MS - 60_000, "/crm/v3/owners/");
    assert_eq!(crm.requests()[1].at_ms, NOON_MS);
}

#[test]
fn service_times_are_seeded_and_stay_within_their_bounds() {
    let draw = |seed| -> Vec<u64> {
        let mut crm = HubSpot::new(HubSpotConfig { seed, ..config() }).unwrap();
        (0..200).map(|_| crm.service_time_ms()).collect()
    };
    assert_eq!(draw(3), draw(3));
    assert_ne!(draw(3), draw(4));
    assert!(draw(3).iter().all(|ms| (30..=50).contains(ms)));
}

#[test]
fn a_configuration_that_cannot_work_is_refused_with_its_remedy() {
    let zone = HubSpot::new(HubSpotConfig {
        time_zone: "Mars/Olympus".to_owned(),
        ..config()
    });
    assert!(zone.unwrap_err().to_string().contains("Mars/Olympus"));
    let shared = HubSpot::new(HubSpotConfig {
        apps: vec![App::private("one"), App::private("one")],
        ..config()
    });
    assert!(shared.unwrap_err().to_string().contains("share a token"));
    let zero = HubSpot::new(HubSpotConfig {
        search_limit: 0,
        ..config()
    });
    assert!(zero.unwrap_err().to_string().contains("search_limit"));
}
