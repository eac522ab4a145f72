//! Pipedrive's quota headers: `x-ratelimit-*` for the window of two seconds that the request counted in, and, often,
//! `x-daily-ratelimit-token-*` for the day.

use callflume_core::effect::Object;
use callflume_core::vendor::{Observation, Verb};

use super::limits::{BURST, DAILY_TOKENS, charges};
use crate::headers::{number, seconds_as_ms, value};

/// What they say.
pub fn observe(verb: Verb, object: Object, headers: &[(String, String)]) -> Vec<Observation> {
    let window = Observation {
        window: charges(verb, object)
            .first()
            .map_or(BURST, |charge| charge.window),
        limit: number(headers, "x-ratelimit-limit"),
        remaining: number(headers, "x-ratelimit-remaining"),
        resets_in_ms: value(headers, "x-ratelimit-reset").and_then(seconds_as_ms),
    };
    let left = number(headers, "x-daily-ratelimit-token-remaining");
    let day = Observation {
        window: DAILY_TOKENS,
        limit: number(headers, "x-daily-ratelimit-token-limit"),
        remaining: left,
        // Only the day's own refusal tells: the zone of its midnight isn't published.
        resets_in_ms: value(headers, "retry-after")
            .filter(|_| left == Some(0))
            .and_then(seconds_as_ms),
    };
    [window, day]
        .into_iter()
        .filter(|seen| seen.limit.is_some() || seen.remaining.is_some())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::limits::SEARCH;
    use super::*;

    /// Headers, verb, what is seen.
    type Row<'a> = (&'a [(&'a str, &'a str)], Verb, &'a [Observation]);

    #[test]
    fn each_answer_shows_what_its_headers_say() {
        let window = |window| Observation {
            window,
            limit: Some(40),
            remaining: Some(39),
            resets_in_ms: Some(2_000),
        };
        let day = Observation {
            window: DAILY_TOKENS,
            limit: Some(60_000),
            remaining: Some(59_950),
            resets_in_ms: None,
        };
        let all = [
            ("x-ratelimit-limit", "40"),
            ("x-ratelimit-remaining", "39"),
            ("x-ratelimit-reset", "2"),
            ("x-daily-ratelimit-token-limit", "60000"),
            ("x-daily-ratelimit-token-remaining", "59950"),
        ];
        let spent = Observation {
            window: DAILY_TOKENS,
            limit: None,
            remaining: Some(0),
            resets_in_ms: Some(3_600_000),
        };
        let refused = [
            ("retry-after", "3600"),
            ("x-daily-ratelimit-token-remaining", "0"),
        ];
        let table: [Row<'_>; 6] = [
            (&refused, Verb::Create, &[spent]),
            (&all, Verb::Create, &[window(BURST), day]),
            (&all, Verb::SearchByPhone, &[window(SEARCH), day]),
            (&all[..3], Verb::List, &[window(BURST)]),
            (&all[2..3], Verb::List, &[]),
            (&[("x-ratelimit-limit", "-")], Verb::List, &[]),
        ];
        for (headers, verb, expect) in table {
            let headers: Vec<(String, String)> = headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            assert_eq!(
                observe(verb, Object::Contact, &headers),
                expect,
                "{verb:?} {headers:?}"
            );
        }
    }
}
