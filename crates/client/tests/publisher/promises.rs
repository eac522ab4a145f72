//! What a publisher promises, against a real broker: stored, once, in order, bounded.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::broker::{Broker, DEADLINE, Stored, account, event, impatient};
use callflume_client::{PublishError, Publisher, Retry, Settings};
use callflume_core::codes;
use callflume_core::event::ContentType;
use callflume_core::lane::Lane;
use callflume_testkit::{FaultyProxy, Mode, wait_for};
use futures_util::future::join_all;
use tokio::sync::Semaphore;

#[tokio::test]
async fn an_event_is_stored_with_its_headers_and_read_as_it_was_sent() {
    let broker = Broker::start().await;
    let event = event("call-1", 1);
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let receipt = broker
        .publisher()
        .await
        .publish_traced(&account(), Lane::En, &event, traceparent)
        .await
        .unwrap();
    assert_eq!((receipt.stream.as_str(), receipt.sequence), ("VOICE_EN", 1));
    assert_eq!((receipt.duplicate, receipt.attempts), (false, 1));

    let stored = broker.stored(Lane::En).await;
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].subject, "voice.v1.en.acme.note_added");
    assert_eq!(stored[0].header("Nats-Msg-Id"), Some(event.id.as_str()));
    assert_eq!(stored[0].header("Nats-Expected-Stream"), Some("VOICE_EN"));
    assert_eq!(stored[0].header("traceparent"), Some(traceparent));
    assert_eq!(stored[0].header("Content-Type"), None);
    assert_eq!(stored[0].event(), event);
}

#[tokio::test]
async fn json_says_so_in_a_header() {
    let broker = Broker::start().await;
    let settings = Settings {
        content_type: ContentType::Json,
        ..broker.settings()
    };
    let publisher = Publisher::connect(settings).await.unwrap();
    let event = event("call-1", 1);
    publisher
        .publish(&account(), Lane::En, &event)
        .await
        .unwrap();
    let stored = broker.stored(Lane::En).await;
    assert_eq!(stored[0].header("Content-Type"), Some("application/json"));
    assert_eq!(stored[0].event(), event);
}

#[tokio::test]
async fn a_second_publish_of_the_same_event_is_a_duplicate_of_the_first() {
    let broker = Broker::start().await;
    let publisher = broker.publisher().await;
    let event = event("call-1", 1);
    let first = publisher
        .publish(&account(), Lane::En, &event)
        .await
        .unwrap();
    let second = publisher
        .publish(&account(), Lane::En, &event)
        .await
        .unwrap();
    assert!(!first.duplicate && second.duplicate);
    assert_eq!(first.sequence, second.sequence);
    assert_eq!(broker.stored(Lane::En).await.len(), 1);
}

/// The revisions of each call's events in the order they are stored.
fn revisions(stored: &[Stored], call: &str) -> Vec<String> {
    stored
        .iter()
        .map(Stored::event)
        .filter(|event| event.call_id == call)
        .filter_map(|event| event.revision)
        .collect()
}

#[tokio::test]
async fn lost_answers_cost_no_event_its_place_and_double_none() {
    const CALLS: usize = 8;
    const EVENTS: u32 = 20;
    let broker = Broker::start().await;
    let proxy = FaultyProxy::start(broker.server.client_address())
        .await
        .unwrap();
    let publisher = Publisher::connect(Settings::at([format!("nats://{}", proxy.address())]))
        .await
        .unwrap();
    let account = account();
    let events: Vec<_> = (0..CALLS)
        .flat_map(|call| (1..=EVENTS).map(move |number| event(&format!("call-{call}"), number)))
        .collect();

    // From the start, answers are lost while the requests arrive; then the connection breaks and works again.
    proxy.set(Mode::Swallow).await.unwrap();
    let publishing = join_all(
        events
            .iter()
            .map(|event| publisher.publish(&account, Lane::En, event)),
    );
    let healing = async {
        wait_for("an answer to be lost", DEADLINE, async || {
            (proxy.lost_bytes() > 0).then_some(())
        })
        .await
        .unwrap();
        proxy.set(Mode::Pass).await.unwrap();
        proxy.cut().await.unwrap();
    };
    let (receipts, ()) = tokio::join!(publishing, healing);
    let receipts: Vec<_> = receipts.into_iter().map(Result::unwrap).collect();

    assert!(
        receipts.iter().any(|r| r.duplicate && r.attempts > 1),
        "no event whose answer was lost was repeated"
    );
    let stored = broker.stored(Lane::En).await;
    let in_order: Vec<_> = (1..=EVENTS).map(|number| number.to_string()).collect();
    for call in 0..CALLS {
        assert_eq!(revisions(&stored, &format!("call-{call}")), in_order);
    }
}

