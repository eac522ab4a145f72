//! Quota journals: what each account's owner has been granted.
//!
//! Written by compare-and-set only: an owner that was replaced without noticing loses the race instead of erasing
//! what its successor wrote. Reads are strict.

use callflume_core::account::AccountId;
use callflume_core::record::{JournalRecord, bucket, key};

use crate::broker::Broker;
use crate::error::{Error, SwapError};
use crate::kv::{Bucket, Expected};
use crate::records::{self, Stored};

/// The journals.
#[derive(Debug, Clone)]
pub struct Journals {
    bucket: Bucket,
}

impl Journals {
    /// Opens the bucket.
    pub async fn open(broker: &Broker) -> Result<Self, Error> {
        let bucket = Bucket::open(broker, bucket::QUOTAS).await?;
        Ok(Self { bucket })
    }

    /// An account's journal.
    pub async fn read(&self, account: &AccountId) -> Result<Option<Stored<JournalRecord>>, Error> {
        records::read(&self.bucket, &key::journal(account)).await
    }

    /// Replaces the journal that has the expected revision; gives the new one.
    pub async fn write(
        &self,
        account: &AccountId,
        journal: &JournalRecord,
        expected: Expected,
    ) -> Result<u64, SwapError> {
        records::swap(
            &self.bucket,
            &key::journal(account),
            journal,
            expected,
            None,
        )
        .await
    }
}
