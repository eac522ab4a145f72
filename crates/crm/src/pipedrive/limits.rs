//! Pipedrive's published limits: requests in two seconds per token, and tokens per day per company.
//!
//! Sources: the page "Rate limiting" as of 17 September 2026, and the token costs in the vendor's API description. The
//! day's tokens are 30,000 × the plan's multiplier × seats, shared by all users and apps of the company; the day ends at
//! midnight in a zone that isn't published, so a refusal's own hint counts. Searches have a window of their own.
//! Continuing to send while refused gets an API token locked out.

use callflume_core::effect::Object;
use callflume_core::vendor::{Charge, Verb, WindowSpec};

/// Index of the two-second window.
pub const BURST: usize = 0;
/// Index of the search window.
pub const SEARCH: usize = 1;
/// Index of the day, in tokens.
pub const DAILY_TOKENS: usize = 2;

/// Name of the two-second window.
pub const BURST_NAME: &str = "burst";
/// Name of the search window.
pub const SEARCH_NAME: &str = "search";

/// Tokens per day and seat of the smallest plan.
const TOKENS: u32 = 30_000;
/// Searches in two seconds, on every plan.
const SEARCHES: u32 = 10;

/// A subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// Lite.
    Lite,
    /// Growth.
    Growth,
    /// Premium.
    Premium,
    /// Ultimate.
    Ultimate,
}

impl Plan {
    /// What the smallest plan's day is multiplied by.
    pub const fn multiplier(self) -> u32 {
        match self {
            Self::Lite => 1,
            Self::Growth => 2,
            Self::Premium => 5,
            Self::Ultimate => 7,
        }
    }

    /// Tokens per day of a company with so many seats, before top-ups.
    pub const fn daily_tokens(self, seats: u32) -> u32 {
        TOKENS
            .saturating_mul(self.multiplier())
            .saturating_mul(seats)
    }

    /// Requests in two seconds with an API token; an OAuth app has four times as many.
    pub const fn burst(self) -> u32 {
        match self {
            Self::Lite => 20,
            Self::Growth => 40,
            Self::Premium => 100,
            Self::Ultimate => 120,
        }
    }
}

/// The windows of a company on this plan with so many seats.
pub const fn windows(plan: Plan, oauth: bool, seats: u32) -> [WindowSpec; 3] {
    let burst = if oauth {
        plan.burst() * 4
    } else {
        plan.burst()
    };
    [
        WindowSpec::rolling(BURST_NAME, burst, 2_000),
        WindowSpec::rolling(SEARCH_NAME, SEARCHES, 2_000),
        WindowSpec::day("daily_tokens", plan.daily_tokens(seats)).in_tokens(),
    ]
}

/// Whether a request of this verb counts in the search window.
pub const fn searches(verb: Verb, object: Object) -> bool {
    matches!(
        (verb, object),
        (
            Verb::ReadByKey | Verb::ReadByEmail | Verb::SearchByPhone,
            Object::Contact
        )
    )
}

/// What a request of this verb costs: the `x-token-cost` of the endpoint it goes to. Notes are in the older API version,
/// which costs twice as much. An operation that Pipedrive can't do is asked of nobody: two tokens for a sign of life.
pub const fn charges(verb: Verb, object: Object) -> &'static [Charge] {
    const fn tokens(cost: u32) -> Charge {
        Charge {
            window: DAILY_TOKENS,
            cost,
        }
    }
    const SEARCHES: &[Charge] = &[Charge::one(SEARCH), tokens(20)];
    const LISTINGS: &[Charge] = &[Charge::one(BURST), tokens(10)];
    const LISTINGS_V1: &[Charge] = &[Charge::one(BURST), tokens(20)];
    const WRITES: &[Charge] = &[Charge::one(BURST), tokens(5)];
    const WRITES_V1: &[Charge] = &[Charge::one(BURST), tokens(10)];
    const ME: &[Charge] = &[Charge::one(BURST), tokens(2)];
    match (verb, object) {
        (Verb::ReadByKey | Verb::ReadByEmail | Verb::SearchByPhone, Object::Contact) => SEARCHES,
        (Verb::ReadByKey | Verb::ReadByEmail | Verb::SearchByPhone | Verb::UpdateByKey, _) => ME,
        (Verb::List | Verb::Probe, Object::Note) => LISTINGS_V1,
        (Verb::List | Verb::Probe, _) => LISTINGS,
        (Verb::UpsertByKey | Verb::Create | Verb::UpdateById, Object::Note) => WRITES_V1,
        (Verb::UpsertByKey | Verb::Create | Verb::UpdateById, _) => WRITES,
    }
}

