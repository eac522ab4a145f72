//! The janitor's tools: removing what is settled and old enough, finding events nobody claims, saying how full it is.
//!
//! Decides what may go: only what lies below the account's floor *and* is older than the history kept, which is never
//! shorter than the duplicate window (a removed id would be forgotten on a restart). Never removes an event that was
//! not settled, except after its copy in the dead letters is acknowledged. One janitor at a time, by lease; two at
//! once would do no harm but repeat each other's work.

use std::collections::BTreeSet;
use std::time::Duration;

use callflume_core::account::AccountId;
use callflume_core::codes;
use callflume_core::lane::Lane;
use callflume_core::time::{BrokerTime, WallTime};

use crate::assets::{ProvisionSettings, assets};
use crate::broker::{Broker, broker_time, header};
use crate::dead::{DeadLetter, DeadLetters};
use crate::error::Error;
use crate::floor::Floor;
use crate::provision::DUPLICATE_WINDOW;
use crate::stored::StoredStream;

/// Whose dead letters those are that no account id can be read from.
const NO_ACCOUNT: &str = "_invalid";

/// What a purge did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purged {
    /// Everything of the account below this sequence is gone.
    pub below_seq: u64,
    /// How many events went.
    pub events: u64,
}

/// How full a stream or bucket is.
#[derive(Debug, Clone, PartialEq)]
pub struct Fill {
    /// Its name.
    pub asset: String,
    /// Bytes stored.
    pub bytes: u64,
    /// Its limit; `None` without one.
    pub max_bytes: Option<u64>,
}

impl Fill {
    /// Stored share of the limit; 0 without a limit.
    pub fn fraction(&self) -> f64 {
        self.max_bytes
            .map_or(0.0, |limit| self.bytes as f64 / limit as f64)
    }
}

/// Events on a subject that no configured account claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unclaimed {
    /// The lane.
    pub lane: Lane,
    /// The subject.
    pub subject: String,
    /// The account in it; `None` when there is none that could be one.
    pub account: Option<AccountId>,
    /// How many events.
    pub events: u64,
}

/// The janitor's tools at a broker.
#[derive(Debug, Clone)]
pub struct Janitor {
    broker: Broker,
    dead: DeadLetters,
}

impl Janitor {
    /// Tools for this broker.
    pub fn new(broker: &Broker) -> Self {
        Self {
            broker: broker.clone(),
            dead: DeadLetters::new(broker),
        }
    }

    /// Removes an account's events of a lane that lie below its floor and were stored before `now - history`.
    /// A history shorter than [`DUPLICATE_WINDOW`] counts as that. A floor of a former stream removes nothing.
    pub async fn purge_settled(
        &self,
        lane: Lane,
        account: &AccountId,
        floor: Floor,
        now: BrokerTime,
        history: Duration,
    ) -> Result<Purged, Error> {
        let nothing = Purged {
            below_seq: 0,
            events: 0,
        };
        let stream = self.lane(lane);
        let state = stream.state().await?;
        let Some(floor_seq) = state
            .trusts(floor)
            .filter(|floor_seq| *floor_seq > state.first_seq)
        else {
            return Ok(nothing);
        };
        let keep = history.max(DUPLICATE_WINDOW);
        let cutoff = BrokerTime(now.0.saturating_sub(keep.as_millis() as i64));
        let filter = lane.filter(account);
        let below_seq = first_since(&stream, &filter, cutoff, state.first_seq, floor_seq).await?;
        if below_seq <= state.first_seq {
            return Ok(nothing);
        }
        let events = stream.purge_below(&filter, below_seq).await?;
        Ok(Purged { below_seq, events })
    }

    /// How full every stream and bucket is.
    pub async fn fill(&self) -> Result<Vec<Fill>, Error> {
        let mut all = Vec::new();
        for asset in assets(&ProvisionSettings::default()) {
            let state = StoredStream::new(self.broker.clone(), asset.stream)
                .state()
                .await?;
            all.push(Fill {
                asset: asset.name,
                bytes: state.bytes,
                max_bytes: state.max_bytes,
            });
        }
        Ok(all)
    }

