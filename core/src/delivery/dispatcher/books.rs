//! What is known of the messages.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::alarms::Bell;
use super::place::Place;
use super::session::Session;
use super::slab::Key;
use crate::client::{Envelope, MessageId, Outcome, Progress, RecipientOutcome, State};
use crate::error::Error;
use crate::syntax::Reply;

/// A message.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) id: MessageId,
    pub(super) envelope: Arc<Envelope>,
    /// What is known of each recipient.
    pub(super) recipients: Vec<RecipientOutcome>,
    pub(super) deliveries: Vec<Key<Delivery>>,
    pub(super) last_moment: Duration,
    pub(super) is_cancelled: bool,
    pub(super) reply: Option<Reply>,
    pub(super) error: Option<Error>,
    pub(super) progress: Progress,
    pub(super) round_trips: u32,
}

/// A message on its way to one destination.
#[derive(Clone, Debug)]
pub(super) struct Delivery {
    pub(super) message: Key<Held>,
    /// Which recipients.
    pub(super) recipients: Arc<[u32]>,
    pub(super) place: Key<Place>,
    pub(super) whereabouts: Whereabouts,
    /// How often it was tried for this destination.
    pub(super) attempts: u32,
    /// Which hosts of the destination have deferred it in this attempt, a bit for each.
    pub(super) tried: u64,
    /// A session lost it after its envelope had been said, and another was given it.
    pub(super) was_moved: bool,
    /// This is the destination of last resort.
    pub(super) fell_back: bool,
    pub(super) bell: Bell,
}

/// Where a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whereabouts {
    /// In the queue of its destination.
    Queued,
    /// On a session.
    Sent { on: Key<Session>, since: Duration },
    /// Out of the queue, on its way to one of the others.
    InHand,
    /// To be tried again then.
    Later { due: Duration },
}

impl Held {
    pub(super) fn new(id: MessageId, envelope: Arc<Envelope>, last_moment: Duration) -> Self {
        Self {
            id,
            recipients: vec![RecipientOutcome::waiting(); envelope.recipients.len()],
            envelope,
            deliveries: Vec::new(),
            last_moment,
            is_cancelled: false,
            reply: None,
            error: None,
            progress: Progress::Queued,
            round_trips: 0,
        }
    }

    /// Keeps what an attempt has brought for the message as a whole.
    pub(super) fn note(&mut self, outcome: &Outcome) {
        // The words under which it was accepted for somebody are worth more than later ones.
        let is_accepted = |recipients: &[RecipientOutcome]| recipients.iter().any(|it| it.state == State::Accepted);
        if is_accepted(&outcome.recipients) || !is_accepted(&self.recipients) {
            self.reply.clone_from(&outcome.reply);
        }
        self.error.clone_from(&outcome.error);
        self.progress = outcome.progress;
        self.round_trips = self.round_trips.saturating_add(outcome.round_trips);
    }

    /// What became of it.
    pub(super) fn into_outcome(self) -> Outcome {
        let is_accepted = self.recipients.iter().any(|recipient| recipient.state == State::Accepted);
        Outcome {
            message: self.id,
            envelope: self.envelope,
            recipients: self.recipients,
            reply: self.reply,
            error: self.error.filter(|_| !is_accepted),
            progress: self.progress,
            round_trips: self.round_trips,
        }
    }
}
