//! The plan of a run: calls, events in the order they are published, and a digest to compare two runs by.

use callflume_core::account::AccountId;
use callflume_core::event::{ContactRef, Event};
use callflume_core::lane::Lane;
use sha2::{Digest, Sha256};

use super::expect::Expectation;
use super::{arrivals, backlog, events};
use crate::scenario::Scenario;

/// Which way a call goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Somebody calls us.
    Inbound,
    /// We call somebody.
    Outbound,
}

impl Direction {
    /// The word used in events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

/// One call.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedCall {
    /// The voice platform's id; also the mark of the call's record.
    pub call_id: String,
    /// With whom.
    pub contact: ContactRef,
    /// Whether the CRM knows the person before the run.
    pub known: bool,
    /// Which way.
    pub direction: Direction,
    /// When it begins, milliseconds since the start of the run; negative when it is in progress then.
    pub start_ms: i64,
    /// When it ends; may lie after the run.
    pub end_ms: i64,
    /// Whether it ends within the first seconds.
    pub hang_up: bool,
}

/// One event to publish.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedEvent {
    /// Its place in the plan: the backlog first, then the events. Names it towards the oracle.
    pub index: usize,
    /// When it happens and is to be published, milliseconds since the start of the run; negative in the backlog.
    pub at_ms: i64,
    /// Its lane.
    pub lane: Lane,
    /// Place in [`Plan::calls`]; none in the backlog.
    pub call_index: Option<usize>,
    /// The event.
    pub event: Event,
    /// What the CRM must end up holding.
    pub expect: Vec<Expectation>,
}

/// Everything a run publishes.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The account all events are for.
    pub account: AccountId,
    /// The seed it follows from.
    pub seed: u64,
    /// Start of the run, epoch milliseconds; `event.at` is this plus `at_ms`.
    pub start_ms: i64,
    /// Length of the run, milliseconds; no event comes later.
    pub duration_ms: i64,
    /// The calls, by their beginning.
    pub calls: Vec<PlannedCall>,
    /// What is published during the run, by time; strictly rising within a call.
    pub events: Vec<PlannedEvent>,
    /// What waits when the run starts, by time.
    pub backlog: Vec<PlannedEvent>,
}

/// Why a scenario has no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// There are not enough numbers set aside for fiction.
    #[error(
        "the run needs more than {available} callers unknown to the CRM, and no more fictional numbers are left: \
         lower `calls.unknown_share`, `calls.concurrent`, `calls.compress` or `duration_s`"
    )]
    NumbersExhausted {
        /// Numbers there were for them.
        available: u32,
    },
    /// The lognormal can't be drawn from.
    #[error("`calls.durations` is no distribution: use finite `mu` and a `sigma` above 0")]
    Durations,
}

impl Plan {
    /// Plans a run of `scenario` that starts at `start_ms` (epoch milliseconds), about the contacts that the CRM knows
    /// already, as publishers name them (in the order of their seeding, from the first fictional number on).
    pub fn generate(
        scenario: &Scenario,
        account: &AccountId,
        start_ms: i64,
        known: &[ContactRef],
    ) -> Result<Self, PlanError> {
        let duration_ms = scenario.duration_s as i64 * 1_000;
        let mut marks = events::Marks::new(scenario.seed);
        let calls = arrivals::calls(scenario, duration_ms, known, &mut marks)?;
        let mut backlog = backlog::events(scenario, account, start_ms, known, &mut marks);
        let mut events =
            events::of_calls(scenario, account, start_ms, duration_ms, &calls, &mut marks);
        // Stable: events of one call keep their order, and theirs are never equal.
        events.sort_by_key(|event| event.at_ms);
        backlog.sort_by_key(|event| event.at_ms);
        for (index, event) in backlog.iter_mut().chain(&mut events).enumerate() {
            event.index = index;
        }
        Ok(Self {
            account: account.clone(),
            seed: scenario.seed,
            start_ms,
            duration_ms,
            calls,
            events,
            backlog,
        })
    }

    /// Every event: the backlog, then the others; each at the place its `index` says.
    pub fn all(&self) -> impl Iterator<Item = &PlannedEvent> {
        self.backlog.iter().chain(&self.events)
    }

    /// The event with this index.
    pub fn get(&self, index: usize) -> Option<&PlannedEvent> {
        match index.checked_sub(self.backlog.len()) {
            Some(place) => self.events.get(place),
            None => self.backlog.get(index),
        }
    }

    /// Events in all.
    pub fn len(&self) -> usize {
        self.backlog.len() + self.events.len()
    }

    /// Whether there is nothing to publish.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Calls in progress at an instant of the run.
    pub fn concurrent_at(&self, at_ms: i64) -> usize {
        self.calls
            .iter()
            .filter(|call| call.start_ms <= at_ms && at_ms < call.end_ms)
            .count()
    }

    /// The most calls in progress at once, within the run.
    pub fn peak_concurrent(&self) -> usize {
        let mut turns: Vec<(i64, i64)> = Vec::with_capacity(self.calls.len() * 2);
        for call in &self.calls {
            turns.push((call.start_ms.max(0), 1));
            turns.push((call.end_ms, -1));
        }
        // At one instant the ends (−1) come first.
        turns.sort_unstable();
        let mut now = 0;
        let mut peak = 0;
        for (_, step) in turns.iter().filter(|(at_ms, _)| *at_ms <= self.duration_ms) {
            now += step;
            peak = peak.max(now);
        }
        peak as usize
    }

    /// SHA-256 (64 hex digits) of everything published, times relative to the start: two runs with the same digest sent
    /// the same, whenever they took place.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(b"callflume-plan/1\n");
        for event in self.all() {
            let body: serde_json::Map<String, serde_json::Value> = event
                .event
                .body
                .iter()
                .filter(|(name, _)| !name.ends_with("_at"))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            let line = serde_json::json!([
                event.at_ms,
                event.lane.token(),
                event.event.kind,
                event.event.call_id,
                event.event.contact,
                body,
            ]);
            hash.update(line.to_string().as_bytes());
            hash.update(b"\n");
        }
        hash.finalize()
            .iter()
            .fold(String::with_capacity(64), |text, byte| {
                text + &format!("{byte:02x}")
            })
    }
}
