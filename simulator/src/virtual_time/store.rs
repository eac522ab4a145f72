//! Streams and buckets as Callflume uses them: names, settings, records.
//!
//! The same subjects, keys and formats as on a real broker. Nothing here can fail in a world: streams are made at its
//! beginning and have no limit, records are our own; a record that can't be read counts as none.

use callflume_core::account::AccountId;
use callflume_core::card::News;
use callflume_core::dispatcher::{ContactWrite, DeadLetter};
use callflume_core::lane::Lane;
use callflume_core::lookup::ABSENT_S;
use callflume_core::record::{
    AliasRecord, BulkRecord, ContactRecord, FloorRecord, JournalRecord, LEDGER_TTL_HOURS,
    LeaseRecord, LedgerRecord, SCHEMA, bucket, key,
};
use callflume_core::reference::ReferenceRecord;
use callflume_core::time::WallTime;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::broker::{Broker, Expected, KeyState, Refusal, StreamConfig, bucket_config, header};

const DEAD: &str = "DEAD";
/// As the product provisions it.
const DUPLICATE_WINDOW_MS: u64 = 20 * 60_000;
/// How long an expired lease is marked.
const EXPIRY_MARKER_MS: u64 = 60_000;
const LEDGER_TTL_MS: u64 = LEDGER_TTL_HOURS * 3_600_000;

/// The broker with everything on it.
pub(super) fn provisioned() -> Broker {
    let mut broker = Broker::default();
    let stream = |name: &str, subjects: String| StreamConfig {
        name: name.to_owned(),
        subjects: vec![subjects],
        max_bytes: None,
        max_message_bytes: None,
        per_subject: None,
        duplicate_window_ms: DUPLICATE_WINDOW_MS,
        allow_ttl: false,
        marker_ttl_ms: None,
    };
    for lane in Lane::ALL {
        broker.create_stream(stream(lane.stream(), format!("voice.v1.{lane}.>")));
    }
    broker.create_stream(stream(DEAD, "dead.v1.>".to_owned()));
    broker.create_stream(bucket_config(bucket::LEASES, Some(EXPIRY_MARKER_MS)));
    for name in [
        bucket::QUOTAS,
        bucket::LEDGER,
        bucket::CONTACTS,
        bucket::REFERENCE,
    ] {
        broker.create_stream(bucket_config(name, None));
    }
    broker
}

fn encoded(record: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(record).unwrap_or_default()
}

fn decoded<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}

/// A record with its revision.
#[derive(Debug)]
pub(super) struct Known<T> {
    pub(super) record: T,
    pub(super) revision: u64,
}

/// A lease as its key shows it.
#[derive(Debug)]
pub(super) enum LeaseKey {
    /// Nobody has it; a claim expects this revision.
    Free(u64),
    /// Somebody has it.
    Held(Known<LeaseRecord>),
}

/// Typed access, at an instant of the broker's clock.
pub(super) struct Store<'a> {
    pub(super) broker: &'a mut Broker,
    pub(super) now_ms: i64,
}

