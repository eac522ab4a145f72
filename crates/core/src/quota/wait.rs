//! What a wish for a permit has to wait for, and until when.
//!
//! Everything that binds is looked at, so that the instant promised is the one at which the permit is there, as long
//! as nothing else changes.

use super::Quota;
use super::rolling::Free;
use crate::lane::Lane;
use crate::time::{Now, Tick};
use crate::vendor::Span;

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
        windows: &'static [usize],
        en_share_due: bool,
    ) -> Option<Binding> {
        let due = |until: &Tick| *until > now.tick;
        let mut binds = self
            .paused_until
            .filter(due)
            .map(|until| (Some(until), "pause"));
        if lane == Lane::En && !en_share_due {
            let next = windows
                .iter()
                .filter_map(|&index| self.en_next.get(index).copied())
                .max()
                .filter(due);
            binds = later(binds, next.map(|next| (Some(next), "pace")));
        }
        for &index in windows {
            let Some(spec) = self.settings.windows.get(index) else {
                continue;
            };
            let name = spec.name;
            let paused = self
                .window_paused
                .get(index)
                .copied()
                .flatten()
                .filter(due)
                .map(|until| (Some(until), name));
            binds = later(
                later(binds, paused),
                self.window_binds(now, lane, index, en_share_due),
            );
        }
        binds
    }

    fn window_binds(
        &mut self,
        now: Now,
        lane: Lane,
        index: usize,
        en_share_due: bool,
    ) -> Option<Binding> {
        let spec = self.settings.windows.get(index)?;
        match self.rolling.get_mut(index)? {
            Some(window) => {
                let leave = match (lane, spec.span) {
                    (Lane::En, Span::RollingMs(5_000..)) if !en_share_due => {
                        self.settings.reserve.min(spec.limit.saturating_sub(1))
                    }
                    _ => 0,
                };
                match window.free_from(now.tick, leave) {
                    Free::Now => None,
                    Free::From(at) => Some((Some(at), spec.name)),
                    Free::OnceSettled => Some((None, spec.name)),
                }
            }
            None if self.days.spent(now.wall) >= spec.limit => {
                Some((Some(self.next_midnight(now)), spec.name))
            }
            None => None,
        }
    }
}
