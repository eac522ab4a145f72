//! Requests, or tokens, per calendar day of the account's zone.
//!
//! A request that spans midnight counts on both days: nobody knows on which side the CRM saw it. So does one that is
//! still under way. Days are kept as days since the epoch in the zone; a few are remembered, so that a calendar that
//! jumps and comes back finds its count again. Daylight saving is the time zone database's business.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::time::WallTime;

/// Counts by day.
#[derive(Debug)]
pub struct Days {
    zone: TimeZone,
    spent: BTreeMap<i32, u32>,
    /// Requests under way, by the day they were granted on.
    open: BTreeMap<i32, u32>,
}

/// Days remembered.
const DAYS_MAX: usize = 8;

const EPOCH: Date = Date::constant(1970, 1, 1);

impl Days {
    /// Counts in the zone of this IANA name; UTC when it is unknown (the configuration check refuses such a name).
    pub fn new(time_zone: &str) -> Self {
        Self {
            zone: TimeZone::get(time_zone).unwrap_or(TimeZone::UTC),
            spent: BTreeMap::new(),
            open: BTreeMap::new(),
        }
    }

    fn date(&self, at: WallTime) -> Date {
        let stamp = Timestamp::from_millisecond(at.0).unwrap_or(Timestamp::UNIX_EPOCH);
        self.zone.to_datetime(stamp).date()
    }

    fn day(&self, at: WallTime) -> i32 {
        EPOCH.until(self.date(at)).map_or(0, |span| span.get_days())
    }

    /// First instant of the day after `at`.
    pub fn next_midnight(&self, at: WallTime) -> WallTime {
        self.date(at)
            .tomorrow()
            .ok()
            .and_then(|tomorrow| tomorrow.to_zoned(self.zone.clone()).ok())
            .map_or_else(
                || at.plus_ms(86_400_000),
                |midnight| WallTime(midnight.timestamp().as_millisecond()),
            )
    }

    /// First instant of the day of `at`.
    pub fn last_midnight(&self, at: WallTime) -> WallTime {
        self.date(at)
            .to_zoned(self.zone.clone())
            .map_or(at, |midnight| {
                WallTime(midnight.timestamp().as_millisecond())
            })
    }

    /// Requests that count on the day of `at`: its own, and those of another day that are still under way.
    pub fn spent(&self, at: WallTime) -> u32 {
        let day = self.day(at);
        self.spent
            .get(&day)
            .copied()
            .unwrap_or(0)
            .saturating_add(self.open_elsewhere(day))
    }

    fn open_elsewhere(&self, day: i32) -> u32 {
        self.open
            .iter()
            .filter(|(other, _)| **other != day)
            .map(|(_, count)| *count)
            .sum()
    }

    /// Counts one request of this cost; answers its day.
    pub(super) fn spend(&mut self, at: WallTime, cost: u32) -> i32 {
        let day = self.day(at);
        self.add(day, cost);
        let open = self.open.entry(day).or_default();
        *open = open.saturating_add(cost);
        while self.spent.len() > DAYS_MAX {
            let farthest = self
                .spent
                .keys()
                .copied()
                .max_by_key(|other| other.abs_diff(day));
            if let Some(farthest) = farthest {
                self.spent.remove(&farthest);
            }
        }
        day
    }

    fn add(&mut self, day: i32, count: u32) {
        let slot = self.spent.entry(day).or_default();
        *slot = slot.saturating_add(count);
    }

    /// A request of `day` never left.
    pub(super) fn give_back(&mut self, day: i32, cost: u32) {
        if let Some(count) = self.spent.get_mut(&day) {
            *count = count.saturating_sub(cost);
        }
        self.close(day, cost);
    }

    fn close(&mut self, day: i32, cost: u32) {
        if let Some(count) = self.open.get_mut(&day) {
            *count = count.saturating_sub(cost);
            if *count == 0 {
                self.open.remove(&day);
            }
        }
    }

    /// A request of `day` reached the CRM at `at` at the latest: when that is another day, it counts there too.
    pub(super) fn settle(&mut self, day: i32, at: WallTime, cost: u32) {
        self.close(day, cost);
        let answered = self.day(at);
        if answered != day {
            self.add(answered, cost);
        }
    }

    /// The CRM has counted at least so much on the day of `at`, whoever spent it; answers how much of it is news.
    pub(super) fn raise(&mut self, at: WallTime, count: u32) -> u32 {
        let missing = count.saturating_sub(self.spent(at));
        if missing > 0 {
            self.add(self.day(at), missing);
        }
        missing
    }

    /// Takes over a predecessor's counts.
    pub(super) fn inherit(&mut self, days: &BTreeMap<String, u32>) {
        for (name, count) in days {
            if let Ok(date) = name.parse::<Date>() {
                let day = EPOCH.until(date).map_or(0, |span| span.get_days());
                self.add(day, *count);
            }
        }
    }

    /// Requests that a predecessor may have sent between `first` and `last`: `first`'s day has them already.
    pub(super) fn inherit_unsettled(&mut self, first: WallTime, last: WallTime, count: u32) {
        let day = self.day(last);
        if day != self.day(first) {
            self.add(day, count);
        }
    }

    /// The counts as the journal stores them, `extra` permits that may still be spent today included.
    pub(super) fn record(&self, at: WallTime, extra: u32) -> BTreeMap<String, u32> {
        let today = self.day(at);
        let mut days: BTreeMap<i32, u32> = self
            .spent
            .iter()
            .filter(|(day, _)| **day >= today - 1)
            .map(|(d, c)| (*d, *c))
            .collect();
        let extra = extra.saturating_add(self.open_elsewhere(today));
        if extra > 0 {
            let slot = days.entry(today).or_default();
            *slot = slot.saturating_add(extra);
        }
        days.into_iter()
            .filter_map(|(day, count)| {
                let date = EPOCH
                    .checked_add(jiff::Span::new().try_days(day).ok()?)
                    .ok()?;
                Some((date.to_string(), count))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> WallTime {
        WallTime(text.parse::<Timestamp>().unwrap().as_millisecond())
    }

    #[test]
    fn midnight_is_the_zones_own_also_when_the_clocks_change() {
        let days = Days::new("America/New_York");
        for (now, midnight) in [
            ("2026-11-25T03:00:00Z", "2026-11-25T05:00:00Z"),
            ("2026-11-01T04:30:00Z", "2026-11-02T05:00:00Z"),
            ("2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"),
        ] {
            assert_eq!(days.next_midnight(at(now)), at(midnight), "{now}");
        }
    }

    #[test]
    fn a_request_over_midnight_counts_on_both_days_and_the_record_reads_back() {
        let mut days = Days::new("UTC");
        let day = days.spend(at("2026-11-24T23:59:59Z"), 1);
        days.settle(day, at("2026-11-25T00:00:01Z"), 1);
        assert_eq!(
            (
                days.spent(at("2026-11-24T12:00:00Z")),
                days.spent(at("2026-11-25T12:00:00Z"))
            ),
            (1, 1)
        );
        let record = days.record(at("2026-11-25T00:00:01Z"), 5);
        assert_eq!(record.get("2026-11-25"), Some(&6));
        let mut successor = Days::new("UTC");
        successor.inherit(&record);
        assert_eq!(successor.spent(at("2026-11-25T09:00:00Z")), 6);
        successor.give_back(successor.day(at("2026-11-25T09:00:00Z")), 1);
        assert_eq!(successor.spent(at("2026-11-25T09:00:00Z")), 5);
    }
}
