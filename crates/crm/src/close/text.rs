//! Texts as Close keeps them, and our marker in them.
//!
//! Close's calls, notes and tasks have no field that could hold our key, so their text ends with a marker made of it:
//! that is how a record is found which an unknown answer may have left. A text that is too long is cut between
//! characters and marked as cut, never refused, and the marker is never what is cut.

/// Longest text that is sent, characters. Close publishes no bound; this is ours.
pub(crate) const TEXT_MAX: usize = 60_000;
/// Longest name or title that is sent, characters. Ours too.
pub(crate) const TITLE_MAX: usize = 255;
/// Ends a text that was cut.
pub(crate) const CUT_MARK: &str = " […]";

/// The text, or its beginning and [`CUT_MARK`] if it has more than `max` characters.
pub(crate) fn cut(text: &str, max: usize) -> String {
    if text.chars().nth(max).is_none() {
        return text.to_owned();
    }
    let room = max.saturating_sub(CUT_MARK.chars().count());
    text.chars().take(room).chain(CUT_MARK.chars()).collect()
}

/// What marks a record as the one of this key.
pub(crate) fn marker(key: &str) -> String {
    format!("[callflume {key}]")
}

/// The parts as paragraphs, with the marker of `key` as the last; empty parts are left out.
pub(crate) fn marked(parts: &[&str], key: &str) -> String {
    let parts: Vec<&str> = parts
        .iter()
        .copied()
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    let text = parts.join("\n\n");
    if key.is_empty() {
        return cut(&text, TEXT_MAX);
    }
    let marker = marker(key);
    if text.is_empty() {
        return marker;
    }
    let room = TEXT_MAX.saturating_sub(marker.chars().count() + 2);
    format!("{}\n\n{marker}", cut(&text, room))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters_and_keep_their_marker() {
        assert_eq!(cut("añ𝄞", 3), "añ𝄞");
        assert_eq!(cut("añ𝄞añ𝄞", 5), "a […]");
        for long in ["x".repeat(70_000), "𝄞".repeat(70_000)] {
            let text = marked(&[&long], "r-1");
            assert_eq!(text.chars().count(), TEXT_MAX);
            assert!(text.ends_with(" […]\n\n[callflume r-1]"));
        }
    }

    #[test]
    fn paragraphs_are_joined_and_the_marker_stands_last() {
        for (parts, key, expect) in [
            (
                &["Call", " sum "][..],
                "c-1",
                "Call\n\nsum\n\n[callflume c-1]",
            ),
            (&["", "sum"], "c-1", "sum\n\n[callflume c-1]"),
            (&[], "c-1", "[callflume c-1]"),
            (&["sum"], "", "sum"),
        ] {
            assert_eq!(marked(parts, key), expect);
        }
    }
}
