//! Fixed window: N requests in each window of the sender's own clock, spent as soon as there is work.
//!
//! Two windows side by side may put up to 2 N requests into one exact window, and what a request takes on its way moves
//! it against its neighbours.

use callflume_core::time::Tick;

use super::Pace;

#[derive(Debug)]
pub(super) struct FixedWindow {
    limit: u32,
    span_ms: u64,
    starts: Tick,
    spent: u32,
}

impl FixedWindow {
    pub(super) fn new(limit: u32, span_ms: u64, now: Tick) -> Self {
        Self {
            limit,
            span_ms,
            starts: now,
            spent: 0,
        }
    }

    /// Begins the window that `now` lies in.
    fn turn(&mut self, now: Tick) {
        let past = now.since_ms(self.starts) / self.span_ms;
        if past > 0 {
            self.starts = self.starts.plus_ms(past * self.span_ms);
            self.spent = 0;
        }
    }
}

impl Pace for FixedWindow {
    fn take(&mut self, now: Tick) -> Result<(), Tick> {
        self.turn(now);
        if self.spent >= self.limit {
            return Err(self.starts.plus_ms(self.span_ms));
        }
        self.spent += 1;
        Ok(())
    }

    fn used(&mut self, now: Tick) -> u32 {
        self.turn(now);
        self.spent
    }

    fn limit(&self) -> u32 {
        self.limit
    }
}
