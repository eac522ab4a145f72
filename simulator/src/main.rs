//! The load-test command.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use callflume_sim::fake_command::{self, FakeArgs};
use callflume_sim::live::{self, Launch};
use callflume_sim::report::{self, Summary, Verdict};
use callflume_sim::scenario::Scenario;
use callflume_sim::tournament::{self, Strategy};
use callflume_sim::{virtual_run, worker_command};
use clap::{Parser, Subcommand};

/// Runs load tests against fake CRMs and judges them: nothing lost, nothing doubled, nothing above the limit.
#[derive(Debug, Parser)]
#[command(name = "callflume-sim", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes:
  0   every objective holds, or the machine is unfit to judge latency (with a warning)
  2   wrong arguments or scenario file
  3   the environment failed (no nats-server, a port in use, a worker that ended)
  98  the machine is unfit to judge latency and --require-fit was given
  99  an objective was missed

Examples:
  callflume-sim run loadtests/smoke.toml
  callflume-sim run loadtests/crash.toml --virtual --seed 7 --trace trace.txt
  callflume-sim run loadtests/200-calls.toml --out report --require-fit
  callflume-sim tournament --scenario A,G --seeds 100
  callflume-sim tournament --strategy callflume --json
  callflume-sim fake hubspot --port 8090";

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a scenario file and prints the verdict.
    Run {
        /// The scenario, TOML; see loadtests/.
        file: PathBuf,
        /// Under virtual time: the same decisions without waiting, byte for byte repeatable.
        #[arg(long = "virtual")]
        virtual_time: bool,
        /// Replaces the scenario's seed.
        #[arg(long)]
        seed: Option<u64>,
        /// Writes what happened, line by line, into this file (with --virtual).
        #[arg(long, requires = "virtual_time", value_name = "FILE")]
        trace: Option<PathBuf>,
        /// Writes summary.json and summary.md (and the workers' logs) into this folder.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Prints summary.json on standard output in place of text.
        #[arg(long)]
        json: bool,
        /// An unfit machine is an error (exit code 98).
        #[arg(long)]
        require_fit: bool,
        /// Judges only what does not depend on the machine's speed.
        #[arg(long)]
        correctness_only: bool,
        /// No progress.
        #[arg(long, short)]
        quiet: bool,
    },
    /// Puts the same work to different limiters under virtual time; see docs/tournament.md.
    Tournament {
        /// Letters of the scenarios, separated by commas; all when absent.
        #[arg(long, value_delimiter = ',', value_name = "LETTERS", value_parser = letter)]
        scenario: Vec<&'static tournament::Scenario>,
        /// Seeds of each.
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=100_000))]
        seeds: u64,
        /// The first of them.
        #[arg(long, value_name = "SEED", default_value_t = 1, value_parser = clap::value_parser!(u64).range(..=1 << 48))]
        first_seed: u64,
        /// Strategies, separated by commas: callflume, direct, fixed_window, token_bucket, gcra; all when absent.
        #[arg(long, value_delimiter = ',', value_name = "NAMES")]
        strategy: Vec<Strategy>,
        /// Prints JSON in place of tables.
        #[arg(long)]
        json: bool,
    },
    /// Runs a fake CRM in the foreground, to test an integration of your own against.
    Fake(FakeArgs),
    /// A worker process of a run.
    #[command(hide = true)]
    Worker {
        /// The broker's address.
        #[arg(long)]
        broker: String,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Worker { broker } => {
            tracing_subscriber::fmt()
                .with_writer(std::io::stderr)
                .with_ansi(false)
                .init();
            match worker_command::run(broker).await {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    tracing::error!(code = %error.code(), "{error}");
                    ExitCode::from(report::EXIT_ENVIRONMENT)
                }
            }
        }
        Command::Fake(args) => match fake_command::run(&args).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) if error.is_usage() => fail(&error, report::EXIT_USAGE),
            Err(error) => fail(&error, report::EXIT_ENVIRONMENT),
        },
        Command::Tournament {
            scenario,
            seeds,
            first_seed,
            strategy,
            json,
        } => compete(&scenario, seeds, first_seed, &strategy, json),
        Command::Run {
            file,
            virtual_time,
            seed,
            trace,
            out,
            json,
            require_fit,
            correctness_only,
            quiet,
        } => {
            let mut scenario = match Scenario::read(&file) {
                Ok(scenario) => scenario,
                Err(error) => return fail(&error, report::EXIT_USAGE),
            };
            if let Some(seed) = seed {
                scenario.seed = seed;
            }
            if correctness_only {
                scenario.slo.judge_correctness_only();
            }
            let command = command_line(&file, &scenario, virtual_time);
            let summary = if virtual_time {
                run_virtual(&scenario, trace, command)
            } else {
                run_live(&scenario, out.clone(), !quiet, command).await
            };
            match summary {
                Ok(summary) => finish(&summary, out, json, require_fit),
                Err(code) => code,
            }
        }
    }
}

