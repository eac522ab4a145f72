//! `callflume.toml`: what is in it, where it is looked for, and what is wrong with it.
//!
//! Decides which file counts (`--config`, `CALLFLUME_CONFIG`, `./callflume.toml`) and which values are usable, before
//! anything is tried. A fault names file, line and column, shows the line, and says what to write instead. Secrets are
//! references; a plain one in the file is refused and never shown.

mod checks;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use callflume_core::account::AccountId;
use callflume_core::codes::{self, Code};
use callflume_core::config::{AccountConfig, SecretRef};
use callflume_jetstream::connect;
use callflume_jetstream::provision::ProvisionSettings;
use serde::Deserialize;
use toml::de::DeTable;

use crate::failure::Failure;
use crate::position::{self, Place};

/// Where the broker is unless something else is said.
pub(crate) const DEFAULT_BROKER: &str = "nats://127.0.0.1:4222";
/// The file that is read when none is named.
const DEFAULT_FILE: &str = "callflume.toml";
/// Where every field is explained.
const REFERENCE: &str = "every field is explained in docs/operations.md";

/// What the file says, or its defaults.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    broker: BrokerSection,
    worker: WorkerSection,
    accounts: BTreeMap<String, AccountConfig>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BrokerSection {
    urls: Vec<String>,
    name: String,
    credentials: CredentialsSection,
    tls_ca_file: Option<PathBuf>,
    tls_cert_file: Option<PathBuf>,
    tls_key_file: Option<PathBuf>,
    inbox_prefix: Option<String>,
    replicas: Option<u64>,
    max_bytes: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct CredentialsSection {
    token: Option<SecretRef>,
    user: Option<String>,
    password: Option<SecretRef>,
    creds_file: Option<PathBuf>,
    nkey: Option<SecretRef>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WorkerSection {
    name: Option<String>,
    lease_s: Option<u64>,
    history_hours: Option<u64>,
}

/// The configuration in force for a command.
#[derive(Debug)]
pub(crate) struct Configuration {
    /// The file it was read from; `None` for the defaults.
    pub(crate) path: Option<PathBuf>,
    /// The accounts, each checked.
    pub(crate) accounts: BTreeMap<AccountId, AccountConfig>,
    broker: BrokerSection,
    worker: WorkerSection,
}

/// Reads the file that counts. `named` is `--config` or its environment variable; `urls` replace the file's.
pub(crate) fn load(named: Option<&Path>, urls: &[String]) -> Result<Configuration, Failure> {
    let path = named.unwrap_or(Path::new(DEFAULT_FILE));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => None,
        Err(error) => {
            return Err(Failure::coded(
                codes::CONFIG_SYNTAX,
                format!("{}: {error}", path.display()),
                "name a readable file in UTF-8 with --config or CALLFLUME_CONFIG",
            ));
        }
    };
    let mut configuration = match &text {
        Some(text) => parse(path, text)?,
        None => Configuration {
            path: None,
            accounts: BTreeMap::new(),
            broker: BrokerSection::default(),
            worker: WorkerSection::default(),
        },
    };
    if !urls.is_empty() {
        configuration.broker.urls = urls.to_vec();
    }
    Ok(configuration)
}

/// The file's text with its name, to say where something is.
struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Source<'_> {
    fn fault(
        &self,
        code: Code,
        span: &std::ops::Range<usize>,
        text: &str,
        remedy: impl Into<String>,
    ) -> Failure {
        let place = Place::of(self.text, span);
        let text = if place.secret {
            without_values(text)
        } else {
            text.to_owned()
        };
        Failure::coded(
            code,
            format!(
                "{}:{}:{}: {text}\n{}",
                self.path.display(),
                place.line,
                place.column,
                place.excerpt()
            ),
            remedy,
        )
    }
}

/// What the reader says of a wrong value repeats it between double quotes.
fn without_values(text: &str) -> String {
    text.split('"')
        .enumerate()
        .map(|(index, part)| if index % 2 == 0 { part } else { "…" })
        .collect::<Vec<_>>()
        .join("\"")
}

