//! Settled blocks that only a long window still counts, folded together: a journal of a day's window would otherwise
//! hold every block of a day. One block remains per step of the window (five minutes of 24 hours), which counts as if
//! all of it had been settled with its last part: a successor may see them leave late by a step, never early.

use std::collections::BTreeMap;

use super::CLOCK_ERROR_MS;
use super::rolling::{BUCKETS, FINE_SPAN_MS};
use crate::record::Block;
use crate::time::{BrokerTime, Now};
use crate::vendor::{Span, WindowSpec};

#[derive(Debug)]
pub(super) struct Folded {
    /// Which windows are long.
    long: Vec<bool>,
    /// The longest span that is kept to the millisecond, and the longest of all.
    fine_ms: u64,
    longest_ms: u64,
    /// By step.
    blocks: BTreeMap<i64, Block>,
}

impl Folded {
    pub(super) fn new(windows: &[WindowSpec]) -> Self {
        let spans = || {
            windows.iter().map(|window| match window.span {
                Span::RollingMs(span_ms) => span_ms,
                Span::Day | Span::Slots => 0,
            })
        };
        Self {
            long: spans().map(|span_ms| span_ms > FINE_SPAN_MS).collect(),
            fine_ms: spans()
                .filter(|span_ms| *span_ms <= FINE_SPAN_MS)
                .max()
                .unwrap_or(0),
            longest_ms: spans().max().unwrap_or(0),
            blocks: BTreeMap::new(),
        }
    }

    /// Whether a block that was settled at `end` still has to be written by itself; folds it if only long windows
    /// count it.
    pub(super) fn keeps(
        &mut self,
        now: Now,
        id: u64,
        counts: &[u32],
        granted_at: BrokerTime,
        end: BrokerTime,
    ) -> bool {
        let counts_for = |span_ms: u64| end.plus_ms(span_ms + CLOCK_ERROR_MS) > now.broker;
        if counts_for(self.fine_ms) {
            return true;
        }
        if counts_for(self.longest_ms) {
            let step_ms = i64::try_from((self.longest_ms / BUCKETS).max(1)).unwrap_or(i64::MAX);
            let block = self
                .blocks
                .entry(end.0.div_euclid(step_ms))
                .or_insert_with(|| Block {
                    id,
                    counts: vec![0; self.long.len()],
                    granted_at,
                    settled_at: None,
                });
            for ((held, count), long) in block.counts.iter_mut().zip(counts).zip(&self.long) {
                if *long {
                    *held = held.saturating_add(*count);
                }
            }
            block.granted_at = block.granted_at.min(granted_at);
            block.settled_at = block.settled_at.max(Some(end));
        }
        false
    }

    /// Forgets what no window counts any more.
    pub(super) fn expire(&mut self, now: Now) {
        let keep_ms = self.longest_ms + CLOCK_ERROR_MS;
        self.blocks.retain(|_, block| {
            block
                .settled_at
                .is_some_and(|end| end.plus_ms(keep_ms) > now.broker)
        });
    }

    pub(super) fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.blocks.values()
    }
}
