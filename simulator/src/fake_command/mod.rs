//! A fake CRM in the foreground, for people who test an integration of their own: `callflume-sim fake`.
//!
//! Decides what the fake is like before the first request and what is said about it. Limits stand unless they are taken
//! away: an integration that never met a 429 isn't tested. Listens on the loopback only. Never speaks to a broker, never
//! holds anything of Callflume's: `callflume account prepare` makes that. Every request is kept until the end, for the
//! summary.

mod fault_text;
mod furnish;
mod texts;

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;
use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser};

use crate::fakes::{FakeServer, HttpModel, ServerOptions};
use crate::live::stage::epoch_ms;
use crate::scenario::{FaultSpec, TOKEN};
use crate::signals::terminated;

pub use furnish::SetupError;

/// What `callflume-sim fake` is asked for.
#[derive(Debug, Clone, Args)]
#[command(after_help = texts::AFTER_HELP)]
pub struct FakeArgs {
    /// Which CRM.
    #[arg(value_parser = PossibleValuesParser::new(callflume_crm::VENDORS))]
    pub vendor: String,
    /// Port on the loopback; a free one for 0, printed.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub port: u16,
    /// The credential that is accepted: a token, an API key.
    #[arg(long, value_name = "TOKEN", default_value = TOKEN, value_parser = token)]
    pub token: String,
    /// Contacts that are there already, typed by people, with numbers set aside for fiction.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub contacts: u32,
    /// What these contacts and the service times follow from: the same seed, the same contacts.
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub seed: u64,
    /// Limit profile, the vendor's plan; a name that doesn't exist lists those that do.
    #[arg(long, value_name = "PROFILE", value_parser = NonEmptyStringValueParser::new())]
    pub profile: Option<String>,
    /// Takes every limit away.
    #[arg(long, conflicts_with = "profile")]
    pub no_limits: bool,
    /// What goes wrong: `KIND[,KEY=VALUE…]`; may be given several times, see below.
    #[arg(long = "fault", value_name = "FAULT", value_parser = fault_text::parsed)]
    pub faults: Vec<FaultSpec>,
    /// Prints one line of JSON when it listens and one when it ends.
    #[arg(long)]
    pub json: bool,
}

/// A credential that a header can carry.
fn token(text: &str) -> Result<String, String> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err("use one or more ASCII characters without blanks".to_owned())
    }
}

/// Why a fake can't run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The arguments ask for something that can't be.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The port can't be had.
    #[error(
        "port {port} of the loopback can't be listened on: choose another with --port, or a free one with --port 0"
    )]
    Listen {
        /// Which.
        port: u16,
        /// Why.
        source: std::io::Error,
    },
    /// Nobody reads what is printed.
    #[error("what is to be said can't be written")]
    Output(#[from] std::io::Error),
}

impl Error {
    /// Whether other arguments would help, not another environment.
    pub const fn is_usage(&self) -> bool {
        matches!(self, Self::Setup(_))
    }
}

/// Runs a fake until Ctrl-C or SIGTERM.
pub async fn run(args: &FakeArgs) -> Result<(), Error> {
    let address = SocketAddr::from(([127, 0, 0, 1], args.port));
    let listen = |source| Error::Listen {
        port: args.port,
        source,
    };
    let listener = TcpListener::bind(address).map_err(listen)?;
    let url = format!("http://{}", listener.local_addr().map_err(listen)?);
    let fake = furnish::furnished(args, &url, epoch_ms())?;
    let model = Arc::new(Mutex::new(fake.model));
    let server = FakeServer::on(listener, model.clone(), ServerOptions::default(), epoch_ms).await;
    let begun = texts::begun(args, &url, &fake.known);
    let mut stop = pin!(terminated());
    // The first poll is what makes the signals heard: whoever reads what is said may send one at once.
    tokio::select! {
        biased;
        () = &mut stop => {}
        said = async { say(args, &begun.json, &begun.text) } => {
            said?;
            stop.await;
        }
    }
    drop(server);
    let tally = model.lock().unwrap_or_else(PoisonError::into_inner).tally();
    let ended = texts::ended(&tally);
    say(args, &ended.json, &ended.text)
}

fn say(args: &FakeArgs, json: &serde_json::Value, text: &str) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{json}")?;
    } else {
        write!(out, "{text}")?;
    }
    out.flush()?;
    Ok(())
}
