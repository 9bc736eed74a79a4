//! The part with what has been sent (RFC 3461 §4.3, RFC 6522 §3 and §4, RFC 6533 §6).

use alloc::vec::Vec;

use crate::syntax::{Header, encode_quoted_printable};

/// What is at hand of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Original<'a> {
    /// Nothing.
    None,
    /// Its beginning, with as much of its header as there is.
    Header(&'a [u8]),
    /// All of it.
    Message(&'a [u8]),
}

/// The last part of a notification.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) media_type: &'static str,
    pub(super) encoding: &'static str,
    pub(super) content: Vec<u8>,
}

/// How much of a header is returned.
const MOST_HEADER: usize = 64 << 10;
/// Octets in a line, without its end, in 7bit and 8bit (RFC 2045 §2.7).
const LONGEST_LINE: usize = 998;

/// What goes back of `original`. `whole`: all of it, as far as that is possible; `unicode`: the notification is internationalised;
/// `seven_bit`: it has to be 7-bit.
pub(super) fn part(original: Original<'_>, whole: bool, unicode: bool, seven_bit: bool) -> Option<Part> {
    match original {
        Original::None => None,
        Original::Header(content) => Some(header_part(content, unicode)),
        Original::Message(content) => {
            let message = if whole { message_part(content, unicode, seven_bit) } else { None };
            Some(message.unwrap_or_else(|| header_part(content, unicode)))
        }
    }
}

/// The whole message, if it can stand in another as it is: no encoding can be put around it (RFC 2046 §5.2.1).
fn message_part(content: &[u8], unicode: bool, seven_bit: bool) -> Option<Part> {
    let global = !Header::of(content).as_bytes().is_ascii();
    let content = canonical(content);
    let eight_bit = !content.is_ascii();
    if has_odd_lines(&content) || global && !unicode || eight_bit && seven_bit {
        return None;
    }
    let media_type = if global { "message/global" } else { "message/rfc822" };
    Some(Part { media_type, encoding: if eight_bit { "8bit" } else { "7bit" }, content })
}

fn header_part(content: &[u8], unicode: bool) -> Part {
    let content = canonical(bounded(Header::of(content).as_bytes()));
    let ascii = content.is_ascii();
    let media_type = if ascii { "text/rfc822-headers" } else { "message/global-headers" };
    let (encoding, content) = if has_odd_lines(&content) || !ascii && !unicode {
        let mut encoded = Vec::new();
        encode_quoted_printable(&content, &mut encoded);
        ("quoted-printable", encoded)
    } else {
        (if ascii { "7bit" } else { "8bit" }, content)
    };
    Part { media_type, encoding, content }
}

/// Whole lines only.
fn bounded(header: &[u8]) -> &[u8] {
    let Some(front) = header.get(..MOST_HEADER) else {
        return header;
    };
    let end = front.iter().rposition(|byte| matches!(byte, b'\r' | b'\n')).map_or(0, |end| end + 1);
    front.get(..end).unwrap_or_default()
}

/// The same with CR LF at the end of each line, as it was sent.
fn canonical(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 2);
    let mut rest = content;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = match byte {
            b'\r' => behind.strip_prefix(b"\n").unwrap_or(behind),
            _ => behind,
        };
        match byte {
            b'\r' | b'\n' => out.extend_from_slice(b"\r\n"),
            _ => out.push(byte),
        }
    }
    if !out.is_empty() && !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// Whether there are lines that only binary can hold.
fn has_odd_lines(content: &[u8]) -> bool {
    content.contains(&0) || content.split(|byte| *byte == b'\n').any(|line| line.len() > LONGEST_LINE + 1)
}
