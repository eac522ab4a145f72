//! Whole evenings and days with enrichment that never ends: scenario E, and days busier than expected.

use callflume_core::quota::{Autopilot, Days, Pace, Spent, Today};
use callflume_core::seed::Seed;
use callflume_core::time::WallTime;

use super::day::{HOUR_MS, by_half_hours, today, wall};

/// Time goes in steps of this many milliseconds; one enrichment and any number of operational requests fit in one.
const STEP_MS: u64 = 53;

/// One account: its day counts, and what became of wishes.
struct World {
    days: Days,
    autopilot: Autopilot,
    limit: u32,
    day: Today,
    own: u32,
    op_wishes: u32,
    op_refused: u32,
    most: u32,
    en: Vec<WallTime>,
    en_next: WallTime,
}

impl World {
    fn new(zone: &str, limit: u32, start: WallTime, own: u32) -> Self {
        let days = Days::new(zone);
        Self {
            day: today(&days, start),
            days,
            autopilot: Autopilot::new(20, None),
            limit,
            own,
            op_wishes: 0,
            op_refused: 0,
            most: 0,
            en: Vec::new(),
            en_next: start,
        }
    }

    /// A step: so many operational wishes, and enrichment that always wants.
    fn step(&mut self, at: WallTime, op: u32) {
        if at >= self.day.end {
            self.day = today(&self.days, at);
            self.own = 0;
        }
        let now = Today {
            now: at,
            ..self.day
        };
        for _ in 0..op {
            self.op_wishes += 1;
            if self.own < self.limit {
                self.own += 1;
                self.autopilot.granted(now, 1);
            } else {
                self.op_refused += 1;
            }
        }
        let spent = Spent {
            limit: self.limit,
            spent: self.own,
        };
        self.autopilot.look(now, spent);
        let step_ms = match self.autopilot.pace(now, spent, 1) {
            Pace::Free => 0,
            Pace::Spaced(step_ms) => step_ms,
            Pace::Stopped(_) => return,
        };
        if self.en_next <= at && self.own < self.limit {
            self.own += 1;
            self.en.push(at);
            self.en_next = at.plus_ms(step_ms);
        }
        self.most = self.most.max(self.own);
    }
}

#[test]
fn with_92_percent_gone_and_two_hours_left_every_operational_request_goes_and_enrichment_comes_back_after_midnight()
 {
    // The storm of the first nine minutes, which no profile knows, is 1,000 of the 2,000 to 20,000 requests left.
    for (zone, start, limit) in [
        ("UTC", "2026-11-24T22:00:00Z", 25_000_u32),
        ("UTC", "2026-11-24T22:00:00Z", 250_000),
        // The evenings of days of 23 and 25 hours.
        ("America/New_York", "2026-03-09T02:00:00Z", 25_000),
        ("America/New_York", "2026-11-02T03:00:00Z", 25_000),
    ] {
        for seed in 0..3 {
            let mut seed = Seed::new(seed);
            let start = wall(start);
            let mut world = World::new(zone, limit, start, limit / 100 * 92);
            let midnight = world.days.next_midnight(start);
            assert_eq!(midnight.since_ms(start), 2 * HOUR_MS);
            let storm_end = start.plus_ms(516_000);
            let mut at = start;
            let mut left = 0;
            while at < midnight.plus_ms(600_000) {
                // About 1,000 in the storm, then a twentieth of that rate.
                let permyriad = if at < storm_end { 1_027 } else { 51 };
                let op = u32::from(seed.below(10_000) < permyriad);
                if at < midnight {
                    left = limit - world.own;
                }
                world.step(at, op);
                at = at.plus_ms(STEP_MS);
            }
            assert!(world.op_wishes > 1_200, "{}", world.op_wishes);
            assert_eq!(world.op_refused, 0, "{zone} {limit}");
            assert!(world.most <= limit);
            let before = world.en.iter().filter(|en| **en < midnight).count();
            let first_after = world.en.iter().find(|en| **en >= midnight);
            assert!(before > 100, "{before}: enrichment gets what is over");
            assert!(
                first_after.is_some_and(|en| en.since_ms(midnight) <= 1_000),
                "{zone} {limit}"
            );
            // Little is wasted: the last half hour's floor, and what was held back for a little more.
            assert!(left <= limit / 100, "{left} of {limit} unused");
        }
    }
}

#[test]
fn a_day_up_to_two_and_a_half_times_as_busy_as_expected_fits_beside_endless_enrichment() {
    let limit = 100_000;
    // Nothing known: a fifth of the limit is expected.
    for total in [0, 5_000, 20_000, 35_000, 50_000] {
        let start = wall("2026-11-24T00:00:00Z");
        let op = by_half_hours(total, 0);
        let mut world = World::new("UTC", limit, start, 0);
        let mut owed = 0;
        for step in 0..24 * HOUR_MS / 1_000 {
            let at = start.plus_ms(step * 1_000);
            owed += op[usize::try_from(step / 1_800).unwrap()];
            let due = owed / 1_800;
            owed %= 1_800;
            world.step(at, due);
            // Enrichment at up to four a second.
            for part in 1..4 {
                world.step(at.plus_ms(part * 250), 0);
            }
        }
        assert_eq!(world.op_refused, 0, "{total}");
        assert!(world.most <= limit);
        assert!(
            limit - world.own <= limit / 100,
            "{total}: {} unused",
            limit - world.own
        );
    }
}
