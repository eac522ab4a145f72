//! What a measurement stands on: a real broker, a CRM without limits, accounts whose contacts are known, worker processes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::message::PublishMessage;
use callflume_benches::crm::{Answered, Door};
use callflume_core::account::AccountId;
use callflume_core::card::News;
use callflume_core::config::AccountConfig;
use callflume_core::event::{Body, ContactRef, ContentType, Draft, Event, encode};
use callflume_core::lane::Lane;
use callflume_core::record::{ContactRecord, SCHEMA};
use callflume_core::time::WallTime;
use callflume_jetstream::contacts::Contacts;
use callflume_jetstream::lease::Leases;
use callflume_jetstream::provision::{self, ProvisionSettings};
use callflume_jetstream::watch::Watched;
use callflume_jetstream::{Broker, connect};
use callflume_sim::fakes::{FakeServer, ServerOptions, fictional_e164};
use callflume_sim::hubspot::{HubSpot, HubSpotConfig};
use callflume_sim::live::stage::{TOKEN, account_config, epoch_ms, with_own_properties};
use callflume_sim::live::{Launch, WorkerProcess};
use callflume_testkit::Server;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;

use crate::progress::Progress;

/// A limit that never binds, yet leaves room for arithmetic with percentages in 32 bits.
pub(crate) const NO_LIMIT: u32 = 4_000_000;
/// Publishes and bucket writes without an answer at a time.
const AT_ONCE: usize = 1_024;
/// How often a worker is looked at that says nothing.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Whatever was published is settled within this, or the measurement fails.
const PATIENCE: Duration = Duration::from_secs(900);

/// Which fake CRM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum CrmKind {
    /// Answers batch writes and keeps nothing.
    Door,
    /// The simulator's model of HubSpot behind wiremock, limits lifted.
    Model,
}

enum Crm {
    Door(Door),
    Model {
        server: FakeServer,
        model: Arc<Mutex<HubSpot>>,
        /// Writes in its audit that no request made.
        seeded: u64,
    },
}

/// Everything but the workers.
pub(crate) struct Stage {
    pub(crate) server: Server,
    pub(crate) broker: Broker,
    /// For publishing as fast as the broker takes it.
    pub(crate) publisher: async_nats::jetstream::Context,
    crm: Crm,
    pub(crate) accounts: BTreeMap<AccountId, AccountConfig>,
    /// CRM id and number of each contact; every account has these.
    pub(crate) contacts: Vec<(String, String)>,
}

impl Stage {
    /// Raises a stage with so many accounts of so many contacts each; `adjust` has the last word on their configuration.
    pub(crate) async fn raise(
        crm: CrmKind,
        accounts: u32,
        contacts: u32,
        adjust: impl Fn(&mut AccountConfig),
    ) -> anyhow::Result<Self> {
        let server = Server::start().await?;
        let settings = connect::Settings {
            urls: vec![server.url().to_owned()],
            ..connect::Settings::default()
        };
        let broker = connect::connect(&settings, "bench").await?;
        provision::apply(&broker, &ProvisionSettings::within(16 << 30)).await?;
        let publisher = ContextBuilder::new()
            .timeout(Duration::from_secs(30))
            .build(async_nats::connect(server.url()).await?);
        let (crm, contacts) = open_crm(crm, contacts).await?;
        let accounts = (0..accounts)
            .map(|number| {
                let id: AccountId = format!("acc-{number}").parse()?;
                let mut config = account_config(&crm.url(), "private_professional", 100, "UTC");
                config.limits = ["ten_secondly", "search", "daily"]
                    .map(|window| (window.to_owned(), NO_LIMIT))
                    .into();
                config.in_flight_op_max = 256;
                adjust(&mut config);
                callflume_worker::check_account(&config)?;
                anyhow::Ok((id, config))
            })
            .collect::<Result<BTreeMap<_, _>, _>>()?;
        callflume_worker::apply_configs(&broker, &accounts, true).await?;
        let stage = Self {
            server,
            broker,
            publisher,
            crm,
            accounts,
            contacts,
        };
        stage.know_contacts().await?;
        Ok(stage)
    }

    /// Puts the contacts where a worker finds them without asking the CRM, as after a warm-up.
    async fn know_contacts(&self) -> anyhow::Result<()> {
        let bucket = Contacts::open(&self.broker).await?;
        let all = self.accounts.len() * self.contacts.len();
        let mut progress = Progress::of("contacts known");
        let mut known = 0;
        let mut writes = stream::iter(self.accounts.keys())
            .flat_map(|account| {
                let bucket = &bucket;
                stream::iter(&self.contacts).map(move |(crm_id, phone)| {
                    let aliases = contact(phone).aliases();
                    let record = ContactRecord {
                        schema: SCHEMA,
                        crm_id: crm_id.clone(),
                        own_key: aliases.first().cloned(),
                        ..ContactRecord::default()
                    };
                    async move { bucket.write(account, &record, &aliases, News::Read).await }
                })
            })
            .buffer_unordered(64);
        while writes.try_next().await?.is_some() {
            known += 1;
            progress.at(known, all as u64);
        }
        Ok(())
    }