#[tokio::test]
async fn a_kill_of_the_server_amid_500_publishes_loses_and_doubles_nothing() {
    const CALLS: usize = 50;
    const EVENTS: u32 = 10;
    let mut broker = Broker::start().await;
    let settings = Settings {
        retry: Retry {
            give_up_ms: 60_000,
            ..Retry::default()
        },
        ..broker.settings()
    };
    let publisher = Publisher::connect(settings).await.unwrap();
    let acknowledgements = Arc::new(Semaphore::new(0));
    let calls: Vec<_> = (0..CALLS)
        .map(|call| {
            let publisher = publisher.clone();
            let acknowledgements = Arc::clone(&acknowledgements);
            tokio::spawn(async move {
                let mut receipts = Vec::new();
                for number in 1..=EVENTS {
                    let event = event(&format!("call-{call}"), number);
                    let receipt = publisher.publish(&account(), Lane::En, &event).await?;
                    acknowledgements.add_permits(1);
                    receipts.push((event.id, receipt));
                }
                Ok::<_, PublishError>(receipts)
            })
        })
        .collect();
    drop(acknowledgements.acquire_many(100).await.unwrap());
    broker.server.kill().await.unwrap();
    broker.server.restart().await.unwrap();

    let mut acknowledged = Vec::new();
    for call in calls {
        acknowledged.extend(call.await.unwrap().unwrap());
    }
    let stored = broker.stored(Lane::En).await;
    assert_eq!(acknowledged.len(), CALLS * EVENTS as usize);
    assert_eq!(stored.len(), acknowledged.len());
    assert!(
        acknowledged.iter().any(|(_, receipt)| receipt.attempts > 1),
        "the kill met no publish"
    );
    for (id, receipt) in acknowledged {
        let message = &stored[usize::try_from(receipt.sequence).unwrap() - 1];
        assert_eq!(message.header("Nats-Msg-Id"), Some(id.as_str()));
    }
    let in_order: Vec<_> = (1..=EVENTS).map(|number| number.to_string()).collect();
    for call in 0..CALLS {
        assert_eq!(revisions(&stored, &format!("call-{call}")), in_order);
    }
}

#[tokio::test]
async fn beyond_the_bound_an_event_is_refused_at_once() {
    let broker = Broker::start().await;
    let settings = Settings {
        in_flight_max: 2,
        ..broker.settings()
    };
    let publisher = Publisher::connect(settings).await.unwrap();
    let account = account();
    broker.server.pause().await.unwrap();
    // One waits for the broker, one of the same call for its turn: both count.
    let (first, second) = (event("call-1", 1), event("call-1", 2));
    let mut waiting = pin!(async {
        tokio::join!(
            publisher.publish(&account, Lane::En, &first),
            publisher.publish(&account, Lane::En, &second),
        )
    });
    assert!(poll(waiting.as_mut()).is_pending());
    assert_eq!(publisher.in_flight(), 2);
    let third = event("call-2", 1);
    let refused = publisher.publish(&account, Lane::En, &third).await;
    assert_eq!(
        refused.unwrap_err(),
        PublishError::Busy { in_flight_max: 2 }
    );

    broker.server.resume().await.unwrap();
    let (first, second) = waiting.await;
    assert!(first.unwrap().sequence < second.unwrap().sequence);
    assert_eq!(publisher.in_flight(), 0);
    publisher.publish(&account, Lane::En, &third).await.unwrap();
}

