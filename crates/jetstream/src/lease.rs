//! Leases: who owns an account (or the janitor's work), and which workers live.
//!
//! Decides how a lease is claimed, renewed and given back by compare-and-set, and until when its holder may believe
//! in it: counted from *before* the request left, so that the holder's end always lies before the broker's. The
//! revision is the fencing epoch: it only rises, over expiries too. A value without expiry is never written.

use std::time::{Duration, Instant};

use callflume_core::record::{LeaseRecord, SCHEMA, WorkerRecord, bucket, key};

use crate::broker::Broker;
use crate::error::{Error, SwapError};
use crate::kv::{Bucket, Expected, KeyState};
use crate::records;
use crate::watch::Watch;

/// A lease held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    key: String,
    owner: String,
    revision: u64,
    held_until: Instant,
}

impl Lease {
    /// What is leased.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Who holds it.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The fencing epoch: rises with every claim and renewal.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Nothing may be done under this lease from here on.
    pub fn held_until(&self) -> Instant {
        self.held_until
    }

    /// How long it still lasts; zero when it is over.
    pub fn left(&self, now: Instant) -> Duration {
        self.held_until.saturating_duration_since(now)
    }
}

/// Why a lease was not had or not kept.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Somebody else has it.
    #[error("`{key}` is held by {owner}")]
    Held {
        /// What is leased.
        key: String,
        /// Who has it.
        owner: String,
    },
    /// It ran out, or somebody else was quicker.
    #[error("the lease on `{key}` was lost")]
    Lost {
        /// What is leased.
        key: String,
    },
    /// Anything else; see [`LeaseError::is_unknown`].
    #[error(transparent)]
    Failed(#[from] Error),
}

impl LeaseError {
    /// Whether the lease may have been taken or renewed all the same. A new claim finds out.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Failed(error) if error.is_unknown())
    }
}

/// The lease bucket.
#[derive(Debug, Clone)]
pub struct Leases {
    bucket: Bucket,
}

impl Leases {
    /// Opens the bucket.
    pub async fn open(broker: &Broker) -> Result<Self, Error> {
        let bucket = Bucket::open(broker, bucket::LEASES).await?;
        Ok(Self { bucket })
    }

    /// Takes a lease that nobody has, or that `owner` has already (a claim whose answer was lost).
    ///
    /// Owner ids must be unique per process start: the same id in two processes would share the lease. `ttl` is
    /// rounded up to whole seconds at the broker, not in [`Lease::held_until`].
    pub async fn claim(&self, key: &str, owner: &str, ttl: Duration) -> Result<Lease, LeaseError> {
        let expected = match self.bucket.state(key).await? {
            KeyState::Never => Expected::Revision(0),
            KeyState::Gone { revision } => Expected::Revision(revision),
            KeyState::Present(entry) => {
                let found = records::decode::<LeaseRecord>(&self.bucket, key, &entry)?;
                if found.record.owner != owner {
                    return Err(LeaseError::Held {
                        key: key.to_owned(),
                        owner: found.record.owner,
                    });
                }
                Expected::Revision(found.revision)
            }
        };
        let (revision, held_until) = self.write(key, owner, expected, ttl).await?;
        Ok(Lease {
            key: key.to_owned(),
            owner: owner.to_owned(),
            revision,
            held_until,
        })
    }

    /// Extends a lease. After [`LeaseError::Lost`] it is over at once; after any other error it lasts until
    /// [`Lease::held_until`] as before, and renewing may be tried again.
    pub async fn renew(&self, lease: &mut Lease, ttl: Duration) -> Result<(), LeaseError> {
        let expected = Expected::Revision(lease.revision);
        let written = match self.write(&lease.key, &lease.owner, expected, ttl).await {
            // An earlier renewal may have arrived without its answer: then the newer revision is ours.
            Err(LeaseError::Lost { key }) => {
                let found = records::read::<LeaseRecord>(&self.bucket, &lease.key).await?;
                match found {
                    Some(found) if found.record.owner == lease.owner => {
                        let expected = Expected::Revision(found.revision);
                        self.write(&lease.key, &lease.owner, expected, ttl).await?
                    }
                    Some(found) => {
                        return Err(LeaseError::Held {
                            key,
                            owner: found.record.owner,
                        });
                    }
                    None => return Err(LeaseError::Lost { key }),
                }
            }
            other => other?,
        };
        (lease.revision, lease.held_until) = written;
        Ok(())
    }

    /// Gives a lease back, so that another may claim it at once. Fine when it was lost already.
    pub async fn release(&self, lease: Lease) -> Result<(), Error> {
        match self.bucket.delete_if(&lease.key, lease.revision).await {
            Ok(_) | Err(SwapError::Lost { .. }) => Ok(()),
            Err(SwapError::Failed(error)) => Err(error),
        }
    }

    /// Who has a lease.
    pub async fn owner(&self, key: &str) -> Result<Option<String>, Error> {
        let found = records::read::<LeaseRecord>(&self.bucket, key).await?;
        Ok(found.map(|stored| stored.record.owner))
    }

    /// Says that a worker lives, for `ttl` from now.
    pub async fn heartbeat(&self, worker: &WorkerRecord, ttl: Duration) -> Result<(), Error> {
        records::put(
            &self.bucket,
            &key::worker(&worker.worker),
            worker,
            Some(ttl),
        )
        .await
        .map(drop)
    }

    /// Takes a heartbeat back: the worker is leaving.
    pub async fn leave(&self, worker: &str) -> Result<(), Error> {
        self.bucket.delete(&key::worker(worker)).await.map(drop)
    }

    /// The workers that live, by id.
    pub async fn workers(&self) -> Result<Vec<WorkerRecord>, Error> {
        let keys = self.bucket.keys("worker.*").await?;
        let found = records::read_many(&self.bucket, keys).await?;
        // One may have expired between the two requests.
        Ok(found
            .into_iter()
            .flatten()
            .map(|stored| stored.record)
            .collect())
    }

    /// Watches leases and heartbeats come, go and expire.
    pub async fn watch(&self, filter: &str) -> Result<Watch, Error> {
        self.bucket.watch(filter).await
    }

    async fn write(
        &self,
        key: &str,
        owner: &str,
        expected: Expected,
        ttl: Duration,
    ) -> Result<(u64, Instant), LeaseError> {
        let record = LeaseRecord {
            schema: SCHEMA,
            owner: owner.to_owned(),
        };
        // Before the request leaves: the broker's clock for this value starts later.
        let held_until = Instant::now() + ttl;
        match records::swap(&self.bucket, key, &record, expected, Some(ttl)).await {
            Ok(revision) => Ok((revision, held_until)),
            Err(SwapError::Lost { key }) => Err(LeaseError::Lost { key }),
            Err(SwapError::Failed(error)) => Err(LeaseError::Failed(error)),
        }
    }
}
