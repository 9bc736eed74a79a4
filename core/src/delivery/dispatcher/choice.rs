//! By which host and session the next message of a destination goes.

use alloc::vec::Vec;
use core::time::Duration;

use super::alarms::Alarm;
use super::host::{Health, Host};
use super::machine::Dispatcher;
use super::place::Place;
use super::session::{Session, Stage};
use super::slab::Key;
use super::waiters::Resource;

/// What is to be done for the next message of a destination.
#[derive(Debug)]
pub(super) enum Choice {
    /// It goes by this session.
    Send(Key<Session>),
    /// This one is to be checked first.
    Check(Key<Session>),
    /// A connection to this host is to be opened.
    Open(Key<Host>),
    /// Somebody has to log in there first.
    LogIn(Key<Host>),
    /// It has all the connections that it may have, or enough of them on their way.
    Own,
    /// Each of these has no room.
    Wait(Vec<Key<Host>>),
    /// These have room, but there is no connection more in all.
    NoConnection(Vec<Key<Host>>),
    /// None of its hosts can be used.
    Down,
}

/// What a host offers to a message.
#[derive(Clone, Copy)]
enum Room {
    Fresh(Key<Session>),
    Stale(Key<Session>),
    New,
    LogIn,
    None,
}

/// The hosts that are looked at, a bit for each.
#[derive(Clone, Copy, Default)]
struct Sets {
    /// They can be used.
    alive: u64,
    /// One message is trying them out.
    probed: u64,
    /// They have failed.
    resting: u64,
}

impl Dispatcher {
    /// The hosts of the lowest priority that are not `tried` and can be used take turns.
    pub(super) fn choose(&mut self, now: Duration, key: Key<Place>, tried: u64, woken_by: Option<Resource>) -> Choice {
        let Some(place) = self.places.get(key) else {
            return Choice::Down;
        };
        let sets = self.sets(place, tried);
        let priorities = bits(place, sets.alive).filter_map(|index| place.aims.get(index)).map(|aim| aim.priority);
        let Some(lowest) = priorities.min() else {
            return match sets.probed {
                0 => Choice::Down,
                probed => Choice::Wait(hosts(place, probed)),
            };
        };
        let is_lowest = |index: &usize| place.aims.get(*index).is_some_and(|aim| aim.priority == lowest);
        let group: Vec<usize> = bits(place, sets.alive).filter(is_lowest).collect();
        let is_several = group.len() > 1;
        let needs_more = (place.coming as usize) < place.queued;
        let may_have_more = place.connections < place.quota.connections.max(1);

        // Who was not woken does not go before those who wait.
        let may_connect = self.has_connection() && (woken_by.is_some() || self.for_connection.is_empty());
        let mut with_session = Vec::new();
        let mut without = Vec::new();
        // Should it have to wait, then also for those that may come back.
        let mut keys = hosts(place, sets.probed | sets.resting);
        let mut lacks_connection = false;
        let mut promised = None;
        for index in group {
            let Some(host) = self.places.get(key).and_then(|place| place.aims.get(index)).map(|aim| aim.host) else {
                continue;
            };
            keys.push(host);
            let is_queue = self.hosts.get(host).is_some_and(|host| !host.waiters.is_empty());
            match self.room(now, host) {
                _ if is_queue && woken_by.is_none() => {}
                Room::Fresh(session) if self.is_promised(session, key) => promised = promised.or(Some(session)),
                // Where hosts take turns, it waits for the one whose turn it is.
                Room::Fresh(_) if !needs_more && is_several => without.push(index),
                Room::Fresh(_) => with_session.push(index),
                Room::New if !may_connect => lacks_connection = true,
                Room::Stale(_) | Room::New | Room::LogIn => without.push(index),
                Room::None => {}
            }
        }
        if let Some(session) = promised.filter(|_| may_have_more) {
            return Choice::Send(session);
        }
        let can_begin = !with_session.is_empty() || needs_more && !without.is_empty();
        if !may_have_more || !can_begin {
            return match self.ahead(now, key, &keys) {
                Some(session) => Choice::Send(session),
                None if !may_have_more || !without.is_empty() => Choice::Own,
                None if lacks_connection && needs_more => Choice::NoConnection(keys),
                None if lacks_connection => Choice::Own,
                None => Choice::Wait(keys),
            };
        }
        let mut among = with_session;
        if needs_more {
            among.extend(without);
            among.sort_unstable();
        }
        let Some(place) = self.places.get_mut(key) else {
            return Choice::Down;
        };
        let host = place.next_of(now, &among).and_then(|index| place.aims.get(index)).map(|aim| aim.host);
        match host.map(|host| (host, self.room(now, host))) {
            Some((_, Room::Fresh(session))) => Choice::Send(session),
            Some((_, Room::Stale(session))) => Choice::Check(session),
            Some((host, Room::New)) => Choice::Open(host),
            Some((host, Room::LogIn)) => Choice::LogIn(host),
            Some((_, Room::None)) | None => Choice::Own,
        }
    }

