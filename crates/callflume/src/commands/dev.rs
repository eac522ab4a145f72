//! `dev`: broker, provisioning, fake HubSpot and worker on this machine, until Ctrl-C.
//!
//! For trying things and for developing a publisher against. Nothing of it leaves the machine.

use callflume_sim::hubspot::{HubSpotConfig, ObjectKind};
use callflume_sim::live::stage::{Stage, StageSettings, TOKEN};
use callflume_sim::live::{Launch, WorkerProcess};
use serde_json::json;

use super::Session;
use crate::cli::Dev;
use crate::failure::{Exit, Failure};
use crate::signals::Signals;

pub(super) async fn run(session: &Session, args: &Dev) -> anyhow::Result<Exit> {
    let mut signals = Signals::listen()?;
    let stage = Stage::raise(StageSettings {
        broker_port: args.broker_port,
        store_dir: args.store.clone(),
        crm_port: args.crm_port,
        contacts: args.contacts,
        hubspot: HubSpotConfig::default(),
        ..StageSettings::default()
    })
    .await
    .map_err(|error| {
        Failure::environment(
            error.to_string(),
            "if a port is taken, choose another with --broker-port or --crm-port (0 takes a free one)",
        )
    })?;
    let logs = tempfile::tempdir()?;
    let log = logs.path().join("worker.log");
    let mut worker = WorkerProcess::start(Launch::own(&["worker"])?, stage.server.url(), &log)?;
    let broker = stage.server.url().to_owned();
    let crm = stage.crm.url();
    let facts = json!({
        "broker": broker, "monitoring": stage.server.monitoring_url(), "crm": crm, "crm_token": TOKEN,
        "account": stage.account, "worker_log": log, "store": stage.server.store_dir(),
    });
    session.output.data(&facts, || {
        [
            format!("broker       {broker}   (monitoring {})", stage.server.monitoring_url()),
            format!("fake HubSpot {crm}   (token {TOKEN})"),
            format!("account      {}", stage.account),
            format!("worker log   {}", log.display()),
            String::new(),
            "Try, in another terminal:".to_owned(),
            format!("  callflume --broker {broker} publish --account {} --format vapi examples/vapi-report.json", stage.account),
            format!("  curl -s -H 'Authorization: Bearer {TOKEN}' '{crm}/crm/v3/objects/calls?properties=hs_call_title,hs_call_body'"),
            format!("  callflume --broker {broker} status"),
            String::new(),
            "Ctrl-C ends it.".to_owned(),
        ]
        .join("\n")
    })?;
    loop {
        tokio::select! {
            () = signals.next() => break,
            () = tokio::time::sleep(std::time::Duration::from_secs(1)) => {
                if let Some(status) = worker.ended()? {
                    let words = std::fs::read_to_string(&log).unwrap_or_default();
                    let last = words.lines().next_back().unwrap_or("its log is empty").to_owned();
                    return Err(Failure::environment(format!("the worker ended by itself ({status}): {last}"), "").into());
                }
            }
        }
    }
    worker.stop().await?;
    let model = stage.model();
    let counts: Vec<String> = ObjectKind::ALL
        .into_iter()
        .map(|object| format!("{} {}", model.records(object).count(), object.as_str()))
        .collect();
    drop(model);
    tracing::info!("the fake HubSpot held {}", counts.join(", "));
    Ok(Exit::Done)
}