fn parse(path: &Path, text: &str) -> Result<Configuration, Failure> {
    let source = Source { path, text };
    let document = DeTable::parse(text).map_err(|error| {
        source.fault(
            codes::CONFIG_SYNTAX,
            &error.span().unwrap_or(0..0),
            error.message(),
            "correct the TOML there; texts stand in double quotes",
        )
    })?;
    checks::plain_secrets(&source, &document)?;
    let file: File = toml::from_str(text).map_err(|error| {
        source.fault(
            codes::CONFIG_VALUE,
            &error.span().unwrap_or(0..0),
            error.message(),
            REFERENCE,
        )
    })?;
    let at = |path: &str, text: &str| {
        let field = path.rsplit('.').next().unwrap_or(path);
        source.fault(
            codes::CONFIG_VALUE,
            &position::find(&document, path),
            &format!("`{field}`: {text}"),
            REFERENCE,
        )
    };
    checks::check_broker(&file.broker, &at)?;
    checks::check_worker(&file, &at)?;
    let mut accounts = BTreeMap::new();
    for (name, config) in file.accounts {
        let id: AccountId = name
            .parse()
            .map_err(|error| at(&format!("accounts.{name}"), &format!("{error}")))?;
        callflume_worker::check_account(&config).map_err(|bad| {
            source.fault(
                bad.code,
                &position::find(&document, &format!("accounts.{name}.{}", bad.field)),
                &format!("`{}`: {}", bad.field, bad.text),
                REFERENCE,
            )
        })?;
        accounts.insert(id, config);
    }
    Ok(Configuration {
        path: Some(path.to_owned()),
        accounts,
        broker: file.broker,
        worker: file.worker,
    })
}

fn lease(worker: &WorkerSection, broker: &BrokerSection) -> Duration {
    // An election on a cluster takes 4 to 9 s; a lease that ends within one would change hands for nothing.
    let usual = if broker.replicas.unwrap_or(1) > 1 {
        12
    } else {
        5
    };
    Duration::from_secs(worker.lease_s.unwrap_or(usual))
}

impl Configuration {
    /// How to reach the broker; reads the secrets.
    pub(crate) fn broker(&self) -> anyhow::Result<connect::Settings> {
        let section = &self.broker;
        let secret = callflume_worker::resolve_secret;
        let given = &section.credentials;
        let credentials = if let Some(token) = &given.token {
            connect::Credentials::Token(secret(token)?)
        } else if let (Some(user), Some(password)) = (&given.user, &given.password) {
            connect::Credentials::UserPassword {
                user: user.clone(),
                password: secret(password)?,
            }
        } else if let Some(file) = &given.creds_file {
            connect::Credentials::CredentialsFile(file.clone())
        } else if let Some(seed) = &given.nkey {
            connect::Credentials::NKey(secret(seed)?)
        } else {
            connect::Credentials::None
        };
        let tls_client = section
            .tls_cert_file
            .clone()
            .zip(section.tls_key_file.clone())
            .map(|(cert_file, key_file)| connect::TlsClient {
                cert_file,
                key_file,
            });
        let urls = if section.urls.is_empty() {
            vec![DEFAULT_BROKER.to_owned()]
        } else {
            section.urls.clone()
        };
        Ok(connect::Settings {
            urls,
            name: section.name.clone(),
            credentials,
            tls_ca_file: section.tls_ca_file.clone(),
            tls_client,
            inbox_prefix: section.inbox_prefix.clone(),
        })
    }

    /// The same for a publisher.
    pub(crate) fn publisher(&self) -> anyhow::Result<callflume_client::Settings> {
        let broker = self.broker()?;
        Ok(callflume_client::Settings {
            name: broker.name,
            credentials: broker.credentials,
            tls_ca_file: broker.tls_ca_file,
            tls_client: broker.tls_client,
            inbox_prefix: broker.inbox_prefix,
            ..callflume_client::Settings::at(broker.urls)
        })
    }

    /// What streams and buckets should be.
    pub(crate) fn provisioning(&self) -> ProvisionSettings {
        let sized = match self.broker.max_bytes {
            Some(total) => ProvisionSettings::within(total),
            None => ProvisionSettings::default(),
        };
        ProvisionSettings {
            replicas: self.broker.replicas.unwrap_or(1),
            ..sized
        }
    }

    /// How a worker runs.
    pub(crate) fn worker(&self) -> anyhow::Result<callflume_worker::Settings> {
        let mut settings = callflume_worker::Settings::new(self.broker()?);
        if let Some(name) = &self.worker.name {
            settings.name.clone_from(name);
        }
        settings.lease = lease(&self.worker, &self.broker);
        if let Some(hours) = self.worker.history_hours {
            settings.history = Duration::from_secs(hours * 3600);
        }
        settings.token_keys = callflume_worker::token_keys()?;
        Ok(settings)
    }
}
