use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use nom::branch::alt;
use nom::bytes::complete::{is_not, tag, tag_no_case};
use nom::character::complete::space0;
use nom::combinator::{eof, map, opt, peek, recognize, value};
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser};

use super::quoting;
use super::reply::push_printable;
use crate::{Error, ErrorCode};

/// The first line of a POP3 server's response (RFC 1939 section 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pop3Response {
    /// `+OK`, and the text behind it.
    Ok(String),
    /// `-ERR`: why, as far as there is a code for it, and the text behind both.
    Err(Option<Pop3Code>, String),
    /// `+`, within AUTH, and the base64 behind it as it came (RFC 5034 section 4).
    Challenge(Vec<u8>),
}

/// Why a POP3 server says `-ERR` (RFC 2449 section 8, RFC 3206).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pop3Code {
    /// `[IN-USE]`: somebody else has the mailbox open. The credentials were right.
    InUse,
    /// `[LOGIN-DELAY]`: too soon after the last time.
    LoginDelay,
    /// `[SYS/TEMP]`: the server is not well.
    SystemTemporary,
    /// `[SYS/PERM]`: the server is not well, and somebody has to do something about it.
    SystemPermanent,
    /// `[AUTH]`: the credentials are wrong.
    Auth,
}

// RFC 1939 section 3, RFC 2449 sections 7 and 8, RFC 5034 section 6
//
//   response     = status [SP text] CRLF
//   status       = "+OK" / "-ERR"
//   resp-code    = "[" resp-level *("/" resp-level) "]"
//   continue-req = "+" SP [base64] CRLF
//
// Leniency: no space behind a "+" alone, as from servers that cut blanks off at the end of a line.

impl Pop3Response {
    /// Reads a line without its end.
    ///
    /// # Errors
    ///
    /// `protocol.malformed_reply`.
    pub fn parse(line: &[u8]) -> Result<Self, Error> {
        let ok = map(preceded((tag("+OK"), separator), rest), |text| Self::Ok(printable(text)));
        let err = preceded((tag("-ERR"), separator), (opt(terminated(code, space0)), rest));
        let err = map(err, |(code, text)| Self::Err(code.flatten(), printable(text)));
        let challenge = map(preceded((tag("+"), separator), rest), |text: &[u8]| Self::Challenge(text.into()));
        alt((ok, err, challenge)).parse(line).map(|(_, response)| response).map_err(|_: nom::Err<()>| {
            let what = format!("the server sent {}, which is no POP3 response", quoting::Bytes(line));
            Error::new(ErrorCode::ProtocolMalformedReply, what)
        })
    }

    /// The text, in which nothing can steer a terminal; of a challenge nothing.
    pub fn text(&self) -> &str {
        match self {
            Self::Ok(text) | Self::Err(_, text) => text,
            Self::Challenge(_) => "",
        }
    }
}

impl fmt::Display for Pop3Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok(_) => "+OK",
            Self::Err(..) => "-ERR",
            Self::Challenge(_) => "+",
        })?;
        if let Self::Err(Some(code), _) = self {
            write!(f, " [{}]", code.as_str())?;
        }
        if !self.text().is_empty() {
            write!(f, " {}", self.text())?;
        }
        Ok(())
    }
}

impl Pop3Code {
    const ALL: [Self; 5] = [Self::InUse, Self::LoginDelay, Self::SystemTemporary, Self::SystemPermanent, Self::Auth];

    /// The code without its brackets.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InUse => "IN-USE",
            Self::LoginDelay => "LOGIN-DELAY",
            Self::SystemTemporary => "SYS/TEMP",
            Self::SystemPermanent => "SYS/PERM",
            Self::Auth => "AUTH",
        }
    }
}

fn separator(input: &[u8]) -> IResult<&[u8], (), ()> {
    value((), alt((tag(" "), recognize(peek(eof))))).parse(input)
}

fn rest(input: &[u8]) -> IResult<&[u8], &[u8], ()> {
    Ok((&[], input))
}

/// A response code; one that nobody here knows is passed over.
fn code(input: &[u8]) -> IResult<&[u8], Option<Pop3Code>, ()> {
    let known = |name: &[u8]| {
        let is =
            |code: &Pop3Code| tag_no_case::<_, _, ()>(code.as_str()).parse(name).is_ok_and(|(rest, _)| rest.is_empty());
        Pop3Code::ALL.into_iter().find(is)
    };
    map(delimited(tag("["), is_not("] \t"), tag("]")), known).parse(input)
}

fn printable(text: &[u8]) -> String {
    let mut shown = String::new();
    push_printable(text.trim_ascii(), &mut shown);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn known_answers() {
        let ok = |text: &str| Pop3Response::Ok(text.into());
        let err = |code, text: &str| Pop3Response::Err(code, text.into());
        for (line, response, shown) in [
            (&b"+OK"[..], ok(""), "+OK"),
            (b"+OK ", ok(""), "+OK"),
            (b"+OK 2 320", ok("2 320"), "+OK 2 320"),
            (b"-ERR", err(None, ""), "-ERR"),
            (b"-ERR no such mailbox", err(None, "no such mailbox"), "-ERR no such mailbox"),
            (b"-ERR [IN-USE] busy", err(Some(Pop3Code::InUse), "busy"), "-ERR [IN-USE] busy"),
            (b"-ERR [sys/temp]busy", err(Some(Pop3Code::SystemTemporary), "busy"), "-ERR [SYS/TEMP] busy"),
            (b"-ERR [X-NEW] busy", err(None, "busy"), "-ERR busy"),
            (b"-ERR [not a code] x", err(None, "[not a code] x"), "-ERR [not a code] x"),
            (b"+OK a\x1b[2Jb\xff", ok("a\u{fffd}[2Jb\u{fffd}"), "+OK a\u{fffd}[2Jb\u{fffd}"),
            (b"+ YWJj", Pop3Response::Challenge(b"YWJj".into()), "+"),
            (b"+ ", Pop3Response::Challenge(b"".into()), "+"),
            (b"+", Pop3Response::Challenge(b"".into()), "+"),
        ] {
            let parsed = Pop3Response::parse(line).unwrap();
            assert_eq!((parsed.to_string().as_str(), &parsed), (shown, &response));
        }
    }

    #[test]
    fn what_is_none() {
        for line in [&b""[..], b"+ok", b"+OKAY", b"-ERROR", b"-", b"OK", b"220 hi", b" +OK", b"+x", b"* OK"] {
            assert_eq!(Pop3Response::parse(line).unwrap_err().code(), ErrorCode::ProtocolMalformedReply, "{line:?}");
        }
    }
}
