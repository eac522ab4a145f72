//! Texts within a length in UTF-16 units, as HubSpot counts them; never less than what Salesforce counts.
//!
//! A text that is too long is cut and marked rather than refused: most of a transcript is worth more than none.

/// Ends a text that was cut.
pub(crate) const CUT_MARK: &str = " […]";

/// The text, or its beginning and [`CUT_MARK`] if it is longer than `max` UTF-16 units; cut between characters.
pub(crate) fn cut(text: String, max: usize) -> String {
    // A character has no more UTF-16 units than UTF-8 bytes.
    if text.len() <= max || text.encode_utf16().count() <= max {
        return text;
    }
    let room = max - CUT_MARK.encode_utf16().count();
    let mut kept = String::with_capacity(max);
    let mut units = 0;
    for c in text.chars() {
        units += c.len_utf16();
        if units > room {
            break;
        }
        kept.push(c);
    }
    kept.push_str(CUT_MARK);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const TITLE_MAX: usize = 255;

    #[test]
    fn long_texts_are_cut_between_characters_and_marked() {
        let exact = "x".repeat(TITLE_MAX);
        assert_eq!(cut(exact.clone(), TITLE_MAX), exact);
        for long in ["x".repeat(256), "𝄞".repeat(200), "é".repeat(300)] {
            let shorter = cut(long, TITLE_MAX);
            assert!(shorter.ends_with(CUT_MARK));
            let units = shorter.encode_utf16().count();
            assert!((TITLE_MAX - 1..=TITLE_MAX).contains(&units), "{units}");
        }
        // 200 characters of two bytes each fit, though their bytes would not.
        assert_eq!(cut("é".repeat(200), TITLE_MAX), "é".repeat(200));
    }
}
