//! Keeping a lease while its account is worked on.

use std::time::{Duration, Instant};

use callflume_jetstream::lease::{Lease, LeaseError, Leases};
use tokio::sync::{oneshot, watch};

/// Renews the lease until it is lost (`None`) or the work is finished.
pub(crate) async fn renew(
    leases: &Leases,
    mut lease: Lease,
    ttl: Duration,
    until: watch::Sender<Instant>,
    mut finish: oneshot::Receiver<()>,
) -> Option<Lease> {
    // Four chances within a lease.
    let every = ttl / 5;
    loop {
        tokio::select! {
            finished = &mut finish => return finished.is_ok().then_some(lease),
            () = tokio::time::sleep(every) => {}
        }
        match leases.renew(&mut lease, ttl).await {
            Ok(()) => {
                until.send_replace(lease.held_until());
            }
            Err(LeaseError::Lost { .. } | LeaseError::Held { .. }) => return None,
            Err(LeaseError::Failed(error)) => {
                tracing::warn!(%error, "a lease could not be renewed; trying again");
            }
        }
        if lease.left(Instant::now()).is_zero() {
            return None;
        }
    }
}
