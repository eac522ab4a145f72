//! HubSpot's published limits per kind of app and subscription.
//!
//! Sources: HubSpot's page "API usage guidelines and limits" as of autumn 2026 for private apps and service keys, and
//! the marketplace app limit of 110 per ten seconds. The ten-second limit counts per app (per app and account for a
//! public one), search and day per account with all its apps. The day ends at midnight in the account's time zone.

use callflume_core::vendor::{Charge, WindowSpec};

/// Index of the ten-second window.
pub const TEN_SECONDLY: usize = 0;
/// Index of the search window.
pub const SEARCH: usize = 1;
/// Index of the day.
pub const DAILY: usize = 2;

/// Name of the ten-second window.
pub const TEN_SECONDLY_NAME: &str = "ten_secondly";
/// Name of the search window.
pub const SEARCH_NAME: &str = "search";

/// What a search costs.
pub const SEARCH_CHARGES: &[Charge] = &[Charge::one(SEARCH), Charge::one(DAILY)];
/// What any other request costs.
pub const CHARGES: &[Charge] = &[Charge::one(TEN_SECONDLY), Charge::one(DAILY)];

/// The day of an account without a daily limit: seven times what the other two windows let through in 24 hours, so
/// that it neither binds nor comes near an alert, yet leaves room for arithmetic with percentages in 32 bits.
pub const NO_DAILY_LIMIT: u32 = 10_000_000;

const fn windows(ten_secondly: u32, daily: u32) -> [WindowSpec; 3] {
    [
        WindowSpec::rolling(TEN_SECONDLY_NAME, ten_secondly, 10_000),
        WindowSpec::rolling(SEARCH_NAME, 5, 1_000),
        WindowSpec::day("daily", daily),
    ]
}

static PRIVATE_FREE_STARTER: [WindowSpec; 3] = windows(100, 250_000);
static PRIVATE_PROFESSIONAL: [WindowSpec; 3] = windows(190, 625_000);
static PRIVATE_ENTERPRISE: [WindowSpec; 3] = windows(190, 1_000_000);
static PRIVATE_ENTERPRISE_INCREASE: [WindowSpec; 3] = windows(250, 2_000_000);
static PRIVATE_ENTERPRISE_INCREASE_2: [WindowSpec; 3] = windows(250, 3_000_000);
static PUBLIC_OAUTH: [WindowSpec; 3] = windows(110, NO_DAILY_LIMIT);

/// Every profile by its id, windows in the order of [`TEN_SECONDLY`], [`SEARCH`], [`DAILY`]. `increase` is one "API
/// Limit Increase", `increase_2` two: the second adds to the day only.
pub static PROFILES: &[(&str, &[WindowSpec])] = &[
    ("private_free_starter", &PRIVATE_FREE_STARTER),
    ("private_professional", &PRIVATE_PROFESSIONAL),
    ("private_enterprise", &PRIVATE_ENTERPRISE),
    ("private_enterprise_increase", &PRIVATE_ENTERPRISE_INCREASE),
    (
        "private_enterprise_increase_2",
        &PRIVATE_ENTERPRISE_INCREASE_2,
    ),
    ("public_oauth", &PUBLIC_OAUTH),
];

/// The windows of this profile.
pub fn profile(id: &str) -> Option<&'static [WindowSpec]> {
    PROFILES
        .iter()
        .find(|(known, _)| *known == id)
        .map(|(_, windows)| *windows)
}

#[cfg(test)]
mod tests {
    use callflume_core::vendor::Span;

    use super::*;

    #[test]
    fn every_profile_has_the_windows_at_the_indices_that_verbs_refer_to() {
        for (id, windows) in PROFILES {
            assert_eq!(profile(id), Some(*windows));
            assert_eq!(windows.len(), 3, "{id}");
            assert_eq!(windows[TEN_SECONDLY].span, Span::RollingMs(10_000), "{id}");
            assert_eq!(
                windows[SEARCH],
                WindowSpec::rolling("search", 5, 1_000),
                "{id}"
            );
            assert_eq!(windows[DAILY].span, Span::Day, "{id}");
        }
        assert_eq!(profile("private"), None);
    }

    #[test]
    fn the_published_figures() {
        for (id, burst, day) in [
            ("private_free_starter", 100, 250_000),
            ("private_professional", 190, 625_000),
            ("private_enterprise", 190, 1_000_000),
            ("private_enterprise_increase", 250, 2_000_000),
            ("private_enterprise_increase_2", 250, 3_000_000),
        ] {
            let windows = profile(id).unwrap();
            assert_eq!(
                (windows[TEN_SECONDLY].limit, windows[DAILY].limit),
                (burst, day)
            );
        }
    }

    #[test]
    fn the_day_of_a_public_app_never_binds() {
        let windows = profile("public_oauth").unwrap();
        let most = windows[TEN_SECONDLY].limit * 8_640 + windows[SEARCH].limit * 86_400;
        assert!(most * 5 < windows[DAILY].limit);
    }
}
