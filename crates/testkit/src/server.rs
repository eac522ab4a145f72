//! One real `nats-server` with JetStream, on loopback, over a store of its own.
//!
//! Decides how a server is started (with `nats/single.conf`, free ports, the store's lock), when it counts as ready
//! (`/healthz`) and how it ends. Invariants:
//! - no two servers of this crate work on one store: the server itself holds the store's lock, as its standard
//!   input, so one left over by a killed test process still holds it;
//! - only the child started here is signalled, and only while it has not been reaped, so its number cannot belong
//!   to another process;
//! - `restart` keeps store, client port and monitoring port: clients find the server where it was.

use std::fs::{self, File, TryLockError};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::binary::ServerBinary;
use crate::error::Error;
use crate::monitoring;
use crate::wait::wait_for;

/// The configuration every server is started with: `nats/single.conf` as the project ships it.
pub const SINGLE_SERVER_CONFIGURATION: &str = include_str!("../../../nats/single.conf");

/// The variable through which that configuration learns its store.
const STORE_VARIABLE: &str = "CALLFLUME_STORE_DIR";
const READY_WITHIN: Duration = Duration::from_secs(60);
const STOPPED_WITHIN: Duration = Duration::from_secs(30);
/// A killed process is gone in milliseconds; the store must not be deleted under it.
const GONE_WITHIN: Duration = Duration::from_secs(5);
/// How much of the log an error shows.
const LAST_WORDS: usize = 20;

/// How to start a [`Server`].
#[derive(Debug, Default)]
pub struct ServerBuilder {
    binary: Option<ServerBinary>,
    store_dir: Option<PathBuf>,
    client_port: Option<u16>,
    monitoring_port: Option<u16>,
    extra_configuration: String,
    own_process_group: bool,
}

impl ServerBuilder {
    /// Runs this server instead of searching for one.
    pub fn binary(mut self, binary: ServerBinary) -> Self {
        self.binary = Some(binary);
        self
    }

    /// Keeps streams here, and leaves them here; made if it is not there. Default: a temporary folder, deleted when
    /// the server is dropped.
    pub fn store_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.store_dir = Some(folder.into());
        self
    }

    /// Listens for clients on this port. Default: a free one.
    pub fn client_port(mut self, port: u16) -> Self {
        self.client_port = Some(port);
        self
    }

    /// Answers monitoring on this port. Default: a free one.
    pub fn monitoring_port(mut self, port: u16) -> Self {
        self.monitoring_port = Some(port);
        self
    }

    /// Configuration text that follows `nats/single.conf`, users for example. A key it repeats replaces the earlier
    /// value whole: a `jetstream` block must say `store_dir: $CALLFLUME_STORE_DIR` again.
    pub fn extra_configuration(mut self, text: impl Into<String>) -> Self {
        self.extra_configuration = text.into();
        self
    }

    /// Shields the server from the terminal: Ctrl-C then reaches only the caller, which stops the server when it is
    /// done with it. Default: off, so that Ctrl-C ends a test's server even when the test cannot.
    pub fn own_process_group(mut self, shielded: bool) -> Self {
        self.own_process_group = shielded;
        self
    }

    /// Starts the server and waits until it is healthy.
    pub async fn start(self) -> Result<Server, Error> {
        let binary = match self.binary {
            Some(binary) => binary,
            None => ServerBinary::locate().await?,
        };
        let home = tempfile::Builder::new()
            .prefix("callflume-nats-")
            .tempdir()
            .map_err(Error::io("make a temporary folder for nats-server"))?;
        let store_dir = match self.store_dir {
            Some(folder) => std::path::absolute(&folder)
                .map_err(Error::io(format!("resolve {}", folder.display())))?,
            None => home.path().join("store"),
        };
        let configuration = home.path().join("server.conf");
        for (file, text) in [
            (
                home.path().join("single.conf"),
                SINGLE_SERVER_CONFIGURATION.to_owned(),
            ),
            (
                configuration.clone(),
                format!("include \"single.conf\"\n{}\n", self.extra_configuration),
            ),
        ] {
            fs::write(&file, text).map_err(Error::io(format!("write {}", file.display())))?;
        }
        let launch = Launch {
            binary,
            log_file: home.path().join("server.log"),
            ports_dir: home.path().join("ports"),
            configuration,
            store_value: quoted(&store_dir)?,
            store_dir,
            own_process_group: self.own_process_group,
        };
        let (child, addresses) = launch
            .until_healthy(self.client_port, self.monitoring_port)
            .await?;
        tracing::debug!(client = %addresses.client, "nats-server is ready");
        Ok(Server {
            child: Some(child),
            client_url: format!("nats://{}", addresses.client),
            monitoring_url: format!("http://{}", addresses.monitoring),
            addresses,
            launch,
            _home: home,
        })
    }
}

