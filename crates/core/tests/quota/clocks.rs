//! Clocks that jump.

use callflume_core::lane::Lane;
use callflume_core::quota::{Grant, Limiter, Quota, Settlement};
use callflume_core::time::{BrokerTime, Now, Tick, WallTime};
use proptest::prelude::*;

use crate::cases::cases;
use crate::sim::{NOON_MS, settings, windows_of};

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn broker_and_calendar_may_jump_either_way_and_the_windows_hold_and_work_goes_on(
        jumps in proptest::collection::vec(
            (0..400_u64, -90_000_000..90_000_000_i64, -90_000_000..90_000_000_i64, any::<bool>()), 1..60),
    ) {
        let limit = 6;
        let mut now = Now { tick: Tick(5), broker: BrokerTime(NOON_MS), wall: WallTime(NOON_MS) };
        let mut quota = Quota::new(settings((limit, 2, 1_000_000), 2_000), now, None);
        let mut sent: Vec<u64> = Vec::new();
        for (gap_ms, broker_ms, wall_ms, jump) in jumps {
            now.tick = now.tick.plus_ms(gap_ms);
            now.broker = BrokerTime(now.broker.0 + gap_ms as i64 + if jump { broker_ms } else { 0 });
            now.wall = WallTime(now.wall.0 + gap_ms as i64 + if jump { wall_ms } else { 0 });
            let mut granted = quota.ask(now, Lane::Op, windows_of(false));
            if granted == Grant::Unwritten && quota.journal_due(now, Some(windows_of(false))).is_some() {
                // The clocks jump while the write is in the air.
                now.broker = BrokerTime(now.broker.0 - broker_ms);
                quota.journaled(now, true);
                granted = quota.ask(now, Lane::Op, windows_of(false));
            }
            if let Grant::Granted(permit) = granted {
                sent.push(now.tick.0);
                quota.settle(now, permit, Settlement::Answered);
            }
            prop_assert!(!matches!(granted, Grant::Wait { until: None, .. }), "nothing is in flight");
            if let Grant::Wait { until: Some(until), .. } = granted {
                prop_assert!(until.since_ms(now.tick) <= 2_001, "{granted:?}");
            }
        }
        for (first, next) in sent.iter().zip(sent.iter().skip(limit as usize)) {
            prop_assert!(next - first >= 2_000);
        }
    }
}

#[test]
fn a_calendar_that_jumps_and_comes_back_finds_its_count_again() {
    let noon = Now {
        tick: Tick(0),
        broker: BrokerTime(NOON_MS),
        wall: WallTime(NOON_MS),
    };
    let mut quota = Quota::new(settings((50, 2, 10), 2_000), noon, None);
    let spend = |quota: &mut Quota, now: Now| {
        let mut grant = quota.ask(now, Lane::Op, windows_of(false));
        if grant == Grant::Unwritten {
            assert!(quota.journal_due(now, Some(windows_of(false))).is_some());
            quota.journaled(now, true);
            grant = quota.ask(now, Lane::Op, windows_of(false));
        }
        let Grant::Granted(permit) = grant else {
            return false;
        };
        quota.settle(now, permit, Settlement::Answered);
        true
    };
    assert!((0..10).all(|_| spend(&mut quota, noon)));
    assert!(!spend(&mut quota, noon));
    for days in [30, -30, 31, -31] {
        let mut elsewhere = noon;
        elsewhere.wall = WallTime(NOON_MS + days * 86_400_000);
        assert!(spend(&mut quota, elsewhere));
    }
    assert!(!spend(&mut quota, noon), "the day is still used up");
}
