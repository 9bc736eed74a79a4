//! A mailer in one call: for hosts to whom a call into the core costs more than the work done there.
//!
//! A host hands in what has come, on the [`mailer`](Stepper::mailer) itself, and then takes one [`step`](Stepper::step):
//! all that is to be done, with what goes over each connection gathered for one write. The contents that a stepper holds
//! are read by it; where they are small they are joined with the commands around them, so that a message costs its host
//! the same few calls and buffers whatever its recipients.
//!
//! ```
//! use core::time::Duration;
//! use okuru_core::delivery::mailer::{Config, Server};
//! use okuru_core::delivery::{Mailer, Stepper};
//! # fn example(config: Config, message: okuru_core::client::Message) -> Result<(), okuru_core::Error> {
//! let now = Duration::ZERO;
//! let mut stepper = Stepper::new(Mailer::new(config, 7));
//! stepper.submit(now, message, Some(b"Subject: hello\r\n\r\nHello\r\n"))?;
//! let step = stepper.step(now);
//! assert_eq!(step.asks.len(), 1); // Output::Open
//! # Ok(())
//! # }
//! ```

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Range;
use core::time::Duration;

use super::mailer::{ConnectionId, Event, Mailer, Output};
use crate::client::{Message, MessageId, Outcome};
use crate::error::Error;

/// A mailer, and the contents of its messages as far as they are at hand.
#[derive(Clone, Debug)]
pub struct Stepper<B> {
    mailer: Mailer,
    contents: BTreeMap<MessageId, B>,
    /// What was asked for, and is handed in when what was gathered before has been written.
    owed: Vec<Owed>,
    is_observed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Owed {
    connection: ConnectionId,
    message: MessageId,
    offset: u64,
}

/// All that a host is to do before it waits.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// What is to be written, for each connection once. It comes before what `asks` has for the same connection.
    pub writes: Vec<Write>,
    /// What else is to be done, in order: every [`Output`] but those that are told by the other fields.
    pub asks: Vec<Output>,
    /// What has become of messages, in the order in which they ended.
    pub outcomes: Vec<Outcome>,
    /// What a user may want to know, if the stepper [`is observed`](Stepper::observe).
    pub events: Vec<Event>,
    /// When to call [`deadline_passed`](Mailer::deadline_passed) and take the next step, if nothing comes before.
    pub deadline: Option<Duration>,
    /// Enough is gathered for now: more is told by a step once that has been [`written`](Mailer::written).
    pub goes_on: bool,
    /// Nothing is left to be done: [`Output::Done`].
    pub is_done: bool,
}

/// What goes over one connection.
#[derive(Clone, Debug)]
pub struct Write {
    /// Which.
    pub connection: ConnectionId,
    /// In order, and in one write where that is possible.
    pub pieces: Vec<Piece>,
    /// Octets of all pieces.
    pub length: u64,
}

/// What is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// These.
    Bytes(Vec<u8>),
    /// This range of the content of a message.
    Content {
        /// Which message.
        message: MessageId,
        /// In octets from the beginning of the content.
        range: Range<u64>,
    },
}

/// What is larger than this is not joined with what stands around it.
const MOST_COPIED: u64 = 16 << 10;

/// So much is gathered for a connection before more content is read for it.
const ENOUGH: u64 = 1 << 20;

impl<B: AsRef<[u8]>> Stepper<B> {
    /// A stepper without contents.
    pub const fn new(mailer: Mailer) -> Self {
        Self { mailer, contents: BTreeMap::new(), owed: Vec::new(), is_observed: false }
    }

    /// Whether steps tell [`events`](Step::events). They do not unless this has been said.
    pub const fn observe(&mut self, is_observed: bool) {
        self.is_observed = is_observed;
    }

    /// The mailer, to hand in what has come.
    pub const fn mailer(&mut self) -> &mut Mailer {
        &mut self.mailer
    }

