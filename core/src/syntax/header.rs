use core::fmt;
use core::ops::Range;

use nom::bytes::complete::{tag, take_while, take_while1};
use nom::sequence::terminated;
use nom::{IResult, Parser};

/// The header of a message (RFC 5322 section 2.2), looked at without copying.
///
/// A line ends with CR LF, and with a CR or LF alone, since those become line ends on their way out.
#[derive(Clone, Copy)]
pub struct Header<'a> {
    bytes: &'a [u8],
    ends: bool,
}

impl<'a> Header<'a> {
    /// The header at the front of `content`: everything before the first empty line, or all of it if there is none.
    pub fn of(content: &'a [u8]) -> Self {
        let mut rest = content;
        while let Some(line) = next_line(rest) {
            if matches!(line.first(), Some(b'\r' | b'\n')) {
                break;
            }
            rest = rest.get(line.len()..).unwrap_or_default();
        }
        let length = content.len() - rest.len();
        Self { bytes: content.get(..length).unwrap_or(content), ends: !rest.is_empty() }
    }

    /// All of it, with its line ends and without the empty line.
    pub fn as_bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Whether the empty line behind it was there. Where not, the header may go on in what was not handed in.
    pub fn ends(self) -> bool {
        self.ends
    }

    /// Each field in its order. Lines that are no field, as the first one of a message from an mbox file, are passed over.
    pub fn fields(self) -> impl Iterator<Item = Field<'a>> + Clone {
        Folded { bytes: self.bytes, at: 0 }.filter_map(|range| Field::read(self.bytes, range))
    }
}

impl fmt::Debug for Header<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header").field("octets", &self.bytes.len()).field("ends", &self.ends).finish()
    }
}

/// A field of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    name: &'a str,
    body: &'a [u8],
    range: Range<usize>,
}

impl<'a> Field<'a> {
    /// The name as it is written.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// Whether this is its name, whatever the case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// What stands behind the colon, with all line ends.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// Where it stands in the message, from its name to its last line end, in octets.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    fn read(header: &'a [u8], range: Range<usize>) -> Option<Self> {
        let (body, name) = field_name(header.get(range.clone())?).ok()?;
        Some(Self { name: core::str::from_utf8(name).ok()?, body, range })
    }
}

// RFC 5322 sections 2.2 and 4.5
//
//   field-name   = 1*ftext
//   ftext        = %d33-57 / %d59-126
//   obs-optional = field-name *WSP ":" unstructured CRLF

/// The name of a field; the rest is its body.
fn field_name(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let name = take_while1(|byte: u8| matches!(byte, b'!'..=b'9' | b';'..=b'~'));
    let blank = take_while(|byte: u8| matches!(byte, b' ' | b'\t'));
    terminated(name, (blank, tag(":"))).parse(input)
}

/// Each line of a header together with those that continue it (section 2.2.3).
#[derive(Clone)]
struct Folded<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Iterator for Folded<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        self.at += next_line(self.bytes.get(start..)?)?.len();
        while let Some(line) = self.bytes.get(self.at..).and_then(next_line)
            && matches!(line.first(), Some(b' ' | b'\t'))
        {
            self.at += line.len();
        }
        Some(start..self.at)
    }
}

/// The line at the front of `bytes` with its line end, if there are any bytes.
fn next_line(bytes: &[u8]) -> Option<&[u8]> {
    let length = match bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
        Some(end) if bytes.get(end..)?.starts_with(b"\r\n") => end + 2,
        Some(end) => end + 1,
        None => bytes.len(),
    };
    bytes.get(..length).filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn fields(content: &[u8]) -> Vec<(&str, &[u8], Range<usize>)> {
        Header::of(content).fields().map(|field| (field.name(), field.body(), field.range())).collect()
    }

    #[test]
    fn known_answers() {
        let none: &[(&str, &[u8], Range<usize>)] = &[];
        for (content, expected) in [
            (&b""[..], none),
            (b"\r\nTo: a\r\n", none),
            (b"To: a\r\n\r\nCc: b\r\n", &[("To", b" a\r\n", 0..7)]),
            (b"To: a\nCc: b\n\nx: y", &[("To", b" a\n", 0..6), ("Cc", b" b\n", 6..12)]),
            (b"To: a\rCc: b\r\rx: y", &[("To", b" a\r", 0..6), ("Cc", b" b\r", 6..12)]),
            (b"To: a,\r\n\tb\r\n  \r\nCc:", &[("To", b" a,\r\n\tb\r\n  \r\n", 0..16), ("Cc", b"", 16..19)]),
            (b"To \t: a", &[("To", b" a", 0..7)]),
            (b" lost\r\nFrom ann Mon Jan  1 00:00:00 2001\r\nTo: a", &[("To", b" a", 42..47)]),
            (b"no colon\r\n\xff: x\r\n: x\r\nTo:a", &[("To", b"a", 21..25)]),
            (b"x\r\r\nTo: a", none),
        ] {
            assert_eq!(fields(content), expected, "{}", content.escape_ascii());
        }
    }

    #[test]
    fn where_it_ends() {
        for (content, header, ends) in [
            (&b"To: a\r\n\r\nbody"[..], &b"To: a\r\n"[..], true),
            (b"To: a\r\n\r\n", b"To: a\r\n", true),
            (b"To: a\r\n", b"To: a\r\n", false),
            (b"\r\n", b"", true),
            (b"", b"", false),
        ] {
            let it = Header::of(content);
            assert_eq!((it.as_bytes(), it.ends()), (header, ends));
        }
    }

    #[test]
    fn a_name_is_known_in_any_case() {
        let field = Header::of(b"rEPLY-to: a\r\n").fields().next().unwrap();
        assert!(field.is("Reply-To") && !field.is("Reply"));
        assert_eq!(field.name(), "rEPLY-to");
    }
}
