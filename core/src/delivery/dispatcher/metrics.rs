//! Numbers for a progress bar and for metrics.

/// How things stand with a [`Dispatcher`](super::Dispatcher).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Messages that have not ended.
    pub messages: usize,
    /// Deliveries that wait for a connection, or for their turn.
    pub queued: usize,
    /// Deliveries that are on a session.
    pub in_flight: usize,
    /// Deliveries that wait to be tried again.
    pub deferred: usize,
    /// Destinations of which something is known.
    pub destinations: usize,
    /// Hosts of which something is known.
    pub hosts: usize,
    /// Connections, those being opened and closed included.
    pub sessions: usize,
    /// Of those, the ones that are open and have nothing to do.
    pub idle_sessions: usize,
    /// What has happened since the beginning.
    pub totals: Totals,
}

/// What has happened since the beginning, also before a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Messages that were submitted.
    pub submitted: u64,
    /// Messages that have ended.
    pub finished: u64,
    /// Attempts to hand a message to a server.
    pub attempts: u64,
    /// Recipients that ended so.
    pub accepted: u64,
    /// Recipients that ended so: they were given up.
    pub deferred: u64,
    /// Recipients that ended so.
    pub rejected: u64,
    /// Recipients that ended so.
    pub unknown: u64,
    /// Connections that were asked for.
    pub opened: u64,
    /// Messages that went to another session since theirs had been closed.
    pub moved: u64,
}
