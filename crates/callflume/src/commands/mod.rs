//! One file per command. To add one: a variant in [`crate::cli::Command`], a file here, an arm in [`run`].

mod account;
mod cache;
mod contact;
mod dead;
#[cfg(feature = "sim")]
mod demo;
#[cfg(feature = "sim")]
mod dev;
mod provision;
mod publish;
mod reference;
mod status;
mod worker;

use std::path::PathBuf;
use std::time::Duration;

use callflume_core::account::AccountId;
use callflume_core::codes;
use callflume_jetstream::{Broker, connect};

use crate::cli::{Cli, Command};
use crate::config_file::{self, Configuration};
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::progress::Progress;
use crate::signals::Signals;

/// How long an account's owner has to take an order. Nobody else answers.
const ORDER_WAIT: Duration = Duration::from_secs(2);
/// Between two looks at what an order has come to.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What every command starts from.
#[derive(Debug)]
pub(crate) struct Session {
    config: Option<PathBuf>,
    urls: Vec<String>,
    /// Where data goes.
    pub(crate) output: Output,
}

/// Runs a command to its end.
pub(crate) async fn run(cli: Cli) -> anyhow::Result<Exit> {
    let session = Session {
        config: cli.global.config,
        urls: cli.global.broker,
        output: Output::new(cli.global.json),
    };
    match cli.command {
        #[cfg(feature = "sim")]
        Command::Demo(args) => {
            let remedy = "start it again: it leaves nothing behind";
            interruptible(remedy, demo::run(&session, &args)).await
        }
        // These end in order when they are interrupted.
        #[cfg(feature = "sim")]
        Command::Dev(args) => dev::run(&session, &args).await,
        Command::Worker(_) => worker::run(&session).await,
        Command::Publish(args) => publish::run(&session, &args).await,
        Command::Status(args) => status::run(&session, &args).await,
        Command::Provision(args) => {
            let remedy = "run it again: what was made stays, the rest follows";
            interruptible(remedy, provision::run(&session, &args)).await
        }
        Command::Dead(args) => {
            let remedy = "run it again: what was replayed is recognised, the rest follows";
            interruptible(remedy, dead::run(&session, &args)).await
        }
        Command::Cache(args) => {
            let remedy = "a warm-up that was asked for goes on without this command";
            interruptible(remedy, cache::run(&session, &args)).await
        }
        Command::Contact(args) => {
            let remedy = "run it again: whoever is being looked up goes on being looked up";
            interruptible(remedy, contact::run(&session, &args)).await
        }
        Command::Reference(args) => {
            let remedy = "a reading that was asked for goes on without this command";
            interruptible(remedy, reference::run(&session, &args)).await
        }
        Command::Account(args) => {
            let remedy = "run it again: what was made stays, the rest follows";
            interruptible(remedy, account::run(&session, &args)).await
        }
    }
}

async fn interruptible(
    remedy: &str,
    work: impl Future<Output = anyhow::Result<Exit>>,
) -> anyhow::Result<Exit> {
    let mut signals = Signals::listen()?;
    tokio::select! {
        done = work => done,
        () = signals.next() => Err(Failure::interrupted(remedy).into()),
    }
}

impl Session {
    /// The configuration in force.
    pub(crate) fn configuration(&self) -> Result<Configuration, Failure> {
        config_file::load(self.config.as_deref(), &self.urls)
    }

    /// A connection for an operator's command.
    pub(crate) async fn broker(&self, configuration: &Configuration) -> anyhow::Result<Broker> {
        let settings = configuration.broker()?;
        let connecting = connect::connect(&settings, "cli");
        Ok(Progress::new()
            .during("connecting to the broker", connecting)
            .await?)
    }
}

/// The error that names an account nobody configured.
pub(crate) fn unknown_account(account: &AccountId) -> Failure {
    Failure::coded(
        codes::ACCOUNT_UNKNOWN,
        format!("no account `{account}` is configured"),
        format!("add [accounts.{account}] to callflume.toml and run `callflume provision`"),
    )
}
