//! Notes as Callflume leaves them, read back: HTML of paragraphs, the first a text, the last the mark of the record, between
//! them what has no field of its own, a line each.

/// Begins the last paragraph.
const MARKER: &str = "[callflume ";
/// What may stand between text and mark, before a colon.
const LABELS: [&str; 7] = [
    "Direction",
    "Outcome",
    "Length",
    "From",
    "To",
    "Call",
    "Priority",
];

/// A note, taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Note {
    /// The text, without HTML.
    pub(super) text: String,
    /// Labels and what stands after them.
    pub(super) facts: Vec<(&'static str, String)>,
}

impl Note {
    /// Takes a note apart. One that somebody typed is all text.
    pub(super) fn read(html: &str) -> Self {
        let mut paragraphs: Vec<&str> = html
            .split("</p>")
            .map(|part| part.trim_start_matches("<p>"))
            .filter(|part| !part.is_empty())
            .collect();
        if paragraphs.last().is_some_and(|it| it.starts_with(MARKER)) {
            paragraphs.pop();
        }
        let mut note = Self::default();
        if let Some(facts) = paragraphs.last().and_then(|last| facts(last)) {
            note.facts = facts;
            paragraphs.pop();
        }
        let texts: Vec<String> = paragraphs.into_iter().map(plain).collect();
        note.text = texts.join("\n\n");
        note
    }

    /// What stands after a label.
    pub(super) fn fact(&self, label: &str) -> Option<&str> {
        self.facts
            .iter()
            .find(|(known, _)| *known == label)
            .map(|(_, said)| said.as_str())
    }
}

/// The facts of a paragraph; none when a line of it is none.
fn facts(paragraph: &str) -> Option<Vec<(&'static str, String)>> {
    paragraph
        .split("<br>")
        .map(|line| {
            let (label, said) = line.split_once(": ")?;
            let label = LABELS.into_iter().find(|known| *known == label)?;
            Some((label, plain(said)))
        })
        .collect()
}

/// HTML as people read it.
fn plain(html: &str) -> String {
    let mut text = html.replace("<br>", "\n");
    // The ampersand last: what it begins then is text.
    for (entity, character) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&amp;", "&"),
    ] {
        text = text.replace(entity, character);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_taken_apart() {
        let facts = |facts: &[(&'static str, &str)]| {
            facts
                .iter()
                .map(|(label, said)| (*label, (*said).to_owned()))
                .collect::<Vec<_>>()
        };
        for (html, text, expect) in [
            (
                "<p>Sum &amp; &lt;b&gt;<br>more</p><p>Direction: inbound<br>Length: 65 s</p><p>[callflume c-1]</p>",
                "Sum & <b>\nmore",
                facts(&[("Direction", "inbound"), ("Length", "65 s")]),
            ),
            (
                "<p>Outcome: no answer</p><p>[callflume c-1]</p>",
                "",
                facts(&[("Outcome", "no answer")]),
            ),
            (
                "<p>a: b</p><p>[callflume r-1] 2026-10-30</p>",
                "a: b",
                Vec::new(),
            ),
            ("<p>[callflume r-1]</p>", "", Vec::new()),
            ("typed by a person", "typed by a person", Vec::new()),
            ("<p>&amp;lt;</p>", "&lt;", Vec::new()),
        ] {
            let note = Note::read(html);
            assert_eq!((note.text.as_str(), &note.facts), (text, &expect), "{html}");
        }
        let note = Note::read("<p>Call: x-1</p><p>[callflume c-1]</p>");
        assert_eq!((note.fact("Call"), note.fact("To")), (Some("x-1"), None));
    }
}