/// A running (or killed, and restartable) nats-server. Dropped, it is killed, and a temporary store deleted.
#[derive(Debug)]
pub struct Server {
    child: Option<Child>,
    client_url: String,
    monitoring_url: String,
    addresses: Addresses,
    launch: Launch,
    _home: TempDir,
}

impl Server {
    /// Choices to make before starting.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    /// A server with a temporary store on free ports.
    pub async fn start() -> Result<Self, Error> {
        Self::builder().start().await
    }

    /// For clients, `nats://127.0.0.1:PORT`. The same after a restart.
    pub fn url(&self) -> &str {
        &self.client_url
    }

    /// Health and figures, `http://127.0.0.1:PORT`. The same after a restart.
    pub fn monitoring_url(&self) -> &str {
        &self.monitoring_url
    }

    /// Where clients connect; for a [`FaultyProxy`](crate::FaultyProxy) in front.
    pub fn client_address(&self) -> SocketAddr {
        self.addresses.client
    }

    /// The process, `None` while it is not running.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// Where streams are kept.
    pub fn store_dir(&self) -> &Path {
        &self.launch.store_dir
    }

    /// What the server says of itself, over all its starts. In a temporary folder that goes with this value.
    pub fn log_file(&self) -> &Path {
        &self.launch.log_file
    }

    /// A monitoring answer: `/varz`, `/jsz?streams=1`, `/healthz` … (also when the status is not 200).
    pub async fn monitor(&self, path: &str) -> Result<serde_json::Value, Error> {
        let (_, body) = monitoring::get(self.addresses.monitoring, path)
            .await
            .map_err(Error::io(format!("read {path} of {}", self.monitoring_url)))?;
        serde_json::from_str(&body)
            .map_err(|e| Error::io(format!("read {path} of {}", self.monitoring_url))(e.into()))
    }

    /// SIGKILL, as a crash: returns when the process is gone. No error when it was not running.
    pub async fn kill(&mut self) -> Result<(), Error> {
        if let Some(mut child) = self.child.take() {
            child.kill().await.map_err(Error::io("kill nats-server"))?;
        }
        Ok(())
    }

    /// SIGTERM, as a planned stop: returns when the process is gone. No error when it was not running; an error when
    /// it had ended by itself, or had to be killed.
    pub async fn stop(&mut self) -> Result<(), Error> {
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        if let Some(status) = ended(&mut child)? {
            let log = self.launch.last_words(0);
            return Err(Error::EndedByItself { status, log });
        }
        signal(&child, "TERM").await?;
        // A paused process acts on the first signal only after this one.
        signal_if_running(&mut child, "CONT").await?;
        if let Ok(status) = timeout(STOPPED_WITHIN, child.wait()).await {
            status.map_err(Error::io("wait for nats-server to stop"))?;
            return Ok(());
        }
        child.kill().await.map_err(Error::io("kill nats-server"))?;
        Err(Error::NotStopped {
            waited: STOPPED_WITHIN,
            log: self.launch.last_words(0),
        })
    }

