//! Which message goes over which connection, and when: many messages, many servers.
//!
//! # The contract
//!
//! The host owns the [`Connection`](crate::client::Connection)s; the dispatcher says which there are to be, and what goes on
//! which. The host repeats: [`submit`](Dispatcher::submit) while [`wants_message`](Dispatcher::wants_message) says so;
//! [`poll`](Dispatcher::poll) until it says [`Wait`](Output::Wait), doing what each output says; drive the connections;
//! hand in what happened on them; poll again. Per session it says
//!
//! | the connection says | the dispatcher is told |
//! |---|---|
//! | no way to connect: `failed`, then `Closed` | [`closed`](Dispatcher::closed) |
//! | [`Event::Ready`](crate::client::Event::Ready) | [`ready`](Dispatcher::ready), with the capabilities |
//! | [`Event::Finished`](crate::client::Event::Finished) | [`finished`](Dispatcher::finished), with the delivery that it was |
//! | [`wants_message`](crate::client::Connection::wants_message) while something is in flight | [`wants_more`](Dispatcher::wants_more), if messages are to go behind each other |
//! | [`Event::PipeliningReduced`](crate::client::Event::PipeliningReduced) | [`pipelining_reduced`](Dispatcher::pipelining_reduced) |
//! | the reply to the NOOP of a [`Check`](Output::Check) | [`checked`](Dispatcher::checked) |
//! | `Closed` | [`closed`](Dispatcher::closed), behind the outcomes of what was in flight |
//!
//! Hand in all that a connection has told before polling the dispatcher. Everything that can't be said here (addresses, TLS,
//! credentials) is the host's, which finds it by the name of the [`Target`].
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::sync::Arc;
//! use std::time::Duration;
//! use okuru_core::client::{self, Body, Closed, Connection, Envelope, MessageId, Summary, Tls};
//! use okuru_core::delivery::dispatcher::{Config, Content, Destination, Dispatcher, Event, Output, Parcel, SessionId};
//! use okuru_core::syntax::Inspection;
//!
//! /// What the host holds of a session: here with a server that says yes to everything.
//! struct Session {
//!     machine: Connection,
//!     deliveries: BTreeMap<MessageId, okuru_core::delivery::dispatcher::DeliveryId>,
//!     replies: Vec<&'static str>,
//! }
//!
//! let content = b"Subject: hello\r\n\r\nHello!\r\n";
//! let relay = Arc::new(Destination::host("mail.example.com"));
//! let mut dispatcher = Dispatcher::new(Config::relay(2), 0x6f6b_7572_75);
//! let (mut sessions, mut accepted) = (BTreeMap::<SessionId, Session>::new(), 0);
//! let now = Duration::ZERO;
//! let envelope = Arc::new(Envelope {
//!     reverse_path: "<ann@example.com>".parse()?,
//!     parameters: Default::default(),
//!     recipients: vec!["<bob@example.org>".parse::<okuru_core::syntax::ForwardPath>()?.into()],
//! });
//! for id in 0..5 {
//!     assert!(dispatcher.wants_message());
//!     dispatcher.submit(now, Parcel::to(MessageId(id), Arc::clone(&envelope), Arc::clone(&relay)))?;
//! }
//! dispatcher.finish();
//!
//! loop {
//!     match dispatcher.poll(now) {
//!         Output::Open(open) => {
//!             // Here: connect to open.host. `without_tls` and `is_reduced` belong into this configuration.
//!             let config = client::Config { tls: Tls::None, ..client::Config::new(&*open.host, "example.com".parse()?) };
//!             let replies = vec!["221 bye\r\n", "250 queued\r\n", "354 go\r\n", "250 ok\r\n", "250 ok\r\n", "250 example.org\r\n", "220 hello\r\n"];
//!             sessions.insert(open.session, Session { machine: Connection::new(config), deliveries: BTreeMap::new(), replies });
//!         }
//!         Output::Send(send) => {
//!             let session = sessions.get_mut(&send.session).expect("the dispatcher names sessions that are open");
//!             // Here: an envelope with just send.recipients, found by send.message.
//!             let message = client::Message::new(Arc::clone(&envelope), Body::Whole(Inspection::of(content)));
//!             session.deliveries.insert(session.machine.submit(message), send.delivery);
//!         }
//!         Output::Close { session } => sessions.get_mut(&session).expect("it is open").machine.quit(),
//!         Output::Event(Event::Finished(outcome)) => accepted += u32::from(outcome.summary() == Summary::Accepted),
//!         Output::Event(_) => {}
//!         Output::Wait { .. } => {
//!             // Here: wait for whichever session has something to read, or for the deadline.
//!             for id in sessions.keys().copied().collect::<Vec<_>>() {
//!                 drive(id, &mut sessions, &mut dispatcher, content);
//!             }
//!         }
//!         Output::Done => break,
//!         output => unreachable!("{output:?}"),
//!     }
//! }
//! assert_eq!((accepted, dispatcher.metrics().totals.opened), (5, 2));
//!
//! fn drive(id: SessionId, sessions: &mut BTreeMap<SessionId, Session>, dispatcher: &mut Dispatcher, content: &[u8]) {
//!     let now = Duration::ZERO;
//!     let session = sessions.get_mut(&id).expect("it is open");
//!     loop {
//!         match session.machine.poll(now) {
//!             client::Output::ReadBody { message, offset } => {
//!                 session.machine.content(now, message, &content[offset as usize..]);
//!             }
//!             client::Output::Event(client::Event::Ready) => dispatcher.ready(now, id, session.machine.capabilities()),
//!             client::Output::Event(client::Event::Finished(outcome)) => {
//!                 let delivery = session.deliveries.remove(&outcome.message).expect("it was submitted");
//!                 dispatcher.finished(now, delivery, &outcome, Content::Whole);
//!                 session.replies.splice(1..1, ["250 queued\r\n", "354 go\r\n", "250 ok\r\n", "250 ok\r\n"]);
//!             }
//!             client::Output::Wait { .. } => {
//!                 session.machine.written(now, u64::MAX); // here: write what has been gathered
//!                 if !session.machine.is_idle() {
//!                     let reply = session.replies.pop().expect("the script is long enough");
//!                     session.machine.receive(now, reply.as_bytes());
//!                 }
//!                 return;
//!             }
//!             client::Output::Closed(closed) => {
//!                 dispatcher.closed(now, id, &closed);
//!                 sessions.remove(&id);
//!                 return;
//!             }
//!             _ => {} // here: write, begin TLS, get a token
//!         }
//!     }
//! }
//! # Ok::<(), okuru_core::Error>(())
//! ```
//!
//! # What becomes of what
//!
//! - A message that a session lost before anything of it was sent goes over another, and nobody learns of it. The same once
//!   for one whose envelope was on its way, on a session that had shown that it works.
//! - `accepted` and `rejected` are final; `deferred` is tried again for those recipients, as [`Retry`] says; `unknown` only
//!   where [duplicates are acceptable](Retry::duplicates_are_acceptable).
//! - A host that can't be reached, or does not get as far as an answer, rests, and the next one of its destination is used.
//!   While all rest, messages wait; each time that all have failed once more it counts as an attempt of theirs. Without
//!   [`Config::retry`] they end at once, with the same reason, and nobody connects for each of them.
//! - What one host defers as a whole (a 4yz to MAIL, DATA or the content) is offered to the next host at once. A recipient
//!   that is deferred is not: a greylisting server would say it twice.
//! - A 5yz to a connection (its greeting, EHLO, AUTH) refuses the messages only if every host of the destination says it.
//!
//! # How it works
//!
//! A [`Parcel`] is a message with its recipients in groups (`books.rs`), each a delivery that waits in the queue of its
//! destination (`place.rs`, `queue.rs`). Destinations with something in their queue take turns in a ring (`turns.rs`), one
//! message each; a turn looks for a host and a session (`choice.rs`) and for rates (`pace.rs`). Who finds none leaves the ring
//! and stands in line for what it lacks (`waiters.rs`): room at a host, or one of the connections. What becomes free wakes the
//! first in line, who wakes the next if anything is left, so a step costs the logarithm of what is held, however many wait.
//! Hosts (`host.rs`, `health.rs`) fail, rest, and are asked to slow down; what happens to sessions is in `sessions.rs`, what
//! an attempt means for its recipients in `outcomes.rs`, what happens while no host is left in `down.rs`. All moments are in
//! one set (`alarms.rs`).

mod alarms;
mod books;
mod choice;
mod config;
mod down;
mod health;
mod host;
mod machine;
mod metrics;
mod naming;
mod outcomes;
mod output;
mod pace;
mod parcel;
mod place;
mod queue;
mod random;
mod refusal;
mod session;
mod sessions;
mod slab;
mod snapshot;
mod turns;
mod waiters;

pub use config::{Backoff, Capacity, Config, HostPolicy, Quota, Rate, Retry, WarmUp};
pub use machine::Dispatcher;
pub use metrics::{Metrics, Totals};
pub use outcomes::Content;
pub use output::{DeliveryId, Event, Open, Output, Send, SessionId, Tried};
pub use parcel::{Destination, Group, Parcel, Target, Unrouted, Way};
