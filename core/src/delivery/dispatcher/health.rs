//! Hosts fail, rest, are tried again, are asked to slow down.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::alarms::Alarm;
use super::host::{Health, Host};
use super::machine::Dispatcher;
use super::output::Event;
use super::slab::Key;
use super::waiters::Resource;
use crate::client::Failure;

impl Dispatcher {
    /// A host has failed at something that was begun at `begun`. What was begun before it failed last is the same failure.
    pub(super) fn failed(&mut self, now: Duration, key: Key<Host>, begun: Duration, failure: &Failure) {
        let Some(host) = self.hosts.get_mut(key) else {
            return;
        };
        if host.failed_at.is_some_and(|failed_at| begun <= failed_at) {
            return;
        }
        host.failures = host.failures.saturating_add(1);
        self.failures += 1;
        let until = now.saturating_add(host.policy.rest.after(host.failures, &mut self.random));
        let failure = Arc::new(failure.clone());
        host.failure = Some((Arc::clone(&failure), self.failures));
        host.failed_at = Some(now);
        host.health = Health::Resting { until };
        self.alarms.set(&mut host.bell, Some(until), Alarm::Host(key));
        let name = Arc::clone(&host.name);
        // They have to look for another host, or learn that there is none.
        let waiting: Vec<_> = host.waiters.all().collect();
        self.tell(Event::Resting { host: name, failure, until });
        for place in waiting {
            self.wake(place);
        }
    }

    /// A host has answered.
    pub(super) fn works(&mut self, now: Duration, key: Key<Host>) {
        let Some(host) = self.hosts.get_mut(key) else {
            return;
        };
        if host.health == Health::Good {
            return;
        }
        host.health = Health::Good;
        host.failures = 0;
        let name = Arc::clone(&host.name);
        self.tell(Event::Recovered { host: name });
        self.nudge(now, Resource::Host(key));
    }

    /// A host has said that it is too much, about something begun at `begun`.
    pub(super) fn too_much(&mut self, now: Duration, key: Key<Host>, begun: Duration) {
        let Some(host) = self.hosts.get_mut(key).filter(|host| host.policy.adaptive) else {
            return;
        };
        let limit = host.limit();
        if host.adaptation.slow(now, begun, host.sessions, limit) {
            let event = Event::Slowed { host: Arc::clone(&host.name), connections: host.limit() };
            self.tell(event);
        }
    }
}
