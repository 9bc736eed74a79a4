//! A server, and its end.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use okuru_core::server::{Config, Peer, Seed, Session, Tls};
use okuru_core::{Error, ErrorCode};
use tokio::io::AsyncWrite as _;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::admission::{Admission, Full, Limits, Place};
use super::buffers::Buffers;
use super::driver::{Driver, Surroundings};
use super::endpoint::{Address, Endpoint, Entrance};
use super::handler::{Connection, Handler, Stream};
use super::link::Link;
use super::proxy_protocol;
use super::visit::Visit;

/// A server that has not started yet. See the [module](super).
#[derive(Debug)]
pub struct Server<H> {
    handler: H,
    limits: Limits,
    endpoints: Vec<Endpoint>,
}

impl<H: Handler> Server<H> {
    /// A server for which `handler` decides, with no endpoint yet.
    pub fn new(handler: H) -> Self {
        Self { handler, limits: Limits::default(), endpoints: Vec::new() }
    }

    /// With as many connections as these say.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// With this endpoint besides the others.
    pub fn endpoint(mut self, endpoint: Endpoint) -> Self {
        self.endpoints.push(endpoint);
        self
    }

    /// Starts, on the runtime of tokio's that this is called in.
    ///
    /// # Errors
    ///
    /// `usage` outside a runtime, without an endpoint, or where [`Config::tls`](super::Config::tls) says that there is TLS and there
    /// is no [`TlsConfig`](super::TlsConfig).
    pub fn start(self) -> Result<Running, Error> {
        let usage = |what: &'static str| Error::new(ErrorCode::Usage, what);
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| usage("a server runs within tokio"))?;
        if self.endpoints.is_empty() {
            return Err(usage("a server without an endpoint serves nobody"));
        }
        if self
            .endpoints
            .iter()
            .any(|endpoint| endpoint.entrance.config.tls != Tls::None && endpoint.entrance.tls.is_none())
        {
            return Err(usage("an endpoint with TLS needs a certificate"));
        }
        let (endpoints, shared) = (self.endpoints, Arc::new(Shared::new(self.handler, self.limits)));
        let (admission, phase) = (Arc::clone(&shared.admission), shared.phase.clone());
        let addresses = endpoints.iter().map(|endpoint| endpoint.entrance.address.clone()).collect();
        let listening = endpoints.into_iter().map(|endpoint| runtime.spawn(listen(Arc::clone(&shared), endpoint)));
        Ok(Running { addresses, admission, phase, listening: listening.collect() })
    }

    /// Serves one client over a stream that is there already, such as standard input and output, and nobody else: endpoints have
    /// no part in it. The future ends with the session; [`Handler::closed`] is told why. To be called within a runtime of tokio's.
    ///
    /// # Errors
    ///
    /// `usage` where `config` says that there is TLS, since there is no certificate.
    pub async fn serve(self, stream: impl Stream + 'static, config: impl Into<Arc<Config>>) -> Result<(), Error> {
        let config = config.into();
        if config.tls != Tls::None {
            return Err(Error::new(ErrorCode::Usage, "a stream that is there already is served without TLS"));
        }
        let shared = Shared::new(self.handler, self.limits);
        if let Ok(place) = shared.admission.enter() {
            let entrance = Entrance::new(Address::Stream, config);
            serve(&shared, &entrance, Box::new(stream), None, place).await;
        }
        Ok(())
    }
}

/// How far a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Open,
    Stopping,
    /// All sessions end where they are.
    Aborted,
}

/// A server that runs. When it is dropped, all sessions end where they are.
#[must_use = "the server ends when this is dropped"]
pub struct Running {
    addresses: Vec<Address>,
    admission: Arc<Admission>,
    phase: watch::Sender<Phase>,
    listening: Vec<JoinHandle<()>>,
}

/// How a server has stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stopped {
    /// How many sessions had not come to their end in time. No client was promised anything that was not kept.
    pub unfinished: usize,
}

impl Running {
    /// Where it listens, in the order of the endpoints.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.admission.count()
    }

    /// Takes no more connections, lets transactions whose content has begun come to their end, and says 421 to the others. What has
    /// not ended when `patience` is over ends where it is.
    pub async fn stop(mut self, patience: Duration) -> Stopped {
        self.phase.send_replace(Phase::Stopping);
        for listening in self.listening.drain(..) {
            listening.abort();
            // It fails, since it was aborted.
            let _ = listening.await;
        }
        if timeout(patience, self.admission.wait_until_empty()).await.is_ok() {
            return Stopped::default();
        }
        let unfinished = self.admission.count();
        self.phase.send_replace(Phase::Aborted);
        self.admission.wait_until_empty().await;
        Stopped { unfinished }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.phase.send_replace(Phase::Aborted);
        self.listening.iter().for_each(JoinHandle::abort);
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("addresses", &self.addresses)
            .field("connections", &self.connections())
            .finish_non_exhaustive()
    }
}

