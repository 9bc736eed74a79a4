//! Messages in, outcomes out: the dispatcher, the routes and the connections as one machine.
//!
//! A host that sends mail drives this machine alone, whether it has one relay and one connection or delivers directly to
//! a thousand domains. It opens what it is asked to open, writes what it is asked to write, and hands in what comes; which
//! message goes where, when, and over what is decided here.
//!
//! Call [`poll`](Mailer::poll) and do what it says until it says [`Output::Wait`]; then wait for bytes on any connection,
//! an answer that is owed, or the deadline, hand it in, and poll again. While [`wants_message`](Mailer::wants_message)
//! says so, [`submit`](Mailer::submit) more.
//!
//! # How it works
//!
//! The [`Dispatcher`](super::dispatcher::Dispatcher) decides; this machine does what it says: it holds a
//! [`client::Connection`](crate::client::Connection) for each session (`session.rs`), a [`Route`](super::Route) for each
//! look-up of a domain that is under way (`routes.rs`), and a [`pop3::Connection`](crate::pop3::Connection) where somebody
//! has to log in before. What those say goes to the host with the number of the connection, and what becomes of a message
//! goes to the dispatcher (`turns.rs`).

mod config;
mod links;
mod machine;
mod output;
mod relays;
mod routes;
mod session;
mod turns;

pub use config::{Config, Direct, LogIn, Server};
pub use machine::{Mailer, Opened};
pub use output::{ConnectionId, Endpoint, Event, LookUpId, Output};
pub use relays::{Relay, add_relays};
