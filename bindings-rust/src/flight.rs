//! The messages that a session has, by number, with their content.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use okuru_core::client::{Body, MessageId};

use crate::content::{Reader, Source};
use crate::leftover::Earlier;
use crate::message::Message;

/// A message that a client was given.
#[derive(Debug)]
pub(crate) struct Item {
    /// Which one, counted from the beginning of the call.
    pub(crate) index: u64,
    /// Which call it belongs to.
    pub(crate) call: u64,
    pub(crate) message: Message,
    /// On the client's clock.
    pub(crate) deadline: Option<Duration>,
    /// A session lost it after its envelope had been said, and it has been given to another.
    pub(crate) retried: bool,
    pub(crate) window: Option<Box<Window>>,
    /// What became of it over the sessions before, where one took only some of its recipients.
    pub(crate) earlier: Option<Box<Earlier>>,
}

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
const CHUNK: usize = 256 << 10;

impl Item {
    /// The message as the core is to know it.
    pub(crate) fn for_core(&self) -> okuru_core::client::Message {
        let body = match &self.message.content.0 {
            Source::Held(_, inspection) => Body::Whole(*inspection),
            Source::Stream { reader, size } => Body::Stream { size: *size, rewindable: reader.is_rewindable() },
            Source::File(_) => Body::Stream { size: None, rewindable: true },
        };
        okuru_core::client::Message {
            envelope: Arc::clone(&self.message.envelope),
            body,
            declaration: self.message.declaration,
            smtputf8: self.message.smtputf8,
            newlines: self.message.newlines,
            all_or_nothing: self.message.all_or_nothing,
            deadline: self.deadline,
        }
    }

    /// Whether nothing of the content has been read that could not be read again.
    pub(crate) fn is_whole(&self) -> bool {
        match &self.message.content.0 {
            Source::Stream { reader, .. } => self.window.is_none() || reader.is_rewindable(),
            _ => true,
        }
    }

    /// The octets in `range`, as far as they are in memory: where they are, and which.
    pub(crate) fn range(&self, range: Range<u64>) -> Option<(&Bytes, Range<usize>)> {
        let (bytes, begin) = match (&self.message.content.0, &self.window) {
            (Source::Held(content, _), _) => (content, 0),
            (_, Some(window)) => (&window.chunk, window.begin),
            (_, None) => return None,
        };
        let within = |offset: u64| usize::try_from(offset.checked_sub(begin)?).ok();
        Some((bytes, within(range.start)?..within(range.end)?))
    }

