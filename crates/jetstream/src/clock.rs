//! The broker's clock, as well as this process knows it.
//!
//! Decides an offset between this process's monotonic clock and the broker's calendar clock, from answers that carry
//! the broker's time: the broker wrote it between our sending and our receiving, which bounds the error by half the
//! round trip. The machine's own calendar is never used. Read as often as you like; synchronise every minute or so,
//! and after a reconnect.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use callflume_core::record::bucket;
use callflume_core::time::BrokerTime;

use crate::assets::bucket_stream;
use crate::broker::Broker;
use crate::error::Error;
use crate::stored::StoredStream;

/// Answers asked for per synchronisation; the one with the shortest round trip counts.
const SAMPLES: usize = 3;

/// An estimate of the broker's time. Clones share it.
#[derive(Debug, Clone)]
pub struct BrokerClock {
    stream: StoredStream,
    known: Arc<RwLock<Sample>>,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Instant,
    broker: BrokerTime,
    uncertainty: Duration,
}

impl BrokerClock {
    /// Asks the broker for its time.
    pub async fn start(broker: &Broker) -> Result<Self, Error> {
        let stream = StoredStream::new(broker.clone(), bucket_stream(bucket::LEASES));
        let sample = ask(&stream).await?;
        Ok(Self {
            stream,
            known: Arc::new(RwLock::new(sample)),
        })
    }

    /// The broker's time now.
    pub fn now(&self) -> BrokerTime {
        self.at(Instant::now())
    }

    /// The broker's time at an instant of this process.
    pub fn at(&self, instant: Instant) -> BrokerTime {
        let known = self.known();
        let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let since = ms(instant.saturating_duration_since(known.at));
        let before = ms(known.at.saturating_duration_since(instant));
        BrokerTime(known.broker.0.saturating_add(since).saturating_sub(before))
    }

    /// How far [`Self::now`] was off at most when last synchronised.
    pub fn uncertainty(&self) -> Duration {
        self.known().uncertainty
    }

    /// Asks the broker again.
    pub async fn synchronise(&self) -> Result<(), Error> {
        let sample = ask(&self.stream).await?;
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = sample;
        Ok(())
    }

    fn known(&self) -> Sample {
        *self.known.read().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn ask(stream: &StoredStream) -> Result<Sample, Error> {
    let mut best: Option<Sample> = None;
    for _ in 0..SAMPLES {
        let sent = Instant::now();
        let state = stream.state().await?;
        let round_trip = sent.elapsed();
        let Some(broker) = state.answered_at else {
            return Err(Error::Unexpected {
                what: "the broker's time".to_owned(),
                cause: "the answer carries none".to_owned(),
            });
        };
        let sample = Sample {
            at: sent + round_trip / 2,
            broker,
            // One more millisecond for the rounding.
            uncertainty: round_trip / 2 + Duration::from_millis(1),
        };
        if best.is_none_or(|best| sample.uncertainty < best.uncertainty) {
            best = Some(sample);
        }
    }
    best.ok_or_else(|| Error::Unexpected {
        what: "the broker's time".to_owned(),
        cause: "nothing was asked".to_owned(),
    })
}
