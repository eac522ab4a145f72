//! The journal: blocks of permits, written before they are spent, settled afterwards.
//!
//! Invariant: at any instant the written record counts, for every window, at least the requests that may have left.
//! A successor therefore never grants too much; it may grant too little for a moment, by one block at most.
//! A block may be spent for [`BLOCK_VALID_MS`] after the instant written in it. Once it is used up or too old its counts
//! are what was really used, and it is written in parts: what was settled about the same time, and what is still under
//! way. So one request that is never answered does not make a successor count its neighbours for longer.

use std::collections::BTreeMap;

use super::block::Open;
use super::folded::Folded;
use super::{Days, Settings};
use crate::record::{BLOCK_VALID_MS, Block, JournalRecord, SCHEMA};
use crate::time::{BrokerTime, Now, Tick};
use crate::vendor::{Charge, Span};

#[derive(Debug)]
pub(super) struct Journal {
    /// Block size per window; none for a window of which a block takes what its other windows let it spend.
    sizes: Vec<Option<u32>>,
    /// Per window the most that a request ever cost.
    prices: Vec<u32>,
    /// The windows whose permits come back once a request has ended: a block may spend them more than once.
    slots: Vec<bool>,
    day: Option<usize>,
    folded: Folded,
    blocks: BTreeMap<u64, Open>,
    inherited: Vec<Block>,
    next_id: u64,
    /// The id of the block whose write is in the air; 0 for a write without a new block.
    writing: Option<u64>,
    dirty: bool,
    /// When a settlement or pause that nobody waits for is written at the latest.
    write_by: Option<Tick>,
    /// No write before this instant: the last one failed.
    retry_at: Option<Tick>,
}

/// Pause after a failed write, milliseconds.
const REWRITE_AFTER_MS: u64 = 250;
/// Size of a block of an account without any rolling window.
const DAY_BLOCK: u32 = 64;

/// A settlement that no request waits for is written at most this much later, milliseconds: rarely enough to cost
/// nothing, soon enough that a successor isn't held up by it.
const SETTLE_WITHIN_MS: u64 = 1_000;

impl Journal {
    pub(super) fn new(settings: &Settings, record: Option<&JournalRecord>) -> Self {
        let sizes = settings
            .windows
            .iter()
            .map(|window| match window.span {
                // About a second's worth: a killed owner leaves at most this unsettled.
                Span::RollingMs(_) => Some((window.limit / 8).clamp(window.limit.min(4), 64)),
                Span::Day | Span::Slots => None,
            })
            .collect();
        let inherited = record
            .map(|record| record.blocks.clone())
            .unwrap_or_default();
        let next_id = inherited.iter().map(|block| block.id).max().unwrap_or(0) + 1;
        Self {
            sizes,
            prices: vec![1; settings.windows.len()],
            slots: settings
                .windows
                .iter()
                .map(|window| window.span == Span::Slots)
                .collect(),
            day: settings
                .windows
                .iter()
                .position(|window| window.span == Span::Day),
            folded: Folded::new(&settings.windows),
            blocks: BTreeMap::new(),
            inherited,
            next_id,
            writing: None,
            dirty: false,
            write_by: None,
            retry_at: None,
        }
    }

    /// Takes one permit out of a written block; answers the block.
    pub(super) fn take(&mut self, now: Now, charges: &[Charge]) -> Option<u64> {
        self.close_old(now);
        let (id, open) = self.blocks.iter_mut().find(|(_, open)| {
            !open.closed
                && open.spend_until.is_some()
                && charges.iter().all(|charge| {
                    open.used
                        .get(charge.window)
                        .zip(open.taken.get(charge.window))
                        .is_some_and(|(used, taken)| taken - used >= charge.cost)
                })
        })?;
        for charge in charges {
            for counts in [&mut open.used, &mut open.under_way] {
                if let Some(count) = counts.get_mut(charge.window) {
                    *count += charge.cost;
                }
            }
        }
        open.in_flight += 1;
        Some(*id)
    }

    fn close_old(&mut self, now: Now) {
        for open in self.blocks.values_mut() {
            if !open.closed && open.spend_until.is_some_and(|until| until <= now.tick) {
                open.closed = true;
                self.dirty = true;
            }
        }
        if self.dirty && self.write_by.is_none() {
            self.write_by = Some(now.tick.plus_ms(SETTLE_WITHIN_MS));
        }
    }

    pub(super) fn settle(
        &mut self,
        block: u64,
        charges: impl Iterator<Item = Charge>,
        sent: bool,
        at: BrokerTime,
    ) {
        let Some(open) = self.blocks.get_mut(&block) else {
            return;
        };
        open.settle(charges, sent, at);
        if open.is_settled() {
            self.dirty = true;
        }
    }

    pub(super) const fn mark_dirty(&mut self) {
        self.dirty = true;
    }

    pub(super) const fn is_writing(&self) -> bool {
        self.writing.is_some()
    }

    /// Gives the rest of every block back; that is written at once.
    pub(super) fn close(&mut self, now: Now) {
        for open in self.blocks.values_mut() {
            self.dirty |= !open.closed;
            open.closed = true;
        }
        self.write_by = Some(now.tick);
    }

