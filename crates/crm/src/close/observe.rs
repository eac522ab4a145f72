//! `RateLimit: limit=100, remaining=50, reset=5`, of the endpoint group that was asked. Fractions of seconds are
//! understood; the older headers of the same content are deprecated and ignored. A verb that may have gone to either of
//! two groups shows nothing, for it is not said which.

use callflume_core::effect::Object;
use callflume_core::vendor::{Observation, Verb};

use super::limits::charges;
use crate::headers::{seconds_as_ms, value};

/// Longest wait believed, milliseconds.
const WAIT_MAX_MS: u64 = 3_600_000;

fn part<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.split([',', ';'])
        .filter_map(|part| part.trim().split_once('='))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim())
}

/// What it says about the group of this verb.
pub fn observe(verb: Verb, object: Object, headers: &[(String, String)]) -> Vec<Observation> {
    let (Some(text), [charge]) = (value(headers, "ratelimit"), charges(verb, object)) else {
        return Vec::new();
    };
    let observation = Observation {
        window: charge.window,
        limit: part(text, "limit").and_then(|value| value.parse().ok()),
        remaining: part(text, "remaining").and_then(|value| value.parse().ok()),
        resets_in_ms: part(text, "reset").and_then(seconds_as_ms),
    };
    if observation.limit.is_none() && observation.remaining.is_none() {
        return Vec::new();
    }
    vec![observation]
}

/// How long the group that refused wants to be left alone, milliseconds: the header's `reset`, else `Retry-After`.
pub(crate) fn wait_ms(headers: &[(String, String)]) -> Option<u64> {
    value(headers, "ratelimit")
        .and_then(|text| part(text, "reset"))
        .or_else(|| value(headers, "retry-after"))
        .and_then(seconds_as_ms)
        .map(|ms| ms.min(WAIT_MAX_MS))
}

#[cfg(test)]
mod tests {
    use super::super::limits::{LEAD_CREATE, SEARCH};
    use super::*;

    #[test]
    fn the_header_is_read_for_the_group_that_was_asked() {
        for (verb, text, expect) in [
            (
                Verb::Create,
                "limit=100, remaining=50, reset=5",
                Some((LEAD_CREATE, Some(100), Some(50), Some(5_000))),
            ),
            (
                Verb::ReadByEmail,
                "limit=20,remaining=0,reset=0.87",
                Some((SEARCH, Some(20), Some(0), Some(870))),
            ),
            (
                Verb::Create,
                "remaining=3",
                Some((LEAD_CREATE, None, Some(3), None)),
            ),
            (Verb::Create, "reset=5", None),
            (Verb::Create, "limit=lots", None),
            (Verb::Create, "", None),
            (Verb::Probe, "limit=20, remaining=19, reset=1", None),
        ] {
            let headers = [("RateLimit".to_owned(), text.to_owned())];
            let seen = observe(verb, Object::Contact, &headers)
                .first()
                .map(|seen| (seen.window, seen.limit, seen.remaining, seen.resets_in_ms));
            assert_eq!(seen, expect, "{text}");
        }
        assert!(observe(Verb::List, Object::Contact, &[]).is_empty());
    }

    #[test]
    fn the_wait_is_the_headers_reset_or_else_retry_after() {
        for (headers, expect) in [
            (
                &[
                    ("RateLimit", "limit=5, remaining=0, reset=3"),
                    ("Retry-After", "9"),
                ][..],
                Some(3_000),
            ),
            (
                &[("RateLimit", "limit=5, remaining=0"), ("Retry-After", "9")],
                Some(9_000),
            ),
            (&[("retry-after", "0.2")], Some(200)),
            (&[("retry-after", "86400")], Some(3_600_000)),
            (&[("retry-after", "Fri, 30 Oct 2026 03:30:17 GMT")], None),
            (&[], None),
        ] {
            let headers: Vec<(String, String)> = headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            assert_eq!(wait_ms(&headers), expect, "{headers:?}");
        }
    }
}
