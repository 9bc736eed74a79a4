//! A submitted message on its way to its outcome.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::message::{Message, MessageId};
use super::outcome::{Outcome, Progress, RecipientOutcome, State, refusal};
use crate::error::{Error, Step};
use crate::syntax::{Reply, Severity};

/// Where a recipient stands.
#[derive(Clone, Debug)]
pub(super) enum Standing {
    /// To be named in this transaction, or in the first.
    Waiting,
    /// To be named in a later transaction.
    Later,
    /// RCPT was said, and not answered yet.
    Asked,
    /// The server took it, and waits for the content.
    Taken(Reply),
    Ended(RecipientOutcome),
}

/// A submitted message on its way to its outcome.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) id: MessageId,
    pub(super) message: Message,
    pub(super) standings: Vec<Standing>,
    pub(super) progress: Progress,
    /// The reply that decided about the message as a whole.
    reply: Option<Reply>,
    error: Option<Error>,
    /// How many round trips the connection had made when this began.
    pub(super) turns_before: u32,
}

impl Job {
    pub(super) fn new(id: MessageId, message: Message) -> Self {
        let standings = vec![Standing::Waiting; message.envelope.recipients.len()];
        Self { id, message, standings, progress: Progress::Queued, reply: None, error: None, turns_before: 0 }
    }

    pub(super) fn taken(&self) -> usize {
        self.standings.iter().filter(|standing| matches!(standing, Standing::Taken(_))).count()
    }

    pub(super) fn is_any(&self, wanted: impl Fn(&Standing) -> bool) -> bool {
        self.standings.iter().any(wanted)
    }

    /// Whether a recipient was refused.
    pub(super) fn has_refused(&self) -> bool {
        self.is_any(|standing| matches!(standing, Standing::Ended(outcome) if outcome.state != State::Accepted))
    }

    /// The reply to the content: it is accepted for everybody whom the server had taken.
    pub(super) fn accept(&mut self, reply: &Reply) {
        for standing in &mut self.standings {
            *standing = match core::mem::replace(standing, Standing::Later) {
                Standing::Taken(reply) => ended(State::Accepted, Some(reply), None),
                other => other,
            };
        }
        self.reply = Some(reply.clone());
    }

    /// LMTP's reply to the content for one recipient.
    pub(super) fn end_next_taken(&mut self, reply: &Reply) {
        if let Some(standing) = self.standings.iter_mut().find(|standing| matches!(standing, Standing::Taken(_))) {
            *standing = ended(state_after(reply), Some(reply.clone()), None);
        }
        self.reply = Some(reply.clone());
    }

    /// The message as a whole was refused: that is the outcome of everybody who has none yet.
    pub(super) fn refuse(&mut self, reply: &Reply, step: Step) {
        let state = state_after(reply);
        for standing in &mut self.standings {
            if !matches!(standing, Standing::Ended(_)) {
                *standing = ended(state, Some(reply.clone()), None);
            }
        }
        self.error = Some(refusal(reply).at(step));
        self.reply = Some(reply.clone());
    }

    /// Everybody who has no outcome yet gets this one; only who has not been named to the server yet can't be `unknown`.
    pub(super) fn end(&mut self, state: State, error: &Error, reply: Option<&Reply>) {
        let cause = Arc::new(error.clone());
        for standing in &mut self.standings {
            let state = match standing {
                Standing::Ended(_) => continue,
                Standing::Waiting | Standing::Later if state == State::Unknown => State::Deferred,
                _ => state,
            };
            *standing = ended(state, reply.cloned(), Some(Arc::clone(&cause)));
        }
        self.error.get_or_insert_with(|| error.clone());
        if self.reply.is_none() {
            self.reply = reply.cloned();
        }
    }

    /// As if its transaction had never begun.
    pub(super) fn forget(&mut self) {
        for standing in &mut self.standings {
            if matches!(standing, Standing::Asked | Standing::Taken(_)) {
                *standing = Standing::Waiting;
            }
        }
    }

    /// The outcome, after `turns` round trips of the connection.
    pub(super) fn into_outcome(self, turns: u32) -> Outcome {
        let recipients: Vec<_> = self.standings.into_iter().map(Standing::into_outcome).collect();
        let accepted = recipients.iter().any(|recipient| recipient.state == State::Accepted);
        Outcome {
            message: self.id,
            envelope: self.message.envelope,
            recipients,
            reply: self.reply,
            error: self.error.filter(|_| !accepted),
            progress: self.progress,
            round_trips: turns.saturating_sub(self.turns_before),
        }
    }
}

impl Standing {
    /// Each standing but the last is ended by the transaction before it comes to this; should one not be, nothing is
    /// known of it.
    fn into_outcome(self) -> RecipientOutcome {
        match self {
            Self::Ended(outcome) => outcome,
            Self::Taken(reply) => RecipientOutcome { state: State::Unknown, reply: Some(reply), cause: None },
            Self::Waiting | Self::Later | Self::Asked => {
                RecipientOutcome { state: State::Unknown, reply: None, cause: None }
            }
        }
    }
}

pub(super) fn ended(state: State, reply: Option<Reply>, cause: Option<Arc<Error>>) -> Standing {
    Standing::Ended(RecipientOutcome { state, reply, cause })
}

/// What a reply that decides means for a recipient.
pub(super) fn state_after(reply: &Reply) -> State {
    match reply.severity() {
        Severity::Completion => State::Accepted,
        Severity::Transient | Severity::Intermediate => State::Deferred,
        Severity::Permanent => State::Rejected,
    }
}
