//! Seeded randomness for jitter.
//!
//! SplitMix64 (Steele, Lea and Flood 2014): a few lines, good enough to spread retries, and the same sequence
//! everywhere for the same seed, which replay needs.

/// A seeded stream of numbers.
#[derive(Debug, Clone)]
pub struct Seed(u64);

impl Seed {
    /// A stream of its own for each seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A whole number below `bound`; zero for a bound of zero.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let z = z ^ (z >> 31);
        if bound == 0 { 0 } else { z % bound }
    }
}

/// Exponential backoff with full jitter: a random wait below `min(cap, base × 2^(attempt−1))`, at least `base / 2`.
pub fn backoff_ms(seed: &mut Seed, attempt: u32, base_ms: u64, cap_ms: u64) -> u64 {
    let doublings = attempt.saturating_sub(1).min(20);
    let ceiling = base_ms.saturating_mul(1 << doublings).min(cap_ms).max(1);
    (base_ms / 2).max(seed.below(ceiling))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_stays_below_its_cap_and_repeats_for_a_seed() {
        let run = || {
            let mut seed = Seed::new(7);
            (1..=30)
                .map(|attempt| backoff_ms(&mut seed, attempt, 200, 30_000))
                .collect::<Vec<_>>()
        };
        let waits = run();
        assert_eq!(waits, run());
        assert!(waits.iter().all(|wait| (100..30_000).contains(wait)));
        assert!(waits.iter().skip(10).any(|wait| *wait > 5_000));
    }
}
