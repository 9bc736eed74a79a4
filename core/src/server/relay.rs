//! Whose mail is taken, and where to.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::str::FromStr;

use crate::error::{Error, ErrorCode};
use crate::syntax::{Domain, ForwardPath};

/// Whose mail is taken, and where to: mail for our domains from anyone, mail for others from allowed networks and from
/// users who have authenticated.
///
/// The default takes none at all. Leaving something out never opens anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RelayPolicy {
    /// Our domains.
    pub local: Vec<LocalDomain>,
    /// From where mail for others is taken without authentication.
    pub networks: Vec<Network>,
    /// Take mail for every domain from anyone. Right for a sink that sends nothing on; a server that does is an open relay.
    pub dangerously_for_anyone: bool,
}

/// How far a forward-path is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Destination {
    /// To one of our domains, or to our postmaster.
    Local,
    /// To elsewhere, for a client that may send there.
    Relayed,
}

impl RelayPolicy {
    /// Whether a client may send mail to elsewhere.
    pub(super) fn may_relay(&self, address: Option<IpAddr>, authenticated: bool) -> bool {
        authenticated || self.dangerously_for_anyone || self.is_allowed(address)
    }

    /// Whether the address is in an allowed network.
    pub(super) fn is_allowed(&self, address: Option<IpAddr>) -> bool {
        address.is_some_and(|address| self.networks.iter().any(|network| network.contains(address)))
    }

    /// How far the path is let in for such a client; `None` is not at all.
    pub(super) fn judge(&self, path: &ForwardPath, may_relay: bool) -> Option<Destination> {
        if self.is_local(path) { Some(Destination::Local) } else { may_relay.then_some(Destination::Relayed) }
    }

    fn is_local(&self, path: &ForwardPath) -> bool {
        // RFC 5321 section 4.5.1: without a domain, it is ours.
        let Some(mailbox) = path.mailbox() else {
            return true;
        };
        let domain = match mailbox.domain() {
            ascii if ascii.is_ascii() => Cow::Borrowed(ascii),
            other => match other.parse::<Domain>().and_then(|domain| domain.to_ascii()) {
                Ok(domain) => Cow::Owned(domain.as_str().into()),
                Err(_) => Cow::Borrowed(other),
            },
        };
        self.local.iter().any(|local| local.matches(&domain))
    }
}

/// One of our domains: `example.com`, or `*.example.com` for everything below it, but not for it.
///
/// Letters are the same in either case, U-labels the same as the A-labels that they stand for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LocalDomain {
    /// In ASCII where it has such a form.
    name: Box<str>,
    below: bool,
}

impl LocalDomain {
    fn matches(&self, domain: &str) -> bool {
        if !self.below {
            return domain.eq_ignore_ascii_case(&self.name);
        }
        let Some(at) = domain.len().checked_sub(self.name.len()) else {
            return false;
        };
        match (domain.get(..at), domain.get(at..)) {
            (Some(above), Some(name)) => {
                above.len() > 1 && above.ends_with('.') && name.eq_ignore_ascii_case(&self.name)
            }
            _ => false,
        }
    }
}

impl FromStr for LocalDomain {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (name, below) = text.strip_prefix("*.").map_or((text, false), |name| (name, true));
        let domain: Domain = name.parse()?;
        let name = domain.to_ascii().unwrap_or(domain);
        Ok(Self { name: name.as_str().into(), below })
    }
}

impl From<&Domain> for LocalDomain {
    fn from(domain: &Domain) -> Self {
        let name = domain.to_ascii();
        Self { name: name.as_ref().unwrap_or(domain).as_str().into(), below: false }
    }
}

