//! The content of a message: what one look at it tells, and how it goes over the wire.
//!
//! Nothing here holds or copies content. [`Inspection`] is what a message needs to be sent, found in one pass;
//! [`ContentEncoder`] looks at each chunk once and says which ranges of it go out as they are, and what is added between
//! them: the dots of RFC 5321 §4.5.2, and the half of a line end that was missing (§2.3.8).
//!
//! Both rest on one observation: whatever has to be added depends on two neighbouring bytes. Many bytes at once are
//! compared with those one place earlier, without a branch, which a compiler turns into vector instructions.

use core::fmt;
use core::ops::Range;

use super::Header;

/// What to do about a CR without its LF, or an LF without its CR.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Newlines {
    /// Make it a CR LF.
    #[default]
    Fix,
    /// Refuse the message.
    Refuse,
}

/// What one pass over a whole content tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Inspection {
    size: u64,
    bare_newlines: u64,
    dotted: bool,
    terminated: bool,
    eight_bit: bool,
    header_utf8: bool,
}

impl Inspection {
    /// Looks at a whole content.
    pub fn of(content: &[u8]) -> Self {
        // Nearly all content is plain, and this one look is all that it gets.
        let is_special = |before, byte: u8| adds_dotted(before, byte) | !byte.is_ascii();
        let special = is_any(content, is_special) || content.last() == Some(&b'\r');
        let eight_bit = special && !content.is_ascii();
        Self {
            size: content.len() as u64,
            bare_newlines: if special { count_bare_newlines(content) } else { 0 },
            dotted: special && is_any(content, begins_with_dot),
            terminated: content.is_empty() || content.ends_with(b"\r\n"),
            eight_bit,
            header_utf8: eight_bit && is_utf8_beyond_ascii(Header::of(content).as_bytes()),
        }
    }

    /// Octets as handed in.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Octets once every line ends in CR LF, without the dots of DATA: what SIZE declares (RFC 1870 §5).
    pub fn canonical_size(&self) -> u64 {
        self.size + self.bare_newlines
    }

    /// How many CR and LF stand alone.
    pub fn bare_newlines(&self) -> u64 {
        self.bare_newlines
    }

    /// Whether a line begins with a dot, which DATA doubles (RFC 5321 §4.5.2).
    pub fn dotted(&self) -> bool {
        self.dotted
    }

    /// Whether it is empty, or ends in CR LF as DATA needs it (RFC 5321 §4.1.1.4).
    pub fn terminated(&self) -> bool {
        self.terminated
    }

    /// Whether an octet is above 127 (RFC 6152).
    pub fn eight_bit(&self) -> bool {
        self.eight_bit
    }

    /// Whether the header is UTF-8 beyond ASCII, and so needs SMTPUTF8 (RFC 6532).
    pub fn header_utf8(&self) -> bool {
        self.header_utf8
    }
}

fn is_utf8_beyond_ascii(bytes: &[u8]) -> bool {
    !bytes.is_ascii() && core::str::from_utf8(bytes).is_ok()
}

/// Whether there is something in a whole content that is `wanted` behind the byte before it.
fn is_any(content: &[u8], wanted: impl Fn(u8, u8) -> bool) -> bool {
    find(b'\n', content, wanted).is_some()
}

fn count_bare_newlines(content: &[u8]) -> u64 {
    const LANES: usize = 128; // few enough to be counted in one byte
    let ends = u64::from(content.first() == Some(&b'\n')) + u64::from(content.last() == Some(&b'\r'));
    let Some((_, after)) = content.split_first() else { return 0 };
    let count = |(before, after): (&[u8], &[u8])| {
        let each = before.iter().zip(after).map(|(&before, &byte)| u8::from(adds(before, byte)));
        u64::from(each.sum::<u8>())
    };
    ends + content.chunks(LANES).zip(after.chunks(LANES)).map(count).sum::<u64>()
}

/// A bare CR or LF was found, and it was asked that such content be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BareNewline {
    /// Where in the content, in octets.
    pub offset: u64,
}

