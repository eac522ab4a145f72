//! The record of an account's bulk job: read at the takeover, replaced and removed by compare-and-set.
//!
//! Whoever finds another's record in the place of its own has lost the account without noticing, as with the journal.

use std::sync::Arc;

use callflume_core::account::AccountId;
use callflume_core::dispatcher::{Input, RecordingId};
use callflume_core::record::BulkRecord;
use callflume_core::vendor::Vendor;
use callflume_jetstream::bulk::BulkJobs;
use callflume_jetstream::{Broker, Error};
use tokio::sync::{Mutex, mpsc};

use crate::account::{JournalWritten, STORE_PAUSE};

/// An account's record, with the revision that this owner knows of. One save is in the air at a time.
#[derive(Debug, Clone)]
pub(crate) struct BulkSlot {
    account: AccountId,
    jobs: BulkJobs,
    revision: Arc<Mutex<Option<u64>>>,
}

impl BulkSlot {
    pub(crate) async fn open(broker: &Broker, account: &AccountId) -> Result<Self, Error> {
        Ok(Self {
            account: account.clone(),
            jobs: BulkJobs::open(broker).await?,
            revision: Arc::default(),
        })
    }

    /// What the predecessor left, in a CRM that writes by jobs.
    pub(crate) async fn inherited(&self, vendor: &dyn Vendor) -> Result<Option<BulkRecord>, Error> {
        if vendor.bulk().is_none() {
            return Ok(None);
        }
        let found = self.jobs.read(&self.account).await?;
        *self.revision.lock().await = found.as_ref().map(|stored| stored.revision);
        Ok(found.map(|stored| stored.record))
    }

    /// Saves and reports; `lost` is told when another owner's record was found.
    pub(crate) async fn save_and_tell(
        self,
        id: RecordingId,
        record: Option<BulkRecord>,
        report: mpsc::Sender<Input>,
        lost: mpsc::Sender<JournalWritten>,
    ) {
        let mut revision = self.revision.lock().await;
        let saved = self
            .jobs
            .save(&self.account, record.as_ref(), &mut revision);
        let told = match saved.await {
            Ok(stored) => {
                if !stored {
                    tokio::time::sleep(STORE_PAUSE).await;
                }
                report.send(Input::Recorded { id, stored }).await.is_ok()
            }
            Err(_) => lost.send((None, None)).await.is_ok(),
        };
        if !told {
            tracing::trace!("the account's task has ended");
        }
    }
}
