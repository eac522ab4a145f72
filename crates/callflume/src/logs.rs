//! Logs: to stderr, quiet unless asked.
//!
//! A worker's log is its voice, so it says what it does by default; the other commands only warn.

use tracing_subscriber::EnvFilter;

use crate::cli::{Cli, Command};
use crate::output;

/// Environment variable with filter directives, as `callflume_worker=debug,warn`.
const FILTER: &str = "CALLFLUME_LOG";

/// Starts logging. A filter that can't be read is named and replaced by the default.
pub(crate) fn start(cli: &Cli) {
    let worker = matches!(cli.command, Command::Worker(_));
    let level = match (cli.global.verbose, worker) {
        // The client library's own warnings about a first connection repeat the error that is shown.
        (0, false) => "error,async_nats=off",
        (0, true) => "info",
        (1, false) => "info",
        (1, true) | (2, _) => {
            "info,callflume=debug,callflume_client=debug,callflume_core=debug,callflume_crm=debug,callflume_jetstream=debug,callflume_worker=debug"
        }
        _ => "trace",
    };
    let given = std::env::var(FILTER).ok().filter(|text| !text.is_empty());
    let filter = match given.as_deref().map(EnvFilter::try_new) {
        Some(Ok(filter)) => filter,
        Some(Err(error)) => {
            output::note(&format!(
                "warning: {FILTER} can't be read ({error}) and is ignored; write e.g. {FILTER}=callflume_worker=debug"
            ));
            EnvFilter::new(level)
        }
        None => EnvFilter::new(level),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(output::stderr_in_colour());
    if cli.global.json {
        builder.json().init();
    } else {
        builder.init();
    }
}
