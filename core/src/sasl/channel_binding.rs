//! What ties an authentication to the TLS connection that it runs in (RFC 5056).

use alloc::vec::Vec;
use core::fmt;

/// Data of the TLS connection that both ends see, and nobody in between (RFC 5056, 5929, 9266).
#[derive(Clone, PartialEq, Eq)]
pub struct ChannelBinding {
    /// Which data.
    pub kind: ChannelBindingKind,
    /// The data, as TLS gives them.
    pub data: Vec<u8>,
}

impl ChannelBinding {
    /// The binding of this connection.
    pub fn new(kind: ChannelBindingKind, data: impl Into<Vec<u8>>) -> Self {
        Self { kind, data: data.into() }
    }
}

impl fmt::Debug for ChannelBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelBinding").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// Which data of the TLS connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChannelBindingKind {
    /// 32 bytes exported with the label `EXPORTER-Channel-Binding` (RFC 9266): the one for TLS 1.3.
    TlsExporter,
    /// The hash of the server's certificate (RFC 5929 §4).
    TlsServerEndPoint,
    /// The first Finished message of the handshake (RFC 5929 §3): not with TLS 1.3.
    TlsUnique,
}

impl ChannelBindingKind {
    /// The name registered for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TlsExporter => "tls-exporter",
            Self::TlsServerEndPoint => "tls-server-end-point",
            Self::TlsUnique => "tls-unique",
        }
    }
}

impl fmt::Display for ChannelBindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
