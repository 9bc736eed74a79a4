//! What is known of the server that a client is connected to.

use okuru_core::Error;
use okuru_core::client::Protocol;
use okuru_core::sasl::Mechanism;
use okuru_core::syntax::{Capabilities, Reply};

/// What is known of the server, and of the connection to it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ServerInfo {
    /// SMTP or LMTP.
    pub protocol: Protocol,
    /// Its address, or the path of the Unix socket; of the proxy if there is one.
    pub address: String,
    /// Its first words.
    pub greeting: Option<Reply>,
    /// What it offered before TLS began, if that was by STARTTLS.
    pub capabilities_before_tls: Option<Capabilities>,
    /// What it offers.
    pub capabilities: Option<Capabilities>,
    /// The TLS connection, if there is one.
    pub tls: Option<TlsSession>,
    /// How we have authenticated, if we have.
    pub mechanism: Option<Mechanism>,
}

/// A TLS connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsSession {
    /// `TLSv1.3` or `TLSv1.2`.
    pub version: &'static str,
    /// The registered name, for instance `TLS13_AES_128_GCM_SHA256`.
    pub cipher_suite: &'static str,
    /// Why the certificate does not verify. There is a session then only where it need not
    /// ([`Tls::Opportunistic`](crate::Tls::Opportunistic)).
    pub distrust: Option<Error>,
    /// What the server showed, in DER, its own certificate first.
    pub certificates: Vec<Vec<u8>>,
}
