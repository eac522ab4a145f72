//! Quota headers: finding one, and reading its numbers. Whatever can't be read is no observation.

/// The value of the header of this lower-case name.
pub(crate) fn value<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(other, _)| other.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

/// A whole number in the header of this name.
pub(crate) fn number(headers: &[(String, String)], name: &str) -> Option<u32> {
    value(headers, name)?.parse().ok()
}

/// Seconds, also with a fraction, as milliseconds rounded up; at most a day.
pub(crate) fn seconds_as_ms(text: &str) -> Option<u64> {
    let seconds: f64 = text.trim().parse().ok()?;
    // The cast saturates, also for infinity.
    (seconds >= 0.0).then(|| ((seconds * 1_000.0).ceil() as u64).min(86_400_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_in_any_case_and_garbage_is_nothing() {
        let headers = [("X-Left".to_owned(), " 7 ".to_owned())];
        assert_eq!(number(&headers, "x-left"), Some(7));
        assert_eq!(number(&headers, "x-other"), None);
        for garbage in ["", "seven", "-1", "4294967296", "1.5"] {
            let headers = [("x-left".to_owned(), garbage.to_owned())];
            assert_eq!(number(&headers, "x-left"), None, "{garbage}");
        }
    }

    #[test]
    fn seconds_may_have_fractions_and_are_rounded_up() {
        for (text, ms) in [
            ("5", Some(5_000)),
            ("0.870663", Some(871)),
            ("0", Some(0)),
            ("1e9", Some(86_400_000)),
            ("inf", Some(86_400_000)),
            ("-1", None),
            ("nan", None),
            ("soon", None),
        ] {
            assert_eq!(seconds_as_ms(text), ms, "{text}");
        }
    }
}
