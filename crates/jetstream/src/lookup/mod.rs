//! Look-ups of contacts, by whoever takes calls: memory, then the bucket, never a CRM.
//!
//! Decides when memory may answer. Invariants:
//! * **No old value is taken for a fresh one.** Memory answers only while a watch of the bucket stands on the very
//!   connection it was made on, and was heard within [`SILENCE`]. What the watch has told is gone from memory, and so is what
//!   was being read at that moment; nobody joins such a read any more. While the watch is broken each look-up reads the
//!   bucket itself, and nothing is kept. The bucket is read where every acknowledged write is seen.
//! * **Whoever writes sees its own writes**: [`Reader::forget`] after each, before its effect is called done.
//! * **A deal that a later listing of all open deals didn't find is not told.** When such a listing is complete, memory forgets
//!   everybody: whom it concerns isn't told by any key.
//! * Bounded: [`LookupSettings::memory_max`] persons, some 500 bytes each.
//! * One read per person at a time, however many ask, while the watch stands.
//! * Nobody waits for a CRM: what the bucket doesn't know is [`Finding::Missing`], and [`Reader::want`] tells the account's
//!   owner, at most once in [`WANT_AGAIN`] for each person.

mod listening;
mod memory;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::connection::State as Connection;
use callflume_core::account::AccountId;
use callflume_core::deal;
use callflume_core::lookup::{self, KnownContact, LookupAsk, Person};
use callflume_core::record::{AliasRecord, SCHEMA, bucket, key};
use callflume_core::time::WallTime;
use tokio::sync::watch;
use tokio::time::Instant;

pub(crate) use self::memory::Bounded;
use self::memory::{Memory, Said, Way};
use crate::broker::Broker;
use crate::error::Error;
use crate::kv::Bucket;
use crate::records;

/// A watch that is silent for longer counts as broken: three of the broker's heartbeats.
pub const SILENCE: Duration = Duration::from_secs(3);
/// Before that, the owner isn't told again that somebody is wanted.
pub const WANT_AGAIN: Duration = Duration::from_secs(5);
/// Longest that memory answers "not in the CRM": the bucket forgets that by itself, which a watch doesn't tell.
const ABSENT_KEPT: Duration = Duration::from_secs(60);
/// Wants that are remembered.
const WANTS_MAX: usize = 4_096;

/// How a reader reads.
#[derive(Debug, Clone)]
pub struct LookupSettings {
    /// Persons kept in memory at most.
    pub memory_max: usize,
    /// Only these accounts are watched and kept in memory, for a user who may not read others; empty for all.
    pub accounts: Vec<AccountId>,
    /// How long a look-up waits for the bucket.
    pub read_within: Duration,
}

impl Default for LookupSettings {
    fn default() -> Self {
        Self {
            memory_max: 20_000,
            accounts: Vec::new(),
            read_within: Duration::from_millis(250),
        }
    }
}

/// What is known of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The CRM has this contact.
    Known(Arc<KnownContact>),
    /// The CRM didn't have it at this instant.
    Absent(WallTime),
    /// Nothing: it was never looked up, or that is too long ago.
    Missing,
}

impl Said {
    /// What that is for a person.
    fn of(self, person: &Person) -> Finding {
        match (self, person) {
            (Self::Known(contact), _) => Finding::Known(contact),
            (Self::AllRead(_, unread), Person::Phone(phone)) if unread.may_be(phone) => {
                Finding::Missing
            }
            (Self::Absent(as_of) | Self::AllRead(as_of, _), _) => Finding::Absent(as_of),
            (Self::Missing, _) => Finding::Missing,
        }
    }
}

/// What look-ups have been answered from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LookupCounts {
    /// From memory. One that found nobody counts twice: for the person, and for whether all contacts were read.
    pub memory: u64,
    /// From the bucket: reads that were made.
    pub reads: u64,
    /// Look-ups that shared the read of another one.
    pub shared: u64,
    /// Look-ups that found nothing.
    pub missing: u64,
    /// Times that an owner was told whom to look up.
    pub wanted: u64,
}

/// A reader of contacts. Cheap to clone; the watch ends with the last one.
#[derive(Debug, Clone)]
pub struct Reader {
    shared: Arc<Running>,
}

#[derive(Debug)]
struct Running {
    inner: Arc<Inner>,
    bucket: Bucket,
    settings: LookupSettings,
    listener: tokio::task::JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// What the look-ups share with the watch.
#[derive(Debug)]
struct Inner {
    broker: Broker,
    state: Mutex<State>,
    memory_hits: AtomicU64,
    reads: AtomicU64,
    shared: AtomicU64,
    missing: AtomicU64,
    wanted: AtomicU64,
}

#[derive(Debug)]
struct State {
    memory: Memory,
    /// The connection on which a watch stands, by its number.
    stands: Option<u64>,
    heard: Instant,
    wants: Bounded<Instant>,
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the connection.
    fn connects(&self) -> u64 {
        let statistics = self.broker.client().statistics();
        statistics.connects.load(Ordering::Acquire)
    }

