//! Which addresses of a host are tried, in which order, and when (RFC 8305).
//!
//! The families take turns; an attempt has a quarter of a second before the next one is started beside it, and a failure
//! starts the next one at once. Nothing here opens a socket.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use okuru_core::{Error, ErrorCode, Step};

/// How long an attempt is alone ("Connection Attempt Delay", RFC 8305 §5).
const HEAD_START: Duration = Duration::from_millis(250);

/// The attempts to reach one host.
#[derive(Debug)]
pub(crate) struct Race {
    waiting: VecDeque<SocketAddr>,
    running: usize,
    next_at: Duration,
    failures: Vec<(SocketAddr, io::Error)>,
}

impl Race {
    /// A race between `addresses`, given in the order that the system prefers (RFC 6724). With a `source` address only
    /// those of its family take part.
    pub(crate) fn new(addresses: Vec<SocketAddr>, source: Option<IpAddr>) -> Self {
        let (mut first, mut second): (VecDeque<_>, VecDeque<_>) = {
            let preferred = addresses.first().is_some_and(SocketAddr::is_ipv6);
            addresses
                .into_iter()
                .filter(|address| source.is_none_or(|source| source.is_ipv6() == address.is_ipv6()))
                .partition(|address| address.is_ipv6() == preferred)
        };
        let mut waiting = VecDeque::with_capacity(first.len() + second.len());
        while !(first.is_empty() && second.is_empty()) {
            waiting.extend(first.pop_front());
            waiting.extend(second.pop_front());
        }
        Self { waiting, running: 0, next_at: Duration::ZERO, failures: Vec::new() }
    }

    /// The address to try now, if one is due.
    pub(crate) fn start(&mut self, now: Duration) -> Option<SocketAddr> {
        if self.running > 0 && now < self.next_at {
            return None;
        }
        let address = self.waiting.pop_front()?;
        self.running += 1;
        self.next_at = now + HEAD_START;
        Some(address)
    }

    /// When [`start`](Self::start) is to be asked again.
    pub(crate) fn next_start(&self) -> Option<Duration> {
        (!self.waiting.is_empty()).then_some(self.next_at)
    }

    /// An attempt has failed.
    pub(crate) fn failed(&mut self, now: Duration, address: SocketAddr, error: io::Error) {
        self.running -= 1;
        self.next_at = now;
        self.failures.push((address, error));
    }

    /// Whether every attempt has failed.
    pub(crate) fn is_lost(&self) -> bool {
        self.running == 0 && self.waiting.is_empty()
    }

    /// Why every attempt has failed.
    pub(crate) fn error(&self, host: &str) -> Error {
        let Some((_, first)) = self.failures.first() else {
            let what = format!("{host} has no address of the family of the source address");
            return Error::new(ErrorCode::ConnectUnreachable, what).at(Step::Connect);
        };
        let refused = self.failures.iter().map(|(_, error)| error).find(|error| is_refusal(error));
        let tried: Vec<_> = self.failures.iter().map(|(address, _)| address.to_string()).collect();
        super::error_of(&format!("connecting to {host} ({})", tried.join(", ")), refused.unwrap_or(first))
    }
}

fn is_refusal(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ConnectionRefused
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 25)).collect()
    }

    fn refusal() -> io::Error {
        io::ErrorKind::ConnectionRefused.into()
    }

    #[test]
    fn families_take_turns_and_the_preferred_one_is_first() {
        let mut race =
            Race::new(addresses(&["2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2", "192.0.2.3"]), None);
        let mut order = Vec::new();
        for attempt in 0.. {
            match race.start(MS(attempt * 250)) {
                Some(address) => order.push(address),
                None => break,
            }
        }
        assert_eq!(order, addresses(&["2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2", "192.0.2.3"]));
    }

    #[test]
    fn the_next_one_starts_after_a_quarter_of_a_second_or_a_failure() {
        let all = addresses(&["2001:db8::1", "192.0.2.1", "2001:db8::2"]);
        let mut race = Race::new(all.clone(), None);
        assert_eq!(race.start(MS(5)), Some(all[0]));
        assert_eq!(race.start(MS(254)), None);
        assert_eq!(race.next_start(), Some(MS(255)));
        assert_eq!(race.start(MS(255)), Some(all[1]));
        race.failed(MS(256), all[0], refusal());
        assert_eq!(race.start(MS(256)), Some(all[2]));
        assert_eq!(race.next_start(), None);
        race.failed(MS(257), all[2], refusal());
        assert!(!race.is_lost());
        race.failed(MS(258), all[1], io::ErrorKind::HostUnreachable.into());
        assert!(race.is_lost());
        let error = race.error("mx.example");
        assert_eq!((error.code(), error.step()), (ErrorCode::ConnectRefused, Some(Step::Connect)));
        assert!(error.to_string().contains("192.0.2.1:25"), "{error}");
    }

    #[test]
    fn a_source_address_keeps_to_its_family() {
        let mut race = Race::new(addresses(&["2001:db8::1", "192.0.2.1"]), Some("0.0.0.0".parse().unwrap()));
        assert_eq!(race.start(MS(0)), Some(addresses(&["192.0.2.1"])[0]));
        assert_eq!(race.start(MS(1000)), None);
        let none = Race::new(addresses(&["2001:db8::1"]), Some("0.0.0.0".parse().unwrap()));
        assert!(none.is_lost());
        assert_eq!(none.error("mx.example").code(), ErrorCode::ConnectUnreachable);
    }
}
