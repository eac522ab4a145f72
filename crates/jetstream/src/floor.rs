//! Floors: below which stream sequence everything of an account and lane is settled.
//!
//! Only the owner of the account writes them. Too low a floor costs repeated deliveries, which the ledger drops; too
//! high a one would lose events, so a floor is written only after what lies below it was recorded.

use callflume_core::account::AccountId;
use callflume_core::lane::Lane;
use callflume_core::record::{FloorRecord, SCHEMA, bucket, key};
use callflume_core::time::BrokerTime;

use crate::broker::Broker;
use crate::error::Error;
use crate::kv::Bucket;
use crate::records;

/// Below `seq` everything of an account and lane is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Floor {
    /// First stream sequence that may be unsettled; 0 when nothing is known.
    pub seq: u64,
    /// When this was known to be so, by the broker's clock. A stream made later than that is another one, and the
    /// floor says nothing about it. `None`: taken as it is.
    pub written: Option<BrokerTime>,
}

impl Floor {
    /// A floor taken as it is.
    pub const fn at(seq: u64) -> Self {
        Self { seq, written: None }
    }
}

/// The floors, in the ledger bucket.
#[derive(Debug, Clone)]
pub struct Floors {
    bucket: Bucket,
}

impl Floors {
    /// Opens the bucket.
    pub async fn open(broker: &Broker) -> Result<Self, Error> {
        let bucket = Bucket::open(broker, bucket::LEDGER).await?;
        Ok(Self { bucket })
    }

    /// The floor; its sequence is 0 when none was ever written.
    pub async fn read(&self, lane: Lane, account: &AccountId) -> Result<Floor, Error> {
        let found = records::read::<FloorRecord>(&self.bucket, &key::floor(lane, account)).await?;
        Ok(found.map_or_else(Floor::default, |stored| Floor {
            seq: stored.record.seq,
            written: Some(stored.created),
        }))
    }

    /// Writes the floor; it does not expire.
    pub async fn write(&self, lane: Lane, account: &AccountId, seq: u64) -> Result<(), Error> {
        let record = FloorRecord {
            schema: SCHEMA,
            seq,
        };
        records::put(&self.bucket, &key::floor(lane, account), &record, None)
            .await
            .map(drop)
    }
}
