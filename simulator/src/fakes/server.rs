//! Any fake behind real HTTP: a wiremock server that asks it.
//!
//! The instant a request stands for is read once, when the model takes it, so arrivals are in the order of the model's
//! audit; the service time is waited for afterwards, without holding anything. wiremock can't cut a connection: an answer
//! that must never come is held back for `drop_delay`, longer than any requester waits.
//!
//! wiremock keeps every request a mock has matched, even with recording off. The mock is therefore exchanged for a fresh one
//! now and then: both steps wait in the server's queue one right behind the other, so no request falls between them.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::task::{Context, Waker};
use std::time::Duration;

use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Respond, ResponseTemplate};

use super::{Deliver, HttpModel, Method, Reply, Request};

/// How the server listens and waits.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Address to listen on; a free port of the loopback without one.
    pub listen: Option<SocketAddr>,
    /// How long an answer is held back that must never come.
    pub drop_delay: Duration,
    /// After how many bytes of request bodies wiremock's copies are thrown away.
    pub forget_after_bytes: usize,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            listen: None,
            drop_delay: Duration::from_secs(60),
            forget_after_bytes: 16 << 20,
        }
    }
}

/// A running server; it ends when dropped.
pub struct FakeServer {
    server: Arc<MockServer>,
}

impl std::fmt::Debug for FakeServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FakeServer")
            .field("url", &self.url())
            .finish()
    }
}

impl FakeServer {
    /// Starts a server in front of a model. `clock` gives epoch milliseconds and is read once per request.
    pub async fn start<M: HttpModel>(
        model: Arc<Mutex<M>>,
        options: ServerOptions,
        clock: impl Fn() -> i64 + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let listen = options
            .listen
            .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
        let listener = TcpListener::bind(listen)?;
        Ok(Self::on(listener, model, options, clock).await)
    }

    /// The same on a listener that is there already: for a model that must know its own address.
    pub async fn on<M: HttpModel>(
        listener: TcpListener,
        model: Arc<Mutex<M>>,
        options: ServerOptions,
        clock: impl Fn() -> i64 + Send + Sync + 'static,
    ) -> Self {
        let server = MockServer::builder()
            .listener(listener)
            .disable_request_recording()
            .start()
            .await;
        let server = Arc::new(server);
        let door = Door(Arc::new(Inner {
            model,
            clock: Box::new(clock),
            drop_delay: options.drop_delay,
            forget_after_bytes: options.forget_after_bytes.max(1),
            kept_bytes: AtomicUsize::new(0),
            server: OnceLock::from(Arc::downgrade(&server)),
        }));
        server.register(door.mock()).await;
        Self { server }
    }

    /// Base address, without a trailing slash.
    pub fn url(&self) -> String {
        self.server.uri()
    }

    pub fn address(&self) -> SocketAddr {
        *self.server.address()
    }
}

struct Inner {
    model: Arc<Mutex<dyn HttpModel>>,
    clock: Box<dyn Fn() -> i64 + Send + Sync>,
    drop_delay: Duration,
    forget_after_bytes: usize,
    kept_bytes: AtomicUsize,
    server: OnceLock<Weak<MockServer>>,
}

#[derive(Clone)]
struct Door(Arc<Inner>);

/// What wiremock keeps of a request besides its body, roughly.
const KEPT_PER_REQUEST_BYTES: usize = 1_024;

impl Door {
    fn mock(&self) -> Mock {
        Mock::given(any()).respond_with(self.clone())
    }

    /// Exchanges the mock when its copies have grown too large. Called while the server handles a request, which is what
    /// makes both steps queue: the server's state is taken, later requests line up behind them.
    fn forget_old_requests(&self, body_bytes: usize) {
        let inner = &self.0;
        let more = body_bytes + KEPT_PER_REQUEST_BYTES;
        let kept = inner.kept_bytes.fetch_add(more, Ordering::Relaxed) + more;
        if kept < inner.forget_after_bytes {
            return;
        }
        let (Some(server), Ok(runtime)) = (
            inner.server.get().and_then(Weak::upgrade),
            tokio::runtime::Handle::try_current(),
        ) else {
            return;
        };
        inner.kept_bytes.store(0, Ordering::Relaxed);
        let (to_reset, to_register, mock) = (server.clone(), server.clone(), self.mock());
        let mut reset: Step = Box::pin(async move { to_reset.reset().await });
        let mut register: Step = Box::pin(async move { to_register.register(mock).await });
        let mut queueing = Context::from_waker(Waker::noop());
        let queued = reset.as_mut().poll(&mut queueing).is_pending()
            && register.as_mut().poll(&mut queueing).is_pending();
        debug_assert!(
            queued,
            "the server's state is taken while it handles a request"
        );
        runtime.spawn(async move {
            reset.await;
            register.await;
            // The last holder waits for the server's state: not on the thread that must release it.
            tokio::task::spawn_blocking(move || drop(server));
        });
    }
}

type Step = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Respond for Door {
    fn respond(&self, request: &wiremock::Request) -> ResponseTemplate {
        self.forget_old_requests(request.body.len());
        let request = translated(request);
        let (reply, service_ms) = {
            let mut model = self.0.model.lock().unwrap_or_else(PoisonError::into_inner);
            let reply = model.reply((self.0.clock)(), &request);
            (reply, model.service_ms())
        };
        let delay = match reply.deliver {
            Deliver::Normal => Duration::from_millis(service_ms + reply.extra_delay_ms),
            Deliver::Drop => self.0.drop_delay,
        };
        template(&reply).set_delay(delay)
    }
}

fn translated(request: &wiremock::Request) -> Request {
    let target = match request.url.query() {
        Some(query) => format!("{}?{query}", request.url.path()),
        None => request.url.path().to_owned(),
    };
    let mut translated = Request::new(Method::parse(request.method.as_str()), &target);
    for (name, value) in &request.headers {
        if let Ok(value) = value.to_str() {
            translated
                .headers
                .push((name.as_str().to_owned(), value.to_owned()));
        }
    }
    translated.body.clone_from(&request.body);
    translated
}

fn template(reply: &Reply) -> ResponseTemplate {
    let content_type = reply.header("content-type").unwrap_or("application/json");
    let mut template = ResponseTemplate::new(reply.status);
    for (name, value) in &reply.headers {
        if !name.eq_ignore_ascii_case("content-type") {
            template = template.append_header(name.as_str(), value.as_str());
        }
    }
    if reply.body.is_empty() {
        template
    } else {
        template.set_body_raw(reply.body.clone(), content_type)
    }
}
