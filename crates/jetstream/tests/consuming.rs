//! Consumers: what a reset brings back, how pulls end, what an acknowledgement means.

mod common;

use std::time::Duration;

use callflume_core::codes;
use callflume_core::lane::Lane;
use callflume_jetstream::consumer::{AccountConsumer, ConsumerSettings};
use callflume_jetstream::floor::{Floor, Floors};
use callflume_jetstream::pull::PullError;
use callflume_jetstream::{Broker, Error};
use callflume_testkit::wait_for;

use common::{BRIEFLY, DEADLINE, EXPIRES, account, bare, bodies, publish, pull, site};

async fn open(broker: &Broker, lane: Lane, id: &str, floor_seq: u64) -> AccountConsumer {
    AccountConsumer::open(
        broker,
        lane,
        &account(id),
        ConsumerSettings::default(),
        Floor::at(floor_seq),
    )
    .await
    .unwrap()
}

#[tokio::test]
async fn a_delivery_carries_what_was_published() {
    let site = site().await;
    let acme = account("acme");
    let seqs = publish(&site.broker, Lane::Op, &acme, "e", 1).await;
    let consumer = open(&site.broker, Lane::Op, "acme", 0).await;
    let got = pull(&consumer, 1, EXPIRES).await;
    let one = &got[0];
    assert_eq!(one.lane, Lane::Op);
    assert_eq!(one.subject, "voice.v1.op.acme.call_ended");
    assert_eq!(one.stream_seq, seqs[0]);
    assert_eq!(one.delivered_count, 1);
    assert_eq!(one.msg_id.as_deref(), Some("acme-e1"));
    // Published in lower case.
    assert_eq!(one.content_type.as_deref(), Some("application/json"));
    assert_eq!(
        (one.traceparent.as_ref(), one.replay_of.as_ref()),
        (None, None)
    );
    assert!(one.published.0 > 0);
}

#[tokio::test]
async fn a_reset_brings_everything_above_the_floor_again_at_once_in_order() {
    let site = site().await;
    let acme = account("acme");
    publish(&site.broker, Lane::En, &account("other"), "o", 3).await;
    let seqs = publish(&site.broker, Lane::En, &acme, "e", 6).await;
    let consumer = open(&site.broker, Lane::En, "acme", 0).await;
    let got = pull(&consumer, 6, EXPIRES).await;
    assert_eq!(bodies(&got), ["e1", "e2", "e3", "e4", "e5", "e6"]);
    // 1 and 2 are below the floor; 4 was acknowledged above it; ack_wait is 10 minutes.
    for index in [0, 1, 3] {
        consumer.ack(&got[index].ack).await.unwrap();
    }
    assert_eq!(bodies(&pull(&consumer, 6, BRIEFLY).await), [""; 0]);

    // The successor: acknowledged ones above the floor come again too, the ledger knows them.
    let heir = open(&site.broker, Lane::En, "acme", seqs[2]).await;
    let again = pull(&heir, 4, EXPIRES).await;
    assert_eq!(bodies(&again), ["e3", "e4", "e5", "e6"]);
    // A late acknowledgement of the predecessor does no harm.
    consumer.ack(&got[2].ack).await.unwrap();

    // Floors back to the beginning, at the end, and in the other accounts' events.
    for (floor, expected) in [
        (0, vec!["e1", "e2", "e3", "e4", "e5", "e6"]),
        (1, vec!["e1", "e2", "e3", "e4", "e5", "e6"]),
        (seqs[5], vec!["e6"]),
        (seqs[5] + 1, vec![]),
    ] {
        heir.reset(Floor::at(floor)).await.unwrap();
        let expires = if expected.is_empty() {
            BRIEFLY
        } else {
            EXPIRES
        };
        let got = pull(&heir, expected.len().max(1), expires).await;
        assert_eq!(bodies(&got), expected, "floor {floor}");
    }
    // After a floor at the end, the next event comes.
    publish(&site.broker, Lane::En, &acme, "n", 1).await;
    assert_eq!(bodies(&pull(&heir, 1, EXPIRES).await), ["n1"]);
}