    fn stands(&self, connects: u64) {
        let mut state = self.lock();
        state.memory.forget_all();
        state.stands = Some(connects);
        state.heard = Instant::now();
    }

    fn broke(&self) {
        let mut state = self.lock();
        state.stands = None;
        state.memory.forget_all();
    }

    fn heard(&self) {
        self.lock().heard = Instant::now();
    }

    fn forget(&self, key: &str) {
        let memory = &mut self.lock().memory;
        if key::is_deals_read(key) {
            memory.forget_all();
        } else {
            memory.forget(key);
        }
    }

    /// Whether everything that has changed was heard.
    fn is_fresh(&self, state: &State) -> bool {
        state.stands == Some(self.connects())
            && state.heard.elapsed() <= SILENCE
            && self.broker.client().connection_state() == Connection::Connected
    }
}

/// Tells those who joined a read that it ended, also when whoever read is gone.
struct Reading<'a> {
    inner: &'a Inner,
    key: &'a str,
    read: u64,
    ended: bool,
}

impl Reading<'_> {
    fn end(&mut self, found: Option<(Said, Option<Instant>)>) {
        self.ended = true;
        let mut state = self.inner.lock();
        // What was read on a connection that is lost since may be old by now, and nobody would hear of it.
        let found = found.filter(|_| self.inner.is_fresh(&state));
        state.memory.ended(self.key, self.read, found);
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.end(None);
        }
    }
}

impl Reader {
    /// Opens the bucket and begins to watch it.
    pub async fn start(broker: &Broker, settings: LookupSettings) -> Result<Self, Error> {
        let bucket = Bucket::open(broker, bucket::CONTACTS).await?;
        let filters = if settings.accounts.is_empty() {
            vec![bucket.filter_subject("a.>")?]
        } else {
            let filters = settings.accounts.iter();
            filters
                .map(|account| bucket.filter_subject(&key::alias(account, "*")))
                .collect::<Result<_, _>>()?
        };
        let inner = Arc::new(Inner {
            broker: broker.clone(),
            state: Mutex::new(State {
                memory: Memory::new(settings.memory_max),
                stands: None,
                heard: Instant::now(),
                wants: Bounded::new(WANTS_MAX),
            }),
            memory_hits: AtomicU64::new(0),
            reads: AtomicU64::new(0),
            shared: AtomicU64::new(0),
            missing: AtomicU64::new(0),
            wanted: AtomicU64::new(0),
        });
        let listener = tokio::spawn(listening::listen(inner.clone(), bucket.clone(), filters));
        Ok(Self {
            shared: Arc::new(Running {
                inner,
                bucket,
                settings,
                listener,
            }),
        })
    }

    /// What is known of a person. Waits for the broker [`LookupSettings::read_within`] at most.
    pub async fn find(&self, account: &AccountId, person: &Person) -> Result<Finding, Error> {
        let key = key::alias(account, &person.alias());
        let recalled = self.recall_key(&key);
        if let Some(said) = &recalled
            && *said != Said::Missing
        {
            return Ok(said.clone().of(person));
        }
        let look = async {
            let said = match recalled {
                Some(said) => said,
                None => self.look(account, &key).await?,
            };
            let said = match said {
                // Whoever wasn't there when all contacts were read is absent, not unknown.
                Said::Missing => {
                    let warmed = key::warmed(account, person.kind());
                    self.look(account, &warmed).await?
                }
                said => said,
            };
            Ok(said.of(person))
        };
        let found = tokio::time::timeout(self.shared.settings.read_within, look)
            .await
            .unwrap_or_else(|_| {
                Err(Error::Unknown {
                    what: "a look-up of a contact".to_owned(),
                })
            });
        if matches!(found, Ok(Finding::Missing)) {
            self.shared.inner.missing.fetch_add(1, Ordering::Relaxed);
        }
        found
    }

    /// What memory may say, at once.
    fn recall_key(&self, key: &str) -> Option<Said> {
        let inner = &self.shared.inner;
        let mut state = inner.lock();
        if !inner.is_fresh(&state) {
            return None;
        }
        let said = state.memory.recall(key)?;
        inner.memory_hits.fetch_add(1, Ordering::Relaxed);
        Some(said)
    }

    async fn look(&self, account: &AccountId, key: &str) -> Result<Said, Error> {
        let inner = &*self.shared.inner;
        let accounts = &self.shared.settings.accounts;
        loop {
            let (tell, outcome) = watch::channel(None);
            let way = {
                let mut state = inner.lock();
                let heard_of = accounts.is_empty() || accounts.contains(account);
                (heard_of && inner.is_fresh(&state))
                    .then(|| state.memory.way(key, || outcome.clone()))
            };
            match way {
                // Nothing heard of it: each reads for itself, and keeps nothing.
                None => return self.read(account, key).await.map(|(said, _)| said),
                Some(Way::Known(said)) => {
                    inner.memory_hits.fetch_add(1, Ordering::Relaxed);
                    return Ok(said);
                }
                Some(Way::Join(mut outcome)) => {
                    inner.shared.fetch_add(1, Ordering::Relaxed);
                    let told = outcome.wait_for(Option::is_some).await;
                    if let Ok(told) = told
                        && let Some(found) = told.clone()
                    {
                        return found;
                    }
                    // Whoever read gave up before the answer.
                }
                Some(Way::Read(read)) => {
                    let mut reading = Reading {
                        inner,
                        key,
                        read,
                        ended: false,
                    };
                    let found = self.read(account, key).await;
                    reading.end(found.as_ref().ok().cloned());
                    let found = found.map(|(said, _)| said);
                    tell.send_replace(Some(found.clone()));
                    return found;
                }
            }
        }
    }

