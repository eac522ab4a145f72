//! Publishing: encode once, wait for the call's turn, attempt until the outcome is known or time is up.
//!
//! Invariants: the bytes and the id of all attempts are the same; no lock is held while waiting; an event counts
//! against the bound from the call until its outcome, whatever it waits for.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, PublishErrorKind};
use callflume_core::account::AccountId;
use callflume_core::event::{Event, encode};
use callflume_core::lane::Lane;
use tokio::sync::{Semaphore, TryAcquireError};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::acks::{Acks, Slot};
use crate::answer;
use crate::attempt::{Attempt, Outgoing, Setback, Tally};
use crate::check::check;
use crate::connection::{self, Refusals};
use crate::error::{ConnectError, PublishError};
use crate::settings::Settings;
use crate::turns::Turns;

/// The broker has stored an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The stream that holds it.
    pub stream: String,
    /// Its sequence there; of the first one when it is a duplicate.
    pub sequence: u64,
    /// Whether it was stored before under the same id.
    pub duplicate: bool,
    /// Attempts made.
    pub attempts: u32,
}

/// Publishes events over a connection of its own. Cheap to clone; clones share connection, bound and order.
#[derive(Debug, Clone)]
pub struct Publisher(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: Client,
    settings: Settings,
    refusals: Arc<Refusals>,
    acks: Arc<Acks>,
    distributor: JoinHandle<()>,
    turns: Arc<Turns>,
    in_flight: Semaphore,
    closing: AtomicBool,
    chance: RandomState,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Its subscription would keep the connection open.
        self.distributor.abort();
    }
}

impl Publisher {
    /// Connects. Fails within seconds when no server can be reached.
    pub async fn connect(settings: Settings) -> Result<Self, ConnectError> {
        if settings.in_flight_max == 0 {
            return Err(ConnectError::Setting {
                setting: "in_flight_max",
                cause: "at least 1 event must be allowed in flight".to_owned(),
            });
        }
        let (client, refusals) = connection::connect(&settings).await?;
        let acks = Acks::new(client.new_inbox());
        let subscriber =
            client
                .subscribe(acks.subject())
                .await
                .map_err(|error| ConnectError::Setting {
                    setting: "inbox_prefix",
                    cause: error.to_string(),
                })?;
        let distributor = tokio::spawn(Arc::clone(&acks).distribute(subscriber));
        Ok(Self(Arc::new(Inner {
            client,
            refusals,
            acks,
            distributor,
            turns: Turns::new(),
            in_flight: Semaphore::new(settings.in_flight_max as usize),
            closing: AtomicBool::new(false),
            chance: RandomState::new(),
            settings,
        })))
    }

    /// Publishes an event and waits until the broker has stored it.
    ///
    /// Events of one call are stored in the order of the first polls of these futures. Dropping the future leaves the
    /// outcome unknown; the next event of the call then goes ahead.
    pub async fn publish(
        &self,
        account: &AccountId,
        lane: Lane,
        event: &Event,
    ) -> Result<Receipt, PublishError> {
        self.0.publish(account, lane, event, None).await
    }

    /// The same with a W3C `traceparent`, which is carried through.
    pub async fn publish_traced(
        &self,
        account: &AccountId,
        lane: Lane,
        event: &Event,
        traceparent: &str,
    ) -> Result<Receipt, PublishError> {
        self.0
            .publish(account, lane, event, Some(traceparent))
            .await
    }

    /// Whether the connection stands at the moment.
    pub fn is_connected(&self) -> bool {
        self.0.is_connected()
    }

    /// Events that wait for their outcome at the moment.
    pub fn in_flight(&self) -> usize {
        self.0.settings.in_flight_max as usize - self.0.in_flight.available_permits()
    }

    /// Takes no more events, waits for the outcome of those in flight and closes the connection.
    pub async fn close(&self) {
        let inner = &self.0;
        inner.closing.store(true, Ordering::Release);
        // An error means that another call has closed it already.
        if let Ok(all) = inner
            .in_flight
            .acquire_many(inner.settings.in_flight_max)
            .await
        {
            inner.in_flight.close();
            drop(all);
            if let Err(error) = inner.client.drain().await {
                tracing::debug!(%error, "the connection was closed before");
            }
        }
    }
}

