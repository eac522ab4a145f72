//! Exit codes of a load test.
//!
//! | code | meaning |
//! | --- | --- |
//! | 0 | everything holds, or the machine can't tell (with a plain warning) |
//! | 2 | wrong use: arguments or scenario file |
//! | 3 | the environment failed: no broker, a port in use, a process that would not start |
//! | 98 | the machine can't tell, and a fit one was required |
//! | 99 | an objective is missed (the code users of k6 know) |

use super::Verdict;

/// Everything holds, or the machine can't tell.
pub const EXIT_PASS: u8 = 0;
/// Wrong arguments or scenario.
pub const EXIT_USAGE: u8 = 2;
/// The environment failed.
pub const EXIT_ENVIRONMENT: u8 = 3;
/// The machine can't tell, and a fit one was required.
pub const EXIT_UNFIT: u8 = 98;
/// An objective is missed.
pub const EXIT_MISSED: u8 = 99;

/// The exit code of a finished run; `require_fit` when a run that can't be judged is to count as failed.
pub const fn exit_code(verdict: Verdict, require_fit: bool) -> u8 {
    match verdict {
        Verdict::Pass => EXIT_PASS,
        Verdict::Fail => EXIT_MISSED,
        Verdict::Unfit if require_fit => EXIT_UNFIT,
        Verdict::Unfit => EXIT_PASS,
    }
}
