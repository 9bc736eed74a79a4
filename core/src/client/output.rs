//! What a connection asks of its host.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;
use core::time::Duration;

use super::message::MessageId;
use super::outcome::Outcome;
use crate::error::Error;
use crate::sasl::Mechanism;
use crate::syntax::{Capabilities, Reply};

/// What the host is to do next.
#[derive(Clone, Debug)]
#[must_use]
pub enum Output {
    /// Send these bytes. Everything up to the next [`Wait`](Self::Wait) may go in one write.
    Write(Vec<u8>),
    /// Send this range of the content of a message, which the host holds.
    WriteBody {
        /// Which message.
        message: MessageId,
        /// In octets from the beginning of the content. It never reaches beyond what was handed in.
        range: Range<u64>,
    },
    /// Hand in content of this message, from `offset` on: [`content`](super::Connection::content), as much as is at
    /// hand, or [`content_end`](super::Connection::content_end). Asked once; it may be answered at once or later, and what was handed in
    /// before may be let go once it has been written.
    ReadBody {
        /// Which message.
        message: MessageId,
        /// In octets from the beginning of the content.
        offset: u64,
    },
    /// Begin TLS, after everything before this has been written; then
    /// [`tls_started`](super::Connection::tls_started) or [`failed`](super::Connection::failed). Nothing else comes
    /// until then, and bytes that were read before must not be kept for later.
    StartTls {
        /// The name that the certificate is checked against, and sent as SNI.
        server_name: String,
        /// Whether a certificate that does not verify ends the connection. Where not, it is still to be checked, and
        /// [`TlsInfo`](super::TlsInfo) says the result.
        verify: bool,
    },
    /// Get an OAuth token, then [`token`](super::Connection::token) or [`failed`](super::Connection::failed).
    GetToken,
    /// Something that the user may want to know.
    Event(Event),
    /// Nothing to do before input comes, or `deadline` passes:
    /// [`deadline_passed`](super::Connection::deadline_passed).
    Wait {
        /// On the clock of the host.
        deadline: Option<Duration>,
    },
    /// It is over: close the socket. Stays the same for ever.
    ///
    /// Bytes that were taken before the last input and could not be written until now must be thrown away: the outcomes
    /// say that they were not sent. Only a QUIT that came since then may be written.
    Closed(Closed),
}

/// Why a connection is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Closed {
    /// After QUIT.
    Quit,
    /// Something went wrong. Each message has had its own outcome.
    Failed(Failure),
}

/// Why a connection failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What happened.
    pub error: Error,
    /// The server's words, where they were the reason.
    pub reply: Option<Reply>,
}

/// What a user may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The server's first words.
    Greeting(Reply),
    /// What the server offers; again after TLS.
    Capabilities(Box<Capabilities>),
    /// The credentials were taken.
    Authenticated(Mechanism),
    /// Messages can be sent.
    Ready,
    /// A message has ended. Each message that was submitted ends once.
    Finished(Outcome),
    /// The reply to a [`command`](super::Connection::command).
    Reply {
        /// What `command` gave.
        id: u64,
        /// The reply, whole.
        reply: Reply,
    },
    /// The server offers PIPELINING, but not beyond the end of a message (RFC 2920 §3.1). The connection goes on at the
    /// level `message`, with nothing lost; other connections to this server should begin there.
    PipeliningReduced,
    /// A line of the dialogue, if [`Config::trace`](super::Config::trace) is set. Secrets are hidden.
    Trace(Trace),
}

/// A line of the dialogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trace {
    /// What we said, without the line end.
    Sent(String),
    /// So many octets of content that we sent.
    SentContent(u64),
    /// What the server said.
    Received(Reply),
    /// From here on inside TLS.
    Tls,
}
