//! `status`: the whole picture, from the broker and the workers.

mod backlog;
mod picture;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IsTerminal as _};
use std::time::Duration;

use callflume_core::account::AccountId;
use callflume_core::lane::Lane;
use callflume_core::record::{LeaseRecord, bucket, key};
use callflume_jetstream::dead::DeadLetters;
use callflume_jetstream::janitor::Janitor;
use callflume_jetstream::kv::Bucket;
use callflume_jetstream::{Broker, provision};
use callflume_worker::{AccountStatus, services};

use self::picture::{Account, Dead, Picture, Stream, Worker};
use super::Session;
use crate::cli::Status;
use crate::failure::Exit;
use crate::progress::Progress;
use crate::signals::Signals;

/// How long workers have to answer.
const STATUS_WAIT: Duration = Duration::from_millis(700);

pub(super) async fn run(session: &Session, args: &Status) -> anyhow::Result<Exit> {
    let configuration = session.configuration()?;
    let mut signals = Signals::listen()?;
    let work = async {
        let broker = session.broker(&configuration).await?;
        provision::check(&broker).await?;
        loop {
            let picture = Progress::new()
                .during("asking broker and workers", take(&broker))
                .await?;
            let clear = args.watch && io::stdout().is_terminal() && !session.output.json();
            session.output.data(&picture, || {
                let home = if clear { "\u{1b}[H\u{1b}[2J" } else { "" };
                format!("{home}{}", picture.text())
            })?;
            if !args.watch {
                return Ok(Exit::Done);
            }
            tokio::time::sleep(Duration::from_secs(args.every)).await;
        }
    };
    tokio::select! {
        done = work => done,
        () = signals.next() => Ok(if args.watch { Exit::Done } else { Exit::Interrupted }),
    }
}

async fn take(broker: &Broker) -> anyhow::Result<Picture> {
    let answers = services::status(broker, STATUS_WAIT).await?;
    let configured = callflume_worker::read_configs(broker).await?;
    let (alive, owners) = leases(broker).await?;

    let mut reported: BTreeMap<AccountId, AccountStatus> = BTreeMap::new();
    let mut workers: BTreeMap<String, Worker> = alive
        .into_iter()
        .map(|worker| (worker.clone(), Worker::silent(worker)))
        .collect();
    for answer in answers {
        let worker = Worker {
            accounts: answer.accounts.len(),
            id: answer.worker.clone(),
            version: Some(answer.version),
            answered: true,
        };
        workers.insert(answer.worker, worker);
        let accounts = answer.accounts.into_iter();
        reported.extend(accounts.map(|account| (account.account.clone(), account)));
    }

    let mut known: BTreeSet<AccountId> = configured.keys().cloned().collect();
    known.extend(reported.keys().cloned());
    let mut accounts = Vec::new();
    for account in known {
        let mut backlog = BTreeMap::new();
        for lane in Lane::ALL {
            backlog.insert(lane, backlog::read(broker, lane, &account).await?);
        }
        accounts.push(Account {
            owner: owners.get(&account).cloned(),
            configured: configured.contains_key(&account),
            crm: configured.get(&account).map(|config| config.crm.clone()),
            reported: reported.remove(&account),
            backlog,
            id: account,
        });
    }
    let dead = DeadLetters::new(broker).counts().await?;
    let streams = Janitor::new(broker).fill().await?;
    Ok(Picture {
        workers: workers.into_values().collect(),
        accounts,
        dead: dead
            .into_iter()
            .map(|count| Dead {
                account: count.account,
                lane: count.lane,
                code: count.code,
                count: count.count,
            })
            .collect(),
        streams: streams
            .into_iter()
            .map(|fill| Stream {
                percent: (fill.fraction() * 1000.0).round() / 10.0,
                name: fill.asset,
                bytes: fill.bytes,
                max_bytes: fill.max_bytes,
            })
            .collect(),
    })
}

/// Workers with a heartbeat, and who owns what.
async fn leases(broker: &Broker) -> anyhow::Result<(Vec<String>, BTreeMap<AccountId, String>)> {
    let bucket = Bucket::open(broker, bucket::LEASES).await?;
    let mut workers = Vec::new();
    let mut owners = BTreeMap::new();
    for key in bucket.keys(">").await? {
        if let Some(worker) = key.strip_prefix(&key::worker("")) {
            workers.push(worker.to_owned());
        } else if let Some(Ok(account)) = key.strip_prefix("account.").map(str::parse) {
            // A lease that ran out in between has no value any more.
            if let Some(entry) = bucket.read(&key).await?
                && let Ok(record) = serde_json::from_slice::<LeaseRecord>(&entry.value)
            {
                owners.insert(account, record.owner);
            }
        }
    }
    Ok((workers, owners))
}
