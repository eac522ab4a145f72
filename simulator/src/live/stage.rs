//! Broker, fake CRM and configuration of a run: raised, ready, torn down with the value.
//!
//! Everything is real but the CRM, which is a model behind HTTP. The account is prepared the way an operator would
//! leave it: streams and buckets provisioned, Callflume's own properties present in the CRM.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use callflume_core::account::AccountId;
use callflume_core::config::{AccountConfig, BadConfig};
use callflume_core::event::ContactRef;
use callflume_jetstream::provision::{self, ProvisionSettings};
use callflume_jetstream::{Broker, connect};
use callflume_testkit::Server;

pub use crate::fakes::TOKEN_VARIABLE;
use crate::fakes::{self, FakeCrm, FakeServer, HttpModel, Prepared, ServerOptions};
pub use crate::hubspot::prepared::{limit_day, with_own_properties};
use crate::hubspot::{HubSpot, HubSpotConfig, SeededContact};
use crate::scenario::Scenario;

/// Its value. It opens nothing but the fake.
pub const TOKEN: &str = "sim-token";
/// The account of a run.
pub const ACCOUNT: &str = "demo";

/// What is raised.
#[derive(Debug, Clone)]
pub struct StageSettings {
    /// Port of the broker; a free one for 0.
    pub broker_port: u16,
    /// Where the broker stores; a temporary folder without one.
    pub store_dir: Option<PathBuf>,
    /// Port of the fake CRM; a free one for 0.
    pub crm_port: u16,
    /// The fake CRM.
    pub hubspot: HubSpotConfig,
    /// Contacts that are there before, without our key.
    pub contacts: u32,
    /// Seed of these contacts.
    pub seed: u64,
    /// Limit profile and share of the account.
    pub profile: String,
    /// See [`AccountConfig::share_percent`].
    pub share_percent: u32,
    /// Requests a day that the account is configured for, in place of its profile's; `hubspot` has its own.
    pub daily_limit: Option<u32>,
    /// Bytes the broker's streams and buckets may take together.
    pub broker_bytes: u64,
}

impl Default for StageSettings {
    fn default() -> Self {
        Self {
            broker_port: 0,
            store_dir: None,
            crm_port: 0,
            hubspot: HubSpotConfig::default(),
            contacts: 0,
            seed: 1,
            profile: "private_professional".to_owned(),
            share_percent: 80,
            daily_limit: None,
            broker_bytes: 8 << 30,
        }
    }
}

/// A raised stage, with this fake.
#[derive(Debug)]
pub struct Stage<M = HubSpot> {
    /// The broker; ours to kill.
    pub server: Server,
    /// A connection to it for whoever runs the stage.
    pub broker: Broker,
    /// The fake CRM's address.
    pub crm: FakeServer,
    /// The account.
    pub account: AccountId,
    /// Its configuration, as applied.
    pub config: AccountConfig,
    /// Contacts that were there before, as publishers name them.
    pub contacts: Vec<ContactRef>,
    model: Arc<Mutex<M>>,
}

/// Why a stage can't be raised. All of these are the environment's faults.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The broker's binary or process.
    #[error("{code}: {0}", code = callflume_core::codes::SERVER_START)]
    Server(#[from] callflume_testkit::Error),
    /// The broker's answers.
    #[error(transparent)]
    Broker(#[from] callflume_jetstream::Error),
    /// The fake CRM can't be set up as asked.
    #[error("the fake CRM can't be set up: {0}")]
    Model(#[from] fakes::SetupError),
    /// The fake CRM's port.
    #[error("the fake CRM can't listen: {0}")]
    Listen(#[from] std::io::Error),
    /// The account.
    #[error(transparent)]
    Config(#[from] BadConfig),
}

/// Epoch milliseconds.
pub fn epoch_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

impl Stage {
    /// Raises everything, with a fake HubSpot.
    pub async fn raise(settings: StageSettings) -> Result<Self, Error> {
        let hubspot = with_own_properties(settings.hubspot.clone());
        Self::raised(&settings, |url| {
            let time_zone = hubspot.time_zone.clone();
            let mut model = HubSpot::new(hubspot).map_err(fakes::SetupError::from)?;
            let contacts = model.seed_contacts(settings.contacts, settings.seed);
            let contacts = contacts.map_err(fakes::SetupError::from)?;
            let (profile, share) = (&settings.profile, settings.share_percent);
            let mut config = account_config(url, profile, share, &time_zone);
            limit_day(&mut config, settings.daily_limit);
            let known = contacts.iter().map(SeededContact::named).collect();
            Ok((model, config, known))
        })
        .await
    }
}

impl Stage<Box<dyn FakeCrm>> {
    /// Raises everything with the CRM of a scenario, whose vendor may be any. Its faults are scripted by whoever begins
    /// the run: [`HttpModel::script`].
    pub async fn of(scenario: &Scenario) -> Result<Self, Error> {
        Self::raised(&StageSettings::default(), |url| {
            let Prepared { crm, config, known } = fakes::faultless(scenario, url)?;
            Ok((crm, config, known))
        })
        .await
    }
}

impl<M: HttpModel> Stage<M> {
    /// Raises everything around a fake, made once its address is known.
    async fn raised(
        settings: &StageSettings,
        fake: impl FnOnce(&str) -> Result<(M, AccountConfig, Vec<ContactRef>), fakes::SetupError>,
    ) -> Result<Self, Error> {
        let mut builder = Server::builder().own_process_group(true);
        if settings.broker_port != 0 {
            builder = builder.client_port(settings.broker_port);
        }
        if let Some(dir) = &settings.store_dir {
            builder = builder.store_dir(dir);
        }
        let server = builder.start().await?;
        let broker = connect::connect(&broker_settings(server.url()), "stage").await?;
        provision::apply(&broker, &ProvisionSettings::within(settings.broker_bytes)).await?;

        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], settings.crm_port)))?;
        let url = format!("http://{}", listener.local_addr()?);
        let (model, config, contacts) = fake(&url)?;
        let model = Arc::new(Mutex::new(model));
        let options = ServerOptions::default();
        let crm = FakeServer::on(listener, model.clone(), options, epoch_ms).await;

        let account = account_id()?;
        callflume_worker::check_account(&config)?;
        let accounts = BTreeMap::from([(account.clone(), config.clone())]);
        callflume_worker::apply_configs(&broker, &accounts, true).await?;
        Ok(Self {
            server,
            broker,
            crm,
            account,
            config,
            contacts,
            model,
        })
    }

    /// The fake CRM's model. Requests wait while it is held.
    pub fn model(&self) -> MutexGuard<'_, M> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How a worker or publisher reaches the broker.
    pub fn broker_settings(&self) -> connect::Settings {
        broker_settings(self.server.url())
    }
}

fn broker_settings(url: &str) -> connect::Settings {
    connect::Settings {
        urls: vec![url.to_owned()],
        ..connect::Settings::default()
    }
}

/// The account of a run.
pub fn account_id() -> Result<AccountId, BadConfig> {
    ACCOUNT
        .parse()
        .map_err(|error: callflume_core::account::InvalidAccountId| {
            BadConfig::new("accounts", error.to_string())
        })
}

/// The configuration of a run's account.
pub fn account_config(
    base_url: &str,
    profile: &str,
    share_percent: u32,
    time_zone: &str,
) -> AccountConfig {
    fakes::configuration("hubspot", profile, share_percent, base_url, time_zone)
}
