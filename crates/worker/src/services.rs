//! Status, warm-up and resume over request/reply.
//!
//! | subject | answered by | request | reply |
//! | --- | --- | --- | --- |
//! | `svc.worker.v1.status` | every worker | empty | [`WorkerStatus`] as JSON |
//! | `svc.worker.v1.warm.<account>` | its owner | empty | [`Accepted`] |
//! | `svc.worker.v1.resume.<account>` | its owner | empty | [`Accepted`] |
//!
//! Permits for other processes on an account's credential are a service of their own: module `permits`.
//!
//! A worker that doesn't own the account is silent, so the asker's time-out means that nobody owns it.

use std::collections::BTreeSet;
use std::time::Duration;

use callflume_core::account::AccountId;
use callflume_jetstream::lease::Leases;
use callflume_jetstream::{Broker, Error as BrokerError};
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};

use crate::Error;
use crate::account::Order;
use crate::status::AccountStatus;

/// Where workers are asked for their state.
pub const STATUS: &str = "svc.worker.v1.status";
const WARM: &str = "svc.worker.v1.warm.";
const REFERENCE: &str = "svc.worker.v1.reference.";
const RESUME: &str = "svc.worker.v1.resume.";
const ALL: &str = "svc.worker.v1.>";

/// A worker's answer to [`STATUS`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WorkerStatus {
    /// Its id.
    pub worker: String,
    /// Its version.
    pub version: String,
    /// Its accounts.
    pub accounts: Vec<AccountStatus>,
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
                tracing::warn!(%error, "service requests can't be received; trying again");
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
        serde_json::to_vec(&WorkerStatus {
            worker: worker.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            accounts,
        })
    } else {
        let order = [
            (WARM, Order::Warm),
            (REFERENCE, Order::ReadReference),
            (RESUME, Order::Resume),
        ]
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

/// What every worker says of itself: until each of those with a heartbeat has answered, `wait` at most. One that has
/// none yet, or whose answer can't be read, may be missing.
pub async fn status(broker: &Broker, wait: Duration) -> Result<Vec<WorkerStatus>, Error> {
    let what = || "the state of workers".to_owned();
    let lost = |error: &dyn std::error::Error| BrokerError::Unexpected {
        what: what(),
        cause: error.to_string(),
    };
    let mut silent: BTreeSet<String> = Leases::open(broker)
        .await?
        .workers()
        .await?
        .into_iter()
        .map(|record| record.worker)
        .collect();
    let known = !silent.is_empty();
    let client = broker.client();
    let inbox = client.new_inbox();
    let mut replies = client
        .subscribe(inbox.clone())
        .await
        .map_err(|error| lost(&error))?;
    client
        .publish_with_reply(STATUS, inbox, bytes::Bytes::new())
        .await
        .map_err(|error| lost(&error))?;
    let mut found: Vec<WorkerStatus> = Vec::new();
    let collect = async {
        while let Some(reply) = replies.next().await {
            if reply.status == Some(async_nats::StatusCode::NO_RESPONDERS) {
                return;
            }
            match serde_json::from_slice::<WorkerStatus>(&reply.payload) {
                Ok(status) => {
                    silent.remove(&status.worker);
                    found.push(status);
                }
                Err(error) => tracing::warn!(%error, "a worker's status can't be read"),
            }
            // Whoever is gone without a word keeps its heartbeat for a while, and costs the whole wait.
            if known && silent.is_empty() {
                return;
            }
        }
    };
    let ended = tokio::time::timeout(wait, collect).await;
    tracing::trace!(early = ended.is_ok(), "status collected");
    found.sort_by(|a, b| a.worker.cmp(&b.worker));
    Ok(found)
}

/// Asks the owner of an account to read the CRM's contacts into the cache; `None` when nobody owns it.
pub async fn warm(
    broker: &Broker,
    account: &AccountId,
    wait: Duration,
) -> Result<Option<Accepted>, Error> {
    ask(broker, format!("{WARM}{account}"), wait).await
}

/// Asks the owner of an account to read the CRM's owners, pipelines and stages; `None` when nobody owns it.
pub async fn read_reference(
    broker: &Broker,
    account: &AccountId,
    wait: Duration,
) -> Result<Option<Accepted>, Error> {
    ask(broker, format!("{REFERENCE}{account}"), wait).await
}

/// Tells the owner of an account that its trouble is over; `None` when nobody owns it.
pub async fn resume(
    broker: &Broker,
    account: &AccountId,
    wait: Duration,
) -> Result<Option<Accepted>, Error> {
    ask(broker, format!("{RESUME}{account}"), wait).await
}

async fn ask(broker: &Broker, subject: String, wait: Duration) -> Result<Option<Accepted>, Error> {
    let what = || format!("the order on {subject}");
    let answer = broker
        .ask(subject.clone().into(), bytes::Bytes::new(), wait, what)
        .await;
    match answer {
        Ok(reply) => serde_json::from_slice(&reply.payload)
            .map(Some)
            .map_err(|error| {
                let cause = error.to_string();
                BrokerError::Unexpected {
                    what: what(),
                    cause,
                }
                .into()
            }),
        Err(BrokerError::NoResponder { .. }) => Ok(None),
        // Whoever doesn't own the account is silent. Without a connection the silence says nothing.
        Err(BrokerError::Unknown { .. }) if broker.is_connected() => Ok(None),
        Err(error) => Err(error.into()),
    }
}
