use alloc::boxed::Box;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use nom::bytes::complete::{tag, take_while};
use nom::sequence::delimited;
use nom::{Parser, error::ParseError};

use super::fault::{Fault, Parsed, error, parse_all};
use crate::{Error, ErrorCode};

/// A domain name, or an address literal in square brackets (RFC 5321 sections 4.1.2 and 4.1.3).
///
/// A name may have U-labels (RFC 6531). What they are made of is checked by [`Domain::to_ascii`] only. Equality and order are those
/// of the bytes; [`Domain::canonical`] makes them those of the DNS.
///
/// Leniency:
/// - underscores, which hosts in private networks have in their names;
/// - a dot at the end, as in a zone file, is dropped.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Domain(Box<str>);

impl Domain {
    /// The name, or the literal with its brackets.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is an address literal.
    pub fn is_literal(&self) -> bool {
        self.0.starts_with('[')
    }

    /// Whether it can go to a server without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.0.is_ascii()
    }

    /// The same domain with A-labels for U-labels (UTS 46, not transitional). One in ASCII is not changed.
    ///
    /// # Errors
    ///
    /// `address.syntax` if IDNA does not allow the name. Without the feature `idna`: `address.needs_smtputf8` for any name
    /// outside ASCII.
    pub fn to_ascii(&self) -> Result<Self, Error> {
        if self.is_ascii() { Ok(self.clone()) } else { a_labels(&self.0) }
    }

    /// The form in which domains are compared: A-labels in lower case, or a literal with the usual spelling of its address.
    ///
    /// # Errors
    ///
    /// As [`Domain::to_ascii`].
    pub fn canonical(&self) -> Result<Self, Error> {
        match self.address() {
            Some(address) => Ok(Self::from(address)),
            None => self.to_ascii().map(|domain| Self(domain.0.to_ascii_lowercase().into())),
        }
    }

    /// The address that it is a literal of; `None` for a name, and for a literal of any other kind.
    pub fn address(&self) -> Option<IpAddr> {
        let inner = self.0.strip_prefix('[')?.strip_suffix(']')?;
        match inner.split_once(':') {
            None => inner.parse().ok().map(IpAddr::V4),
            Some((tag, address)) if tag.eq_ignore_ascii_case("IPv6") => address.parse().ok().map(IpAddr::V6),
            Some(_) => None,
        }
    }
}

impl From<IpAddr> for Domain {
    /// The literal of an address.
    fn from(address: IpAddr) -> Self {
        Self(match address {
            IpAddr::V4(address) => alloc::format!("[{address}]").into(),
            IpAddr::V6(address) => alloc::format!("[IPv6:{address}]").into(),
        })
    }
}

impl FromStr for Domain {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse_all("domain", text, domain).map(|domain| Self(domain.into()))
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(feature = "idna")]
fn a_labels(name: &str) -> Result<Domain, Error> {
    use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
    // The mapping can bring forth any ASCII character, so the result goes through the grammar again.
    Uts46::new()
        .to_ascii(name.as_bytes(), AsciiDenyList::EMPTY, Hyphens::CheckFirstLast, DnsLength::VerifyAllowRootDot)
        .ok()
        .and_then(|ascii| ascii.parse().ok())
        .ok_or_else(|| error(ErrorCode::AddressSyntax, "domain", name, "is not a name that IDNA allows"))
}

#[cfg(not(feature = "idna"))]
fn a_labels(name: &str) -> Result<Domain, Error> {
    Err(error(ErrorCode::AddressNeedsSmtputf8, "domain", name, "is not in ASCII"))
}

// RFC 5321 section 4.1.2, RFC 6531 section 3.3
//
//   Domain     = sub-domain *("." sub-domain)
//   sub-domain = Let-dig [Ldh-str] / U-label
//   Let-dig    = ALPHA / DIGIT
//   Ldh-str    = *( ALPHA / DIGIT / "-" ) Let-dig

/// A domain or an address literal at the front of `input`.
pub(super) fn domain(input: &str) -> Parsed<'_, &str> {
    if input.starts_with('[') {
        return address_literal(input);
    }
    let (rest, name) = take_while(is_name).parse(input)?;
    let name = name.strip_suffix('.').filter(|name| !name.is_empty()).unwrap_or(name);
    if name.is_empty() {
        return Err(Fault::unexpected(rest, "has no domain"));
    }
    if name.len() > LONGEST_DOMAIN {
        return Err(Fault::too_long("has a domain of more than 255 octets"));
    }
    for label in name.as_bytes().split(|byte| *byte == b'.') {
        if label.is_empty() {
            return Err(Fault::syntax("has an empty label in its domain"));
        }
        if label.starts_with(b"-") || label.ends_with(b"-") {
            return Err(Fault::syntax("has a hyphen at the edge of a label"));
        }
        // The DNS counts a U-label as the A-label that it stands for.
        if label.len() > LONGEST_LABEL && label.is_ascii() {
            return Err(Fault::too_long("has a label of more than 63 octets"));
        }
    }
    Ok((rest, name))
}

/// RFC 5321 section 4.5.3.1.2.
const LONGEST_DOMAIN: usize = 255;
/// RFC 1035 section 2.3.4.
const LONGEST_LABEL: usize = 63;

fn is_name(c: char) -> bool {
    match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' | '_' => true,
        _ => !c.is_ascii() && !c.is_control(),
    }
}

// RFC 5321 section 4.1.3
//
//   address-literal         = "[" ( IPv4-address-literal / IPv6-address-literal / General-address-literal ) "]"
//   IPv6-address-literal    = "IPv6:" IPv6-addr
//   General-address-literal = Standardized-tag ":" 1*dcontent
//   Standardized-tag        = Ldh-str
//   dcontent                = %d33-90 / %d94-126

