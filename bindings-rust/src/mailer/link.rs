//! One connection of a mailer: its socket, what is to be written to it, and the content that is read for it.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::task::{Context, Poll, Waker};

use okuru_core::client::MessageId;

use super::letter::{Letter, Supply};
use crate::asynchronous::pending::Reading;
use crate::asynchronous::stream::{InTask, Stream};
use crate::courier::Opened;
use crate::session::{LAST_READS, MOST_GATHERED};
#[cfg(feature = "rustls")]
use crate::tls::Trust;
use crate::window::Available;
use crate::wire::Wire;

/// One connection.
pub(super) struct Link {
    stream: Stream,
    pub(super) wire: Wire,
    waker: Waker,
    /// What the server had said before the machine began.
    pub(super) early: Vec<u8>,
    #[cfg(feature = "rustls")]
    pub(super) trust: Option<Trust>,
    /// What was gathered before could not all be written.
    pub(super) is_blocked: bool,
    /// Nothing more can be read.
    pub(super) is_deaf: bool,
    /// It is among those that are written to next.
    pub(super) is_due: bool,
    /// Content that was asked for, and has not been handed in.
    wanted: Option<(MessageId, u64)>,
    reading: Option<Reading>,
    /// Content that is read for this connection alone.
    own: Option<(MessageId, Supply)>,
}

/// The messages, by the numbers that the core gives them.
pub(super) type Letters = HashMap<MessageId, Letter>;

/// What there is of content that was asked for.
pub(super) enum Feed<'a> {
    /// Nothing for now, or nothing is asked for.
    Nothing,
    Bytes(MessageId, &'a [u8]),
    End(MessageId),
    Failed(MessageId, io::Error),
    /// It is being read; the connection is to be looked at again.
    Begun,
}

impl Link {
    pub(super) fn new(stream: Stream, waker: Waker, opened: Opened) -> Self {
        Self {
            stream,
            wire: Wire::default(),
            waker,
            early: opened.early,
            #[cfg(feature = "rustls")]
            trust: opened.trust,
            is_blocked: false,
            is_deaf: false,
            is_due: false,
            wanted: None,
            reading: None,
            own: None,
        }
    }

    /// Writes what there is to write. Says how many octets of it have gone.
    pub(super) fn write(&mut self) -> (u64, io::Result<()>) {
        let mut context = Context::from_waker(&self.waker);
        self.wire.write(&mut InTask { stream: &mut self.stream, context: &mut context })
    }

    /// Says that nothing more comes, where all else has been written.
    pub(super) fn close(&mut self) {
        let mut context = Context::from_waker(&self.waker);
        self.wire.close(&mut InTask { stream: &mut self.stream, context: &mut context });
    }

    pub(super) fn poll_read(&mut self, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.stream.poll_read(&mut Context::from_waker(&self.waker), buffer)
    }

    /// What the server has said before it stopped to take anything.
    pub(super) fn last_words(&mut self) -> Vec<u8> {
        let mut buffer = [0; 4096];
        let mut words = Vec::new();
        for _ in 0..LAST_READS {
            match self.poll_read(&mut buffer) {
                Poll::Ready(Ok(length @ 1..)) => words.extend_from_slice(buffer.get(..length).unwrap_or_default()),
                _ => break,
            }
        }
        words
    }

    /// A range of a content is to be written next.
    pub(super) fn push_range(&mut self, letter: &mut Letter, message: MessageId, range: Range<u64>) {
        let supply = letter.supply_for(message, &mut self.own);
        if let Some((bytes, range)) = supply.range(range) {
            self.wire.gather.push_range(bytes, range);
        }
    }

    /// The machine wants content of this message.
    pub(super) fn want(&mut self, message: MessageId, offset: u64) {
        self.wanted = Some((message, offset));
    }

    /// What there is of the content that was asked for, unless too much is waiting to be written.
    pub(super) fn feed<'a>(&'a mut self, letters: &'a mut Letters) -> Feed<'a> {
        let Some((message, offset)) = self.wanted.filter(|_| self.wire.gather.len() < MOST_GATHERED) else {
            return Feed::Nothing;
        };
        let Some(letter) = letters.get_mut(&message) else {
            self.wanted = None;
            return Feed::Nothing;
        };
        let supply = letter.supply_for(message, &mut self.own);
        if matches!(supply.from(offset), Available::NotYet) {
            if self.reading.as_ref().is_some_and(|reading| reading.message == message) {
                return Feed::Nothing;
            }
            if let Some(loan) = supply.lend(offset) {
                self.reading = Some(Reading::begin(message, loan));
                return Feed::Begun;
            }
        }
        self.wanted = None;
        match supply.from(offset) {
            Available::Bytes(bytes) => Feed::Bytes(message, bytes),
            Available::End => Feed::End(message),
            // Another connection had it, and is gone.
            Available::NotYet => Feed::Failed(message, io::ErrorKind::NotSeekable.into()),
        }
    }

    /// Whether content has been read, and whether that went wrong.
    pub(super) fn poll_reading(&mut self, letters: &mut Letters) -> Poll<Option<(MessageId, io::Error)>> {
        let Some(reading) = &mut self.reading else {
            return Poll::Pending;
        };
        let Poll::Ready((loan, result)) = reading.poll(&mut Context::from_waker(&self.waker)) else {
            return Poll::Pending;
        };
        let message = reading.message;
        self.reading = None;
        let Some(letter) = letters.get_mut(&message) else {
            return Poll::Ready(None);
        };
        let given_back = match loan {
            Some(loan) => letter.supply_for(message, &mut self.own).give_back(loan, result),
            None => result.map(|_| ()),
        };
        let failed = given_back.err();
        if failed.is_some() {
            self.wanted = self.wanted.filter(|(wanted, _)| *wanted != message);
        }
        Poll::Ready(failed.map(|error| (message, error)))
    }
}
