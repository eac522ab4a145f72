//! When a token is renewed, and when a renewal that failed is tried again.

/// An access token that lives long enough is renewed this long before its end, milliseconds.
pub const RENEW_LEFT_MS: u64 = 300_000;
/// First and longest wait after a renewal that failed in a passing way, milliseconds.
const AGAIN_MS: (u64, u64) = (1_000, 60_000);
/// Longest wait that a CRM's own hint is believed, milliseconds.
const HINT_MAX_MS: u64 = 600_000;

/// How long after it was asked for an access token of this life is renewed, milliseconds: five minutes before its end, or
/// at 80 % of its life, whichever is later. So a token of an hour serves 55 minutes, one of ten minutes eight, and what is
/// left is enough for some tries.
pub const fn renew_after_ms(life_s: u64) -> u64 {
    let life_ms = life_s.saturating_mul(1_000);
    let share_ms = life_ms / 5 * 4;
    let early_ms = life_ms.saturating_sub(RENEW_LEFT_MS);
    if share_ms > early_ms {
        share_ms
    } else {
        early_ms
    }
}

/// How long to wait after so many failures in a row, milliseconds; the CRM's own hint counts when it is longer.
pub fn again_after_ms(failures: u32, hint_ms: Option<u64>) -> u64 {
    let doublings = failures.saturating_sub(1).min(10);
    let own_ms = (AGAIN_MS.0 << doublings).min(AGAIN_MS.1);
    own_ms.max(hint_ms.unwrap_or(0).min(HINT_MAX_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_before_its_end() {
        for (life_s, after_ms) in [
            (0, 0),
            (10, 8_000),
            (600, 480_000),
            (1_500, 1_200_000),
            (1_800, 1_500_000),
            (3_600, 3_300_000),
            (86_400, 86_100_000),
            (u64::MAX, u64::MAX - RENEW_LEFT_MS),
        ] {
            assert_eq!(renew_after_ms(life_s), after_ms, "{life_s}");
            assert!(life_s == 0 || after_ms < life_s.saturating_mul(1_000));
        }
    }

    #[test]
    fn failures_are_spaced_out_and_hints_believed_within_reason() {
        for (failures, hint_ms, wait_ms) in [
            (0, None, 1_000),
            (1, None, 1_000),
            (2, None, 2_000),
            (6, None, 32_000),
            (7, None, 60_000),
            (u32::MAX, None, 60_000),
            (1, Some(10), 1_000),
            (1, Some(30_000), 30_000),
            (9, Some(30_000), 60_000),
            (1, Some(u64::MAX), 600_000),
        ] {
            assert_eq!(again_after_ms(failures, hint_ms), wait_ms, "{failures}");
        }
    }
}
