//! What the CRM's headers say, against what we know: a lower limit, and what others on the account spend.
//!
//! Others = limit − remaining − our own. Of our own, all is subtracted that the CRM *can* have counted: what we
//! occupied at the grant, and what was granted since. So others are never invented; they may be underestimated by what
//! was under way, which the margin covers ([`super::others`]), together with what they may have spent since.
//!
//! Of what others spend, the account's share leaves them its rest for free; only what goes beyond counts against us.

use super::{Quota, shared_limit};
use crate::time::{Now, Tick};
use crate::vendor::{Observation, Span};

use super::others::Use;
use super::pause::AFTER_MIDNIGHT_MS;
use super::permit::{PermitId, Seat};

/// The newest observation of a window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    permit: PermitId,
    at: Tick,
    limit: u32,
    remaining: u32,
}

impl Quota {
    /// See [`super::Limiter::observe`].
    pub(super) fn observed(&mut self, now: Now, permit: PermitId, observations: &[Observation]) {
        let Some(held) = self.permits.get_mut(&permit) else {
            return;
        };
        let granted_at = held.granted_at;
        let mut seats: Vec<Option<Seat>> = Vec::with_capacity(observations.len());
        for observation in observations {
            seats.push(held.seat(observation.window));
            if let Some(remaining) = observation.remaining {
                let full = is_full(remaining, observation.limit.unwrap_or(0));
                held.told.push((observation.window, full));
            }
        }
        for (observation, seat) in observations.iter().zip(seats) {
            let newer = self
                .seen
                .get(observation.window)
                .is_some_and(|seen| seen.is_none_or(|seen| seen.permit < permit));
            // Answers overtake each other; only what is newer counts. A search says nothing of other windows.
            if let (true, Some(seat)) = (newer, seat) {
                self.observe_one(now, permit, *observation, seat, granted_at);
            }
        }
    }

    fn observe_one(
        &mut self,
        now: Now,
        permit: PermitId,
        observation: Observation,
        seat: Seat,
        granted_at: Tick,
    ) {
        let index = observation.window;
        let Some(spec) = self.settings.windows.get(index) else {
            return;
        };
        let (span, configured) = (spec.span, spec.limit);
        let share = self.settings.share_percent.clamp(1, 100);
        let limit = observation
            .limit
            .filter(|limit| *limit > 0)
            .unwrap_or_else(|| {
                // What it was before the share was taken.
                u32::try_from(u64::from(configured) * 100 / u64::from(share)).unwrap_or(u32::MAX)
            });
        let cap = configured.min(shared_limit(limit, share));
        if let Some(slot) = self.caps.get_mut(index) {
            *slot = cap;
        }
        if let Some(Some(window)) = self.rolling.get_mut(index) {
            window.set_cap(cap);
        }
        let Some(remaining) = observation.remaining else {
            return;
        };
        if let Some(seen) = self.seen.get_mut(index) {
            *seen = Some(Seen {
                permit,
                at: now.tick,
                limit,
                remaining,
            });
        }
        let granted_since = self
            .granted
            .get(index)
            .map_or(0, |granted| granted.saturating_sub(seat.granted));
        let granted_since = u32::try_from(granted_since).unwrap_or(u32::MAX);
        let used = limit.saturating_sub(remaining);
        // What the share leaves to others.
        let left_to_others = limit.saturating_sub(cap);
        match span {
            Span::RollingMs(span_ms) => {
                let reset_ms = observation
                    .resets_in_ms
                    .filter(|_| remaining == 0)
                    .map_or(span_ms, |reset_ms| reset_ms.min(span_ms));
                if let Some(Some(window)) = self.rolling.get_mut(index) {
                    let seen = Use {
                        all: used.saturating_sub(seat.own.saturating_add(granted_since)),
                        left_to_them: left_to_others,
                        leaves: now.tick.plus_ms(reset_ms),
                        trip_ms: now.tick.since_ms(granted_at),
                    };
                    window.set_others(now.tick, seen);
                }
            }
            Span::Day => {
                // Shortly after midnight the CRM may still speak of the day before.
                let since_ms = now.wall.since_ms(self.days.last_midnight(now.wall));
                if since_ms >= AFTER_MIDNIGHT_MS {
                    let news = self.days.raise(
                        now.wall,
                        used.saturating_sub(left_to_others)
                            .saturating_add(granted_since),
                    );
                    self.day_took_others(now, news);
                }
            }
            Span::Slots => {}
        }
    }

    /// Whether the CRM's headers, the last seen or those of this very answer, show this window as full or nearly so.
    pub(super) fn told_full(&self, now: Now, permit: PermitId, index: usize) -> Told {
        let told = self.permits.get(&permit).and_then(|held| {
            held.told
                .iter()
                .find(|(window, _)| *window == index)
                .map(|(_, full)| *full)
        });
        let span_ms = match self.settings.windows.get(index).map(|spec| spec.span) {
            Some(Span::RollingMs(span_ms)) => span_ms,
            _ => 0,
        };
        match (told, self.seen.get(index).copied().flatten()) {
            (Some(true), _) => Told::Now,
            (None, Some(seen))
                if is_full(seen.remaining, seen.limit) && now.tick.since_ms(seen.at) < span_ms =>
            {
                Told::Lately
            }
            _ => Told::Not,
        }
    }
}

/// What the headers say about a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// Those of the refusal: full.
    Now,
    /// Those of the refusal are missing; the last ones said that next to nothing was left.
    Lately,
    /// Nothing, or that there was room.
    Not,
}

fn is_full(remaining: u32, limit: u32) -> bool {
    remaining <= (limit / 20).max(5)
}
