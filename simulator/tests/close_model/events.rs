//! The event log: everything at once, newest first.

use callflume_sim::close::ObjectKind;
use serde_json::json;

use crate::{NOON_MS, body, get, organisation, person, post};

#[test]
fn what_was_done_is_there_at_once_newest_first_and_paged() {
    let mut crm = organisation();
    crm.seed_contacts(3, 1).unwrap();
    for number in 0..3_i64 {
        let key = format!("k-{number}");
        person(
            &mut crm,
            NOON_MS + number,
            &json!({"name": "x", "custom.cf_key": key}),
        );
    }
    let path = "/event/?object_type=contact&action=created&_limit=2";
    let first = body(&get(&mut crm, NOON_MS + 3, path), 200);
    let keys = |page: &serde_json::Value| -> Vec<String> {
        let events = page["data"].as_array().unwrap();
        events
            .iter()
            .map(|event| event["data"]["custom.cf_key"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(keys(&first), ["k-2", "k-1"]);
    assert!(
        first["data"][0]["lead_id"]
            .as_str()
            .unwrap()
            .starts_with("lead_")
    );
    let cursor = first["cursor_next"].as_str().unwrap();
    let second = body(
        &get(&mut crm, NOON_MS + 3, &format!("{path}&_cursor={cursor}")),
        200,
    );
    assert_eq!(keys(&second), ["k-0"], "what was there before is in no log");
    assert!(second["cursor_next"].is_null());
    let later = NOON_MS + 31 * 86_400_000;
    assert_eq!(
        body(&get(&mut crm, later, path), 200)["data"],
        json!([]),
        "30 days"
    );
}

#[test]
fn only_some_filters_go_together() {
    let mut crm = organisation();
    let (lead, contact) = person(&mut crm, NOON_MS, &json!({"name": "x"}));
    post(
        &mut crm,
        NOON_MS,
        "/activity/note/",
        &json!({"lead_id": lead, "note": "n"}),
    );
    assert!(crm.delete_record(NOON_MS, ObjectKind::Contact, &contact));
    for (query, expect) in [
        (format!("lead_id={lead}"), Some(4)),
        (format!("lead_id={lead}&object_type=activity.note"), Some(1)),
        (format!("object_id={contact}&action=deleted"), Some(1)),
        (format!("lead_id={lead}&action=created"), None),
        ("_limit=51".to_owned(), None),
    ] {
        let reply = get(&mut crm, NOON_MS, &format!("/event/?{query}"));
        let count = reply
            .body_json()
            .and_then(|page| Some(page["data"].as_array()?.len()));
        assert_eq!(count, expect, "{query}");
        assert_eq!(reply.status, if expect.is_some() { 200 } else { 400 });
    }
}
