//! `reference`: owners, pipelines and stages of an account, as Callflume knows them.

use std::time::Duration;

use callflume_core::account::AccountId;
use callflume_core::reference::ReferenceRecord;
use callflume_jetstream::Broker;
use callflume_jetstream::records::Stored;
use callflume_jetstream::reference::ReferenceData;
use callflume_worker::services;
use serde_json::json;
use tokio::time::Instant;

use super::cache::ownerless;
use super::{LOOK_EVERY, ORDER_WAIT, Session, unknown_account};
use crate::cli::Reference;
use crate::failure::{Exit, Failure};
use crate::output::{instant, row, table};
use crate::progress::Progress;

/// A handful of requests; more only where a quota is nearly used up.
const READ_WITHIN: Duration = Duration::from_secs(60);

pub(super) async fn run(session: &Session, args: &Reference) -> anyhow::Result<Exit> {
    let configuration = session.configuration()?;
    let broker = session.broker(&configuration).await?;
    let data = ReferenceData::open(&broker).await?;
    let account = &args.account;
    let stored = data.read(account).await?;
    let stored = if args.refresh {
        Some(refreshed(&broker, &data, account, stored).await?)
    } else {
        stored
    };
    let Some(stored) = stored else {
        if !callflume_worker::read_configs(&broker)
            .await?
            .contains_key(account)
        {
            return Err(unknown_account(account).into());
        }
        session
            .output
            .data(&json!({"account": account, "read_at": null}), || {
                "not read from the CRM yet, for nothing needed it; `--refresh` reads it".to_owned()
            })?;
        return Ok(Exit::Failed);
    };
    show(session, account, &stored.record)?;
    Ok(Exit::Done)
}

/// Has the account's owner read it, and waits until another record than before is stored.
async fn refreshed(
    broker: &Broker,
    data: &ReferenceData,
    account: &AccountId,
    before: Option<Stored<ReferenceRecord>>,
) -> anyhow::Result<Stored<ReferenceRecord>> {
    if services::read_reference(broker, account, ORDER_WAIT)
        .await?
        .is_none()
    {
        return Err(ownerless(broker, account).await);
    }
    let known = before.map(|stored| stored.revision);
    let mut progress = Progress::new();
    let since = Instant::now();
    while since.elapsed() < READ_WITHIN {
        if let Some(stored) = data.read(account).await?
            && Some(stored.revision) != known
        {
            return Ok(stored);
        }
        progress.step(|| format!("the worker reads owners and pipelines of {account}"));
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Err(Failure::plain(
        Exit::Failed,
        format!(
            "owners and pipelines of `{account}` were not read within {} s; the order stands",
            READ_WITHIN.as_secs()
        ),
        "see `callflume status` for what holds the account up, then look again without --refresh",
    )
    .into())
}

fn show(session: &Session, account: &AccountId, record: &ReferenceRecord) -> anyhow::Result<()> {
    let data = json!({
        "account": account,
        "read_at": record.read_at,
        "owners": record.owners,
        "pipelines": record.pipelines,
        "dispositions": record.dispositions,
    });
    session.output.data(&data, || {
        let mut rows = vec![row(["read from the CRM", &instant(record.read_at.0), ""])];
        for owner in &record.owners {
            let state = if owner.active { "" } else { "inactive" };
            rows.push(row(["owner", &owner.email, &owner.id, state]));
        }
        for pipeline in &record.pipelines {
            if !pipeline.id.is_empty() {
                rows.push(row(["pipeline", &pipeline.label, &pipeline.id]));
            }
            for stage in &pipeline.stages {
                rows.push(row(["  stage", &stage.label, &stage.id]));
            }
        }
        for disposition in &record.dispositions {
            rows.push(row(["disposition", &disposition.label, &disposition.id]));
        }
        table(&rows)
    })?;
    Ok(())
}
