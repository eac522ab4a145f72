//! Calls reach the CRM once, and corrections update what is there.

use callflume_core::lane::Lane;
use callflume_sim::hubspot::ObjectKind;
use serde_json::json;

use crate::harness::Running;

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_an_unknown_caller_makes_one_contact_and_one_call_and_nothing_twice() {
    let running = Running::start(0).await;
    let body = json!({"disposition": "connected", "direction": "inbound", "duration_ms": 185_000, "summary": "Moved to Tuesday."});
    running
        .publish(
            Lane::Op,
            "call_started",
            "call-1",
            "+12025550143",
            json!({}),
        )
        .await;
    running
        .publish(
            Lane::Op,
            "call_ended",
            "call-1",
            "+12025550143",
            body.clone(),
        )
        .await;
    running
        .publish(
            Lane::En,
            "note_added",
            "call-1",
            "+12025550143",
            json!({"text": "Prefers mornings."}),
        )
        .await;
    running
        .publish(
            Lane::En,
            "sentiment_tagged",
            "call-1",
            "+12025550143",
            json!({"sentiment": "positive"}),
        )
        .await;
    running
        .until("contact, call and note", |r| {
            r.count(ObjectKind::Notes) == 1 && r.count(ObjectKind::Calls) == 1
        })
        .await;
    running
        .until("the call's sentiment", |r| {
            r.stage
                .model()
                .records(ObjectKind::Calls)
                .next()
                .is_some_and(|call| call.property("callflume_sentiment") == Some("positive"))
        })
        .await;
    assert_eq!(running.count(ObjectKind::Contacts), 1);
    let corrected = json!({"disposition": "connected", "direction": "inbound", "duration_ms": 185_000, "summary": "Moved to Wednesday."});
    running
        .publish(Lane::Op, "call_ended", "call-1", "+12025550143", corrected)
        .await;
    running
        .until("the corrected summary", |r| {
            r.stage
                .model()
                .records(ObjectKind::Calls)
                .next()
                .is_some_and(|call| call.property("hs_call_body") == Some("Moved to Wednesday."))
        })
        .await;
    assert_eq!(
        (
            running.count(ObjectKind::Contacts),
            running.count(ObjectKind::Calls),
            running.count(ObjectKind::Notes)
        ),
        (1, 1, 1)
    );
    assert!(running.stage.model().counters().throttled.is_empty());
    running.stop().await;
}
