//! What is remembered of foreign processes: asks that wait, permits that are open, turns, and how much of each window
//! foreign operational requests have had. What a request costs them. Decisions about it: `foreign`.

use std::collections::{BTreeMap, VecDeque};

use sha2::{Digest as _, Sha256};

use super::AskId;
use crate::account::AccountId;
use crate::event::hex_prefix;
use crate::foreign::{PermitAsk, Refusal};
use crate::lane::Lane;
use crate::quota::PermitId;
use crate::time::Tick;
use crate::vendor::{Charge, Span, Unit, WindowSpec};

/// Part of a window that foreign operational requests may use in one go, besides every other permit: one in so many.
const AHEAD: u64 = 8;
const DAY_MS: u64 = 86_400_000;

/// An ask that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) ask: AskId,
    pub(super) charges: Vec<Charge>,
    pub(super) asked_at: Tick,
    pub(super) answer_by: Tick,
    /// What it waits for, and until when, as far as that is known.
    pub(super) binds: (Option<Tick>, &'static str),
}

/// A permit that is not settled.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) permit: PermitId,
    pub(super) lane: Lane,
    pub(super) charges: Vec<Charge>,
    pub(super) ends_at: Tick,
}

/// What is remembered of foreign processes.
#[derive(Debug)]
pub(super) struct Desk {
    /// Known to this owner alone.
    secret: String,
    named: u64,
    pub(super) windows: Vec<WindowSpec>,
    /// Per lane, oldest first.
    pub(super) waiting: [VecDeque<Waiting>; 2],
    pub(super) open: BTreeMap<String, Open>,
    /// Per lane: an own request went last, so a foreign one is next.
    turn: [bool; 2],
    /// Per window: when all that was taken ahead of time will have been earned.
    earned_at: Vec<Tick>,
}

impl Desk {
    /// For an account with these windows, after its share.
    pub(super) fn new(account: &AccountId, windows: Vec<WindowSpec>, seed: u64) -> Self {
        Self {
            secret: format!("callflume-permit/1\n{account}\n{seed}"),
            named: 0,
            earned_at: vec![Tick(0); windows.len()],
            windows,
            waiting: [VecDeque::new(), VecDeque::new()],
            open: BTreeMap::new(),
            turn: [false; 2],
        }
    }

    /// Whether nobody waits.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.iter().all(VecDeque::is_empty)
    }

    /// Whether a foreign request is next, if there is one that may leave.
    pub(super) const fn is_next(&self, lane: Lane) -> bool {
        self.turn[lane as usize]
    }

    /// One left.
    pub(super) const fn left(&mut self, lane: Lane, foreign: bool) {
        self.turn[lane as usize] = !foreign;
    }

    pub(super) fn name(&mut self) -> String {
        self.named += 1;
        let text = format!("{}\n{}", self.secret, self.named);
        hex_prefix(&Sha256::digest(text.as_bytes()), 16)
    }

    /// What the ask costs, or why it can't be used.
    pub(super) fn price(&self, ask: &PermitAsk) -> Result<Vec<Charge>, Refusal> {
        let known = || {
            let names: Vec<&str> = self.windows.iter().map(|window| window.name).collect();
            format!("this account has {}", names.join(", "))
        };
        if ask.windows.is_empty() {
            return Err(Refusal::new(format!(
                "`windows` is empty; name every window that the request counts in: {}",
                known()
            )));
        }
        let mut charges = Vec::with_capacity(ask.windows.len());
        for (name, cost) in &ask.windows {
            let Some((window, spec)) = self
                .windows
                .iter()
                .enumerate()
                .find(|(_, spec)| spec.name == name)
            else {
                // Not the name: it may be anything.
                return Err(Refusal::new(format!(
                    "`windows` names a window that isn't there; {}",
                    known()
                )));
            };
            let most = match spec.unit {
                Unit::Request => 1,
                Unit::Token => spec.limit,
            };
            if !(1..=most).contains(cost) {
                return Err(Refusal::new(format!(
                    "`windows.{name}` is {cost}; one request costs 1 to {most} there"
                )));
            }
            charges.push(Charge {
                window,
                cost: *cost,
            });
        }
        charges.sort_unstable_by_key(|charge| charge.window);
        Ok(charges)
    }

    /// How far a request of this price sets the allowance of a window back, and how far it may be ahead, milliseconds.
    fn allowance_ms(&self, charge: Charge) -> Option<(u64, u64)> {
        let spec = self.windows.get(charge.window)?;
        let span_ms = match spec.span {
            Span::RollingMs(span_ms) => span_ms,
            Span::Day => DAY_MS,
            Span::Slots => return None,
        };
        let twice_ms = span_ms.saturating_mul(2);
        let step_ms = twice_ms.saturating_mul(charge.cost.into()) / u64::from(spec.limit.max(1));
        Some((step_ms, twice_ms / AHEAD))
    }

    /// From when on a foreign request of this price is operational.
    pub(super) fn urgent_from(&self, charges: &[Charge]) -> Tick {
        charges
            .iter()
            .filter_map(|charge| {
                let (_, ahead_ms) = self.allowance_ms(*charge)?;
                let earned_at = self.earned_at.get(charge.window)?;
                Some(Tick(earned_at.0.saturating_sub(ahead_ms)))
            })
            .max()
            .unwrap_or_default()
    }

    /// Notes what the asks of these prices wait for.
    pub(super) fn bind(
        &mut self,
        lane: Lane,
        whose: impl Fn(&[Charge]) -> bool,
        until: Option<Tick>,
        window: &'static str,
    ) {
        for waiting in &mut self.waiting[lane as usize] {
            if whose(&waiting.charges) {
                waiting.binds = (until, window);
            }
        }
    }

    pub(super) fn took_urgently(&mut self, now: Tick, charges: &[Charge]) {
        for charge in charges {
            let step = self.allowance_ms(*charge);
            if let (Some((step_ms, _)), Some(earned_at)) =
                (step, self.earned_at.get_mut(charge.window))
            {
                *earned_at = (*earned_at).max(now).plus_ms(step_ms);
            }
        }
    }

    /// Whether foreign permits would hold more than half of the slots.
    pub(super) fn crowds(&self, charges: &[Charge]) -> bool {
        charges.iter().any(|charge| {
            let slots = self
                .windows
                .get(charge.window)
                .filter(|spec| spec.span == Span::Slots);
            slots.is_some_and(|spec| {
                let held: u32 = self
                    .open
                    .values()
                    .flat_map(|open| &open.charges)
                    .filter(|held| held.window == charge.window)
                    .map(|held| held.cost)
                    .sum();
                held.saturating_add(charge.cost) > (spec.limit / 2).max(1)
            })
        })
    }
}
