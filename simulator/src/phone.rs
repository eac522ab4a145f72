//! The national number in a phone as people type it.
//!
//! HubSpot's searchable number is such a one; its search guide says only: area code and local number, country code left
//! out. The oracle tells persons apart by it in every CRM. The rules below are chosen to fit that guide: an extension is
//! cut, a `+` or `00` announces a country code, one trunk `0` (or the `1` of an 11-digit North American number) is dropped.
//! Never fails; what holds no digits has no searchable number.

/// Two-digit country codes (ITU E.164); 1 and 7 have one digit, all others three.
const TWO_DIGIT_CODES: [&str; 43] = [
    "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47",
    "48", "49", "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65",
    "66", "81", "82", "84", "86", "90", "91", "92", "93", "94", "95",
];

/// National number (digits only) of a phone typed in any usual way; `None` without digits.
pub fn national_number(typed: &str) -> Option<String> {
    let lower = typed.to_lowercase();
    let main = ["ext", "x", "#", ";"]
        .iter()
        .fold(lower.as_str(), |text, mark| {
            text.split_once(mark).map_or(text, |(before, _)| before)
        });
    let digits: String = main.chars().filter(char::is_ascii_digit).collect();
    let international = if main.trim_start().starts_with('+') {
        Some(digits.as_str())
    } else {
        digits.strip_prefix("00")
    };
    let national = match international {
        Some(full) => {
            let (code, rest) = split_country_code(full);
            // Italian numbers keep their zero; elsewhere "(0)" is a habit of writing.
            if code == "39" {
                rest
            } else {
                rest.strip_prefix('0').unwrap_or(rest)
            }
        }
        None if digits.len() == 11 => digits.strip_prefix(['1', '0']).unwrap_or(digits.as_str()),
        None => digits.strip_prefix('0').unwrap_or(digits.as_str()),
    };
    (!national.is_empty()).then(|| national.to_owned())
}

fn split_country_code(digits: &str) -> (&str, &str) {
    let code_len = match digits.as_bytes() {
        [b'1' | b'7', ..] => 1,
        _ if TWO_DIGIT_CODES.iter().any(|code| digits.starts_with(code))
            || digits.starts_with("98") =>
        {
            2
        }
        _ => 3,
    };
    digits.split_at_checked(code_len).unwrap_or((digits, ""))
}

#[cfg(test)]
mod tests {
    use super::national_number;

    #[test]
    fn every_usual_spelling_has_the_same_national_number() {
        for (typed, national) in [
            ("(212) 555-0123", "2125550123"),
            ("212-555-0123", "2125550123"),
            ("212.555.0123 ext. 44", "2125550123"),
            ("+1 212 555 0123", "2125550123"),
            ("1-212-555-0123", "2125550123"),
            ("001 212 555 0123", "2125550123"),
            ("+12125550123", "2125550123"),
            ("07700 900123", "7700900123"),
            ("+44 7700 900123", "7700900123"),
            ("+44 (0)7700 900123", "7700900123"),
            ("0044 7700 900123", "7700900123"),
            ("+39 06 1234567", "061234567"),
            ("+353 1 555 0199", "15550199"),
            ("+1 212 555 0123 x9", "2125550123"),
        ] {
            assert_eq!(national_number(typed).as_deref(), Some(national), "{typed}");
        }
        assert_eq!(national_number("unknown"), None);
        assert_eq!(national_number(""), None);
    }
}
