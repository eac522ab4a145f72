//! Three kinds of time, never mixed silently.
//!
//! * [`Tick`]: monotonic milliseconds of one process; drives every wait. Never written anywhere.
//! * [`BrokerTime`]: epoch milliseconds by the broker's clock; the only time that two workers may compare (leases,
//!   quota journal).
//! * [`WallTime`]: epoch milliseconds by the calendar; event times and the ends of days.
//!
//! All three saturate: a clock that jumps back yields zero differences, never a panic or an overflow.

use serde::{Deserialize, Serialize};

/// Monotonic milliseconds since some start of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Tick(pub u64);

impl Tick {
    /// The instant `ms` milliseconds later.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds since `earlier`; zero when `earlier` is later.
    #[must_use]
    pub const fn since_ms(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Epoch milliseconds by the broker's clock.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct BrokerTime(pub i64);

impl BrokerTime {
    /// The instant `ms` milliseconds later.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(clamp(ms)))
    }

    /// Milliseconds since `earlier`; zero when `earlier` is later.
    #[must_use]
    pub const fn since_ms(self, earlier: Self) -> u64 {
        positive(self.0.saturating_sub(earlier.0))
    }
}

/// Epoch milliseconds by the calendar (UTC).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct WallTime(pub i64);

impl WallTime {
    /// The instant `ms` milliseconds later.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(clamp(ms)))
    }

    /// Milliseconds since `earlier`; zero when `earlier` is later.
    #[must_use]
    pub const fn since_ms(self, earlier: Self) -> u64 {
        positive(self.0.saturating_sub(earlier.0))
    }
}

/// One reading of all clocks, taken by the shell at the same instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// Monotonic time of this process.
    pub tick: Tick,
    /// The broker's clock, as well as this process knows it.
    pub broker: BrokerTime,
    /// The calendar.
    pub wall: WallTime,
}

const fn clamp(ms: u64) -> i64 {
    if ms > i64::MAX as u64 {
        i64::MAX
    } else {
        ms as i64
    }
}

const fn positive(ms: i64) -> u64 {
    if ms < 0 { 0 } else { ms as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_saturate_when_a_clock_jumps_back() {
        assert_eq!(Tick(5).since_ms(Tick(9)), 0);
        assert_eq!(BrokerTime(-5).since_ms(BrokerTime(9)), 0);
        assert_eq!(WallTime(10).since_ms(WallTime(4)), 6);
        assert_eq!(Tick(u64::MAX).plus_ms(1), Tick(u64::MAX));
        assert_eq!(BrokerTime(i64::MAX).plus_ms(u64::MAX), BrokerTime(i64::MAX));
    }
}
