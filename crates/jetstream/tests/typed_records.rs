//! Ledger, floors, journals, contacts, and the broker's clock.

mod common;

use async_nats::jetstream::message::StreamMessage;
use callflume_core::card::News;
use callflume_core::lane::Lane;
use callflume_core::record::{ContactRecord, EffectState, JournalRecord, LedgerRecord, SCHEMA};
use callflume_core::reference::{Owner, ReferenceRecord};
use callflume_core::time::WallTime;
use callflume_jetstream::SwapError;
use callflume_jetstream::clock::BrokerClock;
use callflume_jetstream::contacts::Contacts;
use callflume_jetstream::floor::{Floor, Floors};
use callflume_jetstream::journal::Journals;
use callflume_jetstream::kv::{Bucket, Expected};
use callflume_jetstream::ledger::Ledger;
use callflume_jetstream::reference::ReferenceData;

use common::{Site, account, site};

fn record(state: EffectState) -> LedgerRecord {
    LedgerRecord {
        schema: SCHEMA,
        state,
        at: WallTime(5),
        crm_id: Some("77".to_owned()),
        code: None,
        own_key: None,
    }
}

/// The ledger's message behind a key, headers included.
async fn raw_in_ledger(site: &Site, key: &str) -> StreamMessage {
    site.broker
        .context()
        .get_stream("KV_callflume-ledger")
        .await
        .unwrap()
        .get_last_raw_message_by_subject(&format!("$KV.callflume-ledger.{key}"))
        .await
        .unwrap()
}

#[tokio::test]
async fn the_ledger_remembers_effects_with_an_expiry() {
    let site = site().await;
    let acme = account("acme");
    let ledger = Ledger::open(&site.broker).await.unwrap();
    assert_eq!(ledger.read(&acme, "e1").await.unwrap(), None);
    let sent = record(EffectState::Sent);
    let revision = ledger
        .swap(&acme, "e1", &sent, Expected::Absent)
        .await
        .unwrap();
    let done = record(EffectState::Done);
    ledger
        .swap(&acme, "e1", &done, Expected::Revision(revision))
        .await
        .unwrap();
    ledger.write(&acme, "e3", &sent).await.unwrap();
    let keys = ["e1", "e2", "e3"].map(str::to_owned);
    let found = ledger.read_many(&acme, &keys).await.unwrap();
    let states: Vec<_> = found
        .into_iter()
        .map(|one| one.map(|one| one.record.state))
        .collect();
    assert_eq!(
        states,
        [Some(EffectState::Done), None, Some(EffectState::Sent)]
    );
    let stale = ledger.forget(&acme, "e1", revision).await;
    assert!(matches!(stale, Err(SwapError::Lost { .. })), "{stale:?}");
    let latest = ledger.read(&acme, "e1").await.unwrap().unwrap().revision;
    ledger.forget(&acme, "e1", latest).await.unwrap();
    assert_eq!(ledger.read(&acme, "e1").await.unwrap(), None);

    let raw = raw_in_ledger(&site, "acme.e3").await;
    assert_eq!(raw.headers.get("Nats-TTL").unwrap().as_str(), "86400");
}

#[tokio::test]
async fn floors_are_kept_per_lane_without_an_expiry() {
    let site = site().await;
    let acme = account("acme");
    let floors = Floors::open(&site.broker).await.unwrap();
    assert_eq!(
        floors.read(Lane::Op, &acme).await.unwrap(),
        Floor::default()
    );
    floors.write(Lane::Op, &acme, 41).await.unwrap();
    floors.write(Lane::Op, &acme, 42).await.unwrap();
    let floor = floors.read(Lane::Op, &acme).await.unwrap();
    assert_eq!(floor.seq, 42);
    assert!(floor.written.is_some());
    assert_eq!(
        floors.read(Lane::En, &acme).await.unwrap(),
        Floor::default()
    );
    let raw = raw_in_ledger(&site, "floor.op.acme").await;
    assert!(raw.headers.get("Nats-TTL").is_none());
}

