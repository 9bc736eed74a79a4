//! What the host knows of who has come.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use crate::sasl::{ChannelBinding, Mechanism};
use crate::syntax::EhloName;

/// Who has come, as far as the host knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// The address, from the socket or from a proxy that the host trusts. Without one it is in no allowed network.
    pub address: Option<IpAddr>,
}

/// What makes this session another than all others.
#[derive(Clone)]
pub struct Seed {
    /// Random bytes, used once; for challenges.
    pub random: [u8; 32],
    /// Seconds since 1970; for challenges.
    pub unix_time: u64,
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seed").field("unix_time", &self.unix_time).finish_non_exhaustive()
    }
}

/// What the host knows of TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsInfo {
    /// For mechanisms that bind to the channel: all that the host has.
    pub channel_bindings: Vec<ChannelBinding>,
    /// Whether the client has shown a certificate that verifies, so that EXTERNAL makes sense.
    pub client_verified: bool,
}

/// How the client has named itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// By which command.
    pub command: HelloCommand,
    /// The name. Nobody has checked it.
    pub name: EhloName,
}

/// EHLO, HELO or LHLO.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HelloCommand {
    /// EHLO: extensions may be used.
    Ehlo,
    /// HELO: none may.
    Helo,
    /// LHLO: as EHLO, in LMTP.
    Lhlo,
}

/// Who the client has proved to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Who it is.
    pub name: String,
    /// For whom it acts, if for somebody else. The host has allowed it.
    pub acts_for: Option<String>,
    /// How it was proved.
    pub mechanism: Mechanism,
}
