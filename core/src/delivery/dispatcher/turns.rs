//! Whose turn it is: each destination that has something to send gets one, round and round.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::alarms::Alarm;
use super::books::{Delivery, Whereabouts};
use super::choice::Choice;
use super::host::{Health, Host, LogIn};
use super::machine::{Dispatcher, Phase};
use super::output::{Open, Output, Send};
use super::place::{Place, Routing, Turn};
use super::session::{Session, Stage};
use super::slab::Key;
use super::waiters::Resource;

/// What becomes of a destination after its turn.
pub(super) enum Next {
    /// It has used this host, and may have more to do.
    Used(Key<Host>),
    /// It may have more to do.
    Again,
    /// It has nothing to send.
    Nothing,
    /// It waits for any of these, or for something of its own.
    Blocked(Vec<Resource>),
    /// It waits until the next message of all may go.
    Paused,
}

/// A session that has been open for so long works.
const PROOF: Duration = Duration::from_secs(1);

impl Dispatcher {
    /// Gives the next destination its turn. Says whether there was any.
    pub(super) fn next_turn(&mut self, now: Duration) -> bool {
        let is_open = !self.paused.is_empty() && self.may_go(now);
        let next = if is_open { self.paused.pop_front() } else { None };
        let Some(key) = next.or_else(|| self.ring.pop_front()) else {
            return false;
        };
        let Some(place) = self.places.get_mut(key) else {
            return true;
        };
        // It stays in the ring while it has its turn, so that nobody wakes it.
        let (woken_by, before) = match &mut place.turn {
            Turn::Ring { woken_by, before } => (*woken_by, core::mem::take(before)),
            Turn::Idle | Turn::Blocked { .. } => return true,
        };
        let is_granted = woken_by == Some(Resource::Connection);
        self.granted -= usize::from(is_granted);
        let next = if self.phase == Phase::Stopping { Next::Nothing } else { self.turn(now, key, woken_by) };
        let mut left: Vec<_> = before.iter().map(|(resource, _)| *resource).chain(woken_by).collect();
        let turn = match next {
            Next::Paused => {
                self.granted += usize::from(is_granted);
                self.paused.push_back(key);
                left.clear();
                Turn::Ring { woken_by, before }
            }
            Next::Blocked(resources) => {
                left.retain(|resource| !resources.contains(resource));
                let tickets = resources.into_iter().filter_map(|resource| self.queue_up(resource, key, &before));
                Turn::Blocked { at: tickets.collect() }
            }
            Next::Used(host) => {
                left.push(Resource::Host(host));
                self.ring.push_back(key);
                Turn::Ring { woken_by: None, before: Vec::new() }
            }
            Next::Again => {
                self.ring.push_back(key);
                Turn::Ring { woken_by: None, before: Vec::new() }
            }
            Next::Nothing => Turn::Idle,
        };
        let is_idle = matches!(turn, Turn::Idle);
        if let Some(place) = self.places.get_mut(key) {
            place.turn = turn;
        }
        if is_idle {
            self.forget_place(now, key);
        }
        // What it has not used, or not used up, is for those behind it.
        for resource in left {
            self.nudge(now, resource);
        }
        true
    }

    /// Whether the next message of all may go. Where not, an alarm is set.
    fn may_go(&mut self, now: Duration) -> bool {
        let next = self.pace.next(now);
        let is_open = next <= now;
        if !is_open {
            self.alarms.set(&mut self.gate, Some(next), Alarm::Gate);
        }
        is_open
    }

    fn queue_up(&mut self, resource: Resource, key: Key<Place>, before: &[(Resource, u64)]) -> Option<(Resource, u64)> {
        let waiters = match resource {
            Resource::Host(host) => &mut self.hosts.get_mut(host)?.waiters,
            Resource::Connection => &mut self.for_connection,
        };
        let old = before.iter().find(|(other, _)| *other == resource).map(|(_, ticket)| *ticket);
        let ticket = match old {
            Some(ticket) => {
                waiters.add_again(ticket, key);
                ticket
            }
            None => waiters.add(key),
        };
        Some((resource, ticket))
    }

