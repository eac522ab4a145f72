//! How many cases a property tries.

use proptest::test_runner::Config;

/// This many; `PROPTEST_CASES` in the environment says otherwise, for long runs.
pub(crate) fn cases(usual: u32) -> Config {
    let asked_for = std::env::var_os("PROPTEST_CASES").is_some();
    let config = Config::default();
    Config {
        cases: if asked_for { config.cases } else { usual },
        failure_persistence: None,
        ..config
    }
}
