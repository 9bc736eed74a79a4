//! What a route depends on besides the domain.

use alloc::collections::BTreeSet;
use core::net::IpAddr;
use core::time::Duration;

use crate::error::Error;
use crate::syntax::Domain;

/// What a route depends on besides the domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Who we are.
    pub ourselves: Ourselves,
    /// Which addresses are of use.
    pub families: Families,
    /// What is taken though it should not be.
    pub leniency: Leniency,
    /// How much is looked at.
    pub limits: Limits,
    /// How long all look-ups together may take. What has not been answered then counts as failed for now.
    pub timeout: Duration,
}

impl Default for Config {
    /// We are nobody, both families, 30 seconds.
    fn default() -> Self {
        Self {
            ourselves: Ourselves::default(),
            families: Families::default(),
            leniency: Leniency::default(),
            limits: Limits::default(),
            timeout: Duration::from_secs(30),
        }
    }
}

/// Which servers are ourselves: mail that would go to one of them, or to one that is not better, has come round.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ourselves {
    names: BTreeSet<Domain>,
    addresses: BTreeSet<IpAddr>,
}

impl Ourselves {
    /// A server of this name, or at the address that it is a literal of.
    ///
    /// # Errors
    ///
    /// As [`Domain::canonical`].
    pub fn add_name(&mut self, name: &Domain) -> Result<(), Error> {
        match name.address() {
            Some(address) => self.add_address(address),
            None => {
                self.names.insert(name.canonical()?);
            }
        }
        Ok(())
    }

    /// A server at this address.
    pub fn add_address(&mut self, address: IpAddr) {
        self.addresses.insert(address.to_canonical());
    }

    pub(super) fn has_name(&self, name: &Domain) -> bool {
        self.names.contains(name)
    }

    pub(super) fn has_address(&self, address: IpAddr) -> bool {
        self.addresses.contains(&address.to_canonical())
    }
}

/// Which addresses are of use to us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Families {
    /// Of IPv4 and IPv6.
    #[default]
    Both,
    /// Of IPv4 only.
    V4,
    /// Of IPv6 only.
    V6,
}

/// What is taken from a zone though RFC 5321 §5.1 forbids it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leniency {
    /// An MX record whose host is an alias. RFC 2181 §10.3 forbids it; many domains that are hosted by others have it, every resolver follows
    /// it, and Postfix, Exim and Sendmail deliver. On unless it is turned off.
    pub alias_as_exchange: bool,
    /// An MX record whose host is written as an IPv4 address. There is no such name in the DNS, and Postfix and Exim don't deliver. Off
    /// unless it is turned on, since whoever writes the record believes in what does not work elsewhere.
    pub address_as_exchange: bool,
}

impl Default for Leniency {
    fn default() -> Self {
        Self { alias_as_exchange: true, address_as_exchange: false }
    }
}

/// How much is looked at of what a zone may say. Whatever its owner writes, nobody is kept busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// MX records in one answer.
    pub exchanges: usize,
    /// Servers that are looked up and tried, the best ones.
    pub hosts: usize,
    /// Addresses of one server.
    pub addresses: usize,
    /// Aliases behind each other.
    pub aliases: usize,
    /// Look-ups in all.
    pub look_ups: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { exchanges: 500, hosts: 10, addresses: 8, aliases: 8, look_ups: 60 }
    }
}
