//! Typed records in a bucket: JSON with a `schema` number.
//!
//! Decides what can be read: this schema and older ones that still parse. A newer one is an error that says so, never
//! a guess. Errors name bucket, key and the part that did not fit, never a value.

use std::time::Duration;

use callflume_core::record::SCHEMA;
use callflume_core::time::BrokerTime;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, SwapError};
use crate::kv::{Bucket, Entry, Expected};

/// A record with what the broker knows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored<T> {
    /// The record.
    pub record: T,
    /// Its revision, for a compare-and-set.
    pub revision: u64,
    /// When the broker stored it.
    pub created: BrokerTime,
}

/// Reads a record, answered by the leader.
pub async fn read<T: DeserializeOwned>(
    bucket: &Bucket,
    key: &str,
) -> Result<Option<Stored<T>>, Error> {
    let entry = bucket.read(key).await?;
    entry.map(|entry| decode(bucket, key, &entry)).transpose()
}

/// Reads a record, answered by any replica.
pub async fn read_fast<T: DeserializeOwned>(
    bucket: &Bucket,
    key: &str,
) -> Result<Option<Stored<T>>, Error> {
    let entry = bucket.read_fast(key).await?;
    entry.map(|entry| decode(bucket, key, &entry)).transpose()
}

/// Reads a record; every acknowledged write is seen ([`Bucket::read_current`]).
pub async fn read_current<T: DeserializeOwned>(
    bucket: &Bucket,
    key: &str,
) -> Result<Option<Stored<T>>, Error> {
    let entry = bucket.read_current(key).await?;
    entry.map(|entry| decode(bucket, key, &entry)).transpose()
}

/// Reads many records, in the order of the keys, answered by the leader.
pub async fn read_many<T: DeserializeOwned>(
    bucket: &Bucket,
    keys: Vec<String>,
) -> Result<Vec<Option<Stored<T>>>, Error> {
    let entries = bucket.read_many(keys.clone()).await?;
    keys.iter()
        .zip(entries)
        .map(|(key, entry)| entry.map(|entry| decode(bucket, key, &entry)).transpose())
        .collect()
}

/// Writes a record, whatever was there; gives the revision.
pub async fn put<T: Serialize>(
    bucket: &Bucket,
    key: &str,
    record: &T,
    ttl: Option<Duration>,
) -> Result<u64, Error> {
    let value = encode(bucket, key, record)?;
    match ttl {
        None => bucket.put(key, value).await,
        Some(ttl) => bucket.put_ttl(key, value, ttl).await,
    }
}

/// Writes a record if the key holds what is expected; gives the revision.
pub async fn swap<T: Serialize>(
    bucket: &Bucket,
    key: &str,
    record: &T,
    expected: Expected,
    ttl: Option<Duration>,
) -> Result<u64, SwapError> {
    let value = encode(bucket, key, record)?;
    bucket.swap(key, value, expected, ttl).await
}

#[derive(Deserialize)]
struct SchemaOnly {
    schema: u32,
}

/// Reads a record out of an entry, such as one that a watch gave.
pub fn decode<T: DeserializeOwned>(
    bucket: &Bucket,
    key: &str,
    entry: &Entry,
) -> Result<Stored<T>, Error> {
    let malformed = |error: serde_json::Error| Error::MalformedRecord {
        bucket: bucket.name().to_owned(),
        key: key.to_owned(),
        // serde_json's own words may quote the value.
        cause: format!("{:?} error at column {}", error.classify(), error.column()),
    };
    let SchemaOnly { schema } = serde_json::from_slice(&entry.value).map_err(malformed)?;
    if schema > SCHEMA {
        return Err(Error::NewerRecord {
            bucket: bucket.name().to_owned(),
            key: key.to_owned(),
            schema,
        });
    }
    Ok(Stored {
        record: serde_json::from_slice(&entry.value).map_err(malformed)?,
        revision: entry.revision,
        created: entry.created,
    })
}

fn encode<T: Serialize>(bucket: &Bucket, key: &str, record: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(record).map_err(|error| Error::MalformedRecord {
        bucket: bucket.name().to_owned(),
        key: key.to_owned(),
        cause: error.to_string(),
    })
}