    /// The account of a measurement with one.
    pub(crate) fn account(&self) -> anyhow::Result<(&AccountId, &AccountConfig)> {
        self.accounts.first_key_value().context("no account")
    }

    /// What the CRM answered so far.
    pub(crate) fn answered(&self) -> Answered {
        match &self.crm {
            Crm::Door(door) => door.answered(),
            Crm::Model { model, seeded, .. } => {
                let model = model.lock().unwrap_or_else(PoisonError::into_inner);
                Answered {
                    requests: model.counters().requests,
                    effects: model.writes().len() as u64 - seeded,
                }
            }
        }
    }

    /// An event about the contact whose turn it is.
    pub(crate) fn event(&self, account: &AccountId, kind: Kind, number: u64) -> Event {
        let place = number as usize % self.contacts.len().max(1);
        let phone = self.contacts.get(place).map_or("", |(_, phone)| phone);
        let text = format!("Event {number}. {}", "Prefers mornings. ".repeat(25));
        let (name, field) = match kind {
            Kind::Task => ("task_created", "title"),
            Kind::Note => ("note_added", "text"),
        };
        Draft {
            call_id: format!("call-{number}"),
            kind: name.to_owned(),
            at: WallTime(1_760_000_000_000 + number.cast_signed()),
            revision: Some(number.to_string()),
            contact: contact(phone),
            body: Body::from([(field.to_owned(), text.into())]),
        }
        .into_event(account)
    }

    /// Publishes `count` events to each account as fast as the broker takes them, many without an answer at a time;
    /// answers how long it took.
    pub(crate) async fn publish(
        &self,
        kind: Kind,
        count: u64,
        what: &'static str,
    ) -> anyhow::Result<Duration> {
        self.publish_from(kind, 0, count, what).await
    }

    /// The same, numbered from `first` on: events with other numbers are other events.
    pub(crate) async fn publish_from(
        &self,
        kind: Kind,
        first: u64,
        count: u64,
        what: &'static str,
    ) -> anyhow::Result<Duration> {
        let since = Instant::now();
        let all = count * self.accounts.len() as u64;
        let mut progress = Progress::of(what);
        let mut done = 0;
        // Accounts take turns, as their events would come.
        let mut publishes = stream::iter(first..first + count)
            .flat_map(|number| {
                stream::iter(self.accounts.keys()).map(move |account| (account, number))
            })
            .map(|(account, number)| self.publish_one(account, kind, number))
            .buffer_unordered(AT_ONCE);
        while publishes.try_next().await?.is_some() {
            done += 1;
            progress.at(done, all);
        }
        Ok(since.elapsed())
    }

    /// Publishes one event and waits until it is stored.
    pub(crate) async fn publish_one(
        &self,
        account: &AccountId,
        kind: Kind,
        number: u64,
    ) -> anyhow::Result<()> {
        let event = self.event(account, kind, number);
        let body = encode(&event, ContentType::MessagePack)?;
        let message = PublishMessage::build()
            .message_id(event.id.as_str())
            .payload(body.into());
        let subject = kind.lane().subject(account, &event.kind);
        self.publisher.send_publish(subject, message).await?.await?;
        Ok(())
    }

    /// Starts a worker as a process of its own.
    pub(crate) fn start_worker(&self) -> anyhow::Result<WorkerProcess> {
        let log = self.server.store_dir().join("worker.log");
        let launch = Launch::own(&["--worker"])?;
        WorkerProcess::start(launch, self.server.url(), &log).context("a worker can't be started")
    }

    /// Waits until so many accounts have an owner.
    pub(crate) async fn owned(&self, worker: &mut WorkerProcess) -> anyhow::Result<()> {
        let all = self.accounts.len();
        // Followed, not listed again and again: that would be most of what the broker does meanwhile.
        let mut leases = Leases::open(&self.broker).await?.watch("account.>").await?;
        let mut owned = BTreeSet::new();
        let mut progress = Progress::of("accounts owned");
        let deadline = Instant::now() + PATIENCE;
        loop {
            progress.at(owned.len() as u64, all as u64);
            if owned.len() >= all {
                return Ok(());
            }
            match tokio::time::timeout(LOOK_EVERY, leases.next()).await {
                Ok(Ok(Watched::Change(change))) if change.value.is_some() => {
                    owned.insert(change.key);
                }
                Ok(Ok(Watched::Change(change))) => {
                    owned.remove(&change.key);
                }
                Ok(Ok(Watched::UpToDate)) => {}
                Ok(Err(error)) => return Err(error.into()),
                Err(_) => self.goes_on(worker, deadline)?,
            }
        }
    }

