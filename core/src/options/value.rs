//! A value as hosts of any language have it, and what it may stand for.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::str::FromStr;
use core::time::Duration;

use crate::delivery::dispatcher::Rate;
use crate::error::{Error, ErrorCode};
use crate::sasl::Secret;

/// A plain value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Any text may be a password.
    Text(Secret),
    /// Yes or no.
    Flag(bool),
    /// A number.
    Number(f64),
    /// Several.
    List(Vec<Value>),
    /// Named ones: the options of one server among several.
    Table(Vec<(String, Value)>),
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl<V: Into<Self>> From<Vec<V>> for Value {
    fn from(values: Vec<V>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

impl Value {
    pub(super) fn text(&self) -> Result<&str, Error> {
        match self {
            Self::Text(text) => Ok(text.expose()),
            _ => Err(wanted("a text")),
        }
    }

    pub(super) fn secret(&self) -> Result<Secret, Error> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            _ => Err(wanted("a text")),
        }
    }

    pub(super) fn parsed<T: FromStr<Err = Error>>(&self) -> Result<T, Error> {
        self.text()?.parse()
    }

    pub(super) fn address(&self) -> Result<IpAddr, Error> {
        self.text()?.parse().map_err(|_| wanted("an IP address"))
    }

    pub(super) fn flag(&self) -> Result<bool, Error> {
        match self {
            Self::Flag(flag) => Ok(*flag),
            _ => Err(wanted("true or false")),
        }
    }

    pub(super) fn count(&self) -> Result<u32, Error> {
        let whole = |number: &f64| *number >= 1.0 && *number <= f64::from(u32::MAX) && *number % 1.0 == 0.0;
        let number = self.number().filter(whole).ok_or_else(|| wanted("a whole number above zero"))?;
        Ok(number as u32)
    }

    /// May be none at all.
    pub(super) fn octets(&self) -> Result<u64, Error> {
        let whole = |number: &f64| (0.0..=9e15).contains(number) && *number % 1.0 == 0.0;
        let number = self.number().filter(whole).ok_or_else(|| wanted("a number of octets"))?;
        Ok(number as u64)
    }

    pub(super) fn size(&self) -> Result<usize, Error> {
        Ok(usize::try_from(self.count()?).unwrap_or(usize::MAX))
    }

    pub(super) fn small_count(&self) -> Result<u16, Error> {
        self.count()?.try_into().map_err(|_| wanted("a whole number from 1 to 65535"))
    }

    /// Seconds, or a text such as `90s`, `30m`, `4h` or `2d`.
    pub(super) fn duration(&self) -> Result<Duration, Error> {
        let duration = match self {
            Self::Text(text) => in_units(text.expose()),
            _ => self.number().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        };
        let positive = duration.filter(|duration| !duration.is_zero());
        positive.ok_or_else(|| wanted("a number of seconds above zero, or a time such as 90s, 30m, 4h or 2d"))
    }

    /// A text such as `20/s`, `600/m` or `5000/h`.
    pub(super) fn rate(&self) -> Result<Rate, Error> {
        let rate = self.text().ok().and_then(|text| {
            let (count, unit) = text.split_once('/')?;
            let count: u32 = count.parse().ok().filter(|count| *count > 0)?;
            Some(match unit {
                "s" => Rate::per_second(count),
                "m" => Rate::per_minute(count),
                "h" => Rate::per_hour(count),
                _ => return None,
            })
        });
        rate.ok_or_else(|| wanted("a number of messages in a unit of time, such as 20/s, 600/m or 5000/h"))
    }

    /// One of these words.
    pub(super) fn word<T: Copy>(&self, words: &[(&str, T)]) -> Result<T, Error> {
        let text = self.text().ok();
        let found = words.iter().find(|(word, _)| text.is_some_and(|text| text.eq_ignore_ascii_case(word)));
        found.map(|(_, meaning)| *meaning).ok_or_else(|| {
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            wanted(&format!("one of {}", words.join(", ")))
        })
    }

    /// A list of texts, or one text with commas.
    pub(super) fn texts(&self) -> Result<Vec<&str>, Error> {
        match self {
            Self::Text(text) => Ok(text.expose().split(',').map(str::trim).filter(|text| !text.is_empty()).collect()),
            Self::List(values) => values.iter().map(Self::text).collect(),
            _ => Err(wanted("a list of texts")),
        }
    }

    /// The values of a list; what is no list is one by itself.
    pub(super) fn each(&self) -> &[Self] {
        match self {
            Self::List(values) => values,
            one => core::slice::from_ref(one),
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }
}

fn in_units(text: &str) -> Option<Duration> {
    let (count, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return None,
    };
    count.parse::<u64>().ok()?.checked_mul(seconds).map(Duration::from_secs)
}

fn wanted(what: &str) -> Error {
    Error::new(ErrorCode::Usage, format!("{what} is wanted"))
}

/// The same error, with the option that it is about. What was given is not repeated, since it may be a secret.
pub(super) fn in_option(name: &str) -> impl Fn(Error) -> Error {
    let name = name.to_owned();
    move |error| Error::new(error.code(), format!("the option {name}: {}", error.what()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_or_have_units() {
        for (value, milliseconds) in [
            (Value::from(0.5), 500),
            (30.0.into(), 30_000),
            ("90s".into(), 90_000),
            ("30m".into(), 1_800_000),
            ("4h".into(), 14_400_000),
            ("2d".into(), 172_800_000),
        ] {
            assert_eq!(value.duration(), Ok(Duration::from_millis(milliseconds)), "{value:?}");
        }
        for value in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e30].map(Value::from) {
            assert_eq!(value.duration().unwrap_err().code(), ErrorCode::Usage, "{value:?}");
        }
        for text in ["", "s", "0s", "90", "-1m", "5é", "18446744073709551615h"] {
            assert!(Value::from(text).duration().is_err(), "{text}");
        }
    }

    #[test]
    fn rates_have_units() {
        assert_eq!(Value::from("100/m").rate(), Ok(Rate::per_minute(100)));
        for text in ["", "20", "0/s", "-1/m", "20/d", "/s", "1.5/s"] {
            assert!(Value::from(text).rate().is_err(), "{text}");
        }
    }

    #[test]
    fn counts_are_whole() {
        assert_eq!(Value::from(4.0).count(), Ok(4));
        for number in [0.0, -1.0, 1.5, f64::NAN, 5e9] {
            assert!(Value::from(number).count().is_err(), "{number}");
        }
        assert!(Value::from(65_536.0).small_count().is_err());
    }

    #[test]
    fn a_text_is_never_shown() {
        assert!(!format!("{:?}", Value::from(alloc::vec!["hunter2"])).contains("hunter2"));
    }
}
