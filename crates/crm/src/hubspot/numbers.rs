//! National part of a phone number.
//!
//! HubSpot's searchable phone properties hold area code and local number without the country calling code, so a
//! search must leave it out. Country calling codes (ITU-T E.164) are prefix-free: 1 and 7 stand alone, the two-digit
//! ones are listed here, every other code has three digits.

use callflume_core::event::Phone;

const TWO_DIGIT_CODES: &[&str] = &[
    "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47",
    "48", "49", "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65",
    "66", "81", "82", "84", "86", "90", "91", "92", "93", "94", "95", "98",
];

/// The number without `+` and country calling code, digits only.
pub(crate) fn national(phone: &Phone) -> &str {
    let digits = phone.as_str().trim_start_matches('+');
    let code_length = match digits.as_bytes() {
        [b'1' | b'7', ..] => 1,
        _ if TWO_DIGIT_CODES.iter().any(|code| digits.starts_with(code)) => 2,
        _ => 3,
    };
    digits.get(code_length..).unwrap_or(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_country_calling_code_is_left_out() {
        for (e164, expect) in [
            ("+12025550143", "2025550143"),
            ("+79161234567", "9161234567"),
            ("+447700900123", "7700900123"),
            ("+4915112345678", "15112345678"),
            ("+390612345678", "0612345678"),
            ("+353871234567", "871234567"),
            ("+380441234567", "441234567"),
            ("+971501234567", "501234567"),
            ("+88213123456", "13123456"),
        ] {
            assert_eq!(national(&Phone::parse(e164).unwrap()), expect, "{e164}");
        }
    }

    #[test]
    fn the_codes_are_sorted_and_none_belongs_to_zone_1_or_7() {
        assert!(TWO_DIGIT_CODES.is_sorted());
        assert!(
            TWO_DIGIT_CODES
                .iter()
                .all(|code| code.len() == 2 && !code.starts_with(['0', '1', '7']))
        );
    }
}
