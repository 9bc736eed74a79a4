use alloc::boxed::Box;
use core::fmt;
use core::str::FromStr;

use nom::branch::alt;
use nom::bytes::complete::{tag, tag_no_case, take_while_m_n};
use nom::character::complete::{digit1, one_of};
use nom::combinator::{all_consuming, map, map_opt, opt, value};
use nom::sequence::preceded;
use nom::{IResult, Parser};

use super::quoting;
use crate::{Error, ErrorCode};

/// A moment (RFC 3339): `2030-01-31T12:00:00Z`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DateTime {
    text: Box<str>,
    unix_seconds: i64,
}

impl DateTime {
    /// The moment as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Seconds since 1970-01-01T00:00:00Z, fractions dropped.
    pub fn unix_seconds(&self) -> i64 {
        self.unix_seconds
    }
}

impl FromStr for DateTime {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match all_consuming(date_time).parse(text) {
            Ok((_, unix_seconds)) => Ok(Self { text: text.into(), unix_seconds }),
            Err(_) => {
                let what = alloc::format!("{} is no moment of the form 2030-01-31T12:00:00Z", quoting::Text(text));
                Err(Error::new(ErrorCode::Usage, what))
            }
        }
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

// RFC 3339 section 5.6
//
//   date-time     = full-date "T" full-time
//   full-date     = 4DIGIT "-" 2DIGIT "-" 2DIGIT
//   full-time     = 2DIGIT ":" 2DIGIT ":" 2DIGIT [time-secfrac] time-offset
//   time-secfrac  = "." 1*DIGIT
//   time-offset   = "Z" / ("+" / "-") 2DIGIT ":" 2DIGIT

fn date_time(input: &str) -> IResult<&str, i64> {
    let date = (number(4, 0, 9999), preceded(tag("-"), number(2, 1, 12)), preceded(tag("-"), number(2, 1, 31)));
    let days = map_opt(date, |(year, month, day)| (day <= days_in_month(year, month)).then(|| days(year, month, day)));
    let second = preceded(tag(":"), number(2, 0, 60));
    let seconds = map((hour_minute, second, opt((tag("."), digit1))), |(minutes, second, _)| minutes * 60 + second);
    let offset = map((one_of("+-"), hour_minute), |(sign, minutes)| if sign == '+' { minutes } else { -minutes });
    map((days, tag_no_case("T"), seconds, alt((value(0, tag_no_case("Z")), offset))), |(days, _, seconds, offset)| {
        days * 86400 + seconds - offset * 60
    })
    .parse(input)
}

/// Minutes since midnight.
fn hour_minute(input: &str) -> IResult<&str, i64> {
    map((number(2, 0, 23), preceded(tag(":"), number(2, 0, 59))), |(hour, minute)| hour * 60 + minute).parse(input)
}

/// A number of `digits` digits.
fn number<'a>(
    digits: usize,
    least: i64,
    most: i64,
) -> impl Parser<&'a str, Output = i64, Error = nom::error::Error<&'a str>> {
    map_opt(take_while_m_n(digits, digits, |c: char| c.is_ascii_digit()), move |digits: &str| {
        digits.parse().ok().filter(|number| (least..=most).contains(number))
    })
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    /// 0000-03-01 to 1970-01-01.
    const EPOCH: i64 = 719_468;
    // Years that begin in March have their leap day last; 153 days are five months.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + (153 * month + 2) / 5 + day
        - 1
        - EPOCH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        for (text, unix_seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59Z", -1),
            ("2000-02-29T12:00:00z", 951_825_600),
            ("2001-09-09t01:46:40.123Z", 1_000_000_000),
            ("2026-11-22T03:00:00+09:00", 1_795_284_000),
            ("2026-11-21T18:00:00Z", 1_795_284_000),
            ("2026-11-21T12:30:00-05:30", 1_795_284_000),
            ("2016-12-31T23:59:60Z", 1_483_228_800),
            ("0000-01-01T00:00:00Z", -62_167_219_200),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            let moment: DateTime = text.parse().unwrap();
            assert_eq!(moment.unix_seconds(), unix_seconds, "{text}");
            assert_eq!(moment.as_str(), text);
        }
    }

    #[test]
    fn what_is_none() {
        for text in [
            "",
            "2026-11-22",
            "2026-11-22T03:00:00",
            "2026-11-22 03:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T03:60:00Z",
            "2026-11-22T03:00:61Z",
            "2026-11-22T03:00:00.Z",
            "2026-11-22T03:00:00+0900",
            "26-11-22T03:00:00Z",
            "2026-11-22T03:00:00Z\r\n",
            "2026-11-22T03:00:00Z ",
        ] {
            assert_eq!(text.parse::<DateTime>().map_err(|error| error.code()), Err(ErrorCode::Usage), "{text:?}");
        }
    }
}
