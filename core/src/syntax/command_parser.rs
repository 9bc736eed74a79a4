//! Commands from bytes, for a receiver.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use core::fmt;
use core::str::FromStr;

use nom::bytes::complete::{tag, tag_no_case, take_while1};
use nom::character::complete::{digit1, space0, space1};
use nom::combinator::{all_consuming, map_opt, opt};
use nom::sequence::preceded;
use nom::{IResult, Parser};

use super::fault::Parsed;
use super::parameter::parse_each;
use super::path::{forward_path, reverse_path};
use super::{Command, EnhancedCode, MailParameters, Parameter, RcptParameters, ReplyCode, quoting};
use crate::Error;

// RFC 5321 section 4.1.1
//
//   ehlo     = "EHLO" SP ( Domain / address-literal ) CRLF
//   helo     = "HELO" SP Domain CRLF
//   mail     = "MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF
//   rcpt     = "RCPT TO:" ( "<Postmaster@" Domain ">" / "<Postmaster>" / Forward-path ) [SP Rcpt-parameters] CRLF
//   data     = "DATA" CRLF
//   rset     = "RSET" CRLF
//   vrfy     = "VRFY" SP String CRLF
//   expn     = "EXPN" SP String CRLF
//   help     = "HELP" [ SP String ] CRLF
//   noop     = "NOOP" [ SP String ] CRLF
//   quit     = "QUIT" CRLF
//
// RFC 2033 section 4.1:  lhlo     = "LHLO" SP ( Domain / address-literal ) CRLF
// RFC 3207 section 4:    starttls = "STARTTLS" CRLF
// RFC 4954 section 4:    auth     = "AUTH" SP sasl-mech [SP initial-response] CRLF
// RFC 3030 section 2:    bdat     = "BDAT" SP chunk-size [ SP "LAST" ] CRLF
//
// Leniency: spaces and tabs before the line end and several spaces between words, which people type and section 4.1.1
// tells receivers to tolerate; spaces behind the colon of MAIL FROM and RCPT TO, as old mailers from Microsoft put them.

impl Command {
    /// Parses one line, with its line end or without. A path without angle brackets is refused.
    ///
    /// What the parameters ask for is not judged: whether one that has no field of its own is known (555) depends on what
    /// the receiver has offered.
    ///
    /// # Errors
    ///
    /// The reply that fits.
    pub fn parse(line: &[u8]) -> Result<Self, CommandError> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = core::str::from_utf8(line).map_err(|_| CommandError::syntax("the line is not UTF-8"))?;
        let line = line.trim_end_matches([' ', '\t']);
        if quoting::has_control(line) {
            return Err(CommandError::syntax("the line holds a control character"));
        }
        let (argument, verb) = verb(line).map_err(|_| CommandError::syntax("there is no command"))?;
        let mut upper = [0; LONGEST_VERB];
        let Some(upper) = upper.get_mut(..verb.len()) else {
            return Err(CommandError::unknown());
        };
        upper.copy_from_slice(verb.as_bytes());
        upper.make_ascii_uppercase();
        match &*upper {
            b"EHLO" => required(argument).map(Self::Ehlo),
            b"HELO" => required(argument).map(Self::Helo),
            b"LHLO" => required(argument).map(Self::Lhlo),
            b"STARTTLS" => nothing(argument, Self::StartTls),
            b"AUTH" => auth(argument),
            b"MAIL" => mail(argument),
            b"RCPT" => rcpt(argument),
            b"DATA" => nothing(argument, Self::Data),
            b"BDAT" => bdat(argument),
            b"RSET" => nothing(argument, Self::Rset),
            b"NOOP" => optional(argument).map(Self::Noop),
            b"VRFY" => required(argument).map(Self::Vrfy),
            b"EXPN" => required(argument).map(Self::Expn),
            b"HELP" => optional(argument).map(Self::Help),
            b"QUIT" => nothing(argument, Self::Quit),
            b"SEND" | b"SOML" | b"SAML" | b"TURN" | b"ETRN" | b"ATRN" | b"BURL" => Err(CommandError::not_implemented()),
            _ => Err(CommandError::unknown()),
        }
    }
}

/// Why a line is no command, and the reply that fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandError {
    code: ReplyCode,
    enhanced: EnhancedCode,
    what: Cow<'static, str>,
}

impl CommandError {
    /// 500, 501 or 502.
    pub fn code(&self) -> ReplyCode {
        self.code
    }

    /// The enhanced code for it.
    pub fn enhanced(&self) -> EnhancedCode {
        self.enhanced
    }

    /// What is wrong, as a clause in printable characters.
    pub fn what(&self) -> &str {
        &self.what
    }

    fn unknown() -> Self {
        Self::new(ReplyCode::UNRECOGNISED, (5, 2), "the command is unknown")
    }

    fn not_implemented() -> Self {
        Self::new(ReplyCode::NOT_IMPLEMENTED, (5, 1), "the command is not implemented")
    }

