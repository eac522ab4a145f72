//! One scenario in real time, from an empty folder to what was measured.
//!
//! Order: broker and fake CRM → cache warmed by a worker that is then stopped → backlog published → workers started and
//! calls begun at the same instant → kills as planned → everything settled, or the scenario's patience at its end.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use callflume_core::effect::Object;
use callflume_core::event::EventId;
use callflume_jetstream::dead::{DeadFilter, DeadLetters, ListFrom};
use callflume_worker::services;

use super::dialling::Dialling;
use super::meter::{BarePublisher, StallMeter};
use super::progress::Progress;
use super::stage::{self, Stage, epoch_ms};
use super::voice::{COMPARED_MAX, Latencies, Voice};
use super::watch::Watch;
use super::worker_process::{Launch, WorkerProcess};
use crate::fakes::FakeCrm;
use crate::holdings::{Deed, Holdings};
use crate::oracle::{self, Judgement, PublishOutcome};
use crate::report::{Baseline, BlockRatio, Facts, Mode, Summary, WorkerFacts};
use crate::scenario::{OnlyVirtual, Scenario};
use crate::traffic::{Plan, PlanError};

/// A stage whose CRM may be any vendor's.
pub(super) type LiveStage = Stage<Box<dyn FakeCrm>>;

/// Tasks that publish at the same time while the backlog is filled.
const BACKLOG_TASKS: usize = 200;
/// From the end of preparations to the first call.
const LEAD: Duration = Duration::from_millis(500);
/// Patience with a warm-up.
const WARM_MAX: Duration = Duration::from_secs(180);

/// How a run is carried out.
#[derive(Debug, Clone)]
pub struct Options {
    /// How workers are started.
    pub launch: Launch,
    /// Where logs go.
    pub log_dir: PathBuf,
    /// Show progress on standard error.
    pub progress: bool,
}

/// What was measured.
#[derive(Debug)]
pub struct LiveRun {
    /// The oracle's judgement.
    pub judgement: Judgement,
    /// What was published.
    pub plan: Arc<Plan>,
    /// From call to acknowledgement, microseconds.
    pub publish: Latencies,
    /// From planned instant to call, microseconds.
    pub lag: Latencies,
    /// The bare loop, microseconds.
    pub bare: Latencies,
    /// Ours over bare per pair of blocks, p50 and p99.
    pub ratios: Vec<(f64, f64)>,
    /// Share of the time the machine stood still, percent.
    pub stalls_pct: f64,
    /// Workers killed.
    pub kills: u64,
    /// Worst time from a kill to the first operational effect in the CRM, milliseconds; none without kills.
    pub takeover_ms_max: Option<u64>,
    /// Most memory of a worker, MiB, where the system says.
    pub rss_mib_max: Option<f64>,
    /// Whether everything was settled in time.
    pub drained: bool,
    /// The first publish failures, as codes.
    pub publish_failures: Vec<String>,
    /// Version of the broker.
    pub broker_version: String,
    /// Outbound calls that the dialler did not place; the plan is without them.
    pub not_dialled: u64,
}