/// A network: `192.0.2.0/24`, `2001:db8::/32`, or one address.
///
/// An IPv4 address within IPv6 (`::ffff:192.0.2.1`) is the IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// The network of all addresses that begin with the same `prefix` bits.
    ///
    /// # Errors
    ///
    /// `usage` if there are fewer bits, or `prefix` is 0: that is everybody, and meant by nobody.
    pub fn new(address: IpAddr, prefix: u8) -> Result<Self, Error> {
        let most = if address.is_ipv4() { 32 } else { 128 };
        if prefix == 0 || prefix > most {
            let what = format!("a network of {address} can't have a prefix of {prefix} bits");
            return Err(Error::new(ErrorCode::Usage, what));
        }
        Ok(Self { address, prefix })
    }

    /// Whether the address lies within.
    pub fn contains(&self, address: IpAddr) -> bool {
        let shift = |most: u8| u32::from(most.saturating_sub(self.prefix));
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                (ours.to_bits() ^ theirs.to_bits()).checked_shr(shift(32)).unwrap_or(0) == 0
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                (ours.to_bits() ^ theirs.to_bits()).checked_shr(shift(128)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let malformed = || Error::new(ErrorCode::Usage, "a network is an address, or an address, a slash and bits");
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| malformed())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map_err(|_| malformed())?
            }
            Some(_) => return Err(malformed()),
            None => most,
        };
        Self::new(address, prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn judge(policy: &RelayPolicy, path: &str, may_relay: bool) -> Option<Destination> {
        policy.judge(&path.parse().unwrap(), may_relay)
    }

    #[test]
    fn our_domains_and_no_others() {
        let local = ["example.com", "*.example.org", "exämple.test", "[192.0.2.1]"];
        let policy = RelayPolicy { local: local.map(|it| it.parse().unwrap()).to_vec(), ..RelayPolicy::default() };
        for path in [
            "<a@example.com>",
            "<a@EXAMPLE.com>",
            "<a@mx.example.org>",
            "<a@a.b.Example.Org>",
            "<a@[192.0.2.1]>",
            "<Postmaster>",
            "<@elsewhere.test:a@example.com>",
        ] {
            assert_eq!(judge(&policy, path, false), Some(Destination::Local), "{path}");
        }
        #[cfg(feature = "idna")]
        for path in ["<a@exämple.test>", "<a@xn--exmple-cua.test>", "<a@EXÄMPLE.test>"] {
            assert_eq!(judge(&policy, path, false), Some(Destination::Local), "{path}");
        }
        for path in [
            "<a@example.org>",
            "<a@anexample.org>",
            "<a@sub.example.com>",
            "<a@example.com.test>",
            "<@example.com:a@elsewhere.test>",
            "<\"a@example.com\"@elsewhere.test>",
            "<a%example.com@elsewhere.test>",
            "<a@[192.0.2.2]>",
        ] {
            assert_eq!(judge(&policy, path, false), None, "{path}");
            assert_eq!(judge(&policy, path, true), Some(Destination::Relayed), "{path}");
        }
    }

    #[test]
    fn the_default_lets_nobody_relay() {
        let policy = RelayPolicy::default();
        assert!(!policy.may_relay(Some(IpAddr::from([127, 0, 0, 1])), false));
        assert!(!policy.may_relay(None, false));
        assert!(policy.may_relay(None, true));
        assert_eq!(judge(&policy, "<a@example.com>", false), None);
    }

    #[test]
    fn networks() {
        for (network, inside, outside) in [
            ("192.0.2.0/24", vec!["192.0.2.0", "192.0.2.255", "::ffff:192.0.2.7"], vec!["192.0.3.0", "::192.0.2.7"]),
            ("192.0.2.7", vec!["192.0.2.7"], vec!["192.0.2.6", "192.0.2.8"]),
            ("10.0.0.0/1", vec!["10.0.0.1", "127.0.0.1"], vec!["128.0.0.1"]),
            ("2001:db8::/33", vec!["2001:db8:7fff::1"], vec!["2001:db8:8000::1", "192.0.2.7"]),
            ("::1", vec!["::1"], vec!["::2", "0.0.0.1"]),
        ] {
            let network: Network = network.parse().unwrap();
            assert!(inside.iter().all(|address| network.contains(address.parse().unwrap())), "{network:?}");
            assert!(!outside.iter().any(|address| network.contains(address.parse().unwrap())), "{network:?}");
        }
        for text in
            ["", "0.0.0.0/0", "::/0", "192.0.2.0/33", "::/129", "192.0.2.0/", "192.0.2.0/+8", "a/8", "192.0.2/24"]
        {
            assert_eq!(text.parse::<Network>().map_err(|error| error.code()), Err(ErrorCode::Usage), "{text}");
        }
    }
}