    fn syntax(what: &'static str) -> Self {
        Self::new(ReplyCode::UNRECOGNISED, (5, 2), what)
    }

    fn argument(what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ReplyCode::BAD_ARGUMENT, (5, 4), what)
    }

    fn new(code: ReplyCode, (subject, detail): (u16, u16), what: impl Into<Cow<'static, str>>) -> Self {
        Self { code, enhanced: EnhancedCode { class: 5, subject, detail }, what: what.into() }
    }
}

impl From<Error> for CommandError {
    /// For an argument that could not be parsed.
    fn from(error: Error) -> Self {
        Self::argument(alloc::string::String::from(error.what()))
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.code, self.enhanced, self.what)
    }
}

impl core::error::Error for CommandError {}

/// STARTTLS.
const LONGEST_VERB: usize = 8;

/// The verb, and what stands behind the spaces behind it.
fn verb(line: &str) -> IResult<&str, &str> {
    let (rest, verb) = take_while1(|c: char| c.is_ascii_alphanumeric()).parse(line)?;
    if rest.is_empty() {
        return Ok((rest, verb));
    }
    let (argument, _) = space1(rest)?;
    Ok((argument, verb))
}

fn nothing(argument: &str, command: Command) -> Result<Command, CommandError> {
    if argument.is_empty() { Ok(command) } else { Err(CommandError::argument("the command has no argument")) }
}

fn required<T: FromStr<Err = Error>>(argument: &str) -> Result<T, CommandError> {
    if argument.is_empty() {
        return Err(CommandError::argument("the command needs an argument"));
    }
    Ok(argument.parse()?)
}

fn optional<T: FromStr<Err = Error>>(argument: &str) -> Result<Option<T>, CommandError> {
    if argument.is_empty() { Ok(None) } else { Ok(Some(argument.parse()?)) }
}

fn auth(argument: &str) -> Result<Command, CommandError> {
    let (mechanism, response) = argument.split_once(' ').unwrap_or((argument, ""));
    let response = response.trim_start_matches(' ');
    let initial_response = match response {
        "" => None,
        // RFC 4954 section 4 asks for 501 and 5.5.2 where base64 can't be decoded.
        _ => Some(response.parse().map_err(|error: Error| {
            CommandError::new(ReplyCode::BAD_ARGUMENT, (5, 2), alloc::string::String::from(error.what()))
        })?),
    };
    Ok(Command::Auth { mechanism: required(mechanism)?, initial_response })
}

fn mail(argument: &str) -> Result<Command, CommandError> {
    let mut parameters = Box::<MailParameters>::default();
    // 5.1.7: bad sender's mailbox address syntax.
    let path = path_and_parameters(argument, "FROM:", (1, 7), reverse_path, |parameter| parameters.add(parameter))?;
    Ok(Command::Mail { path, parameters })
}

fn rcpt(argument: &str) -> Result<Command, CommandError> {
    let mut parameters = RcptParameters::default();
    // 5.1.3: bad destination mailbox address syntax.
    let path = path_and_parameters(argument, "TO:", (1, 3), forward_path, |parameter| parameters.add(parameter))?;
    Ok(Command::Rcpt { path, parameters })
}

fn path_and_parameters<'a, T>(
    argument: &'a str,
    keyword: &'static str,
    about: (u16, u16),
    path: impl FnOnce(&'a str) -> Parsed<'a, T>,
    add: impl FnMut(Parameter) -> Result<(), Error>,
) -> Result<T, CommandError> {
    let from: IResult<&str, _> = (tag_no_case(keyword), space0).parse(argument);
    let Ok((rest, _)) = from else {
        return Err(CommandError::argument(alloc::format!("{keyword} and a path have to follow")));
    };
    let (rest, path) = path(rest).map_err(|fault| {
        let why = match fault {
            nom::Err::Error(fault) | nom::Err::Failure(fault) => fault.why(),
            nom::Err::Incomplete(_) => "is not complete",
        };
        CommandError::new(ReplyCode::BAD_ARGUMENT, about, alloc::format!("the path {why}"))
    })?;
    if !rest.is_empty() && !rest.starts_with(' ') {
        return Err(CommandError::argument("something stands behind the path"));
    }
    parse_each(rest, add)?;
    Ok(path)
}

fn bdat(argument: &str) -> Result<Command, CommandError> {
    let size = map_opt(digit1, |digits: &str| digits.parse::<u64>().ok());
    let last = opt(preceded((tag(" "), space0), tag_no_case("LAST")));
    let parsed: IResult<&str, _> = all_consuming((size, last)).parse(argument);
    match parsed {
        Ok((_, (size, last))) => Ok(Command::Bdat { size, last: last.is_some() }),
        Err(_) => Err(CommandError::argument("BDAT needs a size, and LAST behind the last one")),
    }
}

#[cfg(test)]
mod tests;
