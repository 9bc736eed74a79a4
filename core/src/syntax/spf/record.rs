use alloc::vec::Vec;
use core::fmt;

use super::fault::{Fault, Why};
use super::macro_string::{DomainSpec, NOT_ASCII};
use super::term::{Directive, Modifier, Term, term};

/// A record of SPF (RFC 7208 §4.5): who may send mail in the name of a domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    terms: Vec<Term>,
}

impl Record {
    /// Whether the text of a TXT record is one of SPF, well-formed or not.
    pub fn is_version_1(text: &[u8]) -> bool {
        matches!(text.split_at_checked(VERSION.len()), Some((version, b"" | [b' ', ..])) if version.eq_ignore_ascii_case(VERSION))
    }

    /// Reads the text of a TXT record.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with it. A record is good as a whole or not at all (RFC 7208 §4.6).
    pub fn parse(text: &[u8]) -> Result<Self, Fault> {
        let (record, faults) = Self::read(text);
        faults.into_iter().next().map_or(Ok(record), Err)
    }

    /// Reads the text of a TXT record: what is good of it, and all that is wrong.
    pub fn read(text: &[u8]) -> (Self, Vec<Fault>) {
        let (mut record, mut faults) = (Self::default(), Vec::new());
        if !Self::is_version_1(text) {
            faults.push(Fault::new(text, Why("does not begin with v=spf1")));
            return (record, faults);
        }
        for word in text.split(|byte| *byte == b' ').skip(1).filter(|word| !word.is_empty()) {
            let text = core::str::from_utf8(word).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic()));
            match text.ok_or(NOT_ASCII).and_then(term) {
                Ok(term) if record.has_already(&term) => {
                    faults.push(Fault::new(word, Why("stands there a second time")));
                }
                Ok(term) => record.terms.push(term),
                Err(why) => faults.push(Fault::new(word, why)),
            }
        }
        (record, faults)
    }

    /// Its terms, in their order.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// What may match, in the order in which it is tried.
    pub fn directives(&self) -> impl Iterator<Item = &Directive> {
        self.terms.iter().filter_map(|term| match term {
            Term::Directive(directive) => Some(directive),
            Term::Modifier(_) => None,
        })
    }

    /// Whose record counts if nothing has matched.
    pub fn redirect(&self) -> Option<&DomainSpec> {
        self.modifiers().find_map(|modifier| match modifier {
            Modifier::Redirect(domain) => Some(domain),
            _ => None,
        })
    }

    /// Where the explanation of a failure is.
    pub fn explanation(&self) -> Option<&DomainSpec> {
        self.modifiers().find_map(|modifier| match modifier {
            Modifier::Explanation(domain) => Some(domain),
            _ => None,
        })
    }

    fn modifiers(&self) -> impl Iterator<Item = &Modifier> {
        self.terms.iter().filter_map(|term| match term {
            Term::Modifier(modifier) => Some(modifier),
            Term::Directive(_) => None,
        })
    }

    /// RFC 7208 §6: neither `redirect` nor `exp` may stand there twice.
    fn has_already(&self, term: &Term) -> bool {
        match term {
            Term::Modifier(Modifier::Redirect(_)) => self.redirect().is_some(),
            Term::Modifier(Modifier::Explanation(_)) => self.explanation().is_some(),
            _ => false,
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("v=spf1")?;
        self.terms.iter().try_for_each(|term| write!(f, " {term}"))
    }
}

// RFC 7208 sections 4.5 and 4.6.1
//
//   record           = version terms *SP
//   version          = "v=spf1"
//   terms            = *( 1*SP ( directive / modifier ) )

