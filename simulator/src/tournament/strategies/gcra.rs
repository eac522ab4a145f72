//! GCRA, the generic cell rate algorithm (ITU-T I.371) with a burst of N and an emission interval of span / N.
//!
//! One number is remembered: the theoretical arrival time of the next cell. A request conforms while that is no more
//! than N − 1 intervals ahead. As with a bucket, the burst comes on top of the rate.

use callflume_core::time::Tick;

use super::Pace;

#[derive(Debug)]
pub(super) struct Gcra {
    limit: u32,
    /// Microseconds between two cells.
    interval_us: u64,
    /// Theoretical arrival time, microseconds of the tick.
    arrival_us: u64,
}

impl Gcra {
    pub(super) fn new(limit: u32, span_ms: u64, now: Tick) -> Self {
        Self {
            limit,
            interval_us: span_ms * 1_000 / u64::from(limit.max(1)),
            arrival_us: now.0 * 1_000,
        }
    }
}

impl Pace for Gcra {
    fn take(&mut self, now: Tick) -> Result<(), Tick> {
        let now_us = now.0 * 1_000;
        let burst_us = self.interval_us * u64::from(self.limit.saturating_sub(1));
        let earliest_us = self.arrival_us.saturating_sub(burst_us);
        if now_us < earliest_us {
            return Err(Tick(earliest_us.div_ceil(1_000)));
        }
        self.arrival_us = self.arrival_us.max(now_us) + self.interval_us;
        Ok(())
    }

    fn used(&mut self, now: Tick) -> u32 {
        let ahead_us = self.arrival_us.saturating_sub(now.0 * 1_000);
        u32::try_from(ahead_us.div_ceil(self.interval_us.max(1)))
            .unwrap_or(self.limit)
            .min(self.limit)
    }

    fn limit(&self) -> u32 {
        self.limit
    }
}
