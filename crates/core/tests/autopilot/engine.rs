//! Reserve and autopilot within the engine.

use callflume_core::lane::Lane;
use callflume_core::quota::{Advice, Grant, Limiter as _, Quota, Settings, Settlement};
use callflume_core::record::JournalRecord;
use callflume_core::time::{BrokerTime, Now, Tick};
use callflume_core::vendor::{Charge, WindowSpec};

use super::day::wall;

const ALL: &[Charge] = &[Charge::one(0), Charge::one(1)];

/// Milliseconds after noon.
fn now(ms: u64) -> Now {
    let wall = wall("2026-11-24T12:00:00Z").plus_ms(ms);
    Now {
        tick: Tick(1_000_000 + ms),
        broker: BrokerTime(wall.0),
        wall,
    }
}

fn engine(windows: Vec<WindowSpec>, record: Option<&JournalRecord>) -> Quota {
    let settings = Settings {
        windows,
        share_percent: 100,
        reserve: 3,
        floor_op_percent: 20,
        request_timeout_ms: 3_000,
        time_zone: "UTC".to_owned(),
    };
    Quota::new(settings, now(0), record)
}

/// Asks, writing the journal as often as it takes; the last record written.
fn ask(quota: &mut Quota, at: Now, lane: Lane, written: &mut Option<JournalRecord>) -> Grant {
    loop {
        let grant = quota.ask(at, lane, ALL);
        if grant != Grant::Unwritten {
            return grant;
        }
        *written = quota.journal_due(at, Some(ALL)).or_else(|| written.take());
        quota.journaled(at, true);
    }
}

/// Enrichment takes what it gets within `ms` milliseconds from `from`; how many requests.
fn bulk(quota: &mut Quota, from: u64, ms: u64) -> u32 {
    let mut taken = 0;
    let mut written = None;
    for at in from..from + ms {
        while let Grant::Granted(permit) = ask(quota, now(at), Lane::En, &mut written) {
            quota.settle(now(at), permit, Settlement::Answered);
            taken += 1;
        }
    }
    taken
}

/// Operational requests that leave at the same instant.
fn burst(quota: &mut Quota, at: u64) -> u32 {
    let mut written = None;
    let mut taken = 0;
    while let Grant::Granted(_) = ask(quota, now(at), Lane::Op, &mut written) {
        taken += 1;
    }
    taken
}

#[test]
fn enrichment_leaves_as_many_permits_standing_as_the_last_burst_took_and_one_more() {
    let windows = || {
        vec![
            WindowSpec::rolling("ten", 190, 10_000),
            WindowSpec::day("daily", 1_000_000),
        ]
    };
    for (wishes, standing) in [(0, 3), (1, 3), (12, 13), (500, 47)] {
        let mut quota = engine(windows(), None);
        for _ in 0..wishes {
            quota.wished(now(1), ALL);
        }
        bulk(&mut quota, 2, 9_990);
        let found = burst(&mut quota, 9_995);
        assert!(found.abs_diff(standing) <= 1, "{wishes}: {found}");
    }
}

#[test]
fn in_a_rolling_day_enrichment_leaves_the_floor_and_advice_follows() {
    let windows = vec![
        WindowSpec::rolling("second", 1_000, 1_000),
        WindowSpec::rolling("rolling_day", 1_000, 86_400_000),
    ];
    let mut quota = engine(windows, None);
    let taken = bulk(&mut quota, 0, 60_000);
    assert_eq!(taken, 800);
    let told = quota.look(now(60_000));
    assert_eq!(told.fillings[0].level, 70);
    assert_eq!(told.advised.unwrap().advice, Advice::Slow);
    let mut left = 0;
    let mut written = None;
    loop {
        match ask(&mut quota, now(70_000), Lane::Op, &mut written) {
            Grant::Granted(_) => left += 1,
            Grant::Wait { window, .. } => {
                assert_eq!((left, window), (200, "rolling_day"));
                break;
            }
            Grant::Unwritten => {}
        }
    }
    let told = quota.look(now(70_001));
    assert_eq!(told.fillings[0].level, 95);
    assert_eq!(told.advised.unwrap().advice, Advice::Stop);
}

#[test]
fn a_held_back_wish_names_the_day_and_the_instant_and_the_record_tells_a_successor() {
    let windows = || {
        vec![
            WindowSpec::rolling("ten", 1_000, 10_000),
            WindowSpec::day("daily", 2_000),
        ]
    };
    let mut quota = engine(windows(), None);
    let mut written = None;
    for at in 0..600 {
        if let Grant::Granted(permit) = ask(&mut quota, now(at), Lane::Op, &mut written) {
            quota.settle(now(at), permit, Settlement::Answered);
        }
    }
    let mut at = 600;
    let until = loop {
        match ask(&mut quota, now(at), Lane::En, &mut written) {
            Grant::Granted(permit) => quota.settle(now(at), permit, Settlement::Answered),
            Grant::Wait {
                until: Some(until),
                window: "daily",
            } => break until,
            Grant::Wait {
                until: Some(until), ..
            } => at = (until.0 - 1_000_000).max(at + 1),
            other => panic!("{other:?}"),
        }
    };
    let there = until.0 - 1_000_000;
    assert!(there > at);
    assert!(matches!(
        ask(&mut quota, now(there - 1), Lane::En, &mut written),
        Grant::Wait {
            window: "daily",
            ..
        }
    ));
    assert!(matches!(
        ask(&mut quota, now(there), Lane::En, &mut written),
        Grant::Granted(_)
    ));
    quota.close(now(there));
    let record = quota.journal_due(now(there), None).unwrap();
    assert_eq!(
        record.autopilot.as_ref().unwrap().op.iter().sum::<u32>(),
        600
    );
    let mut successor = engine(windows(), Some(&record));
    assert!(matches!(
        ask(&mut successor, now(there + 1), Lane::En, &mut None),
        Grant::Wait { .. }
    ));
}
