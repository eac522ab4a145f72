//! Salesforce's published limits: requests in any 24 hours per org, and long requests at the same time.
//!
//! Sources: "API Request Limits and Allocations" of the developer documentation, autumn 2026. All APIs of all users of
//! the org count together; a composite request of up to 25 parts, or a collection of up to 200 records, is one request.
//! The limit is soft in paid editions (by how much isn't published, so nothing is counted on). Requests under 20 s are
//! not limited in number at a time; a request counts in the slots all the same, because how long it takes is known only
//! afterwards.

use callflume_core::vendor::{Charge, WindowSpec};

/// Index of the 24-hour window.
pub const DAILY_API: usize = 0;
/// Index of the slots of long requests.
pub const LONG_RUNNING: usize = 1;

/// Name of the 24-hour window.
pub const DAILY_API_NAME: &str = "daily_api";
/// Name of the slots of long requests.
pub const LONG_RUNNING_NAME: &str = "long_running";

/// What any request costs: composite requests of 25 parts and collections of 200 records too.
pub const CHARGES: &[Charge] = &[Charge::one(DAILY_API), Charge::one(LONG_RUNNING)];

const DAY_MS: u64 = 86_400_000;

/// Requests in 24 hours of an Enterprise or Professional org with so many Salesforce or platform licences, before
/// add-ons.
pub const fn enterprise(licences: u32) -> u32 {
    100_000_u32.saturating_add(licences.saturating_mul(1_000))
}

/// The same of an Unlimited or Performance org.
pub const fn unlimited(licences: u32) -> u32 {
    100_000_u32.saturating_add(licences.saturating_mul(5_000))
}

/// The windows of an org with so many requests in 24 hours and so many long ones at a time.
pub const fn windows(daily_api: u32, long_running: u32) -> [WindowSpec; 2] {
    [
        WindowSpec::rolling(DAILY_API_NAME, daily_api, DAY_MS),
        WindowSpec::slots(LONG_RUNNING_NAME, long_running),
    ]
}

static DEVELOPER: [WindowSpec; 2] = windows(15_000, 5);
static ENTERPRISE_10: [WindowSpec; 2] = windows(enterprise(10), 25);
static ENTERPRISE_100: [WindowSpec; 2] = windows(enterprise(100), 25);
static UNLIMITED_100: [WindowSpec; 2] = windows(unlimited(100), 25);
static FULL_SANDBOX: [WindowSpec; 2] = windows(5_000_000, 25);

/// Every profile by its id, windows in the order of [`DAILY_API`], [`LONG_RUNNING`]. An org with another number of
/// licences sets `daily_api` among its limits: see [`enterprise`] and [`unlimited`], or its Setup page.
pub static PROFILES: &[(&str, &[WindowSpec])] = &[
    ("developer", &DEVELOPER),
    ("enterprise_10_seats", &ENTERPRISE_10),
    ("enterprise_100_seats", &ENTERPRISE_100),
    ("unlimited_100_seats", &UNLIMITED_100),
    ("full_sandbox", &FULL_SANDBOX),
];

#[cfg(test)]
mod tests {
    use callflume_core::vendor::{Span, Unit};

    use super::*;

    #[test]
    fn the_published_figures() {
        let figures: Vec<(&str, u32, u32)> = PROFILES
            .iter()
            .map(|(id, windows)| (*id, windows[DAILY_API].limit, windows[LONG_RUNNING].limit))
            .collect();
        assert_eq!(
            figures,
            [
                ("developer", 15_000, 5),
                ("enterprise_10_seats", 110_000, 25),
                ("enterprise_100_seats", 200_000, 25),
                ("unlimited_100_seats", 600_000, 25),
                ("full_sandbox", 5_000_000, 25),
            ]
        );
        for (id, windows) in PROFILES {
            assert_eq!(windows[DAILY_API].span, Span::RollingMs(86_400_000), "{id}");
            assert_eq!(windows[LONG_RUNNING].span, Span::Slots, "{id}");
            assert!(
                windows.iter().all(|window| window.unit == Unit::Request),
                "{id}"
            );
        }
    }
}
