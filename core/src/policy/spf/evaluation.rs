//! Whether a mechanism matches (RFC 7208 §5), as far as that is known: judged from the beginning whenever an answer has come.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;

use super::config::Config;
use super::expansion::reverse_name;
use super::request::Request;
use super::verdict::LookedUp;
use crate::dns::{Exchange, Memory, Name, QueryKind, Records};
use crate::syntax::spf::{DomainSpec, DualPrefix, MacroLetter, Mechanism};

/// What a term is judged by.
pub(super) struct Scene<'a> {
    pub(super) request: &'a Request,
    pub(super) config: &'a Config,
    memory: &'a mut Memory,
    /// Whose record it is.
    pub(super) domain: &'a Name,
    looked_up: Vec<LookedUp>,
    is_void: bool,
}

/// Why something can't be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unready {
    /// An answer has to come first.
    Wait,
    /// For this reason it never can.
    Never(&'static str),
}

/// What a term came to.
#[derive(Clone, Debug)]
pub(super) enum Fate {
    Wait,
    Matched(String),
    Unmatched(String),
    /// The record of this domain decides.
    Enter(Name),
    Temporary(String),
    Permanent(String),
}

/// A term that has been judged.
pub(super) struct Judged {
    pub(super) fate: Fate,
    pub(super) looked_up: Vec<LookedUp>,
    /// Whether its look-up found nothing.
    pub(super) is_void: bool,
}

impl<'a> Scene<'a> {
    pub(super) fn new(request: &'a Request, config: &'a Config, memory: &'a mut Memory, domain: &'a Name) -> Self {
        Self { request, config, memory, domain, looked_up: Vec::new(), is_void: false }
    }

    pub(super) fn judge(mut self, mechanism: &Mechanism) -> Judged {
        let fate = match mechanism {
            Mechanism::All => Fate::Matched("all matches everybody".into()),
            Mechanism::Ip4 { network, prefix } => self.network((*network).into(), *prefix),
            Mechanism::Ip6 { network, prefix } => self.network((*network).into(), *prefix),
            Mechanism::Include(domain) => match self.target(Some(domain)) {
                Ok(name) => Fate::Enter(name),
                Err(Unready::Wait) => Fate::Wait,
                // RFC 7208 §5.2: what has no record is an error here.
                Err(Unready::Never(why)) => Fate::Permanent(why.into()),
            },
            Mechanism::A { domain, prefix } => {
                self.with_target(domain.as_ref(), |it, name| it.addresses(&name, *prefix))
            }
            Mechanism::Mx { domain, prefix } => {
                self.with_target(domain.as_ref(), |it, name| it.exchanges(&name, *prefix))
            }
            Mechanism::Ptr(domain) => self.with_target(domain.as_ref(), |it, name| it.pointers(&name)),
            Mechanism::Exists(domain) => self.with_target(Some(domain), |it, name| it.exists(&name)),
        };
        Judged { fate, looked_up: self.looked_up, is_void: self.is_void }
    }

    /// What the record of a domain is; `None` while nothing has come.
    pub(super) fn record_of_domain(&mut self) -> Option<Arc<Records>> {
        let domain = self.domain;
        self.find(domain, QueryKind::Txt)
    }

    /// The text at the target of `exp`.
    pub(super) fn text_at(&mut self, name: &Name) -> Option<Arc<Records>> {
        self.find(name, QueryKind::Txt)
    }

    pub(super) fn into_looked_up(self) -> Vec<LookedUp> {
        self.looked_up
    }

    /// Asks what the mechanism will need first, if that is known by now.
    pub(super) fn ask_ahead(&mut self, mechanism: &Mechanism) {
        let kind = match mechanism {
            Mechanism::All | Mechanism::Ip4 { .. } | Mechanism::Ip6 { .. } => return,
            Mechanism::Include(_) => QueryKind::Txt,
            Mechanism::A { .. } => self.address_kind(),
            Mechanism::Mx { .. } => QueryKind::Mx,
            Mechanism::Exists(_) => QueryKind::A,
            Mechanism::Ptr(_) => {
                if let Some(name) = reverse_name(self.request.client()) {
                    let _ = self.memory.ask(&name, QueryKind::Ptr);
                }
                return;
            }
        };
        self.ask_target_ahead(mechanism.domain(), kind);
    }

    pub(super) fn ask_target_ahead(&mut self, spec: Option<&DomainSpec>, kind: QueryKind) {
        let needs_name =
            |it: &DomainSpec| it.as_macro_string().macros().any(|it| it.letter == MacroLetter::ValidatedName);
        if !spec.is_some_and(needs_name)
            && let Ok(name) = self.target(spec)
        {
            let _ = self.memory.ask(&name, kind);
        }
    }

