//! The publisher's own connection, and what the broker says beside the answers.
//!
//! A refused permission shows nowhere but in an error of the connection; the publish itself just gets no answer. The
//! subjects refused are remembered here, so that a time-out can be told for what it is. Never puts a credential into
//! an error or a log line.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, ServerAddr, ServerError};
use secrecy::ExposeSecret as _;
use tokio::time::Instant;

use crate::error::ConnectError;
use crate::settings::{Credentials, Settings};

/// A dead peer is noticed after two pings without answer.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// Per address tried.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait between two attempts to reconnect. Events wait for it, so it is shorter than the library's 4 s.
const RECONNECT_DELAY_MAX_MS: u64 = 500;
/// Subjects remembered as refused. There are as many as an account has kinds; beyond, all are forgotten and come
/// again with their next refusal.
const REFUSED_MAX: usize = 256;

/// Subjects the broker refused, with the last time it did.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<HashMap<String, Instant>>);

impl Refusals {
    /// Whether publishing on `subject` was refused at or after `since`.
    pub(crate) fn holds(&self, subject: &str, since: Instant) -> bool {
        self.lock().get(subject).is_some_and(|at| *at >= since)
    }

    /// Whether listening to replies was refused at any time: then no answer can come.
    pub(crate) fn holds_inbox(&self, inbox: &str) -> bool {
        self.lock().contains_key(inbox)
    }

    fn note(&self, error: &str) {
        let Some(subject) = refused_subject(error) else {
            return;
        };
        let mut refused = self.lock();
        if refused.len() >= REFUSED_MAX {
            refused.clear();
        }
        refused.insert(subject.to_owned(), Instant::now());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The subject in `Permissions Violation for Publish to "<subject>"` (or `Subscription to`).
fn refused_subject(error: &str) -> Option<&str> {
    if !error
        .to_ascii_lowercase()
        .starts_with("permissions violation")
    {
        return None;
    }
    error.split('"').nth(1)
}

/// Connects. Fails within seconds when no server can be reached; afterwards a lost connection is re-established for
/// ever.
pub(crate) async fn connect(settings: &Settings) -> Result<(Client, Arc<Refusals>), ConnectError> {
    install_crypto_provider();
    let addresses = addresses(&settings.urls)?;
    let shown = addresses
        .iter()
        .map(|address| format!("{}:{}", address.host(), address.port()))
        .collect::<Vec<_>>()
        .join(", ");
    let refusals = Arc::new(Refusals::default());
    let mut options = ConnectOptions::new()
        .name(format!("callflume publish {}", settings.name).trim_end())
        .ping_interval(PING_INTERVAL)
        .connection_timeout(CONNECTION_TIMEOUT)
        .max_reconnects(None)
        .reconnect_delay_callback(|attempts| {
            let doublings = attempts.saturating_sub(1).min(16);
            let first = u64::from(attempts > 1);
            Duration::from_millis((first << doublings).min(RECONNECT_DELAY_MAX_MS))
        })
        .event_callback({
            let refusals = Arc::clone(&refusals);
            move |event| {
                note(&refusals, &event);
                std::future::ready(())
            }
        });
    if let Some(prefix) = &settings.inbox_prefix {
        options = options.custom_inbox_prefix(prefix);
    }
    options = with_credentials(options, &settings.credentials).await?;
    options = with_tls(options, settings)?;
    let client = options.connect(addresses).await.map_err(|error| {
        let (addresses, cause) = (shown, error.to_string());
        match error.kind() {
            ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                ConnectError::CredentialRefused { addresses, cause }
            }
            _ => ConnectError::Unreachable { addresses, cause },
        }
    })?;
    Ok((client, refusals))
}

fn addresses(urls: &[String]) -> Result<Vec<ServerAddr>, ConnectError> {
    let bad = |cause: String| ConnectError::Setting {
        setting: "urls",
        cause,
    };
    if urls.is_empty() {
        return Err(bad(
            "no address is given; one looks like nats://127.0.0.1:4222".to_owned(),
        ));
    }
    urls.iter()
        .enumerate()
        .map(|(index, url)| {
            // The text itself may hold a password: only its position is told.
            url.parse().map_err(|_| {
                bad(format!(
                    "address {} is none; one looks like nats://127.0.0.1:4222",
                    index + 1
                ))
            })
        })
        .collect()
}

async fn with_credentials(
    options: ConnectOptions,
    credentials: &Credentials,
) -> Result<ConnectOptions, ConnectError> {
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
                .map_err(|error| ConnectError::Setting {
                    setting: "credentials",
                    cause: format!("{}: {error}", path.display()),
                })?
        }
    })
}

fn with_tls(
    mut options: ConnectOptions,
    settings: &Settings,
) -> Result<ConnectOptions, ConnectError> {
    let readable = |setting: &'static str, path: &PathBuf| {
        std::fs::File::open(path)
            .map(drop)
            .map_err(|error| ConnectError::Setting {
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
        readable("tls_client", &tls.cert_file)?;
        readable("tls_client", &tls.key_file)?;
        options = options
            .add_client_certificate(tls.cert_file.clone(), tls.key_file.clone())
            .require_tls(true);
    }
    Ok(options)
}

fn note(refusals: &Refusals, event: &Event) {
    match event {
        Event::Connected => tracing::info!("connected to the broker"),
        Event::Disconnected => tracing::warn!("lost the broker; reconnecting"),
        Event::ServerError(ServerError::Other(text)) => {
            tracing::error!(text, "the broker reports an error");
            refusals.note(text);
        }
        other => tracing::warn!(event = %other, "connection"),
    }
}

/// TLS needs one process-wide provider; the service may have installed its own before.
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
    fn addresses_that_are_none_are_named_by_position_only() {
        for urls in [vec![], vec!["nats://token:hush@:bad port".to_owned()]] {
            let error = addresses(&urls).unwrap_err().to_string();
            assert!(error.contains("urls") && !error.contains("hush"), "{error}");
        }
    }

    #[tokio::test]
    async fn only_refusals_of_the_subject_since_then_count() {
        let refusals = Refusals::default();
        let before = Instant::now();
        refusals.note("Permissions Violation for Publish to \"voice.v1.op.acme.x\"");
        refusals.note("Permissions Violation for Subscription to \"_INBOX.x.>\"");
        refusals.note("Stale Connection");
        assert!(refusals.holds("voice.v1.op.acme.x", before));
        assert!(!refusals.holds("voice.v1.op.acme.y", before));
        assert!(!refusals.holds(
            "voice.v1.op.acme.x",
            Instant::now() + Duration::from_secs(1)
        ));
        assert!(refusals.holds_inbox("_INBOX.x.>"));
        for number in 0..2 * REFUSED_MAX {
            refusals.note(&format!(
                "Permissions Violation for Publish to \"s.{number}\""
            ));
        }
        assert!(refusals.lock().len() <= REFUSED_MAX);
    }
}
