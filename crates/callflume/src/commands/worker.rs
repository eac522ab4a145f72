//! `worker`: runs until it is told to stop.

use tokio::sync::watch;

use super::Session;
use crate::failure::{Exit, Failure};
use crate::signals::Signals;

pub(super) async fn run(session: &Session) -> anyhow::Result<Exit> {
    let settings = session.configuration()?.worker()?;
    let mut signals = Signals::listen()?;
    let (stop, stopped) = watch::channel(false);
    let work = callflume_worker::run(settings, stopped);
    tokio::pin!(work);
    tokio::select! {
        ended = &mut work => {
            ended?;
            return Ok(Exit::Done);
        }
        () = signals.next() => {}
    }
    tracing::info!("stopping: finishing what is under way; another signal stops at once");
    stop.send_replace(true);
    tokio::select! {
        ended = &mut work => {
            ended?;
            Ok(Exit::Done)
        }
        () = signals.next() => Err(Failure::interrupted(
            "nothing is lost: another worker, or the next start, repeats what was not recorded",
        )
        .into()),
    }
}
