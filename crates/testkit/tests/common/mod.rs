//! Shared by the tests of this crate.

use std::time::Duration;

/// How long any awaited condition may take on a loaded machine before a test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
