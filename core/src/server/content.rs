//! Content, by DATA and by BDAT.

use alloc::boxed::Box;
use core::time::Duration;

use super::answers::{Asked, Carriage};
use super::config::Protocol;
use super::envelope::{MessageId, Received};
use super::input::Input;
use super::offer;
use super::output::{Event, Output, Question, Trace};
use super::session::{Phase, Session};
use super::words::{BARE_NEWLINE, CHUNK_OK, SMUGGLING, Saying, TOO_LARGE, TOO_MUCH_REFUSED, Words};
use crate::error::{Error, ErrorCode, Step};
use crate::syntax::Stop;

/// About how many pieces are made of what is handed in at once, so that content that is full of dots or bare line ends does
/// not fill the memory with them.
const PIECES: usize = 256;

impl Session {
    /// The content may come.
    pub(super) fn begin_content(&mut self, carriage: Carriage) {
        let Some(transaction) = &mut self.transaction else {
            return;
        };
        let message = MessageId(self.messages);
        self.messages += 1;
        transaction.begin(message, carriage == Carriage::Dotted, self.config.newlines);
        match carriage {
            Carriage::Dotted => self.phase = Phase::Data,
            Carriage::Chunk { size, last } => self.phase = Phase::Chunk { left: size, last, refusal: None },
        }
    }

    /// The chunk is not taken, but its octets are on their way.
    ///
    /// Nothing can come of a transaction in which a part of the content is missing.
    pub(super) fn refuse_chunk(&mut self, size: u64, last: bool, words: Words) {
        self.reset();
        self.phase = Phase::Chunk { left: size, last, refusal: Some(words) };
    }

    pub(super) fn read_data(&mut self, now: Duration, input: &mut Input<'_>) -> bool {
        if input.is_empty() {
            return false;
        }
        self.since = now;
        let stop = self.decode(input, usize::MAX);
        match stop {
            Stop::End => self.complete(),
            Stop::BareNewline { dot_alone } => self.bare_newline(dot_alone),
            Stop::Pause => return !input.is_empty() && !self.wire.has_content(),
        }
        // What follows is of no interest before the pieces have been polled, which are ranges of the same bytes.
        true
    }

    pub(super) fn read_chunk(&mut self, now: Duration, input: &mut Input<'_>) -> bool {
        let Phase::Chunk { left, last, refusal } = self.phase.clone() else {
            return false;
        };
        if left > 0 && input.is_empty() {
            return false;
        }
        self.since = now;
        let most = usize::try_from(left).unwrap_or(usize::MAX);
        let (before, mut stop) = (input.taken(), Stop::Pause);
        if refusal.is_some() {
            let taken = input.take(most).len();
            self.discarded(taken);
        } else if left > 0 {
            stop = self.decode(input, most);
        }
        let left = left.saturating_sub((input.taken() - before) as u64);
        self.phase = Phase::Chunk { left, last, refusal: refusal.clone() };
        if let Stop::BareNewline { dot_alone } = stop {
            self.bare_newline(dot_alone);
            return true;
        }
        if left > 0 {
            return !input.is_empty() && !self.wire.has_content();
        }
        self.phase = Phase::Commands;
        match refusal {
            Some(words) => self.bad_command(words),
            None => self.end_chunk(last),
        }
        true
    }

    fn end_chunk(&mut self, last: bool) {
        if last {
            return self.complete();
        }
        let refusal = self.transaction.as_ref().and_then(|it| it.incoming.as_ref()).and_then(|it| it.refusal.clone());
        self.say(refusal.unwrap_or(CHUNK_OK.into()));
    }

    /// Decodes what has come, up to so many octets of it, and hands it on.
    fn decode(&mut self, input: &mut Input<'_>, most: usize) -> Stop {
        let Some(incoming) = self.transaction.as_mut().and_then(|it| it.incoming.as_mut()) else {
            return Stop::End;
        };
        let (begin, bytes) = (input.taken(), input.rest());
        let bytes = bytes.get(..most).unwrap_or(bytes);
        let (message, largest, wire) = (incoming.message, self.config.bounds.message, &mut self.wire);
        let (octets, is_shown, is_refused) = (&mut incoming.octets, &mut incoming.is_shown, incoming.refusal.is_some());
        let mut is_too_large = false;
        let (taken, stop) = incoming.decoder.decode(bytes, PIECES, |piece| {
            is_too_large |= piece.octets() > largest.saturating_sub(*octets);
            if is_too_large || is_refused {
                return;
            }
            *octets += piece.octets();
            *is_shown = true;
            wire.output(Output::Content { message, piece: piece.behind(begin) });
        });
        input.take(taken);
        if is_refused {
            self.discarded(taken);
        } else if is_too_large {
            self.content_refused(ErrorCode::MessageTooLarge, TOO_LARGE);
        }
        stop
    }

