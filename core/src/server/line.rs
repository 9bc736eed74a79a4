//! Command lines, one after the other, from bytes as they come.

use alloc::vec::Vec;

use zeroize::{Zeroize, Zeroizing};

use super::input::Input;
use crate::syntax::AUTH_LINE_LIMIT;

/// What has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Not yet a line.
    Part,
    /// A whole one: [`LineReader::line`].
    Line,
    /// A whole one that ends in LF without a CR.
    BareLine,
    /// The end of one that was longer than it may be, and was not kept.
    TooLong,
    /// One without end.
    Endless,
}

/// Reads lines. It keeps the one that is not yet dealt with, and zeroizes it then, since it may hold a secret.
#[derive(Clone, Debug, Default)]
pub(super) struct LineReader {
    held: Hidden,
    /// Octets of a line that is too long.
    skipped: u64,
}

#[derive(Clone, Default)]
struct Hidden(Zeroizing<Vec<u8>>);

impl core::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} octets", self.0.len())
    }
}

/// What a command usually fits.
const USUAL_LINE: usize = 128;

impl LineReader {
    /// Takes from `input` what belongs to the line, if it is not there yet. `limit` is in octets with the line end, and
    /// `most` those of a line that is too long.
    pub(super) fn read(&mut self, input: &mut Input<'_>, limit: usize, most: u64) -> Seen {
        if self.is_whole() {
            return self.seen();
        }
        let rest = input.rest();
        let (length, ends) = match memchr::memchr(b'\n', rest) {
            Some(at) => (at + 1, true),
            None => (rest.len(), false),
        };
        let piece = input.take(length);
        let is_too_long = self.skipped > 0 || {
            let together = self.held.0.len().saturating_add(length);
            together > limit && (together > AUTH_LINE_LIMIT || !self.is_auth(piece))
        };
        if is_too_long {
            self.skipped = self.skipped.saturating_add(self.held.0.len() as u64).saturating_add(length as u64);
            self.clear();
            return match ends {
                _ if self.skipped > most => Seen::Endless,
                true => {
                    self.skipped = 0;
                    Seen::TooLong
                }
                false => Seen::Part,
            };
        }
        self.hold(piece);
        if ends { self.seen() } else { Seen::Part }
    }

    /// The line that has come, with its end.
    pub(super) fn line(&self) -> &[u8] {
        &self.held.0
    }

    /// Takes the line out. [`clear`](Self::clear) gives back its room.
    pub(super) fn take(&mut self) -> Zeroizing<Vec<u8>> {
        core::mem::take(&mut self.held.0)
    }

    /// Gives back the room of a line that was taken.
    pub(super) fn give_back(&mut self, mut line: Zeroizing<Vec<u8>>) {
        if line.capacity() <= USUAL_LINE {
            line.zeroize();
            self.held.0 = line;
        }
    }

    /// Whether a line waits.
    pub(super) fn is_whole(&self) -> bool {
        self.held.0.last() == Some(&b'\n')
    }

    /// Forgets what has come of a line.
    pub(super) fn clear(&mut self) {
        let line = self.take();
        self.give_back(line);
    }

    fn seen(&self) -> Seen {
        if self.held.0.ends_with(b"\r\n") { Seen::Line } else { Seen::BareLine }
    }

    fn is_auth(&self, piece: &[u8]) -> bool {
        let mut start = self.held.0.iter().chain(piece);
        b"AUTH ".iter().all(|wanted| start.next().is_some_and(|byte| byte.eq_ignore_ascii_case(wanted)))
    }

    /// A vector that grows by itself leaves a copy behind.
    fn hold(&mut self, piece: &[u8]) {
        let needed = self.held.0.len().saturating_add(piece.len());
        if needed > self.held.0.capacity() {
            let room = needed.max(USUAL_LINE).max(2 * self.held.0.capacity());
            let mut grown = Zeroizing::new(Vec::with_capacity(room));
            grown.extend_from_slice(&self.held.0);
            self.held.0 = grown;
        }
        self.held.0.extend_from_slice(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(reader: &mut LineReader, bytes: &[u8]) -> (Seen, usize) {
        let mut input = Input::new(bytes);
        let seen = reader.read(&mut input, 16, 64);
        (seen, input.taken())
    }

    #[test]
    fn lines_whole_and_in_pieces() {
        let mut reader = LineReader::default();
        assert_eq!(read(&mut reader, b"NOOP\r\nQUIT\r\n"), (Seen::Line, 6));
        assert_eq!(reader.line(), b"NOOP\r\n");
        assert_eq!(read(&mut reader, b"QUIT\r\n"), (Seen::Line, 0));
        reader.clear();
        for byte in b"QUIT\r" {
            assert_eq!(read(&mut reader, &[*byte]), (Seen::Part, 1));
        }
        assert_eq!(read(&mut reader, b"\n"), (Seen::Line, 1));
        let line = reader.take();
        assert_eq!(&**line, b"QUIT\r\n");
        reader.give_back(line);
        assert_eq!(read(&mut reader, b"NOOP\n"), (Seen::BareLine, 5));
    }

    #[test]
    fn what_is_too_long_is_not_kept() {
        let mut reader = LineReader::default();
        assert_eq!(read(&mut reader, b"0123456789abcd\r\n"), (Seen::Line, 16));
        reader.clear();
        assert_eq!(read(&mut reader, b"0123456789abcde\r\n"), (Seen::TooLong, 17));
        for _ in 0..16 {
            assert_eq!(read(&mut reader, b"a"), (Seen::Part, 1));
        }
        assert_eq!(read(&mut reader, b"a"), (Seen::Part, 1));
        assert!(reader.line().is_empty());
        assert_eq!(read(&mut reader, b"a\r\nNOOP\r\n"), (Seen::TooLong, 3));
        assert_eq!(read(&mut reader, b"NOOP\r\n"), (Seen::Line, 6));
        reader.clear();
        assert_eq!(read(&mut reader, &[b'a'; 65]), (Seen::Endless, 65));
    }

    #[test]
    fn auth_may_be_longer() {
        let mut reader = LineReader::default();
        assert_eq!(read(&mut reader, b"au"), (Seen::Part, 2));
        assert_eq!(read(&mut reader, b"th PLAIN 0123456789abcdef\r\n"), (Seen::Line, 27));
        reader.clear();
        assert_eq!(read(&mut reader, &[b"AUTH ", &[b'a'; AUTH_LINE_LIMIT][..]].concat()).0, Seen::Endless);
    }

    #[test]
    fn a_line_is_not_shown() {
        let mut reader = LineReader::default();
        read(&mut reader, b"AUTH PLAIN x");
        assert!(!alloc::format!("{reader:?}").contains("PLAIN"));
    }
}
