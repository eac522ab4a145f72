//! Contacts known in the CRMs, as their account's owner keeps them.
//!
//! | key | record | for |
//! | --- | --- | --- |
//! | `c.<account>.<crm id>` | [`ContactRecord`] | the owner: when which field was written, under which aliases it is found |
//! | `a.<account>.<alias>` | [`AliasRecord`] | look-ups ([`crate::lookup`]): one read tells all, also that the CRM doesn't have somebody |
//! | `a.<account>.all-<phone or email>` | [`AliasRecord`] of nobody | look-ups: after all contacts were read, whoever isn't here is absent |
//! | `a.<account>.all-deals` | [`AliasRecord`] of nobody | look-ups: a deal that was known before all open deals were listed, and not found there, is over |
//!
//! Only the owner writes. News meets what is stored by compare-and-set ([`ContactRecord::onto`]), so that two writes that
//! overtake each other, or one that is repeated later, leave the newer values. A write is over when the contact and each of
//! its aliases carry them, and when this process's own reader has forgotten the old ones. A cache: what is lost is looked up
//! again. Keys are digests and CRM ids.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use callflume_core::account::AccountId;
use callflume_core::card::News;
use callflume_core::lookup::{ABSENT_S, DEALS, UnreadNumbers, WARMED_S};
use callflume_core::record::{AliasRecord, ContactRecord, bucket, key};
use callflume_core::time::WallTime;

use crate::broker::Broker;
use crate::error::{Error, SwapError};
use crate::kv::{Bucket, Expected};
use crate::lookup::{Bounded, Reader};
use crate::records::{self, Stored};

/// Contacts of which the latest revision is remembered, so that a write need not read first; some 600 bytes each.
const LATEST_MAX: usize = 16_384;
/// Writes that need not wait for each other, more or less.
const TURNS: usize = 256;
/// Times a compare-and-set is tried again. Only this process writes, so one is enough but for a takeover.
const TRIES_MAX: usize = 8;

/// The contact bucket.
#[derive(Debug, Clone)]
pub struct Contacts {
    bucket: Bucket,
    reader: Option<Reader>,
    latest: Arc<Mutex<Bounded<Latest>>>,
    /// One write of a contact at a time, by a digest of its key: the aliases of an older one must not come after those of
    /// a newer.
    turns: Arc<[tokio::sync::Mutex<()>; TURNS]>,
}

/// What this process last saw of a contact.
#[derive(Debug, Clone)]
struct Latest {
    stored: Stored<ContactRecord>,
    /// This process has seen to it that all its aliases carry this card.
    spread: bool,
}

impl Contacts {
    /// Opens the bucket.
    pub async fn open(broker: &Broker) -> Result<Self, Error> {
        let bucket = Bucket::open(broker, bucket::CONTACTS).await?;
        Ok(Self {
            bucket,
            reader: None,
            latest: Arc::new(Mutex::new(Bounded::new(LATEST_MAX))),
            turns: Arc::new(std::array::from_fn(|_| tokio::sync::Mutex::new(()))),
        })
    }

    /// The same, telling a reader in this process what is written.
    #[must_use]
    pub fn telling(mut self, reader: Reader) -> Self {
        self.reader = Some(reader);
        self
    }

    /// The contact with this CRM id.
    pub async fn by_id(
        &self,
        account: &AccountId,
        crm_id: &str,
    ) -> Result<Option<ContactRecord>, Error> {
        let key = key::contact(account, crm_id);
        let found = records::read_fast::<ContactRecord>(&self.bucket, &key).await?;
        let mut latest = self.latest();
        if let Some(stored) = &found
            && latest
                .get(&key)
                .is_none_or(|known| known.stored.revision < stored.revision)
        {
            let stored = stored.clone();
            let spread = false;
            latest.insert(key, Latest { stored, spread });
        }
        Ok(found.map(|stored| stored.record))
    }

