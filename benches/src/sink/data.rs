//! Content that comes by DATA: where it ends, and what it is without the dots that stuffing added (RFC 5321 §4.5.2).

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::digest::{Digest, Digested};

static LINE_WITH_DOT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\r\n."));

/// Where in the content the last piece ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Data {
    LineStart,
    Text,
    /// Behind a CR, which is content already.
    Cr,
    /// Behind a dot that began a line, which is not content.
    Dot,
    /// Behind a dot and a CR: the end, if LF follows.
    DotCr,
}

impl Data {
    /// Takes as much of `input` as is content. When the end was in it, gives the message and what came behind it.
    pub(super) fn receive<'a>(&mut self, mut input: &'a [u8], digest: &mut Digest) -> Option<(Digested, &'a [u8])> {
        while let Some((&first, behind)) = input.split_first() {
            match (*self, first) {
                (Data::LineStart, b'.') => (*self, input) = (Data::Dot, behind),
                (Data::LineStart, _) => *self = Data::Text,
                (Data::Dot, b'\r') => (*self, input) = (Data::DotCr, behind),
                (Data::Dot, _) => *self = Data::Text,
                (Data::DotCr, b'\n') => return Some((digest.finish(b""), behind)),
                (Data::DotCr, _) => {
                    digest.update(b"\r");
                    *self = Data::Cr;
                }
                (Data::Cr, b'\n') => {
                    digest.update(b"\n");
                    (*self, input) = (Data::LineStart, behind);
                }
                (Data::Cr, _) => *self = Data::Text,
                (Data::Text, _) => match LINE_WITH_DOT.find(input) {
                    Some(at) => {
                        let (line, behind) = input.split_at(at + 2);
                        let behind = &behind[1..];
                        if let Some(next) = behind.strip_prefix(b"\r\n") {
                            return Some((digest.finish(line), next));
                        }
                        digest.update(line);
                        (*self, input) = (Data::Dot, behind);
                    }
                    None => {
                        digest.update(input);
                        *self = match input {
                            [.., b'\r', b'\n'] => Data::LineStart,
                            [.., b'\r'] => Data::Cr,
                            _ => Data::Text,
                        };
                        return None;
                    }
                },
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[(&str, &str)] = &[
        (".\r\n", ""),
        ("a\r\n.\r\n", "a\r\n"),
        ("..\r\n.\r\n", ".\r\n"),
        ("a\r\n..b\r\n...\r\n.\r\n", "a\r\n.b\r\n..\r\n"),
        ("a\n.\n\r\n.\r\n", "a\n.\n\r\n"),
        ("a\r.\r\n\r\n.\r\n", "a\r.\r\n\r\n"),
        ("\r\r\n..\ra\r\n.\r\n", "\r\r\n.\ra\r\n"),
        (".\rx\r\n.\r\r\n.\r\n", "\rx\r\n\r\r\n"),
        ("\r\n\r\n.\r\n", "\r\n\r\n"),
    ];

    #[test]
    fn known_answers_whole_and_cut_anywhere() {
        let mut digest = Digest::default();
        for (wire, content) in KNOWN {
            let expected = digest.finish(content.as_bytes());
            let wire = format!("{wire}NOOP");
            for first in 0..=wire.len() {
                for second in first..=wire.len() {
                    let mut data = Data::LineStart;
                    let mut taken = None;
                    let mut after = 0;
                    for piece in [&wire[..first], &wire[first..second], &wire[second..]] {
                        match taken {
                            Some(_) => after += piece.len(),
                            None => {
                                if let Some((message, rest)) = data.receive(piece.as_bytes(), &mut digest) {
                                    taken = Some(message);
                                    after = rest.len();
                                }
                            }
                        }
                    }
                    assert_eq!((taken, after), (Some(expected), 4), "{wire:?} cut at {first} and {second}");
                }
            }
        }
    }
}
