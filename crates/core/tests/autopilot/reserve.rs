//! The learned reserve against streams of operational requests.

use callflume_core::quota::Reserve;
use callflume_core::seed::Seed;
use callflume_core::time::Tick;

const LIMIT: u32 = 190;
const SPAN_MS: u64 = 10_000;
const FLOOR: u32 = 3;

/// A Poisson stream of `permille` of the window's rate, over so many spans: mean reserve in hundredths, and how many of
/// 10,000 requests found the reserve empty.
fn poisson(seed: u64, permille: u64, spans: u64, fixed: Option<u32>) -> (Vec<u32>, u64) {
    let mut seed = Seed::new(seed);
    let mut reserve = Reserve::new(LIMIT, SPAN_MS, FLOOR);
    let mut held = Vec::new();
    let (mut wishes, mut empty) = (0_u64, 0_u64);
    // What is standing, in permits × span: taken by wishes, refilled by the steps up to the reserve.
    let mut taken = 0_u64;
    for ms in 0..spans * SPAN_MS {
        taken = taken.saturating_sub(u64::from(LIMIT));
        let now = Tick(5_000 + ms);
        if ms % SPAN_MS == 0 {
            held.push(reserve.permits(now));
        }
        // The chance of a wish within this millisecond, in parts of 10^9.
        if seed.below(1_000_000_000) < permille * u64::from(LIMIT) * 1_000_000 / SPAN_MS {
            let standing = fixed.unwrap_or_else(|| reserve.permits(now));
            wishes += 1;
            empty += u64::from(taken + SPAN_MS > u64::from(standing) * SPAN_MS);
            taken += SPAN_MS;
            reserve.arrived(now, 1);
        }
    }
    (held, empty * 10_000 / wishes.max(1))
}

fn mean_hundredths(held: &[u32]) -> u32 {
    held.iter().sum::<u32>() * 100 / u32::try_from(held.len()).unwrap()
}

#[test]
fn without_operational_requests_the_floor_stands() {
    for (limit, floor, expected) in [
        (190, 3, 3),
        (190, 0, 0),
        (190, 60, 60),
        (2, 3, 1),
        (1, 3, 0),
    ] {
        let reserve = Reserve::new(limit, SPAN_MS, floor);
        assert_eq!(
            reserve.permits(Tick(123_456)),
            expected,
            "{floor} of {limit}"
        );
    }
}

#[test]
fn a_poisson_stream_of_a_tenth_of_the_rate_needs_two_to_four_and_almost_always_finds_them() {
    for seed in 0..20 {
        let (held, empty) = poisson(seed, 100, 200, None);
        let usual = held.iter().filter(|held| (2..=4).contains(*held)).count();
        assert!(usual * 100 >= held.len() * 97, "{held:?}");
        assert!(held.iter().all(|held| *held <= 6), "{held:?}");
        assert!(empty <= 30, "seed {seed}: {empty} of 10,000 waited");
    }
}

/// The table at the head of the module.
#[test]
fn the_figures_of_its_description_hold() {
    for (permille, lowest, highest, most, fixed_two) in [
        (50, 300, 302, 3, 1..60),
        (100, 300, 306, 10, 20..100),
        (200, 303, 318, 30, 150..320),
        (400, 385, 412, 80, 900..1_250),
        (800, 850, 1_000, 120, 4_500..7_000),
    ] {
        let (held, empty) = poisson(7, permille, 400, None);
        let mean = mean_hundredths(&held);
        assert!((lowest..=highest).contains(&mean), "{permille}: {mean}");
        assert!(empty <= most, "{permille}: {empty} of 10,000 waited");
        let (_, waiting) = poisson(7, permille, 400, Some(2));
        assert!(fixed_two.contains(&waiting), "{permille}: {waiting}");
    }
}

#[test]
fn a_burst_is_answered_at_once_and_forgotten_within_three_windows() {
    let mut reserve = Reserve::new(LIMIT, SPAN_MS, FLOOR);
    reserve.arrived(Tick(1_000), 1);
    assert_eq!(reserve.permits(Tick(1_000)), FLOOR);
    for _ in 0..20 {
        reserve.arrived(Tick(100_000), 1);
    }
    // As many as came.
    assert_eq!(reserve.permits(Tick(100_000)), 20);
    for (later_ms, low, high) in [
        (SPAN_MS, 20, 20),
        (SPAN_MS * 2, 10, 20),
        (SPAN_MS * 3, FLOOR, FLOOR),
        (SPAN_MS * 300, FLOOR, FLOOR),
    ] {
        let held = reserve.permits(Tick(100_000 + later_ms));
        assert!((low..=high).contains(&held), "{later_ms} ms later: {held}");
    }
}

#[test]
fn a_dear_request_leaves_room_for_the_next_of_its_kind() {
    let mut reserve = Reserve::new(1_000, SPAN_MS, FLOOR);
    reserve.arrived(Tick(20_000), 40);
    assert_eq!(reserve.permits(Tick(20_000)), 40);
}

#[test]
fn never_above_the_ceiling_and_a_storm_leaves_no_debt() {
    let mut reserve = Reserve::new(LIMIT, SPAN_MS, FLOOR);
    for ms in 0..60_000 {
        reserve.arrived(Tick(ms), 1);
        assert!(reserve.permits(Tick(ms)) <= LIMIT / 4);
    }
    assert_eq!(reserve.permits(Tick(59_999)), LIMIT / 4);
    assert_eq!(reserve.permits(Tick(60_000 + 3 * SPAN_MS)), FLOOR);
    reserve.arrived(Tick(60_000 + 3 * SPAN_MS), 1);
    assert_eq!(reserve.permits(Tick(60_000 + 3 * SPAN_MS)), FLOOR);
    // A lower limit has less to leave standing, and every arrival counts for more of it.
    reserve.set_limit(20);
    reserve.arrived(Tick(95_000), 8);
    assert_eq!(reserve.permits(Tick(95_000)), 5);
}

#[test]
fn the_same_arrivals_give_the_same_reserve_and_a_clock_that_stands_still_is_survived() {
    assert_eq!(poisson(3, 200, 50, None), poisson(3, 200, 50, None));
    let mut reserve = Reserve::new(LIMIT, SPAN_MS, FLOOR);
    reserve.arrived(Tick(50_000), 1);
    reserve.arrived(Tick(10_000), 1);
    assert!(reserve.permits(Tick(0)) >= FLOOR);
    assert!(reserve.permits(Tick(u64::MAX)) == FLOOR);
}