#[tokio::test]
async fn a_journal_is_replaced_only_by_who_read_it_last() {
    let site = site().await;
    let acme = account("acme");
    let journals = Journals::open(&site.broker).await.unwrap();
    let mut journal = JournalRecord {
        schema: SCHEMA,
        ..JournalRecord::default()
    };
    let first = journals
        .write(&acme, &journal, Expected::Absent)
        .await
        .unwrap();
    journal.days.insert("2026-01-01".to_owned(), 3);
    journals
        .write(&acme, &journal, Expected::Revision(first))
        .await
        .unwrap();
    let late = JournalRecord::default();
    assert!(
        journals
            .write(&acme, &late, Expected::Revision(first))
            .await
            .is_err()
    );
    let found = journals.read(&acme).await.unwrap().unwrap();
    assert_eq!(found.record, journal);
}

#[tokio::test]
async fn contacts_are_found_by_alias() {
    let site = site().await;
    let acme = account("acme");
    let contacts = Contacts::open(&site.broker).await.unwrap();
    let aliases = ["digest-1".to_owned(), "digest-2".to_owned()].to_vec();
    let contact = ContactRecord {
        schema: SCHEMA,
        crm_id: "901".to_owned(),
        ..ContactRecord::default()
    };
    contacts
        .write(&acme, &contact, &aliases, News::Written)
        .await
        .unwrap();
    for alias in &aliases {
        let found = contacts.by_alias(&acme, alias).await.unwrap().unwrap();
        assert_eq!((found.crm_id, &found.aliases), ("901".to_owned(), &aliases));
    }
    assert_eq!(contacts.by_alias(&acme, "digest-3").await.unwrap(), None);
    assert_eq!(
        contacts.by_alias(&account("b"), "digest-1").await.unwrap(),
        None
    );
    contacts.forget_alias(&acme, "digest-2").await.unwrap();
    assert_eq!(contacts.id_of(&acme, "digest-2").await.unwrap(), None);
    contacts.forget(&acme, "901").await.unwrap();
    assert_eq!(contacts.by_alias(&acme, "digest-1").await.unwrap(), None);
}

#[tokio::test]
async fn reference_data_is_kept_per_account_and_replaced_whole() {
    let site = site().await;
    let (acme, other) = (account("acme"), account("other"));
    let reference = ReferenceData::open(&site.broker).await.unwrap();
    assert_eq!(reference.read(&acme).await.unwrap(), None);
    let mut record = ReferenceRecord::default();
    record.add(ReferenceRecord {
        owners: vec![Owner {
            id: "71".to_owned(),
            email: "ida@example.com".to_owned(),
            active: true,
        }],
        ..ReferenceRecord::default()
    });
    let first = reference.write(&acme, &record).await.unwrap();
    record.owners.clear();
    let second = reference.write(&acme, &record).await.unwrap();
    assert!(second > first);
    for found in [
        reference.read(&acme).await.unwrap(),
        reference.read_fast(&acme).await.unwrap(),
    ] {
        let found = found.unwrap();
        assert_eq!((&found.record, found.revision), (&record, second));
    }
    assert_eq!(reference.read(&other).await.unwrap(), None);
    // A record as large as it may become fits a message.
    record.add(ReferenceRecord {
        owners: (0..20_000)
            .map(|n| Owner {
                id: n.to_string(),
                email: format!("person-{n}@example.com"),
                active: true,
            })
            .collect(),
        ..ReferenceRecord::default()
    });
    reference.write(&acme, &record).await.unwrap();
    let found = reference.read(&acme).await.unwrap().unwrap();
    assert!(found.record.owners.len() > 5_000, "{:?}", found.record);
}

#[tokio::test]
async fn the_clock_agrees_with_what_the_broker_stamps() {
    let site = site().await;
    let clock = BrokerClock::start(&site.broker).await.unwrap();
    let bucket = Bucket::open(&site.broker, "callflume-quotas")
        .await
        .unwrap();
    for _ in 0..5 {
        let before = clock.now();
        bucket.put("probe", "x").await.unwrap();
        let after = clock.now();
        let stamped = bucket.read("probe").await.unwrap().unwrap().created;
        // The estimate's own bound, and a millisecond for rounding.
        let slack = i64::try_from(clock.uncertainty().as_millis()).unwrap() + 1;
        assert!(
            before.0 - slack <= stamped.0 && stamped.0 <= after.0 + slack,
            "{before:?} {stamped:?} {after:?} ± {slack}"
        );
    }
    clock.synchronise().await.unwrap();
}
