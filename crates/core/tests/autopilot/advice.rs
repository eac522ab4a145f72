//! Alerts and advice: raised once, taken back with room to spare.

use callflume_core::quota::{Advice, Autopilot, Days};

use super::day::{HOUR_MS, LIMIT, spent, today, wall};

#[test]
fn the_day_filling_up_is_told_once_per_level_and_ends_five_points_below() {
    let days = Days::new("UTC");
    let now = today(&days, wall("2026-11-24T23:00:00Z"));
    let mut autopilot = Autopilot::new(20, None);
    for (percent, told) in [
        (50, None),
        (70, Some((0, 70))),
        (84, None),
        (69, None),
        (66, None),
        (70, None),
        (64, Some((70, 0))),
        (96, Some((0, 95))),
        (91, None),
        (89, Some((95, 85))),
        (94, None),
        (95, Some((85, 95))),
        (100, None),
        (81, Some((95, 85))),
        (79, Some((85, 70))),
        (10, Some((70, 0))),
    ] {
        let news = autopilot.look(now, spent(LIMIT / 100 * percent));
        assert_eq!(news.filling, told, "{percent} %");
    }
}

#[test]
fn a_new_day_takes_alerts_and_advice_back_at_once() {
    let days = Days::new("Asia/Tokyo");
    let mut autopilot = Autopilot::new(20, None);
    let late = today(&days, wall("2026-11-24T14:59:00Z"));
    let news = autopilot.look(late, spent(LIMIT));
    assert_eq!(
        (news.filling, news.advice),
        (Some((0, 95)), Some(Advice::Stop))
    );
    let midnight = today(&days, wall("2026-11-24T15:00:00Z"));
    let news = autopilot.look(midnight, spent(0));
    assert_eq!(
        (news.filling, news.advice),
        (Some((95, 0)), Some(Advice::Ok))
    );
}

#[test]
fn advice_gets_worse_at_once_and_better_after_its_dwell_with_room_to_spare() {
    // What is left: percent of the floor, of everything held back, or of the limit.
    #[derive(Clone, Copy)]
    enum Left {
        Floor(u64),
        Held(u64),
        All,
    }
    let days = Days::new("UTC");
    let noon = wall("2026-11-24T12:00:00Z");
    let mut autopilot = Autopilot::new(20, None);
    for (minute, left, told) in [
        (0, Left::All, None),
        (1, Left::Held(120), None),
        (2, Left::Held(102), None),
        (3, Left::Held(98), Some(Advice::Slow)),
        (4, Left::Floor(95), Some(Advice::Stop)),
        // Better, but too early; then not by enough.
        (5, Left::All, None),
        (9, Left::Floor(120), None),
        (10, Left::Floor(130), Some(Advice::Slow)),
        (15, Left::Held(105), None),
        (16, Left::Held(115), Some(Advice::Ok)),
        (17, Left::Floor(95), Some(Advice::Stop)),
        (30, Left::All, Some(Advice::Ok)),
    ] {
        let now = today(&days, noon.plus_ms(minute * 60_000));
        // Enough of them that the forecast stands beside the floor.
        autopilot.granted(now, 400);
        let outlook = autopilot.outlook(now, spent(0));
        let left = match left {
            Left::Floor(percent) => outlook.floor * percent / 100,
            Left::Held(percent) => (outlook.floor + outlook.operational) * percent / 100,
            Left::All => LIMIT.into(),
        };
        let own = LIMIT - u32::try_from(left).unwrap();
        assert_eq!(
            autopilot.look(now, spent(own)).advice,
            told,
            "minute {minute}"
        );
    }
}

#[test]
fn a_storm_of_calls_that_would_not_fit_slows_the_dialler_before_the_floor_is_reached() {
    let days = Days::new("UTC");
    let mut autopilot = Autopilot::new(20, None);
    let start = wall("2026-11-24T18:00:00Z");
    let mut own = LIMIT / 10 * 7;
    let mut told = Vec::new();
    // 20 a second on a window that has 150,000 left for six hours.
    for second in 0..6 * 3_600 {
        let now = today(&days, start.plus_ms(second * 1_000));
        let news = autopilot.look(now, spent(own));
        if let Some(advice) = news.advice {
            told.push((advice, LIMIT - own));
        }
        if autopilot.advice() == Advice::Stop {
            break;
        }
        for _ in 0..20 {
            autopilot.granted(now, 1);
            own += 1;
        }
    }
    let [(Advice::Slow, slow), (Advice::Stop, stop)] = told.as_slice() else {
        panic!("{told:?}");
    };
    // Slow with half an hour's worth left at least, stop with the floor untouched.
    assert!(*slow >= 36_000, "{told:?}");
    let end = today(&days, start.plus_ms(2 * HOUR_MS));
    assert!(
        u64::from(*stop) >= autopilot.outlook(end, spent(own)).floor,
        "{told:?}"
    );
}

#[test]
fn advice_does_not_flap_on_an_edge() {
    let days = Days::new("UTC");
    let noon = wall("2026-11-24T12:00:00Z");
    let mut autopilot = Autopilot::new(20, None);
    autopilot.look(today(&days, noon), spent(0));
    let outlook = autopilot.outlook(today(&days, noon), spent(0));
    let edge = LIMIT - u32::try_from(outlook.floor + outlook.operational).unwrap();
    let mut changes = 0;
    for second in 0..3_600_u32 {
        let now = today(&days, noon.plus_ms(u64::from(second) * 1_000));
        let own = edge - 3_000 + second % 2 * 6_000;
        changes += u32::from(autopilot.look(now, spent(own)).advice.is_some());
    }
    assert!(changes <= 2, "{changes}");
}