impl fmt::Display for BareNewline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a bare CR or LF near octet {}", self.offset)
    }
}

/// How content is framed on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Framing {
    /// DATA: dots are stuffed, and CRLF.CRLF ends it (RFC 5321 §4.1.1.4, §4.5.2).
    Dotted,
    /// BDAT: octets are counted, lines still end in CR LF (RFC 3030 §2).
    Counted,
    /// BDAT with BODY=BINARYMIME: octets are counted and are not looked at (RFC 3030 §3).
    Binary,
}

/// A piece of encoded content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// This range of the content, in octets from its beginning, as it is.
    Content(Range<u64>),
    /// These bytes.
    Added(&'static [u8]),
}

impl Piece {
    /// How many octets it has.
    pub fn octets(&self) -> u64 {
        match self {
            Self::Content(range) => range.end - range.start,
            Self::Added(bytes) => bytes.len() as u64,
        }
    }
}

/// Encodes content, chunk by chunk, without copying it.
///
/// ```
/// use okuru_core::syntax::{ContentEncoder, Framing, Newlines, Piece};
///
/// let mut encoder = ContentEncoder::new(Framing::Dotted, Newlines::Fix);
/// let mut pieces = Vec::new();
/// let taken = encoder.encode(b"one\r\n.two\r\n", 1000, |piece| pieces.push(piece)).unwrap();
/// encoder.finish(|piece| pieces.push(piece)).unwrap();
/// assert_eq!(taken, 11);
/// assert_eq!(pieces, [Piece::Content(0..5), Piece::Added(b"."), Piece::Content(5..11), Piece::Added(b".\r\n")]);
/// ```
#[derive(Clone, Debug)]
pub struct ContentEncoder {
    framing: Framing,
    newlines: Newlines,
    /// The last byte that was looked at; at the beginning the LF of the command line before.
    last: u8,
    offset: u64,
    eight_bit: bool,
}

impl ContentEncoder {
    /// An encoder at the beginning of a content.
    pub fn new(framing: Framing, newlines: Newlines) -> Self {
        Self { framing, newlines, last: b'\n', offset: 0, eight_bit: false }
    }

    /// Octets of content encoded so far.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether an octet above 127 has been seen. Never so with [`Framing::Binary`], which looks at nothing.
    pub fn eight_bit(&self) -> bool {
        self.eight_bit
    }

    /// Encodes the bytes that follow, and says how many were taken: all of them, or, once about `most` pieces have come
    /// of them, the first so many. The caller hands in the rest again.
    pub fn encode(&mut self, chunk: &[u8], most: usize, mut emit: impl FnMut(Piece)) -> Result<usize, BareNewline> {
        if self.framing == Framing::Binary {
            self.emit_range(chunk.len(), &mut emit);
            return Ok(chunk.len());
        }
        let (mut from, mut at, mut pieces) = (0, 0, 0);
        while pieces < most && at < chunk.len() {
            let Some(found) = self.find_in(&chunk[at..]) else {
                at = chunk.len();
                self.last = chunk[at - 1];
                break;
            };
            if found > 0 {
                at += found;
                self.last = chunk[at - 1];
            }
            let byte = chunk[at];
            if let Some(added) = self.added_before(byte, at - from)? {
                self.emit_range(at - from, &mut emit);
                emit(Piece::Added(added));
                from = at;
                pieces += 2;
            }
            self.last = byte;
            at += 1;
        }
        self.emit_range(at - from, &mut emit);
        self.eight_bit |= !chunk[..at].is_ascii();
        Ok(at)
    }

