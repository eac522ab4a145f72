//! Whether the machine is fit to measure latency on: a stall meter and a bare publish loop.
//!
//! The stall meter is a thread that sleeps a millisecond at a time and notes how late it wakes. The bare loop publishes
//! bodies of the same size on a stream of its own with nothing between it and the client library, interleaved with the
//! run's own publishes: what it needs, no publisher can do without.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{Context, stream};

/// A wake-up this late is a stall.
const STALL: Duration = Duration::from_millis(5);

/// Measures how much of the time the machine stood still.
#[derive(Debug)]
pub(super) struct StallMeter {
    stop: Arc<AtomicBool>,
    stalled_us: Arc<AtomicU64>,
    started: Instant,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl StallMeter {
    /// Starts measuring.
    pub(super) fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stalled_us = Arc::new(AtomicU64::new(0));
        let thread = {
            let (stop, stalled) = (stop.clone(), stalled_us.clone());
            std::thread::spawn(move || {
                let step = Duration::from_millis(1);
                while !stop.load(Ordering::Relaxed) {
                    let before = Instant::now();
                    std::thread::park_timeout(step);
                    let late = before.elapsed().saturating_sub(step);
                    if late >= STALL {
                        stalled.fetch_add(
                            u64::try_from(late.as_micros()).unwrap_or(u64::MAX),
                            Ordering::Relaxed,
                        );
                    }
                }
            })
        };
        Self {
            stop,
            stalled_us,
            started: Instant::now(),
            thread: Some(thread),
        }
    }

    /// Share of the time spent in stalls so far, percent.
    pub(super) fn stalls_pct(&self) -> f64 {
        let elapsed = self.started.elapsed().as_micros().max(1) as f64;
        self.stalled_us.load(Ordering::Relaxed) as f64 * 100.0 / elapsed
    }
}

impl Drop for StallMeter {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::warn!("the stall meter broke; its figure is too low");
            }
        }
    }
}

/// A publisher with nothing around it.
#[derive(Debug, Clone)]
pub(super) struct BarePublisher {
    context: Context,
}

const BARE: &str = "BARE";

impl BarePublisher {
    /// Connects and makes its stream, with the settings of an event stream.
    pub(super) async fn start(url: &str) -> Result<Self, async_nats::Error> {
        let client = async_nats::connect(url).await?;
        let context = ContextBuilder::new()
            .timeout(Duration::from_secs(10))
            .build(client);
        context
            .create_stream(stream::Config {
                name: BARE.to_owned(),
                subjects: vec!["bare.>".to_owned()],
                storage: stream::StorageType::File,
                discard: stream::DiscardPolicy::New,
                duplicate_window: Duration::from_secs(20 * 60),
                max_bytes: 1 << 30,
                ..stream::Config::default()
            })
            .await?;
        Ok(Self { context })
    }

    /// Publishes one body and waits for the acknowledgement.
    pub(super) async fn publish(
        &self,
        id: &str,
        body: Vec<u8>,
    ) -> Result<Duration, async_nats::Error> {
        let message = PublishMessage::build()
            .message_id(id)
            .expected_stream(BARE)
            .payload(body.into());
        let before = Instant::now();
        self.context
            .send_publish("bare.event", message)
            .await?
            .await?;
        Ok(before.elapsed())
    }
}
