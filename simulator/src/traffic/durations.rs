//! How long a call lasts, and how long one that is going on already lasts yet.
//!
//! A call is a hang-up (uniform 1 to 10 s) with the scenario's share, else a lognormal cut at the longest call. Looked at
//! in the steady state, a call in progress is one of the longer ones: its length is drawn with a probability proportional
//! to the length, and the instant lies uniformly within it.

use rand::Rng;
use rand_distr::{Distribution, LogNormal};

use crate::scenario::{Calls, Durations};

const HANG_UP_S: (f64, f64) = (1.0, 10.0);

/// Lengths of calls of a scenario, milliseconds, compressed.
#[derive(Debug, Clone)]
pub struct DurationLaw {
    law: Durations,
    plain: LogNormal<f64>,
    /// Density proportional to length × density of `plain`: again a lognormal, μ larger by σ².
    biased: LogNormal<f64>,
    hang_up_share: f64,
    compress: f64,
}

/// A call in progress at an instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InProgress {
    /// How long ago it began, milliseconds.
    pub elapsed_ms: f64,
    /// How long it lasts yet, milliseconds.
    pub residual_ms: f64,
    /// Whether it is a hang-up.
    pub hang_up: bool,
}

impl DurationLaw {
    /// The law of these calls; `None` when the lognormal's numbers aren't finite, which a checked scenario's are.
    pub fn new(calls: &Calls) -> Option<Self> {
        let law = calls.durations;
        Some(Self {
            plain: LogNormal::new(law.mu, law.sigma).ok()?,
            biased: LogNormal::new(law.mu + law.sigma * law.sigma, law.sigma).ok()?,
            hang_up_share: calls.hang_up_share,
            compress: calls.compress,
            law,
        })
    }

    /// Mean length, milliseconds.
    pub fn mean_ms(&self) -> f64 {
        let hang_up = f64::midpoint(HANG_UP_S.0, HANG_UP_S.1);
        let mean_s =
            self.hang_up_share * hang_up + (1.0 - self.hang_up_share) * self.conversation_mean_s();
        mean_s * 1_000.0 / self.compress
    }

    /// Mean of the cut lognormal: E[min(X, c)] = e^(μ+σ²/2) Φ((ln c − μ − σ²)/σ) + c (1 − Φ((ln c − μ)/σ)).
    fn conversation_mean_s(&self) -> f64 {
        let Durations { mu, sigma, max_s } = self.law;
        let ln_max = max_s.ln();
        let below =
            f64::exp(mu + sigma * sigma / 2.0) * normal((ln_max - mu - sigma * sigma) / sigma);
        below + max_s * (1.0 - normal((ln_max - mu) / sigma))
    }

    /// Draws a call: its length in milliseconds, and whether it is a hang-up.
    pub fn call(&self, draw: &mut impl Rng) -> (f64, bool) {
        let hang_up = draw.random_bool(self.hang_up_share);
        let seconds = if hang_up {
            draw.random_range(HANG_UP_S.0..=HANG_UP_S.1)
        } else {
            self.plain.sample(draw).min(self.law.max_s)
        };
        (seconds * 1_000.0 / self.compress, hang_up)
    }

    /// Draws a call that is in progress at some instant of the steady state.
    pub fn in_progress(&self, draw: &mut impl Rng) -> InProgress {
        let hang_up_mean = f64::midpoint(HANG_UP_S.0, HANG_UP_S.1);
        let hang_up_weight = self.hang_up_share * hang_up_mean;
        let other_weight = (1.0 - self.hang_up_share) * self.conversation_mean_s();
        let hang_up = draw.random_bool(hang_up_weight / (hang_up_weight + other_weight));
        let seconds = if hang_up {
            // Density proportional to x between the two ends, by inversion.
            let (low, high) = (HANG_UP_S.0 * HANG_UP_S.0, HANG_UP_S.1 * HANG_UP_S.1);
            (low + draw.random::<f64>() * (high - low)).sqrt()
        } else {
            self.biased_conversation(draw)
        };
        let length_ms = seconds * 1_000.0 / self.compress;
        let residual_ms = length_ms * draw.random::<f64>();
        InProgress {
            elapsed_ms: length_ms - residual_ms,
            residual_ms,
            hang_up,
        }
    }

    /// Cut lengths want a density proportional to min(x, c), the biased lognormal has one proportional to x: those
    /// beyond the cut are accepted with probability c/x.
    fn biased_conversation(&self, draw: &mut impl Rng) -> f64 {
        loop {
            let seconds = self.biased.sample(draw);
            if seconds <= self.law.max_s {
                return seconds;
            }
            if draw.random::<f64>() * seconds < self.law.max_s {
                return self.law.max_s;
            }
        }
    }
}

/// Φ, the standard normal distribution function: Abramowitz and Stegun 26.2.17, error below 7.5e-8.
fn normal(x: f64) -> f64 {
    if x < 0.0 {
        return 1.0 - normal(-x);
    }
    let t = 1.0 / (1.0 + 0.231_641_9 * x);
    let series = [
        1.330_274_429,
        -1.821_255_978,
        1.781_477_937,
        -0.356_563_782,
        0.319_381_530,
    ]
    .iter()
    .fold(0.0, |sum, coefficient| (sum + coefficient) * t);
    1.0 - series * (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_distribution_at_known_points() {
        for (x, expect) in [
            (0.0, 0.5),
            (1.0, 0.841_344_7),
            (-1.0, 0.158_655_3),
            (2.326_348, 0.99),
        ] {
            assert!((normal(x) - expect).abs() < 1e-6, "{x}");
        }
    }
}
