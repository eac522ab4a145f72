//! Waiting for SIGTERM or Ctrl-C.

use tokio::signal;

/// Returns when the process is told to stop.
#[cfg(unix)]
pub(crate) async fn terminated() {
    match signal::unix::signal(signal::unix::SignalKind::terminate()) {
        Ok(mut term) => tokio::select! {
            _ = term.recv() => {}
            _ = signal::ctrl_c() => {}
        },
        Err(error) => {
            tracing::warn!(%error, "SIGTERM can't be received; stop with Ctrl-C");
            if signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Returns when the process is told to stop.
#[cfg(not(unix))]
pub(crate) async fn terminated() {
    if signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
