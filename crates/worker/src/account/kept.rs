//! What an owned account's dispatcher has read and stored: ledger, contacts, journal, bulk jobs, dead letters, floors.
//!
//! Each answer goes back as an input. An attempt to store that failed is told after a pause; the dispatcher asks again.

use callflume_core::account::AccountId;
use callflume_core::dispatcher::{ContactWrite, DeadLetter, Input, RecordingId};
use callflume_core::lane::Lane;
use callflume_core::record::{BulkRecord, JournalRecord, LedgerRecord};
use callflume_jetstream::dead;
use tokio::sync::watch;

use super::{Ended, STORE_PAUSE, Task, wall_now};
use crate::store::Store;

impl Task {
    pub(super) fn load(
        &mut self,
        lane: Lane,
        seq: u64,
        effects: Vec<String>,
        aliases: Vec<String>,
    ) {
        let store = self.store.clone();
        self.spawn(async move {
            match store.load(&effects, &aliases).await {
                Ok((ledger, contact)) => Input::Loaded {
                    lane,
                    seq,
                    ledger,
                    contact,
                },
                Err(error) => {
                    tracing::debug!(%error, "ledger or contacts could not be read");
                    Input::LoadFailed { lane, seq }
                }
            }
        });
    }

    pub(super) fn record(
        &mut self,
        id: RecordingId,
        ledger: Vec<(String, LedgerRecord)>,
        contacts: Vec<ContactWrite>,
        absent: Vec<String>,
    ) {
        let store = self.store.clone();
        self.spawn(async move {
            let stored = store.record(ledger, contacts, absent).await;
            if let Err(error) = &stored {
                tracing::debug!(%error, "an end could not be recorded");
                tokio::time::sleep(STORE_PAUSE).await;
            }
            Input::Recorded {
                id,
                stored: stored.is_ok(),
            }
        });
    }

    pub(super) fn write_journal(&mut self, record: JournalRecord) {
        let (store, report, mut revision) = (
            self.store.clone(),
            self.journal_report.clone(),
            self.journal_revision,
        );
        self.tasks.spawn(async move {
            let stored = store.write_journal(&record, &mut revision).await.ok();
            if stored == Some(false) {
                tokio::time::sleep(STORE_PAUSE).await;
            }
            if report.send((revision, stored)).await.is_err() {
                tracing::trace!("the account's task has ended");
            }
        });
    }

    pub(super) fn save_bulk(&mut self, id: RecordingId, record: Option<BulkRecord>) {
        let (report, lost) = (self.report.clone(), self.journal_report.clone());
        let slot = self.store.bulk.clone();
        self.tasks
            .spawn(slot.save_and_tell(id, record, report, lost));
    }

    pub(super) fn bury(&mut self, letter: DeadLetter) {
        let Some(held) = self.held[letter.lane as usize].find(letter.seq) else {
            // Cannot be: a message is held until it is acknowledged, which is after its dead letters.
            self.fatal = Some(Ended::MessageGone);
            return;
        };
        tracing::warn!(account = %self.account, lane = %letter.lane, seq = letter.seq, code = %letter.code, cause = %letter.cause, "dead letter");
        let stored = dead::DeadLetter {
            lane: letter.lane,
            account: self.account.clone(),
            code: letter.code.as_str().to_owned(),
            cause: letter.cause,
            attempts: letter.attempts,
            event_id: letter.event_id,
            effect: letter.effect,
            subject: held.delivery.subject.clone(),
            stream_seq: letter.seq,
            content_type: held.delivery.content_type.clone(),
            traceparent: held.delivery.traceparent.clone(),
            payload: held.delivery.payload.clone(),
            at: wall_now(),
        };
        let letters = self.store.dead.clone();
        let id = letter.id;
        self.spawn(async move {
            let published = letters.publish(&stored).await;
            if let Err(error) = &published {
                tracing::warn!(%error, "a dead letter could not be stored; trying again");
                tokio::time::sleep(STORE_PAUSE).await;
            }
            Input::Recorded {
                id,
                stored: published.is_ok(),
            }
        });
    }
}

/// Writes the latest floor, one write at a time, so that an older one never overtakes a newer.
pub(super) async fn save_floors(
    store: Store,
    account: AccountId,
    lane: Lane,
    mut floor: watch::Receiver<u64>,
) {
    while floor.changed().await.is_ok() {
        let seq = *floor.borrow_and_update();
        if let Err(error) = store.floors.write(lane, &account, seq).await {
            tracing::debug!(%error, "a floor could not be saved; the next one will be");
        }
    }
}
