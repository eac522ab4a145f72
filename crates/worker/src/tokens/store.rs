//! Storing a chain: by compare-and-set, until the broker confirms it.

use std::time::{Duration, Instant};

use callflume_core::time::BrokerTime;
use callflume_jetstream::SwapError;
use callflume_jetstream::kv::Expected;
use callflume_jetstream::tokens::{Chain, Kept, Tokens as Bucket};

use super::Inner;
use super::state::Failed;

/// Between two attempts to store.
const STORE_PAUSE: Duration = Duration::from_millis(100);
/// So long it is tried to store what the CRM answered before the broker counts as failing; it stays in memory.
const STORE_FOR: Duration = Duration::from_secs(10);

/// Since when a chain's access token lives.
fn since(chain: &Chain) -> Option<BrokerTime> {
    chain.access.as_ref().map(|access| access.since)
}

/// Stores a chain and makes it the one in use. Of two answers of the CRM the later one stays, whoever got it.
pub(super) async fn store(inner: &Inner, bucket: &Bucket, chain: &Chain) -> Result<(), Failed> {
    let account = &inner.parts.account;
    let give_up = Instant::now() + STORE_FOR;
    loop {
        let expected = inner.state().expected;
        let failed = match bucket.write(account, chain, expected).await {
            Ok(revision) => {
                let expected = Expected::Revision(revision);
                inner.state().set_chain(Some(chain.clone()), expected);
                return Ok(());
            }
            Err(SwapError::Lost { .. }) => match bucket.read(account).await {
                // Our own write, whose confirmation was lost.
                Ok(Kept::Chain(stored)) if stored.chain.is_same(chain) => {
                    let expected = Expected::Revision(stored.revision);
                    inner.state().set_chain(Some(stored.chain), expected);
                    return Ok(());
                }
                Ok(Kept::Chain(stored))
                    if chain.begun.is_none()
                        && stored.chain.origin == chain.origin
                        && since(&stored.chain) < since(chain) =>
                {
                    inner.state().expected = Expected::Revision(stored.revision);
                    continue;
                }
                Ok(_) => {
                    tracing::warn!(%account, "another process stored this account's tokens; they are used");
                    let mut state = inner.state();
                    state.unstored = None;
                    state.read = false;
                    return Err(Failed::Shortly);
                }
                Err(error) => error,
            },
            Err(SwapError::Failed(error)) => error,
        };
        if Instant::now() >= give_up {
            return Err(Failed::Broker(failed.to_string()));
        }
        tokio::time::sleep(STORE_PAUSE).await;
    }
}
