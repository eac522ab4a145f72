//! Granting and settling: every window of a request at once, its turn and its pace.

use super::permit::{Permit, Seat};
use super::{EN_SHARE, Grant, LATE_ARRIVAL_MS, PermitId, Quota, Settlement};
use crate::lane::Lane;
use crate::time::{Now, Tick};
use crate::vendor::{Charge, Span};

/// Longest span over which enrichment is paced, milliseconds. A longer one is rationed, not spread evenly: a backlog
/// that a day has room for a hundred times over must not take hours.
const PACED_SPAN_MS: u64 = super::rolling::FINE_SPAN_MS;

/// Spacing of paced requests, percent of span / limit. A permit is held for the trip to the CRM on top of the span, so
/// requests at exactly the rate never quite fill the window; a little faster, and what binds is the window itself.
const PACE_PERCENT: u64 = 95;

impl Quota {
    pub(super) fn grant(&mut self, now: Now, lane: Lane, charges: &[Charge]) -> Grant {
        let en_share_due = lane == Lane::En && self.en_is_due();
        if let Some((until, window)) = self.binding(now, lane, charges, en_share_due) {
            return Grant::Wait { until, window };
        }
        let Some(block) = self.journal.take(now, charges) else {
            return Grant::Unwritten;
        };
        self.next_permit += 1;
        let id = PermitId(self.next_permit);
        let mut seats: Vec<Seat> = charges
            .iter()
            .map(|charge| self.seat(now, id, *charge))
            .collect();
        let day_cost = self.day_cost(charges.iter().copied());
        let day = self.days.spend(now.wall, day_cost);
        let op_since_en = self.op_since_en;
        self.op_since_en = match lane {
            Lane::Op => op_since_en.saturating_add(1),
            Lane::En => 0,
        };
        if lane == Lane::Op {
            self.day_took_op(now, day_cost);
        }
        // Operational requests don't wait for the pace, but take part in it: else bulk and they together fill the
        // window before its end, and the next operational request finds nothing.
        for seat in &mut seats {
            let charge = seat.charge;
            let step = self.pace_ms(now.tick, lane, charge);
            seat.step_ms = step;
            // A timer that woke late may catch up one step, no more: bulk must not bunch. None in a long window, whose
            // step differs from one request to the next.
            let behind = if self.course_step_ms(charge.window).is_some() {
                0
            } else {
                step
            };
            if let Some(next) = self.en_next.get_mut(charge.window) {
                *next = Tick(next.0.max(now.tick.0.saturating_sub(behind))).plus_ms(step);
            }
        }
        self.permits.insert(
            id,
            Permit {
                seats,
                lane,
                block,
                granted_at: now.tick,
                day,
                op_since_en,
                refused: false,
                told: Vec::new(),
            },
        );
        Grant::Granted(id)
    }

    /// Takes one window's part of a request.
    fn seat(&mut self, now: Now, id: PermitId, charge: Charge) -> Seat {
        let mut seat = Seat {
            charge,
            own: 0,
            granted: 0,
            zone: false,
            step_ms: 0,
        };
        if let Some(granted) = self.granted.get_mut(charge.window) {
            *granted = granted.saturating_add(u64::from(charge.cost));
            seat.granted = *granted;
        }
        if let Some(Some(window)) = self.rolling.get_mut(charge.window) {
            window.grant(charge.cost);
            seat.own = window.own(now.tick);
            if let Some(learned) = &mut window.learned {
                seat.zone = learned.granted(now.tick, seat.own);
            }
        }
        if let Some(gate) = self.gates.get_mut(charge.window) {
            gate.granted(id);
        }
        seat
    }

    /// What a request costs in the day, if there is one that counts it.
    fn day_cost(&self, charges: impl Iterator<Item = Charge>) -> u32 {
        charges
            .filter(|charge| {
                self.settings
                    .windows
                    .get(charge.window)
                    .is_some_and(|spec| spec.span == Span::Day)
            })
            .map(|charge| charge.cost)
            .sum()
    }

