//! The other end of the wire: a server for SMTP and LMTP, on tokio.
//!
//! The protocol is [`okuru_core::server::Session`]; a [`Server`] gives each connection such a machine, and a [`Handler`] decides
//! what only you can: who may send, to whom, and where a message is put. The client is told that a message was taken only after
//! [`Handler::message`] has said that it is safe.
//!
//! ```no_run
//! use okuru::server::{Answer, Config, Endpoint, Handler, MessageId, Received, RelayPolicy, Server, Visit};
//! use okuru::Reply;
//!
//! struct Printer;
//!
//! impl Handler for Printer {
//!     type Store = Vec<u8>;
//!
//!     async fn store(&self, _: &Visit, _: MessageId) -> Result<Vec<u8>, Reply> {
//!         Ok(Vec::new())
//!     }
//!
//!     async fn message(&self, visit: &Visit, received: Received, content: Vec<u8>) -> Answer {
//!         println!("{} octets from {:?} for {:?}", content.len(), visit.address(), received.envelope.recipients);
//!         Answer::Accept
//!     }
//! }
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let mut config = Config::new("mx.example.com".parse()?);
//! config.relay = RelayPolicy { local: vec!["example.com".parse()?], ..RelayPolicy::default() };
//! let server = Server::new(Printer).endpoint(Endpoint::bind("127.0.0.1:2525", config).await?);
//! let running = server.start()?;
//! tokio::signal::ctrl_c().await?;
//! running.stop(std::time::Duration::from_secs(30)).await;
//! # Ok(())
//! # }
//! ```
//!
//! # How it behaves
//!
//! - A handler's futures of one session run side by side: the forward-paths of a transaction are all asked about at once, and the
//!   next message may come while the last one is still being stored. Replies go out in the order of the commands.
//! - Content is handed to [`Store::write`] in pieces as it comes; no more is read from that client until it has been taken.
//! - A handler that panics ends its session, with a 421, and no other.
//! - An idle connection has no buffer: bytes are read into one of a common pool once they are there.
//! - [`Running::stop`] takes no more connections, lets transactions come to their end, and says 421 to everybody else.

mod accounts;
mod admission;
mod buffers;
mod driver;
mod endpoint;
mod handler;
mod link;
mod proxy_protocol;
mod questions;
mod running;
mod socket;
mod stores;
mod tls;
mod visit;

pub use accounts::Accounts;
pub use admission::Limits;
pub use endpoint::{Address, Endpoint};
pub use handler::{Connection, Handler, Store, Stream};
pub use okuru_core::sasl::{
    Answer as CredentialsAnswer, ChannelBinding, ChannelBindingKind, Hash, Question as CredentialsQuestion, StoredKeys,
};
pub use okuru_core::server::{
    Answer, Asks, Authentication, Bounds, Closed, Config, Destination, Envelope, Event, Hello, HelloCommand,
    LocalDomain, MessageId, Network, Offer, Protocol, Received, Recipient, RelayPolicy, Role, Timeouts, Tls, Trace,
    User,
};
pub use running::{Running, Server, Stopped};
pub use tls::TlsConfig;
pub use visit::{TlsDetails, Visit};

fn random(bytes: &mut [u8]) -> Result<(), crate::Error> {
    getrandom::fill(bytes).map_err(|error| {
        crate::Error::new(crate::ErrorCode::ConnectFailed, format!("this machine gives no random numbers: {error}"))
    })
}
