//! What happens to connections.

use core::time::Duration;

use super::alarms::Alarm;
use super::host::{Health, Host, LogIn};
use super::machine::{Dispatcher, Phase};
use super::output::{Event, Output, SessionId};
use super::parcel::{Target, Unrouted};
use super::place::{Place, Routing};
use super::session::{Session, Stage};
use super::slab::Key;
use super::waiters::Resource;
use crate::client::{Closed, Failure, State};
use crate::error::{Error, ErrorCode};
use crate::syntax::Capabilities;

/// For how long a host is not asked for TLS, once that has failed and is not required.
const PLAIN_TIME: Duration = Duration::from_secs(60 * 60);
/// For how long a session is used while others wait for a connection.
const TIME_SLICE: Duration = Duration::from_secs(5);
/// What is closed sooner has not been closed for being idle.
const IDLE_AT_ALL: Duration = Duration::from_secs(1);

impl Dispatcher {
    /// A session that was to be opened can take messages.
    pub fn ready(&mut self, now: Duration, session: SessionId, offered: &Capabilities) {
        let key = session.into();
        let Some(it) = self.sessions.get_mut(key) else {
            return;
        };
        let Stage::Coming { to, is_check: false, .. } = it.stage else {
            return;
        };
        if let Some(host) = self.hosts.get_mut(it.host) {
            let most = host.policy.messages_per_connection.max(1);
            it.left = offered.limits().mail_max.map_or(most, |mail_max| most.min(mail_max));
            host.opening = host.opening.saturating_sub(1);
            if host.is_resting() {
                host.health = Health::Probing(Some(key));
            }
        }
        self.arrived(to);
        self.is_idle(now, key, to);
    }

    /// A session that was to be checked still stands.
    pub fn checked(&mut self, now: Duration, session: SessionId) {
        let key = session.into();
        let Some(it) = self.sessions.get_mut(key) else {
            return;
        };
        let Stage::Coming { to, is_check: true, .. } = it.stage else {
            return;
        };
        it.is_proven = true;
        self.arrived(to);
        self.is_idle(now, key, to);
    }

    /// The connection would not have to wait if it had one message more: its
    /// [`wants_message`](crate::client::Connection::wants_message) says so. Where nobody says this, messages go one at a
    /// time.
    pub fn wants_more(&mut self, session: SessionId) {
        let key = session.into();
        let Some(Session { stage: Stage::Busy { of, wants_more, .. }, left: 1.., .. }) = self.sessions.get_mut(key)
        else {
            return;
        };
        *wants_more = true;
        let of = *of;
        if let Some(place) = self.places.get_mut(of) {
            place.wanting.insert(key);
        }
        self.wake(of);
    }

    /// The connection found that the server takes no more than
    /// [`Pipelining::Message`](crate::client::Pipelining::Message): other connections to it begin there.
    pub fn pipelining_reduced(&mut self, session: SessionId) {
        if let Some(it) = self.sessions.get(session.into())
            && let Some(host) = self.hosts.get_mut(it.host)
        {
            host.is_reduced = true;
        }
    }

    /// A session is over, or never came to be: then `closed` says what stood in the way. To be said after the outcomes of
    /// what was in flight on it.
    pub fn closed(&mut self, now: Duration, session: SessionId, closed: &Closed) {
        let key = session.into();
        self.not_idle(key);
        let Some(it) = self.sessions.remove(key) else {
            return;
        };
        let mut bell = it.bell;
        self.alarms.set(&mut bell, None, Alarm::Session(key));
        if let Some(host) = self.hosts.get_mut(it.host) {
            host.sessions = host.sessions.saturating_sub(1);
            if host.health == Health::Probing(Some(key)) {
                host.health = Health::Probing(None);
            }
        }
        let failure = match closed {
            Closed::Failed(failure) => Some(failure),
            Closed::Quit => None,
        };
        let place = match it.stage {
            Stage::Closing => {
                self.closing = self.closing.saturating_sub(1);
                None
            }
            Stage::Idle { since, .. } => {
                self.closed_idle(now, it.host, since, failure);
                None
            }
            Stage::Coming { to, is_check: true, since } => {
                self.closed_idle(now, it.host, since, failure);
                self.arrived(to);
                Some(to)
            }
            Stage::Coming { to, is_check: false, .. } => {
                if let Some(host) = self.hosts.get_mut(it.host) {
                    host.opening = host.opening.saturating_sub(1);
                }
                self.arrived(to);
                self.not_opened(now, &it, failure);
                Some(to)
            }
            Stage::Busy { of, ref deliveries, .. } => {
                if let Some(place) = self.places.get_mut(of) {
                    place.connections = place.connections.saturating_sub(1);
                    place.wanting.remove(&key);
                }
                for delivery in deliveries.clone() {
                    self.lost(now, delivery, failure);
                }
                if let Some(failure) = failure.filter(|_| !it.is_proven) {
                    self.failed(now, it.host, it.opened, failure);
                }
                Some(of)
            }
        };
        if let Some(place) = place {
            self.wake_unless_queued(place);
            self.forget_place(now, place);
        }
        self.nudge_both(now, it.host);
        self.forget_host(now, it.host);
    }

