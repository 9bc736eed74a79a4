use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use zeroize::Zeroizing;

use super::quoting;
use crate::{Error, ErrorCode};

/// The name of an authentication mechanism, in upper case (RFC 4422 section 3.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MechanismName(Box<str>);

impl MechanismName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MechanismName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        // sasl-mech = 1*20mech-char
        // mech-char = UPPER-ALPHA / DIGIT / HYPHEN / UNDERSCORE
        let is_mech_char = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if !(1..=20).contains(&text.len()) || !text.bytes().all(is_mech_char) {
            let what = format!("{} is no name of a mechanism", quoting::Text(text));
            return Err(Error::new(ErrorCode::Usage, what));
        }
        Ok(Self(text.to_ascii_uppercase().into()))
    }
}

impl fmt::Display for MechanismName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The initial response behind AUTH, in base64 (RFC 4954 section 4). It is a secret: it is not shown, and zeroized.
#[derive(Clone, PartialEq, Eq)]
pub struct InitialResponse(Zeroizing<String>);

impl InitialResponse {
    /// The base64 as it goes out; `=` stands for an empty response.
    pub fn as_base64(&self) -> &str {
        &self.0
    }
}

impl FromStr for InitialResponse {
    type Err = Error;

    /// From base64 with padding, or `=`.
    fn from_str(text: &str) -> Result<Self, Error> {
        // initial-response = base64 / "="
        // base64           = base64-terminal / ( 1*(4base64-CHAR) [base64-terminal] )
        // base64-terminal  = (2base64-char "==") / (3base64-char "=")
        let digits = text.trim_end_matches('=');
        let padding = text.len() - digits.len();
        let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
        let base64 = !text.is_empty() && text.len().is_multiple_of(4) && padding <= 2 && digits.bytes().all(is_digit);
        if text != "=" && !base64 {
            return Err(Error::new(ErrorCode::Usage, "the initial response is not base64"));
        }
        // Not `to_string`, which could leave a copy behind when it grows.
        let mut held = String::with_capacity(text.len());
        held.push_str(text);
        Ok(Self(Zeroizing::new(held)))
    }
}

impl fmt::Debug for InitialResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InitialResponse(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!("scram-sha-256-plus".parse::<MechanismName>().unwrap().as_str(), "SCRAM-SHA-256-PLUS");
        for text in ["", "PLAIN X", "PLAIN\r\n", "PLÄIN", "PLAIN=", "ABCDEFGHIJKLMNOPQRSTU"] {
            assert!(text.parse::<MechanismName>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn responses() {
        for text in ["=", "AHQAdA==", "YWI=", "YWJj", "+/+/"] {
            assert_eq!(text.parse::<InitialResponse>().unwrap().as_base64(), text);
        }
        for text in ["", "==", "====", "A===", "YWI", "Y=I=", "YW I", "YWJj\r\n", "YWJ-", "YWJ\0"] {
            let error = text.parse::<InitialResponse>().unwrap_err();
            assert!(!error.what().contains("YW"), "{text:?}");
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        let response: InitialResponse = "AHQAdA==".parse().unwrap();
        assert_eq!(format!("{response:?}"), "InitialResponse(..)");
    }
}
