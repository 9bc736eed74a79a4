//! Destinations and hosts are known by name, as long as there is something to be known.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::alarms::Alarm;
use super::host::Host;
use super::machine::Dispatcher;
use super::parcel::{Destination, Target};
use super::place::{Aim, Place, Routing, Turn};
use super::slab::Key;
use super::waiters::Resource;

/// How many hosts of a destination are used.
const MOST_TARGETS: usize = 64;

impl Dispatcher {
    /// The destination, which has these hosts from now on.
    pub(super) fn place(&mut self, now: Duration, destination: &Destination) -> Key<Place> {
        let known = self.place_names.get(&destination.name).copied();
        let key = known.unwrap_or_else(|| {
            let name = Arc::clone(&destination.name);
            let quota = self.quotas.get(&name).unwrap_or(&self.config.destination).clone();
            let key = self.places.insert(Place::new(Arc::clone(&name), quota));
            self.place_names.insert(name, key);
            key
        });
        if let Some(place) = self.places.get_mut(key)
            && place.fallback != destination.fallback
        {
            place.fallback.clone_from(&destination.fallback);
        }
        if !destination.targets.is_empty() {
            self.aim(now, key, &destination.targets);
        }
        key
    }

    /// These are the hosts of a destination.
    pub(super) fn aim(&mut self, now: Duration, key: Key<Place>, targets: &[Target]) {
        let targets = targets.get(..MOST_TARGETS).unwrap_or(targets);
        let Some(place) = self.places.get_mut(key) else {
            return;
        };
        place.routing = Routing::Known { since: now };
        place.route_failures = 0;
        let is_same = |(aim, target): (&Aim, &Target)| {
            let host = self.hosts.get(aim.host);
            let is_named = host.is_some_and(|host| host.name == target.host);
            is_named && (aim.priority, aim.weight) == (target.priority, target.weight)
        };
        if place.aims.len() == targets.len() && place.aims.iter().zip(targets).all(is_same) {
            return;
        }
        let before: Vec<_> = place.aims.drain(..).map(|aim| aim.host).collect();
        let aims: Vec<_> = targets.iter().map(|target| self.aim_at(target)).collect();
        if let Some(place) = self.places.get_mut(key) {
            place.aims = aims;
        }
        for host in before {
            if let Some(host) = self.hosts.get_mut(host) {
                host.places = host.places.saturating_sub(1);
            }
            self.forget_host(now, host);
        }
        self.wake(key);
    }

    fn aim_at(&mut self, target: &Target) -> Aim {
        let key = self.host(&target.host);
        if let Some(host) = self.hosts.get_mut(key) {
            host.places += 1;
        }
        Aim { host: key, priority: target.priority, weight: target.weight, lag: 0 }
    }

    pub(super) fn host(&mut self, name: &Arc<str>) -> Key<Host> {
        if let Some(key) = self.host_names.get(name) {
            return *key;
        }
        let policy = self.policies.get(name).unwrap_or(&self.config.host).clone();
        let key = self.hosts.insert(Host::new(Arc::clone(name), policy));
        self.host_names.insert(Arc::clone(name), key);
        key
    }

    /// Forgets a destination without messages, now or when its rates have run out.
    pub(super) fn forget_place(&mut self, now: Duration, key: Key<Place>) {
        let Some(place) = self.places.get_mut(key) else {
            return;
        };
        let is_unused = place.held == 0 && place.connections == 0 && !matches!(place.routing, Routing::Asked { .. });
        if !is_unused || matches!(place.turn, Turn::Ring { .. }) {
            return;
        }
        let at = place.forgotten_at();
        if at > now {
            self.alarms.set(&mut place.bell, Some(at), Alarm::Place(key));
            return;
        }
        self.alarms.set(&mut place.bell, None, Alarm::Place(key));
        let Some(place) = self.places.remove(key) else {
            return;
        };
        self.place_names.remove(&place.name);
        if let Turn::Blocked { at } = place.turn {
            self.leave(&at);
        }
        for aim in place.aims {
            if let Some(host) = self.hosts.get_mut(aim.host) {
                host.places = host.places.saturating_sub(1);
            }
            self.forget_host(now, aim.host);
        }
    }

    /// Forgets a host that nobody names, now or when nothing is to be remembered.
    pub(super) fn forget_host(&mut self, now: Duration, key: Key<Host>) {
        let Some(host) = self.hosts.get_mut(key) else {
            return;
        };
        match host.forgotten_at(now) {
            None => {}
            // The end of its rest may come before.
            Some(at) if at > now => self.alarms.set_by(&mut host.bell, at, Alarm::Host(key)),
            Some(_) => {
                self.alarms.set(&mut host.bell, None, Alarm::Host(key));
                if let Some(host) = self.hosts.remove(key) {
                    self.host_names.remove(&host.name);
                }
            }
        }
    }

    /// What a host has lost and others wait for.
    pub(super) fn nudge_both(&mut self, now: Duration, host: Key<Host>) {
        self.nudge(now, Resource::Host(host));
        self.nudge(now, Resource::Connection);
    }
}
