//! Promised waits are exact, and what was granted in vain leaves no trace.

use callflume_core::lane::Lane;
use callflume_core::quota::{Grant, Limiter, Quota, Settlement};
use callflume_core::time::{BrokerTime, Now, Tick, WallTime};
use callflume_core::vendor::Charge;
use proptest::prelude::*;

use crate::cases::cases;
use crate::sim::{NOON_MS, Sim, Wish, settings, windows_of, wish};

/// An owner in the middle of its work, and what its clocks show.
fn halfway(wishes: &[Wish], limits: (u32, u32, u32), span_ms: u64, cut_us: u64) -> (Quota, Now) {
    let mut sim = Sim::new(settings(limits, span_ms), NOON_MS, 1_000);
    sim.wishes(wishes);
    sim.run(cut_us);
    let now = sim.now();
    let mut quota = sim.quota.take().unwrap();
    if quota.is_journaling() {
        quota.journaled(now, true);
    }
    (quota, now)
}

fn later(now: Now, tick: Tick) -> Now {
    let ms = tick.since_ms(now.tick);
    Now {
        tick,
        broker: BrokerTime(now.broker.0 + ms as i64),
        wall: WallTime(now.wall.0 + ms as i64),
    }
}

/// Asks, writing the journal at once when that is needed.
fn ask(quota: &mut Quota, now: Now, lane: Lane, windows: &'static [Charge]) -> Grant {
    match quota.ask(now, lane, windows) {
        Grant::Unwritten => {
            assert!(quota.journal_due(now, Some(windows)).is_some());
            quota.journaled(now, true);
            quota.ask(now, lane, windows)
        }
        other => other,
    }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn a_promised_wait_is_exact(
        wishes in proptest::collection::vec(wish(), 1..80),
        limits in (1..25_u32, 1..6_u32, 20..100_u32),
        span_ms in 500..10_000_u64,
        cut_us in 0..8_000_000_u64,
        op in any::<bool>(),
        search in any::<bool>(),
    ) {
        let lane = if op { Lane::Op } else { Lane::En };
        let windows = windows_of(search);
        let (mut quota, now) = halfway(&wishes, limits, span_ms, cut_us);
        if let Grant::Wait { until: Some(until), .. } = ask(&mut quota, now, lane, windows) {
            prop_assert!(until > now.tick);
            let just_before = later(now, Tick(until.0 - 1));
            let early = ask(&mut quota, just_before, lane, windows);
            prop_assert!(matches!(early, Grant::Wait { until: Some(again), .. } if again == until), "{early:?}");
            let then = ask(&mut quota, later(now, until), lane, windows);
            prop_assert!(matches!(then, Grant::Granted(_)), "{then:?}");
        }
    }

    #[test]
    fn a_grant_that_was_not_sent_leaves_no_trace(
        wishes in proptest::collection::vec(wish(), 0..60),
        limits in (1..25_u32, 1..6_u32, 20..100_u32),
        cut_us in 0..8_000_000_u64,
        vain in proptest::collection::vec((any::<bool>(), any::<bool>()), 1..6),
        after in proptest::collection::vec((0..400_u64, any::<bool>(), any::<bool>()), 1..40),
    ) {
        let (mut plain, now) = halfway(&wishes, limits, 5_000, cut_us);
        let (mut tried, _) = halfway(&wishes, limits, 5_000, cut_us);
        let of = |op: bool| if op { Lane::Op } else { Lane::En };
        for (op, search) in vain {
            if let Grant::Granted(permit) = ask(&mut tried, now, of(op), windows_of(search)) {
                tried.settle(now, permit, Settlement::NotSent);
            }
        }
        prop_assert_eq!(plain.usage(now), tried.usage(now));
        prop_assert_eq!(plain.in_flight(), tried.in_flight());
        let mut then = now;
        for (gap_ms, op, search) in after {
            then = later(then, then.tick.plus_ms(gap_ms));
            let a = ask(&mut plain, then, of(op), windows_of(search));
            let b = ask(&mut tried, then, of(op), windows_of(search));
            match (a, b) {
                (Grant::Granted(_), Grant::Granted(_)) => {}
                (a, b) => prop_assert_eq!(a, b),
            }
        }
    }
}

#[test]
fn settling_twice_is_harmless() {
    let (mut quota, now) = halfway(&[], (5, 1, 100), 1_000, 0);
    let Grant::Granted(permit) = ask(&mut quota, now, Lane::Op, windows_of(false)) else {
        panic!("the first is free");
    };
    quota.settle(now, permit, Settlement::Answered);
    let usage = quota.usage(now);
    quota.settle(now, permit, Settlement::NotSent);
    assert_eq!(quota.usage(now), usage);
}

#[test]
fn a_slow_window_holds_back_only_what_counts_in_it() {
    let (mut quota, now) = halfway(&[], (100, 5, 1_000), 10_000, 0);
    // (after this many milliseconds, a search, granted): searches are 95 % of 200 ms apart, others of 100 ms; after
    // idling one step is caught up.
    for (after_ms, search, expect) in [
        (0, true, true),
        (0, true, true),
        (0, true, false),
        (0, false, true),
        (0, false, true),
        (94, false, false),
        (95, false, true),
        (189, true, false),
        (190, true, true),
    ] {
        let then = later(now, now.tick.plus_ms(after_ms));
        let grant = ask(&mut quota, then, Lane::En, windows_of(search));
        assert_eq!(
            matches!(grant, Grant::Granted(_)),
            expect,
            "after {after_ms} ms, search {search}: {grant:?}"
        );
    }
}
