//! Replaying dead letters: the original bytes go once more onto the subject they came on.
//!
//! Decides what may be replayed now and in which steps, so that being killed between any two of them, or running twice
//! at once, neither loses nor doubles anything:
//!
//! 1. **Look.** Nothing is done while the event that the letter is about may still be worked on: it could die a second
//!    time, and the broker would take that letter for a repetition of the one that is about to be removed. An event is
//!    over when it lies below its account's floor; a letter older than the duplicate window is safe in any case. An
//!    effect that is written by now needs no replay: its letter is removed, its record stays.
//! 2. **Forget** that the effect is dead. Killed from here on, the letter is still there, and the next run goes on.
//! 3. **Publish** under the id `<event id>:r<letter's sequence>`, with the event's own id in `Cf-Event-Id`. A second run
//!    publishes the same id: the broker recognises it, and after the duplicate window the ledger does, for effects are
//!    recorded under the event's own id.
//! 4. **Remove** the letter, once the broker has acknowledged the replay.
//!
//! Other effects of the event keep their records, so they are not written again. A replay that is refused again becomes
//! a dead letter of its own. An event that could not be used as a whole has no records: it is published and removed.
//! One without any id is published without one; being killed between the last two steps publishes it twice.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::header::NATS_EXPECTED_STREAM;
use async_nats::jetstream::message::PublishMessage;
use callflume_core::account::AccountId;
use callflume_core::effect::effect_key;
use callflume_core::event::EventId;
use callflume_core::lane::SubjectParts;
use callflume_core::record::EffectState;

use crate::assets::{DEAD, DUPLICATE_WINDOW};
use crate::broker::Broker;
use crate::dead::{CONTENT_TYPE, DeadLetter, DeadLetters, StoredDeadLetter, TRACEPARENT};
use crate::delivery::EVENT_ID_HEADER;
use crate::error::{Error, SwapError};
use crate::floor::Floors;
use crate::ledger::Ledger;
use crate::stored::StoredStream;

/// What became of a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replayed {
    /// The event is published again, and the letter is gone.
    Published {
        /// Under which id; none for an event that never had one.
        message_id: Option<String>,
        /// Its sequence in the lane's stream.
        stream_seq: u64,
        /// Whether an earlier run had published it already.
        repeated: bool,
    },
    /// The effect has been written meanwhile; the letter is gone.
    AlreadyWritten,
    /// The event may still be worked on. The letter stays; try again later.
    Unsettled,
    /// What came on no subject of events can't be replayed. The letter stays.
    NoSubject,
}

/// Replays the dead letters of a broker.
#[derive(Debug, Clone)]
pub struct Replays {
    broker: Broker,
    letters: DeadLetters,
    ledger: Ledger,
    floors: Floors,
}

impl Replays {
    /// Opens what replaying touches.
    pub async fn open(broker: &Broker) -> Result<Self, Error> {
        Ok(Self {
            broker: broker.clone(),
            letters: DeadLetters::new(broker),
            ledger: Ledger::open(broker).await?,
            floors: Floors::open(broker).await?,
        })
    }

    /// Replays one letter. Safe to repeat after any error.
    pub async fn replay(&self, stored: &StoredDeadLetter) -> Result<Replayed, Error> {
        let letter = &stored.letter;
        if SubjectParts::parse(&letter.subject).is_none() {
            return Ok(Replayed::NoSubject);
        }
        if let Some(key) = ledger_key(letter) {
            if !self.is_over(stored).await? {
                return Ok(Replayed::Unsettled);
            }
            if !self.reopen(&letter.account, &key).await? {
                self.letters.delete(stored.seq).await?;
                return Ok(Replayed::AlreadyWritten);
            }
        }
        let message_id = letter
            .event_id
            .as_ref()
            .map(|id| format!("{id}:r{}", stored.seq));
        let mut message = PublishMessage::build()
            .payload(letter.payload.clone())
            .headers(headers(letter));
        if let Some(id) = &message_id {
            message = message.message_id(id);
        }
        let ack = self.broker.publish(&letter.subject, message).await?;
        self.letters.delete(stored.seq).await?;
        Ok(Replayed::Published {
            message_id,
            stream_seq: ack.sequence,
            repeated: ack.duplicate,
        })
    }

    /// Makes an effect one that is still to be written; `false` when it is written already.
    async fn reopen(&self, account: &AccountId, key: &str) -> Result<bool, Error> {
        loop {
            let Some(found) = self.ledger.read(account, key).await? else {
                // An earlier run has forgotten it, or the record has expired.
                return Ok(true);
            };
            match found.record.state {
                EffectState::Done
                | EffectState::Merged
                | EffectState::Superseded
                | EffectState::Expired => {
                    return Ok(false);
                }
                // The replay of an earlier run is being written.
                EffectState::Sent => return Ok(true),
                EffectState::Dead => {
                    match self.ledger.forget(account, key, found.revision).await {
                        Ok(()) => return Ok(true),
                        // Another replay was quicker, or its event has ended by now.
                        Err(SwapError::Lost { .. }) => {}
                        Err(SwapError::Failed(error)) => return Err(error),
                    }
                }
            }
        }
    }

    /// Whether the letter's event can't die a second time under the same letter.
    async fn is_over(&self, stored: &StoredDeadLetter) -> Result<bool, Error> {
        let letter = &stored.letter;
        let floor = self.floors.read(letter.lane, &letter.account).await?;
        let stream = StoredStream::new(self.broker.clone(), letter.lane.stream());
        let state = stream.state().await?;
        let below_floor = state
            .trusts(floor)
            .is_some_and(|floor| floor > letter.stream_seq);
        // Purged, or of a stream that is no more.
        let gone = state.first_seq > letter.stream_seq
            || state.created.is_some_and(|made| made > stored.stored);
        if below_floor || gone {
            return Ok(true);
        }
        let dead = StoredStream::new(self.broker.clone(), DEAD).state().await?;
        let age_ms = dead
            .answered_at
            .map_or(0, |now| now.0.saturating_sub(stored.stored.0));
        Ok(Duration::from_millis(u64::try_from(age_ms).unwrap_or(0)) > DUPLICATE_WINDOW)
    }
}

/// Where the ledger keeps the letter's effect; none for a whole event.
fn ledger_key(letter: &DeadLetter) -> Option<String> {
    let event = EventId::new(letter.event_id.clone()?)?;
    Some(effect_key(&event, letter.effect.as_deref()?))
}

fn headers(letter: &DeadLetter) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(NATS_EXPECTED_STREAM, letter.lane.stream());
    for (name, text) in [
        (EVENT_ID_HEADER, &letter.event_id),
        (CONTENT_TYPE, &letter.content_type),
        (TRACEPARENT, &letter.traceparent),
    ] {
        if let Some(text) = text {
            headers.insert(name, text.as_str());
        }
    }
    headers
}
