//! Token bucket: full at the beginning with N tokens; each second puts in a second's share, up to N.
//!
//! The burst comes on top of the refill: the first exact window holds almost 2 N.

use callflume_core::time::Tick;

use super::Pace;

const REFILL_EVERY_MS: u64 = 1_000;

#[derive(Debug)]
pub(super) struct TokenBucket {
    limit: u32,
    tokens: u32,
    per_refill: u32,
    refilled: Tick,
}

impl TokenBucket {
    pub(super) fn new(limit: u32, span_ms: u64, now: Tick) -> Self {
        let per_refill = u64::from(limit) * REFILL_EVERY_MS / span_ms;
        Self {
            limit,
            tokens: limit,
            per_refill: u32::try_from(per_refill).unwrap_or(limit).max(1),
            refilled: now,
        }
    }

    fn refill(&mut self, now: Tick) {
        let times = now.since_ms(self.refilled) / REFILL_EVERY_MS;
        if times > 0 {
            self.refilled = self.refilled.plus_ms(times * REFILL_EVERY_MS);
            let added = u64::from(self.per_refill) * times;
            self.tokens = u32::try_from(u64::from(self.tokens) + added)
                .unwrap_or(self.limit)
                .min(self.limit);
        }
    }
}

impl Pace for TokenBucket {
    fn take(&mut self, now: Tick) -> Result<(), Tick> {
        self.refill(now);
        if self.tokens == 0 {
            return Err(self.refilled.plus_ms(REFILL_EVERY_MS));
        }
        self.tokens -= 1;
        Ok(())
    }

    fn used(&mut self, now: Tick) -> u32 {
        self.refill(now);
        self.limit - self.tokens
    }

    fn limit(&self) -> u32 {
        self.limit
    }
}
