//! Where clients come to.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use okuru_core::server::{Config, Network};
use tokio::net::{TcpListener, ToSocketAddrs};

use super::handler::Stream;
use super::socket::Socket;
use super::tls::TlsConfig;

/// Where clients come to, and how their sessions behave: a socket that listens already.
#[derive(Debug)]
pub struct Endpoint {
    pub(super) listener: Listener,
    pub(super) entrance: Entrance,
}

/// What is to be known of an endpoint beside its socket, which closes before the last session ends.
#[derive(Debug)]
pub(super) struct Entrance {
    pub(super) address: Address,
    pub(super) config: Arc<Config>,
    pub(super) tls: Option<TlsConfig>,
    pub(super) proxies: Vec<Network>,
}

impl Endpoint {
    /// Listens on a TCP port; port 0 is any that is free, and [`address`](Self::address) tells which.
    ///
    /// # Errors
    ///
    /// The system's.
    pub async fn bind(address: impl ToSocketAddrs, config: impl Into<Arc<Config>>) -> io::Result<Self> {
        Self::tcp(TcpListener::bind(address).await?, config.into())
    }

    /// On a socket that listens already, from systemd for instance.
    ///
    /// # Errors
    ///
    /// The system's. There has to be a runtime of tokio's.
    pub fn from_std(listener: std::net::TcpListener, config: impl Into<Arc<Config>>) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Self::tcp(TcpListener::from_std(listener)?, config.into())
    }

    /// Listens on a Unix socket, as LMTP usually does. One that nobody listens on any more is replaced; it is removed at the end.
    ///
    /// # Errors
    ///
    /// The system's. There has to be a runtime of tokio's.
    #[cfg(unix)]
    pub fn unix(path: impl Into<PathBuf>, config: impl Into<Arc<Config>>) -> io::Result<Self> {
        let path = path.into();
        let listener = match tokio::net::UnixListener::bind(&path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_abandoned(&path) => {
                std::fs::remove_file(&path)?;
                tokio::net::UnixListener::bind(&path)?
            }
            listener => listener?,
        };
        let listener = Listener::Unix(UnixSocket { listener, path: path.clone() });
        Ok(Self { listener, entrance: Entrance::new(Address::Unix(path), config.into()) })
    }

    fn tcp(listener: TcpListener, config: Arc<Config>) -> io::Result<Self> {
        let address = Address::Tcp(listener.local_addr()?);
        Ok(Self { listener: Listener::Tcp(listener), entrance: Entrance::new(address, config) })
    }

    /// With what TLS needs; [`Config::tls`] says when it begins.
    pub fn tls(mut self, tls: impl Into<TlsConfig>) -> Self {
        self.entrance.tls = Some(tls.into());
        self
    }

    /// Behind proxies. A connection from one of these networks has to begin with a header of the PROXY protocol, version 1 or 2,
    /// which says who has come; else it is closed. From elsewhere no such header is taken.
    pub fn proxies(mut self, networks: impl IntoIterator<Item = Network>) -> Self {
        self.entrance.proxies.extend(networks);
        self
    }

    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.entrance.address
    }
}

impl Entrance {
    pub(super) fn new(address: Address, config: Arc<Config>) -> Self {
        Self { address, config, tls: None, proxies: Vec::new() }
    }
}

/// Where somebody listens.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Address {
    /// A TCP port.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
    /// Nowhere: a stream that was there already, see [`Server::serve`](super::Server::serve).
    Stream,
}

impl Address {
    /// The TCP port, if it is one.
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Tcp(address) => Some(address.port()),
            Self::Unix(_) | Self::Stream => None,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
            Self::Stream => f.write_str("stream"),
        }
    }
}

#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixSocket),
}

impl Listener {
    pub(super) async fn accept(&self) -> io::Result<(Box<dyn Stream>, Option<SocketAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Box::new(Socket::new(stream)), Some(peer)))
            }
            #[cfg(unix)]
            Self::Unix(UnixSocket { listener, .. }) => Ok((Box::new(listener.accept().await?.0), None)),
        }
    }
}

/// Whether nobody listens there, so that it may go.
#[cfg(unix)]
fn is_abandoned(path: &std::path::Path) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    let connected = std::os::unix::net::UnixStream::connect(path);
    is_socket && connected.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

#[cfg(unix)]
#[derive(Debug)]
pub(super) struct UnixSocket {
    listener: tokio::net::UnixListener,
    path: PathBuf,
}

#[cfg(unix)]
impl Drop for UnixSocket {
    fn drop(&mut self) {
        // Should it have gone already, all the better.
        let _ = std::fs::remove_file(&self.path);
    }
}
