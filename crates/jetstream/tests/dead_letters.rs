//! Dead letters: stored once, found again, bytes untouched.

mod common;

use callflume_core::codes;
use callflume_core::lane::Lane;
use callflume_core::time::WallTime;
use callflume_jetstream::dead::{DeadFilter, DeadLetter, DeadLetters, ListFrom};

use common::{account, site};

fn letter(id: &str, seq: u64) -> DeadLetter {
    DeadLetter {
        lane: Lane::Op,
        account: account(id),
        code: codes::CRM_REFUSED.as_str().to_owned(),
        cause: "property `stage` has no such option".to_owned(),
        attempts: 1,
        event_id: Some(format!("event-{seq}")),
        effect: Some("call".to_owned()),
        subject: format!("voice.v1.op.{id}.call_ended"),
        stream_seq: seq,
        content_type: Some("application/json".to_owned()),
        traceparent: None,
        payload: vec![0, 255, b'\r', b'\n', 1].into(),
        at: WallTime(1_700_000_000_123),
    }
}

fn origins(letters: &[callflume_jetstream::dead::StoredDeadLetter]) -> Vec<u64> {
    letters
        .iter()
        .map(|found| found.letter.stream_seq)
        .collect()
}

#[tokio::test]
async fn a_letter_is_stored_once_and_reads_back_whole() {
    let site = site().await;
    let dead = DeadLetters::new(&site.broker);
    let first = dead.publish(&letter("acme", 7)).await.unwrap();
    assert_eq!(dead.publish(&letter("acme", 7)).await.unwrap(), first);
    // Another effect of the same event is another letter.
    let other = DeadLetter {
        effect: None,
        code: codes::CRM_GAVE_UP.as_str().to_owned(),
        ..letter("acme", 7)
    };
    let second = dead.publish(&other).await.unwrap();
    assert!(second > first);

    let found = dead.show(first).await.unwrap().unwrap();
    assert_eq!(found.letter, letter("acme", 7));
    assert_eq!(found.letter.known_code(), Some(codes::CRM_REFUSED));
    assert_eq!(dead.show(second).await.unwrap().unwrap().letter, other);
    assert_eq!(dead.show(999).await.unwrap(), None);

    dead.delete(first).await.unwrap();
    dead.delete(first).await.unwrap();
    assert_eq!(dead.show(first).await.unwrap(), None);
}

#[tokio::test]
async fn letters_are_listed_newest_first_or_from_a_sequence() {
    let site = site().await;
    let dead = DeadLetters::new(&site.broker);
    let everything = DeadFilter::default();
    assert_eq!(
        dead.list(&everything, ListFrom::Newest, 10).await.unwrap(),
        []
    );
    // More than one window and one batch.
    for seq in 1..=1300 {
        let id = if seq % 100 == 0 { "rare" } else { "acme" };
        dead.publish(&letter(id, seq)).await.unwrap();
    }
    let newest = dead.list(&everything, ListFrom::Newest, 3).await.unwrap();
    assert_eq!(origins(&newest), [1300, 1299, 1298]);
    let rare = DeadFilter {
        account: Some(account("rare")),
        ..DeadFilter::default()
    };
    let all_rare = dead.list(&rare, ListFrom::Newest, 100).await.unwrap();
    assert_eq!(
        origins(&all_rare),
        (1..=13).rev().map(|n| n * 100).collect::<Vec<_>>()
    );
    let from = dead
        .list(&rare, ListFrom::Sequence(all_rare[1].seq), 100)
        .await
        .unwrap();
    assert_eq!(origins(&from), [1200, 1300]);
    let all = dead
        .list(&everything, ListFrom::Sequence(0), 10_000)
        .await
        .unwrap();
    assert_eq!(all.len(), 1300);

    for (filter, expected) in [
        (
            DeadFilter {
                lane: Some(Lane::En),
                ..DeadFilter::default()
            },
            0,
        ),
        (
            DeadFilter {
                lane: Some(Lane::Op),
                ..DeadFilter::default()
            },
            5,
        ),
        (
            DeadFilter {
                code: Some(codes::CRM_SCOPE),
                ..DeadFilter::default()
            },
            0,
        ),
    ] {
        let found = dead.list(&filter, ListFrom::Newest, 5).await.unwrap();
        assert_eq!(found.len(), expected, "{filter:?}");
    }
    let counts = dead.counts().await.unwrap();
    assert_eq!(
        counts
            .iter()
            .map(|count| (count.account.as_str(), count.count))
            .collect::<Vec<_>>(),
        [("acme", 1287), ("rare", 13)]
    );

    // Nothing is left behind.
    let mut stream = site.broker.context().get_stream("DEAD").await.unwrap();
    assert_eq!(stream.info().await.unwrap().state.consumer_count, 0);
}

#[tokio::test]
async fn any_cause_is_stored() {
    let site = site().await;
    let dead = DeadLetters::new(&site.broker);
    let odd = DeadLetter {
        cause: format!("erste Zeile\r\nNats-Msg-Id: forged\r\n{}", "ü".repeat(5000)),
        effect: Some("note ü\n".to_owned()),
        ..letter("acme", 1)
    };
    let seq = dead.publish(&odd).await.unwrap();
    let found = dead.show(seq).await.unwrap().unwrap().letter;
    assert!(found.cause.starts_with("erste Zeile"), "{}", found.cause);
    assert!(!found.cause.contains('\n'));
    assert_eq!(found.payload, odd.payload);
}
