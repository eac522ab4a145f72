//! The publisher's own connection, and what the broker says beside the answers.
//!
//! A refused permission shows nowhere but in an error of the connection; the publish itself just gets no answer. The
//! subjects refused are remembered here, so that a time-out can be told for what it is. Never puts a credential into
//! an error or a log line.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::{Client, Event, ServerError};
use callflume_jetstream::connect::prepare;
use tokio::time::Instant;

use crate::error::ConnectError;
use crate::settings::Settings;

/// What the connection's name says it is for.
const ROLE: &str = "publish";
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
    let refusals = Arc::new(Refusals::default());
    let heard = Arc::clone(&refusals);
    let client = prepare(&settings.connection(), ROLE)
        .await?
        .connect(|options| {
            options
                .reconnect_delay_callback(reconnect_delay)
                .event_callback(move |event| {
                    note(&heard, &event);
                    std::future::ready(())
                })
        })
        .await?;
    Ok((client, refusals))
}

/// None before the first attempt to reconnect, then doubling.
fn reconnect_delay(attempts: usize) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    let first = u64::from(attempts > 1);
    Duration::from_millis((first << doublings).min(RECONNECT_DELAY_MAX_MS))
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

#[cfg(test)]
mod tests {
    use super::*;

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