    async fn read(&self, account: &AccountId, key: &str) -> Result<(Said, Option<Instant>), Error> {
        let Running { inner, bucket, .. } = &*self.shared;
        inner.reads.fetch_add(1, Ordering::Relaxed);
        let Some(entry) = bucket.read_current(key).await? else {
            return Ok((Said::Missing, None));
        };
        // One pass where the record is as usual; the other way knows what is wrong with it.
        let record = match serde_json::from_slice::<AliasRecord>(&entry.value) {
            Ok(record) if record.schema <= SCHEMA => record,
            _ => records::decode::<AliasRecord>(bucket, key, &entry)?.record,
        };
        let kept_until = Some(Instant::now() + ABSENT_KEPT);
        Ok(match (record.crm_id, record.absent_at) {
            (Some(crm_id), _) => {
                let all_read = match (&record.deal, record.deal_stands) {
                    (Some(_), Some(_)) => self.deals_read(account).await?,
                    _ => None,
                };
                let deal = deal::open(record.deal.as_deref(), record.deal_stands, all_read);
                let known = KnownContact {
                    crm_id,
                    card: record.card,
                    deal: deal.map(ToOwned::to_owned),
                };
                (Said::Known(Arc::new(known)), None)
            }
            (None, Some(at)) if record.unread.is_empty() => (Said::Absent(at), kept_until),
            (None, Some(at)) => (Said::AllRead(at, Arc::new(record.unread)), kept_until),
            (None, None) => (Said::Missing, None),
        })
    }

    /// When the last complete listing of open deals began, if there was one.
    async fn deals_read(&self, account: &AccountId) -> Result<Option<WallTime>, Error> {
        let key = key::deals_read(account);
        // Boxed, for a look-up that reads a deal looks this up.
        match Box::pin(self.look(account, &key)).await? {
            Said::Absent(as_of) | Said::AllRead(as_of, _) => Ok(Some(as_of)),
            Said::Known(_) | Said::Missing => Ok(None),
        }
    }

    /// Tells the account's owner that somebody is to be looked up in the CRM, unless it was told a moment ago. Waits for
    /// nothing; when nobody owns the account the next look-up tells again.
    pub async fn want(&self, account: &AccountId, person: &Person) {
        let key = key::alias(account, &person.alias());
        let inner = &self.shared.inner;
        {
            let mut state = inner.lock();
            let now = Instant::now();
            let lately = |told: &Instant| now.duration_since(*told) < WANT_AGAIN;
            if state.wants.get(&key).is_some_and(lately) {
                return;
            }
            state.wants.insert(key, now);
        }
        inner.wanted.fetch_add(1, Ordering::Relaxed);
        let ask = LookupAsk::of(None, person);
        let told = match serde_json::to_vec(&ask) {
            Ok(body) => {
                let client = inner.broker.client();
                let publish = client.publish(lookup::wanted(account), body.into());
                tokio::time::timeout(Duration::from_millis(10), publish)
                    .await
                    .is_ok_and(|told| told.is_ok())
            }
            Err(_) => false,
        };
        if !told {
            tracing::debug!(%account, "an owner could not be told whom to look up; the next look-up tells it");
        }
    }

    /// An alias has been written by this process: memory must not answer with what was there before.
    pub fn forget(&self, account: &AccountId, alias: &str) {
        self.shared.inner.forget(&key::alias(account, alias));
    }

    /// The same of a reading of all contacts.
    pub(crate) fn forget_warmed(&self, account: &AccountId, kind: &str) {
        self.shared.inner.forget(&key::warmed(account, kind));
    }

    /// Whether memory answers: the watch stands and was heard.
    pub fn is_fresh(&self) -> bool {
        let inner = &self.shared.inner;
        let state = inner.lock();
        inner.is_fresh(&state)
    }

    /// Persons in memory.
    pub fn in_memory(&self) -> usize {
        self.shared.inner.lock().memory.len()
    }

    /// What look-ups have been answered from so far.
    pub fn counts(&self) -> LookupCounts {
        let Inner {
            memory_hits,
            reads,
            shared,
            missing,
            wanted,
            ..
        } = &*self.shared.inner;
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        LookupCounts {
            memory: of(memory_hits),
            reads: of(reads),
            shared: of(shared),
            missing: of(missing),
            wanted: of(wanted),
        }
    }
}
