use core::fmt;

/// A moment as it stands in the header of a message (RFC 5322 section 3.3), in UTC: `Sun, 22 Nov 2026 06:13:20 +0000`.
///
/// From the year 1900 on, before which there are none, to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageDate {
    unix_seconds: i64,
}

impl MessageDate {
    /// So many seconds since 1970-01-01T00:00:00Z; what lies outside becomes the first or the last moment.
    pub const fn from_unix_seconds(unix_seconds: i64) -> Self {
        const FIRST: i64 = -2_208_988_800;
        const LAST: i64 = 253_402_300_799;
        match unix_seconds {
            ..FIRST => Self { unix_seconds: FIRST },
            FIRST..=LAST => Self { unix_seconds },
            _ => Self { unix_seconds: LAST },
        }
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    pub const fn unix_seconds(self) -> i64 {
        self.unix_seconds
    }
}

// RFC 5322 section 3.3
//
//   date-time   = [ day-of-week "," ] date time [CFWS]
//   date        = day month year
//   time        = time-of-day zone
//   time-of-day = hour ":" minute [ ":" second ]

impl fmt::Display for MessageDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]; // the first one was a Thursday
        const MONTHS: [&str; 12] = ["Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Jan", "Feb"];
        let (days, seconds) = (self.unix_seconds.div_euclid(86400), self.unix_seconds.rem_euclid(86400));
        let (year, month, day) = civil(days);
        let weekday = DAYS.get(days.rem_euclid(7) as usize).copied().unwrap_or_default();
        let month = MONTHS.get(month).copied().unwrap_or_default();
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} +0000")
    }
}

/// Year, month counted from March, and day of a day since 1970-01-01 in the Gregorian calendar.
fn civil(days: i64) -> (i64, usize, i64) {
    /// 0000-03-01 to 1970-01-01.
    const EPOCH: i64 = 719_468;
    const DAYS_IN_400_YEARS: i64 = 146_097;
    // Years that begin in March have their leap day last; 153 days are five months.
    let days = days + EPOCH;
    let (era, day) = (days.div_euclid(DAYS_IN_400_YEARS), days.rem_euclid(DAYS_IN_400_YEARS));
    let year = (day - day / 1460 + day / 36524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let first = (153 * month + 2) / 5;
    (era * 400 + year + i64::from(month >= 10), month as usize, day - first + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::DateTime;
    use alloc::string::ToString;

    #[test]
    fn known_answers() {
        for (unix_seconds, date) in [
            (0, "Thu, 01 Jan 1970 00:00:00 +0000"),
            (-1, "Wed, 31 Dec 1969 23:59:59 +0000"),
            (951_825_600, "Tue, 29 Feb 2000 12:00:00 +0000"),
            (1_000_000_000, "Sun, 09 Sep 2001 01:46:40 +0000"),
            (1_795_328_000, "Sun, 22 Nov 2026 06:13:20 +0000"),
            (i64::MIN, "Mon, 01 Jan 1900 00:00:00 +0000"),
            (i64::MAX, "Fri, 31 Dec 9999 23:59:59 +0000"),
        ] {
            assert_eq!(MessageDate::from_unix_seconds(unix_seconds).to_string(), date);
        }
    }

    #[test]
    fn each_day_is_that_of_rfc_3339() {
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        for days in (-25_567..100_000).step_by(13) {
            let date = MessageDate::from_unix_seconds(days * 86400).to_string();
            let words: alloc::vec::Vec<&str> = date.split(' ').collect();
            let month = MONTHS.iter().position(|month| *month == words[2]).unwrap() + 1;
            let moment: DateTime = alloc::format!("{}-{month:02}-{}T00:00:00Z", words[3], words[1]).parse().unwrap();
            assert_eq!(moment.unix_seconds(), days * 86400, "{date}");
        }
    }
}
