//! HubSpot's quota headers.
//!
//! Ordinary answers show the ten-second window and, for private apps and service keys, the day. A search shows the day
//! at most. The `Secondly` pair is deprecated and not enforced; it is ignored.

use callflume_core::vendor::{Observation, Verb};

use super::limits::{DAILY, TEN_SECONDLY};
use crate::headers::number;

/// What they say.
pub(super) fn observe(verb: Verb, headers: &[(String, String)]) -> Vec<Observation> {
    let pair = |window, limit, remaining| {
        let observation = Observation {
            window,
            limit: number(headers, limit),
            remaining: number(headers, remaining),
            resets_in_ms: None,
        };
        (observation.limit.is_some() || observation.remaining.is_some()).then_some(observation)
    };
    let ten_seconds = number(headers, "x-hubspot-ratelimit-interval-milliseconds")
        .is_none_or(|interval_ms| interval_ms == 10_000);
    let window = pair(
        TEN_SECONDLY,
        "x-hubspot-ratelimit-max",
        "x-hubspot-ratelimit-remaining",
    )
    .filter(|_| ten_seconds && verb != Verb::SearchByPhone);
    let day = pair(
        DAILY,
        "x-hubspot-ratelimit-daily",
        "x-hubspot-ratelimit-daily-remaining",
    );
    window.into_iter().chain(day).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Headers, verb, what is seen.
    type Row<'a> = (&'a [(&'a str, &'a str)], Verb, &'a [Observation]);

    fn seen(window: usize, limit: Option<u32>, remaining: Option<u32>) -> Observation {
        Observation {
            window,
            limit,
            remaining,
            resets_in_ms: None,
        }
    }

    #[test]
    fn each_answer_shows_what_its_headers_say() {
        let all = [
            ("X-HubSpot-RateLimit-Daily", "250000"),
            ("X-HubSpot-RateLimit-Daily-Remaining", "249991"),
            ("X-HubSpot-RateLimit-Interval-Milliseconds", "10000"),
            ("X-HubSpot-RateLimit-Max", "100"),
            ("X-HubSpot-RateLimit-Remaining", "99"),
            ("X-HubSpot-RateLimit-Secondly", "10"),
            ("X-HubSpot-RateLimit-Secondly-Remaining", "9"),
        ];
        let window = seen(TEN_SECONDLY, Some(100), Some(99));
        let day = seen(DAILY, Some(250_000), Some(249_991));
        let table: [Row<'_>; 6] = [
            (&all, Verb::UpdateById, &[window, day]),
            (&all[2..], Verb::Create, &[window]),
            (&all, Verb::SearchByPhone, &[day]),
            (&[], Verb::List, &[]),
            (
                &[
                    ("x-hubspot-ratelimit-max", "19"),
                    ("x-hubspot-ratelimit-interval-milliseconds", "1000"),
                ],
                Verb::List,
                &[],
            ),
            (
                &[
                    ("x-hubspot-ratelimit-max", "many"),
                    ("x-hubspot-ratelimit-remaining", "3"),
                ],
                Verb::List,
                &[seen(TEN_SECONDLY, None, Some(3))],
            ),
        ];
        for (headers, verb, expect) in table {
            let headers: Vec<(String, String)> = headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            assert_eq!(observe(verb, &headers), expect, "{verb:?} {headers:?}");
        }
    }
}