    /// Something has changed that this destination may have waited for, of its own.
    pub(super) fn wake(&mut self, key: Key<Place>) {
        self.wake_by(key, None);
    }

    /// The same, unless it waits for what others wait for too: then it is woken when it is its turn.
    pub(super) fn wake_unless_queued(&mut self, key: Key<Place>) {
        let is_queued = |place: &Place| matches!(&place.turn, Turn::Blocked { at } if !at.is_empty());
        if !self.places.get(key).is_some_and(is_queued) {
            self.wake(key);
        }
    }

    fn wake_by(&mut self, key: Key<Place>, woken_by: Option<Resource>) {
        let Some(place) = self.places.get_mut(key) else {
            return;
        };
        let tickets = match &mut place.turn {
            Turn::Idle if place.queued > 0 => Vec::new(),
            Turn::Idle | Turn::Ring { .. } => return,
            Turn::Blocked { at } => core::mem::take(at),
        };
        self.leave(&tickets);
        self.granted += usize::from(woken_by == Some(Resource::Connection));
        if let Some(place) = self.places.get_mut(key) {
            place.turn = Turn::Ring { woken_by, before: tickets };
            self.ring.push_back(key);
        }
    }

    /// Takes back what a destination waits for.
    pub(super) fn leave(&mut self, tickets: &[(Resource, u64)]) {
        for (resource, ticket) in tickets {
            match resource {
                Resource::Connection => self.for_connection.remove(*ticket),
                Resource::Host(host) => {
                    if let Some(host) = self.hosts.get_mut(*host) {
                        host.waiters.remove(*ticket);
                    }
                }
            }
        }
    }

    /// There may be more of this resource: wakes who has waited longest. After its turn it wakes the next one if it has
    /// left anything, so that nothing is left lying about and nobody is woken in vain.
    pub(super) fn nudge(&mut self, now: Duration, resource: Resource) {
        let first = match resource {
            Resource::Connection if self.has_connection() => self.for_connection.first(),
            Resource::Connection => None,
            Resource::Host(key) => {
                let first = self.hosts.get(key).and_then(|host| host.waiters.first());
                first.filter(|_| self.host_has_room(now, key))
            }
        };
        if let Some(first) = first {
            self.wake_by(first, Some(resource));
        }
    }

    /// Whether there may be a connection more, beyond those that have been granted.
    pub(super) fn has_connection(&self) -> bool {
        self.sessions.len() + self.granted < self.config.quota.connections.max(1) as usize
    }

    /// Whether anybody could send by this host now, had he a connection. Where that is just a matter of time, an alarm is
    /// set.
    fn host_has_room(&mut self, now: Duration, key: Key<Host>) -> bool {
        let Some(host) = self.hosts.get_mut(key) else {
            return false;
        };
        let has_room = match host.health {
            Health::Resting { .. } => return false,
            Health::Probing(Some(session)) => {
                self.sessions.get(session).is_some_and(|session| matches!(session.stage, Stage::Idle { .. }))
            }
            Health::Probing(None) | Health::Good => {
                let may_open = host.log_in != LogIn::Asked && host.sessions < host.limit();
                !host.idle.is_empty() || may_open
            }
        };
        let next = host.next(now);
        if has_room && next > now {
            self.alarms.set_by(&mut host.bell, next, Alarm::Host(key));
        }
        has_room && next <= now
    }

