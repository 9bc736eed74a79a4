use alloc::boxed::Box;
use alloc::string::ToString as _;
use core::fmt;

use nom::IResult;
use nom::error::{ErrorKind, ParseError};

use crate::syntax::quoting;

/// What is wrong with a record, or with one of its terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    term: Box<str>,
    why: &'static str,
}

impl Fault {
    pub(super) fn new(term: &[u8], why: Why) -> Self {
        Self { term: quoting::Bytes(term).to_string().into(), why: why.0 }
    }

    /// The beginning of the term, quoted, and nothing in it but printable ASCII.
    pub fn term(&self) -> &str {
        &self.term
    }

    /// A verb phrase that goes behind the term.
    pub fn why(&self) -> &'static str {
        self.why
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.term, self.why)
    }
}

impl core::error::Error for Fault {}

/// What a parser of a term gives.
pub(super) type Parsed<'a, T> = IResult<&'a str, T, Why>;

/// A verb phrase that goes behind the term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Why(pub(super) &'static str);

impl Why {
    /// No other way to read it is tried.
    pub(super) const fn final_one(self) -> nom::Err<Self> {
        nom::Err::Failure(self)
    }
}

impl ParseError<&str> for Why {
    fn from_error_kind(_: &str, _: ErrorKind) -> Self {
        Self("is malformed")
    }

    fn append(_: &str, _: ErrorKind, other: Self) -> Self {
        other
    }
}

impl From<nom::Err<Self>> for Why {
    fn from(error: nom::Err<Self>) -> Self {
        match error {
            nom::Err::Error(why) | nom::Err::Failure(why) => why,
            nom::Err::Incomplete(_) => Self("is malformed"),
        }
    }
}
