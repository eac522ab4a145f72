//! Reference data of the accounts: owners, pipelines and stages, call outcomes.
//!
//! Written by an account's owner after every reading, whole, the latest one last; read by its successor, by operators and
//! by voice services. A cache of what the CRM says: a record that is missing is read from the CRM again.

use callflume_core::account::AccountId;
use callflume_core::record::{bucket, key};
use callflume_core::reference::ReferenceRecord;

use crate::broker::Broker;
use crate::error::Error;
use crate::kv::Bucket;
use crate::records::{self, Stored};

/// The reference bucket.
#[derive(Debug, Clone)]
pub struct ReferenceData {
    bucket: Bucket,
}

impl ReferenceData {
    /// Opens the bucket.
    pub async fn open(broker: &Broker) -> Result<Self, Error> {
        let bucket = Bucket::open(broker, bucket::REFERENCE).await?;
        Ok(Self { bucket })
    }

    /// An account's data, answered by the leader.
    pub async fn read(
        &self,
        account: &AccountId,
    ) -> Result<Option<Stored<ReferenceRecord>>, Error> {
        records::read(&self.bucket, &key::reference(account)).await
    }

    /// The same, answered by any replica: a moment behind at times.
    pub async fn read_fast(
        &self,
        account: &AccountId,
    ) -> Result<Option<Stored<ReferenceRecord>>, Error> {
        records::read_fast(&self.bucket, &key::reference(account)).await
    }

    /// Replaces an account's data; gives the revision.
    pub async fn write(&self, account: &AccountId, record: &ReferenceRecord) -> Result<u64, Error> {
        records::put(&self.bucket, &key::reference(account), record, None).await
    }
}