#[tokio::test]
async fn a_consumer_opens_on_an_empty_a_purged_and_a_new_stream() {
    let site = site().await;
    let acme = account("acme");
    let empty = open(&site.broker, Lane::Op, "acme", 0).await;
    assert_eq!(bodies(&pull(&empty, 1, BRIEFLY).await), [""; 0]);

    publish(&site.broker, Lane::Op, &acme, "e", 4).await;
    let stream = site.broker.context().get_stream("VOICE_OP").await.unwrap();
    stream.purge().sequence(4).await.unwrap();
    for floor in [0, 1, 3, 4] {
        let consumer = open(&site.broker, Lane::Op, "acme", floor).await;
        assert_eq!(
            bodies(&pull(&consumer, 1, EXPIRES).await),
            ["e4"],
            "floor {floor}"
        );
    }
    stream.purge().await.unwrap();
    for floor in [0, 2, 5] {
        let consumer = open(&site.broker, Lane::Op, "acme", floor).await;
        assert_eq!(bodies(&pull(&consumer, 1, BRIEFLY).await), [""; 0]);
    }

    // A stream that was lost and made anew counts from 1: an old floor must not hide what is in it.
    let floors = Floors::open(&site.broker).await.unwrap();
    floors.write(Lane::Op, &acme, 2).await.unwrap();
    let context = site.broker.context();
    context.delete_stream("VOICE_OP").await.unwrap();
    callflume_jetstream::provision::apply(&site.broker, &common::small())
        .await
        .unwrap();
    publish(&site.broker, Lane::Op, &acme, "new", 2).await;
    let consumer = open(&site.broker, Lane::Op, "acme", 5).await;
    assert_eq!(bodies(&pull(&consumer, 2, EXPIRES).await), ["new1", "new2"]);
    // Also when the new stream has grown past it.
    let old = floors.read(Lane::Op, &acme).await.unwrap();
    consumer.reset(old).await.unwrap();
    assert_eq!(bodies(&pull(&consumer, 2, EXPIRES).await), ["new1", "new2"]);
    floors.write(Lane::Op, &acme, 2).await.unwrap();
    let new = floors.read(Lane::Op, &acme).await.unwrap();
    consumer.reset(new).await.unwrap();
    assert_eq!(bodies(&pull(&consumer, 1, EXPIRES).await), ["new2"]);
}

#[tokio::test]
async fn a_consumer_that_cannot_be_updated_is_made_anew() {
    let site = site().await;
    let acme = account("acme");
    let seqs = publish(&site.broker, Lane::Op, &acme, "e", 3).await;
    // Somebody made it otherwise.
    site.broker
        .context()
        .create_consumer_on_stream(
            async_nats::jetstream::consumer::pull::Config {
                durable_name: Some("op-acme".to_owned()),
                deliver_policy: async_nats::jetstream::consumer::DeliverPolicy::New,
                ..Default::default()
            },
            "VOICE_OP",
        )
        .await
        .unwrap();
    let consumer = open(&site.broker, Lane::Op, "acme", seqs[1]).await;
    assert_eq!(bodies(&pull(&consumer, 2, EXPIRES).await), ["e2", "e3"]);
    // And opened again as usual.
    let consumer = open(&site.broker, Lane::Op, "acme", seqs[0]).await;
    assert_eq!(
        bodies(&pull(&consumer, 3, EXPIRES).await),
        ["e1", "e2", "e3"]
    );
}

#[tokio::test]
async fn settings_of_a_consumer_are_brought_up_to_date() {
    let site = site().await;
    open(&site.broker, Lane::Op, "acme", 0).await;
    let settings = ConsumerSettings {
        max_ack_pending: 7,
        ..ConsumerSettings::default()
    };
    AccountConsumer::open(
        &site.broker,
        Lane::Op,
        &account("acme"),
        settings,
        Floor::default(),
    )
    .await
    .unwrap();
    let stream = site.broker.context().get_stream("VOICE_OP").await.unwrap();
    let info = stream.consumer_info("op-acme").await.unwrap();
    assert_eq!(info.config.max_ack_pending, 7);
    assert_eq!(info.config.max_deliver, -1);
}

