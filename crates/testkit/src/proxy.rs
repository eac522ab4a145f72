//! A TCP proxy that loses what it is told to lose: for cutting a client from its broker, and a worker from a CRM's
//! answers after the CRM did the work.
//!
//! Decides per connection what of the upstream's answers reaches the client. Never alters a byte it delivers, and
//! never delivers bytes after a gap: a connection that lost an answer stays silent until it is closed, whatever the
//! mode becomes.

use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;
const CHUNK_BYTES: usize = 16 * 1024;

/// What happens to the upstream's answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everything is delivered.
    Pass,
    /// Requests arrive upstream, answers are dropped, connections stay open: the client can only time out.
    Swallow,
    /// Each connection delivers this many more bytes of answers and is closed at the next one. With 0: the request
    /// is executed and the connection ends without a word.
    Truncate {
        /// Counted per connection from the moment the mode was set.
        after_bytes: usize,
    },
    /// New connections are refused by the system, as if nothing listened; the ones that exist go on.
    Refuse,
}

/// Between a client and one upstream address. Dropped, it closes its connections.
#[derive(Debug)]
pub struct FaultyProxy {
    address: SocketAddr,
    orders: mpsc::Sender<Order>,
    counts: Arc<Counts>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Counts {
    accepted: AtomicU64,
    lost_bytes: AtomicU64,
}

#[derive(Debug)]
enum Order {
    Set(Mode, oneshot::Sender<io::Result<()>>),
    Cut(oneshot::Sender<io::Result<()>>),
}

impl FaultyProxy {
    /// Listens on a free loopback port and passes everything on to `upstream`.
    pub async fn start(upstream: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (orders, inbox) = mpsc::channel(1);
        let counts = Arc::new(Counts::default());
        let gate = Gate {
            address,
            upstream,
            door: Door::Open(listener),
            mode: watch::Sender::new(Mode::Pass),
            cuts: watch::Sender::new(0),
            connections: JoinSet::new(),
            counts: Arc::clone(&counts),
        };
        Ok(Self {
            address,
            orders,
            counts,
            task: tokio::spawn(gate.run(inbox)),
        })
    }

    /// Where clients connect. Stays the same, also through [`Mode::Refuse`].
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Holds for every answer read from the upstream after this returns.
    pub async fn set(&self, mode: Mode) -> io::Result<()> {
        self.order(|done| Order::Set(mode, done)).await
    }

    /// Resets every connection that exists; returns when all are closed. The mode stays.
    pub async fn cut(&self) -> io::Result<()> {
        self.order(Order::Cut).await
    }

    /// Connections accepted since the start.
    pub fn accepted(&self) -> u64 {
        self.counts.accepted.load(Ordering::Acquire)
    }

    /// Bytes of answers that were dropped since the start: more than before means that a request was answered, and
    /// its client does not know.
    pub fn lost_bytes(&self) -> u64 {
        self.counts.lost_bytes.load(Ordering::Acquire)
    }

    async fn order(
        &self,
        order: impl FnOnce(oneshot::Sender<io::Result<()>>) -> Order,
    ) -> io::Result<()> {
        let gone = || io::Error::other("the proxy has ended");
        let (done, carried_out) = oneshot::channel();
        self.orders.send(order(done)).await.map_err(|_| gone())?;
        carried_out.await.map_err(|_| gone())?
    }
}

impl Drop for FaultyProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The listening side. While shut the port stays bound but does not listen: connections are refused, and nobody
/// else can take the port.
#[derive(Debug)]
enum Door {
    Open(TcpListener),
    Shut(TcpSocket),
    /// The port could not be bound again; opening tries once more.
    Lost,
}

impl Door {
    async fn accept(&self) -> io::Result<TcpStream> {
        match self {
            Self::Open(listener) => listener.accept().await.map(|(stream, _)| stream),
            Self::Shut(_) | Self::Lost => pending().await,
        }
    }
}

struct Gate {
    address: SocketAddr,
    upstream: SocketAddr,
    door: Door,
    mode: watch::Sender<Mode>,
    cuts: watch::Sender<u64>,
    connections: JoinSet<()>,
    counts: Arc<Counts>,
}

impl Gate {
    async fn run(mut self, mut inbox: mpsc::Receiver<Order>) {
        loop {
            tokio::select! {
                order = inbox.recv() => match order {
                    Some(order) => self.carry_out(order).await,
                    None => return,
                },
                client = self.door.accept() => match client {
                    Ok(client) => self.admit(client),
                    Err(error) => tracing::warn!(%error, "the proxy could not accept a connection"),
                },
                Some(_) = self.connections.join_next(), if !self.connections.is_empty() => {}
            }
        }
    }

