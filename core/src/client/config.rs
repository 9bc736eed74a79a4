//! How a connection behaves.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::sasl::{ChannelBinding, Credentials, Mechanism};
use crate::syntax::{EhloName, ReplyLimits};

/// Which protocol is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// SMTP (RFC 5321).
    #[default]
    Smtp,
    /// LMTP (RFC 2033): LHLO, and one reply to the content for each recipient.
    Lmtp,
}

/// When TLS begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tls {
    /// Never.
    None,
    /// By STARTTLS if the server offers it, verified or not. Protects against nobody who can change what is sent, and
    /// does not protect credentials.
    Opportunistic,
    /// By STARTTLS, verified; without it nothing is sent (RFC 3207).
    #[default]
    StartTls,
    /// Before the first byte, verified (RFC 8314 §3.3).
    Implicit,
}

/// How much goes in one write (RFC 2920), and so how often the connection waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Pipelining {
    /// One command at a time: recipients + 3 round trips a message.
    None,
    /// MAIL, all RCPT and DATA together: 2 round trips a message.
    Message,
    /// The content of a message and the envelope of the next together: 1 round trip a message.
    #[default]
    Session,
    /// Whole messages by BDAT behind each other without waiting; for servers that are known to take it. It goes beyond
    /// RFC 3030 §2, and a lost connection leaves everything in flight [`Unknown`](super::State::Unknown).
    Streaming,
}

/// Whether content goes by BDAT (RFC 3030) where the server offers CHUNKING.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Chunking {
    /// Where it saves a round trip or the content needs it: at [`Pipelining::Streaming`], and for BINARYMIME.
    #[default]
    Auto,
    /// Wherever it is offered. Nothing in the content is looked for or added then, but the envelope has to be answered
    /// first.
    Prefer,
    /// Never, not even for BINARYMIME, which then can't be sent.
    Never,
}

/// How long the server may take, each for the whole of a reply, counted from when the command was written
/// (RFC 5321 §4.5.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the TLS handshake.
    pub tls: Duration,
    /// For the greeting.
    pub greeting: Duration,
    /// For EHLO, STARTTLS, AUTH, RSET, NOOP and the like.
    pub command: Duration,
    /// For MAIL.
    pub mail: Duration,
    /// For RCPT.
    pub rcpt: Duration,
    /// For DATA.
    pub data: Duration,
    /// For taking any bytes at all, while there are some to be written.
    pub write: Duration,
    /// For the reply to the content, or to a chunk.
    pub content: Duration,
    /// For QUIT, when everything has been said.
    pub quit: Duration,
}

impl Default for Timeouts {
    /// Those of RFC 5321 §4.5.3.2; for QUIT, where nothing is at stake, 10 seconds.
    fn default() -> Self {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        Self {
            tls: minutes(2),
            greeting: minutes(5),
            command: minutes(5),
            mail: minutes(5),
            rcpt: minutes(5),
            data: minutes(2),
            write: minutes(3),
            content: minutes(10),
            quit: Duration::from_secs(10),
        }
    }
}

impl Timeouts {
    /// The same time for every reply.
    pub fn all(timeout: Duration) -> Self {
        Self {
            tls: timeout,
            greeting: timeout,
            command: timeout,
            mail: timeout,
            rcpt: timeout,
            data: timeout,
            write: timeout,
            content: timeout,
            quit: timeout.min(Self::default().quit),
        }
    }
}

/// What may be in flight at [`Pipelining::Streaming`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InFlight {
    /// Messages without a reply.
    pub messages: usize,
    /// Octets without a reply, where the round trip is short.
    pub bytes: u64,
    /// How many octets more for each second of the shortest round trip that was seen.
    pub bytes_per_second: u64,
    /// Octets at the most, whatever the round trip.
    pub most_bytes: u64,
}

impl Default for InFlight {
    fn default() -> Self {
        Self { messages: 20_000, bytes: 512 << 10, bytes_per_second: 512 << 20, most_bytes: 64 << 20 }
    }
}

impl InFlight {
    /// Whether another message may follow where `octets` are in flight, and this is the shortest round trip that was seen.
    pub(super) fn has_room(&self, octets: u64, shortest_turn: Option<Duration>) -> bool {
        let more = |turn: Duration| (turn.as_micros() as u64).saturating_mul(self.bytes_per_second) / 1_000_000;
        let grown = || self.bytes.saturating_add(shortest_turn.map_or(0, more));
        octets < self.most_bytes && (octets < self.bytes || octets < grown())
    }
}

/// How credentials are used.
#[derive(Clone, Debug)]
pub struct Authentication {
    /// Who we are.
    pub credentials: Credentials,
    /// Only these mechanisms, if given; else all that fit the credentials, the strongest first.
    pub mechanisms: Option<Vec<Mechanism>>,
    /// Send credentials although nobody has verified the server: everybody on the way can read or use them.
    pub dangerously_allow_plaintext: bool,
    /// Try the next mechanism when one was refused. Some servers count that as an attack.
    pub try_all: bool,
    /// The port that we connected to, for OAUTHBEARER (RFC 7628 §3.1).
    pub port: u16,
    /// At least 18 random bytes, used once, for SCRAM.
    pub nonce: [u8; 24],
}

/// How a connection behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// SMTP or LMTP.
    pub protocol: Protocol,
    /// When TLS begins.
    pub tls: Tls,
    /// The name of the server: for TLS, and for mechanisms that bind to it.
    pub server_name: String,
    /// Our own name.
    pub ehlo: EhloName,
    /// Who we are, if the server is to know.
    pub authentication: Option<Authentication>,
    /// How much goes in one write, where the server offers PIPELINING.
    pub pipelining: Pipelining,
    /// Whether content goes by BDAT.
    pub chunking: Chunking,
    /// How long the server may take.
    pub timeouts: Timeouts,
    /// How large replies may be.
    pub reply_limits: ReplyLimits,
    /// What may be in flight at [`Pipelining::Streaming`].
    pub in_flight: InFlight,
    /// Whether the dialogue is told as [`Event::Trace`](super::Event::Trace).
    pub trace: bool,
}

impl Config {
    /// The usual choices: SMTP, STARTTLS required, no credentials.
    pub fn new(server_name: impl Into<String>, ehlo: EhloName) -> Self {
        Self {
            protocol: Protocol::default(),
            tls: Tls::default(),
            server_name: server_name.into(),
            ehlo,
            authentication: None,
            pipelining: Pipelining::default(),
            chunking: Chunking::default(),
            timeouts: Timeouts::default(),
            reply_limits: ReplyLimits::default(),
            in_flight: InFlight::default(),
            trace: false,
        }
    }
}

/// What the host knows of a TLS connection that it has begun.
#[derive(Clone, Debug, Default)]
pub struct TlsInfo {
    /// Whether the certificate was verified against the name.
    pub verified: bool,
    /// For mechanisms that bind to the channel, where the host has it.
    pub channel_binding: Option<ChannelBinding>,
}
