//! What is known of a connection.

use alloc::collections::BTreeSet;
use core::time::Duration;

use super::alarms::Bell;
use super::books::Delivery;
use super::host::Host;
use super::place::Place;
use super::slab::Key;

/// A connection that the host opens, has, or closes.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) host: Key<Host>,
    pub(super) stage: Stage,
    pub(super) opened: Duration,
    /// When it was given its first message.
    pub(super) begun: Option<Duration>,
    pub(super) without_tls: bool,
    /// It was opened or checked for a message, and has not been given any since.
    pub(super) is_promised: bool,
    /// How many messages it may still be given.
    pub(super) left: u32,
    /// Something has shown that it works: a message was answered, or it was open for a while.
    pub(super) is_proven: bool,
    pub(super) bell: Bell,
}

/// What it is doing.
#[derive(Clone, Debug)]
pub(super) enum Stage {
    /// It is being opened, or checked, on behalf of a destination.
    Coming { to: Key<Place>, is_check: bool, since: Duration },
    /// Nothing is in flight. This destination had it last.
    Idle { since: Duration, of: Key<Place> },
    /// Messages of this destination are in flight.
    Busy { of: Key<Place>, deliveries: BTreeSet<Key<Delivery>>, wants_more: bool },
    /// It was told to close.
    Closing,
}