    /// Ends the content: the line end that may be missing, and for DATA the final dot.
    ///
    /// Content sent by BDAT ends as it ends; only a CR that waits for its LF gets it.
    pub fn finish(&mut self, mut emit: impl FnMut(Piece)) -> Result<(), BareNewline> {
        if self.last == b'\r' && self.framing != Framing::Binary {
            if self.newlines == Newlines::Refuse {
                return Err(BareNewline { offset: self.offset });
            }
            emit(Piece::Added(b"\n"));
            self.last = b'\n';
        }
        if self.framing == Framing::Dotted {
            emit(Piece::Added(if self.last == b'\n' { b".\r\n" } else { b"\r\n.\r\n" }));
        }
        Ok(())
    }

    /// Where in `rest` the next byte stands before which something is missing.
    fn find_in(&self, rest: &[u8]) -> Option<usize> {
        match self.framing {
            Framing::Dotted => find(self.last, rest, adds_dotted),
            Framing::Counted | Framing::Binary => find(self.last, rest, adds),
        }
    }

    /// What is missing before `byte`, which stands so many octets behind the offset.
    fn added_before(&self, byte: u8, behind: usize) -> Result<Option<&'static [u8]>, BareNewline> {
        let dotted = self.framing == Framing::Dotted && byte == b'.';
        let added: &[u8] = match (self.last, byte) {
            (b'\r', b'\n') => return Ok(None),
            (b'\r', _) if dotted => b"\n.",
            (b'\r', _) => b"\n",
            (_, b'\n') => b"\r",
            (b'\n', _) if dotted => return Ok(Some(b".")),
            _ => return Ok(None),
        };
        match self.newlines {
            Newlines::Fix => Ok(Some(added)),
            Newlines::Refuse => Err(BareNewline { offset: self.offset + behind as u64 }),
        }
    }

    fn emit_range(&mut self, length: usize, emit: &mut impl FnMut(Piece)) {
        if length > 0 {
            let end = self.offset + length as u64;
            emit(Piece::Content(self.offset..end));
            self.offset = end;
        }
    }
}

/// Whether half of a line end is to be added between two bytes.
#[inline]
pub(super) fn adds(before: u8, byte: u8) -> bool {
    (before == b'\r') ^ (byte == b'\n')
}

/// Whether a line begins with a dot between two bytes.
#[inline]
fn begins_with_dot(before: u8, byte: u8) -> bool {
    (before == b'\n') & (byte == b'.')
}

/// Whether half of a line end or a dot is to be added between two bytes.
#[inline]
pub(super) fn adds_dotted(before: u8, byte: u8) -> bool {
    adds(before, byte) | begins_with_dot(before, byte)
}

/// How many bytes are compared at once.
const LANES: usize = 64;

/// Where the first of `bytes` stands that is `wanted` behind the byte before it; before the first stands `last`.
#[inline]
pub(super) fn find(last: u8, bytes: &[u8], wanted: impl Fn(u8, u8) -> bool) -> Option<usize> {
    let (&first, after) = bytes.split_first()?;
    if wanted(last, first) {
        return Some(0);
    }
    let before = &bytes[..after.len()];
    let found = match (before.last_chunk(), after.last_chunk()) {
        (Some(last_before), Some(last_after)) => {
            let mut groups = before.as_chunks().0.iter().zip(after.as_chunks().0).enumerate();
            groups
                .find_map(|(group, (before, after))| Some(group * LANES + find_lane(before, after, &wanted)?))
                // What is left over is looked at in a group that ends where the bytes end: some of them once more.
                .or_else(|| Some(after.len() - LANES + find_lane(last_before, last_after, &wanted)?))
        }
        _ => before.iter().zip(after).position(|(&before, &byte)| wanted(before, byte)),
    };
    found.map(|place| place + 1)
}

