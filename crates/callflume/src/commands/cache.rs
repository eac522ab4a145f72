//! `cache`: warming it, and looking into it.

use std::time::Duration;

use callflume_core::account::AccountId;
use callflume_core::codes;
use callflume_core::event::{ContactRef, Phone};
use callflume_jetstream::Broker;
use callflume_jetstream::contacts::Contacts;
use callflume_worker::services;
use serde_json::json;
use tokio::time::Instant;

use super::{LOOK_EVERY, ORDER_WAIT, Session, unknown_account};
use crate::cli::{Cache, CacheLookup, CacheWarm};
use crate::failure::{Exit, Failure, remedy_of};
use crate::output::{instant, row, table};
use crate::progress::Progress;

/// How long workers have to tell their state.
const STATUS_WAIT: Duration = Duration::from_millis(500);
/// A warm-up that nobody has seen running by then was over before anybody looked.
const SEEN_WITHIN: Duration = Duration::from_secs(5);
/// How long an account may be without an owner, as in a restart, before waiting is given up.
const OWNER_BACK_WITHIN: Duration = Duration::from_secs(20);

pub(super) async fn run(session: &Session, command: &Cache) -> anyhow::Result<Exit> {
    let configuration = session.configuration()?;
    let broker = session.broker(&configuration).await?;
    match command {
        Cache::Warm(args) => warm(session, &broker, args).await,
        Cache::Lookup(args) => lookup(session, &broker, args).await,
    }
}

/// The error that nobody owns an account; another one when nobody has configured it.
pub(super) async fn ownerless(broker: &Broker, account: &AccountId) -> anyhow::Error {
    match callflume_worker::read_configs(broker).await {
        Ok(accounts) if !accounts.contains_key(account) => unknown_account(account).into(),
        Err(error) => error.into(),
        Ok(_) => Failure::coded(
            codes::WORKER_ABSENT,
            format!("no worker owns the account `{account}` at the moment"),
            remedy_of(codes::WORKER_ABSENT),
        )
        .into(),
    }
}

/// What the owner says of its account.
#[derive(Debug, Clone)]
struct Seen {
    worker: String,
    warming: bool,
    warmed: u64,
    alert: Option<String>,
}

async fn look(broker: &Broker, account: &AccountId) -> anyhow::Result<Option<Seen>> {
    let workers = services::status(broker, STATUS_WAIT).await?;
    Ok(workers.into_iter().find_map(|worker| {
        let own = worker
            .accounts
            .into_iter()
            .find(|own| own.account == *account)?;
        Some(Seen {
            worker: worker.worker,
            warming: own.warming,
            warmed: own.warmed,
            alert: own.alert,
        })
    }))
}

async fn warm(session: &Session, broker: &Broker, args: &CacheWarm) -> anyhow::Result<Exit> {
    let account = &args.account;
    let before = if args.wait {
        look(broker, account).await?
    } else {
        None
    };
    let Some(accepted) = services::warm(broker, account, ORDER_WAIT).await? else {
        return Err(ownerless(broker, account).await);
    };
    if !args.wait {
        session.output.data(
            &json!({"account": account, "worker": accepted.worker, "accepted": true}),
            || {
                format!(
                    "{} reads the contacts of {account}; see `callflume status`",
                    accepted.worker
                )
            },
        )?;
        return Ok(Exit::Done);
    }
    let before = before.filter(|seen| seen.worker == accepted.worker);
    let old_alert = before.as_ref().and_then(|seen| seen.alert.clone());
    let start = before.map_or(0, |seen| seen.warmed);
    let contacts = wait(broker, account, &accepted.worker, start, old_alert).await?;
    session.output.data(
        &json!({"account": account, "worker": accepted.worker, "done": true, "contacts": contacts}),
        || format!("{contacts} contacts of {account} read"),
    )?;
    Ok(Exit::Done)
}

/// Until the warm-up is over; gives how many contacts it read.
async fn wait(
    broker: &Broker,
    account: &AccountId,
    worker: &str,
    start: u64,
    old_alert: Option<String>,
) -> anyhow::Result<u64> {
    let mut progress = Progress::new();
    let since = Instant::now();
    let mut last_seen = since;
    let mut running = false;
    loop {
        match look(broker, account).await? {
            Some(seen) if seen.worker != worker => {
                return Err(Failure::plain(
                    Exit::Failed,
                    format!(
                        "the account `{account}` went from {worker} to {}, and the warm-up ended with that",
                        seen.worker
                    ),
                    "run the command again; what was read stays",
                )
                .into());
            }
            Some(seen) => {
                last_seen = Instant::now();
                let contacts = seen.warmed.saturating_sub(start);
                running |= seen.warming || contacts > 0;
                progress.step(|| format!("{contacts} contacts of {account} read"));
                if !seen.warming && (running || since.elapsed() > SEEN_WITHIN) {
                    return match seen.alert.filter(|alert| Some(alert) != old_alert.as_ref()) {
                        Some(alert) => Err(Failure::plain(
                            Exit::Failed,
                            format!(
                                "the warm-up of {account} ended after {contacts} contacts: {alert}"
                            ),
                            "see the worker's log; `callflume account check` tests the account",
                        )
                        .into()),
                        None => Ok(contacts),
                    };
                }
            }
            None if last_seen.elapsed() > OWNER_BACK_WITHIN => {
                return Err(ownerless(broker, account).await);
            }
            None => {}
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn lookup(session: &Session, broker: &Broker, args: &CacheLookup) -> anyhow::Result<Exit> {
    let account = &args.account;
    if args
        .by
        .phone
        .as_deref()
        .is_some_and(|phone| Phone::parse(phone).is_none())
    {
        return Err(Failure::coded(
            codes::EVENT_FIELD_INVALID,
            "--phone is no number in E.164",
            "write `+`, country code and number, such as +12025550143",
        )
        .into());
    }
    let contact = ContactRef {
        phone: args.by.phone.clone(),
        email: args.by.email.clone(),
        key: args.by.key.clone(),
        name: None,
    };
    let contacts = Contacts::open(broker).await?;
    let mut found = None;
    for alias in contact.aliases() {
        found = contacts.by_alias(account, &alias).await?;
        if found.is_some() {
            break;
        }
    }
    let Some(record) = found else {
        if !callflume_worker::read_configs(broker)
            .await?
            .contains_key(account)
        {
            return Err(unknown_account(account).into());
        }
        session
            .output
            .data(&json!({"account": account, "found": false}), || {
                "not in the cache; the CRM may know the contact (`callflume cache warm` reads them all)"
                    .to_owned()
            })?;
        return Ok(Exit::Failed);
    };
    let deal = match &record.deal {
        Some(_) => record.open_deal(contacts.deals_read(account).await?),
        None => None,
    };
    let data = json!({
        "account": account,
        "found": true,
        "crm_id": record.crm_id,
        "own_key": record.own_key,
        "deal": deal,
        "card": record.card,
        "aliases": record.aliases,
        "field_at": record.field_at,
    });
    session.output.data(&data, || {
        let mut rows = vec![
            row(["CRM id", &record.crm_id]),
            row([
                "our key",
                record.own_key.as_deref().unwrap_or("not written yet"),
            ]),
            row(["open deal", deal.unwrap_or("-")]),
            row(["owner", record.card.owner.as_deref().unwrap_or("-")]),
        ];
        rows.extend(record.aliases.iter().map(|alias| row(["alias", alias])));
        rows.extend(
            record
                .field_at
                .iter()
                .map(|(field, at)| row([&format!("{field} as of"), &instant(at.0)])),
        );
        table(&rows)
    })?;
    Ok(Exit::Done)
}
