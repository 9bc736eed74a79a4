//! Plain values in a row of octets: what a record is made of.
//!
//! | kind | octets |
//! |---|---|
//! | octet, flag | 1; a flag is 0 or 1 |
//! | count | 4, the least significant first |
//! | number | 8, as IEEE 754 has it, the least significant first; not a number stands for "none" |
//! | bytes | a count, and so many octets |
//! | text | bytes that are UTF-8 |
//! | optional value | a flag, and the value if that is 1 |
//! | list | a count, and so many values |

use alloc::vec::Vec;
use core::time::Duration;

use okuru_core::{Error, ErrorCode};

/// Takes values from the front of what was packed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(packed: &'a [u8]) -> Self {
        Self(packed)
    }

    pub(crate) const fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn octet(&mut self) -> Result<u8, Error> {
        let [octet] = self.array()?;
        Ok(octet)
    }

    pub(crate) fn flag(&mut self) -> Result<bool, Error> {
        Ok(self.octet()? != 0)
    }

    pub(crate) fn count(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn number(&mut self) -> Result<f64, Error> {
        self.array().map(f64::from_le_bytes)
    }

    /// A number that counts something, or names it.
    pub(crate) fn whole(&mut self) -> Result<u64, Error> {
        // What is no number becomes 0, and what is too large the largest.
        Ok(self.number()? as u64)
    }

    /// A number that may be none.
    pub(crate) fn optional_number(&mut self) -> Result<Option<f64>, Error> {
        let number = self.number()?;
        Ok((!number.is_nan()).then_some(number))
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Error> {
        let length = self.count()? as usize;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or_else(cut_short)?;
        self.0 = rest;
        Ok(bytes)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Error> {
        core::str::from_utf8(self.bytes()?).map_err(|_| broken("a text is not UTF-8"))
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (array, rest) = self.0.split_first_chunk().ok_or_else(cut_short)?;
        self.0 = rest;
        Ok(*array)
    }
}

/// Appends values to what is being packed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn octet(&mut self, octet: u8) {
        self.0.push(octet);
    }

    pub(crate) fn flag(&mut self, flag: bool) {
        self.octet(flag.into());
    }

    pub(crate) fn count(&mut self, count: usize) {
        // What is packed is held in memory, and much shorter than this.
        self.0.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
    }

    pub(crate) fn number(&mut self, number: f64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    /// A number that counts something, or names it.
    pub(crate) fn whole(&mut self, number: u64) {
        self.number(number as f64);
    }

    /// Milliseconds, or none.
    pub(crate) fn time(&mut self, time: Option<Duration>) {
        self.number(time.map_or(f64::NAN, |time| time.as_secs_f64() * 1e3));
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(crate) fn optional<T>(&mut self, value: Option<T>, pack: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            pack(self, value);
        }
    }

    pub(crate) fn list<T>(&mut self, values: impl ExactSizeIterator<Item = T>, mut pack: impl FnMut(&mut Self, T)) {
        self.count(values.len());
        for value in values {
            pack(self, value);
        }
    }

    /// What `pack` packs, behind the count of its octets.
    pub(crate) fn sized(&mut self, pack: impl FnOnce(&mut Self)) {
        let begin = self.0.len();
        self.count(0);
        pack(self);
        let length = self.0.len().saturating_sub(begin + 4);
        let length = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
        if let Some(place) = self.0.get_mut(begin..begin + 4) {
            place.copy_from_slice(&length);
        }
    }
}

/// The moment that is so many milliseconds after the host's beginning.
pub(crate) fn moment(milliseconds: f64) -> Duration {
    Duration::try_from_secs_f64(milliseconds / 1e3).unwrap_or(if milliseconds > 0.0 {
        Duration::MAX
    } else {
        Duration::ZERO
    })
}

fn cut_short() -> Error {
    broken("a record is cut short")
}

/// The host has packed something that is no record. That is never the user's doing.
pub(crate) fn broken(what: &'static str) -> Error {
    Error::new(ErrorCode::Usage, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_read_again() {
        let mut writer = Writer::default();
        writer.octet(7);
        writer.flag(true);
        writer.count(70_000);
        writer.whole(1 << 40);
        writer.time(None);
        writer.time(Some(Duration::from_micros(1500)));
        writer.text("é");
        writer.sized(|writer| writer.count(1));
        let packed = writer.finish();
        let mut reader = Reader::new(&packed);
        assert_eq!((reader.octet().unwrap(), reader.flag().unwrap(), reader.count().unwrap()), (7, true, 70_000));
        assert_eq!((reader.whole().unwrap(), reader.optional_number().unwrap()), (1 << 40, None));
        assert_eq!((reader.number().unwrap(), reader.text().unwrap()), (1.5, "é"));
        assert_eq!((reader.count().unwrap(), reader.count().unwrap(), reader.is_at_end()), (4, 1, true));
        for end in 0..packed.len() {
            let mut reader = Reader::new(&packed[..end]);
            let mut read = || -> Result<(), Error> {
                reader.octet()?;
                reader.flag()?;
                reader.count()?;
                reader.array::<24>()?;
                reader.text()?;
                reader.bytes().map(drop)
            };
            assert_eq!(read().unwrap_err().code(), ErrorCode::Usage, "{end}");
        }
    }

    #[test]
    fn any_number_is_a_moment() {
        for (milliseconds, expected) in [
            (1.5, Duration::from_micros(1500)),
            (-1.0, Duration::ZERO),
            (f64::NAN, Duration::ZERO),
            (f64::INFINITY, Duration::MAX),
        ] {
            assert_eq!(moment(milliseconds), expected);
        }
    }
}
