//! Who waits for what, in the order in which they came.

use alloc::collections::BTreeMap;

use super::host::Host;
use super::place::Place;
use super::slab::Key;

/// What a destination may have to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    /// A session, a connection or a message more at this host, or the end of its rest.
    Host(Key<Host>),
    /// A connection more in all.
    Connection,
}

/// The destinations that wait for one resource.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiters {
    places: BTreeMap<u64, Key<Place>>,
    next: u64,
}

impl Waiters {
    /// Puts one at the end. What is given takes it away again.
    pub(super) fn add(&mut self, place: Key<Place>) -> u64 {
        let ticket = self.next;
        self.next += 1;
        self.places.insert(ticket, place);
        ticket
    }

    /// Puts one back where it was.
    pub(super) fn add_again(&mut self, ticket: u64, place: Key<Place>) {
        self.places.insert(ticket, place);
    }

    pub(super) fn remove(&mut self, ticket: u64) {
        self.places.remove(&ticket);
    }

    /// Who has waited longest.
    pub(super) fn first(&self) -> Option<Key<Place>> {
        self.places.first_key_value().map(|(_, place)| *place)
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// All of them, those first who came first.
    pub(super) fn all(&self) -> impl Iterator<Item = Key<Place>> {
        self.places.values().copied()
    }
}