impl Inner {
    fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    async fn publish(
        &self,
        account: &AccountId,
        lane: Lane,
        event: &Event,
        traceparent: Option<&str>,
    ) -> Result<Receipt, PublishError> {
        let started = Instant::now();
        let content_type = self.settings.content_type;
        let id = event.id.as_str();
        check(event)?;
        let payload = encode(event, content_type)?;
        if traceparent.is_some_and(|text| !text.bytes().all(|b| b.is_ascii_graphic())) {
            return Err(PublishError::Invalid(callflume_core::event::BadEvent {
                code: callflume_core::codes::EVENT_FIELD_INVALID,
                text: "`traceparent` can't be used: printable ASCII without spaces".to_owned(),
            }));
        }
        let outgoing = Outgoing {
            id,
            subject: lane.subject(account, &event.kind).into(),
            stream: lane.stream(),
            content_type,
            traceparent,
            payload: payload.into(),
        };
        if self.closing.load(Ordering::Acquire) {
            return Err(PublishError::Closed);
        }
        let _permit = self.in_flight.try_acquire().map_err(|error| match error {
            TryAcquireError::Closed => PublishError::Closed,
            TryAcquireError::NoPermits => PublishError::Busy {
                in_flight_max: self.settings.in_flight_max,
            },
        })?;
        let _turn = self.turns.wait(&event.call_id).await;
        self.deliver(started, &outgoing).await
    }

    async fn deliver(
        &self,
        started: Instant,
        outgoing: &Outgoing<'_>,
    ) -> Result<Receipt, PublishError> {
        let retry = &self.settings.retry;
        let give_up = Duration::from_millis(retry.give_up_ms);
        let mut slot = self.acks.open();
        let mut tally = Tally::default();
        let mut failures = 0;
        loop {
            let mut attempt = if self.is_connected() {
                tally.attempts += 1;
                self.attempt(&mut slot, tally.attempts, outgoing, started)
                    .await
            } else {
                Attempt::Again(Setback::Disconnected)
            };
            // Once, and once more for each late answer that ends the wait.
            loop {
                let setback = match attempt {
                    Attempt::Stored(ack) => {
                        return Ok(Receipt {
                            stream: ack.stream,
                            sequence: ack.sequence,
                            duplicate: ack.duplicate,
                            attempts: tally.attempts,
                        });
                    }
                    Attempt::Final(error) => {
                        return Err(tally.refused(error, elapsed_ms(started)));
                    }
                    Attempt::Again(setback) => setback,
                };
                tally.count(&setback);
                let left = give_up.saturating_sub(started.elapsed());
                if left.is_zero() {
                    let deaf = self.refusals.holds_inbox(&self.acks.subject());
                    let error = tally.gave_up(&setback, outgoing, deaf, elapsed_ms(started));
                    tracing::warn!(id = outgoing.id, ?tally, code = %error.code(), "gave up publishing");
                    return Err(error);
                }
                failures += 1;
                tracing::debug!(id = outgoing.id, ?tally, ?setback, "publishing again");
                let chance = self.chance.hash_one((outgoing.id, failures));
                let wait = Duration::from_millis(retry.wait_ms(failures, chance)).min(left);
                if !slot.is_armed() {
                    tokio::time::sleep(wait).await;
                    break;
                }
                match timeout(wait, slot.answer()).await {
                    Err(_) | Ok(None) => break,
                    Ok(Some(message)) => {
                        tally.answered_late();
                        attempt = outgoing.judge(answer::read(&message));
                    }
                }
            }
        }
    }

    async fn attempt(
        &self,
        slot: &mut Slot<'_>,
        number: u32,
        outgoing: &Outgoing<'_>,
        started: Instant,
    ) -> Attempt {
        let reply = slot.arm(number);
        let exchange = async {
            self.client
                .publish_with_reply_and_headers(
                    outgoing.subject.clone(),
                    reply,
                    outgoing.headers(),
                    outgoing.payload.clone(),
                )
                .await?;
            Ok::<_, async_nats::PublishError>(slot.answer().await)
        };
        match timeout(
            Duration::from_millis(self.settings.ack_timeout_ms),
            exchange,
        )
        .await
        {
            Ok(Ok(Some(message))) => outgoing.judge(answer::read(&message)),
            // The connection was closed with the request out.
            Ok(Ok(None)) => Attempt::Again(Setback::NoAnswer),
            Ok(Err(error)) => match error.kind() {
                PublishErrorKind::MaxPayloadExceeded => Attempt::Final(PublishError::TooLarge {
                    bytes: outgoing.payload.len(),
                    cause: format!(
                        "the server takes {} with headers",
                        self.client.max_payload()
                    ),
                }),
                PublishErrorKind::InvalidSubject => Attempt::Final(PublishError::Refused {
                    cause: error.to_string(),
                    broker_code: 0,
                }),
                PublishErrorKind::Send => Attempt::Again(Setback::Disconnected),
            },
            Err(_) if self.refusals.holds(outgoing.subject.as_str(), started) => {
                Attempt::Final(PublishError::NotAllowed {
                    subject: outgoing.subject.to_string(),
                })
            }
            Err(_) => Attempt::Again(Setback::NoAnswer),
        }
    }
}

fn elapsed_ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
