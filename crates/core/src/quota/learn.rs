//! Learning a limit that is lower than the published one, and that it is back.
//!
//! A throttled answer that nothing foretold says that the CRM takes less than it did, not how much less. So:
//!
//! 1. **Cut**: the level, what we let ourselves occupy, falls to half of what we occupied; answers to what was under way
//!    by then say nothing new. Nothing leaves before the CRM's own hint, else before our oldest request has left.
//! 2. **Probe**: one request, operational if there is one. Refused: the level is one, and grows once the window is empty.
//! 3. **Hold** the level for one span.
//! 4. **Grow**: above the level goes one request at a time (more once the level has risen by much), until the level
//!    is what is allowed anyway, or one is refused: then hold again, at the level.
//!
//! Invariant: the level never rises above what the CRM surely took since the last cut: of what we count, those are
//! left out that may have left its window already. So with a constant limit a hold sees no refusal, and growth at most
//! one; two refusals are at least a span apart.

use super::permit::Seat;
use super::truth::Told;
use super::{PermitId, Quota};
use crate::record::LearnedRecord;
use crate::time::{BrokerTime, Now, Tick};
use crate::vendor::{Span, WindowSpec};

/// How far above the level growth reaches, and how far below it begins to go one at a time: what may have left the
/// CRM's window but not ours is no more than that at usual rates.
pub(super) const ZONE: u32 = 3;
/// Pause when nothing says how long, milliseconds: a window whose name is unknown, slots, a day.
const THROTTLED_MS: u64 = 1_000;

/// What was learnt about one window.
#[derive(Debug)]
pub(super) struct Learned {
    level: u32,
    /// The level at the last refusal.
    base: u32,
    held_until: Tick,
    /// Requests under way that were granted near the level or above.
    probing: u32,
}

impl Learned {
    /// What an owner that is gone had learnt. What it had under way is counted by what it left in the journal.
    const fn inherited(level: u32, held_until: Tick) -> Self {
        Self {
            level,
            base: level,
            held_until,
            probing: 0,
        }
    }

    pub(super) const fn level(&self) -> u32 {
        self.level
    }

    pub(super) const fn held_until(&self) -> Tick {
        self.held_until
    }

    pub(super) fn is_growing(&self, now: Tick) -> bool {
        self.held_until <= now
    }

    /// What our own requests may occupy.
    pub(super) fn allowed(&self, now: Tick) -> u32 {
        if self.is_growing(now) {
            self.level.saturating_add(ZONE)
        } else {
            self.level
        }
    }

    fn in_zone(&self, now: Tick, own: u32) -> bool {
        self.is_growing(now) && own.saturating_add(ZONE) > self.level
    }

    /// Whether a request that would make it `own` has to wait for the answer to another one.
    pub(super) fn waits_for_probe(&self, now: Tick, own: u32) -> bool {
        let at_once = 1 + 4 * self.level.saturating_sub(self.base) / self.base.max(1);
        self.in_zone(now, own) && self.probing >= at_once
    }

    /// Counts a grant; answers whether it is one of those that go one at a time.
    pub(super) fn granted(&mut self, now: Tick, own: u32) -> bool {
        let zone = self.in_zone(now, own);
        self.probing += u32::from(zone);
        zone
    }

    pub(super) const fn settled(&mut self, zone: bool) {
        if zone {
            self.probing = self.probing.saturating_sub(1);
        }
    }

    /// The CRM surely took so many.
    pub(super) const fn proven(&mut self, own: u32) {
        if own > self.level {
            self.level = own;
        }
    }
}

/// A window's pause after a throttled answer.
#[derive(Debug, Default)]
pub(super) struct Gate {
    pub(super) until: Option<Tick>,
    /// After the pause one request goes ahead of all others.
    pub(super) probe: Probe,
    /// Requests up to this one were granted before the last refusal was known.
    known: PermitId,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Probe {
    #[default]
    None,
    Wanted,
    Sent(PermitId),
}

impl Gate {
    pub(super) fn pause(&mut self, until: Tick) {
        self.until = Some(self.until.map_or(until, |earlier| earlier.max(until)));
        self.probe = Probe::Wanted;
    }

    pub(super) const fn open(&mut self) {
        self.until = None;
        self.probe = Probe::None;
    }

    pub(super) fn granted(&mut self, permit: PermitId) {
        if self.probe == Probe::Wanted {
            self.probe = Probe::Sent(permit);
        }
    }

    /// The probe ended; unless it was answered, the next one is it.
    pub(super) fn settled(&mut self, permit: PermitId, answered: bool) {
        if self.probe == Probe::Sent(permit) {
            self.probe = if answered { Probe::None } else { Probe::Wanted };
        }
    }
}

impl Quota {
    /// What a successor should know, so that it isn't refused once more for what this owner was.
    pub(super) fn learned_record(&self, now: Now) -> Vec<LearnedRecord> {
        let broker = |at: Tick| now.broker.plus_ms(at.since_ms(now.tick));
        let windows = self.settings.windows.iter().zip(&self.rolling);
        windows
            .zip(&self.gates)
            .filter_map(|((spec, window), gate)| {
                let learned = window.as_ref()?.learned.as_ref()?;
                Some(LearnedRecord {
                    window: spec.name.to_owned(),
                    level: learned.level,
                    held_until: broker(learned.held_until),
                    paused_until: gate.until.filter(|until| *until > now.tick).map(broker),
                })
            })
            .collect()
    }

