//! `RateLimit: limit=100, remaining=50, reset=5`, of the endpoint group that was asked. Fractions of seconds are
//! understood; the older headers of the same content are deprecated and ignored.

use callflume_core::vendor::{Observation, Verb};

use super::limits::group;
use crate::headers::{seconds_as_ms, value};

/// What it says about the group of this verb.
pub fn observe(verb: Verb, headers: &[(String, String)]) -> Vec<Observation> {
    let Some(text) = value(headers, "ratelimit") else {
        return Vec::new();
    };
    let part = |name: &str| {
        text.split([',', ';'])
            .filter_map(|part| part.trim().split_once('='))
            .find(|(key, _)| key.trim() == name)
            .map(|(_, value)| value.trim())
    };
    let observation = Observation {
        window: group(verb),
        limit: part("limit").and_then(|value| value.parse().ok()),
        remaining: part("remaining").and_then(|value| value.parse().ok()),
        resets_in_ms: part("reset").and_then(seconds_as_ms),
    };
    if observation.limit.is_none() && observation.remaining.is_none() {
        return Vec::new();
    }
    vec![observation]
}

#[cfg(test)]
mod tests {
    use super::super::limits::{CREATE, SEARCH};
    use super::*;

    #[test]
    fn the_header_is_read_for_the_group_that_was_asked() {
        for (verb, text, expect) in [
            (
                Verb::Create,
                "limit=100, remaining=50, reset=5",
                Some((CREATE, Some(100), Some(50), Some(5_000))),
            ),
            (
                Verb::ReadByEmail,
                "limit=20,remaining=0,reset=0.87",
                Some((SEARCH, Some(20), Some(0), Some(870))),
            ),
            (
                Verb::Create,
                "remaining=3",
                Some((CREATE, None, Some(3), None)),
            ),
            (Verb::Create, "reset=5", None),
            (Verb::Create, "limit=lots", None),
            (Verb::Create, "", None),
        ] {
            let headers = [("RateLimit".to_owned(), text.to_owned())];
            let seen = observe(verb, &headers)
                .first()
                .map(|seen| (seen.window, seen.limit, seen.remaining, seen.resets_in_ms));
            assert_eq!(seen, expect, "{text}");
        }
        assert!(observe(Verb::List, &[]).is_empty());
    }
}