    fn bare_newline(&mut self, dot_alone: bool) {
        if dot_alone {
            self.discard();
            let error = Error::new(ErrorCode::SecuritySmuggling, "a dot stands alone where only some see the end");
            self.fail(error.at(Step::Content), SMUGGLING);
        } else {
            self.content_refused(ErrorCode::MessageBareNewline, BARE_NEWLINE);
        }
    }

    fn content_refused(&mut self, code: ErrorCode, words: Words) {
        let Some(incoming) = self.transaction.as_ref().and_then(|it| it.incoming.as_ref()) else {
            return;
        };
        if incoming.refusal.is_some() {
            return;
        }
        let error = Error::new(code, words.text().clone()).at(Step::Content);
        let message = incoming.message;
        self.wire.event(Event::ContentRefused { message, error });
        self.refuse_incoming(words.into());
    }

    /// No more of the content is handed on, and at its end this will be said.
    pub(super) fn refuse_incoming(&mut self, saying: Saying) {
        self.discard();
        if let Some(incoming) = self.transaction.as_mut().and_then(|it| it.incoming.as_mut()) {
            incoming.refusal = Some(saying);
        }
    }

    /// Octets were read for nothing.
    fn discarded(&mut self, octets: usize) {
        self.tally.discarded = self.tally.discarded.saturating_add(octets as u64);
        if self.tally.discarded > self.config.bounds.discarded {
            let error = Error::new(ErrorCode::LimitErrors, "the client goes on with what was refused");
            self.fail(error.at(Step::Content), TOO_MUCH_REFUSED);
        }
    }

    /// The content is all there.
    fn complete(&mut self) {
        self.phase = Phase::Commands;
        if self.wire.is_ending() {
            return;
        }
        let rest = self.transaction.as_mut().and_then(|it| it.incoming.as_mut()).map(|incoming| {
            let mut added = None;
            let stop = incoming.decoder.finish(|piece| added = Some(piece));
            (stop, added)
        });
        match rest {
            Some((Stop::BareNewline { .. }, _)) => self.content_refused(ErrorCode::MessageBareNewline, BARE_NEWLINE),
            Some((_, Some(piece))) => self.last_piece(piece),
            _ => {}
        }
        let Some((transaction, incoming)) = self.transaction.take().and_then(|mut transaction| {
            let incoming = transaction.incoming.take()?;
            Some((transaction, incoming))
        }) else {
            return;
        };
        let octets = incoming.octets;
        self.wire.trace(|| Trace::ReceivedContent(octets));
        let replies = match self.config.protocol {
            Protocol::Smtp => 1,
            Protocol::Lmtp => transaction.envelope.recipients.len(),
        };
        if let Some(saying) = incoming.refusal {
            for _ in 0..replies {
                self.say(saying.clone());
            }
            return;
        }
        let envelope = transaction.envelope;
        let (extended, tls, utf8) = (self.is_extended(), self.tls.is_some(), envelope.parameters.smtputf8);
        let received = Received {
            message: incoming.message,
            octets,
            eight_bit: incoming.decoder.eight_bit(),
            with: offer::with(self.config.protocol, extended, utf8, tls, self.user.is_some()),
            envelope,
        };
        let id = self.ask(Asked::Message { replies }, Question::Message(Box::new(received)));
        self.wire.keep_place(id);
    }

    /// The line end that a last CR stands for.
    fn last_piece(&mut self, piece: crate::syntax::DecodedPiece) {
        let Some(incoming) = self.transaction.as_mut().and_then(|it| it.incoming.as_mut()) else {
            return;
        };
        if incoming.refusal.is_some() {
            return;
        }
        incoming.octets += piece.octets();
        if incoming.octets > self.config.bounds.message {
            return self.content_refused(ErrorCode::MessageTooLarge, TOO_LARGE);
        }
        incoming.is_shown = true;
        let message = incoming.message;
        self.wire.output(Output::Content { message, piece });
    }
}
