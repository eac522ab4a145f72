//! The command line. Thin: reads arguments and the configuration file, calls the crates, shows what they say.
//!
//! Invariants: data goes to stdout, everything else to stderr; the exit code says what happened (the table in `cli`);
//! no secret and no value of an event is ever printed unless a command is asked for exactly that.

mod cli;
mod commands;
mod config_file;
mod documents;
mod failure;
mod logs;
mod output;
mod position;
mod progress;
mod signals;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::Cli;
use crate::failure::{Exit, Failure};

fn main() -> ExitCode {
    let cli = Cli::parse();
    logs::start(&cli);
    let json = cli.global.json;
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            let failure = Failure::environment(
                format!("the program can't start its threads: {error}"),
                "raise the limits of processes and memory",
            );
            failure.print(json);
            return failure.exit.into();
        }
    };
    let exit = match runtime.block_on(commands::run(cli)) {
        Ok(exit) => exit,
        Err(error) if output::is_closed_pipe(&error) => Exit::Failed,
        Err(error) => {
            let failure = Failure::of(&error);
            failure.print(json);
            failure.exit
        }
    };
    // A thread that still waits for stdin must not hold the process.
    runtime.shutdown_background();
    exit.into()
}
