//! Where a reply ends, and what is none.
//!
//! One scan looks at each byte of a line once, for LF, CR and NUL together. What comes first in the stream is what is
//! told, be it an end, a fault or a bound, so that the result does not depend on how the network has cut the bytes:
//! [`Progress::advance`] looks at no byte beyond a bound, and speaks of the bound only when a byte beyond it is there.

use alloc::format;

use memchr::memchr3;
use nom::branch::alt;
use nom::bytes::streaming::tag;
use nom::character::streaming::satisfy;
use nom::combinator::{map, map_opt, peek, value};
use nom::{Err as NomErr, IResult, Parser};

use super::{ReplyCode, quoting};
use crate::{Error, ErrorCode};

/// How much a server may say in one reply.
///
/// RFC 5321 section 4.5.3.1.5 allows lines of 512 octets; real servers exceed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyLimits {
    /// Octets in a line, with the code and the line end.
    pub line: usize,
    /// Lines in a reply.
    pub lines: usize,
    /// Octets in a reply.
    pub bytes: usize,
}

impl ReplyLimits {
    /// For what is in memory already.
    pub(super) const NONE: Self = Self { line: usize::MAX, lines: usize::MAX, bytes: usize::MAX };
}

impl Default for ReplyLimits {
    /// Lines of 4096 octets, 128 of them, 65536 octets in all.
    fn default() -> Self {
        Self { line: 4096, lines: 128, bytes: 65536 }
    }
}

/// The length of the first whole reply in `input`.
pub(super) fn frame(input: &[u8], limits: &ReplyLimits) -> Result<Option<usize>, Error> {
    Progress::default().advance(input, limits)
}

/// As [`frame`], for what nearly all replies are: one line with a text, all of it there and within the limits.
#[inline]
pub(super) fn frame_one_line(input: &[u8], limits: &ReplyLimits) -> Option<usize> {
    let &[x @ b'2'..=b'5', y, z, b' ', ref text @ ..] = input else { return None };
    ReplyCode::from_digits(x, y, z)?;
    let cr = memchr3(b'\n', b'\r', 0, text)?;
    let &[b'\r', b'\n', ..] = text.get(cr..)? else { return None };
    let end = CODE_LENGTH + 1 + cr + 2;
    (end <= limits.line.min(limits.bytes) && limits.lines > 0).then_some(end)
}

/// How far into a reply the scan has come.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Progress {
    /// Whole lines before the current one.
    lines: usize,
    /// Their code.
    code: Option<ReplyCode>,
    /// Where the current line begins.
    line_start: usize,
    /// Up to where the current line is known to have no end.
    scanned: usize,
}

impl Progress {
    /// Goes on in `bytes`, which begin where the reply begins, and gives its length once it is whole.
    #[inline]
    pub(super) fn advance(&mut self, bytes: &[u8], limits: &ReplyLimits) -> Result<Option<usize>, Error> {
        loop {
            let visible = bytes.len().min(limits.bytes);
            let line_limit = self.line_start.saturating_add(limits.line);
            let line = bytes.get(self.line_start..visible.min(line_limit)).unwrap_or_default();
            if self.lines == limits.lines && self.line_start < visible {
                let what = format!("the server's reply has more than {} lines", limits.lines);
                return Err(Error::new(ErrorCode::LimitReplyLines, what));
            }
            if let Some((code, last)) = self.line_start(line)? {
                let from = self.scanned.saturating_sub(self.line_start).max(CODE_LENGTH);
                let (scanned, end) = line_end(line, from)?;
                self.scanned = self.line_start + scanned;
                if end {
                    if last {
                        return Ok(Some(self.scanned));
                    }
                    self.lines += 1;
                    self.code = Some(code);
                    self.line_start = self.scanned;
                    continue;
                }
            }
            return if line_limit < visible {
                let what = format!("the server sent a reply line of more than {} bytes", limits.line);
                Err(Error::new(ErrorCode::LimitReplyLine, what))
            } else if visible < bytes.len() {
                Err(too_many_bytes(limits))
            } else {
                Ok(None)
            };
        }
    }

    /// The code of `line` and whether it is the last one; `None` if that much is not there yet.
    fn line_start(&self, line: &[u8]) -> Result<Option<(ReplyCode, bool)>, Error> {
        let (rest, code) = match reply_code(line) {
            Ok(parsed) => parsed,
            Err(NomErr::Incomplete(_)) => return Ok(None),
            Err(_) => return Err(malformed(line, "which is no SMTP reply")),
        };
        if self.code.is_some_and(|before| before != code) {
            let what = format!("the lines of one reply have different codes, the last of them {code}");
            return Err(Error::new(ErrorCode::ProtocolMixedCodes, what));
        }
        match separator(rest) {
            Ok((_, last)) => Ok(Some((code, last))),
            Err(NomErr::Incomplete(_)) => Ok(None),
            Err(_) => Err(malformed(line, "which is no SMTP reply")),
        }
    }
}

// RFC 5321 section 4.2
//
//   Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF
//   Reply-code = %x32-35 %x30-35 %x30-39
//   textstring = 1*(%d09 / %d32-126)
//
// Leniency, all of it seen in the wild:
// - second digits from 6 to 9: what counts is the first one (section 4.3.2);
// - any byte but NUL, CR and LF in a text: UTF-8 (RFC 6531 section 3.7.4.2), legacy character sets;
// - LF alone as line end: home-made servers, and test scripts that print lines.
//
// A CR that no LF follows is not let through: whoever reads it as a line end would see another reply.

/// Octets in a Reply-code.
const CODE_LENGTH: usize = 3;

fn reply_code(input: &[u8]) -> IResult<&[u8], ReplyCode> {
    let digits =
        (satisfy(|c| matches!(c, '2'..='5')), satisfy(|c| c.is_ascii_digit()), satisfy(|c| c.is_ascii_digit()));
    map_opt(digits, |(x, y, z)| ReplyCode::from_digits(x as u8, y as u8, z as u8)).parse(input)
}

/// What stands behind the code: whether the line is the last one.
fn separator(input: &[u8]) -> IResult<&[u8], bool> {
    alt((
        value(true, tag(" ")),
        value(false, tag("-")),
        // The line end is left to the scan.
        map(peek(satisfy(|c| c == '\r' || c == '\n')), |_| true),
    ))
    .parse(input)
}

/// Looks for the end of `line`: where it is, or up to where there is none.
#[inline]
fn line_end(line: &[u8], from: usize) -> Result<(usize, bool), Error> {
    let Some(found) = line.get(from..).and_then(|rest| memchr3(b'\n', b'\r', 0, rest)) else {
        return Ok((line.len(), false));
    };
    let at = from + found;
    match (line.get(at), line.get(at + 1)) {
        (Some(b'\n'), _) => Ok((at + 1, true)),
        (Some(b'\r'), Some(b'\n')) => Ok((at + 2, true)),
        (Some(b'\r'), None) => Ok((at, false)),
        (Some(b'\r'), Some(_)) => Err(malformed(line, "with a CR that no LF follows")),
        _ => Err(malformed(line, "with a NUL in it")),
    }
}

#[cold]
fn malformed(line: &[u8], why: &str) -> Error {
    Error::new(ErrorCode::ProtocolMalformedReply, format!("the server sent {}, {why}", quoting::Bytes(line)))
}

#[cold]
pub(super) fn too_many_bytes(limits: &ReplyLimits) -> Error {
    Error::new(ErrorCode::LimitReplyBytes, format!("the server's reply has more than {} bytes", limits.bytes))
}