    fn sets(&self, place: &Place, tried: u64) -> Sets {
        let mut sets = Sets::default();
        for index in bits(place, !tried) {
            let Some(host) = place.aims.get(index).and_then(|aim| self.hosts.get(aim.host)) else {
                continue;
            };
            let is_idle = |session: Key<Session>| {
                self.sessions.get(session).is_some_and(|session| matches!(session.stage, Stage::Idle { .. }))
            };
            match host.health {
                Health::Resting { .. } => sets.resting |= 1 << index,
                Health::Probing(Some(session)) if !is_idle(session) => sets.probed |= 1 << index,
                Health::Good | Health::Probing(_) => sets.alive |= 1 << index,
            }
        }
        sets
    }

    /// Whether a session was opened for this destination, whose host had its turn by that.
    fn is_promised(&self, session: Key<Session>, to: Key<Place>) -> bool {
        let session = self.sessions.get(session).filter(|session| session.is_promised);
        session.is_some_and(|session| matches!(session.stage, Stage::Idle { of, .. } if of == to))
    }

    fn room(&mut self, now: Duration, key: Key<Host>) -> Room {
        let Some(host) = self.hosts.get_mut(key) else {
            return Room::None;
        };
        let next = host.next(now);
        if next > now {
            self.alarms.set_by(&mut host.bell, next, Alarm::Host(key));
            return Room::None;
        }
        let probing = match host.health {
            Health::Probing(session) => session,
            _ => None,
        };
        let idle = match probing {
            Some(session) => self.sessions.get(session).and_then(|it| match it.stage {
                Stage::Idle { since, .. } => Some((since, session)),
                _ => None,
            }),
            None => host.idle.last().copied(),
        };
        match idle {
            Some((since, session)) if now.saturating_sub(since) > host.policy.check_after => Room::Stale(session),
            Some((_, session)) => Room::Fresh(session),
            None if probing.is_some() || host.sessions >= host.limit() => Room::None,
            None if host.log_in == super::host::LogIn::Asked => Room::None,
            None if host.needs_log_in(now) => Room::LogIn,
            None => Room::New,
        }
    }

    /// A session of this destination that wants a message ahead, unless others wait for its host.
    fn ahead(&mut self, now: Duration, key: Key<Place>, among: &[Key<Host>]) -> Option<Key<Session>> {
        let place = self.places.get(key)?;
        if place.queued <= place.coming as usize {
            return None;
        }
        // Enough to find one; each wants a message all the same.
        let wanting: Vec<_> = place.wanting.iter().copied().take(8).collect();
        let mut is_free = |session: &Key<Session>| {
            let Some(it) = self.sessions.get(*session).filter(|it| !self.has_had_its_time(now, it)) else {
                return false;
            };
            let key = it.host;
            let host = self.hosts.get_mut(key);
            among.contains(&key)
                && host
                    .is_some_and(|host| host.waiters.is_empty() && host.health == Health::Good && host.next(now) <= now)
        };
        wanting.into_iter().find(|session| is_free(session))
    }
}

/// Which of the hosts of a destination are in `set`.
fn bits(place: &Place, set: u64) -> impl Iterator<Item = usize> {
    let count = place.aims.len().min(64);
    (0..count).filter(move |index| set >> index & 1 == 1)
}

fn hosts(place: &Place, set: u64) -> Vec<Key<Host>> {
    bits(place, set).filter_map(|index| place.aims.get(index)).map(|aim| aim.host).collect()
}
