//! What a mailer asks of its host.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::ops::Range;
use core::time::Duration;

use crate::client::{self, MessageId, Outcome};
use crate::delivery::dispatcher::Event as Progress;
use crate::delivery::route::{Query, Resolution};
use crate::pop3;

/// A connection that the mailer has asked for: by SMTP, LMTP or POP3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// Names a look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LookUpId(pub u64);

/// What the host is to do next.
///
/// What is said about a connection is for that one alone, and in its order.
#[derive(Clone, Debug)]
#[must_use]
pub enum Output {
    /// Open a connection, then [`opened`](super::Mailer::opened) or [`failed`](super::Mailer::failed).
    Open {
        /// How it is called from now on.
        connection: ConnectionId,
        /// The name of the server that mail is sent to over it, or that somebody has to log in for.
        server: Arc<str>,
        /// Where to.
        endpoint: Arc<Endpoint>,
    },
    /// Send these bytes. Everything up to the next [`Wait`](Self::Wait) may go in one write.
    Write {
        /// Over which connection.
        connection: ConnectionId,
        /// What.
        bytes: Vec<u8>,
    },
    /// Send this range of the content of a message, which the host holds.
    WriteBody {
        /// Over which connection.
        connection: ConnectionId,
        /// Of which message.
        message: MessageId,
        /// In octets from the beginning of the content.
        range: Range<u64>,
    },
    /// Hand in content of this message from `offset` on: [`content`](super::Mailer::content),
    /// [`content_end`](super::Mailer::content_end) or [`content_failed`](super::Mailer::content_failed). A message that goes
    /// to several servers is asked for by each connection for itself.
    ReadBody {
        /// For which connection.
        connection: ConnectionId,
        /// Of which message.
        message: MessageId,
        /// In octets from the beginning of the content.
        offset: u64,
    },
    /// Begin TLS, after everything before this has been written; then [`tls_started`](super::Mailer::tls_started) or
    /// [`failed`](super::Mailer::failed).
    StartTls {
        /// On which connection.
        connection: ConnectionId,
        /// The name that the certificate is checked against, and sent as SNI.
        server_name: String,
        /// Whether a certificate that does not verify ends the connection.
        verify: bool,
    },
    /// Get an OAuth token for this server, then [`token`](super::Mailer::token) or [`failed`](super::Mailer::failed).
    GetToken {
        /// For which connection.
        connection: ConnectionId,
        /// The name of the server, as [`Server::name`](super::Server::name) has it.
        server: Arc<str>,
    },
    /// Close the socket, or give up opening it. What could not be written before the last input must be thrown away: outcomes say that it was not
    /// sent; only a QUIT that came since may be written. The connection is not heard of again.
    Close {
        /// Which.
        connection: ConnectionId,
    },
    /// Make this look-up in the DNS, then [`dns_answer`](super::Mailer::dns_answer).
    Resolve {
        /// How it is called.
        look_up: LookUpId,
        /// What is looked up. Its own number says nothing here.
        query: Query,
    },
    /// Something that the user may want to know.
    Event(Event),
    /// Nothing to do before input comes, or `deadline` passes: [`deadline_passed`](super::Mailer::deadline_passed).
    Wait {
        /// On the clock of the host.
        deadline: Option<Duration>,
    },
    /// After [`finish`](super::Mailer::finish) or [`stop`](super::Mailer::stop): nothing is left to be done. Stays so.
    Done,
}

/// Where a connection goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A host.
    Host {
        /// Its name in ASCII, or its address without brackets. To be looked up by the host if there are no addresses.
        name: String,
        /// The port.
        port: u16,
        /// The addresses, in the order of preference, where the mailer knows them.
        addresses: Vec<IpAddr>,
    },
    /// A Unix socket, by its path.
    Socket(String),
}

/// What a user may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A message has ended. Each that was submitted ends once, and its content may be let go.
    Finished(Outcome),
    /// Content of a message is about to be sent to these of its recipients. It comes before the first
    /// [`ReadBody`](Output::ReadBody) or [`WriteBody`](Output::WriteBody) of each attempt; [`Tried`](Progress::Tried) says how that has ended.
    Sending {
        /// Over which connection.
        connection: ConnectionId,
        /// Which message.
        message: MessageId,
        /// Which of its envelope, from 0.
        recipients: Arc<[u32]>,
    },
    /// What happens on the way there. [`Event::Finished`](Progress::Finished) is not among it.
    Progress(Progress),
    /// Where the mail for a domain goes, or why it goes nowhere.
    Routed(Box<Resolution>),
    /// Something on a connection. [`Event::Finished`](client::Event::Finished) is not among it.
    Connection {
        /// Which.
        connection: ConnectionId,
        /// The name of the server.
        server: Arc<str>,
        /// What.
        event: client::Event,
    },
    /// Something on a connection that logs in by POP3 before mail is sent.
    LogIn {
        /// Which.
        connection: ConnectionId,
        /// The name of the server that mail is sent to.
        server: Arc<str>,
        /// What.
        event: pop3::Event,
    },
    /// A connection is over.
    Closed {
        /// Which.
        connection: ConnectionId,
        /// The name of the server.
        server: Arc<str>,
        /// Why.
        closed: client::Closed,
    },
}
