//! The messages that a session has, by number, with their content.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use okuru_core::client::MessageId;

use crate::content::Source;
use crate::leftover::Earlier;
use crate::message::Message;
use crate::window::{Available, Loan, Window};

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

impl Item {
    /// The message as the core is to know it.
    pub(crate) fn for_core(&self) -> okuru_core::client::Message {
        self.message.for_core(self.deadline)
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
        self.message.content.range(self.window.as_deref(), range)
    }

    /// What is in memory from `offset` on.
    pub(crate) fn from(&self, offset: u64) -> Available<'_> {
        self.message.content.from(self.window.as_deref(), offset)
    }

    /// What is needed to read on at `offset`. The reader is lent until [`give_back`](Self::give_back).
    pub(crate) fn lend(&mut self, offset: u64) -> Option<Loan> {
        self.message.content.lend(&mut self.window, offset)
    }

    /// Takes the reader back, with what was read.
    pub(crate) fn give_back(&mut self, loan: Loan, result: io::Result<usize>) -> io::Result<()> {
        self.message.content.give_back(&mut self.window, loan, result)
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
    use crate::content::{Content, Reader};
    use crate::window::CHUNK;
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
