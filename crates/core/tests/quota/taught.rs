//! What refusals have taught an owner, its successor knows too.

use callflume_core::lane::Lane;
use callflume_core::quota::{Grant, Limiter, PermitId, Quota, Settlement};
use callflume_core::record::{JournalRecord, LearnedRecord};
use callflume_core::time::{BrokerTime, Now, Tick, WallTime};

use crate::sim::{NOON_MS, settings, windows_of};

const LIMITS: (u32, u32, u32) = (20, 5, 1_000);
const SPAN_MS: u64 = 10_000;

/// So many milliseconds after noon, by the clock of a process that began `started_ms` after noon.
fn at(ms: u64, started_ms: u64) -> Now {
    let after = |ms: u64| NOON_MS + i64::try_from(ms).unwrap();
    Now {
        tick: Tick(ms - started_ms),
        broker: BrokerTime(after(ms)),
        wall: WallTime(after(ms)),
    }
}

fn granted(quota: &mut Quota, now: Now) -> PermitId {
    loop {
        match quota.ask(now, Lane::Op, windows_of(false)) {
            Grant::Granted(permit) => return permit,
            Grant::Unwritten => written(quota, now),
            Grant::Wait { until, window } => panic!("waits for {window} until {until:?}"),
        }
    }
}

fn written(quota: &mut Quota, now: Now) {
    assert!(quota.journal_due(now, Some(windows_of(false))).is_some());
    quota.journaled(now, true);
}

/// An owner that sent ten requests of twenty and was refused the tenth.
fn refused() -> (Quota, JournalRecord) {
    let mut quota = Quota::new(settings(LIMITS, SPAN_MS), at(0, 0), None);
    let permits: Vec<PermitId> = (0..10).map(|_| granted(&mut quota, at(0, 0))).collect();
    let now = at(50, 0);
    for (place, permit) in permits.into_iter().enumerate() {
        if place == 9 {
            quota.throttled(now, permit, "requests", None);
        }
        quota.settle(now, permit, Settlement::Answered);
    }
    // The shell looks whenever the engine wants to be asked.
    let mut due = now;
    let record = loop {
        match quota.journal_due(due, None) {
            Some(record) => break record,
            None => due = at(quota.journal_wake().unwrap().0.max(due.tick.0), 0),
        }
    };
    quota.journaled(due, true);
    (quota, record)
}

fn allowed(quota: &mut Quota, now: Now) -> u32 {
    let usage = quota.usage(now);
    let (_, _, allowed) = usage.iter().find(|(name, ..)| *name == "requests").unwrap();
    *allowed
}

#[test]
fn a_successor_keeps_to_the_level_that_was_learnt_and_to_its_pause() {
    let (mut before, record) = refused();
    // Through the bucket and back.
    let stored = serde_json::to_vec(&record).unwrap();
    let record: JournalRecord = serde_json::from_slice(&stored).unwrap();
    let now = at(7_000, 6_500);
    let mut after = Quota::new(settings(LIMITS, SPAN_MS), now, Some(&record));
    assert_eq!(allowed(&mut before, at(7_000, 0)), 5);
    assert_eq!(allowed(&mut after, now), 5);
    let wait = after.ask(now, Lane::Op, windows_of(false));
    assert!(matches!(wait, Grant::Wait { .. }), "{wait:?}");
    // What it taught about one window says nothing of another.
    let search = after.ask(now, Lane::Op, windows_of(true));
    assert!(!matches!(search, Grant::Wait { .. }), "{search:?}");
    // A span after the pause it is tried whether more is allowed.
    assert!(allowed(&mut after, at(40_000, 6_500)) > 5);
}

#[test]
fn what_is_no_longer_so_is_left_out() {
    let (_, record) = refused();
    let learned = record.learned[0].clone();
    assert_eq!((learned.window.as_str(), learned.level), ("requests", 5));
    for (change, expect) in [
        (
            LearnedRecord {
                window: "gone".into(),
                ..learned.clone()
            },
            20,
        ),
        (
            LearnedRecord {
                level: 20,
                ..learned.clone()
            },
            20,
        ),
        (
            LearnedRecord {
                level: 0,
                ..learned
            },
            1,
        ),
    ] {
        let record = JournalRecord {
            learned: vec![change],
            ..record.clone()
        };
        let now = at(7_000, 6_500);
        let mut after = Quota::new(settings(LIMITS, SPAN_MS), now, Some(&record));
        assert_eq!(allowed(&mut after, now), expect);
    }
    // The record of an owner that knew nothing of this.
    let old: JournalRecord = serde_json::from_str(r#"{"schema":1,"blocks":[],"days":{}}"#).unwrap();
    assert!(old.learned.is_empty());
}
