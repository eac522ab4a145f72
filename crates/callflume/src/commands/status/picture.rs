//! The picture `status` shows: what it consists of, and how it looks as text.

use std::collections::BTreeMap;

use callflume_core::account::AccountId;
use callflume_core::lane::Lane;
use callflume_core::quota::Advice;
use callflume_worker::AccountStatus;
use serde::Serialize;

use super::backlog::Backlog;
use crate::output::{bytes, duration, row, table};

/// Everything at one moment.
#[derive(Debug, Serialize)]
pub(super) struct Picture {
    pub(super) workers: Vec<Worker>,
    pub(super) accounts: Vec<Account>,
    pub(super) dead: Vec<Dead>,
    pub(super) streams: Vec<Stream>,
}

/// A worker.
#[derive(Debug, Serialize)]
pub(super) struct Worker {
    #[serde(rename = "worker")]
    pub(super) id: String,
    pub(super) version: Option<String>,
    /// How many accounts it owns.
    pub(super) accounts: usize,
    /// Whether it answered; one that did not is busy, gone, or cut off.
    pub(super) answered: bool,
}

impl Worker {
    /// Known by its heartbeat only.
    pub(super) fn silent(id: String) -> Self {
        Self {
            id,
            version: None,
            accounts: 0,
            answered: false,
        }
    }
}

/// An account.
#[derive(Debug, Serialize)]
pub(super) struct Account {
    #[serde(rename = "account")]
    pub(super) id: AccountId,
    pub(super) configured: bool,
    pub(super) crm: Option<String>,
    pub(super) owner: Option<String>,
    pub(super) backlog: BTreeMap<Lane, Backlog>,
    /// What its owner says.
    pub(super) reported: Option<AccountStatus>,
}

/// Dead letters of one kind.
#[derive(Debug, Serialize)]
pub(super) struct Dead {
    pub(super) account: AccountId,
    pub(super) lane: Lane,
    pub(super) code: String,
    pub(super) count: u64,
}

/// A stream or bucket.
#[derive(Debug, Serialize)]
pub(super) struct Stream {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) max_bytes: Option<u64>,
    pub(super) percent: f64,
}

impl Picture {
    /// For people.
    pub(super) fn text(&self) -> String {
        let mut parts = vec![self.workers_text(), self.accounts_text()];
        parts.extend(self.alerts());
        parts.push(self.dead_text());
        parts.push(self.streams_text());
        parts.join("\n\n")
    }

    fn workers_text(&self) -> String {
        if self.workers.is_empty() {
            return "no worker is running: start one with `callflume worker`".to_owned();
        }
        let mut rows = vec![row(["WORKER", "VERSION", "ACCOUNTS", ""])];
        rows.extend(self.workers.iter().map(|worker| {
            let (accounts, note) = if worker.answered {
                (worker.accounts.to_string(), "")
            } else {
                ("?".to_owned(), "does not answer")
            };
            let version = worker.version.as_deref().unwrap_or("?");
            row([&worker.id, version, &accounts, note])
        }));
        table(&rows)
    }

    fn accounts_text(&self) -> String {
        if self.accounts.is_empty() {
            return "no account is configured: add one to callflume.toml and run `callflume provision`"
                .to_owned();
        }
        let mut rows = vec![row([
            "ACCOUNT",
            "OWNER",
            "OP WAITING",
            "OLDEST",
            "EN WAITING",
            "OLDEST",
            "DONE",
            "REQUESTS",
            "THROTTLED",
            "QUOTA USED/ALLOWED",
        ])];
        rows.extend(self.accounts.iter().map(Account::row));
        table(&rows)
    }

    fn alerts(&self) -> Option<String> {
        let mut lines = Vec::new();
        for account in &self.accounts {
            if !account.configured {
                lines.push(format!("{}: owned but no longer configured", account.id));
            }
            if let Some(alert) = account.reported.as_ref().and_then(|its| its.alert.as_ref()) {
                lines.push(format!("{}: {alert}", account.id));
            }
            let advice = account
                .reported
                .as_ref()
                .and_then(|its| its.advice.as_ref());
            if let Some(told) = advice.filter(|told| told.advice > Advice::Ok) {
                lines.push(format!(
                    "{}: diallers are advised: {}; {}",
                    account.id,
                    told.advice.token(),
                    told.reason
                ));
            }
            if let Some(reported) = account.reported.as_ref().filter(|its| its.warming) {
                lines.push(format!(
                    "{}: warming the cache, {} contacts read",
                    account.id, reported.warmed
                ));
            }
        }
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    fn dead_text(&self) -> String {
        if self.dead.is_empty() {
            return "no dead letters".to_owned();
        }
        let mut rows = vec![row(["DEAD LETTERS", "ACCOUNT", "LANE", "CODE"])];
        rows.extend(self.dead.iter().map(|dead| {
            row([
                &dead.count.to_string(),
                dead.account.as_str(),
                dead.lane.token(),
                &dead.code,
            ])
        }));
        table(&rows)
    }

    fn streams_text(&self) -> String {
        let mut rows = vec![row(["STREAM OR BUCKET", "USED", "OF", "%"])];
        rows.extend(self.streams.iter().map(|stream| {
            let limit = stream
                .max_bytes
                .map_or_else(|| "no limit".to_owned(), bytes);
            row([
                &stream.name,
                &bytes(stream.bytes),
                &limit,
                &format!("{:.1}", stream.percent),
            ])
        }));
        table(&rows)
    }
}

impl Account {
    fn row(&self) -> Vec<String> {
        let lane = |lane: Lane| {
            self.backlog
                .get(&lane)
                .map_or(("?".to_owned(), "?".to_owned()), |waits| {
                    let oldest = waits.oldest_ms.map_or_else(|| "-".to_owned(), duration);
                    (waits.events.to_string(), oldest)
                })
        };
        let (op, op_oldest) = lane(Lane::Op);
        let (en, en_oldest) = lane(Lane::En);
        let number = |of: fn(&AccountStatus) -> u64| {
            self.reported
                .as_ref()
                .map_or_else(|| "-".to_owned(), |reported| of(reported).to_string())
        };
        let windows = self.reported.as_ref().map_or_else(
            || "-".to_owned(),
            |reported| {
                let windows = reported.windows.iter();
                windows
                    .map(|(name, used, allowed)| format!("{name} {used}/{allowed}"))
                    .collect::<Vec<_>>()
                    .join(", ")
            },
        );
        row([
            self.id.as_str(),
            self.owner.as_deref().unwrap_or("nobody"),
            &op,
            &op_oldest,
            &en,
            &en_oldest,
            &number(|reported| reported.done),
            &number(|reported| reported.requests),
            &number(|reported| reported.throttled),
            &windows,
        ])
    }
}