    /// The name of the client for `%{p}` (RFC 7208 §7.3); `None` if it has none that is valid.
    pub(super) fn validated_name(&mut self) -> Result<Option<Name>, Unready> {
        let names = match self.names_of_client()? {
            Ok(names) => self.validated(names)?,
            Err(_) => Vec::new(),
        };
        let domain = self.domain;
        let best = names.iter().find(|name| *name == domain);
        let best = best.or_else(|| names.iter().find(|name| name.is_within(domain)));
        Ok(best.or(names.first()).cloned())
    }

    fn with_target(&mut self, spec: Option<&DomainSpec>, judge: impl FnOnce(&mut Self, Name) -> Fate) -> Fate {
        match self.target(spec) {
            Ok(name) => judge(self, name),
            Err(Unready::Wait) => Fate::Wait,
            // RFC 7208 §4.8 leaves it open: what can't be there does not match.
            Err(Unready::Never(why)) => Fate::Unmatched(why.into()),
        }
    }

    fn network(&self, network: IpAddr, prefix: u8) -> Fate {
        let client = self.request.client();
        match is_within(client, network, prefix) {
            true => Fate::Matched(format!("{client} is within {network}/{prefix}")),
            false => Fate::Unmatched(format!("{client} is not within {network}/{prefix}")),
        }
    }

    // RFC 7208 section 5.3

    fn addresses(&mut self, name: &Name, prefix: DualPrefix) -> Fate {
        let Some(records) = self.find(name, self.address_kind()) else {
            return Fate::Wait;
        };
        match &*records {
            Records::Addresses(addresses) => match self.among(addresses, prefix) {
                Some(address) => Fate::Matched(self.found_at(address, prefix, name)),
                None => Fate::Unmatched(format!("{} is no address of {name}", self.request.client())),
            },
            Records::Failed => failed(name),
            _ => {
                self.is_void = true;
                Fate::Unmatched(format!("{name} has no address"))
            }
        }
    }

    // RFC 7208 section 5.4

    fn exchanges(&mut self, name: &Name, prefix: DualPrefix) -> Fate {
        let Some(records) = self.find(name, QueryKind::Mx) else {
            return Fate::Wait;
        };
        let exchanges = match &*records {
            Records::Exchanges(exchanges) => exchanges,
            Records::Failed => return failed(name),
            _ => {
                self.is_void = true;
                return Fate::Unmatched(format!("{name} has no MX records"));
            }
        };
        let most = self.config.limits.names;
        if exchanges.len() > most {
            return Fate::Permanent(format!("{name} has more than {most} MX records"));
        }
        let mut exchanges: Vec<&Exchange> = exchanges.iter().collect();
        exchanges.sort_by_key(|exchange| exchange.preference);
        let names: Vec<Name> = exchanges.iter().filter_map(|exchange| Name::read(&exchange.host)).collect();
        let found: Vec<_> = names.iter().map(|name| self.find(name, self.address_kind())).collect();
        for (server, records) in names.iter().zip(found) {
            match records.as_deref() {
                None => return Fate::Wait,
                Some(Records::Addresses(addresses)) => {
                    if let Some(address) = self.among(addresses, prefix) {
                        let reason = self.found_at(address, prefix, server);
                        return Fate::Matched(format!("{reason}, a mail server of {name}"));
                    }
                }
                Some(Records::Failed) => return failed(server),
                Some(_) => {}
            }
        }
        Fate::Unmatched(format!("{} is no address of the mail servers of {name}", self.request.client()))
    }

    // RFC 7208 section 5.5

    fn pointers(&mut self, target: &Name) -> Fate {
        let client = self.request.client();
        let names = match self.names_of_client() {
            Ok(Ok(names)) => names,
            Ok(Err(why)) => return Fate::Unmatched(format!("{client} {why}")),
            Err(_) => return Fate::Wait,
        };
        let within: Vec<Name> = names.into_iter().filter(|name| name.is_within(target)).collect();
        if within.is_empty() {
            return Fate::Unmatched(format!("{client} has no name within {target}"));
        }
        match self.validated(within) {
            Err(_) => Fate::Wait,
            Ok(names) => match names.first() {
                Some(name) => Fate::Matched(format!("{client} is {name}, within {target}")),
                None => Fate::Unmatched(format!("no name of {client} within {target} has that address")),
            },
        }
    }

    // RFC 7208 section 5.7

    fn exists(&mut self, name: &Name) -> Fate {
        // A, whatever the version of the client's address.
        let Some(records) = self.find(name, QueryKind::A) else {
            return Fate::Wait;
        };
        match &*records {
            Records::Addresses(_) => Fate::Matched(format!("{name} exists")),
            Records::Failed => failed(name),
            _ => {
                self.is_void = true;
                Fate::Unmatched(format!("{name} does not exist"))
            }
        }
    }

