//! What is known of a domain in the end.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use super::candidate::Candidate;
use crate::error::{Error, ErrorCode};
use crate::syntax::{Domain, EnhancedCode};

/// Where mail for a domain goes, or why it goes nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// The domain in the form in which domains are compared; as it was given, if it has none.
    pub domain: Domain,
    /// What it came to.
    pub verdict: Verdict,
    /// Why, as a clause without a full stop. Nothing in it can steer a terminal.
    pub reason: String,
    /// For a notification; `None` if there are hosts.
    pub enhanced: Option<EnhancedCode>,
    /// Whether the answer about MX records was authenticated, by every step that led to it: RFC 7672 §2.2 builds on that.
    pub authenticated: bool,
    /// What the domain names and is not tried.
    pub skipped: Vec<Skipped>,
}

/// What a route came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// To these servers, of which there is at least one, in this order.
    Hosts(Vec<Host>),
    /// Nowhere: the domain says that it takes no mail (RFC 7505).
    NullMx,
    /// Nowhere: there is no such domain, or it has neither MX records nor addresses.
    NoSuchDomain,
    /// Nobody knows for now.
    Temporary,
    /// Nowhere: it would come back to ourselves.
    Loop,
    /// Nowhere: the domain is no name, or it names only servers that can't be reached.
    Invalid,
}

impl Verdict {
    /// `hosts`, `null_mx`, `no_such_domain`, `temporary`, `loop` or `invalid`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Hosts(_) => "hosts",
            Self::NullMx => "null_mx",
            Self::NoSuchDomain => "no_such_domain",
            Self::Temporary => "temporary",
            Self::Loop => "loop",
            Self::Invalid => "invalid",
        }
    }
}

impl Resolution {
    /// The servers in the order in which they are to be tried; none unless the verdict is [`Verdict::Hosts`].
    pub fn hosts(&self) -> &[Host] {
        match &self.verdict {
            Verdict::Hosts(hosts) => hosts,
            _ => &[],
        }
    }

    /// Whether it is no use to ask again.
    pub fn is_permanent_failure(&self) -> bool {
        !matches!(self.verdict, Verdict::Hosts(_) | Verdict::Temporary)
    }

    /// Why there are no hosts.
    pub fn error(&self) -> Option<Error> {
        let code = match &self.verdict {
            Verdict::Hosts(_) => return None,
            Verdict::NullMx => ErrorCode::DnsNullMx,
            Verdict::NoSuchDomain => ErrorCode::DnsNoSuchHost,
            Verdict::Temporary => ErrorCode::DnsTemporary,
            Verdict::Loop => ErrorCode::DnsLoop,
            Verdict::Invalid if self.enhanced == Some(BAD_SYNTAX) => ErrorCode::AddressSyntax,
            Verdict::Invalid => ErrorCode::DnsNoServer,
        };
        Some(Error::new(code, self.reason.clone()))
    }
}

/// A server to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The name by which it was found, in A-labels and lower case: what a certificate is checked against. Of an address literal the
    /// literal.
    pub name: Domain,
    /// The name at the end of the aliases, if that is another (RFC 7672 §2.2.2).
    pub canonical_name: Option<Domain>,
    /// Of the MX record; `None` if there was no MX record.
    pub preference: Option<u16>,
    /// Its addresses, at least one: the families by turns, IPv6 first, each in the order of the answer.
    pub addresses: Vec<IpAddr>,
    /// Whether the answers about its addresses were authenticated.
    pub authenticated: bool,
}

/// A server that the domain names and that is not tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// As far as it is a name.
    pub name: String,
    /// Of its MX record, if there was one.
    pub preference: Option<u16>,
    /// Why, as a clause without a full stop.
    pub why: String,
}

impl Skipped {
    pub(super) fn new(candidate: &Candidate, why: &str) -> Self {
        Self { name: candidate.name.as_str().into(), preference: candidate.preference, why: why.into() }
    }
}

const fn permanent(subject: u16, detail: u16) -> EnhancedCode {
    EnhancedCode { class: 5, subject, detail }
}

// RFC 3463 §3.2 and §3.5, RFC 7505 §4.2.

/// The destination system does not exist.
pub(super) const NO_SUCH_SYSTEM: EnhancedCode = permanent(1, 2);
/// The address has no form that could be routed.
pub(super) const BAD_SYNTAX: EnhancedCode = permanent(1, 3);
/// The domain has a null MX.
pub(super) const NULL_MX: EnhancedCode = permanent(1, 10);
/// There is no way to it.
pub(super) const NO_ROUTE: EnhancedCode = permanent(4, 4);
/// It would go round in circles.
pub(super) const LOOP: EnhancedCode = permanent(4, 6);
/// The directory can't be asked for now.
pub(super) const DIRECTORY: EnhancedCode = EnhancedCode { class: 4, subject: 4, detail: 3 };
