//! What a process takes of the machine, as the system says it. Linux tells; elsewhere there is nothing to report.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How often memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Clock ticks a second in `/proc/<pid>/stat`: Linux has fixed it at 100 towards programs.
const TICKS_PER_S: f64 = 100.0;

/// Resident memory now, MiB.
pub(crate) fn rss_mib(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kib: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?
        .trim()
        .split_ascii_whitespace()
        .next()?
        .parse()
        .ok()?;
    Some(kib / 1024.0)
}

/// Processor time used so far, seconds.
pub(crate) fn cpu_s(pid: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold anything; user and system time are the 12th and 13th field after it.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_S)
}

/// The most resident memory of a process while it is watched.
pub(crate) struct Peak {
    stop: watch::Sender<bool>,
    watching: JoinHandle<Option<f64>>,
}

impl Peak {
    /// Begins to watch.
    pub(crate) fn of(pid: Option<u32>) -> Self {
        let (stop, mut stopped) = watch::channel(false);
        let watching = tokio::spawn(async move {
            let mut most: Option<f64> = None;
            loop {
                let now = pid.and_then(rss_mib);
                most = match (most, now) {
                    (Some(most), Some(now)) => Some(most.max(now)),
                    (most, now) => most.or(now),
                };
                tokio::select! {
                    _ = stopped.changed() => return most,
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                }
            }
        });
        Self { stop, watching }
    }

    /// Ends it; MiB.
    pub(crate) async fn end(self) -> anyhow::Result<Option<f64>> {
        self.stop.send_replace(true);
        Ok(self.watching.await?)
    }
}
