//! The course of days: what is held back, what enrichment gets, what is learned.

use callflume_core::quota::{Autopilot, Days, Outlook, Pace, Spent, Today};
use callflume_core::time::WallTime;

pub(crate) const LIMIT: u32 = 500_000;
pub(crate) const HOUR_MS: u64 = 3_600_000;

pub(crate) fn wall(text: &str) -> WallTime {
    WallTime(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

pub(crate) fn today(days: &Days, now: WallTime) -> Today {
    Today {
        now,
        start: days.last_midnight(now),
        end: days.next_midnight(now),
    }
}

pub(crate) const fn spent(own: u32) -> Spent {
    Spent {
        limit: LIMIT,
        spent: own,
    }
}

/// Requests of each half hour of a day with about `total`, by the default shares shifted by so many slots.
pub(crate) fn by_half_hours(total: u32, shift: usize) -> [u32; 48] {
    const SHARES: [u32; 48] = [
        203, 128, 77, 51, 34, 29, 20, 12, 16, 14, 22, 51, 95, 289, 1_093, 1_498, 2_313, 3_252,
        3_539, 4_263, 4_570, 4_341, 3_970, 3_801, 3_569, 3_409, 3_605, 3_747, 3_919, 3_850, 3_868,
        3_892, 3_775, 3_651, 3_028, 2_953, 2_713, 2_412, 2_183, 1_982, 1_725, 2_022, 1_862, 1_991,
        1_808, 1_674, 1_556, 1_127,
    ];
    std::array::from_fn(|slot| {
        let share = SHARES[(slot + 48 - shift) % 48];
        u32::try_from(u64::from(total) * u64::from(share) / 100_000).unwrap()
    })
}

/// Lives through a day of operational requests only, looking every minute.
fn live(autopilot: &mut Autopilot, days: &Days, start: WallTime, op: &[u32; 48]) {
    let end = days.next_midnight(start);
    let (mut minute, mut own) = (0_u64, 0_u32);
    while start.plus_ms(minute * 60_000) < end {
        let at = start.plus_ms(minute * 60_000);
        let slot = usize::try_from(minute / 30).unwrap().min(47);
        let (within, count) = (minute % 30, u64::from(op[slot]));
        for _ in count * within / 30..count * (within + 1) / 30 {
            autopilot.granted(today(days, at), 1);
            own += 1;
        }
        autopilot.look(today(days, at), spent(own));
        minute += 1;
    }
}

fn needs(autopilot: &Autopilot, days: &Days, at: &str) -> u64 {
    autopilot
        .outlook(today(days, wall(at)), spent(0))
        .operational
}

#[test]
fn while_nothing_is_known_the_floor_is_expected_and_freed_half_hour_by_half_hour() {
    let days = Days::new("UTC");
    let mut autopilot = Autopilot::new(20, None);
    let mut before: Option<Outlook> = None;
    for minute in 0..24 * 60 {
        let at = wall("2026-11-24T00:00:00Z").plus_ms(minute * 60_000);
        autopilot.look(today(&days, at), spent(0));
        let outlook = autopilot.outlook(today(&days, at), spent(0));
        if let Some(before) = before {
            assert!(outlook.operational <= before.operational && outlook.floor <= before.floor);
        } else {
            // A fifth of the limit and a quarter of that on top; the floor once more.
            assert_eq!((outlook.operational, outlook.floor), (125_000, 100_000));
        }
        before = Some(outlook);
    }
    let last = before.unwrap();
    assert!(last.operational < 10, "{last:?}");
    assert_eq!(last.floor, 1_127);
}

#[test]
fn the_forecast_follows_the_day() {
    let days = Days::new("UTC");
    for total in [20_000, 100_000, 250_000] {
        let mut autopilot = Autopilot::new(20, None);
        let op = by_half_hours(total, 0);
        let start = wall("2026-11-24T00:00:00Z");
        let mut came = 0;
        for (slot, count) in op.iter().enumerate() {
            let at = start.plus_ms(slot as u64 * HOUR_MS / 2);
            autopilot.look(today(&days, at), spent(came));
            // Noon and later: within a fifth of what comes, the margin on top.
            if slot >= 24 {
                let rest = u64::from(op[slot..].iter().sum::<u32>());
                let outlook = autopilot.outlook(today(&days, at), spent(came));
                let forecast = outlook.operational * 100 / 125;
                assert!(
                    forecast.abs_diff(rest) <= rest / 5 + 10,
                    "{total}, slot {slot}: {forecast} for {rest}"
                );
            }
            for second in 0..*count {
                let offset = u64::from(second) * (HOUR_MS / 2) / u64::from(*count);
                autopilot.granted(today(&days, at.plus_ms(offset)), 1);
            }
            came += count;
        }
    }
}

#[test]
fn the_same_weekday_is_expected_else_the_busiest_day_known() {
    let days = Days::new("Europe/Berlin");
    let mut autopilot = Autopilot::new(20, None);
    // Saturday, Sunday, then Monday; the clocks change on the Sunday.
    let totals = [12_000, 8_000, 60_000, 61_000, 62_000, 63_000, 64_000];
    let mut start = wall("2026-10-23T22:00:00Z");
    let mut expected = Vec::new();
    for total in totals {
        live(&mut autopilot, &days, start, &by_half_hours(total, 0));
        start = days.next_midnight(start);
        autopilot.look(today(&days, start), spent(0));
        expected.push(autopilot.outlook(today(&days, start), spent(0)).operational * 100 / 125);
    }
    for (expected, around) in expected
        .into_iter()
        .zip([12_000_u64, 12_000, 60_000, 61_000, 62_000, 63_000, 12_000])
    {
        assert!(
            expected.abs_diff(around) <= around / 50,
            "{expected} for {around}"
        );
    }
}

#[test]
fn a_profile_of_its_own_is_learned_from_whole_days_only() {
    let days = Days::new("UTC");
    let (mut whole, mut half) = (Autopilot::new(20, None), Autopilot::new(20, None));
    let op = by_half_hours(60_000, 24);
    let mut start = wall("2026-11-01T00:00:00Z");
    for _ in 0..15 {
        live(&mut whole, &days, start, &op);
        start = days.next_midnight(start);
    }
    // The other begins to watch at noon of the day after.
    half.look(today(&days, start.plus_ms(12 * HOUR_MS)), spent(0));
    whole.look(today(&days, start), spent(0));
    // At noon most of this account's day is over by the default, and to come by its own: half a day later than the bank.
    let noon = "2026-11-16T12:00:00Z";
    let (own, default) = (needs(&whole, &days, noon), needs(&half, &days, noon));
    assert!(own < 60_000 / 2 && default > 0, "{own}, {default}");
    assert!(whole.record().shares.len() == 48 && half.record().shares.is_empty());
    assert_eq!(half.record().past, []);
}

#[test]
fn days_of_23_and_25_hours_have_room_for_all() {
    let days = Days::new("America/New_York");
    for (start, hours) in [
        ("2026-03-08T05:00:00Z", 23),
        ("2026-11-01T04:00:00Z", 25),
        ("2026-06-01T04:00:00Z", 24),
    ] {
        let mut autopilot = Autopilot::new(20, None);
        let start = wall(start);
        let end = days.next_midnight(start);
        assert_eq!(end.since_ms(start), hours * HOUR_MS);
        let mut own = 0;
        for second in 0..hours * 3_600 {
            let at = start.plus_ms(second * 1_000);
            let now = today(&days, at);
            autopilot.look(now, spent(own));
            while own < LIMIT && autopilot.pace(now, spent(own), 1) == Pace::Free {
                own += 1;
            }
            if let Pace::Spaced(step_ms) = autopilot.pace(now, spent(own), 1) {
                own += u32::try_from(1_000 / step_ms.max(1)).unwrap();
            }
        }
        // Enrichment alone: everything but the last half hour's floor is spent.
        let rest = LIMIT - own;
        assert!((1_127..=1_600).contains(&rest), "{hours} h: {rest} left");
    }
}

#[test]
fn an_instant_promised_to_enrichment_is_exact() {
    let days = Days::new("UTC");
    for (hour, own) in [
        (3, 300_000),
        (9, 440_000),
        (16, 470_000),
        (22, 495_000),
        (23, 500_000),
    ] {
        let mut autopilot = Autopilot::new(20, None);
        let at = wall("2026-11-24T00:00:00Z").plus_ms(hour * HOUR_MS);
        let now = today(&days, at);
        for _ in 0..500 {
            autopilot.granted(now, 1);
        }
        let Pace::Stopped(until) = autopilot.pace(now, spent(own), 1) else {
            panic!("{hour}: enrichment goes on");
        };
        assert!(until > at && until <= now.end);
        if until < now.end {
            let early = today(&days, WallTime(until.0 - 1));
            assert!(
                matches!(autopilot.clone().pace(early, spent(own), 1), Pace::Stopped(again) if again == until)
            );
            let there = today(&days, until);
            assert!(
                !matches!(autopilot.pace(there, spent(own), 1), Pace::Stopped(_)),
                "{hour}"
            );
        } else {
            let there = today(&days, until);
            assert_eq!(autopilot.pace(there, spent(0), 1), Pace::Free);
        }
    }
}

#[test]
fn a_successor_goes_on_where_the_record_ends() {
    let days = Days::new("UTC");
    let mut first = Autopilot::new(20, None);
    let start = wall("2026-11-23T00:00:00Z");
    live(&mut first, &days, start, &by_half_hours(60_000, 0));
    let next = days.next_midnight(start);
    for hour in 0..12 {
        for _ in 0..1_000 {
            first.granted(today(&days, next.plus_ms(hour * HOUR_MS)), 1);
        }
    }
    // A quiet hour, so that the rate of the moment, which isn't recorded, says nothing.
    let noon = today(&days, next.plus_ms(13 * HOUR_MS));
    first.look(noon, spent(12_000));
    let record = first.record();
    let read = serde_json::from_str(&serde_json::to_string(&record).unwrap()).unwrap();
    assert_eq!(record, read);
    let mut second = Autopilot::new(20, Some(&read));
    second.look(noon, spent(12_000));
    assert_eq!(
        second.outlook(noon, spent(12_000)),
        first.outlook(noon, spent(12_000))
    );
    assert_eq!(second.record(), record);
}

#[test]
fn what_was_never_sent_is_forgotten_and_a_calendar_that_jumps_is_survived() {
    let days = Days::new("UTC");
    let noon = wall("2026-11-24T12:00:00Z");
    let now = today(&days, noon);
    let mut autopilot = Autopilot::new(20, None);
    autopilot.look(now, spent(0));
    let before = autopilot.outlook(now, spent(0));
    autopilot.granted(now, 7);
    assert!(autopilot.outlook(now, spent(0)).operational > before.operational);
    // A minute or an hour later makes no difference.
    let later = today(&days, noon.plus_ms(HOUR_MS));
    autopilot.look(later, spent(0));
    autopilot.given_back(later, noon, 7);
    assert_eq!(autopilot.outlook(now, spent(0)), before);
    for jump in [
        "2026-11-21T09:00:00Z",
        "2026-12-24T09:00:00Z",
        "1970-01-01T00:00:00Z",
        "2026-11-24T12:00:00Z",
    ] {
        let there = today(&days, wall(jump));
        autopilot.granted(there, 1);
        autopilot.look(there, spent(1));
        assert_eq!(autopilot.record().past, [], "{jump}");
    }
}

#[test]
fn what_others_spend_is_expected_to_go_on() {
    let days = Days::new("UTC");
    let mut autopilot = Autopilot::new(20, None);
    let noon = today(&days, wall("2026-11-24T12:00:00Z"));
    autopilot.others_spent(noon, 40_000);
    let outlook = autopilot.outlook(noon, spent(50_000));
    assert_eq!((outlook.left, outlook.others), (450_000, 40_000));
    // As late as a day can know: what was spent by six in the evening is a third of that again.
    let evening = today(&days, wall("2026-11-24T18:00:00Z"));
    assert_eq!(autopilot.outlook(evening, spent(50_000)).others, 13_334);
    // In the first hour little is known: an hour is taken as the least.
    let early = today(&days, wall("2026-11-25T00:10:00Z"));
    autopilot.others_spent(early, 100);
    assert_eq!(autopilot.outlook(early, spent(100)).others, 2_384);
}
