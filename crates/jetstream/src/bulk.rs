//! Bulk jobs at work: one per account at most, in the ledger bucket.
//!
//! Written by compare-and-set only, as journals are: an owner that was replaced without noticing must not put its job in
//! the place of its successor's. Reads are strict. A record doesn't expire: the effects in it are nobody else's business
//! until it is removed.

use callflume_core::account::AccountId;
use callflume_core::record::{BulkRecord, bucket, key};

use crate::broker::Broker;
use crate::error::{Error, SwapError};
use crate::kv::{Bucket, Expected};
use crate::records::{self, Stored};

/// The bulk jobs.
#[derive(Debug, Clone)]
pub struct BulkJobs {
    bucket: Bucket,
}

impl BulkJobs {
    /// Opens the bucket.
    pub async fn open(broker: &Broker) -> Result<Self, Error> {
        let bucket = Bucket::open(broker, bucket::LEDGER).await?;
        Ok(Self { bucket })
    }

    /// An account's job.
    pub async fn read(&self, account: &AccountId) -> Result<Option<Stored<BulkRecord>>, Error> {
        records::read(&self.bucket, &key::bulk(account)).await
    }

    /// Stores a job, or removes it. `revision` is what this owner knows to be there; it is brought up to date. `Ok(false)`
    /// means: not surely done, try again. `Err` means that somebody else wrote it: this owner is none any more.
    pub async fn save(
        &self,
        account: &AccountId,
        record: Option<&BulkRecord>,
        revision: &mut Option<u64>,
    ) -> Result<bool, SwapError> {
        let error = match self.swap(account, record, *revision).await {
            Ok(now) => {
                *revision = now;
                return Ok(true);
            }
            Err(error) => error,
        };
        // An earlier attempt may have arrived without its answer.
        match (self.read(account).await, error) {
            (Ok(found), _) if found.as_ref().map(|stored| &stored.record) == record => {
                *revision = found.map(|stored| stored.revision);
                Ok(true)
            }
            (Ok(Some(stored)), lost @ SwapError::Lost { .. })
                if revision.is_none_or(|known| stored.revision > known) =>
            {
                Err(lost)
            }
            (_, error) => {
                tracing::debug!(%account, %error, "a bulk job was not surely recorded");
                Ok(false)
            }
        }
    }

    async fn swap(
        &self,
        account: &AccountId,
        record: Option<&BulkRecord>,
        revision: Option<u64>,
    ) -> Result<Option<u64>, SwapError> {
        let key = key::bulk(account);
        match (record, revision) {
            (Some(record), _) => {
                let expected = revision.map_or(Expected::Absent, Expected::Revision);
                let written = records::swap(&self.bucket, &key, record, expected, None).await;
                written.map(Some)
            }
            (None, Some(known)) => {
                let removed = self.bucket.delete_if(&key, known).await;
                removed.map(|_| None)
            }
            (None, None) => Ok(None),
        }
    }
}
