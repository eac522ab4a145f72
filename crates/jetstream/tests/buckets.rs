//! Buckets: compare-and-set, expiry, fast and strict reads, watches.

mod common;

use std::time::Duration;

use callflume_core::codes;
use callflume_jetstream::kv::{Bucket, Expected, KeyState, SwapError};
use callflume_jetstream::records;
use callflume_jetstream::watch::Watched;
use callflume_testkit::wait_for;

use common::{DEADLINE, Site, site};

const SECOND: Duration = Duration::from_secs(1);

async fn bucket(site: &Site, name: &str) -> Bucket {
    Bucket::open(&site.broker, name).await.unwrap()
}

async fn gone(bucket: &Bucket, key: &str) {
    wait_for("the value to expire", DEADLINE, async || {
        bucket.read(key).await.unwrap().is_none().then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn only_the_expected_revision_is_replaced() {
    let site = site().await;
    let bucket = bucket(&site, "callflume-quotas").await;
    let first = bucket.swap("k", "1", Expected::Absent, None).await.unwrap();
    let lost = bucket.swap("k", "x", Expected::Absent, None).await;
    assert!(matches!(lost, Err(SwapError::Lost { .. })), "{lost:?}");
    let second = bucket
        .swap("k", "2", Expected::Revision(first), None)
        .await
        .unwrap();
    assert!(second > first);
    let lost = bucket.swap("k", "x", Expected::Revision(first), None).await;
    assert!(matches!(lost, Err(SwapError::Lost { .. })), "{lost:?}");
    let lost = bucket.delete_if("k", first).await;
    assert!(matches!(lost, Err(SwapError::Lost { .. })), "{lost:?}");

    let entry = bucket.read("k").await.unwrap().unwrap();
    assert_eq!((entry.value.as_ref(), entry.revision), (&b"2"[..], second));
    assert_eq!(bucket.read_fast("k").await.unwrap(), Some(entry));
    assert_eq!(bucket.state("other").await.unwrap(), KeyState::Never);
    assert_eq!(bucket.read_fast("other").await.unwrap(), None);
}

#[tokio::test]
async fn a_key_that_expired_or_was_deleted_is_absent_and_expires_again() {
    let site = site().await;
    // With an expiry marker, and without.
    for name in ["callflume-leases", "callflume-ledger"] {
        let bucket = bucket(&site, name).await;
        let mut last = 0;
        for _ in 0..2 {
            let revision = bucket
                .swap("k", "v", Expected::Absent, Some(SECOND))
                .await
                .unwrap();
            assert!(revision > last, "{name}");
            last = revision;
            gone(&bucket, "k").await;
        }
        let revision = bucket.put("k", "v").await.unwrap();
        bucket.delete_if("k", revision).await.unwrap();
        assert!(matches!(
            bucket.state("k").await.unwrap(),
            KeyState::Gone { .. }
        ));
        assert_eq!(bucket.read_fast("k").await.unwrap(), None);
        bucket
            .swap("k", "v", Expected::Absent, Some(SECOND))
            .await
            .unwrap();
        gone(&bucket, "k").await;
    }
}

#[tokio::test]
async fn configuration_keeps_earlier_values_through_a_deletion() {
    let site = site().await;
    let bucket = bucket(&site, "callflume-config").await;
    bucket.put("account.a", "1").await.unwrap();
    bucket.put("account.a", "2").await.unwrap();
    bucket.delete("account.a").await.unwrap();
    assert_eq!(bucket.read("account.a").await.unwrap(), None);
    let kv = site
        .broker
        .context()
        .get_key_value("callflume-config")
        .await
        .unwrap();
    let revisions = futures_util::StreamExt::count(kv.history("account.a").await.unwrap()).await;
    assert_eq!(revisions, 3);
}

#[tokio::test]
async fn a_watch_says_when_the_current_values_are_complete() {
    let site = site().await;
    let bucket = bucket(&site, "callflume-config").await;
    let next = async |watch: &mut callflume_jetstream::watch::Watch| {
        tokio::time::timeout(DEADLINE, watch.next())
            .await
            .unwrap()
            .unwrap()
    };
    // Nothing in the bucket.
    let mut empty = bucket.watch(">").await.unwrap();
    assert_eq!(next(&mut empty).await, Watched::UpToDate);
    bucket.put("account.b", "1").await.unwrap();
    let Watched::Change(change) = next(&mut empty).await else {
        panic!("no change");
    };
    assert_eq!(change.key, "account.b");
    // Something, but nothing under the filter.
    let mut elsewhere = bucket.watch("lane.*").await.unwrap();
    assert_eq!(next(&mut elsewhere).await, Watched::UpToDate);
    // The last values, then changes and deletions.
    bucket.put("account.b", "2").await.unwrap();
    bucket.put("account.c", "3").await.unwrap();
    let mut watch = bucket.watch("account.*").await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(match next(&mut watch).await {
            Watched::UpToDate => "complete".to_owned(),
            Watched::Change(change) => format!(
                "{}={}",
                change.key,
                String::from_utf8_lossy(change.value.as_deref().unwrap_or(b"-"))
            ),
        });
    }
    assert_eq!(seen, ["account.b=2", "account.c=3", "complete"]);
    bucket.delete("account.b").await.unwrap();
    let Watched::Change(change) = next(&mut watch).await else {
        panic!("no change");
    };
    assert_eq!((change.key.as_str(), change.value), ("account.b", None));

    assert_eq!(bucket.keys("account.*").await.unwrap(), ["account.c"]);
    assert_eq!(bucket.keys("nothing.>").await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_watch_goes_on_after_the_server_was_killed() {
    let mut site = site().await;
    let bucket = bucket(&site, "callflume-config").await;
    bucket.put("account.a", "1").await.unwrap();
    let mut watch = bucket.watch(">").await.unwrap();
    assert!(matches!(watch.next().await.unwrap(), Watched::Change(_)));
    assert_eq!(watch.next().await.unwrap(), Watched::UpToDate);

    let polled = tokio::spawn(async move { watch.next().await });

    site.server.kill().await.unwrap();
    site.server.restart().await.unwrap();
    wait_for("a write after the restart", DEADLINE, async || {
        bucket.put("account.a", "2").await.ok()
    })
    .await
    .unwrap();
    let next = tokio::time::timeout(DEADLINE, polled)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    let Watched::Change(change) = next else {
        panic!("{next:?}");
    };
    assert_eq!(change.value.as_deref(), Some(&b"2"[..]));
}

#[tokio::test]
async fn many_keys_are_read_in_their_order() {
    let site = site().await;
    let bucket = bucket(&site, "callflume-ledger").await;
    for number in (0..100).step_by(2) {
        bucket
            .put_ttl(&format!("k.{number}"), number.to_string(), SECOND * 600)
            .await
            .unwrap();
    }
    let found = bucket
        .read_many((0..100).map(|number| format!("k.{number}")))
        .await
        .unwrap();
    for (number, entry) in found.into_iter().enumerate() {
        let expected = (number % 2 == 0).then(|| number.to_string());
        assert_eq!(
            entry.map(|entry| String::from_utf8(entry.value.to_vec()).unwrap()),
            expected
        );
    }
}

#[tokio::test]
async fn records_of_newer_or_broken_schema_are_named() {
    let site = site().await;
    let bucket = bucket(&site, "callflume-config").await;
    for (value, word) in [
        (r#"{"schema":99,"seq":1}"#, "schema 99"),
        (r#"{"schema":1,"seq":"secret"}"#, "can't be read"),
        ("secret", "can't be read"),
    ] {
        bucket.put("account.x", value).await.unwrap();
        let error = records::read::<callflume_core::record::FloorRecord>(&bucket, "account.x")
            .await
            .unwrap_err();
        assert_eq!(error.code(), codes::CONFIG_STORED);
        let text = error.to_string();
        assert!(text.contains(word) && text.contains("account.x"), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
}

#[tokio::test]
async fn texts_that_are_no_keys_are_refused() {
    let site = site().await;
    let bucket = bucket(&site, "callflume-config").await;
    for key in ["", "a b", "a..b", ".a", "a.", "a.*", ">", "ä", "a\r\nb"] {
        assert!(bucket.read(key).await.is_err(), "{key:?}");
        assert!(bucket.put(key, "v").await.is_err(), "{key:?}");
    }
}
