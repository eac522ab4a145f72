//! Instants, lengths and amounts in Close's units: ISO 8601 in UTC, whole seconds, cents.

use callflume_core::time::WallTime;

/// An instant as Close takes it, to the millisecond: `2026-10-30T03:30:17.250Z`. Years outside 0 to 9999 become the
/// nearest year within.
pub(crate) fn iso(at: WallTime) -> String {
    /// 0000-01-01 and the last millisecond of 9999.
    const RANGE: (i64, i64) = (-62_167_219_200_000, 253_402_300_799_999);
    let ms = at.0.clamp(RANGE.0, RANGE.1);
    let (days, of_day) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    let (year, month, day) = civil(days);
    let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (second, milli) = (of_day / 1_000 % 60, of_day % 1_000);
    let fraction = if milli == 0 {
        String::new()
    } else {
        format!(".{milli:03}")
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// Year, month and day of so many days since 1970-01-01 in the Gregorian calendar. Years begin in March here, so that
/// the leap day is a year's last, and 400 of them have 146,097 days.
const fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = year_of_era + era * 400 + (month <= 2) as i64;
    (year, month, day)
}

/// Milliseconds as whole seconds, rounded half up.
pub(crate) const fn seconds(ms: u64) -> u64 {
    ms / 1_000 + (ms % 1_000 >= 500) as u64
}

/// A decimal amount as cents, rounded half up; none if it is no amount.
pub(crate) fn cents(amount: &str) -> Option<u64> {
    let (whole, fraction) = amount.trim().split_once('.').unwrap_or((amount.trim(), ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || whole.len() > 15 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let digit = |place: usize| {
        let byte = fraction.as_bytes().get(place).copied().unwrap_or(b'0');
        u64::from(byte - b'0')
    };
    let whole: u64 = whole.parse().ok()?;
    Some(whole * 100 + digit(0) * 10 + digit(1) + u64::from(digit(2) >= 5))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_in_utc() {
        for (ms, expect) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_793_331_017_250, "2026-10-30T03:30:17.250Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z"),
            (i64::MAX, "9999-12-31T23:59:59.999Z"),
            (i64::MIN, "0000-01-01T00:00:00Z"),
        ] {
            assert_eq!(iso(WallTime(ms)), expect);
        }
    }

    #[test]
    fn lengths_are_whole_seconds_and_amounts_whole_cents() {
        for (ms, expect) in [
            (0, 0),
            (499, 0),
            (500, 1),
            (65_250, 65),
            (u64::MAX, 18_446_744_073_709_552),
        ] {
            assert_eq!(seconds(ms), expect);
        }
        for (amount, expect) in [
            ("24.00", Some(2_400)),
            (" 2400 ", Some(240_000)),
            ("0.5", Some(50)),
            ("1.005", Some(101)),
            ("1.", Some(100)),
            ("999999999999999.99", Some(99_999_999_999_999_999)),
            ("", None),
            (".5", None),
            ("-1", None),
            ("1,200", None),
            ("1e3", None),
            ("9999999999999999", None),
        ] {
            assert_eq!(cents(amount), expect, "{amount}");
        }
    }
}
