//! Lines of words: text that people can read, and that holds any bytes.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{Display, Write as _};
use core::str::FromStr;
use core::time::Duration;

use crate::error::{Error, ErrorCode};

/// What stands for nothing.
const NONE: &str = "-";
/// What stands for nothing in it.
const EMPTY: &str = "%";

/// A line that is being written.
#[derive(Default)]
pub(super) struct Line(String);

impl Line {
    pub(super) fn of(kind: &str) -> Self {
        Self(kind.into())
    }

    #[must_use]
    pub(super) fn number(mut self, value: impl Display) -> Self {
        // Writing to a string does not fail.
        let _ = write!(self.0, " {value}");
        self
    }

    #[must_use]
    pub(super) fn maybe(self, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.number(value),
            None => self.number(NONE),
        }
    }

    /// How long it is until `moment`, below 0 where it is past. The last moment of all is none.
    #[must_use]
    pub(super) fn moment(self, now: Duration, moment: Duration) -> Self {
        let nanos = |time: Duration| i128::try_from(time.as_nanos()).unwrap_or(i128::MAX);
        self.maybe((moment < Duration::MAX).then(|| nanos(moment) - nanos(now)))
    }

    #[must_use]
    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.push(' ');
        match bytes {
            b"" => self.0.push_str(EMPTY),
            b"-" => self.0.push_str("%2d"),
            _ => {
                for byte in bytes {
                    match byte {
                        b'!'..=b'~' if *byte != b'%' => self.0.push(char::from(*byte)),
                        // Writing to a string does not fail.
                        _ => drop(write!(self.0, "%{byte:02x}")),
                    }
                }
            }
        }
        self
    }

    #[must_use]
    pub(super) fn maybe_bytes(self, bytes: Option<&[u8]>) -> Self {
        match bytes {
            Some(bytes) => self.bytes(bytes),
            None => self.number(NONE),
        }
    }

    pub(super) fn end(self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0.as_bytes());
        out.push(b'\n');
    }
}

/// The words of a line that are still to be read.
#[derive(Clone, Debug)]
pub(super) struct Words<'a>(core::str::Split<'a, char>);

/// What is not a snapshot.
pub(super) fn malformed() -> Error {
    Error::new(ErrorCode::Usage, "this is not a snapshot of a dispatcher of this version")
}

impl<'a> Words<'a> {
    pub(super) fn of(line: &'a str) -> Self {
        Self(line.split(' '))
    }

    pub(super) fn word(&mut self) -> Result<&'a str, Error> {
        self.0.next().ok_or_else(malformed)
    }

    /// A word, if there is another.
    pub(super) fn next(&mut self) -> Option<&'a str> {
        self.0.next()
    }

    pub(super) fn number<T: FromStr>(&mut self) -> Result<T, Error> {
        self.word()?.parse().map_err(|_| malformed())
    }

    pub(super) fn maybe<T: FromStr>(&mut self) -> Result<Option<T>, Error> {
        match self.word()? {
            NONE => Ok(None),
            word => word.parse().map(Some).map_err(|_| malformed()),
        }
    }

    /// The moment, after a pause of `away`; what is past is now.
    pub(super) fn moment(&mut self, now: Duration, away: Duration) -> Result<Duration, Error> {
        let Some(left) = self.maybe::<i128>()? else {
            return Ok(Duration::MAX);
        };
        let left = u128::try_from(left).unwrap_or(0);
        let left = u64::try_from(left).map_or(Duration::MAX, Duration::from_nanos);
        Ok(now.saturating_add(left.saturating_sub(away)))
    }

    pub(super) fn flag(&mut self) -> Result<bool, Error> {
        Ok(self.number::<u8>()? != 0)
    }

    pub(super) fn maybe_bytes(&mut self) -> Result<Option<Vec<u8>>, Error> {
        match self.word()? {
            NONE => Ok(None),
            EMPTY => Ok(Some(Vec::new())),
            word => unescape(word).map(Some).ok_or_else(malformed),
        }
    }

    pub(super) fn maybe_text(&mut self) -> Result<Option<String>, Error> {
        let bytes = self.maybe_bytes()?;
        bytes.map(|bytes| String::from_utf8(bytes).map_err(|_| malformed())).transpose()
    }

    pub(super) fn text(&mut self) -> Result<String, Error> {
        self.maybe_text()?.ok_or_else(malformed)
    }
}

fn unescape(word: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let value = digit()? * 16 + digit()?;
        bytes.push(u8::try_from(value).ok()?);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn any_bytes_come_back() {
        let all: Vec<u8> = (0..=255).collect();
        for bytes in [&b""[..], b"-", b"--", b"%", b"250 ok\r\n", "jos\u{e9}".as_bytes(), &all] {
            let mut out = vec![];
            Line::of("line").bytes(bytes).maybe_bytes(Some(bytes)).maybe_bytes(None).end(&mut out);
            let text = String::from_utf8(out).unwrap();
            let mut words = Words::of(text.strip_suffix('\n').unwrap());
            assert_eq!(words.word().unwrap(), "line");
            assert_eq!(words.maybe_bytes().unwrap().as_deref(), Some(bytes));
            assert_eq!(words.maybe_bytes().unwrap().as_deref(), Some(bytes));
            assert_eq!(words.maybe_bytes().unwrap(), None);
            assert!(words.word().is_err());
        }
    }

    #[test]
    fn moments_move_with_the_clock() {
        let second = Duration::from_secs(1);
        for (moment, away, expected) in [
            (Duration::MAX, second, Duration::MAX),
            (second * 110, second, second * 5 + second * 9),
            (second * 110, second * 30, second * 5),
            (second * 90, Duration::ZERO, second * 5),
        ] {
            let mut out = vec![];
            Line::of("line").moment(second * 100, moment).end(&mut out);
            let text = String::from_utf8(out).unwrap();
            let mut words = Words::of(text.trim_end());
            words.word().unwrap();
            assert_eq!(words.moment(second * 5, away).unwrap(), expected, "{text}");
        }
    }
}