    /// The CRM id behind an alias (digest of a phone number, e-mail address or key).
    pub async fn id_of(&self, account: &AccountId, alias: &str) -> Result<Option<String>, Error> {
        let key = key::alias(account, alias);
        let found = records::read_fast::<AliasRecord>(&self.bucket, &key).await?;
        Ok(found.and_then(|stored| stored.record.crm_id))
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

    /// Writes news of a contact, and under which aliases it is found. The contact first: an alias never leads nowhere.
    pub async fn write(
        &self,
        account: &AccountId,
        contact: &ContactRecord,
        aliases: &[String],
        news: News,
    ) -> Result<(), Error> {
        let key = key::contact(account, &contact.crm_id);
        let mut news_of = contact.clone();
        news_of.called(aliases);
        let mut digest = DefaultHasher::new();
        key.hash(&mut digest);
        let _turn = self.turns[digest.finish() as usize % TURNS].lock().await;
        for _ in 0..TRIES_MAX {
            let known = self.latest().get(&key).cloned();
            let before = match known {
                Some(known) => Some(known),
                None => records::read_current(&self.bucket, &key)
                    .await?
                    .map(|stored| Latest {
                        stored,
                        spread: false,
                    }),
            };
            let (record, expected) = match &before {
                None => (news_of.clone(), Expected::Absent),
                Some(Latest { stored, .. }) => (
                    news_of.onto(&stored.record, news),
                    Expected::Revision(stored.revision),
                ),
            };
            let same_card = before.as_ref().is_some_and(|before| {
                AliasRecord::of(&before.stored.record) == AliasRecord::of(&record)
            });
            let spread = same_card && before.as_ref().is_some_and(|before| before.spread);
            let unchanged = before
                .as_ref()
                .filter(|before| before.stored.record == record)
                .map(|before| before.stored.revision);
            let revision = match unchanged {
                Some(revision) => revision,
                None => match records::swap(&self.bucket, &key, &record, expected, None).await {
                    Ok(revision) => revision,
                    Err(SwapError::Lost { .. }) => {
                        self.latest().remove(&key);
                        continue;
                    }
                    Err(SwapError::Failed(error)) => {
                        self.latest().remove(&key);
                        return Err(error);
                    }
                },
            };
            // Those that carry this card already are left alone, or each effect would empty every reader's memory of its
            // contact. What was read from the CRM is written in any case: perhaps an alias was lost.
            let carried: &[String] = match &before {
                Some(before) if spread && news == News::Written => &before.stored.record.aliases,
                _ => &[],
            };
            let named: Vec<&String> = aliases
                .iter()
                .filter(|alias| !carried.contains(alias))
                .collect();
            self.write_aliases(account, &record, &named, spread).await?;
            let stored = Stored {
                record,
                revision,
                created: before.map_or(callflume_core::time::BrokerTime(0), |before| {
                    before.stored.created
                }),
            };
            let spread = true;
            self.latest().insert(key, Latest { stored, spread });
            return Ok(());
        }
        Err(Error::Unexpected {
            what: format!("the contact {key}"),
            cause: "somebody else writes it all the time".to_owned(),
        })
    }

    /// The aliases that the news named, and, unless they carry this card for sure, all others that still lead here.
    async fn write_aliases(
        &self,
        account: &AccountId,
        contact: &ContactRecord,
        named: &[&String],
        spread: bool,
    ) -> Result<(), Error> {
        let record = AliasRecord::of(contact);
        for alias in named {
            let key = key::alias(account, alias);
            records::put(&self.bucket, &key, &record, None).await?;
            self.written(account, alias);
        }
        if spread {
            return Ok(());
        }
        for alias in contact
            .aliases
            .iter()
            .filter(|alias| !named.contains(alias))
        {
            let key = key::alias(account, alias);
            let found = records::read_current::<AliasRecord>(&self.bucket, &key).await?;
            let Some(found) = found.filter(|found| {
                found.record.crm_id.as_ref() == Some(&contact.crm_id) && found.record != record
            }) else {
                continue;
            };
            let expected = Expected::Revision(found.revision);
            match records::swap(&self.bucket, &key, &record, expected, None).await {
                // It leads elsewhere since a moment.
                Ok(_) | Err(SwapError::Lost { .. }) => self.written(account, alias),
                Err(SwapError::Failed(error)) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes that the CRM has nobody under this alias; that expires. One that leads to a contact stays.
    pub async fn write_absent(
        &self,
        account: &AccountId,
        alias: &str,
        at: WallTime,
    ) -> Result<(), Error> {
        let key = key::alias(account, alias);
        let record = AliasRecord::absent(at);
        let mut expected = Expected::Absent;
        for _ in 0..TRIES_MAX {
            let ttl = Some(Duration::from_secs(ABSENT_S));
            match records::swap(&self.bucket, &key, &record, expected, ttl).await {
                Ok(_) => break,
                Err(SwapError::Failed(error)) => return Err(error),
                Err(SwapError::Lost { .. }) => {
                    expected = match records::read::<AliasRecord>(&self.bucket, &key).await? {
                        Some(found) if found.record.crm_id.is_some() => break,
                        Some(found) => Expected::Revision(found.revision),
                        None => Expected::Absent,
                    };
                }
            }
        }
        self.written(account, alias);
        Ok(())
    }

    /// Writes that all contacts of an account were read: whoever of this kind isn't here was absent at this instant, but for
    /// those who may have an unread number. That expires. For [`DEALS`]: that all open deals were
    /// listed, which doesn't.
    pub async fn write_warmed(
        &self,
        account: &AccountId,
        kind: &str,
        as_of: WallTime,
        unread: &UnreadNumbers,
    ) -> Result<(), Error> {
        let key = key::warmed(account, kind);
        let ttl = (kind != DEALS).then_some(Duration::from_secs(WARMED_S));
        let record = AliasRecord {
            unread: unread.clone(),
            ..AliasRecord::absent(as_of)
        };
        records::put(&self.bucket, &key, &record, ttl).await?;
        if let Some(reader) = &self.reader {
            reader.forget_warmed(account, kind);
        }
        Ok(())
    }

    /// When the last complete listing of open deals began ([`ContactRecord::open_deal`]).
    pub async fn deals_read(&self, account: &AccountId) -> Result<Option<WallTime>, Error> {
        let key = key::deals_read(account);
        let found = records::read_fast::<AliasRecord>(&self.bucket, &key).await?;
        Ok(found.and_then(|stored| stored.record.absent_at))
    }

    /// Forgets a contact; aliases that still point to it find nothing.
    pub async fn forget(&self, account: &AccountId, crm_id: &str) -> Result<(), Error> {
        let key = key::contact(account, crm_id);
        self.latest().remove(&key);
        self.bucket.delete(&key).await.map(drop)
    }

    /// Forgets an alias.
    pub async fn forget_alias(&self, account: &AccountId, alias: &str) -> Result<(), Error> {
        self.bucket.delete(&key::alias(account, alias)).await?;
        self.written(account, alias);
        Ok(())
    }

    fn written(&self, account: &AccountId, alias: &str) {
        if let Some(reader) = &self.reader {
            reader.forget(account, alias);
        }
    }

    fn latest(&self) -> MutexGuard<'_, Bounded<Latest>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
