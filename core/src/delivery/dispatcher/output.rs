//! What a dispatcher asks of its host.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::books::Delivery;
use super::session::Session;
use super::slab::Key;
use crate::client::{Failure, MessageId, Outcome, State};

/// A connection that the dispatcher has asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub(super) u64);

/// A message on its way to one destination: the recipients of one [`Group`](super::Group).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryId(pub(super) u64);

impl From<Key<Session>> for SessionId {
    fn from(key: Key<Session>) -> Self {
        Self(key.raw())
    }
}

impl From<SessionId> for Key<Session> {
    fn from(id: SessionId) -> Self {
        Self::from_raw(id.0)
    }
}

impl From<Key<Delivery>> for DeliveryId {
    fn from(key: Key<Delivery>) -> Self {
        Self(key.raw())
    }
}

impl From<DeliveryId> for Key<Delivery> {
    fn from(id: DeliveryId) -> Self {
        Self::from_raw(id.0)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the host is to do next.
#[derive(Clone, Debug)]
#[must_use]
pub enum Output {
    /// Find the hosts of this destination, then [`routed`](super::Dispatcher::routed). Asked once; what is known of old is
    /// used until then.
    Route {
        /// Its name.
        destination: Arc<str>,
    },
    /// Log in by POP3 at this host, then [`logged_in`](super::Dispatcher::logged_in).
    LogIn {
        /// Its name.
        host: Arc<str>,
    },
    /// Open a connection, then [`ready`](super::Dispatcher::ready) or [`closed`](super::Dispatcher::closed).
    Open(Open),
    /// Hand this message to the connection.
    Send(Send),
    /// Ask the server whether the session still stands, by NOOP or RSET, then [`checked`](super::Dispatcher::checked) or
    /// [`closed`](super::Dispatcher::closed).
    Check {
        /// Which.
        session: SessionId,
    },
    /// End the session by QUIT, then [`closed`](super::Dispatcher::closed). Nothing is in flight on it.
    Close {
        /// Which.
        session: SessionId,
    },
    /// The user has cancelled it: [`abort`](crate::client::Connection::abort) it, and say the outcome as ever.
    Abort {
        /// On which session.
        session: SessionId,
        /// What.
        delivery: DeliveryId,
    },
    /// Something that the user may want to know.
    Event(Event),
    /// Nothing to do before something happens, or `deadline` passes. Then call `poll` again.
    Wait {
        /// On the clock of the host.
        deadline: Option<Duration>,
    },
    /// After [`finish`](super::Dispatcher::finish) or [`stop`](super::Dispatcher::stop): nothing is left to be done, and all
    /// sessions are closed.
    Done,
}

/// A connection to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// How it is called from now on.
    pub session: SessionId,
    /// To which host: the name in [`Target::host`](super::Target::host).
    pub host: Arc<str>,
    /// At most [`Pipelining::Message`](crate::client::Pipelining::Message): an earlier connection to this server found that
    /// it does not take more.
    pub is_reduced: bool,
    /// TLS was tried, could not be made, and is not required.
    pub without_tls: bool,
}

/// A message to hand to a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Send {
    /// On which session.
    pub session: SessionId,
    /// How this is called until its outcome is told: [`finished`](super::Dispatcher::finished).
    pub delivery: DeliveryId,
    /// Which message.
    pub message: MessageId,
    /// Which recipients of its envelope, from 0, in the order in which the connection is to be given them.
    pub recipients: Arc<[u32]>,
    /// For the how manieth time, from 1.
    pub attempt: u32,
    /// When to give up, for [`Message::deadline`](crate::client::Message::deadline).
    pub deadline: Option<Duration>,
}

/// What a user may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A message has ended: each of its recipients has its outcome. Each message that was submitted ends once.
    ///
    /// `reply`, `error` and `progress` are those of the attempt that came last, `round_trips` of all together.
    Finished(Outcome),
    /// An attempt has ended.
    Tried(Tried),
    /// Recipients go to another destination, since their own lets none through.
    FellBack {
        /// Which message.
        message: MessageId,
        /// From which destination.
        from: Arc<str>,
        /// To which.
        to: Arc<str>,
    },
    /// A host has failed and rests.
    Resting {
        /// Its name.
        host: Arc<str>,
        /// Why.
        failure: Arc<Failure>,
        /// Until when. Then one message tries it.
        until: Duration,
    },
    /// A host that had failed works again.
    Recovered {
        /// Its name.
        host: Arc<str>,
    },
    /// A host has said that it is too much.
    Slowed {
        /// Its name.
        host: Arc<str>,
        /// How many connections it gets now.
        connections: u32,
    },
}

/// What an attempt has brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Which message.
    pub message: MessageId,
    /// Where to.
    pub destination: Arc<str>,
    /// By which host; none where none could be reached.
    pub host: Option<Arc<str>>,
    /// The how manieth attempt for this destination, from 1.
    pub attempt: u32,
    /// Which recipients of the envelope, from 0, and what became of each: `deferred` is also whoever is tried again or
    /// elsewhere.
    pub recipients: Vec<(u32, State)>,
    /// Recipients that the server took responsibility for.
    pub accepted: u32,
    /// Recipients that were refused for good.
    pub rejected: u32,
    /// Recipients of whom nobody knows, and that are not tried again.
    pub unknown: u32,
    /// Recipients that were deferred, or are unknown and tried again.
    pub deferred: u32,
    /// When those are tried again; `None` where they are not.
    pub again: Option<Duration>,
    /// They were deferred as servers do that want to see a sender come back, which is normal.
    pub greylisted: bool,
}
