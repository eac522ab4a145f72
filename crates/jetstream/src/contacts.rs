//! Contacts known in the CRMs.
//!
//! A cache: reads are fast and may be a moment behind; nothing that matters rests on a hit. The account's owner
//! writes, everybody reads. Keys are digests and CRM ids, values carry no names and numbers.

use callflume_core::account::AccountId;
use callflume_core::record::{AliasRecord, ContactRecord, SCHEMA, bucket, key};

use crate::broker::Broker;
use crate::error::Error;
use crate::kv::Bucket;
use crate::records;
use crate::watch::Watch;

/// The contact bucket.
#[derive(Debug, Clone)]
pub struct Contacts {
    bucket: Bucket,
}

impl Contacts {
    /// Opens the bucket.
    pub async fn open(broker: &Broker) -> Result<Self, Error> {
        let bucket = Bucket::open(broker, bucket::CONTACTS).await?;
        Ok(Self { bucket })
    }

    /// The contact with this CRM id.
    pub async fn by_id(
        &self,
        account: &AccountId,
        crm_id: &str,
    ) -> Result<Option<ContactRecord>, Error> {
        let key = key::contact(account, crm_id);
        let found = records::read_fast(&self.bucket, &key).await?;
        Ok(found.map(|stored| stored.record))
    }

    /// The CRM id behind an alias (digest of a phone number, e-mail address or key).
    pub async fn id_of(&self, account: &AccountId, alias: &str) -> Result<Option<String>, Error> {
        let key = key::alias(account, alias);
        let found = records::read_fast::<AliasRecord>(&self.bucket, &key).await?;
        Ok(found.map(|stored| stored.record.crm_id))
    }

    /// The contact behind an alias.
    pub async fn by_alias(
        &self,
        account: &AccountId,
        alias: &str,
    ) -> Result<Option<ContactRecord>, Error> {
        match self.id_of(account, alias).await? {
            Some(crm_id) => self.by_id(account, &crm_id).await,
            None => Ok(None),
        }
    }

    /// Writes a contact, and under which aliases it is found. The contact first: an alias never leads nowhere.
    pub async fn write<'a>(
        &self,
        account: &AccountId,
        contact: &ContactRecord,
        aliases: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), Error> {
        let key = key::contact(account, &contact.crm_id);
        records::put(&self.bucket, &key, contact, None).await?;
        self.write_aliases(account, &contact.crm_id, aliases).await
    }

    /// Writes under which aliases a contact is found.
    pub async fn write_aliases<'a>(
        &self,
        account: &AccountId,
        crm_id: &str,
        aliases: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), Error> {
        let record = AliasRecord {
            schema: SCHEMA,
            crm_id: crm_id.to_owned(),
        };
        for alias in aliases {
            records::put(&self.bucket, &key::alias(account, alias), &record, None).await?;
        }
        Ok(())
    }

    /// Forgets a contact; aliases that still point to it find nothing.
    pub async fn forget(&self, account: &AccountId, crm_id: &str) -> Result<(), Error> {
        let key = key::contact(account, crm_id);
        self.bucket.delete(&key).await.map(drop)
    }

    /// Forgets an alias.
    pub async fn forget_alias(&self, account: &AccountId, alias: &str) -> Result<(), Error> {
        self.bucket
            .delete(&key::alias(account, alias))
            .await
            .map(drop)
    }

    /// Watches the contacts of one account, to invalidate a cache in memory.
    pub async fn watch(&self, account: &AccountId) -> Result<Watch, Error> {
        self.bucket.watch(&format!("*.{account}.>")).await
    }
}
