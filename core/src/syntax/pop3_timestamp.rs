use alloc::boxed::Box;
use alloc::format;
use core::str::FromStr;

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::combinator::{all_consuming, recognize};
use nom::multi::separated_list1;
use nom::sequence::delimited;
use nom::{IResult, Parser};

use super::quoting;
use crate::{Error, ErrorCode};

/// The timestamp in a POP3 server's greeting, on which APOP rests (RFC 1939 section 7), with its angle brackets.
///
/// It has to be a msg-id in ASCII of at most 255 octets. That keeps off the timestamps by which somebody in between finds out the password
/// (CVE-2007-1558): the collisions of MD5 that it takes have octets that can't stand in a msg-id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pop3Timestamp(Box<str>);

impl Pop3Timestamp {
    /// Looks for a timestamp in the line of a greeting: what stands behind the last `<`. `None` if there is no `<`.
    ///
    /// # Errors
    ///
    /// `auth.malformed_challenge` if that is no timestamp.
    pub fn find(greeting: &[u8]) -> Result<Option<Self>, Error> {
        let Some(start) = greeting.iter().rposition(|byte| *byte == b'<') else {
            return Ok(None);
        };
        let behind = greeting.get(start..).unwrap_or_default();
        let end = behind.iter().position(|byte| *byte == b'>').map_or(behind.len(), |end| end + 1);
        let found = behind.get(..end).unwrap_or_default();
        match core::str::from_utf8(found) {
            Ok(text) => text.parse().map(Some),
            Err(_) => Err(malformed(found)),
        }
    }

    /// With its angle brackets.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Pop3Timestamp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        const LONGEST: usize = 255;
        match all_consuming(msg_id).parse(text) {
            Ok(_) if text.len() <= LONGEST => Ok(Self(text.into())),
            _ => Err(malformed(text.as_bytes())),
        }
    }
}

// RFC 5322 section 3.6.4, without its obsolete forms
//
//   msg-id          = "<" id-left "@" id-right ">"
//   id-left         = dot-atom-text
//   id-right        = dot-atom-text / no-fold-literal
//   dot-atom-text   = 1*atext *("." 1*atext)
//   no-fold-literal = "[" *dtext "]"
//   dtext           = %d33-90 / %d94-126

fn msg_id(input: &str) -> IResult<&str, &str, ()> {
    let literal = recognize(delimited(tag("["), take_while(|c| matches!(c, '!'..='Z' | '^'..='~')), tag("]")));
    recognize((tag("<"), dot_atom_text, tag("@"), alt((dot_atom_text, literal)), tag(">"))).parse(input)
}

fn dot_atom_text(input: &str) -> IResult<&str, &str, ()> {
    recognize(separated_list1(tag("."), take_while1(is_atext))).parse(input)
}

fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c)
}

fn malformed(found: &[u8]) -> Error {
    let what = format!("the greeting holds {}, which is no timestamp for APOP", quoting::Bytes(found));
    Error::new(ErrorCode::AuthMalformedChallenge, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        for (greeting, timestamp) in [
            (&b"POP3 server ready <1896.697170952@dbc.mtview.ca.us>"[..], Some("<1896.697170952@dbc.mtview.ca.us>")),
            (b"<a/b+c==.1@[192.0.2.1]> ready", Some("<a/b+c==.1@[192.0.2.1]>")),
            (b"<hello> <1@x>", Some("<1@x>")),
            (b"ready", None),
            (b"", None),
        ] {
            let found = Pop3Timestamp::find(greeting).unwrap();
            assert_eq!(found.as_ref().map(Pop3Timestamp::as_str), timestamp);
        }
    }

    #[test]
    fn what_is_none() {
        let long = format!("<{}@x>", "a".repeat(252));
        for greeting in [
            &b"<>"[..],
            b"<a>",
            b"<@>",
            b"<a@>",
            b"<@b>",
            b"<a..b@c>",
            b"<a@b",
            b"<a b@c>",
            b"<a@b@c>",
            b"<a@b\x01>",
            b"<a\xff@b>",
            b"<\xc3\xa9@b>",
            b"<a@b.>",
            b"<\"a\"@b>",
            b"<a@[b>",
            b"x <",
            long.as_bytes(),
        ] {
            let error = Pop3Timestamp::find(greeting).unwrap_err();
            assert_eq!(error.code(), ErrorCode::AuthMalformedChallenge, "{}", greeting.escape_ascii());
            assert!(!error.what().chars().any(char::is_control));
        }
        assert!(format!("<{}@x>", "a".repeat(251)).parse::<Pop3Timestamp>().is_ok());
    }
}
