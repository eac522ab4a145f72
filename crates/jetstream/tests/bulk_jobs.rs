//! The record of an account's bulk job.

mod common;

use callflume_core::effect::Object;
use callflume_core::record::{BulkRecord, BulkRow, SCHEMA, key};
use callflume_core::vendor::Verb;
use callflume_jetstream::SwapError;
use callflume_jetstream::bulk::BulkJobs;
use callflume_jetstream::floor::Floors;
use callflume_jetstream::ledger::Ledger;

use callflume_core::lane::Lane;
use callflume_core::record::{EffectState, LedgerRecord};
use callflume_core::time::WallTime;
use common::{account, site};

fn record(job: &str, rows: usize) -> BulkRecord {
    let row = |n: usize| BulkRow {
        effects: vec![format!("{n:032x}")],
        key: format!("k-{n:032x}"),
        crm_id: Some(format!("003{n:015}")),
        contact: Some(format!("003{n:015}")),
        stamp: true,
    };
    BulkRecord {
        schema: SCHEMA,
        job: job.to_owned(),
        verb: Verb::UpdateById,
        object: Object::Contact,
        below: 20_001,
        rows: (0..rows).map(row).collect(),
    }
}

#[tokio::test]
async fn the_largest_job_is_stored_and_removed_and_stored_again() {
    let site = site().await;
    let acme = account("acme");
    let jobs = BulkJobs::open(&site.broker).await.unwrap();
    assert_eq!(jobs.read(&acme).await.unwrap(), None);
    let full = record("7505g00000000001AA", 5_000);
    let mut revision = None;
    for _ in 0..2 {
        assert!(jobs.save(&acme, Some(&full), &mut revision).await.unwrap());
        let found = jobs.read(&acme).await.unwrap().unwrap();
        assert_eq!((&found.record, Some(found.revision)), (&full, revision));
        assert!(jobs.save(&acme, None, &mut revision).await.unwrap());
        assert_eq!((jobs.read(&acme).await.unwrap(), revision), (None, None));
    }
}

#[tokio::test]
async fn an_attempt_that_arrived_without_its_answer_is_known_again() {
    let site = site().await;
    let acme = account("acme");
    let jobs = BulkJobs::open(&site.broker).await.unwrap();
    let (one, two) = (record("a", 1), record("b", 1));
    let mut revision = None;
    jobs.save(&acme, Some(&one), &mut revision).await.unwrap();
    let first = revision;
    // Stored, but this owner was not told.
    for before in [None, first] {
        let mut unknown = before;
        jobs.save(&acme, Some(&two), &mut revision).await.unwrap();
        assert!(jobs.save(&acme, Some(&two), &mut unknown).await.unwrap());
        assert_eq!(unknown, revision);
    }
    let mut unknown = revision;
    jobs.save(&acme, None, &mut revision).await.unwrap();
    assert!(jobs.save(&acme, None, &mut unknown).await.unwrap());
    assert_eq!(unknown, None);
}

#[tokio::test]
async fn who_finds_anothers_job_has_lost_the_account() {
    let site = site().await;
    let acme = account("acme");
    let jobs = BulkJobs::open(&site.broker).await.unwrap();
    let (old, new) = (record("a", 1), record("b", 1));
    let mut successors = None;
    jobs.save(&acme, Some(&old), &mut successors).await.unwrap();
    let mut frozen = successors;
    jobs.save(&acme, None, &mut successors).await.unwrap();
    jobs.save(&acme, Some(&new), &mut successors).await.unwrap();
    for record in [Some(&old), None] {
        let late = jobs.save(&acme, record, &mut frozen).await;
        assert!(matches!(late, Err(SwapError::Lost { .. })), "{late:?}");
    }
    let mut none_known = None;
    let late = jobs.save(&acme, Some(&old), &mut none_known).await;
    assert!(matches!(late, Err(SwapError::Lost { .. })), "{late:?}");
    assert_eq!(jobs.read(&acme).await.unwrap().unwrap().record, new);
}

#[tokio::test]
async fn it_shares_its_bucket_with_effects_and_floors_of_accounts_called_like_it() {
    let site = site().await;
    let jobs = BulkJobs::open(&site.broker).await.unwrap();
    let (ledger, floors) = (
        Ledger::open(&site.broker).await.unwrap(),
        Floors::open(&site.broker).await.unwrap(),
    );
    let (bulk, job) = (account("bulk"), account("job"));
    assert_ne!(key::bulk(&job), key::effect(&bulk, job.as_str()));
    let done = LedgerRecord::new(EffectState::Done, WallTime(5));
    ledger.write(&bulk, "job", &done).await.unwrap();
    floors.write(Lane::En, &job, 7).await.unwrap();
    jobs.save(&job, Some(&record("a", 1)), &mut None)
        .await
        .unwrap();
    assert_eq!(jobs.read(&bulk).await.unwrap(), None);
    assert_eq!(floors.read(Lane::En, &job).await.unwrap().seq, 7);
    let known = ledger.read(&bulk, "job").await.unwrap().unwrap();
    assert_eq!(known.record, done);
}
