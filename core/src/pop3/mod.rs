//! POP before SMTP: a connection to a POP3 server (RFC 1939), as a state machine, that logs in and quits.
//!
//! Some relays take mail from an address for a while after its user has logged in there by POP3. That is all that this does:
//! greeting, CAPA (RFC 2449), STLS (RFC 2595), the log-in by SASL (RFC 5034), USER and PASS, or APOP, STAT, and QUIT. Nothing
//! is fetched or deleted.
//!
//! It is driven as [`client::Connection`](crate::client::Connection) is:
//!
//! ```
//! use core::time::Duration;
//! use okuru_core::client::{Authentication, Tls};
//! use okuru_core::pop3::{Closed, Config, Connection, Event, Output};
//! use okuru_core::sasl::Credentials;
//!
//! let authentication = Authentication {
//!     credentials: Credentials::password("mrose", "tanstaaf", None)?,
//!     mechanisms: None,
//!     dangerously_allow_plaintext: true, // here only, for a short example
//!     try_all: false,
//!     port: 110,
//!     nonce: [7; 24],
//! };
//! let mut connection =
//!     Connection::new(Config { tls: Tls::None, ..Config::new("pop.example.org", authentication) });
//! let server = ["+OK hi\r\n", "+OK\r\nUSER\r\n.\r\n", "+OK\r\n", "+OK\r\n", "+OK 2 320\r\n", "+OK bye\r\n"];
//! let (mut server, mut sent, now) = (server.iter(), Vec::new(), Duration::ZERO);
//! loop {
//!     match connection.poll(now) {
//!         Output::Write(bytes) => sent.extend(bytes),
//!         Output::Event(Event::Maildrop { messages, .. }) => assert_eq!(messages, 2),
//!         Output::Event(_) => {}
//!         Output::Wait { .. } => connection.receive(now, server.next().unwrap().as_bytes()),
//!         Output::StartTls { .. } | Output::GetToken => unreachable!("not configured"),
//!         Output::Closed(closed) => break assert_eq!(closed, Closed::Quit),
//!     }
//! }
//! assert_eq!(sent, b"CAPA\r\nUSER mrose\r\nPASS tanstaaf\r\nSTAT\r\nQUIT\r\n");
//! # Ok::<(), okuru_core::Error>(())
//! ```

mod config;
mod connection;
mod login;
mod output;
mod repeated_secret;
mod wire;

pub use config::{Config, Login};
pub use connection::Connection;
pub use output::{Closed, Event, Failure, Method, Output, Trace};