    /// Takes over what a predecessor had learnt; what names no window of ours, or no longer binds, is left out.
    pub(super) fn inherit_learned(&mut self, now: Now, records: &[LearnedRecord]) {
        let tick = |at: BrokerTime| now.tick.plus_ms(at.since_ms(now.broker));
        for record in records {
            let named = |spec: &WindowSpec| spec.name == record.window;
            let Some(index) = self.settings.windows.iter().position(named) else {
                continue;
            };
            let Some(Some(window)) = self.rolling.get_mut(index) else {
                continue;
            };
            if record.level >= window.cap() {
                continue;
            }
            window.learned = Some(Learned::inherited(
                record.level.max(1),
                tick(record.held_until),
            ));
            let paused = record.paused_until.filter(|until| *until > now.broker);
            if let (Some(gate), Some(until)) = (self.gates.get_mut(index), paused) {
                gate.pause(tick(until));
            }
        }
    }

    /// See [`super::Limiter::throttled`].
    pub(super) fn refused(&mut self, now: Now, permit: PermitId, name: &str, hint_ms: Option<u64>) {
        let hint = hint_ms.map(|wait| now.tick.plus_ms(wait));
        let named = self
            .settings
            .windows
            .iter()
            .position(|window| window.name == name);
        if named.is_none() {
            self.pause_until(hint.unwrap_or_else(|| now.tick.plus_ms(THROTTLED_MS)));
        }
        let Some(index) = named.or_else(|| self.likely_full(now, permit)) else {
            return;
        };
        let seat = self.permits.get_mut(&permit).and_then(|held| {
            held.refused = true;
            held.seat(index)
        });
        let until = match self.settings.windows.get(index).map(|spec| spec.span) {
            Some(Span::RollingMs(_)) => self.learn(now, permit, index, seat, hint),
            _ => Some(hint.unwrap_or_else(|| now.tick.plus_ms(THROTTLED_MS))),
        };
        if let (Some(gate), Some(until)) = (self.gates.get_mut(index), until) {
            gate.pause(until);
            // A successor should know.
            self.journal.mark_dirty();
        }
    }

    /// The window that an answer most likely means which doesn't say: of those the request counts in, the rolling one
    /// with the least free.
    fn likely_full(&mut self, now: Now, permit: PermitId) -> Option<usize> {
        self.permits
            .get(&permit)?
            .charges()
            .map(|charge| charge.window)
            .filter(|&index| {
                matches!(
                    self.settings.windows.get(index).map(|spec| spec.span),
                    Some(Span::RollingMs(_))
                )
            })
            .min_by_key(|&index| {
                self.rolling
                    .get_mut(index)
                    .and_then(Option::as_mut)
                    .map_or(u32::MAX, |window| {
                        window.free(now.tick).saturating_mul(1_000) / window.cap().max(1)
                    })
            })
    }

    /// Cuts or holds; answers until when the window pauses, `None` when it says nothing new.
    fn learn(
        &mut self,
        now: Now,
        permit: PermitId,
        index: usize,
        seat: Option<Seat>,
        hint: Option<Tick>,
    ) -> Option<Tick> {
        let told = self.told_full(now, permit, index);
        let gate = self.gates.get_mut(index)?;
        let window = self.rolling.get_mut(index)?.as_mut()?;
        if permit <= gate.known {
            return hint;
        }
        let was_probe = gate.probe == Probe::Sent(permit);
        let span_ms = window.span_ms();
        gate.known = PermitId(self.next_permit);
        let own = seat.map_or(1, |seat| seat.own);
        let leaves = if was_probe && told != Told::Now {
            window.newest_leaves()
        } else {
            window.oldest_leaves(now.tick)
        };
        let until = hint
            .or(leaves.filter(|at| *at > now.tick))
            .unwrap_or_else(|| now.tick.plus_ms(span_ms));
        let held_until = now.tick.plus_ms(span_ms).max(until);
        match &mut window.learned {
            Some(learned) if seat.is_some_and(|seat| seat.zone) => {
                learned.base = learned.level;
                learned.held_until = held_until;
            }
            // The headers agree: it is others who use it, and they are counted already. If the headers don't say so
            // of the refusal itself, it is believed once.
            _ if told == Told::Now || told == Told::Lately && !was_probe => {}
            learned => {
                // A probe that is refused too leaves nothing to go by: from one upwards, as soon as the window is
                // empty.
                let (level, held_until) = if was_probe {
                    (1, until)
                } else {
                    ((own / 2).max(1), held_until)
                };
                let probing = learned.as_ref().map_or(0, |learned| learned.probing);
                *learned = Some(Learned {
                    level,
                    base: level,
                    held_until,
                    probing,
                });
            }
        }
        Some(until)
    }
}
