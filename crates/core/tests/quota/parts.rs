//! A block is written in parts: what is settled does not wait for what is not.

use callflume_core::lane::Lane;
use callflume_core::quota::{
    CLOCK_ERROR_MS, Grant, LATE_ARRIVAL_MS, Limiter, PermitId, Quota, Settlement,
};
use callflume_core::record::{BLOCK_VALID_MS, JournalRecord};
use callflume_core::time::{BrokerTime, Now, Tick, WallTime};

use crate::sim::{NOON_MS, TIMEOUT_MS, settings, windows_of};

const SPAN_MS: u64 = 10_000;

fn at(ms: u64) -> Now {
    let epoch_ms = NOON_MS + ms as i64;
    Now {
        tick: Tick(ms),
        broker: BrokerTime(epoch_ms),
        wall: WallTime(epoch_ms),
    }
}

/// An owner that has granted twenty requests at once, all out of the first block.
fn owner() -> (Quota, Vec<PermitId>) {
    let mut quota = Quota::new(settings((190, 5, 100_000), SPAN_MS), at(0), None);
    let mut permits = Vec::new();
    while permits.len() < 20 {
        match quota.ask(at(0), Lane::Op, windows_of(false)) {
            Grant::Granted(permit) => permits.push(permit),
            Grant::Unwritten => {
                assert!(quota.journal_due(at(0), Some(windows_of(false))).is_some());
                quota.journaled(at(0), true);
            }
            Grant::Wait { .. } => panic!("the window is empty"),
        }
    }
    (quota, permits)
}

/// What a successor at this instant finds used.
fn used(record: &JournalRecord, at_ms: u64) -> u32 {
    let mut quota = Quota::new(
        settings((190, 5, 100_000), SPAN_MS),
        at(at_ms),
        Some(record),
    );
    quota.usage(at(at_ms))[0].1
}

#[test]
fn one_request_without_an_answer_holds_up_its_own_place_only() {
    // (how the last of twenty ends, when, until when it counts and the others do)
    let answered_ms = 40;
    let others_ms = answered_ms + SPAN_MS + CLOCK_ERROR_MS;
    let unknown_ms = BLOCK_VALID_MS + TIMEOUT_MS + LATE_ARRIVAL_MS;
    for (last, end_ms) in [
        (None, unknown_ms),
        (Some((Settlement::Answered, 2_500)), 2_500),
        (
            Some((Settlement::Unanswered, TIMEOUT_MS)),
            TIMEOUT_MS + LATE_ARRIVAL_MS,
        ),
        (Some((Settlement::Answered, 45)), 45),
    ] {
        let (mut quota, permits) = owner();
        let (open, rest) = permits.split_last().unwrap();
        for permit in rest {
            quota.settle(at(answered_ms), *permit, Settlement::Answered);
        }
        if let Some((settlement, when_ms)) = last {
            quota.settle(at(when_ms), *open, settlement);
        }
        let written_ms = TIMEOUT_MS + 100;
        quota.close(at(written_ms));
        let record = quota.journal_due(at(written_ms), None).unwrap();
        let last_ms = end_ms + SPAN_MS + CLOCK_ERROR_MS;
        // What ended about the same time counts together.
        let together = end_ms - answered_ms < 500;
        let rest_ms = if together { last_ms } else { others_ms };
        assert_eq!(used(&record, rest_ms - 1), 20, "{last:?}");
        let left = u32::from(!together);
        assert_eq!(used(&record, rest_ms + 1), left, "{last:?}");
        assert_eq!(
            used(&record, last_ms - 1),
            if together { 20 } else { 1 },
            "{last:?}"
        );
        assert_eq!(used(&record, last_ms + 1), 0, "{last:?}");
    }
}

#[test]
fn a_block_with_many_stragglers_is_never_counted_for_shorter_than_they_are() {
    let (mut quota, permits) = owner();
    let ends_ms: Vec<u64> = (0..permits.len() as u64).map(|n| 10 + n * 140).collect();
    for (permit, end_ms) in permits.iter().zip(&ends_ms) {
        quota.settle(at(*end_ms), *permit, Settlement::Answered);
    }
    quota.close(at(4_000));
    let record = quota.journal_due(at(4_000), None).unwrap();
    assert!(record.blocks.len() <= 4, "{:?}", record.blocks);
    for after_ms in (4_000..14_000).step_by(50) {
        let owed = ends_ms
            .iter()
            .filter(|end| **end + SPAN_MS > after_ms)
            .count();
        assert!(used(&record, after_ms) as usize >= owed, "{after_ms}");
    }
}