/// The first lane in which the byte `after` is wanted behind the one `before`.
#[inline(always)]
fn find_lane(before: &[u8; LANES], after: &[u8; LANES], wanted: impl Fn(u8, u8) -> bool) -> Option<usize> {
    let mut found = [0; LANES];
    for lane in 0..LANES {
        found[lane] = if wanted(before[lane], after[lane]) { u8::MAX } else { 0 };
    }
    let words = found.as_chunks().0.iter().map(|&lanes| u64::from_le_bytes(lanes));
    if words.clone().fold(0, |any, word| any | word) == 0 {
        return None;
    }
    words
        .zip((0..).step_by(8))
        .find(|&(word, _)| word != 0)
        .map(|(word, lane)| lane + word.trailing_zeros() as usize / 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// Encodes `content` in chunks of `size` octets, at most `most` pieces a call.
    fn encoded(content: &[u8], framing: Framing, size: usize, most: usize) -> Vec<u8> {
        let mut encoder = ContentEncoder::new(framing, Newlines::Fix);
        let mut wire = Vec::new();
        for chunk in content.chunks(size) {
            let mut rest = chunk;
            while !rest.is_empty() {
                let taken = encoder.encode(rest, most, |piece| put(piece, content, &mut wire)).unwrap();
                assert!(taken > 0);
                rest = &rest[taken..];
            }
        }
        encoder.finish(|piece| put(piece, content, &mut wire)).unwrap();
        assert_eq!(encoder.offset(), content.len() as u64);
        wire
    }

    fn put(piece: Piece, content: &[u8], wire: &mut Vec<u8>) {
        match piece {
            Piece::Content(range) => wire.extend_from_slice(&content[range.start as usize..range.end as usize]),
            Piece::Added(bytes) => wire.extend_from_slice(bytes),
        }
    }

    /// Content, on the wire by DATA, on the wire by BDAT.
    const KNOWN: &[(&[u8], &[u8], &[u8])] = &[
        (b"", b".\r\n", b""),
        (b"a", b"a\r\n.\r\n", b"a"),
        (b"a\r\n", b"a\r\n.\r\n", b"a\r\n"),
        (b".", b"..\r\n.\r\n", b"."),
        (b".\r\n", b"..\r\n.\r\n", b".\r\n"),
        (b"a\r\n.\r\nb\r\n", b"a\r\n..\r\nb\r\n.\r\n", b"a\r\n.\r\nb\r\n"),
        (b"a\r\n..b\r\n", b"a\r\n...b\r\n.\r\n", b"a\r\n..b\r\n"),
        (b"a.\r\nb.c\r\n", b"a.\r\nb.c\r\n.\r\n", b"a.\r\nb.c\r\n"),
        // What has been used to smuggle a second message: a dot between line ends that are not CR LF.
        (b"a\n.\nb", b"a\r\n..\r\nb\r\n.\r\n", b"a\r\n.\r\nb"),
        (b"a\n.\r\nb", b"a\r\n..\r\nb\r\n.\r\n", b"a\r\n.\r\nb"),
        (b"a\r\n.\nb", b"a\r\n..\r\nb\r\n.\r\n", b"a\r\n.\r\nb"),
        (b"a\r.\r\nb", b"a\r\n..\r\nb\r\n.\r\n", b"a\r\n.\r\nb"),
        (b"a\r.\rb", b"a\r\n..\r\nb\r\n.\r\n", b"a\r\n.\r\nb"),
        (b"\n.\r\n", b"\r\n..\r\n.\r\n", b"\r\n.\r\n"),
        (b"\r\r\n\n", b"\r\n\r\n\r\n.\r\n", b"\r\n\r\n\r\n"),
        (b"a\r", b"a\r\n.\r\n", b"a\r\n"),
        (b"\n", b"\r\n.\r\n", b"\r\n"),
        (b"\0\xff.\r\n", b"\0\xff.\r\n.\r\n", b"\0\xff.\r\n"),
    ];

    #[test]
    fn known_answers_in_chunks_of_every_size() {
        for &(content, dotted, counted) in KNOWN {
            for size in 1..=content.len().max(1) {
                for most in [1, 3, 1000] {
                    assert_eq!(encoded(content, Framing::Dotted, size, most), dotted, "{}", content.escape_ascii());
                    assert_eq!(encoded(content, Framing::Counted, size, most), counted, "{}", content.escape_ascii());
                    assert_eq!(encoded(content, Framing::Binary, size, most), content);
                }
            }
        }
    }

    #[test]
    fn a_jump_misses_nothing() {
        // Every short pattern, at every place in what is looked through at once.
        for &(pattern, ..) in KNOWN {
            for before in 0..70 {
                let mut content = alloc::vec![b'x'; before];
                content.extend_from_slice(pattern);
                content.extend_from_slice(&[b'y'; 70]);
                for framing in [Framing::Dotted, Framing::Counted] {
                    let whole = encoded(&content, framing, content.len(), 1000);
                    assert_eq!(whole, encoded(&content, framing, 1, 1000), "{}", pattern.escape_ascii());
                    assert_eq!(whole, encoded(&content, framing, 33, 1), "{}", pattern.escape_ascii());
                }
            }
        }
    }

    #[test]
    fn an_inspection_foretells_the_size() {
        for &(content, _, counted) in KNOWN {
            let inspection = Inspection::of(content);
            assert_eq!(inspection.size(), content.len() as u64);
            assert_eq!(inspection.canonical_size(), counted.len() as u64, "{}", content.escape_ascii());
            assert_eq!(inspection.eight_bit(), !content.is_ascii());
        }
        let long = [b"x\n".repeat(1000), b"\r".repeat(1000)].concat();
        assert_eq!(Inspection::of(&long).bare_newlines(), 2000);
    }

    #[test]
    fn an_inspection_tells_what_goes_by_data_as_it_is() {
        for &(content, dotted, _) in KNOWN {
            let inspection = Inspection::of(content);
            let ending: &[u8] = if inspection.terminated() { b".\r\n" } else { b"\r\n.\r\n" };
            let as_it_is = [content, ending].concat() == dotted;
            let foretold = inspection.bare_newlines() == 0 && !inspection.dotted();
            assert_eq!(foretold, as_it_is, "{}", content.escape_ascii());
        }
        for at in 0..300 {
            let mut content = b"x\r\n".repeat(100);
            content[at] = b'.';
            assert_eq!(Inspection::of(&content).dotted(), at % 3 == 0, "{at}");
        }
    }

    #[test]
    fn only_a_utf8_header_needs_smtputf8() {
        assert!(Inspection::of("Subject: \u{e9}\r\n\r\nx".as_bytes()).header_utf8());
        assert!(Inspection::of("Subject: \u{e9}".as_bytes()).header_utf8());
        assert!(!Inspection::of("Subject: e\r\n\r\n\u{e9}".as_bytes()).header_utf8());
        assert!(!Inspection::of("Subject: e\n\n\u{e9}".as_bytes()).header_utf8());
        assert!(!Inspection::of(b"Subject: \xe9\r\n\r\nx").header_utf8());
    }

    #[test]
    fn bare_newlines_are_refused_where_asked() {
        for (content, offset) in [(&b"ab\ncd"[..], 2), (b"ab\rcd", 3), (b"ab\r", 3), (b"\n", 0), (b".a\r\n.b\n", 6)] {
            let mut encoder = ContentEncoder::new(Framing::Dotted, Newlines::Refuse);
            let result = encoder.encode(content, 1000, |_| ()).and_then(|_| encoder.finish(|_| ()));
            assert_eq!(result, Err(BareNewline { offset }));
        }
        let mut encoder = ContentEncoder::new(Framing::Dotted, Newlines::Refuse);
        assert_eq!(encoder.encode(b"ab\r\n.cd", 1000, |_| ()), Ok(7));
        assert_eq!(encoder.finish(|_| ()), Ok(()));
    }

    #[test]
    fn eight_bit_is_noticed_on_the_way() {
        let mut encoder = ContentEncoder::new(Framing::Counted, Newlines::Fix);
        encoder.encode(b"ascii\r\n", 1000, |_| ()).unwrap();
        assert!(!encoder.eight_bit());
        encoder.encode(b"caf\xe9\r\n", 1000, |_| ()).unwrap();
        assert!(encoder.eight_bit());
    }
}
