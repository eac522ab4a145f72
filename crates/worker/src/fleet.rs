//! The worker among workers: heartbeat, leases in view, account tasks started and stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use callflume_core::account::AccountId;
use callflume_core::config::AccountConfig;
use callflume_core::ownership::{Move, Ownership, View};
use callflume_core::record::{LeaseRecord, SCHEMA, WorkerRecord, key};
use callflume_core::time::Tick;
use callflume_jetstream::clock::BrokerClock;
use callflume_jetstream::contacts::Contacts;
use callflume_jetstream::lease::{Lease, LeaseError, Leases};
use callflume_jetstream::lookup::{LookupSettings, Reader};
use callflume_jetstream::watch::{Change, Watched};
use callflume_jetstream::{Broker, connect, provision};
use futures_util::StreamExt as _;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::account::{self, Order, Shared};
use crate::configs::{self, Accounts};
use crate::status::AccountStatus;
use crate::{Error, Settings, contacts, janitor, services};

/// How often ownership is looked at when nothing changes.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Leases that are claimed at the same time.
const CLAIMS_AT_ONCE: usize = 16;
/// How often a worker says that it lives, as a share of the time after which it counts as gone.
const HEARTBEATS: u32 = 4;
/// How often the broker's clock is asked for.
const CLOCK_EVERY: Duration = Duration::from_secs(60);
/// Pause before something that follows a bucket is started again.
const AGAIN: Duration = Duration::from_secs(1);
/// Pause before an account whose task failed is claimed again.
const FAILED_PAUSE: Duration = Duration::from_secs(2);

/// Tells a running worker to stop: finish what is under way, give every account back.
pub type Stop = watch::Receiver<bool>;

/// An owned account, as its worker sees it.
pub(crate) struct Owned {
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) status: watch::Receiver<Option<AccountStatus>>,
    task: JoinHandle<Result<(), account::Ended>>,
    config: AccountConfig,
    stopping: bool,
}

