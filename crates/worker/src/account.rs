//! One owned account: its dispatcher, its lease, its inputs and outputs.
//!
//! The task ends when it is told to stop (after finishing what is under way and giving the lease back), or at once
//! when the lease is lost. Everything it spawned ends with it; requests in flight are then of unknown outcome, which
//! the successor can bear.

mod kept;
mod told;

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use callflume_core::account::AccountId;
use callflume_core::codes::Code;
use callflume_core::config::AccountConfig;
use callflume_core::dispatcher::{Dispatcher, Input, Output};
use callflume_core::lane::Lane;
use callflume_core::time::{Now, Tick, WallTime};
use callflume_jetstream::Broker;
use callflume_jetstream::clock::BrokerClock;
use callflume_jetstream::consumer::{AccountConsumer, ConsumerSettings};
use callflume_jetstream::contacts::Contacts;
use callflume_jetstream::lease::{Lease, Leases};
use callflume_jetstream::tokens::TokenKeys;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::advice::Advertiser;
use crate::contacts;
use crate::credential::Credential;
use crate::http::Sender;
use crate::lane::{self, Command, HeldMessages};
use crate::permits::{self, Asks};
use crate::reference;
use crate::renewal::renew;
use crate::setup::setup;
use crate::status::AccountStatus;
use crate::store::Store;
use crate::tokens::Parts;

/// Inputs that wait for the dispatcher at most; lanes stop reading from the broker beyond.
const INPUTS_MAX: usize = 2_048;
/// Inputs taken in one go before outputs are carried out.
const INPUTS_AT_ONCE: usize = 256;
/// Pause before an attempt to store is reported as failed, so that a broker in an election isn't stormed.
pub(crate) const STORE_PAUSE: Duration = Duration::from_millis(100);

/// What an account's task is told from outside.
#[derive(Debug, Clone)]
pub(crate) enum Order {
    /// Finish and give the account up.
    Stop,
    /// New configuration.
    Configure(Box<AccountConfig>),
    /// Read the CRM's contacts into the cache.
    Warm,
    /// Read the CRM's owners, pipelines and stages.
    ReadReference,
    /// The operator says the trouble is over.
    Resume,
}

/// Everything a task needs from its worker.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(crate) broker: Broker,
    pub(crate) events: Broker,
    pub(crate) clock: BrokerClock,
    pub(crate) leases: Leases,
    pub(crate) contacts: Contacts,
    pub(crate) started: Instant,
    pub(crate) lease_ttl: Duration,
    pub(crate) token_keys: Option<TokenKeys>,
}

impl Shared {
    fn now(&self) -> Now {
        let tick = Tick(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX));
        Now {
            tick,
            broker: self.clock.now(),
            wall: wall_now(),
        }
    }
}

