//! One session with a client, as a state machine: what a submission server, a relay's front door, an MX or an LMTP server says.
//!
//! # Driving it
//!
//! The host accepts a transport, makes a [`Session`], and repeats: [`poll`](Session::poll) until it says
//! [`Wait`](Output::Wait), doing what each output says; then hand in bytes, those first that were not taken before, or an
//! answer, or the passing of the deadline.
//!
//! ```
//! use core::time::Duration;
//! use okuru_core::server::{Answer, Config, Output, Peer, Question, Seed, Session};
//! use okuru_core::syntax::DecodedPiece;
//!
//! let mut config = Config::new("mx.example.org".parse()?);
//! config.relay.local.push("example.org".parse()?);
//! let mut session = Session::new(config, Peer::default(), Seed { random: [7; 32], unix_time: 0 });
//!
//! // What the client says, each when it has heard the answer to what it said before.
//! let mut client = [
//!     "EHLO client.example\r\n",
//!     "MAIL FROM:<ann@example.com>\r\nRCPT TO:<bob@example.org>\r\nRCPT TO:<eve@example.net>\r\nDATA\r\n",
//!     "Subject: hello\r\n\r\n..hidden\r\n.\r\nQUIT\r\n",
//! ].iter();
//! let (mut input, mut taken, now) = (Vec::new(), 0, Duration::ZERO);
//! let (mut said, mut stored) = (Vec::new(), Vec::<u8>::new());
//! loop {
//!     match session.poll(now) {
//!         Output::Write(bytes) => said.extend(bytes),
//!         Output::Content { piece: DecodedPiece::Received(range), .. } => stored.extend(&input[range]),
//!         Output::Content { piece: DecodedPiece::Added(bytes), .. } => stored.extend(bytes),
//!         Output::Discard { .. } => stored.clear(),
//!         Output::Ask { id, question: Question::Message(received) } => {
//!             assert_eq!(received.envelope.recipients.len(), 1); // here: make sure that it is safe
//!             session.answer(now, id, Answer::Accept);
//!         }
//!         Output::Ask { id, .. } => assert!(session.answer(now, id, Answer::Accept)),
//!         Output::Event(_) => {}
//!         Output::Wait { reads, .. } => {
//!             assert!(reads, "every question has been answered at once");
//!             input.drain(..taken);
//!             if input.is_empty() {
//!                 input.extend(client.next().unwrap().as_bytes()); // here: send what was said, read from the socket
//!             }
//!             taken = session.receive(now, &input);
//!         }
//!         Output::StartTls => unreachable!("not configured"),
//!         Output::Closed(_) => break,
//!     }
//! }
//! assert_eq!(stored, b"Subject: hello\r\n\r\n.hidden\r\n");
//! assert!(said.ends_with(b"\
//!     250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n550 5.7.1 Relaying denied\r\n354 End the content with CRLF.CRLF\r\n\
//!     250 2.0.0 Message accepted\r\n221 2.0.0 Bye\r\n"));
//! # Ok::<(), okuru_core::Error>(())
//! ```
//!
//! A driver also says [`receive_eof`](Session::receive_eof), [`deadline_passed`](Session::deadline_passed) and
//! [`failed`](Session::failed), and reads from the network only while `Wait` says so: what the session can't deal with yet stays
//! with the host, and from there in the network. It holds no more than a line, an envelope, and replies that wait.
//!
//! # What is promised
//!
//! - Content is handed on as ranges of what was handed in; the session never holds it. A 2yz after it is said only when the host
//!   has answered [`Question::Message`]; what will not be completed is followed by [`Output::Discard`], once for each message
//!   of which something was handed on.
//! - Mail for others is taken only from where [`RelayPolicy`] says and from users who have authenticated. The default takes
//!   none; the one field that opens it for everybody says so in its name.
//! - CRLF.CRLF ends the content, and nothing else. A bare CR or LF does not reach the host.
//! - Everything has a bound ([`Bounds`]) and a time ([`Timeouts`]).
//!
//! # How it works
//!
//! Bytes are taken as far as they can be dealt with now (`session.rs`): as lines (`line.rs`), which are commands
//! (`commands.rs`) or responses of AUTH (`auth.rs`), or as content (`content.rs`) of the transaction that is open
//! (`transaction.rs`). What has to be known from the host becomes a question, whose reply keeps its place among the others
//! (`wire.rs`); the answer says what comes of it (`answers.rs`). Recipients are asked about together, and the next message may
//! begin while the one before is being stored. Any other command waits until nothing is open.
//!
//! What is offered is what is true at the moment (`offer.rs`), and a parameter that is not offered is refused. Who may send where
//! is decided in one place (`relay.rs`), before the host is asked. What is counted against a client is in `tally.rs`.
//!
//! A client that speaks before its turn is seen by the bytes behind its command: before the greeting, behind STARTTLS, AUTH,
//! EHLO and DATA it is an attack, or a client that would take content for commands, and the session ends; behind
//! NOOP and the like (RFC 2920 §3.1) the command is refused. How much is seen depends on what has come together.

mod accounts;
mod answers;
mod auth;
mod bounds;
mod commands;
mod config;
mod content;
mod envelope;
pub mod faults;
mod input;
mod line;
mod offer;
mod output;
mod peer;
mod relay;
mod session;
mod tally;
mod transaction;
mod wire;
mod words;

pub use accounts::Accounts;
pub use bounds::Bounds;
pub use config::{Asks, Authentication, Config, Offer, Protocol, Role, Timeouts, Tls};
pub use envelope::{Envelope, MessageId, Received, Recipient};
pub use output::{Answer, Closed, Event, Output, Question, QuestionId, Trace};
pub use peer::{Hello, HelloCommand, Peer, Seed, TlsInfo, User};
pub use relay::{Destination, LocalDomain, Network, RelayPolicy};
pub use session::Session;
