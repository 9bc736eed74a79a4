//! Who has sent messages, and is told what becomes of them.

use std::sync::Arc;

use okuru_core::client::{MessageId, Outcome, Progress, Recipient, RecipientOutcome, State};
use okuru_core::{Error, ErrorCode};
use tokio::sync::mpsc;

use crate::message::Message;

/// Keeps books of what is under way, so that whoever is stopped at any moment, even by a loss of power, can tell afterwards
/// what was accepted, what was not sent, and of what nobody knows. For
/// [`SendMany::journal`](super::SendMany::journal).
///
/// Both are called in the task of the mailer, which waits for them; [`sending`](Self::sending) once for all messages that are
/// about to go out at a time.
pub trait Journal: Send + Sync {
    /// Content is about to be sent. Nothing of it goes out before this returns; nothing at all, if that is an error: the
    /// connections are then given up.
    ///
    /// # Errors
    ///
    /// Whatever keeps the books from being kept.
    fn sending(&self, attempts: &[Attempt]) -> Result<(), Error>;

    /// An attempt has ended, in this for each of its recipients. Who was deferred is perhaps tried again. Of messages that
    /// were never tried only the outcome tells.
    fn tried(&self, message: MessageId, recipients: &[(u32, State)]);
}

/// An attempt to send the content of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The number of the message in its call, as in [`Outcome::message`].
    pub message: MessageId,
    /// To which recipients of its envelope, from 0.
    pub recipients: Arc<[u32]>,
}

/// A call of a user.
pub(super) struct Call {
    pub(super) id: u64,
    pub(super) outcomes: mpsc::UnboundedSender<Outcome>,
    pub(super) journal: Option<Arc<dyn Journal>>,
}

/// A message on its way to the mailer.
pub(super) struct Submission {
    pub(super) call: Arc<Call>,
    pub(super) index: MessageId,
    /// Its content is not a closed file.
    pub(super) message: Result<Message, Unreadable>,
}

/// A message whose content could not be opened.
pub(super) struct Unreadable {
    pub(super) message: Message,
    pub(super) error: Error,
}

impl Call {
    pub(super) fn tell(&self, index: MessageId, outcome: Outcome) {
        // Nobody is left to be told where the call has been dropped.
        let _ = self.outcomes.send(Outcome { message: index, ..outcome });
    }

    /// Whether nobody waits for an outcome any more.
    pub(super) fn is_over(&self) -> bool {
        self.outcomes.is_closed()
    }
}

/// The outcome of a message that the core was not given.
pub(super) fn failed(message: &Message, state: State, error: &Error) -> Outcome {
    let ended = |_: &Recipient| RecipientOutcome::new(state, None, Some(error.clone()));
    Outcome {
        message: MessageId(0),
        recipients: message.envelope.recipients.iter().map(ended).collect(),
        envelope: Arc::clone(&message.envelope),
        reply: None,
        error: Some(error.clone()),
        progress: Progress::Queued,
        round_trips: 0,
    }
}

/// What a message comes to that is handed to a mailer which has been stopped.
pub(super) fn stopped(message: &Message) -> Outcome {
    failed(message, State::Deferred, &Error::new(ErrorCode::Cancelled, "the mailer has been stopped"))
}