const VERSION: &[u8] = b"v=spf1";

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;

    #[test]
    fn known_answers() {
        for (text, canonical) in [
            ("v=spf1", "v=spf1"),
            ("V=sPf1 ", "v=spf1"),
            ("v=spf1 +all", "v=spf1 all"),
            ("v=spf1  a   -ALL  ", "v=spf1 a -all"),
            ("v=spf1 A/24//64 mx//64 MX/0 a:x.test/8", "v=spf1 a/24//64 mx//64 mx/0 a:x.test/8"),
            ("v=spf1 a:foo:bar/baz.test//0", "v=spf1 a:foo:bar/baz.test//0"),
            ("v=spf1 a:%{d/}/24 ?a/32//128", "v=spf1 a:%{d/}/24 ?a"),
            ("v=spf1 ip4:192.0.2.0/24 ip4:192.0.2.1/32", "v=spf1 ip4:192.0.2.0/24 ip4:192.0.2.1"),
            ("v=spf1 ip6:2001:DB8::/32 ip6:::1.1.1.1/0", "v=spf1 ip6:2001:db8::/32 ip6:::101:101/0"),
            ("v=spf1 ptr ~ptr:x.test exists:%{i}._.%{d}", "v=spf1 ptr ~ptr:x.test exists:%{i}._.%{d}"),
            ("v=spf1 Redirect=_spf.x.test Exp=e.x.test", "v=spf1 redirect=_spf.x.test exp=e.x.test"),
            ("v=spf1 moo.cow-far_out=man:dog/cat x= y=%{c}", "v=spf1 moo.cow-far_out=man:dog/cat x= y=%{c}"),
        ] {
            let record = Record::parse(text.as_bytes()).unwrap_or_else(|fault| panic!("{fault}"));
            assert_eq!(record.to_string(), canonical);
            assert_eq!(Record::parse(canonical.as_bytes()), Ok(record));
        }
    }

    #[test]
    fn each_fault_is_told() {
        for (text, faults) in [
            ("v=spf1 all:x all/8", &["takes no argument"; 2][..]),
            ("v=spf1 -all.", &["is no mechanism that SPF knows"]),
            ("v=spf1 moo", &["is no mechanism that SPF knows"]),
            (
                "v=spf1 include include: include:x.test/24",
                &["needs an argument", "has nothing behind its colon", "does not end in a top-level domain or a macro"],
            ),
            (
                "v=spf1 a/33 a//129 a/032 a/24/64 a/ a// mx/x",
                &[
                    "has a prefix length beyond that of an address",
                    "has a prefix length beyond that of an address",
                    "has a malformed prefix length",
                    "has a prefix length beyond that of an address",
                    "has a malformed prefix length",
                    "has a malformed prefix length",
                    "has a malformed prefix length",
                ],
            ),
            (
                "v=spf1 a:111.222.33.44 a:museum",
                &["ends in a number; addresses go by ip4: and ip6:", "has a domain of one label only"],
            ),
            (
                "v=spf1 ip4:1.2.3 ip4:1.2.3.4:80 ip4:1.2.3.4//32 ip4 ip6::CAFE::BABE ip4:01.2.3.4",
                &[
                    "is no IPv4 network",
                    "is no IPv4 network",
                    "has a malformed prefix length",
                    "needs an argument",
                    "is no IPv6 network",
                    "is no IPv4 network",
                ],
            ),
            ("v=spf1 ptr/0 exists:x.test ptr:", &["takes no prefix length", "has nothing behind its colon"]),
            (
                "v=spf1 redirect:x.test exp= 1up=foo =all",
                &[
                    "is a modifier, which has a = behind its name",
                    "has an empty domain",
                    "is no mechanism that SPF knows",
                    "is no mechanism that SPF knows",
                ],
            ),
            ("v=spf1 redirect=a.test redirect=b.test exp=a.test exp=a.test", &["stands there a second time"; 2]),
            (
                "v=spf1 a\rptr b\u{e4} --all",
                &[
                    "holds a character that is not printable ASCII",
                    "holds a character that is not printable ASCII",
                    "is no mechanism that SPF knows",
                ],
            ),
            ("v=spf10 a", &["does not begin with v=spf1"]),
            ("", &["does not begin with v=spf1"]),
        ] {
            let (_, found) = Record::read(text.as_bytes());
            let found: Vec<_> = found
                .iter()
                .inspect(|fault| assert!(fault.to_string().bytes().all(|byte| matches!(byte, b' '..=b'~'))))
                .map(Fault::why)
                .collect();
            assert_eq!(found, faults, "{text}");
            assert!(Record::parse(text.as_bytes()).is_err());
        }
        let (record, faults) = Record::read(b"v=spf1 a moo -all");
        assert_eq!((record.to_string().as_str(), faults.len()), ("v=spf1 a -all", 1));
        assert_eq!(faults[0].to_string(), "\"moo\" is no mechanism that SPF knows");
    }

    #[test]
    fn which_text_is_one() {
        for (text, is_one) in [
            ("v=spf1", true),
            ("V=SPF1 x", true),
            ("v=spf1mx", false),
            ("v=spf10", false),
            (" v=spf1", false),
            ("", false),
        ] {
            assert_eq!(Record::is_version_1(text.as_bytes()), is_one, "{text}");
        }
    }
}
