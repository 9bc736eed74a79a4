//! What is about to be sent, and which journals are to know before.

use std::collections::HashSet;
use std::sync::Arc;

use okuru_core::client::MessageId;
use okuru_core::delivery::mailer::ConnectionId;

use super::call::{Attempt, Journal};
use super::link::Letters;

/// An attempt whose content has been gathered, and that no journal knows yet.
pub(super) struct Begun {
    pub(super) connection: ConnectionId,
    pub(super) message: MessageId,
    pub(super) recipients: Arc<[u32]>,
}

/// What one journal is told at a time.
pub(super) struct Round {
    pub(super) journal: Arc<dyn Journal>,
    pub(super) attempts: Vec<Attempt>,
    /// What they go over.
    pub(super) connections: HashSet<ConnectionId>,
}

/// What each journal is to be told of all that has begun.
pub(super) fn rounds(begun: &mut Vec<Begun>, letters: &Letters) -> Vec<Round> {
    let mut rounds: Vec<(u64, Round)> = Vec::new();
    for Begun { connection, message, recipients } in begun.drain(..) {
        let Some(letter) = letters.get(&message) else { continue };
        let Some(journal) = &letter.call.journal else { continue };
        let attempt = Attempt { message: letter.index, recipients };
        match rounds.iter_mut().find(|(call, _)| *call == letter.call.id) {
            Some((_, round)) => {
                round.attempts.push(attempt);
                round.connections.insert(connection);
            }
            None => {
                let journal = Arc::clone(journal);
                let round = Round { journal, attempts: vec![attempt], connections: [connection].into() };
                rounds.push((letter.call.id, round));
            }
        }
    }
    rounds.into_iter().map(|(_, round)| round).collect()
}
