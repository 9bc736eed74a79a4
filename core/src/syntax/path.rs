use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use nom::Parser;
use nom::bytes::complete::{tag, tag_no_case};
use nom::combinator::opt;
use nom::multi::separated_list1;
use nom::sequence::{preceded, terminated};

use super::Mailbox;
use super::domain::domain;
use super::fault::{Fault, Parsed, parse_all};
use super::mailbox::mailbox;
use crate::Error;

/// Where bounces go (RFC 5321 section 4.1.2).
///
/// It is parsed from its form with angle brackets. A source route is accepted and dropped (section 4.1.1.3, appendix C).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReversePath {
    /// `<>`: nowhere, since the message is a notification itself (section 4.5.5).
    Null,
    /// To a mailbox.
    Mailbox(Mailbox),
}

impl ReversePath {
    /// The mailbox, if there is one.
    pub fn mailbox(&self) -> Option<&Mailbox> {
        match self {
            Self::Null => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }

    /// Whether it can go to a server without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.mailbox().is_none_or(Mailbox::is_ascii)
    }

    /// Appends it with angle brackets.
    pub fn encode(&self, out: &mut Vec<u8>) {
        bracket(self.mailbox().map_or("", Mailbox::as_str), out);
    }
}

impl From<Mailbox> for ReversePath {
    fn from(mailbox: Mailbox) -> Self {
        Self::Mailbox(mailbox)
    }
}

impl FromStr for ReversePath {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse_all("path", text, reverse_path)
    }
}

impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.mailbox().map_or("", Mailbox::as_str))
    }
}

/// Where the message goes (RFC 5321 section 4.1.2).
///
/// It is parsed from its form with angle brackets. A source route is accepted and dropped (section 4.1.1.3, appendix C).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ForwardPath {
    /// `<Postmaster>`: whoever runs the server (section 4.5.1).
    Postmaster,
    /// To a mailbox.
    Mailbox(Mailbox),
}

impl ForwardPath {
    /// The mailbox, if it is one with a domain.
    pub fn mailbox(&self) -> Option<&Mailbox> {
        match self {
            Self::Postmaster => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }

    /// The path without angle brackets.
    pub fn as_str(&self) -> &str {
        self.mailbox().map_or(POSTMASTER, Mailbox::as_str)
    }

    /// Whether it can go to a server without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.mailbox().is_none_or(Mailbox::is_ascii)
    }

    /// Appends it with angle brackets.
    pub fn encode(&self, out: &mut Vec<u8>) {
        bracket(self.as_str(), out);
    }
}

impl From<Mailbox> for ForwardPath {
    fn from(mailbox: Mailbox) -> Self {
        Self::Mailbox(mailbox)
    }
}

impl FromStr for ForwardPath {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse_all("path", text, forward_path)
    }
}

impl fmt::Display for ForwardPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.as_str())
    }
}

const POSTMASTER: &str = "Postmaster";

fn bracket(path: &str, out: &mut Vec<u8>) {
    out.push(b'<');
    out.extend_from_slice(path.as_bytes());
    out.push(b'>');
}

// RFC 5321 sections 4.1.1.2, 4.1.1.3 and 4.1.2
//
//   Reverse-path = Path / "<>"
//   Forward-path = Path / "<Postmaster>"
//   Path         = "<" [ A-d-l ":" ] Mailbox ">"
//   A-d-l        = At-domain *( "," At-domain )
//   At-domain    = "@" Domain

/// A reverse-path at the front of `input`.
pub(super) fn reverse_path(input: &str) -> Parsed<'_, ReversePath> {
    match input.strip_prefix("<>") {
        Some(rest) => Ok((rest, ReversePath::Null)),
        None => path(input).map(|(rest, mailbox)| (rest, mailbox.into())),
    }
}

/// A forward-path at the front of `input`.
pub(super) fn forward_path(input: &str) -> Parsed<'_, ForwardPath> {
    let postmaster: Parsed<'_, &str> = tag_no_case("<Postmaster>").parse(input);
    match postmaster {
        Ok((rest, _)) => Ok((rest, ForwardPath::Postmaster)),
        Err(_) => path(input).map(|(rest, mailbox)| (rest, mailbox.into())),
    }
}

fn path(input: &str) -> Parsed<'_, Mailbox> {
    let Some(input) = input.strip_prefix('<') else {
        return Err(Fault::syntax("is not in angle brackets"));
    };
    let source_route = terminated(separated_list1(tag(","), preceded(tag("@"), domain)), tag(":"));
    let (input, _) = opt(source_route).parse(input)?;
    let (rest, mailbox) = mailbox(input)?;
    match rest.strip_prefix('>') {
        Some(rest) => Ok((rest, mailbox)),
        None => Err(Fault::unexpected(rest, "has no closing bracket")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorCode;
    use alloc::string::ToString;

    #[test]
    fn known_answers() {
        for (text, canonical) in [
            ("<user@example.com>", "<user@example.com>"),
            ("<\"a>b\"@example.com>", "<\"a>b\"@example.com>"),
            ("<@a.example,@b.example:user@c.example>", "<user@c.example>"),
            ("<@[192.0.2.1]:user@c.example>", "<user@c.example>"),
            ("<josé@exämple.test>", "<josé@exämple.test>"),
        ] {
            let reverse: ReversePath = text.parse().unwrap();
            let forward: ForwardPath = text.parse().unwrap();
            let mut out = Vec::new();
            reverse.encode(&mut out);
            forward.encode(&mut out);
            assert_eq!(out, canonical.repeat(2).as_bytes());
            assert_eq!((reverse.to_string(), forward.to_string()), (canonical.to_string(), canonical.to_string()));
            assert_eq!((canonical.parse(), canonical.parse()), (Ok(reverse), Ok(forward)));
        }
        assert_eq!("<>".parse(), Ok(ReversePath::Null));
        assert_eq!(ReversePath::Null.to_string(), "<>");
        assert_eq!("<postMASTER>".parse(), Ok(ForwardPath::Postmaster));
        assert_eq!(ForwardPath::Postmaster.to_string(), "<Postmaster>");
    }

    #[test]
    fn what_is_none() {
        for text in [
            "",
            "user@example.com",
            "<user@example.com",
            "<user@example.com>>",
            "<user@example.com> ",
            "<<user@example.com>>",
            "< user@example.com>",
            "<user>",
            "<@a.example>",
            "<@a.example:>",
            "<@a.example,user@b.example>",
            "<@a.example,:user@b.example>",
            "<@:user@b.example>",
            "<user@example.com>\r\nDATA",
            "<user@example.com\r\n>",
        ] {
            assert_eq!(
                text.parse::<ReversePath>().map_err(|error| error.code()),
                Err(ErrorCode::AddressSyntax),
                "{text:?}"
            );
            assert_eq!(
                text.parse::<ForwardPath>().map_err(|error| error.code()),
                Err(ErrorCode::AddressSyntax),
                "{text:?}"
            );
        }
        assert!("<>".parse::<ForwardPath>().is_err());
        assert!("<Postmaster>".parse::<ReversePath>().is_err());
    }
}
