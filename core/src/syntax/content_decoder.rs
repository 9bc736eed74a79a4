//! The content of a message as it comes over the wire: where it ends, and what of it is content.
//!
//! The other side of [`ContentEncoder`](super::ContentEncoder), and made in the same way: nothing is held or copied, and only
//! blocks in which something was found are looked at byte by byte.

use core::ops::Range;

use super::content::{adds, adds_dotted, find};
use super::{Framing, Newlines};

/// A piece of decoded content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodedPiece {
    /// This range of the bytes that were handed in, as it is.
    Received(Range<usize>),
    /// These bytes.
    Added(&'static [u8]),
}

impl DecodedPiece {
    /// The same piece, where the bytes stand so many places further behind.
    pub fn behind(self, places: usize) -> Self {
        match self {
            Self::Received(range) => Self::Received(range.start + places..range.end + places),
            added => added,
        }
    }

    /// How many octets it has.
    pub fn octets(&self) -> u64 {
        match self {
            Self::Received(range) => range.len() as u64,
            Self::Added(bytes) => bytes.len() as u64,
        }
    }
}

/// Why decoding has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// All bytes were taken, or the pieces have become too many.
    Pause,
    /// CRLF.CRLF was there, and nothing else ends the content (RFC 5321 §4.1.1.4).
    End,
    /// A CR or LF that stands alone, with [`Newlines::Refuse`]. It is in no piece; decoding can go on, to find the end.
    BareNewline {
        /// Whether a line consists of a dot there, so that it may be the end for another server.
        dot_alone: bool,
    },
}

/// Decodes content, chunk by chunk, without copying it.
///
/// ```
/// use okuru_core::syntax::{ContentDecoder, DecodedPiece, Framing, Newlines, Stop};
///
/// let mut decoder = ContentDecoder::new(Framing::Dotted, Newlines::Refuse);
/// let mut pieces = Vec::new();
/// let (taken, stop) = decoder.decode(b"one\r\n..two\r\n.\r\nQUIT\r\n", 1000, |piece| pieces.push(piece));
/// assert_eq!((taken, stop), (15, Stop::End));
/// assert_eq!(pieces, [DecodedPiece::Received(0..5), DecodedPiece::Received(6..12)]);
/// ```
#[derive(Clone, Debug)]
pub struct ContentDecoder {
    framing: Framing,
    newlines: Newlines,
    line: Line,
    /// A CR has come, and it is not known what follows.
    cr: bool,
    eight_bit: bool,
}

/// Where in a line the decoder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// Behind a CRLF, or at the very beginning.
    Start,
    /// Behind a CR or LF that stands alone. A dot here was not stuffed by anybody who keeps to the rules.
    BareStart,
    /// A dot at [`Self::Start`], which is taken out, and nothing else yet.
    Dot,
    /// A dot at [`Self::BareStart`], which is content, and nothing else yet.
    BareDot,
    Text,
}

impl ContentDecoder {
    /// A decoder at the beginning of a content.
    pub fn new(framing: Framing, newlines: Newlines) -> Self {
        Self { framing, newlines, line: Line::Start, cr: false, eight_bit: false }
    }

    /// Whether an octet above 127 has been seen. Never so with [`Framing::Binary`], which looks at nothing.
    pub fn eight_bit(&self) -> bool {
        self.eight_bit
    }

    /// Decodes the bytes that follow, and says how many were taken, and why no more: once about `most` pieces have come of
    /// them, the caller hands in the rest again.
    ///
    /// A CR at the end is held back until it is known what it is.
    pub fn decode(&mut self, bytes: &[u8], most: usize, mut emit: impl FnMut(DecodedPiece)) -> (usize, Stop) {
        if self.framing == Framing::Binary {
            emit_range(0..bytes.len(), &mut emit);
            return (bytes.len(), Stop::Pause);
        }
        // The pieces up to `from` have been emitted; from there to `at` it is one piece.
        let (mut from, mut at, mut pieces) = (0_usize, 0_usize, 0);
        while pieces < most {
            at += self.pass(bytes.get(at..).unwrap_or_default());
            let Some(&byte) = bytes.get(at) else {
                break;
            };
            self.eight_bit |= !byte.is_ascii();
            match self.step(byte) {
                Step::Keep => {}
                // The CR before came with bytes that are gone.
                Step::LineEnd if at == from => {
                    emit(DecodedPiece::Added(b"\r\n"));
                    from = at + 1;
                    pieces += 1;
                }
                Step::LineEnd => {}
                Step::Skip => {
                    emit_range(from..at, &mut emit);
                    from = at + 1;
                    pieces += 1;
                }
                Step::BareCr => {
                    let added: &[u8] = if at == from { b"\r\n" } else { b"\n" };
                    emit_range(from..at, &mut emit);
                    emit(DecodedPiece::Added(added));
                    from = at;
                    pieces += 2;
                }
                Step::BareLf => {
                    emit_range(from..at, &mut emit);
                    emit(DecodedPiece::Added(b"\r"));
                    from = at;
                    pieces += 2;
                }
                Step::Stop(held, taken, stop) => {
                    emit_range(from..at.saturating_sub(held).max(from), &mut emit);
                    return (at + taken, stop);
                }
            }
            at += 1;
        }
        let held = usize::from(self.cr);
        emit_range(from..at.saturating_sub(held).max(from), &mut emit);
        (at, Stop::Pause)
    }

