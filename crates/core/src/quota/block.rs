//! A block of permits that this owner has taken: what of it is used, under way, settled, and when.

use crate::time::{BrokerTime, Tick};
use crate::vendor::Charge;

/// Settlements that are no further apart, milliseconds, make one part of a block; and a block's parts at most.
const PART_MS: u64 = 500;
const PARTS_MAX: usize = 4;
#[derive(Debug)]
pub(super) struct Open {
    pub(super) id: u64,
    pub(super) taken: Vec<u32>,
    pub(super) used: Vec<u32>,
    pub(super) in_flight: u32,
    /// What of `used` is not settled.
    pub(super) under_way: Vec<u32>,
    pub(super) granted_at: BrokerTime,
    /// The same instant; the broker's clock may be corrected while the write is in the air.
    pub(super) asked_at: Tick,
    /// What was settled about the same time, with the last instant of each.
    pub(super) settled: Vec<(BrokerTime, Vec<u32>)>,
    /// Spendable until then; `None` while its write is in the air, past once it is closed.
    pub(super) spend_until: Option<Tick>,
    pub(super) closed: bool,
}

impl Open {
    pub(super) const fn is_settled(&self) -> bool {
        self.closed && self.in_flight == 0
    }

    pub(super) fn last_settled(&self) -> Option<BrokerTime> {
        self.settled.iter().map(|(at, _)| *at).max()
    }

    /// A request has ended, or never left.
    pub(super) fn settle(
        &mut self,
        charges: impl Iterator<Item = Charge>,
        sent: bool,
        at: BrokerTime,
    ) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let place = if sent { self.part(at) } else { None };
        for charge in charges {
            let window = charge.window;
            if let Some(under_way) = self.under_way.get_mut(window) {
                *under_way = under_way.saturating_sub(charge.cost);
            }
            match place.and_then(|place| self.settled.get_mut(place)?.1.get_mut(window)) {
                Some(settled) => *settled += charge.cost,
                None => {
                    if let Some(used) = self.used.get_mut(window) {
                        *used = used.saturating_sub(charge.cost);
                    }
                }
            }
        }
    }

    /// Where what is settled at this instant is counted: with what was settled shortly before or after.
    fn part(&mut self, at: BrokerTime) -> Option<usize> {
        let near = |other: BrokerTime| at.since_ms(other).max(other.since_ms(at)) <= PART_MS;
        let place = match self.settled.iter().position(|(other, _)| near(*other)) {
            Some(place) => place,
            None if self.settled.len() < PARTS_MAX => {
                self.settled.push((at, vec![0; self.taken.len()]));
                self.settled.len() - 1
            }
            // Too many: it counts with those that count longest.
            None => {
                let last = self.last_settled();
                let longest = |(other, _): &(BrokerTime, _)| Some(*other) == last;
                self.settled.iter().position(longest)?
            }
        };
        let last = &mut self.settled.get_mut(place)?.0;
        *last = (*last).max(at);
        Some(place)
    }
}
