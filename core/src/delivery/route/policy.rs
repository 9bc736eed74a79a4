//! Which way the recipients of a message go, and which of them go together.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::error::Error;
use crate::syntax::{Domain, ForwardPath, Mailbox};

/// How mail goes on. `R` names a relay, in whatever way the user of this has relays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way<R> {
    /// To a relay, which knows what to do.
    Relay(R),
    /// To the servers of each domain.
    Direct,
    /// To the servers of each domain, and to the relay where these can't be reached or don't want us:
    /// [`relay_may_take`](super::relay_may_take).
    DirectThenRelay(R),
}

/// Which way the mail for each domain goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy<R> {
    otherwise: Way<R>,
    exact: BTreeMap<Domain, Way<R>>,
    below: BTreeMap<Domain, Way<R>>,
}

impl<R: Clone + PartialEq> Policy<R> {
    /// All mail goes this way.
    pub fn new(way: Way<R>) -> Self {
        Self { otherwise: way, exact: BTreeMap::new(), below: BTreeMap::new() }
    }

    /// Mail for this domain goes another way. With a dot before it: mail for every domain below it, but not for itself.
    /// The longest entry counts.
    ///
    /// # Errors
    ///
    /// `address.syntax` or `address.too_long` if it is no domain; see [`Domain::canonical`].
    pub fn add(&mut self, domain: &str, way: Way<R>) -> Result<(), Error> {
        match domain.strip_prefix('.') {
            Some(parent) => self.below.insert(parent.parse::<Domain>()?.canonical()?, way),
            None => self.exact.insert(domain.parse::<Domain>()?.canonical()?, way),
        };
        Ok(())
    }

    /// Which way mail for a domain goes.
    pub fn way(&self, domain: &Domain) -> &Way<R> {
        let Ok(domain) = domain.canonical() else {
            return &self.otherwise;
        };
        let exact = self.exact.get(&domain);
        exact.or_else(|| self.way_below(&domain)).unwrap_or(&self.otherwise)
    }

    fn way_below(&self, domain: &Domain) -> Option<&Way<R>> {
        if self.below.is_empty() || domain.is_literal() {
            return None;
        }
        let parents = core::iter::successors(domain.as_str().split_once('.'), |(_, parent)| parent.split_once('.'));
        parents.filter_map(|(_, parent)| parent.parse().ok()).find_map(|parent: Domain| self.below.get(&parent))
    }

    /// Puts the recipients of a message together that go together, in the order of the first of each.
    pub fn group<'a>(&self, recipients: impl IntoIterator<Item = &'a ForwardPath>) -> Vec<Group<R>> {
        let mut groups: Vec<Group<R>> = Vec::new();
        let mut directly: BTreeMap<Domain, usize> = BTreeMap::new();
        for (index, recipient) in recipients.into_iter().enumerate() {
            let hop = self.hop(recipient);
            let place = match &hop {
                Hop::Direct { domain, .. } => directly.get(domain).copied(),
                _ => groups.iter().position(|group| group.hop == hop),
            };
            match place.and_then(|place| groups.get_mut(place)) {
                Some(group) => group.recipients.push(index),
                None => {
                    if let Hop::Direct { domain, .. } = &hop {
                        directly.insert(domain.clone(), groups.len());
                    }
                    groups.push(Group { hop, recipients: [index].into() });
                }
            }
        }
        groups
    }

    fn hop(&self, recipient: &ForwardPath) -> Hop<R> {
        let Some(domain) = recipient.mailbox().and_then(domain_of) else {
            return match &self.otherwise {
                Way::Relay(relay) | Way::DirectThenRelay(relay) => Hop::Relay(relay.clone()),
                Way::Direct => Hop::Nowhere,
            };
        };
        match self.way(&domain).clone() {
            Way::Relay(relay) => Hop::Relay(relay),
            Way::Direct => Hop::Direct { domain, then: None },
            Way::DirectThenRelay(relay) => Hop::Direct { domain, then: Some(relay) },
        }
    }
}

/// Recipients who go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group<R> {
    /// Where to.
    pub hop: Hop<R>,
    /// Their places in the list that was handed in, in its order.
    pub recipients: Vec<usize>,
}

/// Where recipients go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hop<R> {
    /// To this relay.
    Relay(R),
    /// To the servers of this domain, which a [`Route`](super::Route) finds.
    Direct {
        /// In the form in which domains are compared; as it was given, if it has none.
        domain: Domain,
        /// The relay for what fails directly.
        then: Option<R>,
    },
    /// `<Postmaster>` has no domain (RFC 5321 §4.5.1), so that only a relay can know who that is.
    Nowhere,
}

