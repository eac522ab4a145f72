//! The four measurements.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use callflume_benches::crm::Answered;
use callflume_sim::live::WorkerProcess;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::Semaphore;

use crate::process::Peak;
use crate::progress::Progress;
use crate::stage::{CrmKind, Kind, NO_LIMIT, Stage};
use crate::{baseline, process};

/// Figures by name, units in names; what a system doesn't tell is left out.
pub(crate) type Figures = Vec<(&'static str, f64)>;

/// Operational events on their way at a time. Far fewer than may be in flight, so that each finds a request of its own. Some
/// share one all the same: those that become ready while the quota's journal is being written.
const OUTSTANDING: usize = 32;
/// How long a worker is watched while nothing happens.
const IDLE: Duration = Duration::from_secs(10);
/// A throttled account: requests per ten seconds.
const THROTTLED: u32 = 10;
/// How long a worker in front of a backlog is watched.
const WATCHED: Duration = Duration::from_secs(20);

fn since(before: Answered, now: Answered) -> Answered {
    Answered {
        requests: now.requests - before.requests,
        effects: now.effects - before.effects,
    }
}

/// Processor time of a worker, from one instant to the next.
struct Cpu {
    pid: Option<u32>,
    before_s: Option<f64>,
}

impl Cpu {
    fn of(pid: Option<u32>) -> Self {
        Self {
            pid,
            before_s: pid.and_then(process::cpu_s),
        }
    }

    fn seconds(&self) -> Option<f64> {
        Some(process::cpu_s(self.pid?)? - self.before_s?)
    }
}

fn add(figures: &mut Figures, name: &'static str, value: Option<f64>) {
    figures.extend(value.map(|value| (name, value)));
}

async fn stop(worker: WorkerProcess) -> anyhow::Result<()> {
    worker.stop().await.context("a worker can't be stopped")
}

/// Operational events, a request for each, end to end.
pub(crate) async fn single(crm: CrmKind, events: u64) -> anyhow::Result<Figures> {
    let stage = Stage::raise(crm, 1, 1_000, |config| config.in_flight_op_max = 256).await?;
    let bare_http = baseline::http(&stage, Kind::Task, events, 1, OUTSTANDING).await?;
    let bare_acks = baseline::acknowledged(&stage, events).await?;
    let mut worker = stage.start_worker()?;
    stage.owned(&mut worker).await?;
    let before = stage.answered();
    let cpu = Cpu::of(worker.pid());
    let started = Instant::now();
    let room = Semaphore::new(OUTSTANDING);
    let (account, _) = stage.account()?;
    let publish = async {
        let mut publishes = stream::iter(0..events)
            .map(|number| {
                let (stage, room) = (&stage, &room);
                async move {
                    room.acquire().await?.forget();
                    stage.publish_one(account, Kind::Task, number).await
                }
            })
            .buffer_unordered(OUTSTANDING);
        while publishes.try_next().await?.is_some() {}
        anyhow::Ok(())
    };
    // What the CRM has answered makes room for as many more.
    let make_room = async {
        let mut seen = before.effects;
        while seen < before.effects + events {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let now = stage.answered().effects;
            room.add_permits((now - seen) as usize);
            seen = now;
        }
        anyhow::Ok(())
    };
    let settled = stage.settled(&mut worker, before.effects + events);
    let ((), (), ended) = futures_util::future::try_join3(publish, make_room, settled).await?;
    let took_s = (ended - started).as_secs_f64();
    let answered = since(before, stage.answered());
    let per_s = answered.requests as f64 / took_s;
    let mut figures = vec![
        ("events", events as f64),
        (
            "effects_per_request",
            answered.effects as f64 / answered.requests as f64,
        ),
        ("requests_per_s", per_s),
        ("bare_http_requests_per_s", bare_http),
        ("of_bare_http", per_s / bare_http),
        ("bare_acks_per_s", bare_acks),
        ("of_bare_acks", per_s / bare_acks),
    ];
    add(
        &mut figures,
        "worker_cpu_us_per_request",
        cpu.seconds()
            .map(|cpu_s| cpu_s * 1e6 / answered.requests as f64),
    );
    add(
        &mut figures,
        "worker_rss_mib",
        worker.pid().and_then(process::rss_mib),
    );
    stop(worker).await?;
    Ok(figures)
}

/// Enrichment that waits, in full batches, from the first request to the last acknowledgement.
pub(crate) async fn batched(crm: CrmKind, events: u64) -> anyhow::Result<Figures> {
    let stage = Stage::raise(crm, 1, 1_000, |_| {}).await?;
    let in_flight = stage.account()?.1.in_flight_en_max;
    let bare_http = baseline::http(&stage, Kind::Note, events / 100, 100, in_flight).await? * 100.0;
    let bare_acks = baseline::acknowledged(&stage, events).await?;
    let published = stage
        .publish(Kind::Note, events, "events published")
        .await?;
    let before = stage.answered();
    let mut worker = stage.start_worker()?;
    while stage.answered() == before {
        tokio::time::sleep(Duration::from_millis(1)).await;
        anyhow::ensure!(worker.ended()?.is_none(), "the worker ended by itself");
    }
    let (started, first) = (Instant::now(), stage.answered());
    let cpu = Cpu::of(worker.pid());
    let ended = stage.settled(&mut worker, before.effects + events).await?;
    let took_s = (ended - started).as_secs_f64();
    let timed = since(first, stage.answered());
    let all = since(before, stage.answered());
    let per_s = timed.effects as f64 / took_s;
    let mut figures = vec![
        ("events", events as f64),
        (
            "effects_per_request",
            all.effects as f64 / all.requests as f64,
        ),
        ("effects_per_s", per_s),
        ("bare_http_effects_per_s", bare_http),
        ("of_bare_http", per_s / bare_http),
        ("bare_acks_per_s", bare_acks),
        ("of_bare_acks", per_s / bare_acks),
        ("published_per_s", events as f64 / published.as_secs_f64()),
    ];
    add(
        &mut figures,
        "worker_cpu_us_per_effect",
        cpu.seconds()
            .map(|cpu_s| cpu_s * 1e6 / timed.effects as f64),
    );
    add(
        &mut figures,
        "worker_rss_mib",
        worker.pid().and_then(process::rss_mib),
    );
    stop(worker).await?;
    Ok(figures)
}

/// Many accounts on one worker.
pub(crate) async fn accounts(crm: CrmKind, accounts: u32, events: u64) -> anyhow::Result<Figures> {
    let one = many(crm, 1, events).await?;
    let many = many(crm, accounts, events).await?;
    let mut figures = vec![
        ("accounts", f64::from(accounts)),
        ("events", events as f64 * f64::from(accounts)),
        ("all_owned_s", many.owned_s),
        ("all_settled_s", many.settled_s),
        ("successor_all_owned_s", many.successor_owned_s),
    ];
    add(
        &mut figures,
        "worker_cpu_s_until_settled",
        many.worker_cpu_s,
    );
    add(
        &mut figures,
        "broker_cpu_s_until_settled",
        many.broker_cpu_s,
    );
    add(&mut figures, "worker_rss_mib", many.rss_mib);
    add(&mut figures, "worker_rss_mib_of_one_account", one.rss_mib);
    add(
        &mut figures,
        "worker_rss_kib_per_account",
        many.rss_mib
            .zip(one.rss_mib)
            .map(|(many, one)| (many - one) * 1024.0 / f64::from(accounts)),
    );
    add(&mut figures, "worker_idle_cpu_percent", many.idle_percent);
    add(
        &mut figures,
        "worker_idle_cpu_percent_of_one_account",
        one.idle_percent,
    );
    add(&mut figures, "broker_idle_cpu_percent", many.broker_percent);
    Ok(figures)
}

struct Many {
    owned_s: f64,
    successor_owned_s: f64,
    settled_s: f64,
    worker_cpu_s: Option<f64>,
    broker_cpu_s: Option<f64>,
    rss_mib: Option<f64>,
    idle_percent: Option<f64>,
    broker_percent: Option<f64>,
}

async fn many(crm: CrmKind, accounts: u32, events: u64) -> anyhow::Result<Many> {
    let stage = Stage::raise(crm, accounts, 5, |_| {}).await?;
    stage
        .publish(Kind::Task, events, "events published")
        .await?;
    let before = stage.answered();
    let started = Instant::now();
    let broker = Cpu::of(stage.server.pid());
    let mut worker = stage.start_worker()?;
    stage.owned(&mut worker).await?;
    let owned_s = started.elapsed().as_secs_f64();
    let all = events * u64::from(accounts);
    let ended = stage.settled(&mut worker, before.effects + all).await?;
    let settled_s = (ended - started).as_secs_f64();
    let worker_cpu_s = worker.pid().and_then(process::cpu_s);
    let broker_cpu_s = broker.seconds();
    // What follows the last event (floors, status) is over before it is called idle.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (cpu, broker) = (Cpu::of(worker.pid()), Cpu::of(stage.server.pid()));
    tokio::time::sleep(IDLE).await;
    let percent = |cpu: &Cpu| {
        cpu.seconds()
            .map(|cpu_s| cpu_s * 100.0 / IDLE.as_secs_f64())
    };
    let (idle_percent, broker_percent) = (percent(&cpu), percent(&broker));
    let rss_mib = worker.pid().and_then(process::rss_mib);
    // A successor: the broker has the accounts' consumers already.
    stop(worker).await?;
    let restarted = Instant::now();
    let mut worker = stage.start_worker()?;
    stage.owned(&mut worker).await?;
    let many = Many {
        owned_s,
        successor_owned_s: restarted.elapsed().as_secs_f64(),
        settled_s,
        worker_cpu_s,
        broker_cpu_s,
        rss_mib,
        idle_percent,
        broker_percent,
    };
    stop(worker).await?;
    Ok(many)
}

/// What a worker takes while very many events wait behind an account that may send little.
pub(crate) async fn waiting(crm: CrmKind, events: u64) -> anyhow::Result<Figures> {
    let stage = Stage::raise(crm, 1, 1_000, |config| {
        config
            .limits
            .insert("ten_secondly".to_owned(), THROTTLED.min(NO_LIMIT));
    })
    .await?;
    let mut worker = stage.start_worker()?;
    stage.owned(&mut worker).await?;
    // A first few, so that everything a working account needs is there.
    stage.publish(Kind::Note, 100, "events published").await?;
    stage.settled(&mut worker, 100).await?;
    let rss_before = worker.pid().and_then(process::rss_mib);
    let peak = Peak::of(worker.pid());
    let published = stage
        .publish_from(Kind::Note, 100, events, "events published")
        .await?;
    let before = stage.answered();
    watch(WATCHED).await;
    let rss_with = peak.end().await?;
    let written = since(before, stage.answered());
    stop(worker).await?;
    // A successor finds all of it.
    let before = stage.answered();
    let started = Instant::now();
    let mut worker = stage.start_worker()?;
    let mut progress = Progress::of("first request of a successor");
    while stage.answered() == before {
        progress.at(0, 1);
        tokio::time::sleep(Duration::from_millis(1)).await;
        anyhow::ensure!(worker.ended()?.is_none(), "the worker ended by itself");
        anyhow::ensure!(
            started.elapsed() < Duration::from_secs(120),
            "a successor sent nothing in two minutes"
        );
    }
    let first_s = started.elapsed().as_secs_f64();
    let peak = Peak::of(worker.pid());
    watch(WATCHED / 2).await;
    let rss_successor = peak.end().await?;
    let stored = stage.server.monitor("/jsz").await?;
    let mut figures = vec![
        ("events", events as f64),
        ("published_per_s", events as f64 / published.as_secs_f64()),
        (
            "stored_mib",
            stored["storage"].as_f64().unwrap_or_default() / f64::from(1 << 20),
        ),
        (
            "effects_per_s_meanwhile",
            written.effects as f64 / WATCHED.as_secs_f64(),
        ),
        ("successor_first_request_s", first_s),
    ];
    add(
        &mut figures,
        "worker_rss_mib_with_nothing_waiting",
        rss_before,
    );
    add(&mut figures, "worker_rss_mib", rss_with);
    add(&mut figures, "successor_rss_mib", rss_successor);
    add(
        &mut figures,
        "broker_rss_mib",
        stage.server.pid().and_then(process::rss_mib),
    );
    stop(worker).await?;
    Ok(figures)
}

/// Lets a while pass, and says so.
async fn watch(within: Duration) {
    let since = Instant::now();
    let mut progress = Progress::of("seconds watched");
    while since.elapsed() < within {
        progress.at(since.elapsed().as_secs(), within.as_secs());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
