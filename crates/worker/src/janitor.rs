//! The janitor: one worker at a time, by lease.
//!
//! Purges what is settled and older than the history kept, reports how full streams are, and sees to events of
//! accounts that nobody has configured: an alert at once, dead letters after an hour.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use callflume_core::codes;
use callflume_core::lane::Lane;
use callflume_core::record::key;
use callflume_core::time::BrokerTime;
use callflume_jetstream::floor::Floors;
use callflume_jetstream::janitor::Janitor;
use callflume_jetstream::lease::Lease;
use tokio::sync::watch;

use crate::account::{Shared, wall_now};
use crate::configs::Accounts;

/// How often there is a round.
const ROUND_EVERY: Duration = Duration::from_secs(60);
/// How long the janitor's lease lasts.
const LEASE: Duration = Duration::from_secs(30);
/// How often the lease is renewed or tried for.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How long events of an unknown account wait for it to be configured.
const UNCLAIMED: Duration = Duration::from_secs(3600);
/// Fill levels that are reported, percent.
const LEVELS: [u32; 3] = [95, 85, 70];

/// Runs for ever.
pub(crate) async fn run(
    shared: Shared,
    worker: String,
    accounts: watch::Receiver<Option<Accounts>>,
    history: Duration,
) {
    let mut lease: Option<Lease> = None;
    let mut next_round = Instant::now() + LOOK_EVERY;
    let mut levels = std::collections::BTreeMap::new();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        lease = match lease.take() {
            Some(mut held) => shared
                .leases
                .renew(&mut held, LEASE)
                .await
                .is_ok()
                .then_some(held),
            None => shared.leases.claim(key::JANITOR, &worker, LEASE).await.ok(),
        };
        if lease.is_none() || Instant::now() < next_round {
            continue;
        }
        next_round = Instant::now() + ROUND_EVERY;
        let known = accounts.borrow().clone();
        if let Some(known) = known
            && let Err(error) =
                round(&shared, &known.into_keys().collect(), history, &mut levels).await
        {
            tracing::warn!(%error, "the janitor's round was cut short; the next one goes on");
        }
    }
}

async fn round(
    shared: &Shared,
    known: &BTreeSet<callflume_core::account::AccountId>,
    history: Duration,
    levels: &mut std::collections::BTreeMap<String, u32>,
) -> Result<(), callflume_jetstream::Error> {
    let janitor = Janitor::new(&shared.broker);
    let floors = Floors::open(&shared.broker).await?;
    let now = shared.clock.now();
    for account in known {
        for lane in Lane::ALL {
            let floor = floors.read(lane, account).await?;
            let purged = janitor
                .purge_settled(lane, account, floor, now, history)
                .await?;
            if purged.events > 0 {
                tracing::info!(%account, %lane, events = purged.events, below = purged.below_seq, "settled events purged");
            }
        }
    }
    for fill in janitor.fill().await? {
        let percent = (fill.fraction() * 100.0) as u32;
        let level = LEVELS
            .into_iter()
            .find(|level| percent >= *level)
            .unwrap_or(0);
        let before = levels.insert(fill.asset.clone(), level).unwrap_or(0);
        if level > before {
            tracing::warn!(asset = %fill.asset, percent, "filling up; raise its limit or find out why events are not settled");
        }
    }
    let cutoff = BrokerTime(
        now.0
            .saturating_sub(i64::try_from(UNCLAIMED.as_millis()).unwrap_or(i64::MAX)),
    );
    for lane in Lane::ALL {
        for unclaimed in janitor.unclaimed_subjects(lane, known).await? {
            let code = codes::ACCOUNT_UNKNOWN;
            let account = unclaimed
                .account
                .as_ref()
                .map_or("(none)", |account| account.as_str());
            tracing::warn!(%code, %lane, account, events = unclaimed.events, "events of an account that is not configured");
            let moved = janitor
                .dead_letter_unclaimed(&unclaimed, cutoff, wall_now())
                .await?;
            if moved > 0 {
                tracing::warn!(%code, %lane, account, events = moved, "moved to the dead letters");
            }
        }
    }
    Ok(())
}
