//! Texts within Pipedrive's lengths: one-liners, and the HTML of notes with our marker in its last line.
//!
//! Text from outside is escaped, never taken as HTML. What is too long is cut at a character and marked, never refused;
//! the marker is never cut off.

/// Longest subject of an activity, title of a deal or name of a person, characters. Pipedrive publishes none for these;
/// its custom fields of one line hold 255.
pub(crate) const LINE_MAX: usize = 255;
/// Longest note, bytes of HTML with our marker. None is published; this stays below the 64 KiB of a database's usual text.
pub(crate) const NOTE_MAX: usize = 65_000;
/// Ends a text that was cut.
pub(crate) const CUT_MARK: &str = " […]";
/// Begins a marker.
const MARKER_START: &str = "[callflume ";

/// One line: no line breaks, cut to [`LINE_MAX`] characters.
pub(crate) fn line(text: &str) -> String {
    let flat: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let flat = flat.trim();
    if flat.chars().count() <= LINE_MAX {
        return flat.to_owned();
    }
    let kept = LINE_MAX - CUT_MARK.chars().count();
    flat.chars().take(kept).chain(CUT_MARK.chars()).collect()
}

/// How a record with this key is recognised in an HTML text.
pub(crate) fn marker(key: &str) -> String {
    let mut marker = String::from(MARKER_START);
    for c in key.chars() {
        push_escaped(&mut marker, c);
    }
    marker.push(']');
    marker
}

/// Whether an HTML text carries the marker of this key. The last marker counts: a text may quote another's.
pub(crate) fn carries(html: &str, key: &str) -> bool {
    html.rfind(MARKER_START)
        .and_then(|start| html.get(start..))
        .is_some_and(|rest| rest.starts_with(&marker(key)))
}

/// Our key in an HTML text, if it carries a marker of ours: the last one.
pub(crate) fn key_in(html: &str) -> Option<&str> {
    let (_, rest) = html.rsplit_once(MARKER_START)?;
    let (key, _) = rest.split_once(']')?;
    (!key.is_empty()).then_some(key)
}

/// A note: a text (empty for none), lines of facts, and the marker with whatever belongs beside it.
pub(crate) fn note(text: &str, facts: &[String], key: &str, beside: &str) -> String {
    let mut tail = String::new();
    if !facts.is_empty() {
        tail.push_str("<p>");
        for (index, fact) in facts.iter().enumerate() {
            if index > 0 {
                tail.push_str("<br>");
            }
            push_html(&mut tail, fact, NOTE_MAX / 4);
        }
        tail.push_str("</p>");
    }
    tail.push_str("<p>");
    tail.push_str(&marker(key));
    if !beside.is_empty() {
        tail.push(' ');
        push_html(&mut tail, beside, LINE_MAX);
    }
    tail.push_str("</p>");
    let text = text.trim();
    if text.is_empty() {
        return tail;
    }
    let mut html = String::from("<p>");
    let room = NOTE_MAX.saturating_sub(tail.len() + "<p></p>".len());
    push_html(&mut html, text, room);
    html.push_str("</p>");
    html.push_str(&tail);
    html
}

/// Appends a text as HTML of at most `room` bytes, [`CUT_MARK`] included if it doesn't fit.
fn push_html(html: &mut String, text: &str, room: usize) {
    let start = html.len();
    let keep = room.saturating_sub(CUT_MARK.len());
    // Where to cut if the whole doesn't fit.
    let mut cut_at = start;
    for c in text.chars() {
        push_escaped(html, c);
        let used = html.len() - start;
        if used <= keep {
            cut_at = html.len();
        }
        if used > room {
            html.truncate(cut_at);
            html.push_str(CUT_MARK);
            return;
        }
    }
}

fn push_escaped(html: &mut String, c: char) {
    match c {
        '&' => html.push_str("&amp;"),
        '<' => html.push_str("&lt;"),
        '>' => html.push_str("&gt;"),
        '"' => html.push_str("&quot;"),
        '\n' => html.push_str("<br>"),
        '\r' => {}
        c => html.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_html_stays_text() {
        let html = note(
            "1 < 2 & \"x\"\r\n<script>",
            &["Length: 3 s".into()],
            "c-1",
            "",
        );
        assert_eq!(
            html,
            "<p>1 &lt; 2 &amp; &quot;x&quot;<br>&lt;script&gt;</p><p>Length: 3 s</p><p>[callflume c-1]</p>"
        );
    }

    #[test]
    fn the_key_is_found_again_and_no_other() {
        let html = note("", &[], "c-1", "2026-10-30");
        assert_eq!(html, "<p>[callflume c-1] 2026-10-30</p>");
        assert!(carries(&html, "c-1"));
        assert!(!carries(&html, "c-11") && !carries(&html, "c-"));
        assert_eq!(key_in(&html), Some("c-1"));
        // A text that quotes another record's marker doesn't hide our own.
        let quoting = note("[callflume c-9]", &[], "c-1", "");
        assert_eq!(key_in(&quoting), Some("c-1"));
        assert!(carries(&quoting, "c-1") && !carries(&quoting, "c-9"));
        assert_eq!(key_in("<p>[callflume ]</p>"), None);
        assert_eq!(key_in("nothing"), None);
    }

    #[test]
    fn long_texts_are_cut_at_a_character_and_keep_their_marker() {
        for text in ["x".repeat(70_000), "&".repeat(20_000), "é𝄞".repeat(20_000)] {
            let html = note(&text, &["From: x".into()], "c-1", "");
            assert!(html.len() <= NOTE_MAX, "{}", html.len());
            assert!(html.len() > NOTE_MAX - 16, "{}", html.len());
            assert!(html.contains(CUT_MARK) && carries(&html, "c-1"));
            assert!(!html.contains("&am […]"), "no half of an entity");
        }
        let fits = "y".repeat(1_000);
        assert!(!note(&fits, &[], "c-1", "").contains(CUT_MARK));
        for text in ["x".repeat(300), "𝄞".repeat(300)] {
            let cut = line(&text);
            assert_eq!(cut.chars().count(), LINE_MAX);
            assert!(cut.ends_with(CUT_MARK));
        }
        assert_eq!(line(" a\nb\t"), "a b");
    }
}
