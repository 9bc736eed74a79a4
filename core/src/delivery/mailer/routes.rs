//! The look-ups of domains, and what is known of the servers that they led to.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::ToString as _;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::output::{Endpoint, LookUpId};
use crate::client::State;
use crate::delivery::dispatcher::{Target, Unrouted};
use crate::delivery::route::{self, Answer, Query, QueryId, Resolution, Route};
use crate::error::{Error, ErrorCode};
use crate::syntax::Domain;

/// The look-ups of domains.
#[derive(Clone, Debug)]
pub(super) struct Routes {
    config: Arc<route::Config>,
    port: u16,
    random: u64,
    open: BTreeMap<Arc<str>, Route>,
    /// Routes that may have something to say.
    busy: VecDeque<Arc<str>>,
    look_ups: BTreeMap<LookUpId, (Arc<str>, QueryId)>,
    next_look_up: u64,
    hosts: BTreeMap<Arc<str>, Host>,
    /// The hosts in the order in which they were found last, with the number of that finding.
    order: VecDeque<(Arc<str>, u64)>,
    findings: u64,
}

/// A server that the DNS has named.
#[derive(Clone, Debug)]
pub(super) struct Host {
    /// What its certificate is checked against.
    pub(super) server_name: Arc<str>,
    pub(super) endpoint: Arc<Endpoint>,
    finding: u64,
}

/// What a route has to say.
pub(super) enum Turn {
    Resolve(LookUpId, Query),
    /// Where mail for this destination goes.
    Routed(Arc<str>, Box<Resolution>),
}

/// How many servers are remembered. The dispatcher asks again for the routes that it uses, long before this many others
/// have been found.
const MOST_HOSTS: usize = 200_000;

impl Routes {
    pub(super) fn new(config: Arc<route::Config>, port: u16, seed: u64) -> Self {
        Self {
            config,
            port,
            random: seed,
            open: BTreeMap::new(),
            busy: VecDeque::new(),
            look_ups: BTreeMap::new(),
            next_look_up: 0,
            hosts: BTreeMap::new(),
            order: VecDeque::new(),
            findings: 0,
        }
    }

    /// Begins to look for the servers of a destination: a domain.
    pub(super) fn find(&mut self, destination: &Arc<str>) -> Result<(), Error> {
        let domain: Domain = destination.parse()?;
        self.random = self.random.wrapping_add(1);
        let route = Route::new(&domain, Arc::clone(&self.config), self.random.to_le_bytes());
        self.open.insert(Arc::clone(destination), route);
        self.busy.push_back(Arc::clone(destination));
        Ok(())
    }

    pub(super) fn turn(&mut self, now: Duration) -> Option<Turn> {
        loop {
            let destination = self.busy.front()?;
            let output = self.open.get_mut(destination).map(|route| route.poll(now));
            let (destination, finished) = match output {
                Some(route::Output::Resolve(query)) => {
                    let id = LookUpId(self.next_look_up);
                    self.next_look_up += 1;
                    self.look_ups.insert(id, (Arc::clone(destination), query.id));
                    return Some(Turn::Resolve(id, query));
                }
                Some(route::Output::Done(resolution)) => (self.busy.pop_front()?, Some(resolution)),
                Some(route::Output::Wait { .. }) | None => (self.busy.pop_front()?, None),
            };
            if let Some(resolution) = finished {
                self.open.remove(&destination);
                self.look_ups.retain(|_, (asker, _)| *asker != destination);
                return Some(Turn::Routed(destination, resolution));
            }
        }
    }

    pub(super) fn answered(&mut self, look_up: LookUpId, answer: Answer) {
        let Some((destination, query)) = self.look_ups.remove(&look_up) else {
            return;
        };
        if let Some(route) = self.open.get_mut(&destination) {
            route.dns_answer(query, answer);
            self.busy.push_back(destination);
        }
    }

    pub(super) fn deadline_passed(&mut self, now: Duration) {
        for (destination, route) in &mut self.open {
            route.deadline_passed(now);
            if route.is_done() {
                self.busy.push_back(Arc::clone(destination));
            }
        }
    }

    /// The next moment at which a look-up takes too long.
    pub(super) fn deadline(&mut self, now: Duration) -> Option<Duration> {
        let deadline = |route: &mut Route| match route.poll(now) {
            route::Output::Wait { deadline } => Some(deadline),
            route::Output::Resolve(_) | route::Output::Done(_) => None,
        };
        self.open.values_mut().filter_map(deadline).min()
    }

    /// The servers in `resolution`, as the dispatcher calls them, or why there are none.
    pub(super) fn targets(&mut self, resolution: &Resolution) -> Result<Vec<Target>, Unrouted> {
        if let Some(error) = resolution.error() {
            let state = if resolution.is_permanent_failure() { State::Rejected } else { State::Deferred };
            return Err(Unrouted { state, error });
        }
        let targets = (0..).zip(resolution.hosts()).map(|(priority, host)| {
            let name: Arc<str> = format!("{}:{}", host.name, self.port).into();
            let addresses = host.addresses.clone();
            let endpoint = Endpoint::Host { name: host.name.to_string(), port: self.port, addresses };
            self.findings += 1;
            let found =
                Host { server_name: host.name.as_str().into(), endpoint: endpoint.into(), finding: self.findings };
            self.hosts.insert(Arc::clone(&name), found);
            self.order.push_back((Arc::clone(&name), self.findings));
            Target { priority, ..Target::new(name) }
        });
        let targets = targets.collect();
        self.forget_the_oldest();
        Ok(targets)
    }

    /// What is known of a server by the name that the dispatcher uses.
    pub(super) fn host(&self, name: &str) -> Result<&Host, Error> {
        let forgotten = || Error::new(ErrorCode::DnsTemporary, "the server's addresses have to be looked up again");
        self.hosts.get(name).ok_or_else(forgotten)
    }

    fn forget_the_oldest(&mut self) {
        while self.order.len() > MOST_HOSTS
            && let Some((name, finding)) = self.order.pop_front()
        {
            if self.hosts.get(&name).is_some_and(|host| host.finding == finding) {
                self.hosts.remove(&name);
            }
        }
    }
}
