//! The strategies: when a request may leave, as usual libraries and as Callflume decide it.
//!
//! Each has the settings its users write: the published limit and its window. None reads headers or keeps a journal;
//! all but Callflume's own know one process, one window and no lanes (the dispatcher asks for operational requests first
//! all the same). A refused request is repeated after a second, and nothing else leaves until then.

mod fixed_window;
mod gcra;
mod token_bucket;

use std::fmt::Debug;
use std::str::FromStr;

use callflume_core::lane::Lane;
use callflume_core::quota::{Grant, Limiter, PermitId, Settlement};
use callflume_core::time::{Now, Tick};
use callflume_core::vendor::Charge;

use self::fixed_window::FixedWindow;
use self::gcra::Gcra;
use self::token_bucket::TokenBucket;
use super::scenarios::{LIMIT, SPAN_S};
use super::vendor::WINDOW;

/// Who competes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strategy {
    /// The quota engine of this project.
    Callflume,
    /// No queue, no limiter: every write is sent when it comes up, and repeated with growing waits when it is refused.
    Direct,
    /// N requests in each window of the sender's clock.
    FixedWindow,
    /// A bucket of N tokens, N per window put in each second anew.
    TokenBucket,
    /// The generic cell rate algorithm with a burst of N.
    Gcra,
}

impl Strategy {
    /// All, ours first.
    pub const ALL: [Self; 5] = [
        Self::Callflume,
        Self::Direct,
        Self::FixedWindow,
        Self::TokenBucket,
        Self::Gcra,
    ];

    /// Name in tables and arguments.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Callflume => "callflume",
            Self::Direct => "direct",
            Self::FixedWindow => "fixed_window",
            Self::TokenBucket => "token_bucket",
            Self::Gcra => "gcra",
        }
    }

    /// The limiter that takes the quota engine's place; none where there is nothing to replace.
    pub(super) fn limiter(self, now: Tick) -> Option<Box<dyn Limiter>> {
        match self {
            Self::Callflume | Self::Direct => None,
            Self::FixedWindow => Some(Paced::boxed(FixedWindow::new(LIMIT, SPAN_S * 1_000, now))),
            Self::TokenBucket => Some(Paced::boxed(TokenBucket::new(LIMIT, SPAN_S * 1_000, now))),
            Self::Gcra => Some(Paced::boxed(Gcra::new(LIMIT, SPAN_S * 1_000, now))),
        }
    }
}

impl FromStr for Strategy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|strategy| strategy.name() == text)
            .ok_or_else(|| {
                let names: Vec<&str> = Self::ALL.iter().map(|strategy| strategy.name()).collect();
                format!("no such strategy; there are {}", names.join(", "))
            })
    }
}

/// How long a refused request waits, milliseconds, when the CRM doesn't say.
const REFUSED_MS: u64 = 1_000;
/// How long one waits that is refused for the day, milliseconds.
const DAY_REFUSED_MS: u64 = 60_000;

/// Numbers of permits, and the wait after a refusal.
#[derive(Debug, Default)]
struct Pauses {
    until: Option<Tick>,
    granted: u64,
}

impl Pauses {
    fn until(&mut self, until: Tick) {
        self.until = Some(self.until.map_or(until, |other| other.max(until)));
    }
}

/// When one window lets the next request through: what the three differ in.
trait Pace: Send + Debug {
    /// Takes one; else answers when there is one.
    fn take(&mut self, now: Tick) -> Result<(), Tick>;

    /// How many count at the moment.
    fn used(&mut self, now: Tick) -> u32;

    /// How many may.
    fn limit(&self) -> u32;
}

/// A pace with its pauses.
#[derive(Debug)]
struct Paced<P> {
    pace: P,
    pauses: Pauses,
}

impl<P: Pace + 'static> Paced<P> {
    fn boxed(pace: P) -> Box<dyn Limiter> {
        Box::new(Self {
            pace,
            pauses: Pauses::default(),
        })
    }
}

