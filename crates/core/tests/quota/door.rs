//! Never more than the limit in any stretch of a window's span, across owners and midnights.

use callflume_core::lane::Lane;
use callflume_core::quota::CLOCK_ERROR_MS;
use proptest::prelude::*;

use crate::cases::cases;
use crate::sim::{Death, Fate, NOON_MS, Sim, Wish, settings, wish};

const HOUR_US: u64 = 3_600_000_000;

fn death() -> impl Strategy<Value = Death> {
    let error = CLOCK_ERROR_MS as i64 / 2;
    (
        0..6_000_000_u64,
        0..3_000_000_u64,
        any::<bool>(),
        -error..=error,
    )
        .prop_map(|(at_us, gap_us, write_lands, clock_error_ms)| Death {
            at_us,
            gap_us,
            write_lands,
            clock_error_ms,
        })
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn one_owner_keeps_every_window_and_grants_every_wish(
        wishes in proptest::collection::vec(wish(), 1..150),
        limits in (1..25_u32, 1..6_u32, 20_000..40_000_u32),
        span_ms in 500..10_000_u64,
        write_us in 0..20_000_u64,
    ) {
        let mut sim = Sim::new(settings(limits, span_ms), NOON_MS, write_us);
        sim.wishes(&wishes);
        sim.run(2 * HOUR_US);
        prop_assert!(sim.all_granted());
        sim.check_door()?;
    }

    #[test]
    fn owners_that_die_anywhere_leave_a_successor_that_keeps_every_window(
        wishes in proptest::collection::vec(wish(), 1..150),
        deaths in proptest::collection::vec(death(), 1..5),
        limits in (1..25_u32, 1..6_u32, 40_000..40_001_u32),
        span_ms in 500..10_000_u64,
        write_us in 0..20_000_u64,
    ) {
        let mut sim = Sim::new(settings(limits, span_ms), NOON_MS, write_us);
        sim.wishes(&wishes);
        sim.deaths(&deaths);
        sim.run(HOUR_US);
        sim.check_door()?;
        prop_assert!(sim.all_granted());
    }

    #[test]
    fn a_day_keeps_its_limit_over_midnight_and_takeover(
        wishes in proptest::collection::vec(wish(), 20..120),
        deaths in proptest::collection::vec(death(), 0..4),
        day in 5..40_u32,
        before_midnight_ms in 0..5_000_i64,
        write_us in 0..20_000_u64,
    ) {
        let start_ms = NOON_MS + 12 * 3_600_000 - before_midnight_ms;
        let mut sim = Sim::new(settings((30, 6, day), 1_000), start_ms, write_us);
        sim.wishes(&wishes);
        sim.deaths(&deaths);
        sim.run(HOUR_US);
        sim.check_door()?;
    }
}

#[test]
fn an_exhausted_day_goes_on_at_midnight() {
    let wish = Wish {
        gap_us: 1_000,
        lane: Lane::Op,
        search: false,
        trip_us: 20_000,
        back_us: 20_000,
        fate: Fate::Answered,
    };
    let mut sim = Sim::new(settings((100, 5, 10), 1_000), NOON_MS, 2_000);
    sim.wishes(&vec![wish; 25]);
    sim.run(60 * HOUR_US);
    let days: Vec<u64> = sim
        .grants
        .iter()
        .map(|(_, _, at)| (at + 12 * HOUR_US) / (24 * HOUR_US))
        .collect();
    assert_eq!(days.iter().filter(|day| **day == 0).count(), 10);
    assert_eq!(days.iter().filter(|day| **day == 1).count(), 10);
    assert_eq!(days.iter().filter(|day| **day == 2).count(), 5);
    let first_of_day = sim.grants[10].2;
    assert!(first_of_day - 12 * HOUR_US < 10_000, "{first_of_day}");
}

#[test]
fn a_window_holds_to_the_microsecond_although_ticks_are_milliseconds() {
    // Granted at the end of a millisecond, and again at the very beginning of one.
    let wish = |gap_us| Wish {
        gap_us,
        lane: Lane::Op,
        search: false,
        trip_us: 0,
        back_us: 0,
        fate: Fate::Answered,
    };
    let mut sim = Sim::new(settings((1, 1, 100), 500), NOON_MS, 0);
    sim.wishes(&[wish(0), wish(501_999), wish(1), wish(1)]);
    sim.run(HOUR_US);
    assert!(sim.all_granted());
    sim.check_door().unwrap();
}
