//! Bad input and trouble at the CRM: each gives the coded dead letter or the pause of its kind, and its neighbours go
//! through.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::HeaderMap;
use callflume_core::lane::Lane;
use callflume_jetstream::dead::{DeadFilter, DeadLetters, ListFrom, StoredDeadLetter};
use callflume_sim::hubspot::ObjectKind;
use callflume_sim::live::stage::TOKEN;
use callflume_testkit::wait_for;
use callflume_worker::services;
use serde_json::json;

use crate::harness::{DEADLINE, Running};

async fn raw(running: &Running, id: &str, kind: &str, content_type: &str, body: Vec<u8>) {
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", id);
    headers.insert("Content-Type", content_type);
    let subject = Lane::Op.subject(&running.stage.account, kind);
    let jetstream = running.stage.broker.context();
    jetstream
        .publish_with_headers(subject, headers, body.into())
        .await
        .unwrap()
        .await
        .unwrap();
}

async fn dead_letters(running: &Running, count: usize) -> Vec<StoredDeadLetter> {
    let letters = DeadLetters::new(&running.stage.broker);
    wait_for("dead letters", DEADLINE, async || {
        let found = letters
            .list(&DeadFilter::default(), ListFrom::Sequence(1), 1_000)
            .await
            .ok()?;
        (found.len() >= count).then_some(found)
    })
    .await
    .unwrap()
}

/// Publishes the end of a call that nothing is wrong with.
async fn end_call(running: &Running, call_id: &str, summary: &str) {
    let body = json!({"disposition": "connected", "summary": summary});
    running
        .publish(Lane::Op, "call_ended", call_id, "+12025550143", body)
        .await;
}

async fn calls_are(running: &Running, count: usize, what: &str) {
    running
        .until(what, |r| r.count(ObjectKind::Calls) == count)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_cannot_be_used_become_coded_dead_letters_and_their_neighbours_go_through() {
    let running = Running::start(0).await;
    let contact = json!({"phone": "+12025550143"});
    end_call(&running, "before", "before").await;
    for (id, kind, content_type, body, code) in [
        ("garbage", "call_ended", "", vec![0xc1, 0xff, 0x00], "CF1101"),
        ("no-json", "call_ended", "application/json", b"{\"v\":1,".to_vec(), "CF1101"),
        (
            "no-call",
            "call_ended",
            "application/json",
            json!({"v": 1, "kind": "call_ended", "at": 1, "contact": contact}).to_string().into_bytes(),
            "CF1102",
        ),
        (
            "bad-phone",
            "call_ended",
            "application/json",
            json!({"v": 1, "call_id": "c", "kind": "call_ended", "at": 1, "contact": {"phone": "12"}}).to_string().into_bytes(),
            "CF1103",
        ),
        (
            "no-disposition",
            "call_ended",
            "application/json",
            json!({"v": 1, "call_id": "c", "kind": "call_ended", "at": 1, "contact": contact}).to_string().into_bytes(),
            "CF1102",
        ),
        (
            "unknown-kind",
            "dreamt_of",
            "application/json",
            json!({"v": 1, "call_id": "c", "kind": "dreamt_of", "at": 1, "contact": contact}).to_string().into_bytes(),
            "CF1106",
        ),
        (
            "newer",
            "call_ended",
            "application/json",
            json!({"v": 2, "call_id": "c", "kind": "call_ended", "at": 1, "contact": contact}).to_string().into_bytes(),
            "CF1105",
        ),
    ] {
        raw(&running, id, kind, content_type, body.clone()).await;
        let letters = dead_letters(&running, 1).await;
        let letter = wait_for("its dead letter", DEADLINE, async || {
            dead_letters(&running, 1).await.into_iter().find(|stored| stored.letter.event_id.as_deref() == Some(id))
        })
        .await
        .unwrap_or_else(|error| panic!("{id}: {error}; there are {}", letters.len()))
        .letter;
        assert_eq!(letter.code, code, "{id}: {}", letter.cause);
        assert_eq!(letter.payload, body, "{id}: the original bytes are kept");
    }
    end_call(&running, "after", "after").await;
    calls_are(&running, 2, "the neighbours' calls").await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_refused_item_of_a_batch_dies_alone() {
    let running = Running::start(20).await;
    let phones: Vec<String> = running
        .stage
        .contacts
        .iter()
        .map(|contact| contact.phone.clone().unwrap())
        .collect();
    for (number, phone) in phones.iter().enumerate() {
        // A property that the CRM doesn't have is refused for its item only.
        let properties = if number == 7 {
            json!({"no_such_property": "x"})
        } else {
            json!({"jobtitle": format!("title {number}")})
        };
        running
            .publish(
                Lane::En,
                "contact_enriched",
                &format!("call-{number}"),
                phone,
                json!({"properties": properties}),
            )
            .await;
    }
    let letters = dead_letters(&running, 1).await;
    running
        .until("the other nineteen", |r| {
            let model = r.stage.model();
            model
                .records(ObjectKind::Contacts)
                .filter(|contact| {
                    contact
                        .property("jobtitle")
                        .is_some_and(|t| t.starts_with("title "))
                })
                .count()
                == 19
        })
        .await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].letter.code, "CF2101");
    assert_eq!(letters[0].letter.effect.as_deref(), Some("contact"));
    assert!(
        !letters[0].letter.cause.contains("call-7"),
        "no values in causes"
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_pauses_the_account_loses_nothing_and_one_command_resumes_it() {
    let running = Running::start(0).await;
    end_call(&running, "call-1", "before").await;
    calls_are(&running, 1, "the first call").await;
    running.stage.model().revoke(TOKEN);
    end_call(&running, "call-2", "meanwhile").await;
    let broker = running.stage.broker.clone();
    // Nobody is waited for once every worker has answered.
    let answers = tokio::time::timeout(DEADLINE, services::status(&broker, 10 * DEADLINE))
        .await
        .expect("an answer before the time-out")
        .unwrap();
    assert_eq!(answers.len(), 1);
    wait_for("the alert in status", DEADLINE, async || {
        let found = services::status(&broker, Duration::from_millis(300))
            .await
            .ok()?;
        let alert = found.first()?.accounts.first()?.alert.clone()?;
        alert.contains("CF2201").then_some(())
    })
    .await
    .unwrap();
    running.stage.model().reinstate(TOKEN);
    services::resume(&broker, &running.stage.account, Duration::from_secs(5))
        .await
        .unwrap()
        .expect("its owner takes the order");
    calls_are(&running, 2, "the second call").await;
    let letters = DeadLetters::new(&broker)
        .list(&DeadFilter::default(), ListFrom::Sequence(1), 10)
        .await
        .unwrap();
    assert_eq!(
        letters.len(),
        0,
        "an account's trouble is no fault of its events"
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn configuration_that_cannot_be_used_is_refused_and_the_old_one_stays() {
    let running = Running::start(0).await;
    end_call(&running, "call-1", "one").await;
    calls_are(&running, 1, "the first call").await;
    let mut config = running.stage.config.clone();
    config.profile = "no_such_plan".to_owned();
    let accounts = BTreeMap::from([(running.stage.account.clone(), config)]);
    callflume_worker::apply_configs(&running.stage.broker, &accounts, false)
        .await
        .unwrap();
    end_call(&running, "call-2", "two").await;
    calls_are(&running, 2, "the second call").await;
    running.stop().await;
}
