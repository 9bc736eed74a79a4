use core::fmt;

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while_m_n};
use nom::character::complete::one_of;
use nom::combinator::{eof, map, map_opt, peek, recognize};
use nom::{IResult, Parser};

/// An enhanced status code (RFC 3463), for instance `5.7.509`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EnhancedCode {
    /// 2 success, 4 persistent transient failure, 5 permanent failure.
    pub class: u8,
    /// What it is about, 0 to 999: 1 addressing, 2 mailbox, 3 mail system, 4 network, 5 protocol, 6 content, 7 policy.
    pub subject: u16,
    /// The particular condition, 0 to 999.
    pub detail: u16,
}

impl EnhancedCode {
    /// The code at the beginning of a reply line's text, and the text behind it.
    #[inline(always)]
    pub(super) fn split_from(text: &[u8]) -> Option<(Self, &[u8])> {
        // Nearly all codes look like this, and nearly all lines without one have no dot there. The grammar sees the rest.
        match text {
            [class @ (b'2' | b'4' | b'5'), b'.', subject @ b'0'..=b'9', b'.', detail @ b'0'..=b'9', b' ', ..] => {
                let digit = |digit: &u8| u16::from(digit - b'0');
                let code = Self { class: class - b'0', subject: digit(subject), detail: digit(detail) };
                Some((code, text.get(5..).unwrap_or_default()))
            }
            [_, b'.', ..] => status_code(text).ok().map(|(rest, code)| (code, rest)),
            _ => None,
        }
    }
}

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

// RFC 2034 section 4, RFC 3463 section 2
//
//   status-code = class "." subject "." detail
//   class       = "2" / "4" / "5"
//   subject     = 1*3digit
//   detail      = 1*3digit
//
// Leniency: OpenSMTPD puts a colon behind it ("250 2.0.0: 1a2b3c4d Message accepted for delivery").
#[inline(never)]
fn status_code(input: &[u8]) -> IResult<&[u8], EnhancedCode> {
    let code = (class, tag("."), number, tag("."), number);
    let end = alt((recognize(one_of(" \t:\r\n")), eof));
    map((code, peek(end)), |((class, _, subject, _, detail), _)| EnhancedCode { class, subject, detail }).parse(input)
}

fn class(input: &[u8]) -> IResult<&[u8], u8> {
    map_opt(one_of("245"), |digit| digit.to_digit(10).and_then(|digit| u8::try_from(digit).ok())).parse(input)
}

fn number(input: &[u8]) -> IResult<&[u8], u16> {
    map(take_while_m_n(1, 3, |byte: u8| byte.is_ascii_digit()), |digits: &[u8]| {
        digits.iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0'))
    })
    .parse(input)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn known_codes() {
        for (text, code, rest) in [
            ("2.1.5 Ok", "2.1.5", " Ok"),
            ("5.7.509 Access denied", "5.7.509", " Access denied"),
            ("4.999.0", "4.999.0", ""),
            ("5.7.1\r\n", "5.7.1", "\r\n"),
            ("5.7.10\n", "5.7.10", "\n"),
            ("2.0.0: 1a2b3c4d Message accepted", "2.0.0", ": 1a2b3c4d Message accepted"),
        ] {
            let (parsed, behind) = EnhancedCode::split_from(text.as_bytes()).unwrap();
            assert_eq!(parsed.to_string(), code);
            assert_eq!(behind, rest.as_bytes());
        }
    }

    #[test]
    fn what_only_looks_like_one() {
        for text in
            ["", "5", "5.", "5.7", "5.7.", "3.1.1 x", "1.1.1 x", "5.7.1000 x", "5.1000.1 x", "2.0.0.1 is my address"]
        {
            assert_eq!(EnhancedCode::split_from(text.as_bytes()), None, "{text}");
        }
    }
}
