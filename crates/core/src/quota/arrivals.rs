//! How operational requests spread over a day, and what the rest of it will need.
//!
//! Half hours are counted backwards from the day's end: what matters is what is still to come, and a day that clocks
//! make 23 or 25 hours long differs at night, when hardly anybody calls. Whole numbers only.

use crate::time::WallTime;

/// Half hours of a profile.
pub const SLOTS: usize = 48;

/// Length of a slot, milliseconds.
pub const SLOT_MS: u64 = 1_800_000;

/// Requests per 100,000 of a day in each half hour from midnight on, while nothing is known of an account. These are
/// the arrivals at the call centre of a small bank, regular weekdays of 1999, computed from the public counts behind
/// Brown, Gans, Mandelbaum, Sakov, Shen, Zeltyn and Zhao, "Statistical Analysis of a Telephone Call Center", JASA 100
/// (2005) 36–50. Rounded, so they add up to 100,002.
pub const DEFAULT_SHARES: [u32; SLOTS] = [
    203, 128, 77, 51, 34, 29, // from 00:00
    20, 12, 16, 14, 22, 51, // from 03:00
    95, 289, 1_093, 1_498, 2_313, 3_252, // from 06:00
    3_539, 4_263, 4_570, 4_341, 3_970, 3_801, // from 09:00
    3_569, 3_409, 3_605, 3_747, 3_919, 3_850, // from 12:00
    3_868, 3_892, 3_775, 3_651, 3_028, 2_953, // from 15:00
    2_713, 2_412, 2_183, 1_982, 1_725, 2_022, // from 18:00
    1_862, 1_991, 1_808, 1_674, 1_556, 1_127, // from 21:00
];

/// A day with fewer requests says nothing about when they come.
const LEARN_MIN: u32 = 200;

/// A new day counts for one part in so many of the profile: a week and a half until the old one is down to a
/// twentieth, so that one odd day changes little.
const LEARN_PARTS: u64 = 4;

/// Minutes over which the rate of the moment is counted.
const RECENT_MINUTES: usize = 15;
/// Fewer minutes than these make no rate: a burst is not a storm.
const RECENT_MINUTES_MIN: u64 = 5;
const MINUTE_MS: u64 = 60_000;

/// `value × by / of`, rounded up; saturates.
pub(super) fn scaled(value: u64, by: u64, of: u64) -> u64 {
    let product = u128::from(value) * u128::from(by);
    u64::try_from(product.div_ceil(u128::from(of.max(1)))).unwrap_or(u64::MAX)
}

/// Shares of a day's requests by half hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    shares: [u32; SLOTS],
    /// Sums of the last 0, 1, 2 … shares.
    last: [u64; SLOTS + 1],
}

impl Default for Profile {
    fn default() -> Self {
        Self::new(DEFAULT_SHARES)
    }
}

impl Profile {
    fn new(shares: [u32; SLOTS]) -> Self {
        let mut last = [0; SLOTS + 1];
        let mut sum = 0;
        for (share, slot) in shares.iter().rev().zip(last.iter_mut().skip(1)) {
            sum += u64::from(*share);
            *slot = sum;
        }
        Self { shares, last }
    }

    /// A profile as it was recorded; the default when it can't be one.
    pub fn read(shares: &[u32]) -> Self {
        match <[u32; SLOTS]>::try_from(shares) {
            Ok(shares) if shares.iter().any(|share| *share > 0) => Self::new(shares),
            _ => Self::default(),
        }
    }

    /// Its shares, in whatever parts they add up to.
    pub const fn shares(&self) -> &[u32; SLOTS] {
        &self.shares
    }

    /// The whole day, in parts × milliseconds.
    pub(super) const fn whole(&self) -> u64 {
        self.last[SLOTS] * SLOT_MS
    }

    /// What of it comes in the last `left_ms` milliseconds of the day, in parts × milliseconds.
    pub(super) fn after(&self, left_ms: u64) -> u64 {
        let slots = usize::try_from(left_ms / SLOT_MS).unwrap_or(SLOTS);
        match self.last.get(slots..slots.saturating_add(2)) {
            Some([full, more]) => full * SLOT_MS + (more - full) * (left_ms % SLOT_MS),
            _ => self.whole(),
        }
    }

    /// Takes in a whole day's requests by half hours.
    pub(super) fn learn(&mut self, day: &[u32; SLOTS]) {
        let total: u64 = day.iter().map(|count| u64::from(*count)).sum();
        if total < u64::from(LEARN_MIN) {
            return;
        }
        let parts = self.last[SLOTS];
        let mut shares = self.shares;
        for (share, count) in shares.iter_mut().zip(day) {
            // The same number of parts, so that nothing drifts.
            let seen = u64::from(*count) * parts / total;
            let mixed = (u64::from(*share) * (LEARN_PARTS - 1) + seen) / LEARN_PARTS;
            *share = u32::try_from(mixed).unwrap_or(u32::MAX);
        }
        *self = Self::new(shares);
    }
}

