use alloc::boxed::Box;
use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};

use super::fault::Why;
use super::macro_string::{DomainSpec, MacroString, domain_spec, macro_string};

/// A term of a record (RFC 7208 §4.6.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    /// What may match.
    Directive(Directive),
    /// What changes how the record is taken.
    Modifier(Modifier),
}

/// A mechanism, and what it means if it matches (RFC 7208 §4.6.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// What it means if it matches.
    pub qualifier: Qualifier,
    /// What may match.
    pub mechanism: Mechanism,
}

/// What it means if a mechanism matches (RFC 7208 §4.6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Qualifier {
    /// `+`, or nothing.
    Pass,
    /// `-`
    Fail,
    /// `~`
    SoftFail,
    /// `?`
    Neutral,
}

/// What may match (RFC 7208 §5). A domain that is `None` is the one whose record it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// Everybody.
    All,
    /// Whom the record of another domain lets pass.
    Include(DomainSpec),
    /// The addresses of a domain.
    A {
        /// Whose.
        domain: Option<DomainSpec>,
        /// How much of them counts.
        prefix: DualPrefix,
    },
    /// The addresses of the mail servers of a domain.
    Mx {
        /// Whose.
        domain: Option<DomainSpec>,
        /// How much of them counts.
        prefix: DualPrefix,
    },
    /// Whose name is within a domain. Nobody should use it (RFC 7208 §5.5).
    Ptr(Option<DomainSpec>),
    /// A network.
    Ip4 {
        /// An address in it.
        network: Ipv4Addr,
        /// How many of its bits count, at most 32.
        prefix: u8,
    },
    /// A network.
    Ip6 {
        /// An address in it.
        network: Ipv6Addr,
        /// How many of its bits count, at most 128.
        prefix: u8,
    },
    /// Whoever makes a name that exists.
    Exists(DomainSpec),
}

/// How many bits of an address count, for each version (RFC 7208 §5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DualPrefix {
    /// Of an IPv4 address, at most 32.
    pub v4: u8,
    /// Of an IPv6 address, at most 128.
    pub v6: u8,
}

impl Default for DualPrefix {
    /// All of them.
    fn default() -> Self {
        Self { v4: MOST_V4, v6: MOST_V6 }
    }
}

const MOST_V4: u8 = 32;
const MOST_V6: u8 = 128;

/// What changes how the record is taken (RFC 7208 §6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Modifier {
    /// `redirect`: if nothing has matched, the record of another domain counts.
    Redirect(DomainSpec),
    /// `exp`: where the explanation of a failure is.
    Explanation(DomainSpec),
    /// One that RFC 7208 does not know; it means nothing.
    Unknown {
        /// What is before the sign of equality.
        name: Box<str>,
        /// What is behind it.
        value: MacroString,
    },
}

impl Mechanism {
    /// Its name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Include(_) => "include",
            Self::A { .. } => "a",
            Self::Mx { .. } => "mx",
            Self::Ptr(_) => "ptr",
            Self::Ip4 { .. } => "ip4",
            Self::Ip6 { .. } => "ip6",
            Self::Exists(_) => "exists",
        }
    }

    /// The domain that it names.
    pub fn domain(&self) -> Option<&DomainSpec> {
        match self {
            Self::Include(domain) | Self::Exists(domain) => Some(domain),
            Self::A { domain, .. } | Self::Mx { domain, .. } | Self::Ptr(domain) => domain.as_ref(),
            Self::All | Self::Ip4 { .. } | Self::Ip6 { .. } => None,
        }
    }

    /// Whether it takes a look-up of those that are counted (RFC 7208 §4.6.4).
    pub const fn is_counted(&self) -> bool {
        !matches!(self, Self::All | Self::Ip4 { .. } | Self::Ip6 { .. })
    }
}

