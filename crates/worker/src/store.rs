//! Reading and writing what the dispatcher asks for: ledger, contacts, floors, journal, reference data, dead letters.
//!
//! Everything here can be repeated after an unknown outcome: ledger writes are absolute, contacts meet what is stored, dead letters are
//! deduplicated by their id, the journal is compared and set.

use callflume_core::account::AccountId;
use callflume_core::card::News;
use callflume_core::dispatcher::ContactWrite;
use callflume_core::lookup::{PHONE, UnreadNumbers};
use callflume_core::record::{ContactRecord, JournalRecord, LedgerRecord};
use callflume_core::time::WallTime;
use callflume_jetstream::contacts::Contacts;
use callflume_jetstream::dead::DeadLetters;
use callflume_jetstream::floor::Floors;
use callflume_jetstream::journal::Journals;
use callflume_jetstream::kv::Expected;
use callflume_jetstream::ledger::Ledger;
use callflume_jetstream::reference::ReferenceData;
use callflume_jetstream::{Broker, Error, SwapError};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::account::wall_now;
use crate::bulk::BulkSlot;

/// Writes of one recording that are in the air at a time: a page of contacts is some 300 keys.
const WRITES_AT_ONCE: usize = 32;

/// The buckets and streams of an account, opened.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pub(crate) account: AccountId,
    pub(crate) ledger: Ledger,
    pub(crate) contacts: Contacts,
    pub(crate) floors: Floors,
    pub(crate) journals: Journals,
    pub(crate) reference: ReferenceData,
    pub(crate) bulk: BulkSlot,
    pub(crate) dead: DeadLetters,
}

impl Store {
    pub(crate) async fn open(
        broker: &Broker,
        account: &AccountId,
        contacts: Contacts,
    ) -> Result<Self, Error> {
        Ok(Self {
            account: account.clone(),
            ledger: Ledger::open(broker).await?,
            contacts,
            floors: Floors::open(broker).await?,
            journals: Journals::open(broker).await?,
            reference: ReferenceData::open(broker).await?,
            bulk: BulkSlot::open(broker, account).await?,
            dead: DeadLetters::new(broker),
        })
    }

    /// What is known of an event's effects and its contact.
    pub(crate) async fn load(
        &self,
        effects: &[String],
        aliases: &[String],
    ) -> Result<(Vec<Option<LedgerRecord>>, Option<ContactRecord>), Error> {
        let ledger = self.ledger.read_many(&self.account, effects);
        let contact = async {
            for alias in aliases {
                if let Some(record) = self.contacts.by_alias(&self.account, alias).await? {
                    return Ok(Some(record));
                }
            }
            Ok(None)
        };
        let (ledger, contact) = futures_util::future::try_join(ledger, contact).await?;
        Ok((
            ledger
                .into_iter()
                .map(|stored| stored.map(|stored| stored.record))
                .collect(),
            contact,
        ))
    }

    /// Stores ends of effects and news of contacts. The contacts first: an effect that is done must not be followed
    /// by one that doesn't know its contact.
    pub(crate) async fn record(
        &self,
        ledger: Vec<(String, LedgerRecord)>,
        contacts: Vec<ContactWrite>,
        absent: Vec<String>,
    ) -> Result<(), Error> {
        for alias in absent {
            self.contacts
                .write_absent(&self.account, &alias, wall_now())
                .await?;
        }
        let writes = contacts.into_iter().map(|write| {
            let store = self.clone();
            async move { store.write_contact(write).await }
        });
        stream::iter(writes)
            .buffer_unordered(WRITES_AT_ONCE)
            .try_collect::<()>()
            .await?;
        let writes = ledger.into_iter().map(|(key, record)| {
            let store = self.clone();
            async move {
                store
                    .ledger
                    .write(&store.account, &key, &record)
                    .await
                    .map(drop)
            }
        });
        stream::iter(writes)
            .buffer_unordered(WRITES_AT_ONCE)
            .try_collect::<()>()
            .await
    }

    async fn write_contact(&self, write: ContactWrite) -> Result<(), Error> {
        let news = if write.only_if_absent {
            News::Read
        } else {
            News::Written
        };
        self.contacts
            .write(&self.account, &write.record, &write.aliases, news)
            .await
    }

    /// Stores that all contacts were read. Without it, whoever isn't known is looked up one by one.
    pub(crate) async fn warmed(
        &self,
        as_of: WallTime,
        kinds: Vec<&'static str>,
        unread: UnreadNumbers,
    ) {
        let none = UnreadNumbers::default();
        for kind in kinds {
            let unread = if kind == PHONE { &unread } else { &none };
            let written = self
                .contacts
                .write_warmed(&self.account, kind, as_of, unread)
                .await;
            if let Err(error) = written {
                tracing::debug!(account = %self.account, %error, "that all contacts were read could not be stored");
            }
        }
    }

    /// Replaces the journal. `revision` is what this owner knows to be there; it is brought up to date. `Ok(false)`
    /// means: not surely stored, try again. `Err` means that somebody else wrote it: this owner is none any more.
    pub(crate) async fn write_journal(
        &self,
        record: &JournalRecord,
        revision: &mut Option<u64>,
    ) -> Result<bool, SwapError> {
        let expected = revision.map_or(Expected::Absent, Expected::Revision);
        match self.journals.write(&self.account, record, expected).await {
            Ok(written) => {
                *revision = Some(written);
                Ok(true)
            }
            Err(SwapError::Lost { key }) => {
                // An earlier write may have arrived without its answer.
                match self.journals.read(&self.account).await {
                    Ok(Some(stored)) if stored.record == *record => {
                        *revision = Some(stored.revision);
                        Ok(true)
                    }
                    Ok(Some(stored)) if revision.is_none_or(|known| stored.revision > known) => {
                        *revision = Some(stored.revision);
                        Err(SwapError::Lost { key })
                    }
                    _ => Ok(false),
                }
            }
            Err(SwapError::Failed(error)) => {
                tracing::debug!(account = %self.account, %error, "the journal was not surely written");
                if let Ok(Some(stored)) = self.journals.read(&self.account).await
                    && stored.record == *record
                {
                    *revision = Some(stored.revision);
                    return Ok(true);
                }
                Ok(false)
            }
        }
    }
}
