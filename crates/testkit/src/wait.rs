//! Waiting for a condition: the one place that polls.
//!
//! Tests never sleep to let something happen; they name what they wait for and how long it may take at most.

use std::time::Duration;

use tokio::time::{sleep, timeout};

/// First pause between two looks; doubled up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(1);
/// Long enough to cost nothing, short enough to add little to a wait.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// The condition did not come within the deadline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("waited {waited:?} for {what}, and it did not come")]
pub struct TimedOut {
    /// What was waited for, in the caller's words.
    pub what: String,
    /// The deadline that passed.
    pub waited: Duration,
}

/// Looks again and again until `check` gives `Some`, and returns that; `what` completes "waited for …".
///
/// A `check` that hangs is abandoned at the deadline too. A condition that can end badly gives
/// `Some(Err(…))`, so that the wait ends at once.
pub async fn wait_for<T>(
    what: &str,
    deadline: Duration,
    mut check: impl AsyncFnMut() -> Option<T>,
) -> Result<T, TimedOut> {
    let looks = async {
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(found) = check().await {
                return found;
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    };
    timeout(deadline, looks).await.map_err(|_| TimedOut {
        what: what.to_owned(),
        waited: deadline,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn returns_what_the_check_found() {
        let mut looks = 0;
        let found = wait_for("the third look", Duration::from_secs(30), async || {
            looks += 1;
            (looks == 3).then_some(looks)
        })
        .await;
        assert_eq!(found, Ok(3));
    }

    #[tokio::test]
    async fn says_what_did_not_come() {
        let missed = wait_for("a miracle", Duration::from_millis(5), async || None::<()>)
            .await
            .unwrap_err();
        assert_eq!(
            missed.to_string(),
            "waited 5ms for a miracle, and it did not come"
        );
    }

    #[tokio::test]
    async fn abandons_a_check_that_hangs() {
        let missed = wait_for("an answer", Duration::from_millis(5), async || {
            std::future::pending::<Option<()>>().await
        })
        .await;
        assert!(missed.is_err());
    }
}