/// Runs a worker until it is told to stop.
pub async fn run(settings: Settings, mut stop: Stop) -> Result<(), Error> {
    let broker = connect::connect(&settings.broker, "worker").await?;
    let events = connect::connect(&settings.broker, "consume").await?;
    provision::check(&broker).await?;
    let leases = Leases::open(&broker).await?;
    let clock = BrokerClock::start(&broker).await?;
    let reader = Reader::start(&broker, LookupSettings::default()).await?;
    let contacts = Contacts::open(&broker).await?.telling(reader.clone());
    let worker = worker_id(&settings.name);
    let shared = Shared {
        broker: broker.clone(),
        events,
        clock: clock.clone(),
        leases: leases.clone(),
        contacts,
        started: Instant::now(),
        lease_ttl: settings.lease,
        token_keys: settings.token_keys.clone(),
    };
    tracing::info!(%worker, "worker started");

    let (accounts_send, accounts) = watch::channel(None);
    let (view_send, view) = watch::channel(LeaseView::default());
    let (status_send, status) = watch::channel(Vec::new());
    let (orders_send, mut orders) = mpsc::channel(64);
    let mut background = tokio::task::JoinSet::new();
    background.spawn(follow_configs(broker.clone(), accounts_send));
    background.spawn(follow_leases(leases.clone(), view_send));
    background.spawn(heartbeat(leases.clone(), worker.clone(), settings.lease));
    background.spawn(keep_time(clock));
    background.spawn(janitor::run(
        shared.clone(),
        worker.clone(),
        accounts.clone(),
        settings.history,
    ));
    background.spawn(contacts::serve(broker.clone(), reader, accounts.clone()));
    background.spawn(services::serve(
        broker.clone(),
        worker.clone(),
        status,
        orders_send,
    ));

    let ownership = Ownership::new(worker.clone());
    let mut fleet = Fleet {
        shared,
        worker,
        ownership,
        owned: BTreeMap::new(),
        rest: BTreeMap::new(),
    };
    let mut stopping = false;
    loop {
        let known = accounts.borrow().clone();
        fleet.reap().await;
        if stopping {
            if fleet.owned.is_empty() {
                break;
            }
        } else if let Some(known) = known {
            let view = view.borrow().clone();
            fleet.look(&known, &view).await;
        }
        status_send.send_replace(fleet.status());
        tokio::select! {
            changed = stop.changed(), if !stopping => {
                if changed.is_err() || *stop.borrow() {
                    stopping = true;
                    fleet.stop_all().await;
                }
            }
            order = orders.recv() => {
                if let Some((account, order)) = order {
                    fleet.order(&account, order).await;
                }
            }
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
    background.shutdown().await;
    if let Err(error) = leases.leave(&fleet.worker).await {
        tracing::debug!(%error, "the heartbeat could not be withdrawn; it runs out by itself");
    }
    tracing::info!(worker = %fleet.worker, "worker stopped");
    Ok(())
}

/// Unique per process start: two processes with the same id would share leases.
fn worker_id(name: &str) -> String {
    let name: String = name
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        .take(40)
        .collect();
    format!("{name}-{}-{}", std::process::id(), account::wall_now().0)
}

/// What the lease bucket says.
#[derive(Debug, Clone, Default)]
struct LeaseView {
    workers: BTreeSet<String>,
    leases: BTreeMap<AccountId, String>,
}

struct Fleet {
    shared: Shared,
    worker: String,
    ownership: Ownership,
    owned: BTreeMap<AccountId, Owned>,
    /// Accounts whose task failed, and until when they are left alone.
    rest: BTreeMap<AccountId, Instant>,
}

impl Fleet {
    async fn look(&mut self, accounts: &Accounts, view: &LeaseView) {
        let mut workers = view.workers.clone();
        workers.insert(self.worker.clone());
        let mut leases = view.leases.clone();
        // What the bucket still shows of this worker, but is not worked on, is free for this worker.
        leases.retain(|account, owner| *owner != self.worker || self.owned.contains_key(account));
        let now = Instant::now();
        self.rest.retain(|_, until| *until > now);
        let seen = View {
            workers,
            accounts: accounts.keys().cloned().collect(),
            leases,
        };
        let owned: BTreeSet<AccountId> = self.owned.keys().cloned().collect();
        let tick =
            Tick(u64::try_from(self.shared.started.elapsed().as_millis()).unwrap_or(u64::MAX));
        let mut claims = Vec::new();
        for step in self.ownership.decide(tick, &seen, &owned) {
            match step {
                Move::Claim(account) if !self.rest.contains_key(&account) => {
                    claims.extend(
                        accounts
                            .get(&account)
                            .map(|config| (account, config.clone())),
                    );
                }
                Move::Claim(_) => {}
                Move::Release(account) => self.stop(&account).await,
            }
        }
        self.claim_all(claims).await;
        for (account, owned) in &mut self.owned {
            if let Some(config) = accounts.get(account)
                && *config != owned.config
            {
                owned.config = config.clone();
                // A task that has ended is reaped and claimed anew with this configuration.
                drop(
                    owned
                        .orders
                        .send(Order::Configure(Box::new(config.clone())))
                        .await,
                );
            }
        }
    }

    /// Claims several at a time: one after the other, a worker that takes over a thousand accounts would leave the last
    /// of them without an owner for seconds.
    async fn claim_all(&mut self, claims: Vec<(AccountId, AccountConfig)>) {
        let leases = self.shared.leases.clone();
        let (worker, ttl) = (self.worker.clone(), self.shared.lease_ttl);
        let asked = claims.into_iter().map(|(account, config)| {
            let (leases, worker) = (&leases, worker.as_str());
            async move {
                let claimed = leases.claim(&key::lease(&account), worker, ttl).await;
                (account, config, claimed)
            }
        });
        let mut answers = futures_util::stream::iter(asked).buffer_unordered(CLAIMS_AT_ONCE);
        while let Some((account, config, claimed)) = answers.next().await {
            self.claimed(account, config, claimed);
        }
    }

    fn claimed(
        &mut self,
        account: AccountId,
        config: AccountConfig,
        claimed: Result<Lease, LeaseError>,
    ) {
        match claimed {
            Ok(lease) => {
                tracing::info!(%account, "account taken over");
                let (orders, receive) = mpsc::channel(16);
                let (status_send, status) = watch::channel(None);
                let task = tokio::spawn(account::run(
                    self.shared.clone(),
                    account.clone(),
                    config.clone(),
                    lease,
                    receive,
                    status_send,
                ));
                self.owned.insert(
                    account,
                    Owned {
                        orders,
                        status,
                        task,
                        config,
                        stopping: false,
                    },
                );
            }
            Err(LeaseError::Held { .. } | LeaseError::Lost { .. }) => {}
            Err(LeaseError::Failed(error)) => {
                tracing::warn!(%account, %error, "the lease could not be claimed; trying again");
                self.rest.insert(account, Instant::now() + FAILED_PAUSE);
            }
        }
    }

    /// Forgets accounts whose task has ended.
    async fn reap(&mut self) {
        let ended: Vec<AccountId> = self
            .owned
            .iter()
            .filter(|(_, owned)| owned.task.is_finished())
            .map(|(account, _)| account.clone())
            .collect();
        for account in ended {
            let Some(owned) = self.owned.remove(&account) else {
                continue;
            };
            match owned.task.await {
                Ok(Ok(())) => tracing::info!(%account, "account given up"),
                Ok(Err(error)) => {
                    tracing::warn!(%account, %error, "account given up; claiming it again soon");
                    self.rest.insert(account, Instant::now() + FAILED_PAUSE);
                }
                Err(panic) => {
                    tracing::error!(%account, %panic, "the account's task broke; claiming it again soon");
                    self.rest.insert(account, Instant::now() + FAILED_PAUSE);
                }
            }
        }
    }

    async fn stop(&mut self, account: &AccountId) {
        if let Some(owned) = self.owned.get_mut(account)
            && !owned.stopping
        {
            owned.stopping = true;
            // A task that has ended needs no order.
            drop(owned.orders.send(Order::Stop).await);
        }
    }

    async fn stop_all(&mut self) {
        let accounts: Vec<AccountId> = self.owned.keys().cloned().collect();
        for account in accounts {
            self.stop(&account).await;
        }
    }

    async fn order(&self, account: &AccountId, order: Order) {
        if let Some(owned) = self.owned.get(account) {
            drop(owned.orders.send(order).await);
        }
    }

    fn status(&self) -> Vec<AccountStatus> {
        self.owned
            .values()
            .filter_map(|owned| owned.status.borrow().clone())
            .collect()
    }
}

async fn follow_configs(broker: Broker, accounts: watch::Sender<Option<Accounts>>) {
    loop {
        if let Err(error) = configs::follow(&broker, &accounts).await {
            tracing::warn!(%error, "the config bucket could not be followed; trying again");
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn follow_leases(leases: Leases, view: watch::Sender<LeaseView>) {
    loop {
        let mut current = LeaseView::default();
        let follow = async {
            let mut watched = leases.watch(">").await?;
            let mut complete = false;
            loop {
                // Nearly all news are renewals, one per account and second, which change nothing: copying the view for
                // each would cost more the more accounts there are, squared.
                let changed = match watched.next().await? {
                    Watched::UpToDate => !std::mem::replace(&mut complete, true),
                    Watched::Change(change) => current.take(&change),
                };
                if complete && changed {
                    view.send_replace(current.clone());
                }
            }
        };
        let ended: Result<(), callflume_jetstream::Error> = follow.await;
        if let Err(error) = ended {
            tracing::warn!(%error, "the lease bucket could not be followed; trying again");
        }
        tokio::time::sleep(AGAIN).await;
    }
}

impl LeaseView {
    /// Takes news in; answers whether it is any.
    fn take(&mut self, change: &Change) -> bool {
        if let Some(worker) = change.key.strip_prefix("worker.") {
            if change.value.is_some() {
                self.workers.insert(worker.to_owned())
            } else {
                self.workers.remove(worker)
            }
        } else if let Some(Ok(account)) = change
            .key
            .strip_prefix("account.")
            .map(str::parse::<AccountId>)
        {
            let owner = change
                .value
                .as_ref()
                .and_then(|value| serde_json::from_slice::<LeaseRecord>(value).ok())
                .map(|record| record.owner);
            if self.leases.get(&account) == owner.as_ref() {
                return false;
            }
            match owner {
                Some(owner) => self.leases.insert(account, owner),
                None => self.leases.remove(&account),
            };
            true
        } else {
            false
        }
    }
}

async fn heartbeat(leases: Leases, worker: String, ttl: Duration) {
    let record = WorkerRecord {
        schema: SCHEMA,
        worker,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    loop {
        if let Err(error) = leases.heartbeat(&record, ttl).await {
            tracing::debug!(%error, "a heartbeat could not be sent");
        }
        tokio::time::sleep(ttl / HEARTBEATS).await;
    }
}

async fn keep_time(clock: BrokerClock) {
    loop {
        tokio::time::sleep(CLOCK_EVERY).await;
        if let Err(error) = clock.synchronise().await {
            tracing::debug!(%error, "the broker's clock could not be read");
        }
    }
}

#[cfg(test)]
mod tests {
    use callflume_core::time::BrokerTime;

    use super::*;

    #[test]
    fn only_what_changes_who_owns_or_lives_is_news() {
        let lease = |owner: &str| serde_json::json!({"schema": SCHEMA, "owner": owner}).to_string();
        let mut view = LeaseView::default();
        for (key, value, news) in [
            ("account.acme", Some(lease("w1")), true),
            // A renewal.
            ("account.acme", Some(lease("w1")), false),
            ("account.acme", Some(lease("w2")), true),
            ("account.acme", None, true),
            ("account.acme", None, false),
            ("account.acme", Some("no lease".to_owned()), false),
            ("account.not an account", Some(lease("w1")), false),
            ("worker.w1", Some("{}".to_owned()), true),
            // A heartbeat.
            ("worker.w1", Some("{}".to_owned()), false),
            ("worker.w1", None, true),
            ("worker.w1", None, false),
            ("janitor", Some(lease("w1")), false),
        ] {
            let change = Change {
                key: key.to_owned(),
                value: value.clone().map(Into::into),
                revision: 1,
                created: BrokerTime(0),
            };
            assert_eq!(view.take(&change), news, "{key} {value:?}");
        }
        assert!(view.leases.is_empty() && view.workers.is_empty());
    }
}
