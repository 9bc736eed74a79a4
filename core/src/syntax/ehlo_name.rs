use core::fmt;
use core::net::{IpAddr, Ipv4Addr};
use core::str::FromStr;

use super::Domain;
use super::fault::error;
use crate::{Error, ErrorCode};

/// How a host names itself in EHLO, HELO or LHLO: a domain name in ASCII, or an address literal.
///
/// A name with U-labels is taken, and held as its A-labels (RFC 6531 section 3.7.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EhloName(Domain);

impl EhloName {
    /// The name as it goes out.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// How a host names itself whose name is `host_name`, over a connection that comes from `local`: by its name if that is
    /// a whole one, else by its address (RFC 5321 §4.1.1.1).
    pub fn of_host(host_name: &str, local: Option<IpAddr>) -> Self {
        let whole = host_name.strip_suffix('.').unwrap_or(host_name);
        let is_whole = whole.contains('.') && whole != "localhost.localdomain";
        match (whole.parse(), local) {
            (Ok(name), _) if is_whole => name,
            (_, Some(address)) => address.into(),
            (Ok(name), None) => name,
            (Err(_), None) => IpAddr::from(Ipv4Addr::LOCALHOST).into(),
        }
    }
}

impl From<IpAddr> for EhloName {
    /// The literal of an address.
    fn from(address: IpAddr) -> Self {
        Self(address.to_canonical().into())
    }
}

impl FromStr for EhloName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let domain: Domain = text.parse()?;
        domain.try_into()
    }
}

impl TryFrom<Domain> for EhloName {
    type Error = Error;

    fn try_from(domain: Domain) -> Result<Self, Error> {
        // SMTPUTF8 is not known yet when the name is said, so that a name that needs it is no name.
        match domain.to_ascii() {
            Ok(domain) => Ok(Self(domain)),
            Err(_) => Err(error(ErrorCode::AddressSyntax, "domain", domain.as_str(), "has no form in ASCII")),
        }
    }
}

impl fmt::Display for EhloName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_name_is_whole_or_an_address() {
        let (v4, v6, mapped) = ("192.0.2.1".parse().ok(), "2001:db8::1".parse().ok(), "::ffff:192.0.2.1".parse().ok());
        for (host_name, local, expected) in [
            ("mail.example.com", v4, "mail.example.com"),
            ("mail.example.com.", None, "mail.example.com"),
            ("mail", v4, "[192.0.2.1]"),
            ("mail", v6, "[IPv6:2001:db8::1]"),
            ("mail", mapped, "[192.0.2.1]"),
            ("mail", None, "mail"),
            ("localhost.localdomain", v4, "[192.0.2.1]"),
            ("a b.c", v4, "[192.0.2.1]"),
            ("", None, "[127.0.0.1]"),
        ] {
            assert_eq!(EhloName::of_host(host_name, local).as_str(), expected, "{host_name:?} {local:?}");
        }
    }

    #[test]
    fn is_ascii_and_one_word() {
        for name in ["client.example", "[192.0.2.1]", "[IPv6:::1]", "DESKTOP_1"] {
            assert_eq!(name.parse::<EhloName>().unwrap().as_str(), name);
        }
        for name in ["", "a b", "a\r\nMAIL FROM:<x@y>", "a\nb", "a\0", "\u{202e}a"] {
            assert_eq!(
                name.parse::<EhloName>().map_err(|error| error.code()),
                Err(ErrorCode::AddressSyntax),
                "{name:?}"
            );
        }
    }

    #[cfg(feature = "idna")]
    #[test]
    fn u_labels_become_a_labels() {
        assert_eq!("exämple.test".parse::<EhloName>().unwrap().as_str(), "xn--exmple-cua.test");
    }
}