    /// What is in memory from `offset` on.
    pub(crate) fn from(&self, offset: u64) -> Available<'_> {
        match (&self.message.content.0, &self.window) {
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
    pub(crate) fn lend(&mut self, offset: u64) -> Option<Loan> {
        let Source::Stream { reader, .. } = &mut self.message.content.0 else {
            return None;
        };
        let reader = std::mem::replace(reader, Reader::Lent);
        if matches!(reader, Reader::Lent) {
            return None;
        }
        let window = self.window.get_or_insert_default();
        let rewind = offset != window.begin + window.length as u64;
        let buffer = std::mem::take(&mut window.spare).try_into_mut().ok().filter(|buffer| buffer.len() == CHUNK);
        Some(Loan { reader, rewind, buffer: buffer.unwrap_or_else(|| BytesMut::zeroed(CHUNK)) })
    }

    /// Takes the reader back, with what was read.
    pub(crate) fn give_back(&mut self, loan: Loan, result: io::Result<usize>) -> io::Result<()> {
        if let Source::Stream { reader, .. } = &mut self.message.content.0 {
            *reader = loan.reader;
        }
        let window = self.window.get_or_insert_default();
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

/// The messages that a session has.
#[derive(Debug, Default)]
pub(crate) struct Flight {
    /// The number of the item at the front.
    first: u64,
    items: VecDeque<Option<Item>>,
    count: usize,
}

impl Flight {
    /// Takes the item that the core has given the next number.
    pub(crate) fn push(&mut self, item: Item) {
        self.items.push_back(Some(item));
        self.count += 1;
    }

    pub(crate) fn item(&self, id: MessageId) -> Option<&Item> {
        self.items.get(self.place(id)?)?.as_ref()
    }

    pub(crate) fn item_mut(&mut self, id: MessageId) -> Option<&mut Item> {
        let place = self.place(id)?;
        self.items.get_mut(place)?.as_mut()
    }

    /// Takes an item out.
    pub(crate) fn take(&mut self, id: MessageId) -> Option<Item> {
        let place = self.place(id)?;
        let item = self.items.get_mut(place)?.take();
        self.count -= usize::from(item.is_some());
        while let Some(None) = self.items.front() {
            self.items.pop_front();
            self.first += 1;
        }
        item
    }

    /// The numbers that items may have.
    pub(crate) fn ids(&self) -> impl Iterator<Item = MessageId> + use<> {
        (self.first..self.first + self.items.len() as u64).map(MessageId)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn place(&self, id: MessageId) -> Option<usize> {
        usize::try_from(id.0.checked_sub(self.first)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::Content;
    use std::io::{Seek as _, Write as _};

    fn item(content: impl Into<Content>) -> Item {
        let message = Message::new("a@b", ["c@d"], content).unwrap();
        Item { index: 0, call: 0, message, deadline: None, retried: false, window: None, earlier: None }
    }

    #[test]
    fn items_are_found_by_number_in_any_order() {
        let mut flight = Flight::default();
        for index in 0..4 {
            flight.push(Item { index, ..item("x") });
        }
        assert_eq!(flight.take(MessageId(1)).map(|item| item.index), Some(1));
        assert!(flight.item(MessageId(1)).is_none() && flight.take(MessageId(1)).is_none());
        assert_eq!(flight.take(MessageId(0)).map(|item| item.index), Some(0));
        assert_eq!(flight.ids().collect::<Vec<_>>(), [MessageId(2), MessageId(3)]);
        assert_eq!(flight.item(MessageId(3)).map(|item| item.index), Some(3));
        assert!(flight.item(MessageId(4)).is_none() && flight.item(MessageId(0)).is_none());
        flight.push(Item { index: 4, ..item("x") });
        for id in 2..5 {
            assert_eq!(flight.take(MessageId(id)).map(|item| item.index), Some(id));
        }
        assert!(flight.is_empty());
    }

    #[test]
    fn held_content_is_all_there() {
        let item = item("0123456789");
        assert!(matches!(item.from(4), Available::Bytes(b"456789")));
        assert!(matches!(item.from(10), Available::Bytes(b"")));
        let (bytes, range) = item.range(2..5).unwrap();
        assert_eq!(&bytes[range], b"234");
    }

    #[test]
    fn a_stream_is_read_chunk_by_chunk_and_again() {
        let content: Vec<u8> = (0..3 * CHUNK as u32 + 5).map(|i| (i >> 8) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&content).unwrap();
        file.rewind().unwrap();
        let source = Source::Stream { reader: Reader::File(file), size: None };
        let mut item = item(Content(source));
        for _ in 0..2 {
            let mut offset = 0;
            loop {
                match item.from(offset) {
                    Available::Bytes(bytes) => {
                        let begin = offset as usize;
                        assert!(bytes == &content[begin..begin + bytes.len()], "{offset}");
                        let (all, range) = item.range(offset..offset + bytes.len() as u64).unwrap();
                        assert!(all[range] == *bytes);
                        offset += bytes.len() as u64;
                    }
                    Available::End => break,
                    Available::NotYet => {
                        let mut loan = item.lend(offset).unwrap();
                        assert!(item.lend(offset).is_none());
                        let result = loan.read();
                        item.give_back(loan, result).unwrap();
                    }
                }
            }
            assert_eq!(offset, content.len() as u64);
        }
    }
}
