//! A connection that messages go over, and which messages it has.

use alloc::collections::VecDeque;
use alloc::sync::Arc;

use crate::client::{Connection, Message, MessageId};
use crate::delivery::dispatcher::{DeliveryId, SessionId};

/// A connection that messages go over.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) id: SessionId,
    /// The name of the server.
    pub(super) server: Arc<str>,
    pub(super) machine: Connection,
    /// The number that the machine gave to the message at the front of `flight`.
    first: u64,
    flight: VecDeque<Option<Flying>>,
}

/// A message that a connection has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flying {
    pub(super) delivery: DeliveryId,
    pub(super) message: MessageId,
}

impl Session {
    pub(super) fn new(id: SessionId, server: Arc<str>, machine: Connection) -> Self {
        Self { id, server, machine, first: 0, flight: VecDeque::new() }
    }

    pub(super) fn submit(&mut self, flying: Flying, message: Message) {
        self.machine.submit(message);
        self.flight.push_back(Some(flying));
    }

    /// Which message the machine means.
    pub(super) fn flying(&self, id: MessageId) -> Option<Flying> {
        *self.flight.get(self.place(id)?)?
    }

    /// The same, when it has ended.
    pub(super) fn landed(&mut self, id: MessageId) -> Option<Flying> {
        let place = self.place(id)?;
        let landed = self.flight.get_mut(place)?.take();
        while let Some(None) = self.flight.front() {
            self.flight.pop_front();
            self.first += 1;
        }
        landed
    }

    /// What the machine calls this message.
    pub(super) fn number(&self, message: MessageId) -> Option<MessageId> {
        let is_meant = |flying: &Option<Flying>| flying.is_some_and(|flying| flying.message == message);
        self.numbered(self.flight.iter().rposition(is_meant)?)
    }

    /// What the machine calls this delivery.
    pub(super) fn number_of(&self, delivery: DeliveryId) -> Option<MessageId> {
        let is_meant = |flying: &Option<Flying>| flying.is_some_and(|flying| flying.delivery == delivery);
        self.numbered(self.flight.iter().rposition(is_meant)?)
    }

    fn numbered(&self, place: usize) -> Option<MessageId> {
        Some(MessageId(self.first + place as u64))
    }

    fn place(&self, id: MessageId) -> Option<usize> {
        usize::try_from(id.0.checked_sub(self.first)?).ok()
    }
}