/// Puts the recipients of a message together by domain, in the order of the first of each.
pub fn group<'a>(recipients: impl IntoIterator<Item = &'a ForwardPath>) -> Vec<Group<()>> {
    Policy::new(Way::Direct).group(recipients)
}

/// The domain of a mailbox in the form in which domains are compared; as it was given, if it has none.
fn domain_of(mailbox: &Mailbox) -> Option<Domain> {
    let domain: Domain = mailbox.domain().parse().ok()?;
    Some(domain.canonical().unwrap_or(domain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorCode;

    fn paths(texts: &[&str]) -> Vec<ForwardPath> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn direct(domain: &str, recipients: &[usize]) -> Group<()> {
        Group { hop: Hop::Direct { domain: domain.parse().unwrap(), then: None }, recipients: recipients.into() }
    }

    #[test]
    fn recipients_go_together_by_domain() {
        let recipients = paths(&[
            "<a@One.test>",
            "<b@two.test>",
            "<c@one.TEST>",
            "<d@[ipv6:2001:DB8:0::1]>",
            "<e@[IPv6:2001:db8::1]>",
            "<Postmaster>",
            "<a@One.test>",
            "<x@[new:thing]>",
        ]);
        let nowhere = Group { hop: Hop::Nowhere, recipients: [5].into() };
        assert_eq!(
            group(&recipients),
            [
                direct("one.test", &[0, 2, 6]),
                direct("two.test", &[1]),
                direct("[IPv6:2001:db8::1]", &[3, 4]),
                nowhere,
                direct("[new:thing]", &[7]),
            ]
        );
        assert_eq!(group(&[]), []);
    }

    #[cfg(feature = "idna")]
    #[test]
    fn a_domain_is_the_same_in_both_forms() {
        let recipients = paths(&["<a@exÄmple.test>", "<b@XN--exmple-cua.test>", "<c@a\u{202e}b.test>"]);
        assert_eq!(group(&recipients), [direct("xn--exmple-cua.test", &[0, 1]), direct("a\u{202e}b.test", &[2])]);
    }

    #[test]
    fn a_table_knows_domains_and_what_is_below() {
        let mut policy = Policy::new(Way::Relay('r'));
        policy.add("Direct.test", Way::Direct).unwrap();
        policy.add(".direct.test", Way::DirectThenRelay('s')).unwrap();
        policy.add(".deep.direct.test", Way::Relay('t')).unwrap();
        policy.add("[192.0.2.1]", Way::Direct).unwrap();
        for (domain, way) in [
            ("direct.TEST", Way::Direct),
            ("a.direct.test", Way::DirectThenRelay('s')),
            ("b.a.direct.test", Way::DirectThenRelay('s')),
            ("deep.direct.test", Way::DirectThenRelay('s')),
            ("x.deep.direct.test", Way::Relay('t')),
            ("indirect.test", Way::Relay('r')),
            ("test", Way::Relay('r')),
            ("[192.0.2.1]", Way::Direct),
            ("[192.0.2.2]", Way::Relay('r')),
        ] {
            assert_eq!(policy.way(&domain.parse().unwrap()), &way, "{domain}");
        }
        for domain in ["", ".", "a b", "..a"] {
            assert_eq!(policy.add(domain, Way::Direct).unwrap_err().code(), ErrorCode::AddressSyntax, "{domain}");
        }
    }

    #[test]
    fn what_goes_to_a_relay_goes_together() {
        let recipients = paths(&["<a@one.test>", "<b@two.test>", "<c@three.test>", "<Postmaster>", "<d@four.test>"]);
        let mut policy = Policy::new(Way::Relay('r'));
        policy.add("two.test", Way::Relay('s')).unwrap();
        policy.add("four.test", Way::DirectThenRelay('r')).unwrap();
        let then = Hop::Direct { domain: "four.test".parse().unwrap(), then: Some('r') };
        assert_eq!(
            policy.group(&recipients),
            [
                Group { hop: Hop::Relay('r'), recipients: [0, 2, 3].into() },
                Group { hop: Hop::Relay('s'), recipients: [1].into() },
                Group { hop: then, recipients: [4].into() },
            ]
        );
        let policy = Policy::new(Way::DirectThenRelay('r'));
        assert_eq!(policy.group(&recipients)[3].hop, Hop::Relay('r'));
    }
}
