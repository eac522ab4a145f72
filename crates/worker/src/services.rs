//! Status, warm-up and resume over request/reply.
//!
//! | subject | answered by | request | reply |
//! | --- | --- | --- | --- |
//! | `svc.worker.v1.status` | every worker | empty | [`WorkerStatus`] as JSON |
//! | `svc.worker.v1.warm.<account>` | its owner | empty | [`Accepted`] |
//! | `svc.worker.v1.resume.<account>` | its owner | empty | [`Accepted`] |
//!
//! A worker that doesn't own the account is silent, so the asker's time-out means that nobody owns it.

use std::time::Duration;

use callflume_core::account::AccountId;
use callflume_jetstream::Broker;
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};

use crate::account::{AccountStatus, Order};

/// Where workers are asked for their state.
pub const STATUS: &str = "svc.worker.v1.status";
const WARM: &str = "svc.worker.v1.warm.";
const RESUME: &str = "svc.worker.v1.resume.";
const ALL: &str = "svc.worker.v1.>";

/// A worker's answer to [`STATUS`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WorkerStatus {
    /// Its id.
    pub worker: String,
    /// Its version.
    pub version: String,
    /// Its accounts, each an [`AccountStatus`].
    pub accounts: Vec<serde_json::Value>,
}

/// The answer to an order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Accepted {
    /// Who took it.
    pub worker: String,
}

/// Serves for ever.
pub(crate) async fn serve(
    broker: Broker,
    worker: String,
    status: watch::Receiver<Vec<AccountStatus>>,
    orders: mpsc::Sender<(AccountId, Order)>,
) {
    loop {
        match broker.client().subscribe(ALL).await {
            Ok(mut requests) => {
                while let Some(request) = requests.next().await {
                    answer(&broker, &worker, &status, &orders, &request).await;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "service requests can't be received; trying again")
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn answer(
    broker: &Broker,
    worker: &str,
    status: &watch::Receiver<Vec<AccountStatus>>,
    orders: &mpsc::Sender<(AccountId, Order)>,
    request: &async_nats::Message,
) {
    let Some(reply) = request.reply.clone() else {
        return;
    };
    let subject = request.subject.as_str();
    let accounts = status.borrow().clone();
    let body = if subject == STATUS {
        let accounts = accounts
            .iter()
            .filter_map(|account| serde_json::to_value(account).ok())
            .collect();
        serde_json::to_vec(&WorkerStatus {
            worker: worker.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            accounts,
        })
    } else {
        let order = [(WARM, Order::Warm), (RESUME, Order::Resume)]
            .into_iter()
            .find_map(|(prefix, order)| {
                Some((
                    subject.strip_prefix(prefix)?.parse::<AccountId>().ok()?,
                    order,
                ))
            });
        match order {
            Some((account, order)) if accounts.iter().any(|owned| owned.account == account) => {
                if orders.send((account, order)).await.is_err() {
                    return;
                }
                serde_json::to_vec(&Accepted {
                    worker: worker.to_owned(),
                })
            }
            _ => return,
        }
    };
    if let Ok(body) = body
        && let Err(error) = broker.client().publish(reply, body.into()).await
    {
        tracing::debug!(%error, "a service request could not be answered");
    }
}

/// What every worker says of itself, as far as it answers within `wait`.
pub async fn status(
    broker: &Broker,
    wait: Duration,
) -> Result<Vec<WorkerStatus>, async_nats::Error> {
    let inbox = broker.client().new_inbox();
    let mut replies = broker.client().subscribe(inbox.clone()).await?;
    broker
        .client()
        .publish_with_reply(STATUS, inbox, bytes::Bytes::new())
        .await?;
    let mut found: Vec<WorkerStatus> = Vec::new();
    let collect = async {
        while let Some(reply) = replies.next().await {
            if let Ok(status) = serde_json::from_slice(&reply.payload) {
                found.push(status);
            } else if reply.status == Some(async_nats::StatusCode::NO_RESPONDERS) {
                return;
            }
        }
    };
    // Nobody knows how many workers there are: the time-out is the end.
    let ended = tokio::time::timeout(wait, collect).await;
    tracing::trace!(early = ended.is_ok(), "status collected");
    found.sort_by(|a, b| a.worker.cmp(&b.worker));
    Ok(found)
}

/// Asks the owner of an account to read the CRM's contacts into the cache; `None` when nobody owns it.
pub async fn warm(broker: &Broker, account: &AccountId, wait: Duration) -> Option<Accepted> {
    ask(broker, format!("{WARM}{account}"), wait).await
}

/// Tells the owner of an account that its trouble is over; `None` when nobody owns it.
pub async fn resume(broker: &Broker, account: &AccountId, wait: Duration) -> Option<Accepted> {
    ask(broker, format!("{RESUME}{account}"), wait).await
}

async fn ask(broker: &Broker, subject: String, wait: Duration) -> Option<Accepted> {
    let request = async_nats::Request::new().timeout(Some(wait));
    let reply = broker.client().send_request(subject, request).await.ok()?;
    serde_json::from_slice(&reply.payload).ok()
}