    /// Spacing of enrichment in a window: a rolling window's span over what we may use of it, times the cost. Half as
    /// much while it is tried out whether more is allowed.
    fn pace_ms(&self, now: Tick, lane: Lane, charge: Charge) -> u64 {
        if let Some(step_ms) = self.course_step_ms(charge.window) {
            // A long window's spacing is for what is over; operational requests have their own part of it.
            return match lane {
                Lane::Op => 0,
                Lane::En => step_ms.saturating_mul(charge.cost.into()),
            };
        }
        let Some(Some(window)) = self.rolling.get(charge.window) else {
            return 0;
        };
        if window.span_ms() > PACED_SPAN_MS {
            return 0;
        }
        let reserve = self.settings.reserve;
        let step = window.span_ms() / u64::from(window.ours(now));
        let step = if window.tries_out(now, reserve) {
            step / 2
        } else {
            window.shared_step_ms(now, reserve).unwrap_or(step)
        };
        step.saturating_mul(u64::from(charge.cost))
            .saturating_mul(PACE_PERCENT)
            / 100
    }

    /// The permit was never used: lane and pace stand as if it had not been granted.
    fn undo_turn(&mut self, held: &Permit) {
        self.op_since_en = match held.lane {
            Lane::Op => self.op_since_en.saturating_sub(1),
            Lane::En => self.op_since_en.saturating_add(held.op_since_en),
        };
        for seat in &held.seats {
            if let Some(next) = self.en_next.get_mut(seat.charge.window) {
                *next = Tick(next.0.saturating_sub(seat.step_ms));
            }
        }
    }

    pub(super) fn ended(&mut self, now: Now, permit: PermitId, settlement: Settlement) {
        let Some(held) = self.permits.remove(&permit) else {
            return;
        };
        let answered = settlement == Settlement::Answered;
        for seat in &held.seats {
            let charge = seat.charge;
            if let Some(gate) = self.gates.get_mut(charge.window) {
                gate.settled(permit, answered);
            }
            let Some(Some(window)) = self.rolling.get_mut(charge.window) else {
                continue;
            };
            let trip_ms = now.tick.since_ms(held.granted_at);
            let sure = window.surely_counted(now.tick).saturating_add(charge.cost);
            if let Some(learned) = &mut window.learned {
                learned.settled(seat.zone);
                if seat.zone && answered && !held.refused {
                    learned.proven(sure);
                    window.forget_what_no_longer_binds();
                }
            }
            match settlement {
                Settlement::Answered if window.is_slots() => window.give_back(charge.cost),
                Settlement::Answered => window.settle(now.tick, charge.cost, trip_ms),
                Settlement::Unanswered => {
                    let late = now.tick.plus_ms(LATE_ARRIVAL_MS);
                    window.settle(late, charge.cost, trip_ms + LATE_ARRIVAL_MS);
                }
                Settlement::NotSent => {
                    window.give_back(charge.cost);
                    if let Some(granted) = self.granted.get_mut(charge.window) {
                        *granted = granted.saturating_sub(u64::from(charge.cost));
                    }
                }
            }
        }
        let late_ms = if settlement == Settlement::Unanswered {
            LATE_ARRIVAL_MS
        } else {
            0
        };
        let day_cost = self.day_cost(held.charges());
        if settlement == Settlement::NotSent {
            self.days.give_back(held.day, day_cost);
            if held.lane == Lane::Op {
                self.day_got_op_back(now, held.granted_at, day_cost);
            }
            self.undo_turn(&held);
        } else {
            self.days
                .settle(held.day, now.wall.plus_ms(late_ms), day_cost);
        }
        self.journal.settle(
            held.block,
            held.charges(),
            settlement != Settlement::NotSent,
            now.broker.plus_ms(late_ms),
        );
    }

    /// Whether enrichment has waited for its share. Not while a probe is wanted: that is operational if it can be.
    pub(super) fn en_is_due(&self) -> bool {
        self.op_since_en + 1 >= EN_SHARE
            && self
                .gates
                .iter()
                .all(|gate| gate.probe == super::learn::Probe::None)
    }
}
