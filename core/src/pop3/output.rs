//! What a connection asks of its host.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::error::Error;
use crate::sasl::Mechanism;
use crate::syntax::{Pop3Capabilities, Pop3Response};

/// What the host is to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Output {
    /// Send these bytes.
    Write(Vec<u8>),
    /// Begin TLS, after everything before this has been written; then [`tls_started`](super::Connection::tls_started) or
    /// [`failed`](super::Connection::failed). Nothing else comes until then, and bytes that were read before must not be
    /// kept for later.
    StartTls {
        /// The name that the certificate is checked against, and sent as SNI.
        server_name: String,
        /// Whether a certificate that does not verify ends the connection.
        verify: bool,
    },
    /// Get an OAuth token, then [`token`](super::Connection::token) or [`failed`](super::Connection::failed).
    GetToken,
    /// Something that the user may want to know.
    Event(Event),
    /// Nothing to do before input comes, or `deadline` passes: [`deadline_passed`](super::Connection::deadline_passed).
    Wait {
        /// On the clock of the host.
        deadline: Option<Duration>,
    },
    /// It is over: close the socket. Stays the same for ever.
    Closed(Closed),
}

/// Why a connection is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Closed {
    /// After the log-in and QUIT.
    Quit,
    /// Something went wrong. The user may have been logged in before: [`Event::LoggedIn`] says so.
    Failed(Failure),
}

/// Why a connection failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What happened.
    pub error: Error,
    /// The server's words, where they were the reason.
    pub response: Option<Pop3Response>,
}

/// What a user may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The server's first words.
    Greeting(Pop3Response),
    /// What the server offers; again after TLS. Nothing, if it does not know CAPA.
    Capabilities(Box<Pop3Capabilities>),
    /// The server knows now who we are. From here on the relay may take mail.
    LoggedIn(Method),
    /// What lies in the mailbox, as STAT says.
    Maildrop {
        /// How many messages.
        messages: u64,
        /// How many octets they have together.
        octets: u64,
    },
    /// A line of the dialogue, if [`Config::trace`](super::Config::trace) is set. Secrets are hidden.
    Trace(Trace),
}

/// How a user has logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// By AUTH with this mechanism.
    Sasl(Mechanism),
    /// By USER and PASS.
    UserPass,
    /// By APOP.
    Apop,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Sasl(mechanism) => mechanism.name(),
            Self::UserPass => "USER",
            Self::Apop => "APOP",
        })
    }
}

/// A line of the dialogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trace {
    /// What we said, without the line end.
    Sent(String),
    /// What the server said, without the line end; what could steer a terminal is replaced.
    Received(String),
    /// From here on inside TLS.
    Tls,
}
