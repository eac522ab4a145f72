//! Starting one `nats-server` process and learning that it is ready.
//!
//! Decides the command line, the store's lock, when a server counts as started (its ports file, `/healthz`, the store
//! it reports) and what is said when it does not start. Never leaves a process behind after a failed start, and never
//! reads the ports file of an earlier one.

use std::fs::{self, File, TryLockError};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::process::{Child, Command};
use tokio::time::sleep;

use crate::binary::ServerBinary;
use crate::error::Error;
use crate::monitoring;
use crate::wait::wait_for;

/// The variable through which `nats/single.conf` learns its store.
const STORE_VARIABLE: &str = "CALLFLUME_STORE_DIR";
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How much of the log an error shows.
const LAST_WORDS: usize = 20;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Addresses {
    pub(crate) client: SocketAddr,
    pub(crate) monitoring: SocketAddr,
}

/// Everything that stays the same from one start to the next.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) binary: ServerBinary,
    pub(crate) configuration: PathBuf,
    pub(crate) store_dir: PathBuf,
    /// The store as a configuration value.
    pub(crate) store_value: String,
    pub(crate) log_file: PathBuf,
    pub(crate) ports_dir: PathBuf,
    pub(crate) own_process_group: bool,
}

impl Launch {
    /// Starts, and waits for health. Ports that are taken are tried again for as long as `patience`.
    pub(crate) async fn until_healthy(
        &self,
        client_port: Option<u16>,
        monitoring_port: Option<u16>,
        patience: Duration,
    ) -> Result<(Child, Addresses), Error> {
        let since = Instant::now();
        loop {
            let outcome = self.once(client_port, monitoring_port).await;
            let again = matches!(outcome, Err(Error::PortTaken { .. }));
            if !again || since.elapsed() >= patience {
                return outcome;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn once(
        &self,
        client_port: Option<u16>,
        monitoring_port: Option<u16>,
    ) -> Result<(Child, Addresses), Error> {
        let lock = self.locked_store()?;
        // A killed server leaves its ports file behind: never read an old one.
        if self.ports_dir.exists() {
            fs::remove_dir_all(&self.ports_dir).map_err(Error::io("remove old ports files"))?;
        }
        fs::create_dir(&self.ports_dir).map_err(Error::io("make the folder of ports files"))?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.log_file)
            .map_err(Error::io("open the log of nats-server"))?;
        let said_before = log
            .metadata()
            .map_err(Error::io("read the log of nats-server"))?
            .len();
        let errors = log
            .try_clone()
            .map_err(Error::io("open the log of nats-server"))?;

        let port = |wanted: Option<u16>| wanted.map_or_else(|| "-1".to_owned(), |p| p.to_string());
        let mut command = Command::new(self.binary.path());
        command
            .arg("-c")
            .arg(&self.configuration)
            .args(["-a", "127.0.0.1", "-p", &port(client_port)])
            .args(["-m", &port(monitoring_port)])
            .arg("--ports_file_dir")
            .arg(&self.ports_dir)
            .env(STORE_VARIABLE, &self.store_value)
            .stdin(Stdio::from(lock))
            .stdout(Stdio::from(log))
            .stderr(Stdio::from(errors))
            .kill_on_drop(true);
        if self.own_process_group {
            command.process_group(0);
        }
        let mut child = command
            .spawn()
            .map_err(Error::io(format!("run {}", self.binary.path().display())))?;

        match self.ready(&mut child, said_before).await {
            Ok(addresses) => Ok((child, addresses)),
            Err(error) => {
                // Gone, not only told to go: the caller may delete the folder or start anew at once.
                child.kill().await.map_err(Error::io("kill nats-server"))?;
                Err(error)
            }
        }
    }

    /// Waits until the server is healthy, and makes sure it stores where it was told.
    async fn ready(&self, child: &mut Child, said_before: u64) -> Result<Addresses, Error> {
        let addresses = wait_for("nats-server to be healthy", READY_WITHIN, async || {
            match ended(child) {
                Err(error) => return Some(Err(error)),
                Ok(Some(status)) => return Some(Err(self.not_started(status, said_before))),
                Ok(None) => {}
            }
            let addresses = self.addresses()?;
            let (status, _) = monitoring::get(addresses.monitoring, "/healthz")
                .await
                .ok()?;
            (status == 200).then_some(Ok(addresses))
        })
        .await
        .map_err(|timed_out| Error::NotStarted {
            reason: timed_out.to_string(),
            log: self.last_words(said_before),
        })??;
        self.stores_where_told(addresses.monitoring).await?;
        Ok(addresses)
    }

    fn not_started(&self, status: ExitStatus, said_before: u64) -> Error {
        let log = self.last_words(said_before);
        match log
            .lines()
            .find(|line| line.contains("address already in use"))
        {
            Some(line) => Error::PortTaken(line.to_owned()),
            None => Error::NotStarted {
                reason: format!("it ended at once ({status})"),
                log,
            },
        }
    }

    /// The lock file of the store, locked. The lock lives as long as any process has this file open.
    fn locked_store(&self) -> Result<File, Error> {
        fs::create_dir_all(&self.store_dir)
            .map_err(Error::io(format!("make {}", self.store_dir.display())))?;
        let path = self.store_dir.join("callflume.lock");
        let lock = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(Error::io(format!("open {}", path.display())))?;
        match lock.try_lock() {
            Ok(()) => Ok(lock),
            Err(TryLockError::WouldBlock) => Err(Error::StoreInUse(self.store_dir.clone())),
            Err(TryLockError::Error(e)) => Err(Error::io(format!("lock {}", path.display()))(e)),
        }
    }

    /// What the server wrote into its ports file, once it is there and whole.
    fn addresses(&self) -> Option<Addresses> {
        #[derive(Deserialize)]
        struct Ports {
            nats: Vec<String>,
            monitoring: Vec<String>,
        }
        let address = |urls: &[String], scheme| {
            urls.iter()
                .find_map(|url| url.strip_prefix(scheme)?.parse().ok())
        };
        fs::read_dir(&self.ports_dir).ok()?.find_map(|entry| {
            let text = fs::read(entry.ok()?.path()).ok()?;
            let ports: Ports = serde_json::from_slice(&text).ok()?;
            Some(Addresses {
                client: address(&ports.nats, "nats://")?,
                monitoring: address(&ports.monitoring, "http://")?,
            })
        })
    }

    async fn stores_where_told(&self, monitoring: SocketAddr) -> Result<(), Error> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Jsz {
            config: Config,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Config {
            store_dir: String,
        }
        let (_, body) = monitoring::get(monitoring, "/jsz")
            .await
            .map_err(Error::io("read /jsz of nats-server"))?;
        let jsz: Jsz = serde_json::from_str(&body)
            .map_err(|e| Error::io("read /jsz of nats-server")(e.into()))?;
        if Path::new(&jsz.config.store_dir).starts_with(&self.store_dir) {
            return Ok(());
        }
        Err(Error::WrongStore {
            wanted: self.store_dir.clone(),
            actual: match jsz.config.store_dir.as_str() {
                "" => "no folder (JetStream is off)".to_owned(),
                folder => folder.to_owned(),
            },
        })
    }

    /// The last lines of the log after the first `from` bytes.
    pub(crate) fn last_words(&self, from: u64) -> String {
        match fs::read(&self.log_file) {
            Ok(log) => {
                let fresh = log
                    .get(usize::try_from(from).unwrap_or(usize::MAX)..)
                    .unwrap_or_default();
                let text = String::from_utf8_lossy(fresh);
                let lines: Vec<_> = text.lines().collect();
                lines[lines.len().saturating_sub(LAST_WORDS)..].join("\n")
            }
            Err(e) => format!("(its log {} cannot be read: {e})", self.log_file.display()),
        }
    }
}

pub(crate) fn ended(child: &mut Child) -> Result<Option<ExitStatus>, Error> {
    child
        .try_wait()
        .map_err(Error::io("ask after the nats-server process"))
}

/// By the shell's built-in `kill`: signals other than SIGKILL need either that or unsafe code.
pub(crate) async fn signal(child: &Child, name: &str) -> Result<(), Error> {
    let pid = child.id().ok_or(Error::NotRunning)?;
    let doing = || Error::io(format!("send SIG{name} to nats-server (process {pid})"));
    let status = Command::new("sh")
        .args(["-c", "kill -s \"$1\" \"$2\"", "sh", name, &pid.to_string()])
        .stdin(Stdio::null())
        .status()
        .await
        .map_err(doing())?;
    if status.success() {
        return Ok(());
    }
    Err(doing()(std::io::Error::other(format!("kill: {status}"))))
}

/// A path as a quoted configuration value.
pub(crate) fn quoted(path: &Path) -> Result<String, Error> {
    let text = path
        .to_str()
        .filter(|text| !text.contains(['\n', '\r']))
        .ok_or_else(|| Error::UnusablePath(path.to_owned()))?;
    Ok(format!(
        "\"{}\"",
        text.replace('\\', "\\\\").replace('"', "\\\"")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_for_the_configuration() {
        let table = [
            ("/var/lib/nats", Some(r#""/var/lib/nats""#)),
            ("/srv/my data", Some(r#""/srv/my data""#)),
            (r#"/srv/a"b\c"#, Some(r#""/srv/a\"b\\c""#)),
            ("/srv/a\nb", None),
        ];
        for (path, expected) in table {
            assert_eq!(
                quoted(Path::new(path)).ok().as_deref(),
                expected,
                "{path:?}"
            );
        }
    }
}
