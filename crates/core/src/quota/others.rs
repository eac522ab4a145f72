//! What other applications on the account use of one rolling window, as far as it takes from our part.
//!
//! What the headers show more than before has just come, so it leaves one span from now; what they show less, the
//! oldest, has left. Between two observations what was seen ages out by itself, so that nobody waits for news that only
//! a request can bring.
//!
//! What others may have spent since the last observation is left free as a margin: their average over that time plus
//! three times its spread, as of arrivals at random. It is small right after an answer and grows until the next, so that requests go with the freshest news.

use std::collections::VecDeque;

use crate::time::Tick;

/// No more than this part of the span counts as the time since the last observation: an account that was silent for
/// long must still send something to learn more.
const AGE_PART: u64 = 20;

/// What others use.
#[derive(Debug, Default)]
pub(super) struct Others {
    /// How much leaves when; sorted.
    leaving: VecDeque<(Tick, u32)>,
    count: u32,
    /// All they use, the part that our share leaves them included.
    all: u32,
    left_to_them: u32,
    /// When any were seen after none had been.
    first_at: Tick,
    seen_at: Tick,
    trip_ms: u64,
}

/// What an observation shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Use {
    /// All that others use.
    pub(super) all: u32,
    /// What our share leaves them.
    pub(super) left_to_them: u32,
    /// When what is new leaves.
    pub(super) leaves: Tick,
    /// How old the news is: from the request's grant to its answer.
    pub(super) trip_ms: u64,
}

impl Others {
    pub(super) const fn count(&self) -> u32 {
        self.count
    }

    pub(super) fn is_empty(&self) -> bool {
        self.leaving.is_empty()
    }

    pub(super) fn leaving(&self) -> impl Iterator<Item = (Tick, u32)> {
        self.leaving.iter().copied()
    }

    pub(super) fn expire(&mut self, now: Tick) {
        while let Some((_, count)) = self.leaving.front().filter(|(leaves, _)| *leaves <= now) {
            self.count = self.count.saturating_sub(*count);
            self.leaving.pop_front();
        }
    }

    /// What they will use when they have been there for a span.
    pub(super) fn expected(&self, now: Tick, span_ms: u64) -> u32 {
        let since_ms = now.since_ms(self.first_at).max(span_ms / 10);
        if self.is_empty() || since_ms >= span_ms {
            return self.count;
        }
        let all = u64::from(self.all) * span_ms / since_ms;
        let ours = all.saturating_sub(u64::from(self.left_to_them));
        u32::try_from(ours).unwrap_or(u32::MAX).max(self.count)
    }

    pub(super) fn set(&mut self, now: Tick, seen: Use) {
        self.expire(now);
        if self.all == 0 || now.since_ms(self.seen_at) > seen.leaves.since_ms(now) {
            self.first_at = now;
        }
        let count = seen.all.saturating_sub(seen.left_to_them);
        if count > self.count {
            let more = count - self.count;
            let at = self
                .leaving
                .partition_point(|(other, _)| *other <= seen.leaves);
            match at.checked_sub(1).and_then(|at| self.leaving.get_mut(at)) {
                Some((last, held)) if *last == seen.leaves => *held = held.saturating_add(more),
                _ => self.leaving.insert(at, (seen.leaves, more)),
            }
        }
        let mut less = self.count.saturating_sub(count);
        while less > 0
            && let Some((_, first)) = self.leaving.front_mut()
        {
            let gone = less.min(*first);
            *first -= gone;
            less -= gone;
            if *first == 0 {
                self.leaving.pop_front();
            }
        }
        self.count = count;
        self.all = seen.all;
        self.left_to_them = seen.left_to_them;
        self.seen_at = now;
        self.trip_ms = seen.trip_ms;
    }

    /// What is left free for what they may have spent since they were last seen.
    pub(super) fn margin(&self, now: Tick, span_ms: u64) -> u32 {
        if self.is_empty() {
            return 0;
        }
        let age_ms = now.since_ms(self.seen_at).min(span_ms / AGE_PART) + self.trip_ms;
        // In thousandths.
        let mean = u64::from(self.all).saturating_mul(age_ms) * 1_000 / span_ms.max(1);
        let spread = mean.saturating_mul(1_000).isqrt();
        let margin = (mean + spread * 3).div_ceil(1_000);
        u32::try_from(margin)
            .unwrap_or(u32::MAX)
            .saturating_sub(self.left_to_them.saturating_sub(self.all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(all: u32, left_to_them: u32, leaves: u64) -> Use {
        Use {
            all,
            left_to_them,
            leaves: Tick(leaves),
            trip_ms: 40,
        }
    }

    #[test]
    fn what_is_new_leaves_a_span_later_and_what_is_gone_was_the_oldest() {
        let mut others = Others::default();
        others.set(Tick(0), seen(5, 0, 10_000));
        others.set(Tick(1_000), seen(8, 0, 11_000));
        assert_eq!(
            others.leaving().collect::<Vec<_>>(),
            [(Tick(10_000), 5), (Tick(11_000), 3)]
        );
        others.set(Tick(2_000), seen(7, 0, 12_000));
        assert_eq!(others.leaving().next(), Some((Tick(10_000), 4)));
        others.expire(Tick(10_000));
        assert_eq!(others.count(), 3);
        others.expire(Tick(11_000));
        assert_eq!(
            (others.count(), others.margin(Tick(11_000), 10_000)),
            (0, 0)
        );
    }

    #[test]
    fn the_margin_grows_with_the_time_since_the_last_news_and_the_share_pays_first() {
        // (others in all, left to them, milliseconds since, margin)
        for (all, left_to_them, since_ms, margin) in [
            (76, 0, 0, 2),
            (76, 0, 88, 4),
            (76, 0, 500, 11),
            (76, 0, 60_000, 11),
            (10, 0, 0, 1),
            (76, 38, 88, 4),
            (0, 0, 88, 0),
            (30, 38, 88, 0),
        ] {
            let mut others = Others::default();
            others.set(Tick(0), seen(all, left_to_them, 1_000_000));
            assert_eq!(
                others.margin(Tick(since_ms), 10_000),
                margin,
                "{all} {left_to_them} {since_ms}"
            );
        }
    }
}
