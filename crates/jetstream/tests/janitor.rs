//! The janitor: removes only what is settled and old, moves what nobody claims, says how full it is.

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use async_nats::jetstream::stream::RawMessageErrorKind;
use callflume_core::account::AccountId;
use callflume_core::codes;
use callflume_core::lane::Lane;
use callflume_core::time::{BrokerTime, WallTime};
use callflume_jetstream::clock::BrokerClock;
use callflume_jetstream::dead::{DeadFilter, DeadLetter, DeadLetters, ListFrom};
use callflume_jetstream::floor::Floor;
use callflume_jetstream::janitor::{Janitor, Unclaimed};
use callflume_jetstream::kv::Bucket;
use callflume_jetstream::provision::DUPLICATE_WINDOW;
use callflume_testkit::wait_for;

use common::{DEADLINE, Site, account, publish, site};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A day and an hour from now, by the broker's clock.
async fn tomorrow(site: &Site) -> BrokerTime {
    let clock = BrokerClock::start(&site.broker).await.unwrap();
    clock.now().plus_ms(25 * 3600 * 1000)
}

/// Bodies of an account's operational events that are still there.
async fn left(site: &Site, id: &str) -> Vec<String> {
    events(site, id)
        .await
        .iter()
        .map(|event| String::from_utf8(event.payload.to_vec()).unwrap())
        .collect()
}

