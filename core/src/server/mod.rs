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

mod answers;
mod auth;
mod bounds;
mod commands;
mod config;
mod content;
mod envelope;
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

pub use bounds::Bounds;
pub use config::{Asks, Authentication, Config, Offer, Protocol, Role, Timeouts, Tls};
pub use envelope::{Envelope, MessageId, Received, Recipient};
pub use output::{Answer, Closed, Event, Output, Question, QuestionId, Trace};
pub use peer::{Hello, HelloCommand, Peer, Seed, TlsInfo, User};
pub use relay::{Destination, LocalDomain, Network, RelayPolicy};
pub use session::Session;