/// The slot of an instant `left_ms` before the day's end. The hour that a day of 25 has too many counts as its first
/// half hour.
pub(super) fn slot(left_ms: u64) -> usize {
    let from_end = usize::try_from(left_ms.saturating_sub(1) / SLOT_MS).unwrap_or(SLOTS);
    (SLOTS - 1).saturating_sub(from_end)
}

/// Requests of the last minutes.
#[derive(Debug, Clone, Default)]
pub(super) struct Recent {
    counts: [u32; RECENT_MINUTES],
    minute: i64,
}

impl Recent {
    const fn minute(at: WallTime) -> i64 {
        at.0.div_euclid(MINUTE_MS.cast_signed())
    }

    pub(super) fn add(&mut self, at: WallTime, count: u32) {
        let minute = Self::minute(at);
        let over = usize::try_from(minute - self.minute).unwrap_or(0);
        if over > 0 {
            let kept = RECENT_MINUTES.saturating_sub(over);
            self.counts.copy_within(0..kept, RECENT_MINUTES - kept);
            self.counts[..RECENT_MINUTES - kept].fill(0);
        }
        // A calendar that went back: later minutes are not known any more.
        self.minute = minute;
        self.counts[0] = self.counts[0].saturating_add(count);
    }

    /// Takes back what was added at `at`.
    pub(super) fn take_back(&mut self, at: WallTime, count: u32) {
        let ago = usize::try_from(self.minute - Self::minute(at)).unwrap_or(0);
        if let Some(counted) = self.counts.get_mut(ago) {
            *counted = counted.saturating_sub(count);
        }
    }

    /// How many come in `ahead_ms` milliseconds if it goes on as in the minutes before `at`, or since `since` when that
    /// is later.
    pub(super) fn ahead(&self, at: WallTime, since: WallTime, ahead_ms: u64) -> u64 {
        let over = usize::try_from(Self::minute(at) - self.minute).unwrap_or(0);
        let kept = RECENT_MINUTES.saturating_sub(over);
        let sum: u64 = self.counts[..kept]
            .iter()
            .map(|count| u64::from(*count))
            .sum();
        let longest = RECENT_MINUTES as u64 * MINUTE_MS;
        scaled(
            sum,
            ahead_ms,
            at.since_ms(since)
                .clamp(RECENT_MINUTES_MIN * MINUTE_MS, longest),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_the_day_is_counted_from_its_end() {
        let profile = Profile::default();
        let day_ms = SLOTS as u64 * SLOT_MS;
        assert_eq!(profile.after(day_ms), profile.whole());
        assert_eq!(profile.after(day_ms + 3_600_000), profile.whole());
        assert_eq!(profile.after(0), 0);
        assert_eq!(profile.after(SLOT_MS), 1_127 * SLOT_MS);
        assert_eq!(
            profile.after(SLOT_MS + SLOT_MS / 2),
            (1_127 + 778) * SLOT_MS
        );
        for (left_ms, expected) in [
            (1, 47),
            (SLOT_MS, 47),
            (SLOT_MS + 1, 46),
            (day_ms, 0),
            (day_ms + 1, 0),
        ] {
            assert_eq!(slot(left_ms), expected, "{left_ms}");
        }
    }

    #[test]
    fn a_profile_follows_the_days_it_sees_and_ignores_those_that_say_nothing() {
        let mut profile = Profile::default();
        let mut night = [0; SLOTS];
        night[4] = LEARN_MIN - 1;
        profile.learn(&night);
        assert_eq!(profile, Profile::default());
        night[4] = 100_000;
        for _ in 0..20 {
            profile.learn(&night);
        }
        assert!(profile.shares()[4] > 99_000, "{:?}", profile.shares());
        assert!(profile.shares()[20] < 100);
    }

    #[test]
    fn the_rate_of_the_moment_is_forgotten_after_its_minutes() {
        let at = |minute: i64| WallTime(minute * 60_000);
        let mut recent = Recent::default();
        for minute in 100..115 {
            recent.add(at(minute), 4);
        }
        assert_eq!(recent.ahead(at(114), at(0), 1_800_000), 120);
        assert_eq!(recent.ahead(at(121), at(0), 1_800_000), 64);
        assert_eq!(recent.ahead(at(130), at(0), 1_800_000), 0);
        recent.add(at(50), 1);
        assert!(recent.ahead(at(50), at(0), 900_000) >= 1);
    }
}