#[tokio::test]
async fn an_acknowledged_event_is_known_to_the_broker_when_ack_returns() {
    let site = site().await;
    publish(&site.broker, Lane::Op, &account("acme"), "e", 2).await;
    let consumer = open(&site.broker, Lane::Op, "acme", 0).await;
    let got = pull(&consumer, 2, EXPIRES).await;
    consumer.ack(&got[0].ack).await.unwrap();
    let stream = site.broker.context().get_stream("VOICE_OP").await.unwrap();
    let info = stream.consumer_info("op-acme").await.unwrap();
    assert_eq!(info.ack_floor.stream_sequence, got[0].stream_seq);
    assert_eq!(info.num_ack_pending, 1);
    // Given back, it comes again at once.
    consumer.give_back(&got[1].ack).await.unwrap();
    let again = pull(&consumer, 1, EXPIRES).await;
    assert_eq!(bodies(&again), ["e2"]);
    assert_eq!(again[0].delivered_count, 2);
    consumer.extend(&again[0].ack).await.unwrap();
}

#[tokio::test]
async fn an_acknowledgement_that_nobody_confirms_is_not_taken_for_one() {
    let site = site().await;
    publish(&site.broker, Lane::Op, &account("acme"), "e", 1).await;
    let consumer = open(&site.broker, Lane::Op, "acme", 0).await;
    let got = pull(&consumer, 1, EXPIRES).await;
    site.server.pause().await.unwrap();
    let outcome = consumer.ack(&got[0].ack).await;
    site.server.resume().await.unwrap();
    assert!(outcome.unwrap_err().is_unknown());
    // The connection is behind the same server: what was sent meanwhile is served before this.
    wait_for("the server to answer again", DEADLINE, async || {
        consumer.ack(&got[0].ack).await.ok()
    })
    .await
    .unwrap();

    consumer.clone().remove().await;
    let error = consumer.ack(&got[0].ack).await.unwrap_err();
    assert!(matches!(error, Error::NoResponder { .. }), "{error}");
}

#[tokio::test]
async fn a_pull_ends_when_it_is_full_or_expired() {
    let site = site().await;
    publish(&site.broker, Lane::Op, &account("acme"), "e", 5).await;
    let consumer = open(&site.broker, Lane::Op, "acme", 0).await;
    assert_eq!(bodies(&pull(&consumer, 2, EXPIRES).await), ["e1", "e2"]);
    // With heartbeats (from 1 s on) and without.
    for expires in [Duration::from_millis(999), Duration::from_secs(1)] {
        consumer.reset(Floor::at(3)).await.unwrap();
        assert_eq!(
            bodies(&pull(&consumer, 10, expires).await),
            ["e3", "e4", "e5"]
        );
    }
    assert_eq!(bodies(&pull(&consumer, 1, BRIEFLY).await), [""; 0]);
}

#[tokio::test]
async fn a_pull_is_bounded_by_bytes_but_always_takes_one_event() {
    let site = site().await;
    let acme = account("acme");
    for number in 0..4 {
        let body = vec![b'x'; 200 * 1024];
        let message = async_nats::jetstream::message::PublishMessage::build()
            .payload(body.into())
            .message_id(number.to_string());
        site.broker
            .publish(&Lane::En.subject(&acme, "transcript_ready"), message)
            .await
            .unwrap();
    }
    let consumer = open(&site.broker, Lane::En, "acme", 0).await;
    for _ in 0..3 {
        let mut one = consumer.pull(3, 1, EXPIRES).await.unwrap();
        assert!(one.next().await.unwrap().is_ok());
        assert!(one.next().await.is_none());
    }
}

