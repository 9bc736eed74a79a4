//! What a dispatcher is given: messages, and where they go.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use crate::client::{Envelope, MessageId, State};
use crate::error::Error;

/// A message, with its recipients sorted by where they go.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// The host's own number for it, under which its content is found. No two at a time may have the same.
    pub id: MessageId,
    /// From whom and to whom.
    pub envelope: Arc<Envelope>,
    /// Where each recipient goes.
    pub groups: Vec<Group>,
    /// The last moment, on the clock of the host; else as [`Retry`](super::Retry) says.
    pub deadline: Option<Duration>,
}

impl Parcel {
    /// A message that goes to one destination.
    pub fn to(id: MessageId, envelope: Arc<Envelope>, destination: Arc<Destination>) -> Self {
        let recipients = (0..).take(envelope.recipients.len()).collect();
        let groups = alloc::vec![Group { recipients, way: Way::To(destination) }];
        Self { id, envelope, groups, deadline: None }
    }
}

/// Recipients that go the same way.
#[derive(Clone, Debug)]
pub struct Group {
    /// Which of the envelope, from 0.
    pub recipients: Vec<u32>,
    /// Where they go.
    pub way: Way,
}

/// Where recipients go.
#[derive(Clone, Debug)]
pub enum Way {
    /// To this destination.
    To(Arc<Destination>),
    /// There is none: no such domain, a null MX. This is their outcome.
    Nowhere(Unrouted),
}

/// Why there is no way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unrouted {
    /// `rejected` if there will be none.
    pub state: State,
    /// Why.
    pub error: Error,
}

/// Where recipients go: a domain, or a set of relays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// What it is known by: the domain. When it comes again with other hosts, those hold from then on.
    pub name: Arc<str>,
    /// The hosts that take messages for it, up to 64. Without any, [`Output::Route`](super::Output::Route) asks for them.
    pub targets: Vec<Target>,
    /// Where recipients go whom none of these hosts lets through: none can be reached, all refuse the connection, or the
    /// sender is refused by policy (X.7.X, before the content). Not of a destination that is [`Unrouted`] for good.
    pub fallback: Option<Arc<Destination>>,
}

impl Destination {
    /// One host.
    pub fn host(name: impl Into<Arc<str>>) -> Self {
        let name = name.into();
        Self { targets: alloc::vec![Target::new(Arc::clone(&name))], name, fallback: None }
    }

    /// Several hosts, each to be used when those before it have failed.
    pub fn failover<T: Into<Arc<str>>>(name: impl Into<Arc<str>>, hosts: impl IntoIterator<Item = T>) -> Self {
        let targets = hosts.into_iter().zip(0..).map(|(host, priority)| Target { priority, ..Target::new(host) });
        Self { name: name.into(), targets: targets.collect(), fallback: None }
    }

    /// Several hosts, taking turns.
    pub fn round_robin<T: Into<Arc<str>>>(name: impl Into<Arc<str>>, hosts: impl IntoIterator<Item = T>) -> Self {
        Self { name: name.into(), targets: hosts.into_iter().map(Target::new).collect(), fallback: None }
    }
}

/// A host of a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What it is known by. Destinations that name the same host share its sessions, its limits and its rest; where that is
    /// not wanted, since a domain has its own policy for TLS for instance, give it another name.
    pub host: Arc<str>,
    /// The lowest goes first; a higher one is used while all lower ones have failed.
    pub priority: u16,
    /// Its share among those of the same priority; 0 counts as 1.
    pub weight: u16,
}

impl Target {
    /// Of priority 0 and weight 1.
    pub fn new(host: impl Into<Arc<str>>) -> Self {
        Self { host: host.into(), priority: 0, weight: 1 }
    }
}
