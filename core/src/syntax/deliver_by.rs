use alloc::format;
use alloc::vec::Vec;
use core::str::FromStr;

use nom::branch::alt;
use nom::bytes::complete::{tag_no_case, take_while_m_n};
use nom::character::complete::{char, one_of};
use nom::combinator::{all_consuming, map_res, opt, value};
use nom::{IResult, Parser};

use super::{decimal, quoting};
use crate::{Error, ErrorCode};

/// Until when the message has to be delivered, and what then (RFC 2852 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeliverBy {
    seconds: i32,
    mode: DeliverByMode,
    trace: bool,
}

/// What happens when the time is over (RFC 2852 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeliverByMode {
    /// `N`: a notification, and delivery goes on.
    Notify,
    /// `R`: the message is returned.
    Return,
}

impl DeliverBy {
    /// `seconds` from now, at most nine digits; in the past only with [`DeliverByMode::Notify`]. `trace` asks for a notification
    /// from each relay.
    ///
    /// # Errors
    ///
    /// `usage` for any other time.
    pub fn new(seconds: i32, mode: DeliverByMode, trace: bool) -> Result<Self, Error> {
        const MOST: u32 = 999_999_999;
        if seconds.unsigned_abs() > MOST || mode == DeliverByMode::Return && seconds <= 0 {
            return Err(Error::new(
                ErrorCode::Usage,
                format!("a message can't be delivered or returned by {seconds} seconds"),
            ));
        }
        Ok(Self { seconds, mode, trace })
    }

    /// From now; negative when the time is over.
    pub fn seconds(self) -> i32 {
        self.seconds
    }

    /// What happens then.
    pub fn mode(self) -> DeliverByMode {
        self.mode
    }

    /// Whether each relay is to send a notification.
    pub fn trace(self) -> bool {
        self.trace
    }

    pub(super) fn encode(self, out: &mut Vec<u8>) {
        if self.seconds < 0 {
            out.push(b'-');
        }
        decimal::push(self.seconds.unsigned_abs().into(), out);
        out.extend_from_slice(match self.mode {
            DeliverByMode::Notify => b";N",
            DeliverByMode::Return => b";R",
        });
        if self.trace {
            out.push(b'T');
        }
    }
}

impl FromStr for DeliverBy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let malformed = || Error::new(ErrorCode::Usage, format!("{} is not of the form 120;R", quoting::Text(text)));
        let (_, (seconds, mode, trace)) = all_consuming(by_value).parse(text).map_err(|_| malformed())?;
        Self::new(seconds, mode, trace)
    }
}

// RFC 2852 section 4
//
//   by-value = by-time ";" by-mode [by-trace]
//   by-time  = ["-" / "+"] 1*9digit
//   by-mode  = "N" / "R"
//   by-trace = "T"

fn by_value(input: &str) -> IResult<&str, (i32, DeliverByMode, bool)> {
    let digits = take_while_m_n(1, 9, |c: char| c.is_ascii_digit());
    let time = map_res((opt(one_of("+-")), digits), |(sign, digits): (_, &str)| {
        digits.parse::<i32>().map(|seconds| if sign == Some('-') { -seconds } else { seconds })
    });
    let mode = alt((value(DeliverByMode::Notify, tag_no_case("N")), value(DeliverByMode::Return, tag_no_case("R"))));
    let (rest, (seconds, _, mode, trace)) = (time, char(';'), mode, opt(tag_no_case("T"))).parse(input)?;
    Ok((rest, (seconds, mode, trace.is_some())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        for (text, canonical) in [
            ("120;R", "120;R"),
            ("+86400;rt", "86400;RT"),
            ("-30;N", "-30;N"),
            ("0;NT", "0;NT"),
            ("999999999;N", "999999999;N"),
            ("-999999999;N", "-999999999;N"),
            ("007;R", "7;R"),
        ] {
            let deliver_by: DeliverBy = text.parse().unwrap();
            let mut out = Vec::new();
            deliver_by.encode(&mut out);
            assert_eq!(out, canonical.as_bytes());
            assert_eq!(canonical.parse(), Ok(deliver_by));
        }
    }

    #[test]
    fn what_is_none() {
        for text in [
            "",
            "120",
            "120;",
            "120;X",
            "120;RX",
            "120;TR",
            "0;R",
            "-1;R",
            "1000000000;N",
            "1.5;N",
            " 1;N",
            "1;N\r\n",
            "--1;N",
        ] {
            assert_eq!(text.parse::<DeliverBy>().map_err(|error| error.code()), Err(ErrorCode::Usage), "{text:?}");
        }
        assert!(DeliverBy::new(1_000_000_000, DeliverByMode::Notify, false).is_err());
        assert!(DeliverBy::new(i32::MIN, DeliverByMode::Notify, false).is_err());
    }
}
