//! An SMTP and LMTP client that does not wait more than the protocol says.

#[cfg(feature = "tokio")]
mod asynchronous;
#[cfg(feature = "blocking")]
pub mod blocking;
mod connect;
mod content;
mod courier;
mod flight;
mod gather;
#[cfg(feature = "lettre")]
pub mod lettre;
mod logging;
mod message;
mod options;
mod server_info;
mod server_url;
mod session;
#[cfg(feature = "rustls")]
mod tls;
mod token;
mod transport;

#[cfg(feature = "tokio")]
pub use asynchronous::{Client, SendMany};
pub use content::Content;
pub use message::Message;
pub use okuru_core::client::{
    BodyDeclaration, Chunking, Envelope, InFlight, Outcome, Pipelining, Progress, Protocol, Query, Recipient,
    RecipientOutcome, SmtpUtf8, State, Summary, Timeouts, Tls, Trace,
};
pub use okuru_core::sasl::{Credentials, Mechanism, Secret};
pub use okuru_core::syntax::{Newlines, Reply, ReplyLimits};
pub use okuru_core::{Error, ErrorCode, Step};
pub use options::Options;
pub use server_info::{ServerInfo, TlsSession};
