//! Instants and lengths of time as CRMs write and show them, all in UTC.
//!
//! Pure arithmetic on the proleptic Gregorian calendar; years 0 to 9999, beyond which an instant is taken as the nearest.

use callflume_core::time::WallTime;

const DAY_MS: i64 = 86_400_000;
/// 0000-01-01 and the last millisecond of 9999, epoch milliseconds.
const FIRST_MS: i64 = -62_167_219_200_000;
const LAST_MS: i64 = 253_402_300_799_999;

/// Date (`YYYY-MM-DD`) and time (`HH:MM`) of an activity.
pub(crate) fn date_and_time(at: WallTime) -> (String, String) {
    let (year, month, day, of_day_ms) = civil(at);
    let minutes = of_day_ms / 60_000;
    (
        format!("{year:04}-{month:02}-{day:02}"),
        format!("{:02}:{:02}", minutes / 60, minutes % 60),
    )
}

/// Date and time to the second, for people: `YYYY-MM-DD HH:MM:SS UTC`.
pub(crate) fn spelled(at: WallTime) -> String {
    let (date, time) = date_and_time(at);
    let (.., of_day_ms) = civil(at);
    format!("{date} {time}:{:02} UTC", of_day_ms / 1_000 % 60)
}

/// An activity's length, `HH:MM`: the nearest minute, one at least for a length that isn't zero, at most a day.
pub(crate) fn hours_and_minutes(ms: u64) -> String {
    let nearest = (ms.saturating_add(30_000) / 60_000).min(24 * 60 - 1);
    let minutes = if ms > 0 { nearest.max(1) } else { 0 };
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// A time as v2 writes it, `2026-10-30T03:30:17Z`, in epoch milliseconds.
pub(crate) fn rfc3339_ms(text: &str) -> Option<i64> {
    let text = text.strip_suffix('Z')?;
    let (date, time) = text.split_once('T')?;
    let mut date = date.splitn(3, '-');
    let (year, month, day) = (number(&mut date)?, number(&mut date)?, number(&mut date)?);
    let time = time.split('.').next().unwrap_or_default();
    epoch_ms(year, month, day, time)
}

/// An HTTP date, `Fri, 30 Oct 2026 03:30:17 GMT`, in epoch milliseconds.
pub(crate) fn http_date_ms(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let rest = text.trim().split_once(", ")?.1.strip_suffix(" GMT")?;
    let mut parts = rest.split(' ');
    let day = number(&mut parts)?;
    let name = parts.next()?;
    let month = (1..).zip(MONTHS).find(|(_, known)| *known == name)?.0;
    let year = number(&mut parts)?;
    epoch_ms(year, month, day, parts.next()?)
}

fn number<'a>(parts: &mut impl Iterator<Item = &'a str>) -> Option<i64> {
    let part = parts.next()?;
    let digits = !part.is_empty() && part.len() <= 4 && part.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| part.parse().ok()).flatten()
}

fn epoch_ms(year: i64, month: i64, day: i64, time: &str) -> Option<i64> {
    let mut parts = time.split(':');
    let (hour, minute, second) = (
        number(&mut parts)?,
        number(&mut parts)?,
        number(&mut parts)?,
    );
    let possible = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second);
    possible.then(|| {
        days_from_civil(year, month, day) * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1_000
    })
}

/// Year, month, day, and milliseconds since midnight.
fn civil(at: WallTime) -> (i64, i64, i64, i64) {
    let ms = at.0.clamp(FIRST_MS, LAST_MS);
    let days = ms.div_euclid(DAY_MS);
    // Eras of 400 years that begin on 1 March, so that the leap day is the last of a year.
    let from_march = days + 719_468;
    let era = from_march.div_euclid(146_097);
    let of_era = from_march.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day, ms.rem_euclid(DAY_MS))
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    era * 146_097 + of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_dates_and_times_in_utc() {
        for (ms, date, time) in [
            (0, "1970-01-01", "00:00"),
            (1_793_331_017_999, "2026-10-30", "03:30"),
            (951_782_400_000, "2000-02-29", "00:00"),
            (-1, "1969-12-31", "23:59"),
            (i64::MAX, "9999-12-31", "23:59"),
            (i64::MIN, "0000-01-01", "00:00"),
        ] {
            let (shown_date, shown_time) = date_and_time(WallTime(ms));
            assert_eq!((shown_date.as_str(), shown_time.as_str()), (date, time));
        }
        assert_eq!(
            spelled(WallTime(1_793_331_017_999)),
            "2026-10-30 03:30:17 UTC"
        );
    }

    #[test]
    fn lengths_are_whole_minutes() {
        for (ms, expect) in [
            (0, "00:00"),
            (1, "00:01"),
            (89_999, "00:01"),
            (90_000, "00:02"),
            (185_000, "00:03"),
            (3_661_000, "01:01"),
            (u64::MAX, "23:59"),
        ] {
            assert_eq!(hours_and_minutes(ms), expect, "{ms}");
        }
    }

    #[test]
    fn what_pipedrive_shows_reads_back() {
        for (text, expect) in [
            ("2026-10-30T03:30:17Z", Some(1_793_331_017_000)),
            ("2026-10-30T03:30:17.250Z", Some(1_793_331_017_000)),
            ("2000-02-29T00:00:00Z", Some(951_782_400_000)),
            ("2026-10-30 03:30:17", None),
            ("2026-13-30T03:30:17Z", None),
            ("-026-10-30T03:30:17Z", None),
            ("", None),
        ] {
            assert_eq!(rfc3339_ms(text), expect, "{text}");
        }
        for (text, expect) in [
            ("Fri, 30 Oct 2026 03:30:17 GMT", Some(1_793_331_017_000)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("30 Oct 2026 03:30:17 GMT", None),
            ("Fri, 30 Okt 2026 03:30:17 GMT", None),
            ("Fri, 30 Oct 2026 03:30 GMT", None),
        ] {
            assert_eq!(http_date_ms(text), expect, "{text}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_reads_back() {
        for day in -146_097..146_097_i64 {
            let (year, month, date, _) = civil(WallTime(day * DAY_MS));
            assert_eq!(days_from_civil(year, month, date), day);
        }
    }
}
