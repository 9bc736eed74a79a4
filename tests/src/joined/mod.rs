//! Both machines joined by a fake wire, in virtual time, and what both sides then say of each message.
//!
//! The wire cuts what goes over it as the [`Scenario`] says, takes its time, and may break. Each side has a host with books:
//! what the client says became of a recipient, and what the server's host has taken responsibility for. [`run`] compares them.

mod books;
mod receiving;
mod sending;
mod wire;

use std::time::Duration;

use okuru_core::{client, server};

use books::Books;
use receiving::Receiving;
use sending::Sending;
use wire::{Side, Wire};

pub use receiving::USER;
pub use wire::Side as End;

/// How the two meet.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The client.
    pub client: client::Config,
    /// The server.
    pub server: server::Config,
    /// The messages.
    pub letters: Vec<Letter>,
    /// How many octets come at once, in turn; 0 is all that there is.
    pub cuts: Vec<u16>,
    /// How long bytes are under way.
    pub latency: Duration,
    /// What the server's host answers, in turn.
    pub verdicts: Vec<Verdict>,
    /// How many milliseconds it thinks before, in turn.
    pub delays: Vec<u16>,
    /// After so many octets from this side, the connection breaks.
    pub breaks: Option<(Side, u64)>,
    /// When the server is stopped.
    pub stops: Option<Duration>,
}

/// A message.
#[derive(Clone, Debug)]
pub struct Letter {
    /// How many recipients it has.
    pub recipients: u8,
    /// The content.
    pub content: Vec<u8>,
    /// Whether it comes in chunks of so many octets, and its size is not known.
    pub chunks: Option<u16>,
    /// How the content is declared.
    pub declaration: client::BodyDeclaration,
}

/// What the server's host answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Accept,
    /// A 550.
    Reject,
    /// A 451.
    Defer,
    /// A 421.
    Quit,
    /// Nothing, and the connection closes.
    Close,
    /// LMTP: one reply for each recipient, accepted and refused in turn. SMTP: yes.
    Alternate,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Recipients that the client says were accepted.
    pub accepted: usize,
    /// Recipients that the client says were deferred or rejected.
    pub refused: usize,
    /// Recipients of whom the client does not know.
    pub unknown: usize,
    /// How long it took.
    pub time: Duration,
}

/// How many things may happen before there is no end of it.
const MOST_EVENTS: usize = 1_000_000;

/// Lets the two meet, until both are through.
///
/// # Errors
///
/// What is wrong with the books, or that there is no end.
pub fn run(scenario: &Scenario) -> Result<Tally, String> {
    let mut now = Duration::from_secs(1);
    let mut wire = Wire::new(scenario);
    let mut sending = Sending::new(scenario);
    let mut receiving = Receiving::new(scenario);
    let mut books = Books::default();
    let mut stops = scenario.stops.map(|after| now + after);
    for _ in 0..MOST_EVENTS {
        sending.drive(now, &mut wire, &mut books)?;
        receiving.drive(now, &mut wire, &mut books)?;
        if wire.is_broken() && !(sending.is_closed() && receiving.is_closed()) {
            sending.lost(now);
            receiving.lost(now);
            continue;
        }
        if sending.wants_tls && receiving.wants_tls {
            sending.tls_started(now);
            receiving.tls_started(now);
            continue;
        }
        if receiving.goes_on(now, &mut wire)? {
            continue;
        }
        if sending.is_closed() && receiving.is_closed() {
            books.balance(scenario)?;
            return Ok(books.tally(now));
        }
        let next = [wire.next(), receiving.next(), sending.deadline(), receiving.deadline(), stops];
        let Some(next) = next.into_iter().flatten().min() else {
            return Err(format!("both wait for ever: {sending:?} {receiving:?}"));
        };
        now = now.max(next);
        if let Some(bytes) = wire.arrived(now, Side::Server) {
            sending.receive(now, bytes.as_deref());
        } else if let Some(bytes) = wire.arrived(now, Side::Client) {
            receiving.receive(bytes);
        } else if receiving.answer_due(now, &mut books) {
        } else if stops.is_some_and(|stops| stops <= now) {
            stops = None;
            receiving.stop();
        } else {
            sending.pass_deadline(now);
            receiving.pass_deadline(now);
        }
    }
    Err("there is no end".into())
}

/// The next of some, again and again; nothing of none.
fn in_turn<T: Copy>(of: &[T], count: &mut usize) -> Option<T> {
    let next = of.get(*count % of.len().max(1)).copied();
    *count += 1;
    next
}
