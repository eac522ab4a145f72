//! Look-ups of contacts: from memory, and from the bucket against a bare read of the same keys, alternating in blocks.
//!
//! Both read one after the other, as a voice service does when the phone rings, each on a connection of its own. The bare
//! read is async-nats' `kv::Store::get`. Reported: time of a look-up from memory, p50 and p99 of both ways of reading, and
//! the median of the blocks' ratios, which a stall of the machine can't move. `LOOKUP_BENCH_BLOCKS` (default 40) sets the
//! number of block pairs. What is wanted: below 10 µs from memory, at most 1.25 times a bare read from the bucket.

use std::time::Instant;

use anyhow::{Context as _, ensure};
use async_nats::jetstream::{self, kv};
use callflume_benches::account;
use callflume_client::{ContactSettings, Contacts, Lookup, Person};
use callflume_core::card::{Card, News};
use callflume_core::record::{ContactRecord, SCHEMA, key};
use callflume_jetstream::provision::{self, ProvisionSettings};
use callflume_jetstream::{connect, contacts};
use callflume_testkit::Server;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hdrhistogram::Histogram;

/// Persons in the bucket; a look-up from the bucket comes back to the same one long after a small memory forgot it.
const PERSONS: usize = 2_000;
const BLOCK: usize = 500;
const FROM_MEMORY: usize = 200_000;

fn person(number: usize) -> anyhow::Result<Person> {
    Person::phone(&format!("+1202555{:04}", number % PERSONS)).context("a number")
}

async fn fill(broker: &callflume_jetstream::Broker) -> anyhow::Result<()> {
    let bucket = contacts::Contacts::open(broker).await?;
    let writes = (0..PERSONS).map(|number| {
        let bucket = bucket.clone();
        async move {
            let record = ContactRecord {
                schema: SCHEMA,
                crm_id: number.to_string(),
                card: Card {
                    first_name: Some("Mira".to_owned()),
                    last_name: Some("Okafor".to_owned()),
                    email: Some(format!("mira.{number}@example.com")),
                    phone: Some(format!("+1202555{number:04}")),
                    owner: Some("77".to_owned()),
                },
                ..ContactRecord::default()
            };
            let alias = person(number)?.alias();
            bucket
                .write(&account(), &record, &[alias], News::Read)
                .await?;
            anyhow::Ok(())
        }
    });
    stream::iter(writes)
        .buffer_unordered(32)
        .try_collect::<()>()
        .await
}

async fn voice(server: &Server, memory_max: usize) -> anyhow::Result<Contacts> {
    let mut settings = ContactSettings::at([server.url()]);
    settings.lookup.memory_max = memory_max;
    let voice = Contacts::connect(settings).await?;
    while !voice.is_fresh() {
        tokio::task::yield_now().await;
    }
    Ok(voice)
}

async fn known(voice: &Contacts, number: usize) -> anyhow::Result<()> {
    let found = voice.lookup(&account(), &person(number)?).await?;
    ensure!(matches!(found, Lookup::Known(_)), "{found:?}");
    Ok(())
}

/// One block from the bucket; nanoseconds.
async fn ours(voice: &Contacts, from: usize) -> anyhow::Result<Histogram<u64>> {
    let reads = voice.counts().reads;
    let mut histogram = Histogram::new(3)?;
    for number in from..from + BLOCK {
        let before = Instant::now();
        known(voice, number).await?;
        histogram.record(u64::try_from(before.elapsed().as_nanos())?)?;
    }
    // Nothing of it came from memory.
    ensure!(voice.counts().reads - reads == BLOCK as u64);
    Ok(histogram)
}

async fn bare(store: &kv::Store, from: usize) -> anyhow::Result<Histogram<u64>> {
    let mut histogram = Histogram::new(3)?;
    for number in from..from + BLOCK {
        let key = key::alias(&account(), &person(number)?.alias());
        let before = Instant::now();
        let value = store.get(key).await?;
        histogram.record(u64::try_from(before.elapsed().as_nanos())?)?;
        ensure!(value.is_some());
    }
    Ok(histogram)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

async fn from_memory(server: &Server) -> anyhow::Result<serde_json::Value> {
    let voice = voice(server, 4 * PERSONS).await?;
    for number in 0..PERSONS {
        known(&voice, number).await?;
    }
    let before = voice.counts();
    let mut histogram = Histogram::<u64>::new(3)?;
    for number in 0..FROM_MEMORY {
        let start = Instant::now();
        known(&voice, number).await?;
        histogram.record(u64::try_from(start.elapsed().as_nanos())?)?;
    }
    let after = voice.counts();
    ensure!(after.memory - before.memory == FROM_MEMORY as u64);
    Ok(serde_json::json!({
        "p50": histogram.value_at_quantile(0.5), "p99": histogram.value_at_quantile(0.99),
        "mean": histogram.mean() as u64, "max": histogram.max(),
    }))
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let blocks: usize = match std::env::var("LOOKUP_BENCH_BLOCKS") {
        Ok(text) => text
            .parse()
            .context("LOOKUP_BENCH_BLOCKS is a number of block pairs")?,
        Err(_) => 40,
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
    provision::apply(&broker, &ProvisionSettings::within(1 << 30)).await?;
    fill(&broker).await?;
    let memory_ns = from_memory(&server).await?;

    let voice = voice(&server, 2).await?;
    let client = async_nats::connect(server.url()).await?;
    let store = jetstream::new(client)
        .get_key_value("callflume-contacts")
        .await?;
    ours(&voice, 0).await?;
    bare(&store, 0).await?;
    let (mut all_ours, mut all_bare) = (Histogram::<u64>::new(3)?, Histogram::<u64>::new(3)?);
    let (mut p50, mut p99) = (Vec::new(), Vec::new());
    for pair in 0..blocks {
        let from = pair * BLOCK;
        // Who goes first alternates, so that a drift of the machine favours neither.
        let (first, second) = if pair % 2 == 0 {
            let ours = ours(&voice, from).await?;
            (ours, bare(&store, from).await?)
        } else {
            let bare = bare(&store, from).await?;
            (ours(&voice, from).await?, bare)
        };
        let ratio = |at: f64| {
            first.value_at_quantile(at) as f64 / second.value_at_quantile(at).max(1) as f64
        };
        p50.push(ratio(0.5));
        p99.push(ratio(0.99));
        all_ours.add(&first)?;
        all_bare.add(&second)?;
    }
    let us = |histogram: &Histogram<u64>, at: f64| histogram.value_at_quantile(at) / 1_000;
    let report = serde_json::json!({
        "persons": PERSONS, "blocks": blocks, "reads_per_block": BLOCK,
        "memory_ns": memory_ns,
        "ours_us": {"p50": us(&all_ours, 0.5), "p99": us(&all_ours, 0.99)},
        "bare_us": {"p50": us(&all_bare, 0.5), "p99": us(&all_bare, 0.99)},
        "median_block_ratio": {"p50": median(p50), "p99": median(p99)},
    });
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(())
}
