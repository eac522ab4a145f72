//! The limits: per endpoint group, key and organisation, to the request.

use callflume_sim::close::{ApiKey, Close, CloseConfig, Scope};
use callflume_sim::fakes::{Method, Request};
use proptest::prelude::*;
use serde_json::json;

use crate::{NOON_MS, body, config, get, organisation, post};

#[test]
fn each_group_of_a_key_has_a_sliding_window_of_its_own() {
    let mut crm = organisation();
    for number in 0..20 {
        let reply = get(&mut crm, NOON_MS + number * 10, "/contact/");
        assert_eq!(reply.status, 200);
        let left = format!("limit=20, remaining={}, reset=1", 19 - number);
        assert_eq!(reply.header("RateLimit"), Some(&*left));
    }
    let refused = get(&mut crm, NOON_MS + 500, "/contact/");
    assert_eq!(refused.status, 429);
    assert_eq!(
        refused.header("RateLimit"),
        Some("limit=20, remaining=0, reset=1")
    );
    assert_eq!(refused.header("Retry-After"), Some("1"));
    assert_eq!(body(&refused, 429), json!({}));
    assert_eq!(
        get(&mut crm, NOON_MS + 500, "/lead/").status,
        200,
        "another group"
    );
    assert_eq!(
        get(&mut crm, NOON_MS + 500, "/contact/cont_1/").status,
        404,
        "another template"
    );
    assert_eq!(get(&mut crm, NOON_MS + 999, "/contact/").status, 429);
    assert_eq!(
        get(&mut crm, NOON_MS + 1_000, "/contact/").status,
        200,
        "the first has left"
    );
    assert_eq!(
        get(&mut crm, NOON_MS + 1_000, "/contact/").status,
        429,
        "but only the first"
    );
    let counters = crm.counters();
    assert_eq!(
        (counters.over_limit, counters.max_in_window["GET /contact/"]),
        (3, 20)
    );
    assert_eq!(crm.requests()[20].throttled, Some(Scope::Key));
}

#[test]
fn the_organisation_has_three_times_the_limit_of_a_key() {
    let mut crm = organisation();
    assert_eq!(crm.spend_elsewhere(NOON_MS, "GET /contact/", 100), 60);
    let refused = get(&mut crm, NOON_MS, "/contact/");
    assert_eq!(refused.status, 429);
    assert_eq!(
        refused.header("RateLimit"),
        Some("limit=60, remaining=0, reset=1")
    );
    assert_eq!(crm.requests()[0].throttled, Some(Scope::Organization));
    let keys = (0..4)
        .map(|number| ApiKey::token(&format!("t{number}")))
        .collect();
    let mut crm = Close::new(CloseConfig { keys, ..config() }).unwrap();
    let mut answered = 0;
    for number in 0..80 {
        let request =
            Request::new(Method::Get, "/api/v1/contact/").with_bearer(&format!("t{}", number % 4));
        answered += u32::from(crm.handle(NOON_MS, &request).status == 200);
    }
    assert_eq!(answered, 60);
}

#[test]
fn searches_are_stricter_and_a_test_sets_any_group() {
    let mut crm = organisation();
    let query = json!({"query": {"type": "and", "queries": [{"type": "object_type", "object_type": "contact"}]}});
    let mut answered = 0;
    for _ in 0..10 {
        answered += u32::from(post(&mut crm, NOON_MS, "/data/search/", &query).status == 200);
    }
    assert_eq!(answered, 5);
    crm.set_limit("POST /data/search/", 7);
    assert_eq!(post(&mut crm, NOON_MS, "/data/search/", &query).status, 200);
}

#[test]
fn the_old_body_has_the_only_fraction() {
    let mut crm = Close::new(CloseConfig {
        old_throttle_body: true,
        key_limit: 1,
        ..config()
    })
    .unwrap();
    get(&mut crm, NOON_MS, "/me/");
    let refused = get(&mut crm, NOON_MS + 130, "/me/");
    assert_eq!(
        refused.header("RateLimit"),
        Some("limit=1, remaining=0, reset=1")
    );
    let error = &body(&refused, 429)["error"];
    assert_eq!(
        (
            &error["rate_reset"],
            &error["rate_limit"],
            &error["rate_limit_type"]
        ),
        (&json!(0.87), &json!(1), &json!("key"))
    );
}

#[test]
fn a_refused_request_changes_nothing() {
    let mut crm = Close::new(CloseConfig {
        key_limit: 1,
        ..config()
    })
    .unwrap();
    post(&mut crm, NOON_MS, "/lead/", &json!({"name": "one"}));
    assert_eq!(
        post(&mut crm, NOON_MS, "/lead/", &json!({"name": "two"})).status,
        429
    );
    assert_eq!(crm.writes().len(), 1);
    assert!(!crm.requests()[1].executed);
}

/// Four keys, three of a key in two groups a second.
fn crowded() -> Close {
    let keys = (0..4)
        .map(|number| ApiKey::token(&format!("t{number}")))
        .collect();
    Close::new(CloseConfig {
        keys,
        key_limit: 3,
        organization_factor: 2,
        ..config()
    })
    .unwrap()
}

const PATHS: [&str; 2] = ["/api/v1/contact/", "/api/v1/lead/"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_window_ever_holds_more_than_its_limit_and_none_is_refused_before(
        arrivals in prop::collection::vec((0_i64..250, 0_usize..4, 0_usize..2), 1..150),
    ) {
        let (mut crm, mut again) = (crowded(), crowded());
        let mut at_ms = NOON_MS;
        let mut admitted: Vec<(i64, usize, usize)> = Vec::new();
        for (after_ms, key, path) in arrivals {
            at_ms += after_ms;
            let request = Request::new(Method::Get, PATHS[path]).with_bearer(&format!("t{key}"));
            let reply = crm.handle(at_ms, &request);
            prop_assert_eq!(&reply, &again.handle(at_ms, &request), "the same again");
            let in_window = |of_key: bool| admitted.iter().filter(|(then_ms, whose, where_to)| {
                *then_ms > at_ms - 1_000 && *where_to == path && (!of_key || *whose == key)
            }).count();
            let full = in_window(true) >= 3 || in_window(false) >= 6;
            prop_assert_eq!(reply.status == 429, full);
            if !full {
                admitted.push((at_ms, key, path));
            }
        }
        prop_assert_eq!(crm.counters().admitted as usize, admitted.len());
    }
}
