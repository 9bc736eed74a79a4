//! A message that comes piece by piece: its header is kept, its body handed on.

use alloc::vec::Vec;

/// What has come of a message.
#[derive(Clone, Debug)]
pub(super) struct Message {
    header: Vec<u8>,
    place: Place,
    most: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In the header, at the beginning of a line or not.
    Header {
        line_begins: bool,
        after_cr: bool,
    },
    /// Behind the CR of the empty line.
    Between,
    Body,
    /// The header is larger than the bound.
    TooLarge,
}

impl Message {
    /// Keeps a header of not more than so many octets.
    pub(super) fn new(most: usize) -> Self {
        Self { header: Vec::new(), place: Place::Header { line_begins: true, after_cr: false }, most }
    }

    /// Takes a piece; gives what of it belongs to the body.
    pub(super) fn feed<'a>(&mut self, piece: &'a [u8]) -> &'a [u8] {
        let mut rest = piece;
        while let (Place::Header { line_begins, after_cr }, Some((byte, behind))) = (self.place, rest.split_first()) {
            match byte {
                // The other half of a line end.
                b'\n' if after_cr => self.header.push(b'\n'),
                b'\r' if line_begins => {
                    self.place = Place::Between;
                    rest = behind;
                    break;
                }
                b'\n' if line_begins => {
                    self.place = Place::Body;
                    rest = behind;
                    break;
                }
                _ => self.header.push(*byte),
            }
            let line_begins = matches!(byte, b'\r' | b'\n');
            self.place = Place::Header { line_begins, after_cr: *byte == b'\r' };
            rest = behind;
            if self.header.len() > self.most {
                self.place = Place::TooLarge;
            }
        }
        if self.place == Place::Between && !rest.is_empty() {
            self.place = Place::Body;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        if self.place == Place::Body { rest } else { b"" }
    }

    /// All that has come of the header, without the empty line.
    pub(super) fn header(&self) -> &[u8] {
        &self.header
    }

    /// Whether the header has come to its end.
    pub(super) fn has_header(&self) -> bool {
        matches!(self.place, Place::Between | Place::Body)
    }

    pub(super) fn is_too_large(&self) -> bool {
        self.place == Place::TooLarge
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_anywhere() {
        for (content, header, body) in [
            (&b"To: a\r\n b\r\n\r\nbody\r\n\r\n"[..], &b"To: a\r\n b\r\n"[..], &b"body\r\n\r\n"[..]),
            (b"To: a\n\n\nbody", b"To: a\n", b"\nbody"),
            (b"To: a\r\rbody", b"To: a\r", b"body"),
            (b"\r\nbody", b"", b"body"),
            (b"To: a", b"To: a", b""),
            (b"To: a\r\n", b"To: a\r\n", b""),
        ] {
            for cut in 0..=content.len() {
                let mut message = Message::new(1000);
                let (front, back) = content.split_at(cut);
                let got = [message.feed(front), message.feed(back)].concat();
                assert_eq!((message.header(), &got[..]), (header, body), "{} at {cut}", content.escape_ascii());
            }
        }
        let mut message = Message::new(4);
        assert_eq!(message.feed(b"To: abc\r\n\r\nbody"), b"");
        assert!(message.is_too_large() && message.header().len() == 5);
    }
}