    /// One destination's turn: at most one message.
    fn turn(&mut self, now: Duration, key: Key<Place>, woken_by: Option<Resource>) -> Next {
        let Some(front) = self.front(key) else {
            return Next::Nothing;
        };
        if let Some(next) = self.look_for_route(now, key) {
            return next;
        }
        let tried = self.deliveries.get(front).map_or(0, |delivery| delivery.tried);
        let choice = match self.choose(now, key, tried, woken_by) {
            Choice::Down => return self.none_left(now, key, front),
            choice => choice,
        };
        match choice {
            Choice::Wait(hosts) => return Next::Blocked(hosts.into_iter().map(Resource::Host).collect()),
            Choice::NoConnection(hosts) => return self.make_room(hosts),
            _ => {}
        }
        let Some(place) = self.places.get_mut(key) else {
            return Next::Nothing;
        };
        let next = place.pace.next(now);
        if next > now {
            self.alarms.set_by(&mut place.bell, next, Alarm::Place(key));
            return Next::Blocked(Vec::new());
        }
        if !self.may_go(now) {
            return Next::Paused;
        }
        match choice {
            Choice::Send(session) => self.send(now, key, session),
            Choice::Check(session) => self.begin_check(now, key, session),
            Choice::Open(host) => self.open(now, key, host),
            Choice::LogIn(host) => {
                if let Some(host) = self.hosts.get_mut(host) {
                    host.log_in = LogIn::Asked;
                    self.outputs.push_back(Output::LogIn { host: Arc::clone(&host.name) });
                }
                Next::Blocked(vec![Resource::Host(host)])
            }
            Choice::Own => Next::Blocked(Vec::new()),
            Choice::Wait(_) | Choice::NoConnection(_) | Choice::Down => Next::Nothing,
        }
    }

    /// The first that has not ended.
    fn front(&mut self, key: Key<Place>) -> Option<Key<Delivery>> {
        let place = self.places.get_mut(key)?;
        loop {
            let front = *place.queue.front()?;
            if self.deliveries.get(front).is_some() {
                return Some(front);
            }
            place.queue.pop_front();
            place.to_charge = place.to_charge.saturating_sub(1);
        }
    }

    /// Asks for the hosts of a destination, where they are not known or too old.
    fn look_for_route(&mut self, now: Duration, key: Key<Place>) -> Option<Next> {
        let place = self.places.get_mut(key)?;
        let is_old = |since: Duration| self.config.route_age.is_some_and(|age| since.saturating_add(age) <= now);
        let asks = match &place.routing {
            Routing::Asked { .. } => false,
            Routing::Known { since } => place.aims.is_empty() || is_old(*since),
            Routing::Failed { until, .. } => *until <= now,
        };
        if asks {
            let failed = match &place.routing {
                Routing::Failed { unrouted, .. } => Some(unrouted.error.clone()),
                Routing::Known { .. } | Routing::Asked { .. } => None,
            };
            place.routing = Routing::Asked { failed };
            self.outputs.push_back(Output::Route { destination: Arc::clone(&place.name) });
        }
        let waits = place.aims.is_empty() && matches!(place.routing, Routing::Asked { .. });
        waits.then(|| Next::Blocked(Vec::new()))
    }

    fn open(&mut self, now: Duration, key: Key<Place>, to: Key<Host>) -> Next {
        let (Some(place), Some(host)) = (self.places.get_mut(key), self.hosts.get_mut(to)) else {
            return Next::Nothing;
        };
        let without_tls = host.policy.without_tls && now < host.plain_until;
        let session = self.sessions.insert(Session {
            host: to,
            stage: Stage::Coming { to: key, is_check: false, since: now },
            opened: now,
            begun: None,
            without_tls,
            is_promised: true,
            left: 0,
            is_proven: false,
            bell: Default::default(),
        });
        host.sessions += 1;
        host.opening += 1;
        if host.health != Health::Good {
            host.health = Health::Probing(Some(session));
        }
        place.connections += 1;
        place.coming += 1;
        self.counts.totals.opened += 1;
        let host_name = Arc::clone(&host.name);
        let is_reduced = host.is_reduced;
        self.outputs.push_back(Output::Open(Open {
            session: session.into(),
            host: host_name,
            is_reduced,
            without_tls,
        }));
        Next::Used(to)
    }

    /// All connections are in use: an idle one at another host has to go.
    fn make_room(&mut self, wanted: Vec<Key<Host>>) -> Next {
        // The oldest ones are those for which nobody has use. One that is wanted must not go before it was used.
        let is_unwanted = |key: &Key<Session>| match self.sessions.get(*key).map(|session| &session.stage) {
            Some(Stage::Idle { of, .. }) => self.places.get(*of).is_none_or(|place| place.queued == 0),
            _ => false,
        };
        let oldest = self.idle.iter().take(8).map(|(_, key)| *key).find(is_unwanted);
        if let Some(oldest) = oldest.filter(|_| self.closing <= self.for_connection.len()) {
            self.close(oldest);
        }
        let hosts = wanted.into_iter().map(Resource::Host);
        Next::Blocked(hosts.chain([Resource::Connection]).collect())
    }

