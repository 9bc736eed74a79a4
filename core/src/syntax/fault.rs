//! What is wrong with an address: the error type of its grammar.

use alloc::format;

use nom::IResult;
use nom::error::{ErrorKind, ParseError};

use super::quoting;
use crate::{Error, ErrorCode};

/// What a parser of the address grammar gives: the rest, and the value.
pub(super) type Parsed<'a, T> = IResult<&'a str, T, Fault>;

/// A verb phrase that goes behind the address, and the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    code: ErrorCode,
    why: &'static str,
}

impl Fault {
    pub(super) const fn why(&self) -> &'static str {
        self.why
    }

    pub(super) const fn syntax(why: &'static str) -> nom::Err<Self> {
        nom::Err::Error(Self { code: ErrorCode::AddressSyntax, why })
    }

    pub(super) const fn too_long(why: &'static str) -> nom::Err<Self> {
        nom::Err::Error(Self { code: ErrorCode::AddressTooLong, why })
    }

    /// For `rest`, which begins where something else had to come.
    pub(super) fn unexpected(rest: &str, missing: &'static str) -> nom::Err<Self> {
        Self::syntax(match rest.chars().next() {
            None => missing,
            // The end of a path.
            Some('>') if rest.len() == 1 || rest.starts_with("> ") => missing,
            Some(' ') => "holds a space",
            Some(c) if c.is_control() => "holds a control character",
            Some('@') => "has more than one @",
            Some('"') => "has a quote at the wrong place",
            Some(_) => "holds a character that can't stand there without quotes",
        })
    }
}

impl ParseError<&str> for Fault {
    fn from_error_kind(_: &str, _: ErrorKind) -> Self {
        Self { code: ErrorCode::AddressSyntax, why: "is malformed" }
    }

    fn append(_: &str, _: ErrorKind, other: Self) -> Self {
        other
    }
}

/// Parses all of `text`, a `noun`, into a value.
pub(super) fn parse_all<'a, T>(
    noun: &str,
    text: &'a str,
    parser: impl FnOnce(&'a str) -> Parsed<'a, T>,
) -> Result<T, Error> {
    let fault = if text.is_empty() {
        Fault::syntax("is empty")
    } else if quoting::has_control(text) {
        Fault::syntax("holds a control character")
    } else if text.starts_with(' ') || text.ends_with(' ') {
        Fault::syntax("begins or ends with a space")
    } else {
        match parser(text) {
            Ok(("", value)) => return Ok(value),
            Ok((rest, _)) => Fault::unexpected(rest, "is malformed"),
            Err(fault) => fault,
        }
    };
    Err(explain(&fault, noun, text))
}

/// What `fault` says of `text`, a `noun`.
pub(super) fn explain(fault: &nom::Err<Fault>, noun: &str, text: &str) -> Error {
    let fault = match fault {
        nom::Err::Error(fault) | nom::Err::Failure(fault) => *fault,
        nom::Err::Incomplete(_) => Fault::from_error_kind(text, ErrorKind::Complete),
    };
    error(fault.code, noun, text, fault.why)
}

/// The error for `text`, a `noun`, and what is wrong with it.
pub(super) fn error(code: ErrorCode, noun: &str, text: &str, why: &str) -> Error {
    Error::new(code, format!("the {noun} {} {why}", quoting::Text(text)))
}
