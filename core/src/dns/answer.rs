//! Questions and answers.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use super::Name;

/// Names a look-up of one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueryId(pub u32);

/// What records are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QueryKind {
    /// MX (RFC 1035 §3.3.9).
    Mx,
    /// A: addresses of IPv4.
    A,
    /// AAAA: addresses of IPv6 (RFC 3596).
    Aaaa,
    /// TXT (RFC 1035 §3.3.14).
    Txt,
    /// PTR (RFC 1035 §3.3.12).
    Ptr,
}

impl QueryKind {
    /// The type as it is written in a zone file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mx => "MX",
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Txt => "TXT",
            Self::Ptr => "PTR",
        }
    }
}

/// A look-up to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// What the `dns_answer` of the machine is to name.
    pub id: QueryId,
    /// The name.
    pub name: Name,
    /// Which records.
    pub kind: QueryKind,
}

/// What the DNS said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The records.
    pub records: Records,
    /// The name at the end of the chain, where the one that was asked for is an alias (CNAME, RFC 1034 §3.6.2) that the
    /// resolver has followed. `None` where it isn't, or the host can't tell.
    pub canonical_name: Option<String>,
    /// Whether a resolver that is trusted, on a path that is, has validated all of it (the AD bit, RFC 4035 §3.2.3).
    pub authenticated: bool,
}

impl Answer {
    /// An answer without an alias that nobody has authenticated.
    pub fn new(records: Records) -> Self {
        Self { records, canonical_name: None, authenticated: false }
    }
}

/// The records in an answer, or why there are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Records {
    /// To [`QueryKind::Mx`].
    Exchanges(Vec<Exchange>),
    /// To [`QueryKind::A`] or [`QueryKind::Aaaa`].
    Addresses(Vec<IpAddr>),
    /// To [`QueryKind::Txt`]: each record, its strings joined with nothing between them.
    Texts(Vec<Vec<u8>>),
    /// To [`QueryKind::Ptr`]: each name, with a dot at the end or without.
    Names(Vec<String>),
    /// The name is an alias of this one, and the resolver has left it at that.
    Alias(String),
    /// The name is there, and has no such records.
    NoData,
    /// There is no such name.
    NxDomain,
    /// SERVFAIL, no answer in time, or anything else that may be better next time.
    Failed,
}

/// An MX record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The lowest is tried first.
    pub preference: u16,
    /// The name of the server as the record says it, with a dot at the end or without. The root, by which a domain says that it takes no
    /// mail, is `.` or empty.
    pub host: String,
}
