//! Queries in Salesforce's language (SOQL).
//!
//! Comparisons ignore case. A number is looked for by its last digits with anything in between, so that every spelling
//! which [`Phone::matches_typed`] accepts is found, however a person typed it; equality with the usual spellings would
//! miss one and make that person a second time. Whoever was found is compared in full, digit by digit.

use std::fmt::Write;

use callflume_core::event::Phone;

use super::paths::percent_encoded;

/// Most records of an answer: a page of Salesforce's.
pub(crate) const PAGE: usize = 2_000;

/// How many of a number's digits are looked for: as few as [`Phone::matches_typed`] takes for a number.
const TERM_DIGITS: usize = 7;

/// A text as a literal.
pub(crate) fn literal(text: &str) -> String {
    let mut literal = String::from("'");
    for c in text.chars() {
        match c {
            '\'' | '\\' => {
                literal.push('\\');
                literal.push(c);
            }
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            c => literal.push(c),
        }
    }
    literal.push('\'');
    literal
}

/// That a field has one of these values; none without values.
pub(crate) fn is_one_of<'a>(
    field: &str,
    values: impl IntoIterator<Item = &'a String>,
) -> Option<String> {
    let values: Vec<String> = values.into_iter().map(|value| literal(value)).collect();
    (!values.is_empty()).then(|| format!("{field} IN ({})", values.join(",")))
}

/// The pattern that every spelling of a number fits.
pub(crate) fn phone_pattern(phone: &Phone) -> String {
    let number = phone.as_str();
    let start = number.len().saturating_sub(TERM_DIGITS);
    let mut pattern = String::from("%");
    for digit in number.get(start..).unwrap_or(number).chars() {
        write!(pattern, "{digit}%").expect("writing to a String can't fail");
    }
    pattern
}

/// The path of a query.
pub(crate) fn path(base: &str, soql: &str) -> String {
    format!("{base}/query?q={}", percent_encoded(soql))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_literal_is_escaped() {
        for (text, expect) in [
            ("k-1", "'k-1'"),
            ("o'neil@example.org", r"'o\'neil@example.org'"),
            (r"a\' OR Name != '", r"'a\\\' OR Name != \''"),
            ("a\nb", r"'a\nb'"),
        ] {
            assert_eq!(literal(text), expect);
        }
    }

    #[test]
    fn a_number_is_its_last_digits_with_anything_in_between() {
        let phone = Phone::parse("+12025550143").unwrap();
        assert_eq!(phone_pattern(&phone), "%5%5%5%0%1%4%3%");
        let short = Phone::parse("+4912345").unwrap();
        assert_eq!(phone_pattern(&short), "%4%9%1%2%3%4%5%");
        let values = ["a".to_owned(), "b".to_owned()];
        assert_eq!(is_one_of("Email", &values).unwrap(), "Email IN ('a','b')");
        assert_eq!(is_one_of("Email", &[]), None);
    }
}
