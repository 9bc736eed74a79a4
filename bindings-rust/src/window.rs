//! What of a content is in memory: all of it, or the chunk of a stream that was read last.

use std::io;
use std::ops::Range;

use bytes::{Bytes, BytesMut};

use crate::content::{Content, Reader, Source};

/// What of a stream is in memory.
#[derive(Debug, Default)]
pub(crate) struct Window {
    /// The chunk that was read last. Its memory is used again once nobody shares it.
    chunk: Bytes,
    /// The one before.
    spare: Bytes,
    /// Where in the content the chunk begins, and how much of it there is.
    begin: u64,
    length: usize,
    ended: bool,
}

/// How much of a stream is read at once.
pub(crate) const CHUNK: usize = 256 << 10;

impl Content {
    /// The octets in `range`, as far as they are in memory: where they are, and which.
    pub(crate) fn range<'a>(
        &'a self,
        window: Option<&'a Window>,
        range: Range<u64>,
    ) -> Option<(&'a Bytes, Range<usize>)> {
        let (bytes, begin) = match (&self.0, window) {
            (Source::Held(content, _), _) => (content, 0),
            (_, Some(window)) => (&window.chunk, window.begin),
            (_, None) => return None,
        };
        let within = |offset: u64| usize::try_from(offset.checked_sub(begin)?).ok();
        Some((bytes, within(range.start)?..within(range.end)?))
    }

    /// What is in memory from `offset` on.
    pub(crate) fn from<'a>(&'a self, window: Option<&'a Window>, offset: u64) -> Available<'a> {
        match (&self.0, window) {
            (Source::Held(content, _), _) => {
                let offset = usize::try_from(offset).unwrap_or(usize::MAX);
                Available::Bytes(content.get(offset..).unwrap_or_default())
            }
            (_, Some(window)) => {
                let end = window.begin + window.length as u64;
                if (window.begin..end).contains(&offset) {
                    let within = (offset - window.begin) as usize;
                    Available::Bytes(window.chunk.get(within..window.length).unwrap_or_default())
                } else if offset == end && window.ended {
                    Available::End
                } else {
                    Available::NotYet
                }
            }
            (_, None) => Available::NotYet,
        }
    }

    /// What is needed to read on at `offset`. The reader is lent until [`give_back`](Self::give_back).
    pub(crate) fn lend(&mut self, window: &mut Option<Box<Window>>, offset: u64) -> Option<Loan> {
        let Source::Stream { reader, .. } = &mut self.0 else {
            return None;
        };
        let reader = std::mem::replace(reader, Reader::Lent);
        if matches!(reader, Reader::Lent) {
            return None;
        }
        let window = window.get_or_insert_default();
        let rewind = offset != window.begin + window.length as u64;
        let buffer = std::mem::take(&mut window.spare).try_into_mut().ok().filter(|buffer| buffer.len() == CHUNK);
        Some(Loan { reader, rewind, buffer: buffer.unwrap_or_else(|| BytesMut::zeroed(CHUNK)) })
    }

    /// Takes the reader back, with what was read.
    pub(crate) fn give_back(
        &mut self,
        window: &mut Option<Box<Window>>,
        loan: Loan,
        result: io::Result<usize>,
    ) -> io::Result<()> {
        if let Source::Stream { reader, .. } = &mut self.0 {
            *reader = loan.reader;
        }
        let window = window.get_or_insert_default();
        let length = result?;
        window.begin = if loan.rewind { 0 } else { window.begin + window.length as u64 };
        window.length = length;
        window.ended = length == 0;
        window.spare = std::mem::replace(&mut window.chunk, loan.buffer.freeze());
        Ok(())
    }
}

/// What of the content is at hand.
pub(crate) enum Available<'a> {
    Bytes(&'a [u8]),
    End,
    /// It has to be read first.
    NotYet,
}

/// A reader, lent to the driver, which reads once into `buffer`.
#[derive(Debug)]
pub(crate) struct Loan {
    pub(crate) reader: Reader,
    /// From the beginning.
    pub(crate) rewind: bool,
    pub(crate) buffer: BytesMut,
}

impl Loan {
    /// Reads. This blocks.
    pub(crate) fn read(&mut self) -> io::Result<usize> {
        self.reader.read(self.rewind, &mut self.buffer)
    }
}