    /// Subjects of a lane that none of the known accounts' consumers takes.
    pub async fn unclaimed_subjects(
        &self,
        lane: Lane,
        known: &BTreeSet<AccountId>,
    ) -> Result<Vec<Unclaimed>, Error> {
        let prefix = format!("voice.v1.{}.", lane.token());
        let subjects = self.lane(lane).subjects(&format!("{prefix}>")).await?;
        Ok(subjects
            .into_iter()
            .filter_map(|(subject, events)| {
                let rest = subject.strip_prefix(&prefix)?;
                // A consumer's filter asks for at least one token after the account.
                let (account, has_kind) = match rest.split_once('.') {
                    Some((account, _)) => (account, true),
                    None => (rest, false),
                };
                let account = account.parse::<AccountId>().ok();
                let claimed = has_kind && account.as_ref().is_some_and(|id| known.contains(id));
                (!claimed).then_some(Unclaimed {
                    lane,
                    subject,
                    account,
                    events,
                })
            })
            .collect())
    }

    /// Moves the events of an unclaimed subject that were stored before `cutoff` to the dead letters; gives how
    /// many. Each is removed only after its copy is acknowledged; killed in between, the next run goes on there.
    pub async fn dead_letter_unclaimed(
        &self,
        unclaimed: &Unclaimed,
        cutoff: BrokerTime,
        at: WallTime,
    ) -> Result<u64, Error> {
        let stream = self.lane(unclaimed.lane);
        let code = codes::ACCOUNT_UNKNOWN;
        let account = match &unclaimed.account {
            Some(account) => account.clone(),
            None => NO_ACCOUNT.parse().map_err(|_| Error::Unexpected {
                what: "the dead letters of no account".to_owned(),
                cause: "their name is no account id".to_owned(),
            })?,
        };
        // The broker's own recognition of a repeated copy ends with the duplicate window; this does not.
        let mut copied = self.dead.last(unclaimed.lane, &account, code).await?;
        let mut moved = 0;
        let mut from = 0;
        while let Some(message) = stream.next(&unclaimed.subject, from).await? {
            if broker_time(message.time) >= cutoff {
                break;
            }
            let seq = message.sequence;
            from = seq + 1;
            let text = |name: &str| header(&message.headers, name).map(ToOwned::to_owned);
            let letter = DeadLetter {
                lane: unclaimed.lane,
                account: account.clone(),
                code: code.as_str().to_owned(),
                cause: format!("{}; add the account, then replay", code.title()),
                attempts: 0,
                event_id: text("Nats-Msg-Id"),
                effect: None,
                subject: unclaimed.subject.clone(),
                stream_seq: seq,
                content_type: text("Content-Type"),
                traceparent: text("traceparent"),
                payload: message.payload,
                at,
            };
            // Sequence alone is not enough: a stream made anew gives the same ones again.
            let is_copied = copied.take().is_some_and(|last| {
                last.letter.stream_seq == seq
                    && last.letter.event_id == letter.event_id
                    && last.letter.payload == letter.payload
            });
            if !is_copied {
                self.dead.publish(&letter).await?;
            }
            stream.delete(seq).await?;
            moved += 1;
        }
        Ok(moved)
    }

    fn lane(&self, lane: Lane) -> StoredStream {
        StoredStream::new(self.broker.clone(), lane.stream())
    }
}

/// The first sequence from `first` up to `end` whose message on `filter` was stored at `cutoff` or later; `end` when
/// there is none before it. Time stamps rise with the sequence, so halving finds it.
async fn first_since(
    stream: &StoredStream,
    filter: &str,
    cutoff: BrokerTime,
    first: u64,
    end: u64,
) -> Result<u64, Error> {
    let (mut low, mut high) = (first.max(1), end);
    while low < high {
        let middle = low + (high - low) / 2;
        match stream.next(filter, middle).await? {
            Some(message) if message.sequence < high => {
                if broker_time(message.time) < cutoff {
                    low = message.sequence + 1;
                } else {
                    high = middle;
                }
            }
            // Nothing from the middle on.
            _ => high = middle,
        }
    }
    Ok(low.min(end))
}