/// The calendar.
pub(crate) fn wall_now() -> WallTime {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    WallTime(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Why an account's task ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    #[error("its lease was lost")]
    LeaseLost,
    #[error("the task that pulls its events is gone")]
    LaneGone,
    #[error("a dead letter refers to a message that is not held")]
    MessageGone,
    #[error(transparent)]
    Broker(#[from] callflume_jetstream::Error),
    #[error(transparent)]
    Config(#[from] callflume_core::config::BadConfig),
    #[error(transparent)]
    Worker(#[from] crate::Error),
}

/// Owns an account from the claimed lease until it is stopped or lost.
pub(crate) async fn run(
    shared: Shared,
    account: AccountId,
    config: AccountConfig,
    lease: Lease,
    orders: mpsc::Receiver<Order>,
    status: watch::Sender<Option<AccountStatus>>,
) -> Result<(), Ended> {
    let (until, lease_until) = watch::channel(lease.held_until());
    let (finished, finish) = oneshot::channel();
    let renewal = renew(&shared.leases, lease, shared.lease_ttl, until, finish);
    let work = async {
        let mut task =
            Task::start(shared.clone(), account.clone(), config, lease_until, status).await?;
        let ended = task.work(orders).await;
        if finished.send(()).is_err() {
            tracing::trace!("the lease ended before its work; the other arm reports it");
        }
        ended
    };
    tokio::pin!(renewal);
    tokio::pin!(work);
    let lease = tokio::select! {
        // Ends first only when the lease is lost: then nothing more is to be done, whatever is under way.
        lease = &mut renewal => lease,
        ended = &mut work => {
            ended?;
            renewal.await
        }
    };
    match lease {
        None => Err(Ended::LeaseLost),
        Some(lease) => {
            // Floors are saved and nothing is in the air: the next owner may start at once.
            if let Err(error) = shared.leases.release(lease).await {
                tracing::debug!(%account, %error, "the lease could not be given back; it runs out by itself");
            }
            Ok(())
        }
    }
}

struct Task {
    shared: Shared,
    account: AccountId,
    config: AccountConfig,
    dispatcher: Dispatcher,
    store: Store,
    sender: Sender,
    credential: Credential,
    consumers: [AccountConsumer; 2],
    held: [HeldMessages; 2],
    asks: Asks,
    lanes: [mpsc::UnboundedSender<Command>; 2],
    floors: [watch::Sender<u64>; 2],
    inputs: mpsc::Receiver<Input>,
    report: mpsc::Sender<Input>,
    journal_revision: Option<u64>,
    lease_until: watch::Receiver<Instant>,
    status: watch::Sender<Option<AccountStatus>>,
    /// Alerts that stand: the latest of each code.
    alerts: BTreeMap<Code, String>,
    advertiser: Advertiser,
    tasks: JoinSet<()>,
    fatal: Option<Ended>,
    journal_done: mpsc::Receiver<JournalWritten>,
    journal_report: mpsc::Sender<JournalWritten>,
}

/// A journal write that ended: the revision that stands now, and whether ours is stored; `None` when another owner's is.
pub(crate) type JournalWritten = (Option<u64>, Option<bool>);

impl Task {
    async fn start(
        shared: Shared,
        account: AccountId,
        config: AccountConfig,
        lease_until: watch::Receiver<Instant>,
        status: watch::Sender<Option<AccountStatus>>,
    ) -> Result<Self, Ended> {
        let store = Store::open(&shared.broker, &account, shared.contacts.clone()).await?;
        let mut consumers = Vec::with_capacity(2);
        let mut floors = [0; 2];
        for lane in Lane::ALL {
            let floor = store.floors.read(lane, &account).await?;
            let consumer = AccountConsumer::open(
                &shared.events,
                lane,
                &account,
                ConsumerSettings::default(),
                floor,
            )
            .await?;
            // Not the floor as it was written: that of a stream which is gone says nothing about this one.
            floors[lane as usize] = consumer.start(floor).await?;
            consumers.push(consumer);
        }
        let consumers = <[AccountConsumer; 2]>::try_from(consumers).map_err(|_| Ended::LaneGone)?;
        let (journal, known) =
            tokio::join!(store.journals.read(&account), reference::known(&store));
        let journal = journal?;
        let journal_revision = journal.as_ref().map(|stored| stored.revision);
        let sender = Sender::new(&config)?;
        let credential = credential(&shared, &account, &config, &lease_until)?;
        // Its keys are the system's randomness: permits have names that nobody guesses.
        let seed = RandomState::new().hash_one(account.as_str());
        let journal = journal.map(|stored| stored.record);
        let mut setup = setup(&account, &config, floors, journal, seed)?;
        setup.reference = known;
        setup.bulk = store.bulk.inherited(&*setup.vendor).await?;
        let dispatcher = Dispatcher::new(setup, shared.now())?;
        let (report, inputs) = mpsc::channel(INPUTS_MAX);
        let held = [HeldMessages::default(), HeldMessages::default()];
        let mut tasks = JoinSet::new();
        let lanes = Lane::ALL.map(|lane| {
            let (send, commands) = mpsc::unbounded_channel();
            tasks.spawn(lane::run(
                lane,
                consumers[lane as usize].clone(),
                held[lane as usize].clone(),
                commands,
                report.clone(),
            ));
            send
        });
        let asks = Asks::default();
        tasks.spawn(permits::listen(
            shared.broker.clone(),
            account.clone(),
            asks.clone(),
            report.clone(),
        ));
        let broker = shared.broker.clone();
        tasks.spawn(contacts::listen(broker, account.clone(), report.clone()));
        let floors = Lane::ALL.map(|lane| {
            let (send, floor) = watch::channel(floors[lane as usize]);
            tasks.spawn(kept::save_floors(
                store.clone(),
                account.clone(),
                lane,
                floor,
            ));
            send
        });
        let (journal_report, journal_done) = mpsc::channel(1);
        let advertiser = Advertiser::new(shared.broker.clone(), account.clone(), wall_now());
        Ok(Self {
            shared,
            account,
            config,
            dispatcher,
            store,
            sender,
            credential,
            consumers,
            held,
            asks,
            lanes,
            floors,
            inputs,
            report,
            journal_revision,
            lease_until,
            status,
            alerts: BTreeMap::new(),
            advertiser,
            tasks,
            fatal: None,
            journal_done,
            journal_report,
        })
    }

    /// Works until the dispatcher has stopped.
    async fn work(&mut self, mut orders: mpsc::Receiver<Order>) -> Result<(), Ended> {
        let mut told = Instant::now();
        loop {
            while let Some(output) = self.dispatcher.poll() {
                if matches!(output, Output::Stopped) {
                    return self.finish().await;
                }
                self.carry_out(output);
            }
            if let Some(fatal) = self.fatal.take() {
                return Err(fatal);
            }
            if let Some(publish) = self.advertiser.due() {
                self.tasks.spawn(publish);
            }
            if told.elapsed() >= Duration::from_millis(200) {
                told = Instant::now();
                self.credential.tend();
                self.tell_status();
            }
            let wake = self
                .dispatcher
                .wake()
                .map_or(Duration::from_millis(500), |tick| {
                    Duration::from_millis(tick.since_ms(self.shared.now().tick))
                        .min(Duration::from_millis(500))
                });
            tokio::select! {
                biased;
                written = self.journal_done.recv() => {
                    if let Some((revision, stored)) = written {
                        self.journal_revision = revision;
                        match stored {
                            Some(stored) => self.dispatcher.handle(self.shared.now(), Input::Journaled { stored }),
                            None => return Err(Ended::LeaseLost),
                        }
                    }
                }
                order = orders.recv() => self.order(order.unwrap_or(Order::Stop)),
                input = self.inputs.recv() => {
                    let mut next = input;
                    let mut taken = 0;
                    while let Some(input) = next.take() {
                        self.dispatcher.handle(self.shared.now(), input);
                        taken += 1;
                        if taken < INPUTS_AT_ONCE {
                            next = self.inputs.try_recv().ok();
                        }
                    }
                }
                () = tokio::time::sleep(wake) => self.dispatcher.handle(self.shared.now(), Input::Wake),
            }
            while self.tasks.try_join_next().is_some() {}
        }
    }

    fn order(&mut self, order: Order) {
        let now = self.shared.now();
        match order {
            Order::Stop => self.dispatcher.handle(now, Input::Stop),
            Order::Warm => self.dispatcher.handle(now, Input::Warm),
            Order::ReadReference => self.dispatcher.handle(now, Input::ReadReference),
            Order::Resume => {
                self.alerts.clear();
                self.credential.resume();
                self.dispatcher.handle(now, Input::Resume);
            }
            Order::Configure(config) => {
                if let Err(error) = self.configure(*config) {
                    tracing::warn!(account = %self.account, %error, "new configuration refused, the old one stays");
                }
            }
        }
    }

    fn configure(&mut self, config: AccountConfig) -> Result<(), Ended> {
        let sender = Sender::new(&config)?;
        let made = credential(&self.shared, &self.account, &config, &self.lease_until)?;
        self.dispatcher.configure(config.clone())?;
        self.sender = sender;
        if !self.credential.configure(&config) {
            self.credential = made;
        }
        self.config = config;
        self.dispatcher.handle(self.shared.now(), Input::Wake);
        Ok(())
    }

    /// Lets the floor writers write their last, then ends everything.
    async fn finish(&mut self) -> Result<(), Ended> {
        self.tell_status();
        for lane in Lane::ALL {
            let floor = *self.floors[lane as usize].borrow();
            if floor > 0 {
                self.store.floors.write(lane, &self.account, floor).await?;
            }
        }
        self.credential.rest().await;
        self.tasks.shutdown().await;
        Ok(())
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Pull { lane, count, bytes } => {
                self.command(lane, Command::Pull { count, bytes });
            }
            Output::Resync { lane, floor } => self.command(lane, Command::Resync { floor }),
            Output::SaveFloor { lane, seq } => {
                self.floors[lane as usize].send_replace(seq);
            }
            Output::Ack { lane, seq } => {
                if let Some(held) = self.held[lane as usize].remove(seq) {
                    let consumer = self.consumers[lane as usize].clone();
                    self.tasks.spawn(async move {
                        // Unacknowledged, it comes again, and the ledger knows that it is settled.
                        if let Err(error) = consumer.ack(&held.ack).await {
                            tracing::debug!(%error, "an acknowledgement was not confirmed");
                        }
                    });
                }
            }
            Output::Load {
                lane,
                seq,
                effects,
                aliases,
            } => self.load(lane, seq, effects, aliases),
            Output::Record {
                id,
                ledger,
                contacts,
                absent,
            } => self.record(id, ledger, contacts, absent),
            Output::DeadLetter(letter) => self.bury(letter),
            Output::Send {
                request,
                http,
                timeout_ms,
                ..
            } => {
                let (credential, sender) = (self.credential.clone(), self.sender.clone());
                let lease_until = self.lease_until.clone();
                let timeout = Duration::from_millis(timeout_ms);
                self.spawn(async move {
                    credential
                        .send(&sender, request, &http, timeout, &lease_until)
                        .await
                });
            }
            Output::SaveReference(record) => {
                self.tasks
                    .spawn(reference::save(self.store.clone(), *record));
            }
            Output::WriteJournal(record) => self.write_journal(record),
            Output::SaveBulk { id, record } => self.save_bulk(id, record),
            Output::Alert { code, text } => {
                tracing::warn!(account = %self.account, %code, "{text}");
                self.alerts.insert(code, text);
            }
            Output::AlertOver { code } => {
                tracing::info!(account = %self.account, %code, "over: {}", code.title());
                self.alerts.remove(&code);
            }
            Output::Advice(advised) => self.advertiser.advise(advised, wall_now()),
            Output::PermitAnswered { ask, reply } => {
                if let Some(publish) =
                    self.asks
                        .answer(&self.shared.broker, ask, &reply, *self.lease_until.borrow())
                {
                    self.tasks.spawn(publish);
                }
            }
            Output::Warmed {
                as_of,
                kinds,
                unread,
            } => {
                let store = self.store.clone();
                self.tasks
                    .spawn(async move { store.warmed(as_of, kinds, unread).await });
            }
            Output::Stopped => {}
        }
    }

    fn command(&mut self, lane: Lane, command: Command) {
        if self.lanes[lane as usize].send(command).is_err() {
            self.fatal = Some(Ended::LaneGone);
        }
    }

    fn spawn(&mut self, work: impl Future<Output = Input> + Send + 'static) {
        let report = self.report.clone();
        self.tasks.spawn(async move {
            let input = work.await;
            if report.send(input).await.is_err() {
                tracing::trace!("the account's task has ended");
            }
        });
    }
}

/// What an account's requests are authorized with.
fn credential(
    shared: &Shared,
    account: &AccountId,
    config: &AccountConfig,
    lease_until: &watch::Receiver<Instant>,
) -> Result<Credential, crate::Error> {
    let clock = shared.clock.clone();
    let parts = Parts {
        account: account.clone(),
        broker: shared.broker.clone(),
        keys: shared.token_keys.clone(),
        clock: Arc::new(move || clock.now()),
        lease_until: lease_until.clone(),
    };
    Credential::new(parts, config)
}
