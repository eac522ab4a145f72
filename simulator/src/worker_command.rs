//! A worker as a sub-command, for runs that start workers as processes of their own.

use callflume_jetstream::connect;
use tokio::signal;
use tokio::sync::watch;

/// Runs a worker against the broker until SIGTERM or Ctrl-C.
pub async fn run(broker: String) -> Result<(), callflume_worker::Error> {
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        terminated().await;
        stop.send_replace(true);
    });
    let settings = connect::Settings {
        urls: vec![broker],
        ..connect::Settings::default()
    };
    callflume_worker::run(callflume_worker::Settings::new(settings), stopped).await
}

#[cfg(unix)]
async fn terminated() {
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

#[cfg(not(unix))]
async fn terminated() {
    if signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
