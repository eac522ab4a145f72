//! Permits for processes that are not Callflume and work on the account's credential.
//!
//! | subject | answered by | request | reply |
//! | --- | --- | --- | --- |
//! | `svc.quota.v1.ask.<account>` | its owner | `PermitAsk` | `PermitReply` |
//! | `svc.quota.v1.settle.<account>` | nobody | `PermitSettle` | none |
//!
//! Only an owner listens, so an asker without one hears at once that nobody is there. What is granted is the dispatcher's
//! decision; what is decided here is that no grant is told once the lease may be over.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_nats::Message;
use callflume_core::account::AccountId;
use callflume_core::dispatcher::{AskId, Input};
use callflume_core::foreign::{PermitAsk, PermitReply, PermitSettle, Subject};
use callflume_jetstream::Broker;
use futures_util::StreamExt as _;
use tokio::sync::mpsc;

/// Pause before listening is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// A lease that ends sooner is taken to be over: room for the process to notice.
const MARGIN: Duration = Duration::from_millis(250);

/// Where asks that wait are answered. Bounded by what waits for the dispatcher and by what it lets wait.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asks(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    next: AskId,
    replies: BTreeMap<AskId, async_nats::Subject>,
}

impl Asks {
    fn insert(&self, reply: async_nats::Subject) -> AskId {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.next += 1;
        let ask = waiting.next;
        waiting.replies.insert(ask, reply);
        ask
    }

    fn take(&self, ask: AskId) -> Option<async_nats::Subject> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .replies
            .remove(&ask)
    }

    /// The publish of an answer. None for a grant after the lease: never told, it is never used.
    pub(crate) fn answer(
        &self,
        broker: &Broker,
        ask: AskId,
        reply: &PermitReply,
        lease_until: Instant,
    ) -> Option<impl Future<Output = ()> + Send + use<>> {
        let subject = self.take(ask)?;
        let held = lease_until.saturating_duration_since(Instant::now()) > MARGIN;
        if matches!(reply, PermitReply::Granted(_)) && !held {
            return None;
        }
        Some(publish(broker.clone(), subject, reply.clone()))
    }
}

async fn publish(broker: Broker, subject: async_nats::Subject, reply: PermitReply) {
    let body = match serde_json::to_vec(&reply) {
        Ok(body) => body,
        Err(error) => {
            tracing::error!(%error, "an answer can't be written as JSON");
            return;
        }
    };
    // A permit whose answer is lost counts as unanswered at its end.
    if let Err(error) = broker.client().publish(subject, body.into()).await {
        tracing::debug!(%error, "an ask for a permit could not be answered");
    }
}

/// Hears asks and settlements while the account is owned.
pub(crate) async fn listen(
    broker: Broker,
    account: AccountId,
    asks: Asks,
    inputs: mpsc::Sender<Input>,
) {
    let settle = Subject::Settle.of(&account);
    loop {
        match broker.client().subscribe(Subject::filter(&account)).await {
            Ok(mut messages) => {
                while let Some(message) = messages.next().await {
                    let input = if message.subject.as_str() == settle {
                        settled(&account, &message)
                    } else {
                        asked(&broker, &asks, message).await
                    };
                    if let Some(input) = input
                        && inputs.send(input).await.is_err()
                    {
                        return;
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%account, %error, "asks for permits can't be received; trying again");
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn asked(broker: &Broker, asks: &Asks, message: Message) -> Option<Input> {
    let reply = message.reply?;
    match PermitAsk::read(&message.payload) {
        Ok(wish) => Some(Input::PermitAsked {
            ask: asks.insert(reply),
            wish,
        }),
        Err(refusal) => {
            publish(broker.clone(), reply, PermitReply::Refused(refusal)).await;
            None
        }
    }
}

fn settled(account: &AccountId, message: &Message) -> Option<Input> {
    match PermitSettle::read(&message.payload) {
        Ok(settle) => Some(Input::PermitSettled(settle)),
        Err(refusal) => {
            // Not its text: it may quote what somebody sent.
            tracing::warn!(%account, code = %refusal.code, "what came of a permit can't be read; it counts as unanswered");
            None
        }
    }
}
