//! Where the content of messages goes that is still coming.

use std::io;

use okuru_core::server::{Answer, MessageId};
use okuru_core::syntax::Reply;

use super::handler::Store;
use super::questions::{broken, reply, unpanicking};

/// The messages whose content has begun, and that nobody has been asked about. There are hardly ever two.
pub(super) struct Stores<S>(Vec<(MessageId, Slot<S>)>);

/// Where the content of one goes.
pub(super) enum Slot<S> {
    Open(S),
    /// Nowhere, and this is what the client gets for it.
    Closed(Answer),
}

impl<S: Store> Stores<S> {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn has(&self, message: MessageId) -> bool {
        self.0.iter().any(|(other, _)| *other == message)
    }

    pub(super) fn open(&mut self, message: MessageId, slot: Slot<S>) {
        self.0.push((message, slot));
    }

    pub(super) async fn write(&mut self, message: MessageId, piece: &[u8]) {
        let Some((_, slot)) = self.0.iter_mut().find(|(other, _)| *other == message) else {
            return;
        };
        if let Slot::Open(store) = slot {
            let answer = match unpanicking(store.write(piece)).await {
                Some(Ok(())) => return,
                Some(Err(error)) => refusal(&error),
                None => broken(),
            };
            if let Slot::Open(store) = std::mem::replace(slot, Slot::Closed(answer)) {
                unpanicking(store.discard()).await;
            }
        }
    }

    /// What the client gets for a message that goes nowhere, if there is such a reply.
    pub(super) fn refusal(&self, message: MessageId) -> Option<&Reply> {
        match self.0.iter().find(|(other, _)| *other == message) {
            Some((_, Slot::Closed(Answer::Reply(reply)))) => Some(reply),
            _ => None,
        }
    }

    pub(super) fn take(&mut self, message: MessageId) -> Option<Slot<S>> {
        let index = self.0.iter().position(|(other, _)| *other == message)?;
        Some(self.0.swap_remove(index).1)
    }

    pub(super) async fn discard(&mut self, message: MessageId) {
        if let Some(Slot::Open(store)) = self.take(message) {
            unpanicking(store.discard()).await;
        }
    }

    pub(super) async fn discard_all(&mut self) {
        while let Some((message, _)) = self.0.last() {
            self.discard(*message).await;
        }
    }
}

fn refusal(error: &io::Error) -> Answer {
    Answer::Reply(match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => reply(452, 3, 1, "There is no room for it now"),
        _ => reply(451, 3, 0, "It could not be stored, try again later"),
    })
}
