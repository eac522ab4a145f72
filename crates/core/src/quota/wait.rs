//! What a wish for a permit has to wait for, and until when.
//!
//! Everything that binds is looked at, so that the instant promised is the one at which the permit is there, as long
//! as nothing else changes.

use super::Quota;
use super::learn::Probe;
use super::rolling::{FINE_SPAN_MS, Free};
use crate::lane::Lane;
use crate::time::{Now, Tick};
use crate::vendor::{Charge, Span};

/// Until when (`None`: not before something in flight is settled), and the name of what binds.
type Binding = (Option<Tick>, &'static str);

/// The one that binds longer.
fn later(a: Option<Binding>, b: Option<Binding>) -> Option<Binding> {
    match (a, b) {
        (Some((Some(first), _)), Some((Some(second), _))) if second > first => b,
        (Some((Some(_), _)), Some((None, _))) => b,
        (None, _) => b,
        _ => a,
    }
}

impl Quota {
    /// What binds longest; `None` when a permit may be granted now.
    pub(super) fn binding(
        &mut self,
        now: Now,
        lane: Lane,
        charges: &[Charge],
        en_share_due: bool,
    ) -> Option<Binding> {
        let due = |until: &Tick| *until > now.tick;
        let mut binds = self
            .paused_until
            .filter(due)
            .map(|until| (Some(until), "pause"));
        if lane == Lane::En && !en_share_due {
            let next = charges
                .iter()
                .filter_map(|charge| self.en_next.get(charge.window).copied())
                .max()
                .filter(due);
            binds = later(binds, next.map(|next| (Some(next), "pace")));
        }
        for charge in charges {
            let Some(spec) = self.settings.windows.get(charge.window) else {
                continue;
            };
            let name = spec.name;
            let gate = self.gates.get(charge.window);
            let paused = gate
                .and_then(|gate| gate.until)
                .filter(due)
                .map(|until| (Some(until), name));
            let probed = gate
                .filter(|gate| matches!(gate.probe, Probe::Sent(_)))
                .map(|_| (None, name));
            binds = later(
                later(binds, later(paused, probed)),
                self.window_binds(now, lane, *charge, en_share_due),
            );
        }
        binds
    }

    /// Permits of a window that enrichment leaves standing.
    fn standing(&mut self, now: Now, window: usize) -> u32 {
        let allowed = match self.rolling.get(window) {
            Some(Some(rolling)) => rolling.ours(now.tick),
            _ => return 0,
        };
        if let Some(floor) = self.course_floor(window, allowed) {
            return floor;
        }
        match self.reserves.get_mut(window) {
            Some(Some(reserve)) => {
                reserve.set_limit(allowed);
                reserve.permits(now.tick)
            }
            _ => match self.settings.windows.get(window).map(|spec| spec.span) {
                Some(Span::Slots) => self.settings.reserve,
                _ => 0,
            },
        }
    }

    fn window_binds(
        &mut self,
        now: Now,
        lane: Lane,
        charge: Charge,
        en_share_due: bool,
    ) -> Option<Binding> {
        let name = self.settings.windows.get(charge.window)?.name;
        let reserve = self.standing(now, charge.window);
        let Some(window) = self.rolling.get_mut(charge.window)? else {
            return self.day_binds(now, lane, charge, name);
        };
        // Whether more is allowed is found out with whatever there is to send. A day's floor stands in any case.
        let tried = en_share_due || window.tries_out(now.tick, reserve);
        let leave = match lane {
            Lane::En if !tried || window.span_ms() > FINE_SPAN_MS => reserve,
            _ => 0,
        };
        match window.free_from(now.tick, charge.cost, leave) {
            Free::Now => None,
            Free::From(at) => Some((Some(at), name)),
            Free::OnceSettled => Some((None, name)),
        }
    }

    fn day_binds(
        &mut self,
        now: Now,
        lane: Lane,
        charge: Charge,
        name: &'static str,
    ) -> Option<Binding> {
        let cap = self.caps.get(charge.window).copied()?;
        let room = cap.saturating_sub(self.days.spent(now.wall));
        if room < charge.cost.min(cap.max(1)) {
            let until = match lane {
                Lane::Op => self.next_midnight(now),
                Lane::En => self.on_another_day(now, charge),
            };
            return Some((Some(until), name));
        }
        match lane {
            Lane::Op => None,
            Lane::En => self.day_holds(now, charge).map(|until| (Some(until), name)),
        }
    }
}
