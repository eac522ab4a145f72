//! The search, which lags.

use serde_json::json;

use crate::{CONTACTS, NOON_MS, body, code, created, get, org, with};

const SEARCH: &str = "/parameterizedSearch?sobject=Contact&Contact.fields=Id,Phone";

fn hits(crm: &mut callflume_sim::salesforce::Salesforce, at_ms: i64, rest: &str) -> usize {
    let found = body(&get(crm, at_ms, &format!("{SEARCH}&{rest}")), 200);
    found["searchRecords"].as_array().unwrap().len()
}

#[test]
fn a_write_shows_after_the_lag_and_a_deletion_at_once() {
    let mut crm = org();
    let fields =
        json!({"LastName": "Acker", "Phone": "(212) 555-0100", "Email": "ada@example.com"});
    let id = created(&mut crm, NOON_MS, CONTACTS, fields);
    for (at, expect) in [(0, 0), (4_999, 0), (5_000, 1)] {
        assert_eq!(
            hits(&mut crm, NOON_MS + at, "q=2125550100&in=PHONE"),
            expect,
            "{at}"
        );
    }
    let change = json!({"Phone": "(212) 555-0199"});
    assert_eq!(
        crate::patch(
            &mut crm,
            NOON_MS + 6_000,
            &format!("{CONTACTS}/{id}"),
            &change
        )
        .status,
        204
    );
    let found = body(
        &get(&mut crm, NOON_MS + 6_000, &format!("{SEARCH}&q=2125550100")),
        200,
    );
    assert_eq!(
        found["searchRecords"][0]["Phone"], "(212) 555-0199",
        "what is shown is how it is now"
    );
    assert_eq!(hits(&mut crm, NOON_MS + 11_000, "q=2125550100"), 0);
    assert_eq!(hits(&mut crm, NOON_MS + 11_000, "q=5550199"), 1);
    assert!(crm.delete_record(NOON_MS + 12_000, &id));
    assert_eq!(hits(&mut crm, NOON_MS + 12_000, "q=5550199"), 0);
}

#[test]
fn places_limits_and_mistakes() {
    let mut crm = with(|config| config.search_lag_ms = 0);
    for _ in 0..3 {
        created(
            &mut crm,
            NOON_MS,
            CONTACTS,
            json!({"LastName": "Acker", "Email": "ada@example.com"}),
        );
    }
    for (rest, expect) in [
        ("q=ACK", 3),
        ("q=ack&in=EMAIL", 0),
        ("q=ada%40ex&in=email", 3),
        ("q=Acker&Contact.limit=2", 2),
        ("q=ada&in=NAME", 0),
    ] {
        assert_eq!(hits(&mut crm, NOON_MS, rest), expect, "{rest}");
    }
    for (rest, expect) in [
        ("q=a", "INVALID_SEARCH"),
        ("", "INVALID_SEARCH"),
        ("q=ab&in=WHERE", "INVALID_SEARCH"),
        ("q=ab&Contact.limit=0", "INVALID_SEARCH"),
    ] {
        assert_eq!(
            code(&get(&mut crm, NOON_MS, &format!("{SEARCH}&{rest}")), 400),
            expect,
            "{rest}"
        );
    }
    let other = "/parameterizedSearch?q=ab&sobject=Lead";
    assert_eq!(code(&get(&mut crm, NOON_MS, other), 400), "INVALID_SEARCH");
    let unknown = "/parameterizedSearch?q=ab&sobject=Contact&Contact.fields=Nothing__c";
    assert_eq!(code(&get(&mut crm, NOON_MS, unknown), 400), "INVALID_FIELD");
}

#[test]
fn what_was_rolled_back_is_never_found() {
    let mut crm = org();
    let sent = json!({"allOrNone": true, "records": [
        {"attributes": {"type": "Contact"}, "LastName": "Acker"}, {"attributes": {"type": "Contact"}}]});
    assert_eq!(
        crate::post(&mut crm, NOON_MS, "/composite/sobjects", &sent).status,
        200
    );
    assert_eq!(hits(&mut crm, NOON_MS + 60_000, "q=acker"), 0);
}