    /// The content has ended, as it was counted: a CR may be left over.
    pub fn finish(&mut self, emit: impl FnOnce(DecodedPiece)) -> Stop {
        if !core::mem::take(&mut self.cr) {
            return Stop::Pause;
        }
        match self.newlines {
            Newlines::Refuse => Stop::BareNewline { dot_alone: false },
            Newlines::Fix => {
                emit(DecodedPiece::Added(b"\r\n"));
                Stop::Pause
            }
        }
    }

    /// Passes what is content as it is, many bytes at a time, and says how much that was.
    fn pass(&mut self, bytes: &[u8]) -> usize {
        let dotted = self.framing == Framing::Dotted;
        if self.cr || dotted && matches!(self.line, Line::Dot | Line::BareDot) {
            return 0;
        }
        let before = if self.line == Line::Text { b' ' } else { b'\n' };
        let found = if dotted { find(before, bytes, adds_dotted) } else { find(before, bytes, adds) };
        let plain = bytes.get(..found.unwrap_or(bytes.len())).unwrap_or_default();
        // What a CR is depends on what follows it.
        let plain = plain.strip_suffix(b"\r").unwrap_or(plain);
        if let Some(&last) = plain.last() {
            self.eight_bit |= !plain.is_ascii();
            self.line = if last == b'\n' { Line::Start } else { Line::Text };
        }
        plain.len()
    }

    /// Takes a byte. Behind a bare CR it is the first of a line: content, or another CR.
    fn step(&mut self, byte: u8) -> Step {
        let dotted = self.framing == Framing::Dotted;
        let dot_alone = dotted && matches!(self.line, Line::Dot | Line::BareDot);
        if self.cr {
            self.cr = false;
            if byte != b'\n' {
                self.line = Line::BareStart;
                return match self.newlines {
                    Newlines::Refuse => Step::Stop(1, 0, Stop::BareNewline { dot_alone }),
                    Newlines::Fix => {
                        self.step(byte);
                        Step::BareCr
                    }
                };
            }
            return match core::mem::replace(&mut self.line, Line::Start) {
                Line::Dot if dotted => Step::Stop(1, 1, Stop::End),
                Line::BareDot if dotted && self.newlines == Newlines::Refuse => {
                    Step::Stop(1, 1, Stop::BareNewline { dot_alone })
                }
                _ => Step::LineEnd,
            };
        }
        match byte {
            b'\r' => {
                self.cr = true;
                Step::Keep
            }
            b'\n' => {
                self.line = Line::BareStart;
                match self.newlines {
                    Newlines::Refuse => Step::Stop(0, 1, Stop::BareNewline { dot_alone }),
                    Newlines::Fix => Step::BareLf,
                }
            }
            b'.' if dotted && self.line == Line::Start => {
                self.line = Line::Dot;
                Step::Skip
            }
            b'.' if self.line == Line::BareStart => {
                self.line = Line::BareDot;
                Step::Keep
            }
            _ => {
                self.line = Line::Text;
                Step::Keep
            }
        }
    }
}

/// What a byte is.
enum Step {
    /// Content, or a CR of which nobody knows.
    Keep,
    /// The LF of a CR LF.
    LineEnd,
    /// A dot that was stuffed.
    Skip,
    /// Content that begins a line, since the CR before it stands alone, and gets its LF.
    BareCr,
    /// An LF that stands alone, and gets its CR.
    BareLf,
    /// Nothing goes on here: so many bytes before it are no content, and so many with it have been taken.
    Stop(usize, usize, Stop),
}

fn emit_range(range: Range<usize>, emit: &mut impl FnMut(DecodedPiece)) {
    if !range.is_empty() {
        emit(DecodedPiece::Received(range));
    }
}

#[cfg(test)]
mod tests;