impl fmt::Display for Directive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.qualifier {
            Qualifier::Pass => "",
            Qualifier::Fail => "-",
            Qualifier::SoftFail => "~",
            Qualifier::Neutral => "?",
        })?;
        self.mechanism.fmt(f)
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        if let Some(domain) = self.domain() {
            write!(f, ":{domain}")?;
        }
        match self {
            Self::A { prefix, .. } | Self::Mx { prefix, .. } => prefix.fmt(f),
            Self::Ip4 { network, prefix: MOST_V4 } => write!(f, ":{network}"),
            Self::Ip4 { network, prefix } => write!(f, ":{network}/{prefix}"),
            Self::Ip6 { network, prefix: MOST_V6 } => write!(f, ":{network}"),
            Self::Ip6 { network, prefix } => write!(f, ":{network}/{prefix}"),
            Self::All | Self::Include(_) | Self::Ptr(_) | Self::Exists(_) => Ok(()),
        }
    }
}

impl fmt::Display for DualPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.v4 != MOST_V4 {
            write!(f, "/{}", self.v4)?;
        }
        if self.v6 != MOST_V6 {
            write!(f, "//{}", self.v6)?;
        }
        Ok(())
    }
}

impl fmt::Display for Modifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redirect(domain) => write!(f, "redirect={domain}"),
            Self::Explanation(domain) => write!(f, "exp={domain}"),
            Self::Unknown { name, value } => write!(f, "{name}={value}"),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directive(directive) => directive.fmt(f),
            Self::Modifier(modifier) => modifier.fmt(f),
        }
    }
}

// RFC 7208 sections 4.6.1 and 12
//
//   directive        = [ qualifier ] mechanism
//   qualifier        = "+" / "-" / "?" / "~"
//   mechanism        = ( all / include / a / mx / ptr / ip4 / ip6 / exists )
//   modifier         = redirect / explanation / unknown-modifier
//   redirect         = "redirect" "=" domain-spec
//   explanation      = "exp" "=" domain-spec
//   unknown-modifier = name "=" macro-string
//                      ; where name is not any known modifier
//   name             = ALPHA *( ALPHA / DIGIT / "-" / "_" / "." )

/// Reads all of `text`: a term without the spaces around it.
pub(super) fn term(text: &str) -> Result<Term, Why> {
    if let Some((name, value)) = text.split_once('=')
        && is_name(name)
    {
        return modifier(name, value).map(Term::Modifier);
    }
    let (qualifier, rest) = match text.as_bytes().first() {
        Some(b'+') => (Qualifier::Pass, text.get(1..)),
        Some(b'-') => (Qualifier::Fail, text.get(1..)),
        Some(b'~') => (Qualifier::SoftFail, text.get(1..)),
        Some(b'?') => (Qualifier::Neutral, text.get(1..)),
        _ => (Qualifier::Pass, Some(text)),
    };
    let mechanism = mechanism(rest.unwrap_or_default())?;
    Ok(Term::Directive(Directive { qualifier, mechanism }))
}

