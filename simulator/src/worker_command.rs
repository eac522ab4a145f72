//! A worker as a sub-command, for runs that start workers as processes of their own.

use callflume_jetstream::connect;
use tokio::sync::watch;

use crate::signals::terminated;

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
