use alloc::boxed::Box;
use alloc::format;
use core::fmt;
use core::str::FromStr;

use super::quoting;
use crate::{Error, ErrorCode};

/// What stands behind VRFY, EXPN, HELP or NOOP (RFC 5321 section 4.1.2, `String`).
///
/// Some text without control characters, and without spaces at its edges.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Argument(Box<str>);

impl Argument {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Argument {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.is_empty() || text.starts_with(' ') || text.ends_with(' ') || quoting::has_control(text) {
            let what = format!(
                "{} can't be an argument: it is empty, or has control characters or spaces at its edges",
                quoting::Text(text)
            );
            return Err(Error::new(ErrorCode::Usage, what));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_text_on_one_line() {
        for text in ["user", "Jones Smith", "<user@example.com> SMTPUTF8", "josé"] {
            assert_eq!(text.parse::<Argument>().unwrap().as_str(), text);
        }
        for text in ["", " ", " a", "a ", "a\r\nRSET", "a\nb", "a\rb", "a\0b", "a\tb", "a\u{85}b"] {
            assert_eq!(text.parse::<Argument>().map_err(|error| error.code()), Err(ErrorCode::Usage), "{text:?}");
        }
    }
}
