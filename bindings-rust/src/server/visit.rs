//! Who has come.

use std::net::{IpAddr, SocketAddr};

use okuru_core::server::{Hello, User};

use super::endpoint::Address;

/// A client that has come, and what is known of it by now.
#[derive(Clone, Debug)]
pub struct Visit {
    number: u64,
    endpoint: Address,
    peer: Option<SocketAddr>,
    pub(super) hello: Option<Hello>,
    pub(super) tls: Option<TlsDetails>,
    pub(super) user: Option<User>,
}

impl Visit {
    pub(super) fn new(number: u64, endpoint: Address, peer: Option<SocketAddr>) -> Self {
        Self { number, endpoint, peer, hello: None, tls: None, user: None }
    }

    /// Counts the connections of a server, from 0.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Where it came to.
    pub fn endpoint(&self) -> &Address {
        &self.endpoint
    }

    /// The client's address: from the socket, or from a proxy that is trusted. `None` for a Unix socket, and where the proxy
    /// does not know or spoke for itself.
    pub fn address(&self) -> Option<IpAddr> {
        self.peer.map(|peer| peer.ip().to_canonical())
    }

    /// The same with the port.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// How the client has named itself, since TLS began if it has.
    pub fn hello(&self) -> Option<&Hello> {
        self.hello.as_ref()
    }

    /// The TLS connection, if there is one.
    pub fn tls(&self) -> Option<&TlsDetails> {
        self.tls.as_ref()
    }

    /// Who the client has proved to be, if it has.
    pub fn user(&self) -> Option<&User> {
        self.user.as_ref()
    }
}

/// A TLS connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsDetails {
    /// `TLSv1.3` or `TLSv1.2`.
    pub version: &'static str,
    /// The registered name, for instance `TLS13_AES_128_GCM_SHA256`.
    pub cipher_suite: &'static str,
    /// The name that the client has asked for, if it has.
    pub server_name: Option<String>,
    /// What the client has shown and was found to verify, in DER, its own certificate first.
    pub client_certificates: Vec<Vec<u8>>,
}
