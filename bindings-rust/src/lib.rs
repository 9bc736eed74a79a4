//! An SMTP and LMTP client that does not wait more than the protocol says.
//!
//! [`Options`] say which server, and how. From them come a `Client` for tokio and a [`blocking::Client`]; both `send` a
//! [`Message`], or many, and give the [`Outcome`] of each.
//!
//! ```no_run
//! use okuru::{Message, Options, State, blocking::Client};
//!
//! # fn main() -> Result<(), okuru::Error> {
//! let mut client = Client::new(Options::new("smtp://me:secret@mail.example.com")?);
//! let to = ["you@example.org", "them@example.net"];
//! let outcome = client.send(Message::new("me@example.com", to, "Subject: hello\r\n\r\nHello!\r\n")?);
//! for recipient in &outcome.recipients {
//!     match recipient.state {
//!         State::Accepted => println!("accepted"),
//!         state => println!("{state}: {}", recipient.error().map_or(String::new(), |error| error.to_string())),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # How it works
//!
//! The protocol is in `okuru-core`, which does no I/O: here each connection is such a machine, with what it wants written and the
//! content of its messages (a session). A courier decides which message goes over which session, and says what is needed next.
//! The two clients only get that, each in its own way: a socket that blocks, or one of tokio's. Neither has a thread or a task
//! of its own.
//!
//! # Features
//!
//! `tokio`, `blocking`, `rustls` and `tracing` are on unless switched off; at least one of the first two has to be. `lettre` adds that
//! crate's transports, `server` the other end of the wire.

#[cfg(not(any(feature = "blocking", feature = "tokio")))]
compile_error!("okuru has two clients: choose the feature `blocking`, `tokio` or both");

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod acknowledgement;
#[cfg(feature = "tokio")]
mod alarm;
#[cfg(feature = "tokio")]
mod asynchronous;
#[cfg(feature = "blocking")]
pub mod blocking;
mod connect;
mod content;
mod courier;
mod flight;
mod gather;
mod leftover;
#[cfg(feature = "lettre")]
pub mod lettre;
mod logging;
#[cfg(feature = "tokio")]
pub mod mailer;
mod message;
mod options;
#[cfg(feature = "server")]
pub mod server;
mod server_info;
mod session;
#[cfg(feature = "rustls")]
mod tls;
mod token;
mod transport;
mod window;
mod wire;

#[cfg(feature = "tokio")]
pub use asynchronous::{Client, SendMany};
pub use content::Content;
#[cfg(feature = "tokio")]
pub use mailer::Mailer;
pub use message::Message;
pub use okuru_core::client::{
    BodyDeclaration, Chunking, Envelope, InFlight, MessageId, Outcome, Pipelining, Progress, Protocol, Query,
    Recipient, RecipientOutcome, SmtpUtf8, State, Summary, Timeouts, Tls, Trace,
};
pub use okuru_core::delivery::dsn;
pub use okuru_core::policy;
pub use okuru_core::sasl::{Credentials, Mechanism, Secret};
pub use okuru_core::syntax::{
    Argument, AuthParameter, BodyType, Capabilities, DateTime, DeliverBy, DeliverByMode, EhloName, EnhancedCode,
    EnvelopeId, ForwardPath, Hold, HoldInterval, MailParameters, Mailbox, MtPriority, Newlines, Notify,
    OriginalRecipient, Parameter, RcptParameters, Reply, ReplyCode, ReplyLimits, Ret, ReversePath, Severity,
};
pub use okuru_core::{Error, ErrorCode, Step};
pub use options::Options;
pub use server_info::{ServerInfo, TlsSession};