    async fn carry_out(&mut self, order: Order) {
        let (outcome, done) = match order {
            Order::Set(mode, done) => {
                self.mode.send_replace(mode);
                (self.swing_door(mode == Mode::Refuse), done)
            }
            Order::Cut(done) => {
                self.cuts.send_modify(|cuts| *cuts += 1);
                while self.connections.join_next().await.is_some() {}
                (Ok(()), done)
            }
        };
        if done.send(outcome).is_err() {
            tracing::debug!("nobody waits for the proxy any more");
        }
    }

    fn swing_door(&mut self, shut: bool) -> io::Result<()> {
        self.door = match (std::mem::replace(&mut self.door, Door::Lost), shut) {
            (Door::Open(listener), true) => {
                // First, or the port cannot be bound.
                drop(listener);
                Door::Shut(bound(self.address)?)
            }
            (Door::Lost, true) => Door::Shut(bound(self.address)?),
            (Door::Shut(socket), false) => Door::Open(socket.listen(BACKLOG)?),
            (Door::Lost, false) => Door::Open(bound(self.address)?.listen(BACKLOG)?),
            (door, _) => door,
        };
        Ok(())
    }

    fn admit(&mut self, client: TcpStream) {
        self.counts.accepted.fetch_add(1, Ordering::AcqRel);
        let mut cuts = self.cuts.subscribe();
        let mode = self.mode.subscribe();
        let counts = Arc::clone(&self.counts);
        let upstream = self.upstream;
        self.connections.spawn(async move {
            let mut client = client;
            let ended = tokio::select! {
                _ = cuts.changed() => Err(End::Cut),
                ended = relay(&mut client, upstream, mode, &counts) => ended,
            };
            // What ended badly on the other side ends badly on this one: with a reset instead of a farewell.
            let reset = match ended {
                Ok(()) | Err(End::Truncated) => Ok(()),
                Err(End::Cut) => client.set_zero_linger(),
                Err(End::Failed(error)) => {
                    tracing::debug!(%error, "a connection through the proxy failed");
                    client.set_zero_linger()
                }
            };
            if let Err(error) = reset {
                tracing::debug!(%error, "a connection could not be reset, only closed");
            }
        });
    }
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// How a connection ends before both sides are done.
enum End {
    /// As [`Mode::Truncate`] wants it.
    Truncated,
    /// By [`FaultyProxy::cut`].
    Cut,
    /// One side could not be reached, or broke off.
    Failed(io::Error),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

async fn relay(
    client: &mut TcpStream,
    upstream: SocketAddr,
    mode: watch::Receiver<Mode>,
    counts: &Counts,
) -> Result<(), End> {
    let mut upstream = TcpStream::connect(upstream).await?;
    client.set_nodelay(true)?;
    upstream.set_nodelay(true)?;
    let (from_client, to_client) = client.split();
    let (from_upstream, to_upstream) = upstream.split();
    let silent = AtomicBool::new(false);
    tokio::try_join!(
        requests(from_client, to_upstream, &silent),
        answers(from_upstream, to_client, mode, &silent, counts),
    )?;
    Ok(())
}

async fn requests(
    mut client: ReadHalf<'_>,
    mut upstream: WriteHalf<'_>,
    silent: &AtomicBool,
) -> Result<(), End> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let bytes = client.read(&mut chunk).await?;
        let passed_on = match bytes {
            0 => upstream.shutdown().await,
            _ => upstream.write_all(&chunk[..bytes]).await,
        };
        // A silenced client must not learn that the upstream has gone.
        if !silent.load(Ordering::Acquire) {
            passed_on?;
        }
        if bytes == 0 {
            return Ok(());
        }
    }
}

async fn answers(
    mut upstream: ReadHalf<'_>,
    mut client: WriteHalf<'_>,
    mut mode: watch::Receiver<Mode>,
    silent: &AtomicBool,
    counts: &Counts,
) -> Result<(), End> {
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut delivered_in_mode = 0;
    loop {
        let read = upstream.read(&mut chunk).await;
        let is_silent = silent.load(Ordering::Acquire);
        let bytes = match read {
            Ok(0) if is_silent => return Ok(()),
            Ok(0) => return Ok(client.shutdown().await?),
            Ok(bytes) => bytes,
            Err(_) if is_silent => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        // An ended proxy leaves its last mode in force.
        if mode.has_changed().unwrap_or(false) {
            delivered_in_mode = 0;
        }
        let passed = match *mode.borrow_and_update() {
            _ if is_silent => 0,
            Mode::Pass | Mode::Refuse => bytes,
            Mode::Swallow => {
                silent.store(true, Ordering::Release);
                0
            }
            Mode::Truncate { after_bytes } => {
                bytes.min(after_bytes.saturating_sub(delivered_in_mode))
            }
        };
        client.write_all(&chunk[..passed]).await?;
        delivered_in_mode += passed;
        if passed < bytes {
            counts
                .lost_bytes
                .fetch_add((bytes - passed) as u64, Ordering::AcqRel);
            if !silent.load(Ordering::Acquire) {
                client.shutdown().await?;
                return Err(End::Truncated);
            }
        }
    }
}
