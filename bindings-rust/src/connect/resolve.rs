//! Host names to addresses, as the system does it.

use std::net::{IpAddr, SocketAddr};

use dns_lookup::{AddrInfoHints, LookupErrorKind, SockType};
use okuru_core::{Error, ErrorCode, Step};

use super::without_number;

/// The address, where `host` is one already.
pub(crate) fn literal(host: &str, port: u16) -> Option<SocketAddr> {
    host.parse::<IpAddr>().ok().map(|address| SocketAddr::new(address, port))
}

/// The addresses of `host`, the ones that the system prefers first. This blocks, for as long as the system likes.
pub(crate) fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
    if is_never_a_host(host) {
        return Err(no_such_host(host));
    }
    let hints = AddrInfoHints { socktype: SockType::Stream.into(), ..AddrInfoHints::default() };
    let found = dns_lookup::getaddrinfo(Some(host), None, Some(hints)).map_err(|error| match error.kind() {
        LookupErrorKind::NoName | LookupErrorKind::NoData => no_such_host(host),
        _ => {
            let reason = without_number(&error.into());
            Error::new(ErrorCode::DnsTemporary, format!("looking up {host} failed: {reason}")).at(Step::Connect)
        }
    })?;
    let mut addresses: Vec<_> = found
        .filter_map(Result::ok)
        .map(|mut found| {
            found.sockaddr.set_port(port);
            found.sockaddr
        })
        .collect();
    addresses.dedup();
    if addresses.is_empty() { Err(no_such_host(host)) } else { Ok(addresses) }
}

/// Names that no resolver has to be asked for (RFC 6761 §6.4), or that can't be looked up at all.
fn is_never_a_host(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    let top = name.rsplit('.').next().unwrap_or(name);
    top.eq_ignore_ascii_case("invalid") || name.is_empty() || name.len() > 253 || name.contains('\0')
}

fn no_such_host(host: &str) -> Error {
    Error::new(ErrorCode::DnsNoSuchHost, format!("there is no host {host}")).at(Step::Connect)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_not_looked_up() {
        assert_eq!(literal("127.0.0.1", 25), Some(([127, 0, 0, 1], 25).into()));
        assert_eq!(literal("::1", 25), Some("[::1]:25".parse().unwrap()));
        assert_eq!(literal("localhost", 25), None);
    }

    #[test]
    fn the_system_knows_localhost() {
        let addresses = resolve("localhost", 2525).unwrap();
        assert!(addresses.iter().all(|address| address.ip().is_loopback() && address.port() == 2525), "{addresses:?}");
    }

    #[test]
    fn what_can_not_be_a_host_is_not_looked_up() {
        for host in ["mx.invalid", "invalid.", "MX.INVALID", "", "a\0b", &"a.".repeat(127)] {
            let error = resolve(host, 25).unwrap_err();
            assert_eq!((error.code(), error.step()), (ErrorCode::DnsNoSuchHost, Some(Step::Connect)), "{host:?}");
        }
    }
}