#[tokio::test]
async fn closing_waits_for_what_is_in_flight_and_takes_nothing_more() {
    let broker = Broker::start().await;
    let publisher = broker.publisher().await;
    let account = account();
    broker.server.pause().await.unwrap();
    let first = event("call-1", 1);
    let mut waiting = pin!(publisher.publish(&account, Lane::En, &first));
    assert!(poll(waiting.as_mut()).is_pending());
    let mut closing = pin!(publisher.close());
    assert!(poll(closing.as_mut()).is_pending());
    let second = event("call-2", 1);
    let refused = publisher.publish(&account, Lane::En, &second).await;
    assert_eq!(refused.unwrap_err(), PublishError::Closed);

    broker.server.resume().await.unwrap();
    let (receipt, ()) = tokio::join!(waiting, closing);
    receipt.unwrap();
    publisher.close().await;
    assert_eq!(broker.stored(Lane::En).await.len(), 1);
}

#[tokio::test]
async fn a_publish_that_is_dropped_lets_the_next_of_its_call_go() {
    let broker = Broker::start().await;
    let publisher = broker.publisher().await;
    let account = account();
    broker.server.pause().await.unwrap();
    let (first, second) = (event("call-1", 1), event("call-1", 2));
    {
        let mut dropped = pin!(publisher.publish(&account, Lane::En, &first));
        assert!(poll(dropped.as_mut()).is_pending());
    }
    broker.server.resume().await.unwrap();
    publisher
        .publish(&account, Lane::En, &second)
        .await
        .unwrap();
    assert_eq!(publisher.in_flight(), 0);
}

#[tokio::test]
async fn what_no_worker_could_read_is_refused_before_it_is_sent() {
    let broker = Broker::start().await;
    let publisher = broker.publisher().await;
    let good = event("call-1", 1);
    let mut nobody = good.clone();
    nobody.contact = callflume_core::event::ContactRef::default();
    let mut stray = good.clone();
    stray.kind = "note.added".to_owned();
    let mut silent = good.clone();
    silent.call_id = String::new();
    for (event, code) in [
        (nobody, codes::EVENT_FIELD_MISSING),
        (stray, codes::EVENT_FIELD_INVALID),
        (silent, codes::EVENT_FIELD_INVALID),
    ] {
        let error = publisher
            .publish(&account(), Lane::En, &event)
            .await
            .unwrap_err();
        assert!(matches!(error, PublishError::Invalid(_)), "{error}");
        assert_eq!(error.code(), code);
    }
    let error = publisher
        .publish_traced(&account(), Lane::En, &good, "two\r\nlines")
        .await
        .unwrap_err();
    assert_eq!(error.code(), codes::EVENT_FIELD_INVALID);
    assert!(broker.stored(Lane::En).await.is_empty());
}

#[tokio::test]
async fn an_event_that_was_given_up_unknown_can_be_published_again() {
    let broker = Broker::start().await;
    let settings = Settings {
        retry: impatient(),
        ..broker.settings()
    };
    let publisher = Publisher::connect(settings).await.unwrap();
    let event = event("call-1", 1);
    broker.server.pause().await.unwrap();
    let error = publisher
        .publish(&account(), Lane::En, &event)
        .await
        .unwrap_err();
    assert_eq!(error.code(), codes::PUBLISH_UNKNOWN, "{error}");
    assert!(error.may_be_stored());
    broker.server.resume().await.unwrap();
    let receipt = publisher
        .publish(&account(), Lane::En, &event)
        .await
        .unwrap();
    assert!(
        receipt.duplicate,
        "what the paused server had received came first"
    );
    assert_eq!(broker.stored(Lane::En).await.len(), 1);
}

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}