static LITE: [WindowSpec; 3] = windows(Plan::Lite, false, 1);
static LITE_OAUTH: [WindowSpec; 3] = windows(Plan::Lite, true, 1);
static GROWTH: [WindowSpec; 3] = windows(Plan::Growth, false, 1);
static GROWTH_OAUTH: [WindowSpec; 3] = windows(Plan::Growth, true, 1);
static PREMIUM: [WindowSpec; 3] = windows(Plan::Premium, false, 1);
static PREMIUM_OAUTH: [WindowSpec; 3] = windows(Plan::Premium, true, 1);
static ULTIMATE: [WindowSpec; 3] = windows(Plan::Ultimate, false, 1);
static ULTIMATE_OAUTH: [WindowSpec; 3] = windows(Plan::Ultimate, true, 1);

/// Every profile by its id, for one seat, windows in the order of [`BURST`], [`SEARCH`], [`DAILY_TOKENS`]. A company
/// with more seats sets `daily_tokens` among its limits: [`Plan::daily_tokens`].
pub static PROFILES: &[(&str, &[WindowSpec])] = &[
    ("lite_api_token", &LITE),
    ("lite_oauth", &LITE_OAUTH),
    ("growth_api_token", &GROWTH),
    ("growth_oauth", &GROWTH_OAUTH),
    ("premium_api_token", &PREMIUM),
    ("premium_oauth", &PREMIUM_OAUTH),
    ("ultimate_api_token", &ULTIMATE),
    ("ultimate_oauth", &ULTIMATE_OAUTH),
];

#[cfg(test)]
mod tests {
    use callflume_core::vendor::{Span, Unit};

    use super::*;

    #[test]
    fn the_published_figures() {
        let figures: Vec<(&str, u32, u32)> = PROFILES
            .iter()
            .map(|(id, windows)| (*id, windows[BURST].limit, windows[DAILY_TOKENS].limit))
            .collect();
        assert_eq!(
            figures,
            [
                ("lite_api_token", 20, 30_000),
                ("lite_oauth", 80, 30_000),
                ("growth_api_token", 40, 60_000),
                ("growth_oauth", 160, 60_000),
                ("premium_api_token", 100, 150_000),
                ("premium_oauth", 400, 150_000),
                ("ultimate_api_token", 120, 210_000),
                ("ultimate_oauth", 480, 210_000),
            ]
        );
        for (id, windows) in PROFILES {
            assert_eq!(windows[SEARCH], WindowSpec::rolling("search", 10, 2_000));
            assert_eq!(windows[BURST].span, Span::RollingMs(2_000), "{id}");
            assert_eq!(windows[DAILY_TOKENS].span, Span::Day, "{id}");
            assert_eq!(windows[DAILY_TOKENS].unit, Unit::Token, "{id}");
        }
        assert_eq!(Plan::Premium.daily_tokens(12), 1_800_000);
    }

    #[test]
    fn each_operation_has_its_price_and_searches_a_window_of_their_own() {
        use Object::{Call, Contact, Deal, Note, Task};
        for (verb, object, window, tokens) in [
            (Verb::ReadByKey, Contact, SEARCH, 20),
            (Verb::ReadByEmail, Contact, SEARCH, 20),
            (Verb::SearchByPhone, Contact, SEARCH, 20),
            (Verb::UpsertByKey, Contact, BURST, 5),
            (Verb::UpdateById, Contact, BURST, 5),
            (Verb::List, Contact, BURST, 10),
            (Verb::Probe, Contact, BURST, 10),
            (Verb::Create, Call, BURST, 5),
            (Verb::UpdateById, Call, BURST, 5),
            (Verb::Probe, Call, BURST, 10),
            (Verb::Create, Task, BURST, 5),
            (Verb::Create, Deal, BURST, 5),
            (Verb::UpdateById, Deal, BURST, 5),
            (Verb::Probe, Deal, BURST, 10),
            (Verb::Create, Note, BURST, 10),
            (Verb::UpdateById, Note, BURST, 10),
            (Verb::Probe, Note, BURST, 20),
            (Verb::UpdateByKey, Call, BURST, 2),
            (Verb::SearchByPhone, Deal, BURST, 2),
        ] {
            let expect = [
                Charge::one(window),
                Charge {
                    window: DAILY_TOKENS,
                    cost: tokens,
                },
            ];
            assert_eq!(charges(verb, object), expect, "{verb:?} {object}");
        }
    }
}