    /// The names of the client, not more than are to be looked at, or why there are none.
    fn names_of_client(&mut self) -> Result<Result<Vec<Name>, &'static str>, Unready> {
        const NAMELESS: &str = "has no name in the DNS";
        let Some(reverse) = reverse_name(self.request.client()) else {
            return Ok(Err(NAMELESS));
        };
        let records = self.find(&reverse, QueryKind::Ptr).ok_or(Unready::Wait)?;
        Ok(match &*records {
            Records::Names(names) => {
                Ok(names.iter().take(self.config.limits.names).filter_map(|name| Name::read(name)).collect())
            }
            // RFC 7208 §5.5: it is not the domain's fault.
            Records::Failed => Err("has a name that can't be looked up for now"),
            _ => Err(NAMELESS),
        })
    }

    /// Those of `names` that have the address of the client.
    fn validated(&mut self, names: Vec<Name>) -> Result<Vec<Name>, Unready> {
        let found: Vec<_> = names.iter().map(|name| self.find(name, self.address_kind())).collect();
        let mut valid = Vec::new();
        for (name, records) in names.into_iter().zip(found) {
            match &*records.ok_or(Unready::Wait)? {
                Records::Addresses(addresses) if addresses.contains(&self.request.client()) => valid.push(name),
                _ => {}
            }
        }
        Ok(valid)
    }

    fn find(&mut self, name: &Name, kind: QueryKind) -> Option<Arc<Records>> {
        let records = self.memory.ask(name, kind)?;
        self.looked_up.push(LookedUp { name: name.to_string(), kind, found: in_words(&records) });
        Some(records)
    }

    fn address_kind(&self) -> QueryKind {
        if self.request.client().is_ipv4() { QueryKind::A } else { QueryKind::Aaaa }
    }

    fn among(&self, addresses: &[IpAddr], prefix: DualPrefix) -> Option<IpAddr> {
        let client = self.request.client();
        let prefix = if client.is_ipv4() { prefix.v4 } else { prefix.v6 };
        addresses.iter().copied().find(|address| is_within(client, *address, prefix))
    }

    fn found_at(&self, address: IpAddr, prefix: DualPrefix, name: &Name) -> String {
        let client = self.request.client();
        if address == client {
            return format!("{client} is an address of {name}");
        }
        let prefix = if client.is_ipv4() { prefix.v4 } else { prefix.v6 };
        format!("{client} is within {address}/{prefix} of {name}")
    }
}

fn failed(name: &Name) -> Fate {
    Fate::Temporary(format!("{name} can't be looked up for now"))
}

/// Whether the first bits of both are the same. Addresses of different versions never are.
pub(super) fn is_within(address: IpAddr, network: IpAddr, prefix: u8) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let differing = (address.to_bits() ^ network.to_bits()).leading_zeros();
            differing >= prefix.into()
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let differing = (address.to_bits() ^ network.to_bits()).leading_zeros();
            differing >= prefix.into()
        }
        _ => false,
    }
}

/// How much of an answer is told.
const TOLD: usize = 4;

fn in_words(records: &Records) -> String {
    fn list(count: usize, items: impl Iterator<Item = String>) -> String {
        let mut told: Vec<String> = items.take(TOLD).collect();
        if let Some(more @ 1..) = count.checked_sub(TOLD) {
            told.push(format!("and {more} more"));
        }
        told.join(", ")
    }
    match records {
        Records::Exchanges(all) => {
            list(all.len(), all.iter().map(|it| format!("{} {}", it.preference, printable(&it.host))))
        }
        Records::Addresses(all) => list(all.len(), all.iter().map(ToString::to_string)),
        Records::Texts(all) if all.len() == 1 => "1 text".into(),
        Records::Texts(all) => format!("{} texts", all.len()),
        Records::Names(all) => list(all.len(), all.iter().map(|it| printable(it))),
        Records::Alias(_) | Records::Failed => "failed".into(),
        Records::NoData => "nothing of that kind".into(),
        Records::NxDomain => "no such name".into(),
    }
}

fn printable(text: &str) -> String {
    text.chars().take(253).map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        for (address, network, prefix, within) in [
            ("192.0.2.1", "192.0.2.128", 24, true),
            ("192.0.2.1", "192.0.2.128", 25, false),
            ("192.0.2.1", "192.0.2.1", 32, true),
            ("192.0.2.1", "203.0.113.1", 0, true),
            ("192.0.2.1", "::ffff:192.0.2.1", 0, false),
            ("2001:db8::1", "2001:db8:ffff::", 33, false),
            ("2001:db8::1", "2001:db8:7fff::", 33, true),
            ("2001:db8::1", "::", 0, true),
            ("2001:db8::1", "2001:db8::1", 128, true),
        ] {
            let within_it = is_within(address.parse().unwrap(), network.parse().unwrap(), prefix);
            assert_eq!(within_it, within, "{address} {network}/{prefix}");
        }
    }
}
