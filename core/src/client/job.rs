//! A submitted message on its way to its outcome.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::message::{Message, MessageId};
use super::outcome::{Outcome, Progress, RecipientOutcome, Standing, State, refusal};
use crate::error::{Error, Step};
use crate::syntax::{Reply, Severity};

/// A submitted message on its way to its outcome.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) id: MessageId,
    pub(super) message: Message,
    /// One for each recipient of the envelope.
    pub(super) recipients: Vec<RecipientOutcome>,
    pub(super) progress: Progress,
    /// The reply that decided about the message as a whole.
    reply: Option<Reply>,
    error: Option<Error>,
    /// How many round trips the connection had made when this began.
    pub(super) turns_before: u32,
}

impl Job {
    pub(super) fn new(id: MessageId, message: Message) -> Self {
        let recipients = vec![RecipientOutcome::waiting(); message.envelope.recipients.len()];
        Self { id, message, recipients, progress: Progress::Queued, reply: None, error: None, turns_before: 0 }
    }

    pub(super) fn is_any(&self, wanted: Standing) -> bool {
        self.recipients.iter().any(|recipient| recipient.standing == wanted)
    }

    pub(super) fn taken(&self) -> usize {
        self.recipients.iter().filter(|recipient| recipient.standing == Standing::Taken).count()
    }

    /// Whether a recipient was refused.
    pub(super) fn has_refused(&self) -> bool {
        let refused =
            |recipient: &RecipientOutcome| recipient.standing == Standing::Ended && recipient.state != State::Accepted;
        self.recipients.iter().any(refused)
    }

    /// The reply to the content: it is accepted for everybody whom the server had taken.
    pub(super) fn accept(&mut self, reply: &Reply) {
        for recipient in &mut self.recipients {
            if recipient.standing == Standing::Taken {
                recipient.state = State::Accepted;
                recipient.standing = Standing::Ended;
            }
        }
        self.reply = Some(reply.clone());
    }

    /// LMTP's reply to the content for one recipient.
    pub(super) fn end_next_taken(&mut self, reply: &Reply) {
        if let Some(recipient) = self.recipients.iter_mut().find(|recipient| recipient.standing == Standing::Taken) {
            recipient.end(state_after(reply), Some(reply.clone()), None);
        }
        self.reply = Some(reply.clone());
    }

    /// The message as a whole was refused: that is the outcome of everybody who has none yet.
    pub(super) fn refuse(&mut self, reply: &Reply, step: Step) {
        for recipient in &mut self.recipients {
            if recipient.standing != Standing::Ended {
                recipient.end(state_after(reply), Some(reply.clone()), None);
            }
        }
        self.error = Some(refusal(reply).at(step));
        self.reply = Some(reply.clone());
    }

    /// Everybody who has no outcome yet gets this one; only who has not been named to the server yet can't be `unknown`.
    pub(super) fn end(&mut self, state: State, error: &Error, reply: Option<&Reply>) {
        let cause = Arc::new(error.clone());
        for recipient in &mut self.recipients {
            let state = match recipient.standing {
                Standing::Ended => continue,
                Standing::Waiting | Standing::Later if state == State::Unknown => State::Deferred,
                _ => state,
            };
            recipient.end(state, reply.cloned(), Some(Arc::clone(&cause)));
        }
        self.error.get_or_insert_with(|| error.clone());
        if self.reply.is_none() {
            self.reply = reply.cloned();
        }
    }

    /// As if its transaction had never begun.
    pub(super) fn forget(&mut self) {
        for recipient in &mut self.recipients {
            if matches!(recipient.standing, Standing::Asked | Standing::Taken) {
                *recipient = RecipientOutcome::waiting();
            }
        }
    }

    /// The outcome, after `turns` round trips of the connection.
    pub(super) fn into_outcome(self, turns: u32) -> Outcome {
        let nobody = || self.recipients.iter().all(|recipient| recipient.state != State::Accepted);
        Outcome {
            error: self.error.filter(|_| nobody()),
            message: self.id,
            envelope: self.message.envelope,
            recipients: self.recipients,
            reply: self.reply,
            progress: self.progress,
            round_trips: turns.saturating_sub(self.turns_before),
        }
    }
}

/// What a reply that decides means for a recipient.
pub(super) fn state_after(reply: &Reply) -> State {
    match reply.severity() {
        Severity::Completion => State::Accepted,
        Severity::Transient | Severity::Intermediate => State::Deferred,
        Severity::Permanent => State::Rejected,
    }
}
