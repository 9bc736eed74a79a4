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
        let Turn::Ring { woken_by, before } = core::mem::replace(&mut place.turn, Turn::Idle) else {
            return true;
        };
        let next = if self.phase == Phase::Stopping { Next::Nothing } else { self.turn(now, key) };
        let turn = match next {
            Next::Again => {
                self.ring.push_back(key);
                Turn::Ring { woken_by: None, before: Vec::new() }
            }
            Next::Paused => {
                self.paused.push_back(key);
                Turn::Ring { woken_by: None, before }
            }
            Next::Blocked(resources) => {
                let tickets = resources.into_iter().filter_map(|resource| self.queue_up(resource, key, &before));
                Turn::Blocked { at: tickets.collect() }
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
        if let Some(resource) = woken_by {
            self.nudge(now, resource, Reason::PassedOn);
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

    /// Something has changed that this destination may have waited for.
    pub(super) fn wake(&mut self, key: Key<Place>) {
        self.wake_by(key, None);
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

    /// There may be more of this resource: wakes who has waited longest. It wakes the next one after its turn, so that
    /// nothing is left lying about and nobody is woken in vain.
    pub(super) fn nudge(&mut self, now: Duration, resource: Resource, reason: Reason) {
        let first = match resource {
            Resource::Connection if self.has_connection() => self.for_connection.first(),
            Resource::Connection => None,
            Resource::Host(key) => {
                // Who wants a new connection learns in its turn that there is none, and waits for one.
                let counts_connections = reason == Reason::PassedOn;
                let waits = self.hosts.get(key).and_then(|host| host.waiters.first());
                waits.filter(|_| self.host_has_room(now, key, counts_connections))
            }
        };
        if let Some(first) = first {
            self.wake_by(first, Some(resource));
        }
    }

    pub(super) fn has_connection(&self) -> bool {
        self.sessions.len() < self.config.quota.connections.max(1) as usize
    }

    /// Whether anybody could send by this host now. Where that is just a matter of time, an alarm is set.
    fn host_has_room(&mut self, now: Duration, key: Key<Host>, counts_connections: bool) -> bool {
        let has_connection = self.has_connection() || !counts_connections;
        let Some(host) = self.hosts.get_mut(key) else {
            return false;
        };
        let has_room = match host.health {
            Health::Resting { .. } => return false,
            Health::Probing(Some(session)) => {
                self.sessions.get(session).is_some_and(|session| matches!(session.stage, Stage::Idle { .. }))
            }
            Health::Probing(None) | Health::Good => {
                let may_open = host.log_in != LogIn::Asked && host.sessions < host.limit() && has_connection;
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
    fn turn(&mut self, now: Duration, key: Key<Place>) -> Next {
        let Some(front) = self.front(key) else {
            return Next::Nothing;
        };
        if let Some(next) = self.look_for_route(now, key) {
            return next;
        }
        let tried = self.deliveries.get(front).map_or(0, |delivery| delivery.tried);
        let choice = match self.choose(now, key, tried) {
            Choice::Down => return self.none_left(now, key, front),
            choice => choice,
        };
        if let Choice::Wait(hosts) = choice {
            return Next::Blocked(hosts.into_iter().map(Resource::Host).collect());
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
            Choice::Open(host) if !self.has_connection() => self.make_room(host),
            Choice::Open(host) => self.open(now, key, host),
            Choice::LogIn(host) => {
                if let Some(host) = self.hosts.get_mut(host) {
                    host.log_in = LogIn::Asked;
                    self.outputs.push_back(Output::LogIn { host: Arc::clone(&host.name) });
                }
                Next::Blocked(vec![Resource::Host(host)])
            }
            Choice::Own => Next::Blocked(Vec::new()),
            Choice::Wait(_) | Choice::Down => Next::Nothing,
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
            Routing::Asked => false,
            Routing::Known { since } => place.aims.is_empty() || is_old(*since),
            Routing::Failed { until, .. } => *until <= now,
        };
        if asks {
            place.routing = Routing::Asked;
            self.outputs.push_back(Output::Route { destination: Arc::clone(&place.name) });
        }
        let waits = place.aims.is_empty() && matches!(place.routing, Routing::Asked);
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
        Next::Again
    }

    /// All connections are in use: an idle one at another host has to go.
    fn make_room(&mut self, wanted: Key<Host>) -> Next {
        // The oldest ones are those for which nobody has use. One that is wanted must not go before it was used.
        let is_unwanted = |key: &Key<Session>| match self.sessions.get(*key).map(|session| &session.stage) {
            Some(Stage::Idle { of, .. }) => self.places.get(*of).is_none_or(|place| place.queued == 0),
            _ => false,
        };
        let oldest = self.idle.iter().take(8).map(|(_, key)| *key).find(is_unwanted);
        if let Some(oldest) = oldest.filter(|_| self.closing <= self.for_connection.len()) {
            self.close(oldest);
        }
        Next::Blocked(vec![Resource::Connection, Resource::Host(wanted)])
    }

    fn begin_check(&mut self, now: Duration, key: Key<Place>, session: Key<Session>) -> Next {
        self.not_idle(session);
        if let Some(it) = self.sessions.get_mut(session) {
            let since = match it.stage {
                Stage::Idle { since, .. } => since,
                _ => now,
            };
            it.stage = Stage::Coming { to: key, is_check: true, since };
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
        Next::Again
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
        Next::Again
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
            self.nudge(now, Resource::Host(key), Reason::New);
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

/// Why somebody is woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// Something has changed.
    New,
    /// Somebody has been woken, and has left something over.
    PassedOn,
}