fn address_literal(input: &str) -> Parsed<'_, &str> {
    let malformed = |_: nom::Err<Fault>| Fault::syntax("has a malformed address literal");
    let (rest, inner) = delimited(tag("["), take_while(is_dcontent), tag("]")).parse(input).map_err(malformed)?;
    let valid = match inner.split_once(':') {
        None => inner.parse::<Ipv4Addr>().is_ok(),
        Some((tag, address)) if tag.eq_ignore_ascii_case("IPv6") => address.parse::<Ipv6Addr>().is_ok(),
        Some((tag, content)) => is_ldh(tag) && !content.is_empty(),
    };
    if !valid {
        return Err(malformed(nom::Err::Error(Fault::from_error_kind(input, nom::error::ErrorKind::Verify))));
    }
    if inner.len() + 2 > LONGEST_DOMAIN {
        return Err(Fault::too_long("has a domain of more than 255 octets"));
    }
    let literal = input.len() - rest.len();
    Ok((rest, input.get(..literal).unwrap_or_default()))
}

fn is_dcontent(c: char) -> bool {
    matches!(c, '!'..='Z' | '^'..='~')
}

fn is_ldh(tag: &str) -> bool {
    tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') && !tag.is_empty() && !tag.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        for (text, canonical, literal) in [
            ("example.com", "example.com", false),
            ("Example.COM.", "Example.COM", false),
            ("localhost", "localhost", false),
            ("my_host.lan", "my_host.lan", false),
            ("xn--exmple-cua.test", "xn--exmple-cua.test", false),
            ("a--b.3com", "a--b.3com", false),
            ("exämple.test", "exämple.test", false),
            ("[192.0.2.1]", "[192.0.2.1]", true),
            ("[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]", true),
            ("[ipv6:::ffff:192.0.2.1]", "[ipv6:::ffff:192.0.2.1]", true),
            ("[X-new:what!it.is]", "[X-new:what!it.is]", true),
        ] {
            let domain: Domain = text.parse().unwrap();
            assert_eq!((domain.as_str(), domain.is_literal()), (canonical, literal));
            assert_eq!(domain.as_str().parse(), Ok(domain));
        }
    }

    #[test]
    fn what_is_none() {
        for text in [
            "",
            ".",
            "..",
            "a..b",
            ".a",
            "a..",
            "-a",
            "a-",
            "a.-b",
            "a b",
            " a",
            "a ",
            "a\r\nb",
            "a\0",
            "a\u{85}b",
            "a@b",
            "a/b",
            "a,b",
            "<a>",
            "[192.0.2.256]",
            "[192.0.2]",
            "[IPv6:192.0.2.1]",
            "[IPv6:::g]",
            "[]",
            "[:x]",
            "[a-:x]",
            "[tag:]",
            "[192.0.2.1",
            "[192.0.2.1]x",
            "[tag:a]b]",
            "[tag:a b]",
            "[tag:a\\b]",
            "2001:db8::1",
        ] {
            assert_eq!(text.parse::<Domain>().map_err(|error| error.code()), Err(ErrorCode::AddressSyntax), "{text:?}");
        }
    }

    #[test]
    fn lengths() {
        let label = "a".repeat(63);
        let name = alloc::format!("{label}.{label}.{label}.{label}");
        assert!(name.parse::<Domain>().is_ok());
        for text in
            [alloc::format!("a{label}"), alloc::format!("{name}.a"), alloc::format!("[tag:{}]", "a".repeat(250))]
        {
            assert_eq!(text.parse::<Domain>().unwrap_err().code(), ErrorCode::AddressTooLong);
        }
    }

    #[test]
    fn compared_in_one_form() {
        for (text, canonical) in [
            ("Example.COM.", "example.com"),
            ("[192.0.2.1]", "[192.0.2.1]"),
            ("[ipv6:2001:DB8:0::1]", "[IPv6:2001:db8::1]"),
            ("[X-New:What]", "[x-new:what]"),
        ] {
            let domain: Domain = text.parse().unwrap();
            let it = domain.canonical().unwrap();
            assert_eq!(it.as_str(), canonical);
            assert_eq!((it.canonical(), it.as_str().parse()), (Ok(it.clone()), Ok(it.clone())));
            assert_eq!(it.address(), domain.address());
            assert_eq!(it.address().is_some(), it.is_literal() && !canonical.starts_with("[x"));
        }
        #[cfg(feature = "idna")]
        assert_eq!("EXÄMPLE.test".parse::<Domain>().unwrap().canonical().unwrap().as_str(), "xn--exmple-cua.test");
    }

    #[cfg(feature = "idna")]
    #[test]
    fn a_labels() {
        for (text, ascii) in [
            ("exämple.test", Some("xn--exmple-cua.test")),
            ("Faß.EXAMPLE", Some("xn--fa-hia.example")),
            ("例え。テスト", Some("xn--r8jz45g.xn--zckzah")),
            ("my_host.ä", Some("my_host.xn--4ca")),
            ("Mixed.Case", Some("Mixed.Case")),
            // These map to characters that the grammar forbids.
            ("ａ＠ｂ.test", None),
            ("a\u{ff1e}.test", None),
            ("a\u{2028}b.test", None),
            ("a\u{202e}b.test", None),
        ] {
            let domain: Domain = text.parse().unwrap();
            assert_eq!(domain.to_ascii().ok().as_ref().map(Domain::as_str), ascii, "{text}");
        }
    }
}