    /// Starts over the same store on the same ports, stopping it first if it runs. Returns when it is healthy.
    pub async fn restart(&mut self) -> Result<(), Error> {
        self.stop().await?;
        let Addresses { client, monitoring } = self.addresses;
        let (child, _) = self
            .launch
            .until_healthy(Some(client.port()), Some(monitoring.port()))
            .await?;
        self.child = Some(child);
        Ok(())
    }

    /// SIGSTOP: the server keeps its connections and answers nothing, as a machine that hangs.
    pub async fn pause(&self) -> Result<(), Error> {
        signal(self.child.as_ref().ok_or(Error::NotRunning)?, "STOP").await
    }

    /// SIGCONT: ends [`pause`](Self::pause).
    pub async fn resume(&self) -> Result<(), Error> {
        signal(self.child.as_ref().ok_or(Error::NotRunning)?, "CONT").await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let Some(child) = &mut self.child else { return };
        if let Err(error) = child.start_kill() {
            tracing::warn!(%error, "could not kill nats-server");
            return;
        }
        let since = Instant::now();
        while matches!(child.try_wait(), Ok(None)) && since.elapsed() < GONE_WITHIN {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Addresses {
    client: SocketAddr,
    monitoring: SocketAddr,
}

/// Everything that stays the same from one start to the next.
#[derive(Debug)]
struct Launch {
    binary: ServerBinary,
    configuration: PathBuf,
    store_dir: PathBuf,
    /// The store as a configuration value.
    store_value: String,
    log_file: PathBuf,
    ports_dir: PathBuf,
    own_process_group: bool,
}

impl Launch {
    /// Starts, and waits for health. A given port that is taken for a moment (a client that reconnects can be handed
    /// the very port it wants to reach) is tried again until the deadline.
    async fn until_healthy(
        &self,
        client_port: Option<u16>,
        monitoring_port: Option<u16>,
    ) -> Result<(Child, Addresses), Error> {
        let since = Instant::now();
        loop {
            let outcome = self.once(client_port, monitoring_port).await;
            let port_taken = matches!(&outcome, Err(Error::NotStarted { log, .. })
                if log.contains("address already in use"));
            if !port_taken || since.elapsed() >= STOPPED_WITHIN {
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

        let ready = wait_for("nats-server to be healthy", READY_WITHIN, async || {
            match ended(&mut child) {
                Err(error) => return Some(Err(error)),
                Ok(Some(status)) => {
                    return Some(Err(Error::NotStarted {
                        reason: format!("it ended at once ({status})"),
                        log: self.last_words(said_before),
                    }));
                }
                Ok(None) => {}
            }
            let addresses = self.addresses()?;
            let (status, _) = monitoring::get(addresses.monitoring, "/healthz")
                .await
                .ok()?;
            (status == 200).then_some(Ok(addresses))
        })
        .await;
        match ready {
            Ok(Ok(addresses)) => {
                self.stores_where_told(addresses.monitoring).await?;
                Ok((child, addresses))
            }
            Ok(Err(error)) => Err(error),
            Err(timed_out) => Err(Error::NotStarted {
                reason: timed_out.to_string(),
                log: self.last_words(said_before),
            }),
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
    fn last_words(&self, from: u64) -> String {
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

fn ended(child: &mut Child) -> Result<Option<ExitStatus>, Error> {
    child
        .try_wait()
        .map_err(Error::io("ask after the nats-server process"))
}

async fn signal_if_running(child: &mut Child, name: &str) -> Result<(), Error> {
    match ended(child)? {
        Some(_) => Ok(()),
        None => signal(child, name).await,
    }
}

/// By the shell's built-in `kill`: signals other than SIGKILL need either that or unsafe code.
async fn signal(child: &Child, name: &str) -> Result<(), Error> {
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
fn quoted(path: &Path) -> Result<String, Error> {
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
