//! Workers as processes of their own, so that they can be killed like in production.
//!
//! Started, killed with SIGKILL, started again; their peak memory is read from the system where it says so (Linux).

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};

use super::stage::{TOKEN, TOKEN_VARIABLE};

/// How a worker process is started: a program and its arguments, to which `--broker <url>` is added.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
}

impl Launch {
    /// This very program with one sub-command.
    pub fn own(arguments: &[&str]) -> std::io::Result<Self> {
        Ok(Self {
            program: std::env::current_exe()?,
            arguments: arguments
                .iter()
                .map(|argument| (*argument).to_owned())
                .collect(),
        })
    }
}

/// A worker process. Killed when dropped.
#[derive(Debug)]
pub struct WorkerProcess {
    launch: Launch,
    broker: String,
    log: PathBuf,
    child: Child,
    rss_kib_max: u64,
}

impl WorkerProcess {
    /// Starts a worker; its log is appended to `log`.
    pub fn start(launch: Launch, broker: &str, log: &Path) -> std::io::Result<Self> {
        let child = spawn(&launch, broker, log)?;
        Ok(Self {
            launch,
            broker: broker.to_owned(),
            log: log.to_owned(),
            child,
            rss_kib_max: 0,
        })
    }

    /// Kills it (SIGKILL) and starts another.
    pub async fn kill_and_restart(&mut self) -> std::io::Result<()> {
        self.sample();
        self.child.kill().await?;
        self.child = spawn(&self.launch, &self.broker, &self.log)?;
        Ok(())
    }

    /// The process, `None` once it has ended.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Whether the process has ended by itself, and how.
    pub fn ended(&mut self) -> std::io::Result<Option<std::process::ExitStatus>> {
        self.child.try_wait()
    }

    /// Reads its memory.
    pub fn sample(&mut self) {
        let Some(pid) = self.child.id() else { return };
        let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else {
            return;
        };
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .and_then(|rest| {
                rest.trim()
                    .split_ascii_whitespace()
                    .next()?
                    .parse::<u64>()
                    .ok()
            });
        self.rss_kib_max = self.rss_kib_max.max(peak.unwrap_or(0));
    }

    /// The most memory any of its lives had, MiB; `None` where the system doesn't say.
    pub fn rss_mib_max(&self) -> Option<f64> {
        (self.rss_kib_max > 0).then(|| self.rss_kib_max as f64 / 1024.0)
    }

    /// Ends it gracefully (SIGTERM, then waiting), or by force where there are no signals.
    pub async fn stop(mut self) -> std::io::Result<()> {
        self.sample();
        let asked = match self.child.id() {
            Some(pid) => Command::new("kill")
                .args(["-TERM", &pid.to_string()])
                .status()
                .await
                .is_ok_and(|status| status.success()),
            None => false,
        };
        if !asked {
            return self.child.kill().await;
        }
        match tokio::time::timeout(std::time::Duration::from_secs(30), self.child.wait()).await {
            Ok(ended) => ended.map(drop),
            Err(_) => self.child.kill().await,
        }
    }
}

fn spawn(launch: &Launch, broker: &str, log: &Path) -> std::io::Result<Child> {
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(log)?;
    let mut command = Command::new(&launch.program);
    command
        .args(&launch.arguments)
        .args(["--broker", broker])
        .env(TOKEN_VARIABLE, TOKEN)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true);
    // Ctrl-C reaches the run only; it decides when its workers end.
    #[cfg(unix)]
    command.process_group(0);
    command.spawn()
}
