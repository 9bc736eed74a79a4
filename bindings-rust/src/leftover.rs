//! The recipients that a session has left over, since it takes no more messages or domains (RFC 9422): they go over
//! another, and the message has one outcome.

use std::sync::Arc;

use okuru_core::ErrorCode;
use okuru_core::client::{Envelope, MessageId, Outcome, RecipientOutcome, State};

use crate::flight::Item;

/// What became of a message before it was given to another session, with those of its recipients that were left over.
#[derive(Debug)]
pub(crate) struct Earlier {
    outcome: Outcome,
    /// Where in its envelope the recipients stand that have another try.
    left: Vec<usize>,
}

impl Item {
    /// Whether another session may take recipients that this one has not.
    pub(crate) fn has_leftover(&self, outcome: &Outcome) -> bool {
        self.is_whole() && outcome.recipients.iter().any(is_left_over)
    }

    /// Names only who was left over.
    pub(crate) fn name_leftover(&mut self, outcome: Outcome) {
        let outcome = self.joined(outcome);
        let left = (0..outcome.recipients.len()).filter(|&index| is_left_over(&outcome.recipients[index]));
        let left: Vec<_> = left.collect();
        self.message.envelope = Arc::new(Envelope {
            reverse_path: outcome.envelope.reverse_path.clone(),
            parameters: outcome.envelope.parameters.clone(),
            recipients: left.iter().map(|&index| outcome.envelope.recipients[index].clone()).collect(),
        });
        self.earlier = Some(Box::new(Earlier { outcome, left }));
    }

    /// The outcome of the message as the user knows it.
    pub(crate) fn joined(&mut self, outcome: Outcome) -> Outcome {
        let Some(earlier) = self.earlier.take() else {
            return Outcome { message: MessageId(self.index), ..outcome };
        };
        let Earlier { outcome: mut joined, left } = *earlier;
        joined.progress = joined.progress.max(outcome.progress);
        joined.round_trips += outcome.round_trips;
        joined.reply = outcome.reply.or(joined.reply);
        for (index, recipient) in left.into_iter().zip(outcome.recipients) {
            joined.recipients[index] = recipient;
        }
        let nobody = joined.recipients.iter().all(|recipient| recipient.state != State::Accepted);
        joined.error = outcome.error.or(joined.error).filter(|_| nobody);
        joined
    }
}

fn is_left_over(recipient: &RecipientOutcome) -> bool {
    recipient.state == State::Deferred && recipient.error().is_some_and(|error| error.code() == ErrorCode::LimitSession)
}
