//! A server that may be tried, while its addresses are looked up.

use alloc::vec::Vec;
use core::net::IpAddr;

use super::config::Config;
use super::resolution::Host;
use crate::dns::{Found, Name, Records};
use crate::syntax::Domain;

/// Whom the look-ups of addresses are about.
#[derive(Clone, Copy, Debug)]
pub(super) struct About {
    /// The place in the list of candidates.
    pub(super) candidate: usize,
    pub(super) of_v6: bool,
}

/// A server that may be tried.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) name: Domain,
    /// Of its MX record, if it has one.
    pub(super) preference: Option<u16>,
    canonical: Option<Domain>,
    v4: Vec<IpAddr>,
    v6: Vec<IpAddr>,
    failed: bool,
    authenticated: bool,
}

/// What has become of a candidate.
#[derive(Clone, Debug)]
pub(super) enum Fate {
    Usable(Host),
    /// It is ourselves.
    Own,
    /// Its addresses could not be looked up for now.
    Failed,
    /// For this reason it can't be tried.
    Useless(&'static str),
}

impl Candidate {
    pub(super) fn new(name: Domain, preference: Option<u16>) -> Self {
        Self { name, preference, canonical: None, v4: Vec::new(), v6: Vec::new(), failed: false, authenticated: true }
    }

    /// One whose name is its address.
    pub(super) fn literal(address: IpAddr, preference: Option<u16>) -> Self {
        let mut candidate = Self { authenticated: false, ..Self::new(address.into(), preference) };
        let address = address.to_canonical();
        candidate.addresses_mut(address.is_ipv6()).extend(Some(address).filter(|it| is_of_a_host(*it)));
        candidate
    }

    /// Takes what was found about its addresses.
    pub(super) fn found(&mut self, of_v6: bool, found: Found) {
        self.authenticated &= found.authenticated;
        if let Some(canonical) = found.canonical {
            self.canonical = host_name(&canonical).or(self.canonical.take());
        }
        match found.records {
            Records::Addresses(addresses) => {
                let addresses = addresses.into_iter().filter(|it| it.is_ipv6() == of_v6 && is_of_a_host(*it));
                *self.addresses_mut(of_v6) = addresses.collect();
            }
            Records::Failed => self.failed = true,
            _ => {}
        }
    }

    /// To be asked when all has been found.
    pub(super) fn fate(&self, config: &Config) -> Fate {
        if config.ourselves.has_name(&self.name)
            || self.canonical.as_ref().is_some_and(|name| config.ourselves.has_name(name))
            || self.v4.iter().chain(&self.v6).any(|address| config.ourselves.has_address(*address))
        {
            return Fate::Own;
        }
        if self.preference.is_some() && self.canonical.is_some() && !config.leniency.alias_as_exchange {
            return Fate::Useless("an MX record must not name an alias (RFC 5321 §5.1)");
        }
        let addresses = interleaved(&self.v6, &self.v4, config.limits.addresses);
        if !addresses.is_empty() {
            return Fate::Usable(Host {
                name: self.name.clone(),
                canonical_name: self.canonical.clone(),
                preference: self.preference,
                addresses,
                authenticated: self.authenticated,
            });
        }
        if self.failed { Fate::Failed } else { Fate::Useless("it has no address that can be used") }
    }

    /// The name at the end of its aliases.
    pub(super) fn into_canonical(mut self) -> Self {
        self.name = self.canonical.take().unwrap_or(self.name);
        self
    }

    fn addresses_mut(&mut self, of_v6: bool) -> &mut Vec<IpAddr> {
        if of_v6 { &mut self.v6 } else { &mut self.v4 }
    }
}

/// What the DNS calls a host, if a host can have that name.
pub(super) fn host_name(name: &Name) -> Option<Domain> {
    name.as_str().parse().ok()
}

/// Each once, by turns, so that a bound leaves some of both.
fn interleaved(first: &[IpAddr], second: &[IpAddr], most: usize) -> Vec<IpAddr> {
    let mut all = Vec::new();
    for index in 0..first.len().max(second.len()) {
        for address in [first, second].into_iter().filter_map(|addresses| addresses.get(index).copied()) {
            if all.len() < most && !all.contains(&address) {
                all.push(address);
            }
        }
    }
    all
}

/// Whether a connection can go there. One that goes to no host at all may well go to ourselves.
fn is_of_a_host(address: IpAddr) -> bool {
    let never = address.is_unspecified() || address.is_multicast();
    match address {
        IpAddr::V4(address) => !never && !address.is_broadcast(),
        IpAddr::V6(address) => !never && address.to_ipv4_mapped().is_none(),
    }
}