impl LiveRun {
    /// The report of this run; `command` makes it again.
    pub fn summary(&self, scenario: &Scenario, command: String) -> Summary {
        let baseline = Baseline {
            bare_us: self.bare.clone(),
            stalls_pct: self.stalls_pct,
            lag_us: self.lag.clone(),
            blocks: self
                .ratios
                .iter()
                .map(|(p50, p99)| BlockRatio {
                    p50: *p50,
                    p99: *p99,
                })
                .collect(),
        };
        let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
        let mut environment = std::collections::BTreeMap::from([
            ("callflume".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
            ("nats_server".to_owned(), self.broker_version.clone()),
            ("cores".to_owned(), cores.to_string()),
            (
                "build".to_owned(),
                if cfg!(debug_assertions) {
                    "debug"
                } else {
                    "release"
                }
                .to_owned(),
            ),
            ("settled_in_time".to_owned(), self.drained.to_string()),
        ]);
        for (number, failure) in self.publish_failures.iter().enumerate() {
            environment.insert(format!("publish_failure_{number:02}"), failure.clone());
        }
        Summary::new(&Facts {
            scenario,
            plan: &self.plan,
            mode: Mode::RealTime,
            judgement: &self.judgement,
            accounts: &[],
            not_dialled: scenario.calls.dialler.then_some(self.not_dialled),
            publish_us: Some(&self.publish),
            baseline: Some(&baseline),
            workers: Some(WorkerFacts {
                kills: self.kills,
                takeover_ms_max: self.takeover_ms_max.map(|ms| ms as f64),
                rss_mb_max: self.rss_mib_max,
            }),
            environment,
            command,
        })
    }
}

/// Why there is no result. All but `Plan` and `OnlyVirtual` are the environment's faults.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Broker, fake CRM or account.
    #[error(transparent)]
    Stage(#[from] stage::Error),
    /// Publishing.
    #[error(transparent)]
    Publisher(#[from] callflume_client::ConnectError),
    /// The bare loop or the broker's own interface.
    #[error("the broker: {0}")]
    Broker(String),
    /// Worker processes.
    #[error("a worker process: {0}")]
    Worker(String),
    /// The scenario.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The scenario needs virtual time.
    #[error(transparent)]
    OnlyVirtual(#[from] OnlyVirtual),
}

impl Error {
    pub(super) fn broker(error: impl Display) -> Self {
        Self::Broker(error.to_string())
    }

    pub(super) fn worker(error: impl Display) -> Self {
        Self::Worker(error.to_string())
    }
}

impl From<callflume_jetstream::Error> for Error {
    fn from(error: callflume_jetstream::Error) -> Self {
        Self::Stage(error.into())
    }
}

/// Runs a scenario.
pub async fn run(scenario: &Scenario, options: &Options) -> Result<LiveRun, Error> {
    scenario.check_real_time()?;
    let progress = Progress::new(options.progress, scenario);
    progress.say(&format!("starting broker and fake {}", scenario.crm.vendor));
    let stage = Stage::of(scenario).await?;
    let bare = BarePublisher::start(stage.server.url())
        .await
        .map_err(Error::broker)?;
    let publisher =
        callflume_client::Publisher::connect(callflume_client::Settings::at([stage.server.url()]))
            .await?;
    if scenario.warm {
        warm(&stage, options, &progress).await?;
    }

    // Twice the compared part at its rate, the rest at 2,000 a second. A slower machine starts the calls at once.
    let backlog = scenario.backlog.enrichment as usize;
    let compared = backlog.min(COMPARED_MAX);
    let backlog_ms = compared * 5 / 2 + (backlog - compared) / 2;
    let planned_start = epoch_ms() + i64::try_from(backlog_ms).unwrap_or(0) + 3_000;
    let plan = Plan::generate(scenario, &stage.account, planned_start, &stage.contacts)?;
    let plan = Arc::new(plan);
    let dialling = if scenario.calls.dialler {
        Dialling::listening(&plan, stage.broker.client())
            .await
            .map_err(Error::broker)?
    } else {
        Dialling::deaf(&plan)
    };
    let voice = Voice::new(
        publisher.clone(),
        bare,
        plan.clone(),
        dialling.clone(),
        scenario.publish_twice,
    );
    if !plan.backlog.is_empty() {
        progress.say(&format!(
            "publishing {} events that will be waiting",
            plan.backlog.len()
        ));
    }
    let ratios = voice.backlog(BACKLOG_TASKS).await;

    let early_ms = u64::try_from(plan.start_ms - epoch_ms()).unwrap_or(0);
    if early_ms > 1_000 {
        // The backlog is to be waiting when calls begin, so workers start with the calls.
        tokio::time::sleep(Duration::from_millis(early_ms - 1_000)).await;
    }
    let mut workers = Vec::new();
    for number in 0..scenario.workers.count.max(1) {
        workers.push(start_worker(
            &stage,
            options,
            &format!("worker-{number}.log"),
        )?);
    }
    let wait_ms = u64::try_from(plan.start_ms - epoch_ms()).unwrap_or(0);
    let start = Instant::now() + Duration::from_millis(wait_ms).max(LEAD);
    let started_ms = epoch_ms()
        + i64::try_from(Duration::from_millis(wait_ms).max(LEAD).as_millis()).unwrap_or(0);
    for fault in &scenario.crm.faults {
        stage.model().script(fault, started_ms);
    }
    progress.say("calls are running");
    let stalls = StallMeter::start();
    let calls = tokio::spawn({
        let voice = voice.clone();
        async move { voice.calls(start).await }
    });
    let watch = Watch {
        stage: &stage,
        scenario,
        plan: &plan,
        voice: &voice,
        progress: &progress,
        start,
    };
    let kills = watch.until_done(&mut workers, calls).await?;
    let stalls_pct = stalls.stalls_pct();
    let drained = watch.drain(&mut workers).await?;

    for worker in &mut workers {
        worker.sample();
    }
    let rss_mib_max = workers
        .iter()
        .filter_map(WorkerProcess::rss_mib_max)
        .reduce(f64::max);
    for worker in workers {
        worker.stop().await.map_err(Error::worker)?;
    }
    let dead = dead_ids(&stage).await?;
    let mut measured = voice.measured();
    publisher.close().await;
    let broker_version = stage.broker.client().server_info().version;
    // Started late, everything planned happened that much later.
    let late_ms = started_ms - plan.start_ms;
    for told in &mut measured.published {
        if let PublishOutcome::Stored { at_ms } = &mut told.outcome {
            *at_ms -= late_ms;
        }
    }
    let mut plan = Arc::unwrap_or_clone(plan);
    plan.start_ms = started_ms;
    let (plan, published) = dialling.dialler().carried_out(plan, measured.published);
    let not_dialled = dialling.dialler().not_dialled().len() as u64;
    let plan = Arc::new(plan);
    let model = stage.model();
    let judgement = oracle::judge(&plan, &published, &*model, &dead);
    let takeover_ms_max = kills
        .iter()
        .map(|kill_ms| takeover_ms(&*model, *kill_ms))
        .max()
        .flatten();
    progress.done();
    drop(model);
    Ok(LiveRun {
        judgement,
        plan,
        publish: measured.publish,
        lag: measured.lag,
        bare: measured.bare,
        ratios,
        stalls_pct,
        kills: kills.len() as u64,
        takeover_ms_max,
        rss_mib_max,
        drained,
        publish_failures: measured.failures,
        broker_version,
        not_dialled,
    })
}

fn start_worker(stage: &LiveStage, options: &Options, log: &str) -> Result<WorkerProcess, Error> {
    WorkerProcess::start(
        options.launch.clone(),
        stage.server.url(),
        &options.log_dir.join(log),
    )
    .map_err(Error::worker)
}

/// Has a worker read all contacts into the cache, and stops it.
async fn warm(stage: &LiveStage, options: &Options, progress: &Progress) -> Result<(), Error> {
    progress.say("warming the contact cache");
    let mut worker = start_worker(stage, options, "worker-warm.log")?;
    let deadline = Instant::now() + WARM_MAX;
    let wanted = stage.contacts.len() as u64;
    let mut asked = false;
    loop {
        if let Some(status) = worker.ended().map_err(Error::worker)? {
            return Err(Error::Worker(format!(
                "it ended by itself ({status}); its log: {}",
                last_words(&options.log_dir.join("worker-warm.log"))
            )));
        }
        if Instant::now() > deadline {
            return Err(Error::Worker(format!(
                "the cache was not warm after {} s",
                WARM_MAX.as_secs()
            )));
        }
        if asked {
            let found = services::status(&stage.broker, Duration::from_millis(300))
                .await
                .unwrap_or_default();
            let account = found
                .into_iter()
                .flat_map(|worker| worker.accounts)
                .find(|account| account.account == stage.account);
            if let Some(account) = account {
                progress.warmed(account.warmed, wanted);
                if account.warmed >= wanted && !account.warming {
                    break;
                }
            }
        } else {
            // Nobody owns the account before the worker has claimed it.
            asked = services::warm(&stage.broker, &stage.account, Duration::from_millis(500))
                .await
                .map_err(Error::worker)?
                .is_some();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    worker.stop().await.map_err(Error::worker)
}

fn last_words(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(5).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
}

async fn dead_ids(stage: &LiveStage) -> Result<BTreeSet<EventId>, Error> {
    let letters = DeadLetters::new(&stage.broker)
        .list(&DeadFilter::default(), ListFrom::Sequence(1), usize::MAX)
        .await?;
    Ok(letters
        .into_iter()
        .filter_map(|stored| EventId::new(stored.letter.event_id?))
        .collect())
}

/// From a kill to the first operational effect after the old worker's last answer could have come: the first call, task
/// or deal written by a request that arrived later than the kill.
fn takeover_ms(crm: &dyn Holdings, kill_ms: i64) -> Option<u64> {
    crm.writes()
        .iter()
        .filter(|write| write.at_ms > kill_ms && matches!(write.deed, Deed::Made | Deed::Changed))
        .find(|write| matches!(write.object, Object::Call | Object::Task | Object::Deal))
        .map(|write| u64::try_from(write.at_ms - kill_ms).unwrap_or(0))
}
