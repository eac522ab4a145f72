//! Connecting to the broker.
//!
//! Decides how a connection is set up: the first attempt fails fast and says what to do; once connected, it is
//! re-established for ever. Never puts a credential into an error or a log line. Whoever holds a [`Link`] learns of
//! every reconnect: after one, what a consumer had in hand must be asked for again. [`prepare`] is for a role that
//! listens to its connection itself, as the publisher does.

use std::path::PathBuf;
use std::time::Duration;

use async_nats::{
    Client, ClientError, ConnectErrorKind, ConnectOptions, Event, ServerAddr, ServerError,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::watch;

use crate::broker::Broker;
use crate::error::Error;

/// A dead peer is noticed after two pings without answer.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// Per address tried.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);
/// The oldest server: resetting a consumer came with it.
const OLDEST_SERVER: (i64, i64) = (2, 14);

/// How to reach the broker.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Addresses of all servers, `nats://host:port` or `tls://host:port`. The client learns no servers later on.
    pub urls: Vec<String>,
    /// Shown on the server beside the role, for example the host's name.
    pub name: String,
    /// Who we are.
    pub credentials: Credentials,
    /// Trust only this authority (PEM) instead of the system's; makes TLS required.
    pub tls_ca_file: Option<PathBuf>,
    /// Client certificate and its key (PEM), for mutual TLS; makes TLS required.
    pub tls_client: Option<TlsClient>,
    /// Prefix of reply subjects, where permissions allow only one; default `_INBOX`.
    pub inbox_prefix: Option<String>,
}

/// A client certificate.
#[derive(Debug, Clone)]
pub struct TlsClient {
    /// Certificate chain, PEM.
    pub cert_file: PathBuf,
    /// Its private key, PEM.
    pub key_file: PathBuf,
}

/// Who we are to the broker.
#[derive(Debug, Clone, Default)]
pub enum Credentials {
    /// Nobody in particular.
    #[default]
    None,
    /// A token.
    Token(SecretString),
    /// A user with a password.
    UserPassword {
        /// The user.
        user: String,
        /// Its password.
        password: SecretString,
    },
    /// A `.creds` file (JWT and seed).
    CredentialsFile(PathBuf),
    /// An NKey seed.
    NKey(SecretString),
}

/// State of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Link {
    /// Whether it stands.
    pub connected: bool,
    /// How often it has been established; a change means that something may have been missed.
    pub connects: u64,
}

/// A connection with everything but its listener: addresses, name, credential, TLS and time-outs are set and checked,
/// nothing was sent yet.
pub struct Prepared {
    options: ConnectOptions,
    addresses: Vec<ServerAddr>,
}

/// Checks `settings` and reads the files they name. `role` (publish, consume, kv …) becomes part of the connection's
/// name: one connection per role.
pub async fn prepare(settings: &Settings, role: &str) -> Result<Prepared, Error> {
    install_crypto_provider();
    let addresses = parse(&settings.urls)?;
    let mut options = ConnectOptions::new()
        .name(if settings.name.is_empty() {
            format!("callflume {role}")
        } else {
            format!("callflume {role} {}", settings.name)
        })
        .ping_interval(PING_INTERVAL)
        .connection_timeout(CONNECTION_TIMEOUT)
        .max_reconnects(None);
    if let Some(prefix) = &settings.inbox_prefix {
        options = options.custom_inbox_prefix(prefix);
    }
    options = with_credentials(options, &settings.credentials).await?;
    options = with_tls(options, settings)?;
    Ok(Prepared { options, addresses })
}

impl Prepared {
    /// Makes the connection; `further` adds what is the role's own, such as who hears its events.
    ///
    /// Fails within seconds, with [`Error::Unreachable`] or [`Error::CredentialRefused`], when no server lets us in;
    /// afterwards a lost connection is re-established for ever.
    pub async fn connect(
        self,
        further: impl FnOnce(ConnectOptions) -> ConnectOptions,
    ) -> Result<Client, Error> {
        let shown = shown(&self.addresses);
        further(self.options)
            .connect(self.addresses)
            .await
            .map_err(|error| refused(error, shown))
    }
}

/// Connects, and lets the holder of the [`Broker`] follow its [`Link`]. `role` as for [`prepare`].
pub async fn connect(settings: &Settings, role: &str) -> Result<Broker, Error> {
    let prepared = prepare(settings, role).await?;
    let addresses = shown(&prepared.addresses);
    let (link, mut watched) = watch::channel(Link::default());
    let listener = role.to_owned();
    let client = prepared
        .connect(|options| {
            options.event_callback(move |event| {
                note(&link, &listener, &event);
                std::future::ready(())
            })
        })
        .await?;
    // Older ones lack what takeover rests on.
    let (major, minor) = OLDEST_SERVER;
    if !client.is_server_compatible(major, minor, 0) {
        return Err(Error::TooOld {
            addresses,
            version: client.server_info().version,
        });
    }
    // The event of this very connection must not look like a reconnect to whoever starts to watch now.
    if watched.wait_for(|link| link.connects > 0).await.is_err() {
        return Err(Error::Closed {
            what: "connecting".to_owned(),
        });
    }
    Ok(Broker::new(client, watched))
}

