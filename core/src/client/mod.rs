//! One connection to a server, as a state machine.
//!
//! # Driving it
//!
//! The host opens a transport, makes a [`Connection`], and repeats: [`poll`](Connection::poll) until it says
//! [`Wait`](Output::Wait), doing what each output says; then wait for bytes or the deadline, and hand them in. All
//! that comes between two `Wait`s may go in one write.
//!
//! ```
//! use core::time::Duration;
//! use okuru_core::client::{Body, Config, Connection, Envelope, Event, Message, Output, Summary, Tls};
//! use okuru_core::syntax::{Inspection, MailParameters};
//!
//! let content = b"Subject: hello\r\n\r\n.hidden\r\n";
//! let envelope = Envelope {
//!     reverse_path: "<ann@example.com>".parse()?,
//!     parameters: MailParameters::default(),
//!     recipients: vec!["<bob@example.org>".parse::<okuru_core::syntax::ForwardPath>()?.into()],
//! };
//! let mut connection = Connection::new(Config { tls: Tls::None, ..Config::new("example.org", "example.com".parse()?) });
//! connection.submit(Message::new(envelope, Body::Whole(Inspection::of(content))));
//! connection.quit();
//!
//! let mut server = ["220 hello\r\n", "250-example.org\r\n250 PIPELINING\r\n", "250 ok\r\n250 ok\r\n354 go\r\n", "250 queued\r\n221 bye\r\n"].iter();
//! let (mut sent, now) = (Vec::new(), Duration::ZERO);
//! loop {
//!     match connection.poll(now) {
//!         Output::Write(bytes) => sent.extend(bytes),
//!         Output::WriteBody { range, .. } => sent.extend(&content[range.start as usize..range.end as usize]),
//!         Output::ReadBody { message, offset } => {
//!             connection.content(now, message, &content[offset as usize..]);
//!         }
//!         Output::Event(Event::Finished(outcome)) => assert_eq!(outcome.summary(), Summary::Accepted),
//!         Output::Event(_) => {}
//!         Output::Wait { .. } => {
//!             connection.written(now, u64::MAX); // here: send what has been gathered
//!             connection.receive(now, server.next().unwrap().as_bytes());
//!         }
//!         Output::StartTls { .. } | Output::GetToken => unreachable!("not configured"),
//!         Output::Closed(_) => break,
//!     }
//! }
//! assert!(sent.ends_with(b"DATA\r\nSubject: hello\r\n\r\n..hidden\r\n.\r\nQUIT\r\n"));
//! # Ok::<(), okuru_core::Error>(())
//! ```
//!
//! # How it works
//!
//! Every byte that is said has a place in one count, and every reply that is due is in one queue (`wire.rs`). The opening
//! (`opening.rs`) goes from the greeting to the first message. Then messages (`job.rs`) wait until they may begin
//! (`sending.rs`) a transaction (`transaction.rs`), whose replies decide about each recipient. What a message needs is
//! compared with what is offered before anything of it is said (`needs.rs`); content passes through in ranges
//! (`content.rs`); what ends early, ends in `ending.rs`.

mod config;
mod connection;
mod content;
mod ending;
mod job;
mod message;
mod needs;
mod opening;
mod outcome;
mod output;
mod patience;
mod query;
mod repeated_secret;
mod sending;
mod server_url;
mod transaction;
mod url;
mod usual;
mod wire;

pub use config::{Authentication, Chunking, Config, InFlight, Pipelining, Protocol, Timeouts, Tls, TlsInfo};
pub use connection::Connection;
pub use message::{Body, BodyDeclaration, Envelope, Message, MessageId, Recipient, SmtpUtf8};
pub use outcome::{Outcome, Progress, RecipientOutcome, State, Summary};
pub use output::{Closed, Event, Failure, Output, Trace};
pub use query::Query;
pub use server_url::{ServerAddress, ServerUrl};
pub use url::{Place, Url};