    /// The hosts of a destination, or why there are none: its messages are refused where that is `rejected`, else tried
    /// again.
    pub fn routed(&mut self, now: Duration, destination: &str, found: Result<&[Target], Unrouted>) {
        let Some(key) = self.place_names.get(destination).copied() else {
            return;
        };
        match found {
            Ok(targets) if !targets.is_empty() => self.aim(now, key, targets),
            Ok(_) => {
                let error = Error::new(ErrorCode::DnsNoSuchHost, "no server was found");
                self.not_routed(now, key, Unrouted { state: State::Deferred, error });
            }
            Err(unrouted) => self.not_routed(now, key, unrouted),
        }
        self.wake(key);
        self.forget_place(now, key);
    }

    /// POP before SMTP: somebody has logged in there, or could not.
    pub fn logged_in(&mut self, now: Duration, host: &str, result: Result<(), Failure>) {
        let Some(key) = self.host_names.get(host).copied() else {
            return;
        };
        let Some(it) = self.hosts.get_mut(key).filter(|host| host.log_in == LogIn::Asked) else {
            return;
        };
        let every = it.policy.log_in_every.unwrap_or(Duration::MAX);
        match result {
            Ok(()) => it.log_in = LogIn::Until(now.saturating_add(every)),
            Err(failure) => {
                it.log_in = LogIn::Until(now);
                self.failed(now, key, now, &failure);
            }
        }
        self.nudge(now, Resource::Host(key));
        self.forget_host(now, key);
    }

    /// A session that was on its way to a destination is there, or will never be.
    fn arrived(&mut self, to: Key<Place>) {
        if let Some(place) = self.places.get_mut(to) {
            place.connections = place.connections.saturating_sub(1);
            place.coming = place.coming.saturating_sub(1);
        }
    }

    /// A session has nothing to do. `place` is whose it was last.
    pub(super) fn is_idle(&mut self, now: Duration, key: Key<Session>, place: Key<Place>) {
        let Some(it) = self.sessions.get_mut(key) else {
            return;
        };
        let host_key = it.host;
        it.stage = Stage::Idle { since: now, of: place };
        if let Some(host) = self.hosts.get_mut(host_key) {
            host.idle.insert((now, key));
            self.idle.insert((now, key));
            self.alarms.set(&mut it.bell, Some(now.saturating_add(host.idle_time())), Alarm::Session(key));
        }
        let is_over = match self.phase {
            Phase::Open => false,
            Phase::Finishing => self.messages.is_empty(),
            Phase::Stopping => true,
        };
        if it.left == 0 || is_over {
            self.close(key);
        }
        self.wake_unless_queued(place);
        self.nudge(now, Resource::Host(host_key));
        if self.gives_way(now, key, place) {
            self.close(key);
        }
        self.forget_place(now, place);
    }

    /// Whether a session is to be closed since others wait for a connection more in all: nobody has use for it, or it has
    /// been used for long enough. A slow server has its time like any other, not its number of messages.
    fn gives_way(&self, now: Duration, key: Key<Session>, place: Key<Place>) -> bool {
        let Some(it) = self.sessions.get(key).filter(|_| !self.for_connection.is_empty()) else {
            return false;
        };
        let is_wanted = self.places.get(place).is_some_and(|place| place.queued > 0)
            || self.hosts.get(it.host).is_some_and(|host| !host.waiters.is_empty());
        !is_wanted || self.has_had_its_time(now, it)
    }

