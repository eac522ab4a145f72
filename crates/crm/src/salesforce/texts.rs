//! Texts within Salesforce's lengths.
//!
//! A text that is too long is cut at a character and marked, never refused: most of a transcript is worth more than none.
//! Lengths are counted in UTF-16 units, which is never less than what Salesforce counts.

use crate::cut::cut;

/// Longest `Subject`, `CallDisposition`, `CallObject`, and text field of ours.
pub(crate) const LINE_MAX: usize = 255;
/// Longest `Description` of a task.
pub(crate) const TEXT_MAX: usize = 32_000;
/// One line: no control characters, no blanks around it, at most `max` units.
pub(crate) fn line(text: &str, max: usize) -> String {
    let flat: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    cut(flat.trim().to_owned(), max)
}

/// A text with lines of facts below it, at most [`TEXT_MAX`] units; of the two the text is cut. Empty if both are.
pub(crate) fn description(text: &str, facts: &[String]) -> String {
    let text: String = text
        .chars()
        .filter(|c| *c != '\r')
        .map(|c| match c {
            '\n' | '\t' => c,
            c if c.is_control() => ' ',
            c => c,
        })
        .collect();
    let facts = cut(facts.join("\n"), TEXT_MAX / 4);
    let text = text.trim();
    match (text.is_empty(), facts.is_empty()) {
        (true, _) => facts,
        (false, true) => cut(text.to_owned(), TEXT_MAX),
        (false, false) => {
            let room = TEXT_MAX - units(&facts) - 2;
            format!("{}\n\n{facts}", cut(text.to_owned(), room))
        }
    }
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cut::CUT_MARK;

    #[test]
    fn lines_are_flat_and_cut_between_characters() {
        assert_eq!(line(" a\r\nb\t", LINE_MAX), "a  b");
        let exact = "é".repeat(LINE_MAX);
        assert_eq!(line(&exact, LINE_MAX), exact);
        for long in ["x".repeat(256), "𝄞".repeat(200)] {
            let shorter = line(&long, LINE_MAX);
            assert!(shorter.ends_with(CUT_MARK));
            assert!((LINE_MAX - 1..=LINE_MAX).contains(&units(&shorter)));
        }
    }

    #[test]
    fn facts_stay_below_a_text_that_is_cut() {
        let facts = [
            "From: +12025550101".to_owned(),
            "To: +12025550190".to_owned(),
        ];
        let tail = "\n\nFrom: +12025550101\nTo: +12025550190";
        assert_eq!(
            description("Hi\r\n\u{0}there ", &facts),
            format!("Hi\n there{tail}")
        );
        assert_eq!(description(" ", &facts), tail.trim());
        assert_eq!(description(" ", &[]), "");
        for text in ["y".repeat(40_000), "𝄞".repeat(20_000)] {
            let whole = description(&text, &facts);
            assert!(whole.ends_with(&format!("{CUT_MARK}{tail}")));
            assert!((TEXT_MAX - 1..=TEXT_MAX).contains(&units(&whole)));
        }
    }
}
