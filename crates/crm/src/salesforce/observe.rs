//! `Sforce-Limit-Info: api-usage=18/5000`, on every answer but that of the version list.
//!
//! Parts are divided by semicolons; `per-app-api-usage` and `api-bursts` are of no known limit of ours and ignored.
//! The figure may lag behind.

use callflume_core::vendor::Observation;

use super::limits::DAILY_API;
use crate::headers::value;

/// What it says.
pub fn observe(headers: &[(String, String)]) -> Vec<Observation> {
    let usage = value(headers, "sforce-limit-info").and_then(|info| {
        info.split(';')
            .find_map(|part| part.trim().strip_prefix("api-usage="))
    });
    usage
        .and_then(|usage| usage.split_once('/'))
        .and_then(|(used, limit)| {
            let (used, limit): (u32, u32) = (used.trim().parse().ok()?, limit.trim().parse().ok()?);
            Some(Observation {
                window: DAILY_API,
                limit: Some(limit),
                // A soft limit may be exceeded.
                remaining: Some(limit.saturating_sub(used)),
                resets_in_ms: None,
            })
        })
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn used_and_limit_are_read_whatever_else_is_said() {
        for (info, expect) in [
            ("api-usage=18/5000", Some((5_000, 4_982))),
            (
                "api-usage=18/5000; per-app-api-usage=17/250(appName=sample-connected-app)",
                Some((5_000, 4_982)),
            ),
            (
                "api-bursts=1/750; api-usage=10018/100000",
                Some((100_000, 89_982)),
            ),
            ("api-usage=5100/5000", Some((5_000, 0))),
            ("per-app-api-usage=17/250", None),
            ("api-usage=many/5000", None),
            ("api-usage=18", None),
            ("", None),
        ] {
            let headers = [("Sforce-Limit-Info".to_owned(), info.to_owned())];
            let seen = observe(&headers)
                .first()
                .map(|seen| (seen.limit.unwrap(), seen.remaining.unwrap()));
            assert_eq!(seen, expect, "{info}");
        }
        assert!(observe(&[]).is_empty());
    }
}
