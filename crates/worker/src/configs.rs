//! Accounts from the config bucket.
//!
//! A value that can't be used is refused and the one before stays in force; it is named in the log and in status.

use std::collections::BTreeMap;

use callflume_core::account::AccountId;
use callflume_core::config::AccountConfig;
use callflume_core::record::{bucket, key};
use callflume_jetstream::kv::Bucket;
use callflume_jetstream::watch::{Change, Watched};
use callflume_jetstream::{Broker, Error};
use tokio::sync::watch;

use crate::setup::check_account;

const PREFIX: &str = "account.";

/// The accounts in force.
pub(crate) type Accounts = BTreeMap<AccountId, AccountConfig>;

/// Follows the bucket for ever. `accounts` is complete from its first value on (`None` before).
pub(crate) async fn follow(
    broker: &Broker,
    accounts: &watch::Sender<Option<Accounts>>,
) -> Result<(), Error> {
    let bucket = Bucket::open(broker, bucket::CONFIG).await?;
    let mut watched = bucket.watch("account.>").await?;
    let mut current = Accounts::new();
    let mut complete = false;
    loop {
        match watched.next().await? {
            Watched::UpToDate => complete = true,
            Watched::Change(change) => take(&change, &mut current),
        }
        if complete {
            accounts.send_replace(Some(current.clone()));
        }
    }
}

fn take(change: &Change, accounts: &mut Accounts) {
    let Some(Ok(account)) = change.key.strip_prefix(PREFIX).map(str::parse::<AccountId>) else {
        tracing::warn!(key = %change.key, "a key of the config bucket names no account; ignored");
        return;
    };
    let Some(value) = &change.value else {
        accounts.remove(&account);
        return;
    };
    match parse(value) {
        Ok(config) => {
            accounts.insert(account, config);
        }
        Err(cause) => {
            let code = callflume_core::codes::CONFIG_STORED;
            tracing::error!(%account, %code, %cause, "configuration refused; the last good one stays");
        }
    }
}

fn parse(value: &[u8]) -> Result<AccountConfig, String> {
    let config: AccountConfig = serde_json::from_slice(value).map_err(|error| error.to_string())?;
    check_account(&config).map_err(|error| error.to_string())?;
    Ok(config)
}

/// Brings the bucket to these accounts: writes what differs; answers which were written. Accounts that are only in the
/// bucket stay, unless `remove_others`.
pub async fn apply(
    broker: &Broker,
    accounts: &BTreeMap<AccountId, AccountConfig>,
    remove_others: bool,
) -> Result<Vec<AccountId>, Error> {
    let bucket = Bucket::open(broker, bucket::CONFIG).await?;
    let mut changed = Vec::new();
    for (account, config) in accounts {
        let key = key::account(account);
        let value = serde_json::to_vec(config).map_err(|error| Error::MalformedRecord {
            bucket: bucket::CONFIG.to_owned(),
            key: key.clone(),
            cause: error.to_string(),
        })?;
        let stands = bucket
            .read(&key)
            .await?
            .is_some_and(|entry| entry.value == value);
        if !stands {
            bucket.put(&key, value).await?;
            changed.push(account.clone());
        }
    }
    if remove_others {
        for key in bucket.keys("account.>").await? {
            let Some(Ok(account)) = key.strip_prefix(PREFIX).map(str::parse::<AccountId>) else {
                continue;
            };
            if !accounts.contains_key(&account) {
                bucket.delete(&key).await?;
                changed.push(account);
            }
        }
    }
    Ok(changed)
}

/// The accounts in the bucket that can be used.
pub async fn read(broker: &Broker) -> Result<BTreeMap<AccountId, AccountConfig>, Error> {
    let bucket = Bucket::open(broker, bucket::CONFIG).await?;
    let mut accounts = Accounts::new();
    for key in bucket.keys("account.>").await? {
        if let Some(entry) = bucket.read(&key).await? {
            let change = Change {
                key,
                value: Some(entry.value),
                revision: entry.revision,
                created: entry.created,
            };
            take(&change, &mut accounts);
        }
    }
    Ok(accounts)
}