    /// Waits until the CRM has so many effects, then until every event is acknowledged; answers the instant.
    pub(crate) async fn settled(
        &self,
        worker: &mut WorkerProcess,
        effects: u64,
    ) -> anyhow::Result<Instant> {
        let mut progress = Progress::of("effects in the CRM");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = self.answered().effects;
            progress.at(now, effects);
            if now >= effects {
                break;
            }
            self.goes_on(worker, deadline)?;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        loop {
            let mut unsettled = 0;
            for lane in Lane::ALL {
                unsettled += self.unsettled(lane).await?;
            }
            if unsettled == 0 {
                break;
            }
            self.goes_on(worker, deadline)?;
        }
        if self.answered().effects > effects {
            bail!("the CRM has more effects than events were published");
        }
        Ok(Instant::now())
    }

    fn goes_on(&self, worker: &mut WorkerProcess, deadline: Instant) -> anyhow::Result<()> {
        let log = || {
            let text = std::fs::read_to_string(self.server.store_dir().join("worker.log"));
            let text = text.unwrap_or_default();
            let mut lines: Vec<&str> = text.lines().rev().take(5).collect();
            lines.reverse();
            lines.join("\n")
        };
        if let Some(status) = worker.ended()? {
            bail!("the worker ended by itself ({status}):\n{}", log());
        }
        if Instant::now() > deadline {
            bail!("not done after {} s:\n{}", PATIENCE.as_secs(), log());
        }
        Ok(())
    }

    /// Events of a lane that are not acknowledged, over all accounts; a missing consumer counts as one.
    async fn unsettled(&self, lane: Lane) -> anyhow::Result<u64> {
        let subject = format!("$JS.API.CONSUMER.LIST.{}", lane.stream());
        let (mut unsettled, mut seen) = (0, 0);
        loop {
            let request = serde_json::json!({ "offset": seen }).to_string();
            let answer = self
                .broker
                .client()
                .request(subject.clone(), request.into())
                .await?;
            let page: ConsumerPage = serde_json::from_slice(&answer.payload)?;
            seen += page.consumers.len();
            unsettled += page
                .consumers
                .iter()
                .map(|consumer| consumer.num_pending + consumer.num_ack_pending)
                .sum::<u64>();
            if page.consumers.is_empty() || seen >= page.total {
                return Ok(unsettled + self.accounts.len().saturating_sub(seen) as u64);
            }
        }
    }
}

#[derive(Deserialize)]
struct ConsumerPage {
    total: usize,
    consumers: Vec<ConsumerState>,
}

#[derive(Deserialize)]
struct ConsumerState {
    num_pending: u64,
    num_ack_pending: u64,
}

/// What is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Operational: one task each.
    Task,
    /// Enrichment: one note each.
    Note,
}

impl Kind {
    pub(crate) const fn lane(self) -> Lane {
        match self {
            Self::Task => Lane::Op,
            Self::Note => Lane::En,
        }
    }
}

impl Crm {
    fn url(&self) -> String {
        match self {
            Self::Door(door) => door.url(),
            Self::Model { server, .. } => server.url(),
        }
    }
}

async fn open_crm(kind: CrmKind, contacts: u32) -> anyhow::Result<(Crm, Vec<(String, String)>)> {
    match kind {
        CrmKind::Door => {
            let contacts = (0..contacts)
                .map(|number| {
                    let phone = fictional_e164(number).context("too many contacts")?;
                    Ok((format!("70{number}"), phone))
                })
                .collect::<anyhow::Result<_>>()?;
            Ok((Crm::Door(Door::open().await?), contacts))
        }
        CrmKind::Model => {
            let mut config = with_own_properties(HubSpotConfig {
                daily_limit: u64::from(NO_LIMIT) * 100,
                search_limit: NO_LIMIT,
                service_ms: 0,
                service_jitter_ms: 0,
                ..HubSpotConfig::default()
            });
            for app in &mut config.apps {
                app.interval_limit = NO_LIMIT;
            }
            debug_assert!(config.apps.iter().any(|app| app.token == TOKEN));
            let mut model = HubSpot::new(config)?;
            let seeded = model.seed_contacts(contacts, 1)?;
            let contacts = seeded
                .into_iter()
                .map(|contact| (contact.id.to_string(), contact.e164))
                .collect();
            let seeded = model.writes().len() as u64;
            let model = Arc::new(Mutex::new(model));
            let server =
                FakeServer::start(model.clone(), ServerOptions::default(), epoch_ms).await?;
            let crm = Crm::Model {
                server,
                model,
                seeded,
            };
            Ok((crm, contacts))
        }
    }
}

fn contact(phone: &str) -> ContactRef {
    ContactRef {
        phone: Some(phone.to_owned()),
        ..ContactRef::default()
    }
}
