use alloc::format;

use super::DateTime;
use crate::{Error, ErrorCode};

/// How long the server is to keep the message before it goes on (RFC 4865 section 4).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Hold {
    /// HOLDFOR: so long.
    For(HoldInterval),
    /// HOLDUNTIL: until then (a date-time of RFC 3339, by erratum 2040).
    Until(DateTime),
}

/// Seconds, 1 to 999 999 999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HoldInterval(u32);

impl HoldInterval {
    /// So many seconds.
    ///
    /// # Errors
    ///
    /// `usage` for zero and for more than nine digits.
    pub fn new(seconds: u64) -> Result<Self, Error> {
        // future-release-integer = %x31-39 *8DIGIT
        match u32::try_from(seconds) {
            Ok(seconds @ 1..=999_999_999) => Ok(Self(seconds)),
            _ => Err(Error::new(ErrorCode::Usage, format!("a message can't be held for {seconds} seconds"))),
        }
    }

    /// The seconds.
    pub fn seconds(self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_one_to_nine_digits() {
        assert_eq!(HoldInterval::new(1).map(HoldInterval::seconds), Ok(1));
        assert_eq!(HoldInterval::new(999_999_999).map(HoldInterval::seconds), Ok(999_999_999));
        for seconds in [0, 1_000_000_000, u64::MAX] {
            assert!(HoldInterval::new(seconds).is_err(), "{seconds}");
        }
    }
}
