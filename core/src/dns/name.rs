use alloc::boxed::Box;
use core::fmt;
use core::str::FromStr;

use crate::error::{Error, ErrorCode};
use crate::syntax::Domain;

/// A name that the DNS can be asked for, absolute: no search list applies.
///
/// It has labels of 1 to 63 octets with dots between them, at most 253 octets in all and none at the end (RFC 1035 §2.3.4), in lower case.
/// A label holds any printable ASCII character, the space among them, but no dot: names that a macro of SPF has made need
/// that. There is no escaping; a host hands the labels on as they are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Box<str>);

impl Name {
    /// The name, without a dot at the end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its labels, the topmost at the end; at least one.
    pub fn labels(&self) -> impl DoubleEndedIterator<Item = &str> + Clone {
        self.0.split('.')
    }

    /// Whether it is `other`, or below it.
    pub fn is_within(&self, other: &Self) -> bool {
        let Some(front) = self.0.strip_suffix(&*other.0) else {
            return false;
        };
        front.is_empty() || front.ends_with('.')
    }

    /// The name that `text` is; a dot at its end is dropped.
    pub(crate) fn read(text: &str) -> Option<Self> {
        const LONGEST: usize = 253;
        const LONGEST_LABEL: usize = 63;
        let text = text.strip_suffix('.').unwrap_or(text);
        let is_plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        let fits = text.len() <= LONGEST && text.split('.').all(|label| (1..=LONGEST_LABEL).contains(&label.len()));
        (is_plain && fits).then(|| Self(text.to_ascii_lowercase().into()))
    }
}

impl FromStr for Name {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::read(text).ok_or_else(|| {
            let what = alloc::format!("\"{}\" is no name that the DNS could have", text.escape_debug());
            Error::new(ErrorCode::AddressSyntax, what)
        })
    }
}

impl TryFrom<&Domain> for Name {
    type Error = Error;

    /// A literal is no name. One outside ASCII needs the feature `idna`.
    fn try_from(domain: &Domain) -> Result<Self, Error> {
        if domain.is_literal() {
            let what = alloc::format!("{domain} is an address, and has no name in the DNS");
            return Err(Error::new(ErrorCode::AddressSyntax, what));
        }
        domain.canonical()?.as_str().parse()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn known_answers() {
        for (text, name) in [
            ("Example.COM.", "example.com"),
            ("_dmarc.example.com", "_dmarc.example.com"),
            ("macro%percent  space.foo:bar/baz.example", "macro%percent  space.foo:bar/baz.example"),
            ("-a-", "-a-"),
            ("1.0.0.127.in-addr.arpa", "1.0.0.127.in-addr.arpa"),
        ] {
            let it: Name = text.parse().unwrap();
            assert_eq!(it.as_str(), name);
            assert_eq!(it.as_str().parse(), Ok(it));
        }
    }

    #[test]
    fn what_is_none() {
        let label = "a".repeat(63);
        let long = format!("{label}.{label}.{label}.{label}");
        assert!(format!("{label}.{label}.{label}.{}", "a".repeat(61)).parse::<Name>().is_ok());
        for text in ["", ".", "..", "a..b", ".a", "a..", "a\r\n.b", "\u{e4}.test", "a\0", &long, &format!("a{label}.b")]
        {
            let error = text.parse::<Name>().unwrap_err();
            assert_eq!(error.code(), ErrorCode::AddressSyntax);
            assert!(!error.what().chars().any(char::is_control));
        }
    }

    #[test]
    fn what_is_below() {
        let name = |text: &str| Name::read(text).unwrap();
        for (inner, outer, within) in [
            ("a.b.test", "b.test", true),
            ("B.test", "b.test", true),
            ("ab.test", "b.test", false),
            ("test", "b.test", false),
            ("b.test.a", "b.test", false),
        ] {
            assert_eq!(name(inner).is_within(&name(outer)), within, "{inner} {outer}");
        }
        assert_eq!(name("a.b.test").labels().rev().collect::<alloc::vec::Vec<_>>(), ["test", "b", "a"]);
    }

    #[test]
    fn of_a_domain() {
        let of = |text: &str| Name::try_from(&text.parse::<Domain>().unwrap()).map(|name| name.0);
        assert_eq!(of("Example.test."), Ok("example.test".into()));
        assert!(of("[192.0.2.1]").is_err());
        #[cfg(feature = "idna")]
        assert_eq!(of("ex\u{e4}mple.test"), Ok("xn--exmple-cua.test".into()));
    }
}
