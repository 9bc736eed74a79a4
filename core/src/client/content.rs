//! Content on its way: what the host hands in, framed for the wire.

use alloc::format;
use alloc::vec::Vec;
use core::ops::Range;
use core::time::Duration;

use super::message::{Body, MessageId};
use super::needs::{needs_8bitmime, too_large};
use super::outcome::Progress;
use super::output::{Event, Trace};
use super::transaction::{Stage, Transaction};
use super::wire::{Asked, Wire};
use crate::error::{Error, ErrorCode, Step};
use crate::syntax::{BareNewline, ContentEncoder, Framing, Piece, encode_bdat};

/// About how many pieces are made of what is handed in at once, so that content that is full of dots or bare line ends
/// does not fill the memory with them.
const PIECES: usize = 4096;

/// So many octets of content between two pieces that are added may be copied.
const MOST_COPIED: usize = 512;

impl Transaction {
    /// Whether the host was asked for content of this transaction.
    pub(super) fn wants_content(&self) -> bool {
        matches!(self.stage, Stage::Content { asked: true, .. })
    }

    /// Takes content, and says how much of it.
    pub(super) fn content(&mut self, bytes: &[u8], now: Duration, wire: &mut Wire) -> Result<usize, Error> {
        let Stage::Content { encoder, asked } = &mut self.stage else {
            return Ok(bytes.len());
        };
        *asked = false;
        let left = match self.job.message.body {
            Body::Whole(inspection) => inspection.size().saturating_sub(encoder.offset()),
            Body::Stream { .. } => u64::MAX,
        };
        let bytes = &bytes[..bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
        let at_hand = AtHand { message: self.job.id, bytes, offset: encoder.offset() };
        let mut next = encoder.clone();
        if self.plan.framing == Framing::Dotted {
            let taken = next.encode(bytes, PIECES, |piece| at_hand.say(piece, now, wire)).map_err(refused)?;
            self.check(&next)?;
            self.proceed(next, left == taken as u64, now, wire)?;
            return Ok(taken);
        }
        let mut pieces = Vec::new();
        let taken = next.encode(bytes, PIECES, |piece| pieces.push(piece)).map_err(refused)?;
        let last = left == taken as u64;
        if last {
            next.finish(|piece| pieces.push(piece)).map_err(refused)?;
        }
        self.check(&next)?;
        self.say_chunk(at_hand, pieces, last, now, wire);
        if last {
            self.end_content(next.offset(), now, wire);
        } else {
            self.stage = Stage::Content { encoder: next, asked: false };
        }
        Ok(taken)
    }

    /// The content has ended.
    pub(super) fn content_end(&mut self, now: Duration, wire: &mut Wire) -> Result<(), Error> {
        let Stage::Content { encoder, .. } = &self.stage else {
            return Ok(());
        };
        let mut encoder = encoder.clone();
        let size = match self.job.message.body {
            Body::Whole(inspection) => Some(inspection.size()),
            Body::Stream { size, .. } => size,
        };
        if let Some(size) = size.filter(|&size| size != encoder.offset()) {
            return Err(wrong_size(encoder.offset(), size));
        }
        if self.plan.framing == Framing::Dotted {
            return self.proceed(encoder, true, now, wire);
        }
        let at_hand = AtHand { message: self.job.id, bytes: &[], offset: encoder.offset() };
        let mut pieces = Vec::new();
        encoder.finish(|piece| pieces.push(piece)).map_err(refused)?;
        self.say_chunk(at_hand, pieces, true, now, wire);
        self.end_content(encoder.offset(), now, wire);
        Ok(())
    }

    /// All content has been said.
    pub(super) fn end_content(&mut self, octets: u64, now: Duration, wire: &mut Wire) {
        if wire.trace {
            wire.event(Event::Trace(Trace::SentContent(octets)));
        }
        for _ in 0..self.final_replies() {
            wire.await_reply(now, Asked::Content);
            self.due += 1;
        }
        self.job.progress = Progress::Sent;
        self.stage = Stage::Said { place: wire.said() };
    }

    fn proceed(
        &mut self,
        mut encoder: ContentEncoder,
        last: bool,
        now: Duration,
        wire: &mut Wire,
    ) -> Result<(), Error> {
        if !last {
            self.stage = Stage::Content { encoder, asked: false };
            return Ok(());
        }
        let ending = |piece| {
            if let Piece::Added(bytes) = piece {
                wire.added(now, bytes);
            }
        };
        encoder.finish(ending).map_err(refused)?;
        self.end_content(encoder.offset(), now, wire);
        Ok(())
    }

    fn say_chunk(&mut self, at_hand: AtHand<'_>, pieces: Vec<Piece>, last: bool, now: Duration, wire: &mut Wire) {
        let octets = pieces.iter().map(Piece::octets).sum();
        if octets == 0 && !last {
            return;
        }
        wire.line(now, |out| encode_bdat(octets, last, out));
        for piece in pieces {
            at_hand.say(piece, now, wire);
        }
        if !last {
            wire.await_reply(now, Asked::Chunk);
            self.due += 1;
        }
    }

    /// What can only be known on the way.
    fn check(&self, encoder: &ContentEncoder) -> Result<(), Error> {
        if self.plan.seven_bit && encoder.eight_bit() {
            return Err(needs_8bitmime());
        }
        if let Some(limit) = self.plan.size_limit.filter(|&limit| encoder.offset() > limit) {
            return Err(too_large(encoder.offset(), limit));
        }
        match self.job.message.body {
            Body::Stream { size: Some(size), .. } if encoder.offset() > size => Err(wrong_size(encoder.offset(), size)),
            _ => Ok(()),
        }
    }
}

/// The content that the host has just handed in.
#[derive(Clone, Copy)]
struct AtHand<'a> {
    message: MessageId,
    bytes: &'a [u8],
    /// Where in the content they begin.
    offset: u64,
}

impl AtHand<'_> {
    /// Says a piece of it. A short one is copied: to the host, one more range is more work than some octets.
    fn say(self, piece: Piece, now: Duration, wire: &mut Wire) {
        match piece {
            Piece::Added(bytes) => wire.added(now, bytes),
            Piece::Content(range) => match self.short(&range) {
                Some(bytes) => wire.copied(now, bytes),
                None => wire.content(now, self.message, range),
            },
        }
    }

    fn short(&self, range: &Range<u64>) -> Option<&[u8]> {
        let within = |place: u64| usize::try_from(place.checked_sub(self.offset)?).ok();
        self.bytes.get(within(range.start)?..within(range.end)?).filter(|bytes| bytes.len() <= MOST_COPIED)
    }
}

fn refused(bare: BareNewline) -> Error {
    Error::new(ErrorCode::MessageBareNewline, format!("the message has {bare}")).at(Step::Content)
}

fn wrong_size(octets: u64, said: u64) -> Error {
    let what = format!("the message was said to have {said} octets, and has {octets} or more");
    Error::new(ErrorCode::MessageSizeMismatch, what).at(Step::Content)
}
