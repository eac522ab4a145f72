//! Batches: unrelated calls in one request, each counted.

use serde_json::json;

use crate::{NOON_MS, body, code, org, post, with};

const PATH: &str = "/composite/batch";

#[test]
fn each_part_is_a_call_and_fares_for_itself() {
    let sent = json!({"batchRequests": [
        {"method": "POST", "url": "v66.0/sobjects/Contact", "richInput": {"FirstName": "A"}},
        {"method": "POST", "url": "/services/data/v66.0/sobjects/Contact", "richInput": {"LastName": "A"}},
        {"method": "GET", "url": "v66.0/limits"},
    ]});
    let mut crm = org();
    let answer = body(&post(&mut crm, NOON_MS, PATH, &sent), 200);
    assert_eq!(answer["hasErrors"], true);
    let statuses: Vec<_> = answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["statusCode"].as_u64().unwrap())
        .collect();
    assert_eq!(statuses, [400, 201, 200]);
    assert_eq!(crm.counters().calls, 3);
    let mut halting = sent.clone();
    halting["haltOnError"] = true.into();
    let answer = body(&post(&mut crm, NOON_MS, PATH, &halting), 200);
    assert_eq!(answer["results"][1]["statusCode"], 412);
    assert_eq!(
        answer["results"][2]["result"][0]["errorCode"],
        "BATCH_PROCESSING_HALTED"
    );
    assert_eq!(crm.writes().len(), 1);
    let mut small = with(|config| config.daily_requests = 2);
    assert_eq!(
        code(&post(&mut small, NOON_MS, PATH, &sent), 403),
        "REQUEST_LIMIT_EXCEEDED"
    );
    assert!(small.writes().is_empty());
}
