//! Advice for diallers, published while an account is owned.
//!
//! Plain NATS without storage: whoever comes late hears the next within [`EVERY`]. Silence means that nobody owns the
//! account.

use std::time::{Duration, Instant};

use callflume_core::account::AccountId;
use callflume_core::quota::{Advice, AdviceMessage, Advised};
use callflume_core::record::SCHEMA;
use callflume_core::time::WallTime;
use callflume_jetstream::Broker;

/// Longest time between two messages.
const EVERY: Duration = Duration::from_secs(30);

/// Says what stands, at every change and from time to time.
#[derive(Debug)]
pub(crate) struct Advertiser {
    broker: Broker,
    message: AdviceMessage,
    /// When what stands was last published; none when it has not been.
    published: Option<Instant>,
}

impl Advertiser {
    /// Begins with advice to go on.
    pub(crate) fn new(broker: Broker, account: AccountId, now: WallTime) -> Self {
        Self {
            broker,
            message: AdviceMessage {
                schema: SCHEMA,
                account,
                advice: Advice::Ok,
                since: now,
                reason: "nothing is in the way".to_owned(),
            },
            published: None,
        }
    }

    /// What stands.
    pub(crate) const fn message(&self) -> &AdviceMessage {
        &self.message
    }

    /// Another advice from now on.
    pub(crate) fn advise(&mut self, advised: Advised, now: WallTime) {
        let Advised { advice, reason } = advised;
        tracing::info!(account = %self.message.account, advice = advice.token(), "{reason}");
        self.message.advice = advice;
        self.message.reason = reason;
        self.message.since = now;
        self.published = None;
    }

    /// The publish that is due, if one is.
    pub(crate) fn due(&mut self) -> Option<impl Future<Output = ()> + Send + 'static> {
        if self.published.is_some_and(|at| at.elapsed() < EVERY) {
            return None;
        }
        self.published = Some(Instant::now());
        let subject = AdviceMessage::subject(&self.message.account);
        let body = serde_json::to_vec(&self.message);
        let client = self.broker.client().clone();
        Some(async move {
            let published = match body {
                Ok(body) => client.publish(subject, body.into()).await,
                Err(error) => {
                    tracing::error!(%error, "advice can't be written as JSON");
                    return;
                }
            };
            if let Err(error) = published {
                tracing::debug!(%error, "advice could not be published; the next one will be");
            }
        })
    }
}
