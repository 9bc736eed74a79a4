//! The connections: which there are, which have something to say, and when each has waited long enough.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use core::time::Duration;

use super::output::ConnectionId;
use super::session::Session;
use crate::delivery::dispatcher::{Open, SessionId};
use crate::pop3;

/// The connections.
#[derive(Clone, Debug, Default)]
pub(super) struct Links {
    all: BTreeMap<ConnectionId, Link>,
    next: u64,
    by_session: BTreeMap<SessionId, ConnectionId>,
    /// Those that may have something to say.
    busy: VecDeque<ConnectionId>,
    deadlines: BTreeSet<(Duration, ConnectionId)>,
}

#[derive(Clone, Debug)]
struct Link {
    state: LinkState,
    is_busy: bool,
    deadline: Option<Duration>,
}

/// What a connection is.
#[derive(Clone, Debug)]
pub(super) enum LinkState {
    /// The host opens it.
    Opening(Purpose),
    Messages(Box<Session>),
    LogIn(Box<LogInSession>),
}

/// What a connection is for.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    Messages(Open),
    /// To log in for this server.
    LogIn(Arc<str>),
}

/// A connection to log in.
#[derive(Clone, Debug)]
pub(super) struct LogInSession {
    /// For this server.
    pub(super) server: Arc<str>,
    pub(super) machine: pop3::Connection,
    /// The dispatcher knows that it has come about.
    pub(super) is_told: bool,
}

impl Links {
    pub(super) fn insert(&mut self, purpose: Purpose) -> ConnectionId {
        let connection = ConnectionId(self.next);
        self.next += 1;
        if let Purpose::Messages(open) = &purpose {
            self.by_session.insert(open.session, connection);
        }
        self.all.insert(connection, Link { state: LinkState::Opening(purpose), is_busy: false, deadline: None });
        connection
    }

    pub(super) fn remove(&mut self, connection: ConnectionId) -> Option<LinkState> {
        self.set_deadline(connection, None);
        let link = self.all.remove(&connection)?;
        if link.is_busy {
            self.busy.retain(|it| *it != connection);
        }
        match &link.state {
            LinkState::Opening(Purpose::Messages(open)) => self.by_session.remove(&open.session),
            LinkState::Messages(session) => self.by_session.remove(&session.id),
            LinkState::Opening(Purpose::LogIn(_)) | LinkState::LogIn(_) => None,
        };
        Some(link.state)
    }

    pub(super) fn get_mut(&mut self, connection: ConnectionId) -> Option<&mut LinkState> {
        self.all.get_mut(&connection).map(|link| &mut link.state)
    }

    /// One that something has happened to: it may have something to say.
    pub(super) fn woken(&mut self, connection: ConnectionId) -> Option<&mut LinkState> {
        let link = self.all.get_mut(&connection)?;
        if !link.is_busy {
            link.is_busy = true;
            self.busy.push_back(connection);
        }
        Some(&mut link.state)
    }

    /// The connection of a session, be it that it is still being opened.
    pub(super) fn of_session(&self, session: SessionId) -> Option<ConnectionId> {
        self.by_session.get(&session).copied()
    }

    /// The same, if messages go over it.
    pub(super) fn woken_session(&mut self, session: SessionId) -> Option<&mut Session> {
        let connection = *self.by_session.get(&session)?;
        match self.woken(connection)? {
            LinkState::Messages(session) => Some(session),
            LinkState::Opening(_) | LinkState::LogIn(_) => None,
        }
    }

    /// One that may have something to say.
    pub(super) fn busy(&self) -> Option<ConnectionId> {
        self.busy.front().copied()
    }

    /// The one that was busy first has nothing more to say, before something comes or `deadline` passes.
    pub(super) fn rest(&mut self, deadline: Option<Duration>) {
        let Some(connection) = self.busy.pop_front() else {
            return;
        };
        if let Some(link) = self.all.get_mut(&connection) {
            link.is_busy = false;
        }
        self.set_deadline(connection, deadline);
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// One that has waited long enough. Each is told once.
    pub(super) fn overdue(&mut self, now: Duration) -> Option<&mut LinkState> {
        let &(_, connection) = self.deadlines.first().filter(|(deadline, _)| *deadline <= now)?;
        self.set_deadline(connection, None);
        self.woken(connection)
    }

    fn set_deadline(&mut self, connection: ConnectionId, deadline: Option<Duration>) {
        let Some(link) = self.all.get_mut(&connection).filter(|link| link.deadline != deadline) else {
            return;
        };
        if let Some(before) = link.deadline {
            self.deadlines.remove(&(before, connection));
        }
        link.deadline = deadline;
        self.deadlines.extend(deadline.map(|deadline| (deadline, connection)));
    }
}