fn is_name(text: &str) -> bool {
    text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

fn modifier(name: &str, text: &str) -> Result<Modifier, Why> {
    if name.eq_ignore_ascii_case("redirect") {
        domain_spec(text).map(Modifier::Redirect)
    } else if name.eq_ignore_ascii_case("exp") {
        domain_spec(text).map(Modifier::Explanation)
    } else {
        macro_string(text, false).map(|value| Modifier::Unknown { name: name.into(), value })
    }
}

// RFC 7208 sections 5 and 12
//
//   all              = "all"
//   include          = "include"  ":" domain-spec
//   a                = "a"      [ ":" domain-spec ] [ dual-cidr-length ]
//   mx               = "mx"     [ ":" domain-spec ] [ dual-cidr-length ]
//   ptr              = "ptr"    [ ":" domain-spec ]
//   ip4              = "ip4"      ":" ip4-network   [ ip4-cidr-length ]
//   ip6              = "ip6"      ":" ip6-network   [ ip6-cidr-length ]
//   exists           = "exists"   ":" domain-spec
//   ip4-network      = qnum "." qnum "." qnum "." qnum
//   qnum             = DIGIT / %x31-39 DIGIT / "1" 2DIGIT / "2" %x30-34 DIGIT / "25" %x30-35
//   ip6-network      = <as per Section 2.2 of [RFC4291]>

fn mechanism(text: &str) -> Result<Mechanism, Why> {
    let end = text.find([':', '/']).unwrap_or(text.len());
    let (name, rest) = (text.get(..end).unwrap_or_default(), text.get(end..).unwrap_or_default());
    let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
    if is("all") {
        return if rest.is_empty() { Ok(Mechanism::All) } else { Err(Why("takes no argument")) };
    }
    if is("include") {
        return needed(rest).and_then(domain_spec).map(Mechanism::Include);
    }
    if is("exists") {
        return needed(rest).and_then(domain_spec).map(Mechanism::Exists);
    }
    if is("a") {
        let (domain, prefix) = domain_and_prefix(rest)?;
        return Ok(Mechanism::A { domain, prefix });
    }
    if is("mx") {
        let (domain, prefix) = domain_and_prefix(rest)?;
        return Ok(Mechanism::Mx { domain, prefix });
    }
    if is("ptr") {
        return match rest {
            "" => Ok(Mechanism::Ptr(None)),
            rest => needed(rest).and_then(domain_spec).map(|domain| Mechanism::Ptr(Some(domain))),
        };
    }
    if is("ip4") {
        let (network, prefix) = network(needed(rest)?, MOST_V4)?;
        let network = network.parse().map_err(|_| Why("is no IPv4 network"))?;
        return Ok(Mechanism::Ip4 { network, prefix });
    }
    if is("ip6") {
        let (network, prefix) = network(needed(rest)?, MOST_V6)?;
        let network = network.parse().map_err(|_| Why("is no IPv6 network"))?;
        return Ok(Mechanism::Ip6 { network, prefix });
    }
    if is("redirect") || is("exp") {
        return Err(Why("is a modifier, which has a = behind its name"));
    }
    Err(Why("is no mechanism that SPF knows"))
}

/// What stands behind a colon that has to be there.
fn needed(rest: &str) -> Result<&str, Why> {
    match rest.strip_prefix(':') {
        Some(argument) if !argument.is_empty() => Ok(argument),
        Some(_) => Err(Why("has nothing behind its colon")),
        None if rest.is_empty() => Err(Why("needs an argument")),
        None => Err(Why("takes no prefix length")),
    }
}

fn network(text: &str, most: u8) -> Result<(&str, u8), Why> {
    match text.split_once('/') {
        Some((network, digits)) => prefix_length(digits, most).map(|prefix| (network, prefix)),
        None => Ok((text, most)),
    }
}

// RFC 7208 section 12
//
//   ip4-cidr-length  = "/" ("0" / %x31-39 0*1DIGIT) ; value range 0-32
//   ip6-cidr-length  = "/" ("0" / %x31-39 0*2DIGIT) ; value range 0-128
//   dual-cidr-length = [ ip4-cidr-length ] [ "/" ip6-cidr-length ]

/// `rest` stands behind the name of the mechanism. A domain may hold slashes too, so that lengths are looked for from the end.
fn domain_and_prefix(rest: &str) -> Result<(Option<DomainSpec>, DualPrefix), Why> {
    let mut prefix = DualPrefix::default();
    let mut front = rest;
    if let Some((before, digits)) = digits_at_end(front)
        && let Some(before) = before.strip_suffix('/')
    {
        prefix.v6 = prefix_length(digits, MOST_V6)?;
        front = before;
    }
    if let Some((before, digits)) = digits_at_end(front) {
        prefix.v4 = prefix_length(digits, MOST_V4)?;
        front = before;
    }
    match front {
        "" => Ok((None, prefix)),
        front => match front.strip_prefix(':') {
            Some(domain) => domain_spec(domain).map(|domain| (Some(domain), prefix)),
            None => Err(Why("has a malformed prefix length")),
        },
    }
}

/// Digits behind a slash, and what is before that.
fn digits_at_end(text: &str) -> Option<(&str, &str)> {
    let (before, digits) = text.rsplit_once('/')?;
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some((before, digits))
}

fn prefix_length(digits: &str, most: u8) -> Result<u8, Why> {
    if !digits.bytes().all(|byte| byte.is_ascii_digit())
        || digits.is_empty()
        || digits.len() > 1 && digits.starts_with('0')
    {
        return Err(Why("has a malformed prefix length"));
    }
    digits.parse().ok().filter(|length| *length <= most).ok_or(Why("has a prefix length beyond that of an address"))
}