/// What the sessions of a server share.
struct Shared<H> {
    handler: H,
    limits: Limits,
    admission: Arc<Admission>,
    buffers: Buffers,
    clock: Instant,
    visits: AtomicU64,
    phase: watch::Sender<Phase>,
}

impl<H> Shared<H> {
    fn new(handler: H, limits: Limits) -> Self {
        Self {
            handler,
            limits,
            admission: Admission::new(limits),
            buffers: Buffers::default(),
            clock: Instant::now(),
            visits: AtomicU64::new(0),
            phase: watch::channel(Phase::Open).0,
        }
    }
}

async fn listen<H: Handler>(shared: Arc<Shared<H>>, endpoint: Endpoint) {
    /// For instance when there are too many open files: some will be closed.
    const PAUSE: Duration = Duration::from_millis(50);
    let Endpoint { listener, entrance } = endpoint;
    let entrance = Arc::new(entrance);
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let (shared, entrance) = (Arc::clone(&shared), Arc::clone(&entrance));
                match shared.admission.enter() {
                    Ok(place) => drop(tokio::spawn(visit(shared, entrance, stream, peer, place))),
                    Err(full) => turn_away(&entrance, stream, full),
                }
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(_) => sleep(PAUSE).await,
        }
    }
}

/// Says why, if that can be understood, and does not wait.
fn turn_away(entrance: &Entrance, mut stream: Box<dyn Stream>, full: Full) {
    if entrance.config.tls != Tls::Implicit {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        // Should there be no room in a new socket, it closes without a word.
        let _ = Pin::new(&mut stream).poll_write(&mut context, full.reply());
    }
}

async fn visit<H: Handler>(
    shared: Arc<Shared<H>>,
    entrance: Arc<Entrance>,
    stream: Box<dyn Stream>,
    peer: Option<SocketAddr>,
    place: Place,
) {
    let mut phase = shared.phase.subscribe();
    let mut aborted = pin!(phase.wait_for(|phase| *phase == Phase::Aborted));
    let mut served = pin!(serve(&shared, &entrance, stream, peer, place));
    std::future::poll_fn(|context| match aborted.as_mut().poll(context) {
        Poll::Ready(_) => Poll::Ready(()),
        Poll::Pending => served.as_mut().poll(context),
    })
    .await;
}

async fn serve<H: Handler>(
    shared: &Shared<H>,
    entrance: &Entrance,
    mut stream: Box<dyn Stream>,
    mut peer: Option<SocketAddr>,
    mut place: Place,
) {
    if peer.is_some_and(|peer| entrance.proxies.iter().any(|network| network.contains(peer.ip()))) {
        match timeout(shared.limits.proxy_header, proxy_protocol::read(&mut stream)).await {
            Ok(Ok(address)) => peer = address,
            Ok(Err(_)) | Err(_) => return,
        }
    }
    if let Some(Err(full)) = peer.map(|peer| place.take_for(peer.ip())) {
        return turn_away(entrance, stream, full);
    }
    let visit = Visit::new(shared.visits.fetch_add(1, Ordering::Relaxed), entrance.address.clone(), peer);
    let connection = Connection { config: Arc::clone(&entrance.config), tls: entrance.tls.clone(), stream };
    let admitted = super::questions::unpanicking(shared.handler.admit(&visit, connection)).await.flatten();
    let (Some(Connection { config, tls, stream }), Ok(seed)) = (admitted, seed()) else {
        return;
    };
    let patience = config.timeouts.command;
    let session = Session::new(config, Peer { address: visit.address() }, seed);
    let mut phase = shared.phase.subscribe();
    let around = Surroundings {
        handler: &shared.handler,
        buffers: shared.buffers.clone(),
        clock: shared.clock,
        stopping: Box::pin(async move {
            // It lives as long as this session does.
            let _ = phase.wait_for(|phase| *phase >= Phase::Stopping).await;
        }),
    };
    Driver::new(around, session, Link::Plain(stream), tls, patience, visit).run().await;
}

fn seed() -> Result<Seed, Error> {
    let mut random = [0; 32];
    super::random(&mut random)?;
    let unix_time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Ok(Seed { random, unix_time })
}