    fn begin_check(&mut self, now: Duration, key: Key<Place>, session: Key<Session>) -> Next {
        self.not_idle(session);
        if let Some(it) = self.sessions.get_mut(session) {
            let since = match it.stage {
                Stage::Idle { since, .. } => since,
                _ => now,
            };
            it.stage = Stage::Coming { to: key, is_check: true, since };
            it.is_promised = true;
            if let Some(host) = self.hosts.get_mut(it.host)
                && host.health != Health::Good
            {
                host.health = Health::Probing(Some(session));
            }
        }
        if let Some(place) = self.places.get_mut(key) {
            place.connections += 1;
            place.coming += 1;
        }
        self.outputs.push_back(Output::Check { session: session.into() });
        self.used(session)
    }

    fn send(&mut self, now: Duration, key: Key<Place>, session: Key<Session>) -> Next {
        let Some(delivery) = self.pop(key) else {
            return Next::Nothing;
        };
        self.not_idle(session);
        let (Some(place), Some(it)) = (self.places.get_mut(key), self.sessions.get_mut(session)) else {
            return Next::Nothing;
        };
        match &mut it.stage {
            Stage::Busy { deliveries, wants_more, .. } => {
                *wants_more = false;
                deliveries.insert(delivery);
                place.wanting.remove(&session);
            }
            stage => {
                if let Stage::Idle { since, .. } = stage {
                    it.is_proven |= now.saturating_sub(*since) >= PROOF;
                }
                *stage = Stage::Busy { of: key, deliveries: [delivery].into(), wants_more: false };
                place.connections += 1;
            }
        }
        it.begun.get_or_insert(now);
        it.is_promised = false;
        it.left = it.left.saturating_sub(1);
        place.pace.take(now, 1);
        self.pace.take(now, 1);
        if let Some(host) = self.hosts.get_mut(it.host) {
            host.take(now);
            if host.health != Health::Good {
                host.health = Health::Probing(Some(session));
            }
        }
        self.counts.in_flight += 1;
        self.counts.totals.attempts += 1;
        if let Some(delivery_now) = self.deliveries.get_mut(delivery) {
            delivery_now.whereabouts = Whereabouts::Sent { on: session, since: now };
            self.alarms.set(&mut delivery_now.bell, None, Alarm::Delivery(delivery));
            if let Some(held) = self.messages.get(delivery_now.message) {
                self.outputs.push_back(Output::Send(Send {
                    session: session.into(),
                    delivery: delivery.into(),
                    message: held.id,
                    recipients: Arc::clone(&delivery_now.recipients),
                    attempt: delivery_now.attempts.saturating_add(1),
                    deadline: Some(held.last_moment).filter(|moment| *moment < Duration::MAX),
                }));
            }
        }
        self.used(session)
    }

    fn used(&self, session: Key<Session>) -> Next {
        self.sessions.get(session).map_or(Next::Again, |session| Next::Used(session.host))
    }

    /// The moment of a host has come.
    pub(super) fn host_due(&mut self, now: Duration, key: Key<Host>) {
        let Some(host) = self.hosts.get_mut(key) else {
            return;
        };
        host.bell.reset();
        if let Health::Resting { until } = host.health {
            if until > now {
                self.alarms.set(&mut host.bell, Some(until), Alarm::Host(key));
                return;
            }
            host.health = Health::Probing(None);
        }
        if host.waiters.is_empty() {
            self.forget_host(now, key);
        } else {
            self.nudge(now, Resource::Host(key));
        }
    }

    /// The moment of a destination has come.
    pub(super) fn place_due(&mut self, now: Duration, key: Key<Place>) {
        if let Some(place) = self.places.get_mut(key) {
            place.bell.reset();
            self.wake(key);
            self.forget_place(now, key);
        }
    }
}
