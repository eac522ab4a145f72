//! Leases: one owner, an end that always comes, epochs that only rise.

mod common;

use std::time::{Duration, Instant};

use callflume_core::record::{SCHEMA, WorkerRecord, key};
use callflume_jetstream::connect::connect;
use callflume_jetstream::lease::{Lease, LeaseError, Leases};
use callflume_testkit::wait_for;

use common::{DEADLINE, account, settings, site};

const SHORT: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(600);

async fn claim_when_free(leases: &Leases, key: &str, owner: &str, ttl: Duration) -> Lease {
    wait_for("the lease to be free", DEADLINE, async || {
        match leases.claim(key, owner, ttl).await {
            Ok(lease) => Some(lease),
            Err(LeaseError::Held { .. } | LeaseError::Lost { .. }) => None,
            Err(error) => panic!("{error}"),
        }
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn one_owner_at_a_time() {
    let site = site().await;
    let leases = Leases::open(&site.broker).await.unwrap();
    let key = key::lease(&account("acme"));
    let before = Instant::now();
    let mut lease = leases.claim(&key, "w1", LONG).await.unwrap();
    assert!(lease.held_until() >= before + LONG);
    assert!(lease.left(Instant::now()) <= LONG);

    let held = leases.claim(&key, "w2", LONG).await.unwrap_err();
    assert!(
        matches!(&held, LeaseError::Held { owner, .. } if owner == "w1"),
        "{held}"
    );
    assert_eq!(leases.owner(&key).await.unwrap().as_deref(), Some("w1"));

    let epoch = lease.revision();
    leases.renew(&mut lease, LONG).await.unwrap();
    assert!(lease.revision() > epoch);

    let epoch = lease.revision();
    leases.release(lease).await.unwrap();
    let next = leases.claim(&key, "w2", LONG).await.unwrap();
    assert!(next.revision() > epoch);
}

#[tokio::test]
async fn an_owner_that_vanished_is_replaced_and_its_successor_too() {
    let site = site().await;
    let leases = Leases::open(&site.broker).await.unwrap();
    let key = key::lease(&account("acme"));
    let mut epoch = 0;
    let mut vanished = None;
    // The third claim finds the marker of an expiry, as the second did.
    for owner in ["w1", "w2", "w3"] {
        let lease = claim_when_free(&leases, &key, owner, SHORT).await;
        assert!(lease.revision() > epoch);
        epoch = lease.revision();
        vanished = Some(lease);
    }
    let mut vanished = vanished.unwrap();
    let heir = claim_when_free(&leases, &key, "w4", LONG).await;
    let late = leases.renew(&mut vanished, LONG).await.unwrap_err();
    assert!(
        matches!(&late, LeaseError::Held { owner, .. } if owner == "w4"),
        "{late}"
    );
    // Giving back what was lost takes nothing from the heir.
    leases.release(vanished).await.unwrap();
    assert_eq!(leases.owner(&key).await.unwrap().as_deref(), Some("w4"));
    drop(heir);
}

#[tokio::test]
async fn a_killed_process_frees_its_lease() {
    let site = site().await;
    let other = connect(&settings(&site.server), "doomed").await.unwrap();
    let doomed = Leases::open(&other).await.unwrap();
    let key = key::lease(&account("acme"));
    doomed.claim(&key, "doomed", SHORT).await.unwrap();
    drop((doomed, other));

    let leases = Leases::open(&site.broker).await.unwrap();
    let lease = claim_when_free(&leases, &key, "heir", LONG).await;
    assert_eq!(lease.owner(), "heir");
}

#[tokio::test]
async fn a_renewal_whose_answer_was_lost_is_found_again() {
    let site = site().await;
    let leases = Leases::open(&site.broker).await.unwrap();
    let key = key::lease(&account("acme"));
    let mut lease = leases.claim(&key, "w1", LONG).await.unwrap();
    // What the broker would hold if the answer to this renewal had not come back.
    let mut answered = lease.clone();
    leases.renew(&mut answered, LONG).await.unwrap();

    leases.renew(&mut lease, LONG).await.unwrap();
    assert!(lease.revision() > answered.revision());
    // A claim whose answer was lost is repeated the same way.
    let again = leases.claim(&key, "w1", LONG).await.unwrap();
    assert!(again.revision() > lease.revision());
}

#[tokio::test]
async fn a_lease_that_nobody_took_over_is_still_lost_once_expired() {
    let site = site().await;
    let leases = Leases::open(&site.broker).await.unwrap();
    let key = key::JANITOR;
    let mut lease = leases.claim(key, "w1", SHORT).await.unwrap();
    wait_for("the lease to expire", DEADLINE, async || {
        leases.owner(key).await.unwrap().is_none().then_some(())
    })
    .await
    .unwrap();
    let late = leases.renew(&mut lease, SHORT).await.unwrap_err();
    assert!(matches!(late, LeaseError::Lost { .. }), "{late}");
}

#[tokio::test]
async fn workers_live_while_they_say_so() {
    let site = site().await;
    let leases = Leases::open(&site.broker).await.unwrap();
    let worker = |id: &str| WorkerRecord {
        schema: SCHEMA,
        worker: id.to_owned(),
        version: "1".to_owned(),
    };
    assert_eq!(leases.workers().await.unwrap(), []);
    leases.heartbeat(&worker("w1"), LONG).await.unwrap();
    leases.heartbeat(&worker("w2"), SHORT).await.unwrap();
    leases.heartbeat(&worker("w3"), LONG).await.unwrap();
    leases.leave("w3").await.unwrap();
    wait_for("w2 to be gone", DEADLINE, async || {
        (leases.workers().await.unwrap() == [worker("w1")]).then_some(())
    })
    .await
    .unwrap();
}