    pub(super) fn due(
        &mut self,
        now: Now,
        wanted: Option<&[Charge]>,
        free: &[u32],
        days: &Days,
        paused_until: Option<BrokerTime>,
    ) -> Option<JournalRecord> {
        if self.writing.is_some() || self.retry_at.is_some_and(|at| at > now.tick) {
            return None;
        }
        self.retry_at = None;
        self.close_old(now);
        let settlement_due = self.write_by.is_some_and(|by| by <= now.tick) && self.dirty;
        if wanted.is_none() && !settlement_due {
            return None;
        }
        self.drop_past(now);
        let mut new_block = 0;
        if let Some(charges) = wanted {
            for open in self.blocks.values_mut() {
                open.closed = true;
            }
            let taken = self.block_of(charges, free);
            new_block = self.next_id;
            self.next_id += 1;
            self.blocks.insert(
                new_block,
                Open {
                    id: new_block,
                    used: vec![0; taken.len()],
                    under_way: vec![0; taken.len()],
                    taken,
                    in_flight: 0,
                    granted_at: now.broker,
                    asked_at: now.tick,
                    settled: Vec::new(),
                    spend_until: None,
                    closed: false,
                },
            );
        }
        self.writing = Some(new_block);
        self.dirty = false;
        self.write_by = None;
        Some(self.record(now, days, paused_until))
    }

    /// What a new block takes of each window, for requests like these and others.
    fn block_of(&mut self, charges: &[Charge], free: &[u32]) -> Vec<u32> {
        for charge in charges {
            if let Some(price) = self.prices.get_mut(charge.window) {
                *price = charge.cost.max(*price);
            }
        }
        let requests = self
            .sizes
            .iter()
            .zip(free)
            .filter_map(|(size, free)| size.map(|size| size.min(*free)))
            .reduce(u32::saturating_add)
            .unwrap_or(DAY_BLOCK);
        let mut taken: Vec<u32> = (0..self.sizes.len())
            .map(|index| {
                let free = match self.slots.get(index) {
                    Some(true) => u32::MAX,
                    _ => free.get(index).copied().unwrap_or(0),
                };
                let price = self.prices.get(index).copied().unwrap_or(1);
                let size = self.sizes.get(index).copied().flatten();
                size.unwrap_or_else(|| requests.saturating_mul(price))
                    .min(free)
            })
            .collect();
        // The request at hand fits in any case: it was found free, or is dearer than the whole window.
        for charge in charges {
            if let Some(taken) = taken.get_mut(charge.window) {
                *taken = charge.cost.max(*taken);
            }
        }
        taken
    }

    /// Drops or folds blocks that no window, or only a long one, counts any more.
    fn drop_past(&mut self, now: Now) {
        let folded = &mut self.folded;
        folded.expire(now);
        self.blocks.retain(|_, open| {
            !open.is_settled()
                || open
                    .last_settled()
                    .is_some_and(|end| folded.keeps(now, open.id, &open.used, open.granted_at, end))
        });
        // An unsettled inherited block counts as settled only after every bound on it.
        let unsettled_ms = BLOCK_VALID_MS + 60_000;
        self.inherited.retain(|block| {
            let end = block
                .settled_at
                .unwrap_or_else(|| block.granted_at.plus_ms(unsettled_ms));
            folded.keeps(now, block.id, &block.counts, block.granted_at, end)
        });
    }

    fn record(&self, now: Now, days: &Days, paused_until: Option<BrokerTime>) -> JournalRecord {
        let mut blocks: Vec<Block> = self.folded.blocks().cloned().collect();
        blocks.extend(self.inherited.iter().cloned());
        let mut unspent = 0;
        for open in self.blocks.values() {
            let block = |counts: Vec<u32>, settled_at| Block {
                id: open.id,
                counts,
                granted_at: open.granted_at,
                settled_at,
            };
            if !open.closed {
                let of_day = |counts: &[u32]| {
                    self.day
                        .and_then(|day| counts.get(day).copied())
                        .unwrap_or(0)
                };
                unspent += of_day(&open.taken).saturating_sub(of_day(&open.used));
                // It may still be spent: it counts in full.
                blocks.push(block(open.taken.clone(), None));
                continue;
            }
            for (last, counts) in &open.settled {
                blocks.push(block(counts.clone(), Some(*last)));
            }
            if open.in_flight > 0 {
                blocks.push(block(open.under_way.clone(), None));
            }
        }
        JournalRecord {
            schema: SCHEMA,
            blocks,
            days: days.record(now.wall, unspent),
            paused_until,
            autopilot: None,
            learned: Vec::new(),
        }
    }

    pub(super) fn written(&mut self, now: Now, written: bool) {
        let Some(block) = self.writing.take() else {
            return;
        };
        if !written {
            self.dirty = true;
            self.retry_at = Some(now.tick.plus_ms(REWRITE_AFTER_MS));
        }
        if let Some(open) = self.blocks.get_mut(&block) {
            if written {
                let age_ms = now.tick.since_ms(open.asked_at);
                open.spend_until = Some(now.tick.plus_ms(BLOCK_VALID_MS.saturating_sub(age_ms)));
            } else {
                // It may be written all the same; it was never spent, so nothing is owed.
                self.blocks.remove(&block);
            }
        }
    }

    pub(super) fn wake(&self) -> Option<Tick> {
        if self.writing.is_some() {
            return None;
        }
        let spend_end = self
            .blocks
            .values()
            .filter(|open| !open.closed)
            .filter_map(|open| open.spend_until)
            .min();
        // What became dirty in passing has no date yet; the next look gives it one.
        let write = self.dirty.then(|| self.write_by.unwrap_or_default());
        // While a failed write rests, nothing is done before its end: a look would be one in vain.
        let next = [write, spend_end].into_iter().flatten().min();
        self.retry_at.or(next)
    }
}
