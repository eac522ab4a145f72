//! Stored reference data: read at a takeover, written after every reading.
//!
//! Never a reason to stop: what can't be read or stored the CRM still has.

use callflume_core::reference::ReferenceRecord;

use crate::store::Store;

/// What is stored of the account's owners and pipelines. What can't be read is none.
pub(crate) async fn known(store: &Store) -> Option<ReferenceRecord> {
    let account = &store.account;
    match store.reference.read(account).await {
        Ok(stored) => stored.map(|stored| stored.record),
        Err(error) => {
            tracing::warn!(%account, %error, "stored owners and pipelines can't be read; they are read from the CRM when they are needed");
            None
        }
    }
}

/// Stores what was read from the CRM.
pub(crate) async fn save(store: Store, record: ReferenceRecord) {
    let account = &store.account;
    if let Err(error) = store.reference.write(account, &record).await {
        tracing::warn!(%account, %error, "owners and pipelines could not be stored; who reads them from the broker sees older ones");
    }
}
