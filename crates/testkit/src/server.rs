//! One real `nats-server` with JetStream, on loopback, over a store of its own.
//!
//! Decides what a server is given (`nats/single.conf`, a store, ports) and how it ends; `launch` starts it. Invariants:
//! - no two servers of this crate work on one store: the server itself holds the store's lock, as its standard
//!   input, so one left over by a killed test process still holds it;
//! - only the child started here is signalled, and only while it has not been reaped, so its number cannot belong
//!   to another process;
//! - `restart` keeps store, client port and monitoring port: clients find the server where it was.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::process::Child;
use tokio::time::timeout;

use crate::binary::ServerBinary;
use crate::error::Error;
use crate::launch::{Addresses, Launch, ended, quoted, signal};
use crate::monitoring;

/// The configuration every server is started with: `nats/single.conf` as the project ships it.
pub const SINGLE_SERVER_CONFIGURATION: &str = include_str!("../../../nats/single.conf");

const STOPPED_WITHIN: Duration = Duration::from_secs(30);
/// A killed process is gone in milliseconds; the store must not be deleted under it.
const GONE_WITHIN: Duration = Duration::from_secs(5);
/// How long a restart waits for its ports to be free: a client that tries to reconnect can be handed the very port
/// it wants to reach, for a moment.
const PORTS_FREE_WITHIN: Duration = Duration::from_secs(30);

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
            .until_healthy(self.client_port, self.monitoring_port, Duration::ZERO)
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
        if ended(&mut child)?.is_none() {
            signal(&child, "CONT").await?;
        }
        if let Ok(status) = timeout(STOPPED_WITHIN, child.wait()).await {
            let status = status.map_err(Error::io("wait for nats-server to stop"))?;
            if status.success() {
                return Ok(());
            }
            // A server that obeys ends with success: this one was ending already.
            let log = self.launch.last_words(0);
            return Err(Error::EndedByItself { status, log });
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
            .until_healthy(
                Some(client.port()),
                Some(monitoring.port()),
                PORTS_FREE_WITHIN,
            )
            .await?;
        self.child = Some(child);
        Ok(())
    }

    /// SIGSTOP: the server keeps its connections and answers nothing, as a machine that hangs. Where the system shows it
    /// (Linux), returns once every thread stands: on a busy machine one may run on for a moment, and answer.
    pub async fn pause(&self) -> Result<(), Error> {
        let child = self.child.as_ref().ok_or(Error::NotRunning)?;
        signal(child, "STOP").await?;
        let since = Instant::now();
        while child.id().is_some_and(runs) && since.elapsed() < GONE_WITHIN {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    /// SIGCONT: ends [`pause`](Self::pause).
    pub async fn resume(&self) -> Result<(), Error> {
        signal(self.child.as_ref().ok_or(Error::NotRunning)?, "CONT").await
    }
}

/// Whether a thread of a process is seen not to be stopped.
fn runs(pid: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return false;
    };
    threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("stat")).ok())
        // The state follows the name, which stands in brackets and may hold anything.
        .filter_map(|stat| stat.rsplit(')').next()?.trim_start().chars().next())
        .any(|state| state != 'T')
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