impl<P: Pace> Limiter for Paced<P> {
    fn ask(&mut self, now: Now, _lane: Lane, _charges: &[Charge]) -> Grant {
        if let Some(until) = self.pauses.until.filter(|until| *until > now.tick) {
            return Grant::Wait {
                until: Some(until),
                window: "pause",
            };
        }
        match self.pace.take(now.tick) {
            Ok(()) => {
                self.pauses.granted += 1;
                Grant::Granted(PermitId(self.pauses.granted))
            }
            Err(until) => Grant::Wait {
                until: Some(until),
                window: WINDOW,
            },
        }
    }

    fn throttled(&mut self, now: Now, _permit: PermitId, _window: &str, hint_ms: Option<u64>) {
        self.pauses
            .until(now.tick.plus_ms(hint_ms.unwrap_or(REFUSED_MS)));
    }

    fn day_exhausted(&mut self, now: Now) -> bool {
        let news = self.paused_for_ms(now.tick) < DAY_REFUSED_MS / 2;
        self.pauses.until(now.tick.plus_ms(DAY_REFUSED_MS));
        news
    }

    fn settle(&mut self, _now: Now, _permit: PermitId, _settlement: Settlement) {
        // Counted when granted: what came of it changes nothing.
    }

    fn pause(&mut self, until: Tick) {
        self.pauses.until(until);
    }

    fn paused_for_ms(&self, now: Tick) -> u64 {
        self.pauses.until.map_or(0, |until| until.since_ms(now))
    }

    fn resume(&mut self) {
        self.pauses.until = None;
    }

    fn usage(&mut self, now: Now) -> Vec<(&'static str, u32, u32)> {
        vec![(WINDOW, self.pace.used(now.tick), self.pace.limit())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Instants of the grants, milliseconds, of somebody who always wants.
    fn grants(strategy: Strategy, until_ms: u64) -> Vec<u64> {
        let mut limiter = strategy.limiter(Tick(0)).unwrap();
        let mut at = Tick(0);
        let mut grants = Vec::new();
        while at.0 <= until_ms {
            let now = Now {
                tick: at,
                ..Now::default()
            };
            match limiter.ask(now, Lane::En, &[]) {
                Grant::Granted(_) => grants.push(at.0),
                Grant::Wait {
                    until: Some(until), ..
                } => at = until,
                other => panic!("{other:?}"),
            }
        }
        grants
    }

    #[test]
    fn each_spends_its_limit_at_once_and_goes_on_as_it_is_known_for() {
        for (strategy, at_once, in_ten_seconds, in_twenty) in [
            (Strategy::FixedWindow, 190, 190, 380),
            (Strategy::TokenBucket, 190, 190 + 9 * 19, 190 + 19 * 19),
            (Strategy::Gcra, 190, 190 + 189, 190 + 379),
        ] {
            let grants = grants(strategy, 30_000);
            let until = |ms: u64| grants.iter().filter(|at| **at < ms).count();
            assert_eq!(
                (until(1), until(10_000), until(20_000)),
                (at_once, in_ten_seconds, in_twenty),
                "{}",
                strategy.name()
            );
        }
    }

    #[test]
    fn after_a_refusal_nothing_leaves_for_a_second() {
        for strategy in [Strategy::FixedWindow, Strategy::TokenBucket, Strategy::Gcra] {
            let mut limiter = strategy.limiter(Tick(0)).unwrap();
            let now = Now::default();
            limiter.throttled(now, PermitId(1), "", None);
            assert_eq!(
                limiter.ask(now, Lane::Op, &[]),
                Grant::Wait {
                    until: Some(Tick(1_000)),
                    window: "pause"
                },
                "{}",
                strategy.name()
            );
        }
    }

    #[test]
    fn names_read_back() {
        for strategy in Strategy::ALL {
            assert_eq!(strategy.name().parse(), Ok(strategy));
        }
        assert!("quota".parse::<Strategy>().unwrap_err().contains("gcra"));
    }
}