impl Store<'_> {
    fn read<T: DeserializeOwned>(&mut self, bucket: &str, key: &str) -> Option<Known<T>> {
        let message = self.broker.read(self.now_ms, bucket, key).ok()??;
        Some(Known {
            record: decoded(&message.payload)?,
            revision: message.seq,
        })
    }

    fn write(
        &mut self,
        bucket: &str,
        key: &str,
        record: &impl Serialize,
        expected: Expected,
        ttl_ms: Option<u64>,
    ) -> Result<u64, Refusal> {
        let value = encoded(record).into();
        self.broker
            .write(self.now_ms, bucket, key, value, expected, ttl_ms)
    }

    pub(super) fn lease(&mut self, key: &str) -> LeaseKey {
        match self.broker.key(self.now_ms, bucket::LEASES, key) {
            Ok(KeyState::Gone { revision }) => LeaseKey::Free(revision),
            Ok(KeyState::Present(message)) => match decoded(&message.payload) {
                Some(record) => LeaseKey::Held(Known {
                    record,
                    revision: message.seq,
                }),
                None => LeaseKey::Free(message.seq),
            },
            Ok(KeyState::Never) | Err(_) => LeaseKey::Free(0),
        }
    }

    /// Claims or renews; answers the new revision, none when somebody was quicker.
    pub(super) fn swap_lease(
        &mut self,
        key: &str,
        owner: &str,
        revision: u64,
        ttl_ms: u64,
    ) -> Option<u64> {
        let record = LeaseRecord {
            schema: SCHEMA,
            owner: owner.to_owned(),
        };
        let expected = Expected::Revision(revision);
        self.write(bucket::LEASES, key, &record, expected, Some(ttl_ms))
            .ok()
    }

    /// Gives a lease back; answers whether it was still ours.
    pub(super) fn release_lease(&mut self, key: &str, revision: u64) -> bool {
        self.broker
            .delete(
                self.now_ms,
                bucket::LEASES,
                key,
                Expected::Revision(revision),
            )
            .is_ok()
    }

    /// Says that a worker lives, or that it is leaving. Answers whether that is stored.
    pub(super) fn heartbeat(&mut self, worker: &str, ttl_ms: Option<u64>) -> bool {
        let key = key::worker(worker);
        match ttl_ms {
            Some(ttl_ms) => {
                let record = callflume_core::record::WorkerRecord {
                    schema: SCHEMA,
                    worker: worker.to_owned(),
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                };
                self.write(
                    bucket::LEASES,
                    &key,
                    &record,
                    Expected::Anything,
                    Some(ttl_ms),
                )
                .is_ok()
            }
            None => self
                .broker
                .delete(self.now_ms, bucket::LEASES, &key, Expected::Anything)
                .is_ok(),
        }
    }

    pub(super) fn floor(&mut self, lane: Lane, account: &AccountId) -> u64 {
        self.read::<FloorRecord>(bucket::LEDGER, &key::floor(lane, account))
            .map_or(0, |known| known.record.seq)
    }

    /// Answers whether it is stored.
    pub(super) fn save_floor(&mut self, lane: Lane, account: &AccountId, seq: u64) -> bool {
        let record = FloorRecord {
            schema: SCHEMA,
            seq,
        };
        let key = key::floor(lane, account);
        self.write(bucket::LEDGER, &key, &record, Expected::Anything, None)
            .is_ok()
    }

    pub(super) fn journal(&mut self, account: &AccountId) -> Option<Known<JournalRecord>> {
        self.read(bucket::QUOTAS, &key::journal(account))
    }

    pub(super) fn swap_journal(
        &mut self,
        account: &AccountId,
        record: &JournalRecord,
        revision: Option<u64>,
    ) -> Option<u64> {
        let expected = revision.map_or(Expected::Absent, Expected::Revision);
        self.write(
            bucket::QUOTAS,
            &key::journal(account),
            record,
            expected,
            None,
        )
        .ok()
    }

    pub(super) fn reference(&mut self, account: &AccountId) -> Option<ReferenceRecord> {
        self.read(bucket::REFERENCE, &key::reference(account))
            .map(|known| known.record)
    }

    /// Answers whether it is stored.
    pub(super) fn save_reference(&mut self, account: &AccountId, record: &ReferenceRecord) -> bool {
        let key = key::reference(account);
        self.write(bucket::REFERENCE, &key, record, Expected::Anything, None)
            .is_ok()
    }

    pub(super) fn bulk(&mut self, account: &AccountId) -> Option<Known<BulkRecord>> {
        self.read(bucket::LEDGER, &key::bulk(account))
    }

    /// Stores or removes the record of a bulk job; answers the new revision (none once removed), or that somebody else
    /// wrote there.
    pub(super) fn swap_bulk(
        &mut self,
        account: &AccountId,
        record: Option<&BulkRecord>,
        revision: Option<u64>,
    ) -> Result<Option<u64>, Refusal> {
        let expected = revision.map_or(Expected::Absent, Expected::Revision);
        let key = key::bulk(account);
        match (record, revision) {
            (Some(record), _) => self
                .write(bucket::LEDGER, &key, record, expected, None)
                .map(Some),
            (None, Some(_)) => self
                .broker
                .delete(self.now_ms, bucket::LEDGER, &key, expected)
                .map(|_| None),
            (None, None) => Ok(None),
        }
    }

    pub(super) fn ledger(&mut self, account: &AccountId, effect: &str) -> Option<LedgerRecord> {
        self.read(bucket::LEDGER, &key::effect(account, effect))
            .map(|known| known.record)
    }

    /// Answers whether all of it is stored.
    pub(super) fn record(
        &mut self,
        account: &AccountId,
        ledger: Vec<(String, LedgerRecord)>,
        contacts: Vec<ContactWrite>,
        absent: &[String],
    ) -> bool {
        let mut stored = true;
        for alias in absent {
            stored &= self.write_absent(account, alias).is_ok();
        }
        for write in contacts {
            stored &= self.write_contact(account, &write).is_ok();
        }
        for (effect, record) in ledger {
            let key = key::effect(account, &effect);
            stored &= self
                .write(
                    bucket::LEDGER,
                    &key,
                    &record,
                    Expected::Anything,
                    Some(LEDGER_TTL_MS),
                )
                .is_ok();
        }
        stored
    }

    fn write_contact(&mut self, account: &AccountId, write: &ContactWrite) -> Result<(), Refusal> {
        let key = key::contact(account, &write.record.crm_id);
        let known = self.read::<ContactRecord>(bucket::CONTACTS, &key);
        let mut record = write.record.clone();
        record.called(&write.aliases);
        let mut aliases = write.aliases.clone();
        if let Some(known) = known {
            let news = if write.only_if_absent {
                News::Read
            } else {
                News::Written
            };
            record = record.onto(&known.record, news);
            if AliasRecord::of(&record) != AliasRecord::of(&known.record) {
                aliases.clone_from(&record.aliases);
            }
        }
        self.write(bucket::CONTACTS, &key, &record, Expected::Anything, None)?;
        let alias_record = AliasRecord::of(&record);
        for alias in &aliases {
            let key = key::alias(account, alias);
            let elsewhere = self
                .read::<AliasRecord>(bucket::CONTACTS, &key)
                .is_some_and(|held| held.record.crm_id.as_ref() != Some(&record.crm_id));
            if write.aliases.contains(alias) || !elsewhere {
                self.write(
                    bucket::CONTACTS,
                    &key,
                    &alias_record,
                    Expected::Anything,
                    None,
                )?;
            }
        }
        Ok(())
    }

    fn write_absent(&mut self, account: &AccountId, alias: &str) -> Result<(), Refusal> {
        let key = key::alias(account, alias);
        let known = self
            .read::<AliasRecord>(bucket::CONTACTS, &key)
            .is_some_and(|held| held.record.crm_id.is_some());
        if known {
            return Ok(());
        }
        let at = WallTime(self.now_ms);
        let ttl_ms = Some(ABSENT_S * 1_000);
        let record = AliasRecord::absent(at);
        self.write(bucket::CONTACTS, &key, &record, Expected::Anything, ttl_ms)
            .map(drop)
    }

    pub(super) fn contact(
        &mut self,
        account: &AccountId,
        aliases: &[String],
    ) -> Option<ContactRecord> {
        aliases.iter().find_map(|alias| {
            let found = self.read::<AliasRecord>(bucket::CONTACTS, &key::alias(account, alias))?;
            let contact = key::contact(account, found.record.crm_id.as_ref()?);
            self.read(bucket::CONTACTS, &contact)
                .map(|known| known.record)
        })
    }

    /// Stores a dead letter once; answers whether it is stored, and whether it is new.
    pub(super) fn bury(
        &mut self,
        account: &AccountId,
        letter: &DeadLetter,
        payload: bytes::Bytes,
    ) -> (bool, bool) {
        let id = format!(
            "dead:{}:{}:{}",
            letter.lane.stream(),
            letter.seq,
            letter.effect.as_deref().unwrap_or("-")
        );
        let headers = vec![(header::MESSAGE_ID.into(), id)];
        let subject = format!("dead.v1.{}.{account}.{}", letter.lane, letter.code);
        match self.broker.publish(self.now_ms, &subject, headers, payload) {
            Ok(stored) => (true, !stored.duplicate),
            Err(_) => (false, false),
        }
    }

    /// Removes what lies below an account's floor and was stored before `before_ms`.
    pub(super) fn purge_settled(&mut self, lane: Lane, account: &AccountId, before_ms: i64) {
        let filter = lane.filter(account);
        let floor = self.floor(lane, account);
        let mut below = 1;
        while let Ok(Some(message)) =
            self.broker
                .next_message(self.now_ms, lane.stream(), &filter, below)
            && message.seq < floor
            && message.at_ms < before_ms
        {
            below = message.seq + 1;
        }
        if below > 1
            && let Err(refusal) = self
                .broker
                .purge(self.now_ms, lane.stream(), &filter, below)
        {
            tracing::debug!(%refusal, "a purge was refused");
        }
    }
}
