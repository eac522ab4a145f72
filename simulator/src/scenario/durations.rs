//! How long calls last: a preset by name, or a lognormal of one's own.
//!
//! Presets: `support` fits the call-centre records of August 1999 behind Brown et al., JASA 100 (2005) 36–50; the
//! other two are chosen, since nobody has published how long calls with voice agents last.

use serde::de::{self, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};

/// A lognormal of seconds, cut at a longest call.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Durations {
    /// Mean of the logarithm of the seconds.
    pub mu: f64,
    /// Standard deviation of the logarithm of the seconds.
    pub sigma: f64,
    /// Longest call, seconds: platforms end a call that lasts longer.
    pub max_s: f64,
}

/// A named distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DurationPreset {
    /// Its name in scenario files.
    pub name: &'static str,
    /// μ in thousandths.
    mu_milli: u32,
    /// σ in thousandths.
    sigma_milli: u32,
    /// Longest call, seconds.
    max_s: u32,
}

/// Longest call when a scenario doesn't say otherwise, seconds.
const MAX_S: f64 = 3_600.0;

impl DurationPreset {
    /// All presets: support (mean 186 s), reception (mean 124 s), outbound conversations (mean 100 s, at most 12 min).
    pub const ALL: [Self; 3] = [
        Self {
            name: "support",
            mu_milli: 4_810,
            sigma_milli: 910,
            max_s: 3_600,
        },
        Self {
            name: "reception",
            mu_milli: 4_500,
            sigma_milli: 800,
            max_s: 3_600,
        },
        Self {
            name: "outbound",
            mu_milli: 4_200,
            sigma_milli: 900,
            max_s: 720,
        },
    ];

    /// The distribution.
    pub fn durations(self) -> Durations {
        Durations {
            mu: f64::from(self.mu_milli) / 1_000.0,
            sigma: f64::from(self.sigma_milli) / 1_000.0,
            max_s: f64::from(self.max_s),
        }
    }
}

impl Default for Durations {
    fn default() -> Self {
        DurationPreset::ALL[0].durations()
    }
}

impl<'de> Deserialize<'de> for Durations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Own {
            mu: f64,
            sigma: f64,
            #[serde(default = "max_s")]
            max_s: f64,
        }
        fn max_s() -> f64 {
            MAX_S
        }
        struct NameOrTable;
        impl<'de> Visitor<'de> for NameOrTable {
            type Value = Durations;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("\"support\", \"reception\", \"outbound\" or { mu = …, sigma = … }")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Durations, E> {
                DurationPreset::ALL
                    .into_iter()
                    .find(|preset| preset.name == name)
                    .map(DurationPreset::durations)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Str(name), &self))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Durations, A::Error> {
                let own = Own::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Durations {
                    mu: own.mu,
                    sigma: own.sigma,
                    max_s: own.max_s,
                })
            }
        }
        deserializer.deserialize_any(NameOrTable)
    }
}
