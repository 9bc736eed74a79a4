//! What is to be written, in order: small pieces copied into one buffer, large ones as they are.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::{Buf as _, Bytes};

/// What is to be written.
#[derive(Debug, Default)]
pub(crate) struct Gather {
    pieces: VecDeque<Piece>,
    /// The octets of every [`Piece::Copied`], one behind the other. Those before `begin` have been written.
    copied: Vec<u8>,
    begin: usize,
    length: usize,
}

#[derive(Debug)]
enum Piece {
    /// So many octets of the buffer.
    Copied(usize),
    /// Shared with whoever holds the content.
    Shared(Bytes),
}

/// What is larger than this is not copied: a system call with one more buffer costs less then.
const MOST_COPIED: usize = 16 << 10;

/// How many buffers go in one system call.
const MOST_BUFFERS: usize = 16;

/// What a buffer may keep when everything has been written.
const MOST_KEPT: usize = 1 << 20;

impl Gather {
    /// Octets that have not been written.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Adds `bytes`, by copying them.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.copied.extend_from_slice(bytes);
        self.length += bytes.len();
        match self.pieces.back_mut() {
            Some(Piece::Copied(length)) => *length += bytes.len(),
            _ => self.pieces.push_back(Piece::Copied(bytes.len())),
        }
    }

    /// Adds `bytes`, by copying them only if they are few.
    pub(crate) fn push_owned(&mut self, bytes: Vec<u8>) {
        if bytes.len() <= MOST_COPIED {
            self.push(&bytes);
        } else {
            self.share(bytes.into());
        }
    }

    /// Adds `range` of `content`, by copying it only if it is small.
    pub(crate) fn push_range(&mut self, content: &Bytes, range: std::ops::Range<usize>) {
        match content.get(range.clone()) {
            Some(bytes) if bytes.len() <= MOST_COPIED => self.push(bytes),
            Some(_) => self.share(content.slice(range)),
            None => {}
        }
    }

    fn share(&mut self, bytes: Bytes) {
        self.length += bytes.len();
        self.pieces.push_back(Piece::Shared(bytes));
    }

    /// Hands what there is to `write`, once, and lets go what it took. Gives the count.
    pub(crate) fn write(&mut self, write: impl FnOnce(&[IoSlice<'_>]) -> io::Result<usize>) -> io::Result<usize> {
        let taken = match self.pieces.front() {
            None => return Ok(0),
            Some(Piece::Copied(length)) if self.pieces.len() == 1 => {
                write(&[IoSlice::new(self.copied.get(self.begin..self.begin + length).unwrap_or_default())])?
            }
            Some(_) => {
                let mut buffers = [IoSlice::new(&[]); MOST_BUFFERS];
                let count = self.fill(&mut buffers);
                write(buffers.get(..count).unwrap_or_default())?
            }
        };
        self.advance(taken);
        Ok(taken)
    }

    /// The first piece, as far as it is in one place.
    #[cfg(any(feature = "rustls", test))]
    pub(crate) fn front(&self) -> &[u8] {
        match self.pieces.front() {
            Some(Piece::Copied(length)) => self.copied.get(self.begin..self.begin + length).unwrap_or_default(),
            Some(Piece::Shared(bytes)) => bytes,
            None => &[],
        }
    }

    /// Lets go of the first `count` octets.
    pub(crate) fn advance(&mut self, count: usize) {
        let mut left = count.min(self.length);
        self.length -= left;
        while left > 0 {
            let Some(piece) = self.pieces.front_mut() else { break };
            let (taken, is_done) = match piece {
                Piece::Copied(length) => {
                    let taken = left.min(*length);
                    *length -= taken;
                    self.begin += taken;
                    (taken, *length == 0)
                }
                Piece::Shared(bytes) => {
                    let taken = left.min(bytes.len());
                    bytes.advance(taken);
                    (taken, bytes.is_empty())
                }
            };
            left -= taken;
            if is_done {
                self.pieces.pop_front();
            }
        }
        if self.length == 0 {
            self.clear();
        } else if self.begin > self.copied.len() / 2 && self.begin > MOST_COPIED {
            // What stays behind is less than what has gone.
            self.copied.drain(..self.begin);
            self.begin = 0;
        }
    }

    fn fill<'a>(&'a self, buffers: &mut [IoSlice<'a>]) -> usize {
        let mut begin = self.begin;
        let mut count = 0;
        for (buffer, piece) in buffers.iter_mut().zip(&self.pieces) {
            *buffer = match piece {
                Piece::Copied(length) => {
                    begin += length;
                    IoSlice::new(self.copied.get(begin - length..begin).unwrap_or_default())
                }
                Piece::Shared(bytes) => IoSlice::new(bytes),
            };
            count += 1;
        }
        count
    }

    /// Lets go of everything.
    pub(crate) fn clear(&mut self) {
        self.length = 0;
        self.pieces.clear();
        self.copied.clear();
        self.copied.shrink_to(MOST_KEPT);
        self.begin = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes everything, at most `at_once` octets at a time.
    fn drain(gather: &mut Gather, at_once: usize) -> Vec<u8> {
        let mut out = Vec::new();
        while !gather.is_empty() {
            let before = gather.len();
            let written = gather
                .write(|buffers| {
                    let before = out.len();
                    for buffer in buffers {
                        out.extend_from_slice(&buffer[..buffer.len().min(at_once - (out.len() - before))]);
                    }
                    Ok(out.len() - before)
                })
                .unwrap();
            assert!(written > 0);
            assert_eq!(gather.len(), before - written);
        }
        out
    }

    #[test]
    fn pieces_go_out_in_order_however_they_are_cut() {
        let large = Bytes::from((0..100_000u32).map(|i| i as u8).collect::<Vec<_>>());
        for at_once in [101, 4096, 40_000, usize::MAX] {
            let mut gather = Gather::default();
            let mut expected = Vec::new();
            for round in 0..40 {
                gather.push(b"MAIL FROM:<a@b>\r\n");
                expected.extend_from_slice(b"MAIL FROM:<a@b>\r\n");
                let range = round..if round % 2 == 0 { round + 10 } else { round + 20_000 };
                gather.push_range(&large, range.clone());
                expected.extend_from_slice(&large[range]);
            }
            assert_eq!(gather.len(), expected.len());
            assert!(drain(&mut gather, at_once) == expected, "{at_once}");
        }
    }

    #[test]
    fn large_content_is_not_copied_and_is_let_go() {
        let large = Bytes::from(vec![b'x'; MOST_COPIED + 1]);
        let mut gather = Gather::default();
        gather.push_range(&large, 0..large.len());
        assert!(gather.copied.is_empty() && !large.is_unique());
        gather.advance(large.len() - 1);
        assert_eq!(gather.front(), b"x");
        gather.advance(1);
        assert!(gather.is_empty() && large.is_unique());
        assert_eq!(gather.front(), b"");
    }

    #[test]
    fn what_has_gone_does_not_pile_up() {
        let mut gather = Gather::default();
        for _ in 0..1000 {
            gather.push(&[b'x'; 1000]);
            gather.advance(999);
            assert!(gather.copied.len() < 4 * MOST_COPIED, "{}", gather.copied.len());
        }
        assert_eq!(drain(&mut gather, usize::MAX).len(), 1000);
    }

    #[test]
    fn an_error_takes_nothing() {
        let mut gather = Gather::default();
        gather.push(b"QUIT\r\n");
        assert!(gather.write(|_| Err(io::ErrorKind::WouldBlock.into())).is_err());
        assert_eq!(gather.len(), 6);
    }
}
