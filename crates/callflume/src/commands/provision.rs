//! `provision`: the broker's streams and buckets, and the accounts of the file.

use std::collections::BTreeMap;

use callflume_core::account::AccountId;
use callflume_core::config::AccountConfig;
use callflume_jetstream::provision::{self, Action, Difference};
use callflume_jetstream::{Broker, Error};
use serde_json::{Value, json};

use super::Session;
use crate::cli::Provision;
use crate::failure::{Exit, Failure};
use crate::output;
use crate::progress::Progress;

/// The broker's error number for limits that don't fit into its `max_file`.
const NO_STORAGE: u64 = 10047;

type Accounts = BTreeMap<AccountId, AccountConfig>;

/// What happens to an account in the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Added,
    Changed,
    Unchanged,
    Removed,
    Kept,
}

impl Change {
    const fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Removed => "removed",
            Self::Kept => "kept",
        }
    }

    const fn is_difference(self) -> bool {
        !matches!(self, Self::Unchanged | Self::Kept)
    }
}

pub(super) async fn run(session: &Session, args: &Provision) -> anyhow::Result<Exit> {
    let configuration = session.configuration()?;
    if args.prune && configuration.path.is_none() {
        return Err(Failure::usage(
            "--prune without a configuration file would remove every account",
            "name the file with --config, or run in its folder",
        )
        .into());
    }
    let broker = session.broker(&configuration).await?;
    let settings = configuration.provisioning();
    let mut progress = Progress::new();
    let differences = if args.dry_run {
        provision::plan(&broker, &settings).await?
    } else {
        progress
            .during(
                "making streams and buckets",
                provision::apply(&broker, &settings),
            )
            .await
            .map_err(with_remedy)?
    };
    let before = stored(&broker, args.dry_run).await?;
    let changes = changes(&configuration.accounts, &before, args.prune);
    if !args.dry_run {
        callflume_worker::apply_configs(&broker, &configuration.accounts, args.prune).await?;
    }
    show(session, args, &differences, &changes)?;
    let refused = differences
        .iter()
        .any(|difference| matches!(difference.action, Action::Refused { .. }));
    Ok(if refused { Exit::Refused } else { Exit::Done })
}

/// The accounts in the bucket; none when a dry run finds no bucket yet.
async fn stored(broker: &Broker, dry_run: bool) -> Result<Accounts, Error> {
    match callflume_worker::read_configs(broker).await {
        Err(Error::NotProvisioned { .. }) if dry_run => Ok(Accounts::new()),
        other => other,
    }
}

fn changes(wanted: &Accounts, before: &Accounts, prune: bool) -> BTreeMap<AccountId, Change> {
    let gone = if prune { Change::Removed } else { Change::Kept };
    let mut changes: BTreeMap<AccountId, Change> = before
        .keys()
        .filter(|account| !wanted.contains_key(*account))
        .map(|account| (account.clone(), gone))
        .collect();
    for (account, config) in wanted {
        let change = match before.get(account) {
            None => Change::Added,
            Some(stands) if stands == config => Change::Unchanged,
            Some(_) => Change::Changed,
        };
        changes.insert(account.clone(), change);
    }
    changes
}

fn show(
    session: &Session,
    args: &Provision,
    differences: &[Difference],
    changes: &BTreeMap<AccountId, Change>,
) -> anyhow::Result<()> {
    let by_change = |change: Change| -> Vec<&AccountId> {
        changes
            .iter()
            .filter(|(_, its)| **its == change)
            .map(|(account, _)| account)
            .collect()
    };
    let data = json!({
        "applied": !args.dry_run,
        "assets": differences.iter().map(difference).collect::<Vec<_>>(),
        "accounts": {
            "added": by_change(Change::Added),
            "changed": by_change(Change::Changed),
            "unchanged": by_change(Change::Unchanged),
            "removed": by_change(Change::Removed),
            "kept": by_change(Change::Kept),
        },
    });
    session.output.data(&data, || {
        let mut lines: Vec<String> = differences.iter().map(ToString::to_string).collect();
        lines.extend(changes.iter().filter_map(|(account, change)| match change {
            Change::Unchanged => None,
            Change::Kept => Some(format!(
                "account {account}: not in the file, kept (--prune removes it)"
            )),
            other => Some(format!("account {account}: {}", other.name())),
        }));
        let changed = !differences.is_empty() || changes.values().any(|c| c.is_difference());
        if !changed {
            lines.push("nothing to change".to_owned());
        } else if args.dry_run {
            lines.push("dry run: nothing was changed".to_owned());
        }
        lines.join("\n")
    })?;
    if changes.is_empty() && !session.output.json() {
        output::note(
            "note: no accounts are configured; add [accounts.<id>] to callflume.toml (docs/operations.md)",
        );
    }
    Ok(())
}

fn difference(difference: &Difference) -> Value {
    // The broker's values are JSON already.
    let parsed = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
    let (action, why) = match &difference.action {
        Action::Create => ("create", None),
        Action::Update => ("update", None),
        Action::Refused { why } => ("refused", Some(why)),
    };
    json!({
        "asset": difference.asset,
        "field": difference.field,
        "is": difference.is.as_deref().map(parsed),
        "wants": parsed(&difference.wants),
        "action": action,
        "why": why,
    })
}

fn with_remedy(error: Error) -> anyhow::Error {
    match &error {
        Error::Refused {
            broker_code: NO_STORAGE,
            ..
        } => Failure::coded(
            error.code(),
            error.to_string(),
            "raise `max_file` of the server, or set `max_bytes` in [broker] of callflume.toml",
        )
        .into(),
        Error::NotChangeable(_) => Failure::coded(
            error.code(),
            error.to_string(),
            "do what stands beside each setting, then run `callflume provision` again",
        )
        .into(),
        _ => error.into(),
    }
}
