//! The ledger: how far each effect is.
//!
//! Reads are strict: after a takeover the successor must see what its predecessor was told is stored. Records expire
//! after [`LEDGER_TTL_HOURS`]; events older than that are probed at the CRM first.

use std::time::Duration;

use callflume_core::account::AccountId;
use callflume_core::record::{LEDGER_TTL_HOURS, LedgerRecord, bucket, key};

use crate::broker::Broker;
use crate::error::{Error, SwapError};
use crate::kv::{Bucket, Expected};
use crate::records::{self, Stored};

const TTL: Duration = Duration::from_secs(LEDGER_TTL_HOURS * 3600);

/// The ledger bucket.
#[derive(Debug, Clone)]
pub struct Ledger {
    bucket: Bucket,
}

impl Ledger {
    /// Opens the ledger.
    pub async fn open(broker: &Broker) -> Result<Self, Error> {
        let bucket = Bucket::open(broker, bucket::LEDGER).await?;
        Ok(Self { bucket })
    }

    /// What is known of an effect.
    pub async fn read(
        &self,
        account: &AccountId,
        effect_key: &str,
    ) -> Result<Option<Stored<LedgerRecord>>, Error> {
        records::read(&self.bucket, &key::effect(account, effect_key)).await
    }

    /// What is known of many effects, in their order.
    pub async fn read_many(
        &self,
        account: &AccountId,
        effect_keys: &[String],
    ) -> Result<Vec<Option<Stored<LedgerRecord>>>, Error> {
        let keys = effect_keys
            .iter()
            .map(|effect_key| key::effect(account, effect_key))
            .collect();
        records::read_many(&self.bucket, keys).await
    }

    /// Records how far an effect is; gives the revision. Safe to repeat after an unknown outcome.
    pub async fn write(
        &self,
        account: &AccountId,
        effect_key: &str,
        record: &LedgerRecord,
    ) -> Result<u64, Error> {
        let key = key::effect(account, effect_key);
        records::put(&self.bucket, &key, record, Some(TTL)).await
    }

    /// Records how far an effect is, if nobody recorded anything since.
    pub async fn swap(
        &self,
        account: &AccountId,
        effect_key: &str,
        record: &LedgerRecord,
        expected: Expected,
    ) -> Result<u64, SwapError> {
        let key = key::effect(account, effect_key);
        records::swap(&self.bucket, &key, record, expected, Some(TTL)).await
    }

    /// Forgets an effect, for a replay, if nobody recorded anything since.
    pub async fn forget(
        &self,
        account: &AccountId,
        effect_key: &str,
        revision: u64,
    ) -> Result<(), SwapError> {
        let key = key::effect(account, effect_key);
        self.bucket.delete_if(&key, revision).await.map(drop)
    }
}