async fn events(site: &Site, id: &str) -> Vec<StreamMessage> {
    let stream = site.broker.context().get_stream("VOICE_OP").await.unwrap();
    let filter = Lane::Op.filter(&account(id));
    let mut events: Vec<StreamMessage> = Vec::new();
    loop {
        let from = events.last().map_or(1, |last| last.sequence + 1);
        match stream.get_first_raw_message_by_subject(&filter, from).await {
            Ok(event) => events.push(event),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => return events,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn nothing_at_or_above_the_floor_and_nothing_young_is_purged() {
    let site = site().await;
    let acme = account("acme");
    let janitor = Janitor::new(&site.broker);
    let mine = publish(&site.broker, Lane::Op, &acme, "a", 3).await;
    publish(&site.broker, Lane::Op, &account("other"), "o", 3).await;
    let more = publish(&site.broker, Lane::Op, &acme, "b", 3).await;
    let later = tomorrow(&site).await;
    let now = BrokerTime(later.0 - 25 * 3600 * 1000);
    let purge = |floor, now, history| {
        let janitor = janitor.clone();
        async move {
            janitor
                .purge_settled(Lane::Op, &account("acme"), Floor::at(floor), now, history)
                .await
                .unwrap()
                .events
        }
    };
    // Settled, and young: also when the history asked for is shorter than the duplicate window.
    for history in [DAY, Duration::ZERO] {
        assert_eq!(purge(more[2] + 1, now, history).await, 0);
    }
    let window_ms = u64::try_from(DUPLICATE_WINDOW.as_millis()).unwrap();
    assert_eq!(
        purge(more[2] + 1, now.plus_ms(window_ms - 60_000), Duration::ZERO).await,
        0
    );
    // Old, and not settled. A floor that can't be one of this stream's counts as none.
    for floor in [0, 1, mine[0], more[2] + 2, u64::MAX - 1] {
        assert_eq!(purge(floor, later, DAY).await, 0, "floor {floor}");
    }
    // Old and settled up to b1.
    assert_eq!(purge(more[1], later, DAY).await, 4);
    assert_eq!(left(&site, "acme").await, ["b2", "b3"]);
    assert_eq!(left(&site, "other").await, ["o1", "o2", "o3"]);
    assert_eq!(purge(more[1], later, DAY).await, 0);
    // Everything settled.
    assert_eq!(purge(more[2] + 1, later, DAY).await, 2);
    assert_eq!(left(&site, "acme").await, [""; 0]);
    assert_eq!(left(&site, "other").await, ["o1", "o2", "o3"]);
}

#[tokio::test]
async fn only_what_is_older_than_the_history_goes() {
    let site = site().await;
    let acme = account("acme");
    let janitor = Janitor::new(&site.broker);
    publish(&site.broker, Lane::Op, &acme, "old", 40).await;
    let last_old = events(&site, "acme").await.pop().unwrap().time;
    let bucket = Bucket::open(&site.broker, "callflume-quotas")
        .await
        .unwrap();
    let cutoff = wait_for("the broker's next millisecond", DEADLINE, async || {
        bucket.put("probe", "x").await.unwrap();
        let stamped = bucket.read("probe").await.unwrap().unwrap().created;
        let last_old_ms = last_old.unix_timestamp_nanos() / 1_000_000;
        (i128::from(stamped.0) > last_old_ms).then_some(stamped)
    })
    .await
    .unwrap();
    let young = publish(&site.broker, Lane::Op, &acme, "young", 40).await;
    let now = cutoff.plus_ms(u64::try_from(DAY.as_millis()).unwrap());
    let purged = janitor
        .purge_settled(Lane::Op, &acme, Floor::at(young[39] + 1), now, DAY)
        .await
        .unwrap();
    assert_eq!((purged.events, purged.below_seq), (40, young[0]));
    assert_eq!(left(&site, "acme").await.len(), 40);
}

#[tokio::test]
async fn subjects_that_no_account_claims_are_found() {
    let site = site().await;
    for subject in [
        "voice.v1.op.known.call_ended",
        "voice.v1.op.unknown.call_ended",
        "voice.v1.op.unknown.call_ended",
        "voice.v1.op.UPPER.call_ended",
        "voice.v1.op.known",
    ] {
        site.broker
            .publish(subject, PublishMessage::build().payload("x".into()))
            .await
            .unwrap();
    }
    let known = BTreeSet::from([account("known")]);
    let janitor = Janitor::new(&site.broker);
    let found = janitor.unclaimed_subjects(Lane::Op, &known).await.unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|one| {
            (
                one.subject.as_str(),
                one.account.as_ref().map(AccountId::as_str),
                one.events,
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("voice.v1.op.UPPER.call_ended", None, 1),
            ("voice.v1.op.known", Some("known"), 1),
            ("voice.v1.op.unknown.call_ended", Some("unknown"), 2),
        ]
    );
    assert_eq!(
        janitor.unclaimed_subjects(Lane::En, &known).await.unwrap(),
        []
    );
}

#[tokio::test]
async fn unclaimed_events_become_dead_letters_each_once() {
    let site = site().await;
    let lost = account("lost");
    publish(&site.broker, Lane::Op, &lost, "e", 3).await;
    publish(&site.broker, Lane::Op, &account("kept"), "k", 1).await;
    let janitor = Janitor::new(&site.broker);
    let dead = DeadLetters::new(&site.broker);
    let unclaimed = Unclaimed {
        lane: Lane::Op,
        subject: "voice.v1.op.lost.call_ended".to_owned(),
        account: Some(lost.clone()),
        events: 3,
    };
    let run = async |cutoff| {
        janitor
            .dead_letter_unclaimed(&unclaimed, cutoff, WallTime(5))
            .await
            .unwrap()
    };
    // Too young.
    assert_eq!(run(BrokerTime(0)).await, 0);
    let later = tomorrow(&site).await;
    assert_eq!(run(later).await, 3);
    assert_eq!(run(later).await, 0);
    let letters = dead
        .list(&DeadFilter::default(), ListFrom::Sequence(0), 10)
        .await
        .unwrap();
    let summary: Vec<_> = letters
        .iter()
        .map(|found| {
            (
                found.letter.event_id.as_deref().unwrap(),
                found.letter.payload.as_ref(),
                found.letter.known_code(),
            )
        })
        .collect();
    let code = Some(codes::ACCOUNT_UNKNOWN);
    assert_eq!(
        summary,
        [
            ("lost-e1", &b"e1"[..], code),
            ("lost-e2", &b"e2"[..], code),
            ("lost-e3", &b"e3"[..], code),
        ]
    );
    assert_eq!(left(&site, "lost").await, [""; 0]);
    assert_eq!(left(&site, "kept").await, ["k1"]);
}

#[tokio::test]
async fn a_move_that_was_killed_between_copy_and_deletion_copies_nothing_twice() {
    // A window so short that the broker itself no longer recognises the copy.
    let site = site().await;
    let context = site.broker.context();
    let mut config = context
        .get_stream("DEAD")
        .await
        .unwrap()
        .cached_info()
        .config
        .clone();
    config.duplicate_window = Duration::from_millis(100);
    context.update_stream(&config).await.unwrap();

    let lost = account("lost");
    let seqs = publish(&site.broker, Lane::Op, &lost, "e", 2).await;
    let janitor = Janitor::new(&site.broker);
    let dead = DeadLetters::new(&site.broker);
    let unclaimed = Unclaimed {
        lane: Lane::Op,
        subject: "voice.v1.op.lost.call_ended".to_owned(),
        account: Some(lost.clone()),
        events: 2,
    };
    let copy = DeadLetter {
        lane: Lane::Op,
        account: lost,
        code: codes::ACCOUNT_UNKNOWN.as_str().to_owned(),
        cause: String::new(),
        attempts: 0,
        event_id: Some("lost-e1".to_owned()),
        effect: None,
        subject: unclaimed.subject.clone(),
        stream_seq: seqs[0],
        content_type: None,
        traceparent: None,
        payload: "e1".into(),
        at: WallTime(1),
    };
    let first = dead.publish(&copy).await.unwrap();
    wait_for("the window to pass", DEADLINE, async || {
        let probe = DeadLetter {
            account: account("probe"),
            stream_seq: 999,
            ..copy.clone()
        };
        let once = dead.publish(&probe).await.unwrap();
        dead.delete(once).await.unwrap();
        (once > first + 1).then_some(())
    })
    .await
    .unwrap();

    let moved = janitor
        .dead_letter_unclaimed(&unclaimed, tomorrow(&site).await, WallTime(2))
        .await
        .unwrap();
    assert_eq!(moved, 2);
    let filter = DeadFilter {
        account: Some(account("lost")),
        ..DeadFilter::default()
    };
    let letters = dead.list(&filter, ListFrom::Sequence(0), 10).await.unwrap();
    let origins: Vec<_> = letters.iter().map(|one| one.letter.stream_seq).collect();
    assert_eq!(origins, seqs);
}

#[tokio::test]
async fn fill_is_told_for_every_asset() {
    let site = site().await;
    publish(&site.broker, Lane::Op, &account("acme"), "e", 10).await;
    let fill = Janitor::new(&site.broker).fill().await.unwrap();
    assert_eq!(fill.len(), 11);
    let op = fill.iter().find(|one| one.asset == "VOICE_OP").unwrap();
    assert!(op.bytes > 0 && op.max_bytes.is_some());
    assert!(op.fraction() > 0.0 && op.fraction() < 0.01);
    assert!(fill.iter().any(|one| one.asset == "callflume-ledger"));
}
