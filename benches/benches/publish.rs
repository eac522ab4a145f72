//! Our client against a bare async-nats publish loop, in one run, alternating in blocks.
//!
//! Both publish the same bodies with the same headers at the same rate from the same number of tasks, on one
//! connection each, to streams with the same settings. Reported: p50 and p99 of each, and the median of the blocks'
//! ratios, which a stall of the machine can't move. `PUBLISH_BENCH_BLOCKS` (default 20) sets the number of block pairs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::message::PublishMessage;
use callflume_benches::{account, event};
use callflume_client::{Publisher, Settings};
use callflume_core::event::{ContentType, encode};
use callflume_core::lane::Lane;
use callflume_jetstream::connect;
use callflume_jetstream::provision::{self, ProvisionSettings};
use callflume_testkit::Server;
use hdrhistogram::Histogram;

const PUBLISHERS: u64 = 200;
const PER_SECOND: u64 = 1_000;
const BLOCK: u64 = 1_000;

#[derive(Clone)]
enum Way {
    Ours(Publisher),
    Bare(Arc<Context>),
}

/// One block: every task publishes at its planned instants; answers latencies in microseconds.
async fn block(way: &Way, numbers: &Arc<AtomicU64>) -> anyhow::Result<Histogram<u64>> {
    let start = Instant::now() + Duration::from_millis(20);
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..PUBLISHERS {
        let (way, numbers) = (way.clone(), numbers.clone());
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            for round in 0..BLOCK / PUBLISHERS {
                let planned = start
                    + Duration::from_micros((round * PUBLISHERS + task) * 1_000_000 / PER_SECOND);
                tokio::time::sleep_until(planned.into()).await;
                let event = event(numbers.fetch_add(1, Ordering::Relaxed));
                let before = Instant::now();
                match &way {
                    Way::Ours(publisher) => {
                        publisher.publish(&account(), Lane::En, &event).await?;
                    }
                    Way::Bare(context) => {
                        let body = encode(&event, ContentType::MessagePack)?;
                        let message = PublishMessage::build()
                            .message_id(event.id.as_str())
                            .expected_stream("VOICE_OP")
                            .payload(body.into());
                        let subject = Lane::Op.subject(&account(), &event.kind);
                        context.send_publish(subject, message).await?.await?;
                    }
                }
                latencies.push(u64::try_from(before.elapsed().as_micros())?);
            }
            anyhow::Ok(latencies)
        });
    }
    let mut histogram = Histogram::new(3)?;
    while let Some(done) = tasks.join_next().await {
        for latency in done?? {
            histogram.record(latency)?;
        }
    }
    Ok(histogram)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let blocks: usize = match std::env::var("PUBLISH_BENCH_BLOCKS") {
        Ok(text) => text
            .parse()
            .context("PUBLISH_BENCH_BLOCKS is a number of block pairs")?,
        Err(_) => 20,
    };
    let server = Server::start().await?;
    let broker = connect::connect(
        &connect::Settings {
            urls: vec![server.url().to_owned()],
            ..connect::Settings::default()
        },
        "bench",
    )
    .await?;
    provision::apply(&broker, &ProvisionSettings::within(4 << 30)).await?;
    let ours = Way::Ours(Publisher::connect(Settings::at([server.url()])).await?);
    let bare = async_nats::connect(server.url()).await?;
    let bare = Way::Bare(Arc::new(ContextBuilder::new().build(bare)));
    let numbers = Arc::new(AtomicU64::new(0));
    // The first blocks warm up connections and the broker's files.
    for way in [&ours, &bare] {
        block(way, &numbers).await?;
    }
    let (mut all_ours, mut all_bare) = (Histogram::<u64>::new(3)?, Histogram::<u64>::new(3)?);
    let (mut p50, mut p99) = (Vec::new(), Vec::new());
    for pair in 0..blocks {
        // Who goes first alternates, so that a drift of the machine favours neither.
        let (a, b) = if pair % 2 == 0 {
            (&ours, &bare)
        } else {
            (&bare, &ours)
        };
        let (first, second) = (block(a, &numbers).await?, block(b, &numbers).await?);
        let (ours, bare) = if pair % 2 == 0 {
            (first, second)
        } else {
            (second, first)
        };
        p50.push(ours.value_at_quantile(0.5) as f64 / bare.value_at_quantile(0.5).max(1) as f64);
        p99.push(ours.value_at_quantile(0.99) as f64 / bare.value_at_quantile(0.99).max(1) as f64);
        all_ours.add(&ours)?;
        all_bare.add(&bare)?;
    }
    let report = serde_json::json!({
        "publishers": PUBLISHERS, "events_per_second": PER_SECOND, "blocks": blocks, "events_per_block": BLOCK,
        "ours_us": {"p50": all_ours.value_at_quantile(0.5), "p99": all_ours.value_at_quantile(0.99), "p999": all_ours.value_at_quantile(0.999), "max": all_ours.max()},
        "bare_us": {"p50": all_bare.value_at_quantile(0.5), "p99": all_bare.value_at_quantile(0.99), "p999": all_bare.value_at_quantile(0.999), "max": all_bare.max()},
        "median_block_ratio": {"p50": median(p50), "p99": median(p99)},
    });
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(())
}
