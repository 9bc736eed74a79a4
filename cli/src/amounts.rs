//! Amounts with a unit, and addresses with a port, as the command line has them.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use okuru::mailer::Rate;

/// `20/s`, `600/m` or `5000/h`.
pub(crate) fn rate(text: &str) -> Result<Rate, String> {
    let wanted = || "a number of messages in a unit of time is wanted, such as 20/s, 600/m or 5000/h".to_owned();
    let (count, unit) = text.split_once('/').ok_or_else(wanted)?;
    let count: u32 = count.parse().ok().filter(|count| *count > 0).ok_or_else(wanted)?;
    Ok(match unit {
        "s" => Rate::per_second(count),
        "m" => Rate::per_minute(count),
        "h" => Rate::per_hour(count),
        _ => return Err(wanted()),
    })
}

/// `90s`, `30m`, `4h` or `2d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wanted = || "a time with its unit is wanted, such as 90s, 30m, 4h or 2d".to_owned();
    let seconds = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 60 * 60,
        Some('d') => 24 * 60 * 60,
        _ => return Err(wanted()),
    };
    let count: u64 = text.get(..text.len() - 1).and_then(|count| count.parse().ok()).ok_or_else(wanted)?;
    let seconds = count.checked_mul(seconds).filter(|seconds| *seconds > 0).ok_or_else(wanted)?;
    Ok(Duration::from_secs(seconds))
}

/// A host and a port; 53 where there is none.
pub(crate) fn name_server(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(SocketAddr::new(address, 53));
    }
    let found = match text.contains(':') {
        true => text.to_socket_addrs(),
        false => (text, 53).to_socket_addrs(),
    };
    let address = found.ok().and_then(|mut found| found.next());
    address.ok_or_else(|| "a name server is wanted, such as 192.0.2.53 or localhost:5300".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_units() {
        assert_eq!(rate("20/s"), Ok(Rate::per_second(20)));
        assert_eq!(rate("5000/h"), Ok(Rate::per_hour(5000)));
        for text in ["", "20", "0/s", "-1/m", "20/d", "/s", "1.5/s"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_have_units() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2d"), Ok(Duration::from_secs(2 * 24 * 60 * 60)));
        for text in ["", "s", "0s", "90", "-1m", "5é", "99999999999999999999d", "18446744073709551615h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn name_servers_have_ports() {
        let parsed = |text: &str| name_server(text).map(|address| address.to_string());
        assert_eq!(parsed("192.0.2.1"), Ok("192.0.2.1:53".to_owned()));
        assert_eq!(parsed("[::1]:5300"), Ok("[::1]:5300".to_owned()));
        assert_eq!(parsed("::1"), Ok("[::1]:53".to_owned()));
        assert!(parsed("127.0.0.1:99999").is_err());
    }
}