#[tokio::test]
async fn a_dropped_pull_takes_nothing_from_the_next() {
    let site = site().await;
    let consumer = open(&site.broker, Lane::Op, "acme", 0).await;
    let dropped = consumer.pull(10, 1 << 20, EXPIRES).await.unwrap();
    drop(dropped);
    // The withdrawal has arrived when this has come back.
    site.broker.client().flush().await.unwrap();
    publish(&site.broker, Lane::Op, &account("acme"), "e", 2).await;
    assert_eq!(bodies(&pull(&consumer, 2, EXPIRES).await), ["e1", "e2"]);
}

#[tokio::test]
async fn a_deleted_consumer_and_a_killed_server_end_a_pull_each_in_its_way() {
    let mut site = site().await;
    let consumer = open(&site.broker, Lane::Op, "acme", 0).await;
    let mut waiting = consumer.pull(1, 1 << 20, EXPIRES).await.unwrap();
    let stream = site.broker.context().get_stream("VOICE_OP").await.unwrap();
    wait_for("the broker to know of the pull", DEADLINE, async || {
        let info = stream.consumer_info("op-acme").await.unwrap();
        (info.num_waiting == 1).then_some(())
    })
    .await
    .unwrap();
    consumer.clone().remove().await;
    let end = waiting.next().await;
    assert!(
        matches!(end, Some(Err(PullError::ConsumerDeleted))),
        "{end:?}"
    );
    assert!(waiting.next().await.is_none());
    let mut nobody = consumer.pull(1, 1 << 20, EXPIRES).await.unwrap();
    let end = nobody.next().await;
    assert!(matches!(end, Some(Err(PullError::NoResponder))), "{end:?}");

    consumer.reset(Floor::at(0)).await.unwrap();
    let mut waiting = consumer.pull(1, 1 << 20, EXPIRES).await.unwrap();
    site.server.kill().await.unwrap();
    let end = waiting.next().await;
    assert!(matches!(end, Some(Err(PullError::Disconnected))), "{end:?}");
}

#[tokio::test]
async fn a_silent_server_ends_a_pull() {
    let site = site().await;
    let consumer = open(&site.broker, Lane::Op, "acme", 0).await;
    let mut waiting = consumer
        .pull(1, 1 << 20, Duration::from_secs(1))
        .await
        .unwrap();
    site.server.pause().await.unwrap();
    let end = waiting.next().await;
    site.server.resume().await.unwrap();
    assert!(matches!(end, Some(Err(PullError::Silent))), "{end:?}");
}

#[tokio::test]
async fn nothing_is_missing_after_the_server_was_killed() {
    let mut site = site().await;
    let acme = account("acme");
    let mut link = site.broker.link();
    publish(&site.broker, Lane::Op, &acme, "e", 5).await;
    let consumer = open(&site.broker, Lane::Op, "acme", 0).await;
    let got = pull(&consumer, 3, EXPIRES).await;
    consumer.ack(&got[0].ack).await.unwrap();
    let connects = link.borrow().connects;

    site.server.kill().await.unwrap();
    site.server.restart().await.unwrap();
    tokio::time::timeout(DEADLINE, link.wait_for(|link| link.connects > connects))
        .await
        .unwrap()
        .unwrap();

    consumer.reset(Floor::at(got[1].stream_seq)).await.unwrap();
    let again = pull(&consumer, 4, EXPIRES).await;
    assert_eq!(bodies(&again), ["e2", "e3", "e4", "e5"]);
}

#[tokio::test]
async fn without_a_stream_the_remedy_is_named() {
    let site = bare().await;
    let error = AccountConsumer::open(
        &site.broker,
        Lane::Op,
        &account("acme"),
        ConsumerSettings::default(),
        Floor::default(),
    )
    .await
    .unwrap_err();
    assert_eq!(error.code(), codes::BROKER_NOT_PROVISIONED);
    assert!(error.to_string().contains("VOICE_OP"), "{error}");
}