    /// Takes a message, with its content if that is at hand. Without, the host is asked for it by [`Output::ReadBody`].
    ///
    /// # Errors
    ///
    /// As [`Mailer::submit`].
    pub fn submit(&mut self, now: Duration, message: Message, content: Option<B>) -> Result<MessageId, Error> {
        let id = self.mailer.submit(now, message)?;
        self.contents.extend(content.map(|content| (id, content)));
        Ok(id)
    }

    /// All that is to be done, until something comes.
    pub fn step(&mut self, now: Duration) -> Step {
        let mut step = Step::default();
        for owed in core::mem::take(&mut self.owed) {
            self.read(now, owed, &step);
        }
        loop {
            match self.mailer.poll(now) {
                Output::Write { connection, bytes } => step.write(connection).push(bytes),
                Output::WriteBody { connection, message, range } => {
                    let at_hand = self.contents.get(&message).and_then(|content| small(content.as_ref(), &range));
                    step.write(connection).push_range(message, range, at_hand);
                }
                Output::ReadBody { connection, message, offset } if self.contents.contains_key(&message) => {
                    self.read(now, Owed { connection, message, offset }, &step);
                }
                Output::Event(Event::Finished(outcome)) => {
                    self.contents.remove(&outcome.message);
                    step.outcomes.push(outcome);
                }
                Output::Event(event) if self.is_observed => step.events.push(event),
                Output::Event(_) => {}
                Output::Wait { deadline } => {
                    step.deadline = deadline;
                    step.goes_on = !self.owed.is_empty();
                    return step;
                }
                Output::Done => {
                    step.is_done = true;
                    return step;
                }
                ask => step.asks.push(ask),
            }
        }
    }

    /// Hands in content that is at hand, unless enough is to be written already.
    fn read(&mut self, now: Duration, owed: Owed, step: &Step) {
        let Owed { connection, message, offset } = owed;
        if step.gathered(connection) >= ENOUGH {
            return self.owed.push(owed);
        }
        let Some(content) = self.contents.get(&message) else {
            return;
        };
        let begin = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = content.as_ref().get(begin..).unwrap_or_default();
        if bytes.is_empty() {
            self.mailer.content_end(now, connection, message);
        } else {
            self.mailer.content(now, connection, message, bytes);
        }
    }
}

impl Step {
    fn gathered(&self, connection: ConnectionId) -> u64 {
        self.writes.iter().find(|write| write.connection == connection).map_or(0, |write| write.length)
    }

    fn write(&mut self, connection: ConnectionId) -> &mut Write {
        // The one that was written to last, mostly.
        let place = self.writes.iter().rposition(|write| write.connection == connection);
        let place = place.unwrap_or_else(|| {
            self.writes.push(Write { connection, pieces: Vec::new(), length: 0 });
            self.writes.len() - 1
        });
        &mut self.writes[place]
    }
}

impl Write {
    fn push(&mut self, bytes: Vec<u8>) {
        self.length += bytes.len() as u64;
        match self.pieces.last_mut() {
            Some(Piece::Bytes(before)) => before.extend_from_slice(&bytes),
            _ => self.pieces.push(Piece::Bytes(bytes)),
        }
    }

    fn push_range(&mut self, message: MessageId, range: Range<u64>, at_hand: Option<&[u8]>) {
        self.length += range.end.saturating_sub(range.start);
        match (at_hand, self.pieces.last_mut()) {
            (Some(bytes), Some(Piece::Bytes(before))) => before.extend_from_slice(bytes),
            (Some(bytes), _) => self.pieces.push(Piece::Bytes(bytes.to_vec())),
            (None, _) => self.pieces.push(Piece::Content { message, range }),
        }
    }
}

/// The octets of a range, if they are few.
fn small<'a>(content: &'a [u8], range: &Range<u64>) -> Option<&'a [u8]> {
    if range.end.saturating_sub(range.start) > MOST_COPIED {
        return None;
    }
    content.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
}
