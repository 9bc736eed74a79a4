use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use nom::bytes::complete::{tag, take_while, take_while1};
use nom::combinator::{opt, verify};
use nom::sequence::preceded;
use nom::{IResult, Parser};

use super::quoting;
use crate::{Error, ErrorCode};

/// A parameter of MAIL or RCPT as text (RFC 5321 section 4.1.2): `KEYWORD` or `KEYWORD=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Parameter {
    keyword: Box<str>,
    value: Option<Box<str>>,
}

impl Parameter {
    /// A parameter from its parts.
    ///
    /// # Errors
    ///
    /// `usage` if the keyword is not made of ASCII letters, digits and hyphens, or the value holds a space, an equals sign
    /// or a control character.
    pub fn new(keyword: &str, value: Option<&str>) -> Result<Self, Error> {
        match value {
            None => keyword.parse(),
            Some(value) => format!("{keyword}={value}").parse(),
        }
        .and_then(|parameter: Self| match parameter.keyword.len() == keyword.len() {
            true => Ok(parameter),
            false => Err(malformed(keyword)),
        })
    }

    /// The keyword, in upper case.
    pub fn keyword(&self) -> &str {
        &self.keyword
    }

    /// What stands behind the equals sign.
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }

    /// Appends a space and the parameter.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push(b' ');
        out.extend_from_slice(self.keyword.as_bytes());
        if let Some(value) = &self.value {
            out.push(b'=');
            out.extend_from_slice(value.as_bytes());
        }
    }
}

impl FromStr for Parameter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match esmtp_param(text) {
            Ok(("", (keyword, value))) => {
                Ok(Self { keyword: keyword.to_ascii_uppercase().into(), value: value.map(Into::into) })
            }
            _ => Err(malformed(text)),
        }
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.keyword)?;
        match &self.value {
            Some(value) => write!(f, "={value}"),
            None => Ok(()),
        }
    }
}

/// Sets `slot`, a field that stands for `parameter`, to its value as `decode` understands it.
pub(super) fn set<T>(
    slot: &mut Option<T>,
    parameter: &Parameter,
    decode: impl FnOnce(&str) -> Option<T>,
) -> Result<(), Error> {
    let Some(text) = parameter.value() else {
        return Err(wrong(parameter, "needs a value"));
    };
    let Some(value) = decode(text) else {
        return Err(wrong(parameter, "can't have this value"));
    };
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(wrong(parameter, "is there twice")),
    }
}

/// Sets `slot`, a field that stands for `parameter`, which has no value.
pub(super) fn set_flag(slot: &mut bool, parameter: &Parameter) -> Result<(), Error> {
    if parameter.value().is_some() {
        Err(wrong(parameter, "can't have a value"))
    } else if core::mem::replace(slot, true) {
        Err(wrong(parameter, "is there twice"))
    } else {
        Ok(())
    }
}

/// Puts `parameter`, which stands for no field, among the others.
pub(super) fn push(others: &mut Vec<Parameter>, parameter: Parameter) -> Result<(), Error> {
    if others.iter().any(|other| other.keyword == parameter.keyword) {
        return Err(wrong(&parameter, "is there twice"));
    }
    others.push(parameter);
    Ok(())
}

/// Gives each parameter behind a path to `add`.
///
/// Leniency: several spaces between them and some at the end, which hand-made clients send.
pub(super) fn parse_each(input: &str, mut add: impl FnMut(Parameter) -> Result<(), Error>) -> Result<(), Error> {
    input.split(' ').filter(|word| !word.is_empty()).try_for_each(|word| add(word.parse()?))
}

fn wrong(parameter: &Parameter, why: &str) -> Error {
    let text = alloc::string::ToString::to_string(parameter);
    Error::new(ErrorCode::Usage, format!("the parameter {} {why}", quoting::Text(&text)))
}

fn malformed(text: &str) -> Error {
    Error::new(
        ErrorCode::Usage,
        format!("{} is no parameter of the form KEYWORD or KEYWORD=VALUE", quoting::Text(text)),
    )
}

// RFC 5321 section 4.1.2, RFC 6531 section 3.3
//
//   esmtp-param   = esmtp-keyword ["=" esmtp-value]
//   esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
//   esmtp-value   = 1*(%d33-60 / %d62-126 / UTF8-non-ascii)

/// A parameter at the front of `input`.
fn esmtp_param(input: &str) -> IResult<&str, (&str, Option<&str>)> {
    let keyword = take_while(|c: char| c.is_ascii_alphanumeric() || c == '-');
    let keyword = verify(keyword, |keyword: &str| keyword.starts_with(|c: char| c.is_ascii_alphanumeric()));
    let value = take_while1(|c: char| matches!(c, '!'..='<' | '>'..='~') || !c.is_ascii() && !c.is_control());
    (keyword, opt(preceded(tag("="), value))).parse(input)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn known_answers() {
        for (text, keyword, value) in [
            ("SIZE=1000", "SIZE", Some("1000")),
            ("requiretls", "REQUIRETLS", None),
            ("X-a-1=!<>~é", "X-A-1", Some("!<>~é")),
        ] {
            let parameter: Parameter = text.parse().unwrap();
            assert_eq!((parameter.keyword(), parameter.value()), (keyword, value));
            assert_eq!(Parameter::new(keyword, value), Ok(parameter.clone()));
            assert_eq!(parameter.to_string().parse(), Ok(parameter.clone()));
            let mut out = Vec::new();
            parameter.encode(&mut out);
            assert_eq!(out, format!(" {parameter}").as_bytes());
        }
    }

    #[test]
    fn nothing_gets_behind_it() {
        for text in
            ["", "=", "A=", "=b", "-A", "A B", "A=b c", "A=b=c", "A\r\nRSET", "A=b\r\nRSET", "A=\0", "A=\u{85}", "É=1"]
        {
            assert_eq!(text.parse::<Parameter>().map_err(|error| error.code()), Err(ErrorCode::Usage), "{text:?}");
        }
        for (keyword, value) in
            [("A=b", None), ("A=b", Some("c")), ("A B", Some("c")), ("A", Some("")), ("A", Some("b C=d"))]
        {
            assert!(Parameter::new(keyword, value).is_err(), "{keyword:?} {value:?}");
        }
    }
}
