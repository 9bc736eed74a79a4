//! Who asks to be let through.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use core::net::IpAddr;

use crate::dns::Name;
use crate::syntax::{Domain, ReversePath};

/// Which name is checked (RFC 7208 §2.3 and §2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    /// What the client has said in HELO or EHLO.
    Helo,
    /// The reverse-path. Of a null one, it is `postmaster` at the name in HELO or EHLO.
    MailFrom,
}

impl Identity {
    /// `helo` or `mailfrom`, as in `Received-SPF`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Helo => "helo",
            Self::MailFrom => "mailfrom",
        }
    }
}

/// Who asks to be let through. Nothing in it needs to be well-formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    client: IpAddr,
    helo: String,
    identity: Identity,
    is_null: bool,
    local_part: String,
    domain: String,
    time: Option<u64>,
}

impl Request {
    /// Checks a reverse-path, `local@domain` without angle brackets; one that is empty is the null reverse-path.
    pub fn mail_from(client: IpAddr, helo: &str, reverse_path: &str) -> Self {
        let is_null = reverse_path.is_empty();
        let (local_part, domain) = match reverse_path.rsplit_once('@') {
            _ if is_null => (POSTMASTER, helo),
            // RFC 7208 §4.3: no local part is postmaster.
            Some(("", domain)) => (POSTMASTER, domain),
            Some(parts) => parts,
            None => (POSTMASTER, reverse_path),
        };
        Self {
            client: client.to_canonical(),
            helo: helo.to_owned(),
            identity: Identity::MailFrom,
            is_null,
            local_part: local_part.to_owned(),
            domain: domain.to_owned(),
            time: None,
        }
    }

    /// The same of a reverse-path that has been parsed.
    pub fn reverse_path(client: IpAddr, helo: &str, reverse_path: &ReversePath) -> Self {
        Self::mail_from(client, helo, reverse_path.mailbox().map_or("", |mailbox| mailbox.as_str()))
    }

    /// Checks what the client has said in HELO or EHLO.
    pub fn helo(client: IpAddr, helo: &str) -> Self {
        Self { identity: Identity::Helo, ..Self::mail_from(client, helo, "") }
    }

    /// The same, at this time: seconds since 1970, for the macro `%{t}`.
    #[must_use]
    pub fn at(mut self, time: u64) -> Self {
        self.time = Some(time);
        self
    }

    /// The address of the client; one of IPv4 that was mapped into IPv6 is one of IPv4 (RFC 7208 §5).
    pub fn client(&self) -> IpAddr {
        self.client
    }

    /// What the client has said in HELO or EHLO.
    pub fn hello(&self) -> &str {
        &self.helo
    }

    /// Which name is checked.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// Whether the reverse-path is null.
    pub fn is_null(&self) -> bool {
        self.is_null
    }

    /// Of the sender.
    pub fn local_part(&self) -> &str {
        &self.local_part
    }

    /// Of the sender: whose record is looked for.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// In seconds since 1970, if it was said.
    pub fn time(&self) -> Option<u64> {
        self.time
    }

    /// The domain to begin with (RFC 7208 §4.3), or why there is none: a clause without a full stop.
    pub(super) fn domain_name(&self) -> Result<Name, &'static str> {
        if self.domain.starts_with('[') {
            return Err("an address literal has no record");
        }
        // RFC 8616 §4: A-labels for U-labels.
        let name = match self.domain.is_ascii() {
            true => Name::read(&self.domain),
            false => self.domain.parse::<Domain>().ok().and_then(|domain| Name::try_from(&domain).ok()),
        };
        let name = name.ok_or("that is no name of a domain")?;
        if name.labels().nth(1).is_none() {
            return Err("a name of one label only has no record");
        }
        Ok(name)
    }
}

const POSTMASTER: &str = "postmaster";