    /// Whether a session has been used for so long that it gives way to others.
    pub(super) fn has_had_its_time(&self, now: Duration, it: &Session) -> bool {
        !self.for_connection.is_empty() && it.begun.is_some_and(|begun| now.saturating_sub(begun) >= TIME_SLICE)
    }

    /// Takes a session out of those that have nothing to do.
    pub(super) fn not_idle(&mut self, key: Key<Session>) {
        let Some(it) = self.sessions.get_mut(key) else {
            return;
        };
        let Stage::Idle { since, .. } = it.stage else {
            return;
        };
        self.idle.remove(&(since, key));
        self.alarms.set(&mut it.bell, None, Alarm::Session(key));
        if let Some(host) = self.hosts.get_mut(it.host) {
            host.idle.remove(&(since, key));
        }
    }

    /// Ends a session on which nothing is in flight.
    pub(super) fn close(&mut self, key: Key<Session>) {
        self.not_idle(key);
        let Some(it) = self.sessions.get_mut(key) else {
            return;
        };
        let to = match it.stage {
            Stage::Idle { .. } => None,
            Stage::Coming { to, is_check, .. } => {
                if let Some(host) = self.hosts.get_mut(it.host).filter(|_| !is_check) {
                    host.opening = host.opening.saturating_sub(1);
                }
                Some(to)
            }
            Stage::Busy { .. } | Stage::Closing => return,
        };
        it.stage = Stage::Closing;
        self.closing += 1;
        self.outputs.push_back(Output::Close { session: key.into() });
        if let Some(to) = to {
            self.arrived(to);
        }
    }

    /// A session has been idle for as long as it may.
    pub(super) fn session_idle(&mut self, key: Key<Session>) {
        if let Some(it) = self.sessions.get_mut(key) {
            it.bell.reset();
            self.close(key);
        }
    }

    /// Nothing more is to be begun, or there is nothing more.
    pub(super) fn close_what_is_idle(&mut self) {
        let is_over = self.phase == Phase::Stopping || self.phase == Phase::Finishing && self.messages.is_empty();
        if is_over {
            let keys: alloc::vec::Vec<_> = self.sessions.iter().map(|(key, _)| key).collect();
            for key in keys {
                self.close(key);
            }
        }
    }

    /// The server has closed a session that had nothing to do: no harm done, but it shows how long it waits.
    fn closed_idle(&mut self, now: Duration, key: Key<Host>, since: Duration, failure: Option<&Failure>) {
        let idle = now.saturating_sub(since);
        if let Some(host) = self.hosts.get_mut(key).filter(|_| failure.is_some() && idle >= IDLE_AT_ALL) {
            host.closes_after = host.closes_after.min(idle);
        }
    }

    /// A connection never came to be.
    fn not_opened(&mut self, now: Duration, it: &Session, failure: Option<&Failure>) {
        let Some(host) = self.hosts.get_mut(it.host) else {
            return;
        };
        let unexplained =
            || Failure { error: Error::new(ErrorCode::ConnectLost, "the session had been ended"), reply: None };
        let failure = failure.cloned().unwrap_or_else(unexplained);
        let is_tls =
            matches!(failure.error.code(), ErrorCode::TlsHandshake | ErrorCode::TlsCertificate | ErrorCode::TimeoutTls);
        if is_tls && host.policy.without_tls && !it.without_tls {
            host.plain_until = now.saturating_add(PLAIN_TIME);
            return;
        }
        let others = host.sessions.saturating_sub(host.opening);
        if others > 0 && host.policy.adaptive {
            // It works, but wants no more connections than there are.
            host.adaptation.cap(others);
            let event = Event::Slowed { host: host.name.clone(), connections: host.limit() };
            return self.tell(event);
        }
        self.failed(now, it.host, it.opened, &failure);
    }

    fn not_routed(&mut self, now: Duration, key: Key<Place>, unrouted: Unrouted) {
        let rest = self.config.host.rest;
        let Some(place) = self.places.get_mut(key) else {
            return;
        };
        if !place.aims.is_empty() {
            // What is known of old still holds.
            place.routing = Routing::Known { since: now };
            return;
        }
        place.route_failures = place.route_failures.saturating_add(1);
        self.failures += 1;
        let until = now.saturating_add(rest.after(place.route_failures, &mut self.random));
        place.routing = Routing::Failed { unrouted, number: self.failures, until };
    }
}
