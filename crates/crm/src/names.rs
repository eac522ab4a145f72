//! Full names taken apart, for CRMs that keep one text.

/// First and last name in a full name: the last word is the last name. One word alone is a first name.
pub(crate) fn of_full(name: Option<&str>) -> (Option<String>, Option<String>) {
    let name = name.map(str::trim).filter(|name| !name.is_empty());
    match name.map(|name| name.rsplit_once(char::is_whitespace).unwrap_or((name, ""))) {
        Some((first, last)) => (
            Some(first.trim().to_owned()),
            (!last.is_empty()).then(|| last.to_owned()),
        ),
        None => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_is_the_last_name() {
        for (full, first, last) in [
            (Some(" Mira  Holm "), Some("Mira"), Some("Holm")),
            (Some("Ana María Roe"), Some("Ana María"), Some("Roe")),
            (Some("Mira"), Some("Mira"), None),
            (Some("  "), None, None),
            (None, None, None),
        ] {
            let found = of_full(full);
            assert_eq!(
                (found.0.as_deref(), found.1.as_deref()),
                (first, last),
                "{full:?}"
            );
        }
    }
}