fn letter(text: &str) -> Result<&'static tournament::Scenario, String> {
    let mut letters = text.chars();
    match (
        letters.next().and_then(tournament::scenario),
        letters.next(),
    ) {
        (Some(scenario), None) => Ok(scenario),
        _ => Err("no such scenario; there are A to J".to_owned()),
    }
}

/// The given ones, or all where none is given.
fn or_all<T: Copy>(given: &[T], all: impl IntoIterator<Item = T>) -> Vec<T> {
    if given.is_empty() {
        all.into_iter().collect()
    } else {
        given.to_vec()
    }
}

fn compete(
    scenarios: &[&'static tournament::Scenario],
    seeds: u64,
    first_seed: u64,
    strategies: &[Strategy],
    json: bool,
) -> ExitCode {
    let options = tournament::Options {
        scenarios: or_all(scenarios, &tournament::SCENARIOS),
        strategies: or_all(strategies, Strategy::ALL),
        seeds,
        first_seed,
        threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
    };
    let report = match tournament::run(&options) {
        Ok(report) => report,
        Err(error) => return fail(&error, report::EXIT_ENVIRONMENT),
    };
    if json {
        match report.to_json() {
            Ok(text) => println!("{text}"),
            Err(error) => return fail(&error, report::EXIT_ENVIRONMENT),
        }
    } else {
        print!("{}", report.render_text());
    }
    if report.holds() {
        return ExitCode::from(report::EXIT_PASS);
    }
    for missed in report.missed() {
        eprintln!("missed {missed}");
    }
    ExitCode::from(report::EXIT_MISSED)
}

fn command_line(file: &std::path::Path, scenario: &Scenario, virtual_time: bool) -> String {
    let mode = if virtual_time { " --virtual" } else { "" };
    format!(
        "callflume-sim run {}{mode} --seed {}",
        file.display(),
        scenario.seed
    )
}

fn run_virtual(
    scenario: &Scenario,
    trace: Option<PathBuf>,
    command: String,
) -> Result<Summary, ExitCode> {
    let mut file = match trace {
        None => None,
        Some(path) => match std::fs::File::create(&path) {
            Ok(file) => Some(std::io::BufWriter::new(file)),
            Err(error) => {
                eprintln!("{}: {error}", path.display());
                return Err(ExitCode::from(report::EXIT_USAGE));
            }
        },
    };
    let out = file.as_mut().map(|file| file as &mut dyn std::io::Write);
    virtual_run::run(scenario, out)
        .map(|result| result.summary(scenario, command))
        .map_err(|error| fail(&error, report::EXIT_USAGE))
}

async fn run_live(
    scenario: &Scenario,
    out: Option<PathBuf>,
    progress: bool,
    command: String,
) -> Result<Summary, ExitCode> {
    let environment = |error: &dyn std::error::Error| fail(error, report::EXIT_ENVIRONMENT);
    let launch = Launch::own(&["worker"]).map_err(|error| environment(&error))?;
    let temporary = tempfile::tempdir().map_err(|error| environment(&error))?;
    let log_dir = out.unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&log_dir).map_err(|error| environment(&error))?;
    let options = live::Options {
        launch,
        log_dir,
        progress,
    };
    live::run(scenario, &options)
        .await
        .map(|run| run.summary(scenario, command))
        .map_err(|error| match error {
            live::Error::OnlyVirtual(_) => fail(&error, report::EXIT_USAGE),
            _ => environment(&error),
        })
}

fn finish(summary: &Summary, out: Option<PathBuf>, json: bool, require_fit: bool) -> ExitCode {
    if let Some(dir) = out
        && let Err(error) = summary.write(&dir)
    {
        return fail(&error, report::EXIT_ENVIRONMENT);
    }
    if json {
        match summary.to_json() {
            Ok(text) => print!("{text}"),
            Err(error) => return fail(&error, report::EXIT_ENVIRONMENT),
        }
    } else {
        let color = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        print!("{}", summary.render_text(color));
    }
    if summary.verdict == Verdict::Unfit {
        eprintln!("This machine is too slow or too busy to judge latency; correctness holds.");
    }
    ExitCode::from(report::exit_code(summary.verdict, require_fit))
}

fn fail(error: &dyn std::error::Error, code: u8) -> ExitCode {
    eprintln!("error: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        eprintln!("  because: {cause}");
        source = cause.source();
    }
    ExitCode::from(code)
}
