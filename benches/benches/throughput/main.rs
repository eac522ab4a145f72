//! Throughput of the whole path: publisher, real broker, worker process, HTTP, a fake CRM without limits.
//!
//! | name | what is measured |
//! | --- | --- |
//! | `single` | operational events, a request for each: requests per second until acknowledged |
//! | `batched` | enrichment that waits, batches of 100: effects per second until acknowledged |
//! | `accounts` | 1,000 accounts on one worker: until all are owned, until all is settled; memory and processor while idle |
//! | `waiting` | 1,000,000 events waiting behind a throttled account: memory of the worker and of a successor |
//!
//! `cargo bench -p callflume-benches --bench throughput -- single --quick --json`; all four without a name. Beside them
//! baselines of the same run: the worker's HTTP client against the same fake CRM with nothing around it, and a plain
//! consumer that acknowledges. Everything shares the machine's processors, so figures in processor time say more about
//! the worker than figures per second do.
//!
//! The fake CRM must not be what is measured. The simulator's model of HubSpot behind wiremock (`--crm model`) took 17,000
//! requests a second from a bare client on two cores, three times what a worker sent it: not the limit, but on the worker's
//! processors, and its records grow with the run; end to end it cost 14 % of `single` and 20 % of `batched`. So the default
//! is a door that answers batch writes and keeps nothing (`callflume_benches::crm`): 40,000 to 70,000 a second.

mod baseline;
mod measure;
mod process;
mod progress;
mod stage;

use std::time::Instant;

use clap::{Parser, ValueEnum};

use measure::Figures;
use stage::CrmKind;

/// Throughput of the whole path, from the broker to the CRM's door.
#[derive(Debug, Parser)]
#[command(name = "throughput")]
struct Cli {
    /// Which measurements; all when absent.
    measurements: Vec<Measurement>,
    /// A tenth of the work and less.
    #[arg(long)]
    quick: bool,
    /// Prints JSON in place of tables.
    #[arg(long)]
    json: bool,
    /// Which fake CRM.
    #[arg(long, value_enum, default_value = "door")]
    crm: CrmKind,
    /// Events of `single`, `batched` and `waiting`; accounts of `accounts`. Default: 20,000, 100,000, 1,000,000; 1,000.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    size: Option<u32>,
    /// What cargo passes to every bench.
    #[arg(long, hide = true)]
    bench: bool,
    /// Is a worker process of a run.
    #[arg(long, hide = true, requires = "broker")]
    worker: bool,
    /// The broker of that worker.
    #[arg(long, hide = true)]
    broker: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Measurement {
    Single,
    Batched,
    Accounts,
    Waiting,
}

impl Measurement {
    const ALL: [Self; 4] = [Self::Single, Self::Batched, Self::Accounts, Self::Waiting];

    const fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Batched => "batched",
            Self::Accounts => "accounts",
            Self::Waiting => "waiting",
        }
    }

    /// Events or accounts: in full, and with `--quick`.
    const fn sizes(self) -> [u32; 2] {
        match self {
            Self::Single => [20_000, 2_000],
            Self::Batched => [100_000, 10_000],
            Self::Accounts => [1_000, 50],
            Self::Waiting => [1_000_000, 50_000],
        }
    }

    async fn run(self, crm: CrmKind, size: u32) -> anyhow::Result<Figures> {
        match self {
            Self::Single => measure::single(crm, size.into()).await,
            Self::Batched => measure::batched(crm, size.into()).await,
            Self::Accounts => measure::accounts(crm, size, EVENTS_PER_ACCOUNT).await,
            Self::Waiting => measure::waiting(crm, size.into()).await,
        }
    }
}

/// Events published to each account of `accounts`.
const EVENTS_PER_ACCOUNT: u64 = 10;

#[tokio::main(flavor = "multi_thread")]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    if let (true, Some(broker)) = (cli.worker, cli.broker) {
        tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
            .with_writer(std::io::stderr)
            .with_ansi(false)
            .init();
        return Ok(callflume_sim::worker_command::run(broker).await?);
    }
    let mut wanted = cli.measurements.clone();
    if wanted.is_empty() {
        wanted.extend(Measurement::ALL);
    }
    let mut report = serde_json::Map::new();
    for measurement in wanted {
        let [full, quick] = measurement.sizes();
        let size = cli.size.unwrap_or(if cli.quick { quick } else { full });
        say(&format!("{} ({size})", measurement.name()));
        let since = Instant::now();
        let figures = measurement.run(cli.crm, size).await?;
        say(&format!("  took {} s", since.elapsed().as_secs()));
        if cli.json {
            report.insert(measurement.name().to_owned(), json(&figures));
        } else {
            print(measurement, &figures);
        }
    }
    if cli.json {
        let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
        report.insert("cores".to_owned(), cores.into());
        let crm = cli
            .crm
            .to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned());
        report.insert("crm".to_owned(), crm.into());
        println!("{}", serde_json::to_string_pretty(&report)?);
    }
    Ok(())
}

/// As many digits as say something.
fn rounded(value: f64) -> f64 {
    let scale = if value.abs() >= 100.0 { 1.0 } else { 1_000.0 };
    (value * scale).round() / scale
}

fn json(figures: &Figures) -> serde_json::Value {
    figures
        .iter()
        .map(|(name, value)| ((*name).to_owned(), rounded(*value).into()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn print(measurement: Measurement, figures: &Figures) {
    println!("{}", measurement.name());
    for (name, value) in figures {
        println!("  {name:40} {}", rounded(*value));
    }
}

#[expect(clippy::print_stderr, reason = "progress")]
fn say(text: &str) {
    eprintln!("{text}");
}
