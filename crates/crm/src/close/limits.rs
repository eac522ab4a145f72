//! Close's limits: requests per second, per API key and endpoint group (method and path).
//!
//! Source: the page "Rate limits" of the developer documentation, autumn 2026. It publishes the rule, not the figures:
//! those of each group are in the `RateLimit` header of its answers, and some groups are stricter. The profiles hold the
//! documentation's example figures and a cautious start; the header lowers them at once. The organisation's limit is
//! three times the key's in every group, so one key alone never meets it.

use callflume_core::vendor::{Charge, Verb, WindowSpec};

/// Index of the search group.
pub const SEARCH: usize = 0;
/// Index of the group that makes records.
pub const CREATE: usize = 1;
/// Index of the group that changes them.
pub const UPDATE: usize = 2;
/// Index of the group that lists them.
pub const LIST: usize = 3;

/// What a request of this verb costs: one in its group.
pub const fn charges(verb: Verb) -> &'static [Charge] {
    const SEARCHES: &[Charge] = &[Charge::one(SEARCH)];
    const CREATIONS: &[Charge] = &[Charge::one(CREATE)];
    const UPDATES: &[Charge] = &[Charge::one(UPDATE)];
    const LISTINGS: &[Charge] = &[Charge::one(LIST)];
    match verb {
        Verb::ReadByKey | Verb::ReadByEmail | Verb::SearchByPhone => SEARCHES,
        Verb::Create => CREATIONS,
        Verb::UpsertByKey | Verb::UpdateById | Verb::UpdateByKey => UPDATES,
        Verb::List | Verb::Probe => LISTINGS,
    }
}

/// The group of a verb.
pub fn group(verb: Verb) -> usize {
    charges(verb).first().map_or(SEARCH, |charge| charge.window)
}

const fn windows(search: u32, others: u32, span_ms: u64) -> [WindowSpec; 4] {
    [
        WindowSpec::rolling("search", search, span_ms),
        WindowSpec::rolling("create", others, span_ms),
        WindowSpec::rolling("update", others, span_ms),
        WindowSpec::rolling("list", others, span_ms),
    ]
}

static CAUTIOUS: [WindowSpec; 4] = windows(5, 5, 1_000);
static DOC_EXAMPLE: [WindowSpec; 4] = windows(20, 20, 1_000);
static STRICT_SEARCH: [WindowSpec; 4] = windows(5, 20, 1_000);
static HEADER_EXAMPLE: [WindowSpec; 4] = windows(100, 100, 5_000);

/// Every profile by its id, windows in the order of [`SEARCH`], [`CREATE`], [`UPDATE`], [`LIST`].
pub static PROFILES: &[(&str, &[WindowSpec])] = &[
    ("cautious", &CAUTIOUS),
    ("doc_example", &DOC_EXAMPLE),
    ("strict_search", &STRICT_SEARCH),
    ("header_example", &HEADER_EXAMPLE),
];

#[cfg(test)]
mod tests {
    use callflume_core::vendor::Span;

    use super::*;

    #[test]
    fn every_group_has_a_window_of_its_own() {
        for (id, search, others, span_ms) in [
            ("cautious", 5, 5, 1_000),
            ("doc_example", 20, 20, 1_000),
            ("strict_search", 5, 20, 1_000),
            ("header_example", 100, 100, 5_000),
        ] {
            let (_, windows) = PROFILES.iter().find(|(known, _)| *known == id).unwrap();
            let limits: Vec<u32> = windows.iter().map(|window| window.limit).collect();
            assert_eq!(limits, [search, others, others, others], "{id}");
            assert!(
                windows
                    .iter()
                    .all(|window| window.span == Span::RollingMs(span_ms)),
                "{id}"
            );
        }
        for (verb, expect) in [
            (Verb::ReadByEmail, SEARCH),
            (Verb::SearchByPhone, SEARCH),
            (Verb::Create, CREATE),
            (Verb::UpdateById, UPDATE),
            (Verb::List, LIST),
        ] {
            assert_eq!(group(verb), expect);
        }
    }
}