fn parse(urls: &[String]) -> Result<Vec<ServerAddr>, Error> {
    if urls.is_empty() {
        return Err(Error::Setting {
            setting: "urls",
            cause: "no address given; one looks like nats://127.0.0.1:4222".to_owned(),
        });
    }
    urls.iter()
        .enumerate()
        .map(|(index, url)| {
            // The text itself may hold a password: only its position is told.
            url.parse().map_err(|_| Error::Setting {
                setting: "urls",
                cause: format!(
                    "address {} is none; one looks like nats://127.0.0.1:4222",
                    index + 1
                ),
            })
        })
        .collect()
}

fn shown(addresses: &[ServerAddr]) -> String {
    addresses
        .iter()
        .map(|address| format!("{}:{}", address.host(), address.port()))
        .collect::<Vec<_>>()
        .join(", ")
}

async fn with_credentials(
    options: ConnectOptions,
    credentials: &Credentials,
) -> Result<ConnectOptions, Error> {
    Ok(match credentials {
        Credentials::None => options,
        Credentials::Token(token) => options.token(token.expose_secret().to_owned()),
        Credentials::UserPassword { user, password } => {
            options.user_and_password(user.clone(), password.expose_secret().to_owned())
        }
        Credentials::NKey(seed) => options.nkey(seed.expose_secret().to_owned()),
        Credentials::CredentialsFile(path) => {
            options
                .credentials_file(path)
                .await
                .map_err(|error| Error::Setting {
                    setting: "credentials",
                    cause: format!("{}: {error}", path.display()),
                })?
        }
    })
}

fn with_tls(mut options: ConnectOptions, settings: &Settings) -> Result<ConnectOptions, Error> {
    let readable = |setting: &'static str, path: &PathBuf| {
        std::fs::File::open(path)
            .map(drop)
            .map_err(|error| Error::Setting {
                setting,
                cause: format!("{}: {error}", path.display()),
            })
    };
    if let Some(file) = &settings.tls_ca_file {
        readable("tls_ca_file", file)?;
        options = options
            .add_root_certificates(file.clone())
            .require_tls(true);
    }
    if let Some(tls) = &settings.tls_client {
        readable("tls_cert_file", &tls.cert_file)?;
        readable("tls_key_file", &tls.key_file)?;
        options = options
            .add_client_certificate(tls.cert_file.clone(), tls.key_file.clone())
            .require_tls(true);
    }
    Ok(options)
}

fn refused(error: async_nats::ConnectError, addresses: String) -> Error {
    let cause = error.to_string();
    match error.kind() {
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
            Error::CredentialRefused { addresses, cause }
        }
        _ => Error::Unreachable { addresses, cause },
    }
}

fn note(link: &watch::Sender<Link>, role: &str, event: &Event) {
    match event {
        Event::Connected => {
            link.send_modify(|link| {
                link.connected = true;
                link.connects += 1;
            });
            tracing::info!(role, "connected to the broker");
        }
        Event::Disconnected => {
            link.send_modify(|link| link.connected = false);
            tracing::warn!(role, "lost the broker; reconnecting");
        }
        Event::LameDuckMode => tracing::info!(role, "the server is about to stop"),
        Event::SlowConsumer(_) => {
            tracing::warn!(role, "messages were dropped: this process reads too slowly");
        }
        // The only place where a refused permission shows: the caller just sees a time-out.
        Event::ServerError(ServerError::Other(text)) => {
            tracing::error!(role, text, "the broker reports an error");
        }
        Event::ServerError(error) => tracing::error!(role, %error, "the broker reports an error"),
        Event::ClientError(ClientError::Other(text)) => {
            tracing::warn!(role, text, "connection trouble");
        }
        Event::ClientError(error) => tracing::warn!(role, %error, "connection trouble"),
        Event::Draining | Event::Closed => {
            link.send_modify(|link| link.connected = false);
            tracing::debug!(role, "the connection is closed");
        }
    }
}

/// TLS needs one process-wide provider; the program we are linked into may have installed its own before.
fn install_crypto_provider() {
    if rustls::crypto::CryptoProvider::get_default().is_none()
        && rustls::crypto::ring::default_provider()
            .install_default()
            .is_err()
    {
        tracing::trace!("another task installed the crypto provider first");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_without_credentials() {
        let addresses = parse(&[
            "nats://user:secret@broker-1:4222".to_owned(),
            "broker-2".to_owned(),
        ])
        .unwrap();
        assert_eq!(shown(&addresses), "broker-1:4222, broker-2:4222");
    }

    #[test]
    fn an_address_that_is_none_is_named_by_position_only() {
        for urls in [vec![], vec!["nats://token:hush@:bad port".to_owned()]] {
            let error = parse(&urls).unwrap_err().to_string();
            assert!(error.contains("urls"), "{error}");
            assert!(!error.contains("hush"), "{error}");
        }
    }
}
