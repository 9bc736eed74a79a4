//! What became of a message: one of four outcomes for each recipient, with the reply behind it.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::message::{Envelope, MessageId};
use crate::error::{Error, ErrorCode, Step};
use crate::syntax::Reply;

/// What became of one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The server took responsibility: a 2yz after the content. A retry would be wrong.
    Accepted,
    /// A 4yz, or the connection ended before the content was fully sent. A retry is safe.
    Deferred,
    /// A 5yz, or it can never work here. A retry is useless.
    Rejected,
    /// The content was fully sent, and no reply came. A retry may send it twice.
    Unknown,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accepted => "accepted",
            Self::Deferred => "deferred",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
        })
    }
}

/// What became of a message as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Summary {
    /// Accepted for every recipient.
    Accepted,
    /// Accepted for some.
    Partial,
    /// For none, and a retry is safe for at least one.
    Deferred,
    /// Rejected for every recipient.
    Rejected,
    /// Accepted for none for certain, and for at least one nobody knows.
    Unknown,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accepted => "accepted",
            Self::Partial => "partial",
            Self::Deferred => "deferred",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
        })
    }
}

/// How far a message had come when it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Progress {
    /// Nothing of it had been sent. Another connection may take it, and nobody needs to know.
    Queued,
    /// Its envelope had been sent, or a part of it.
    Envelope,
    /// A part of its content had been sent.
    Content,
    /// All of it had been sent.
    Sent,
}

/// What became of one recipient, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientOutcome {
    /// What became of it.
    pub state: State,
    /// The reply that decided, or for an accepted one the reply to its RCPT. An LMTP server answers the content once for
    /// each recipient (RFC 2033 §4.2); then it is that reply.
    pub reply: Option<Reply>,
    /// Why it was not accepted, where no reply says so.
    pub(super) cause: Option<Arc<Error>>,
    /// Where the recipient stands. It is kept here so that the outcome is found where it will be told from.
    pub(super) standing: Standing,
}

/// Where a recipient stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// To be named in this transaction, or in the first.
    Waiting,
    /// To be named in a later transaction.
    Later,
    /// RCPT was said, and not answered yet.
    Asked,
    /// The server took it, and waits for the content.
    Taken,
    /// The outcome is known.
    Ended,
}

impl RecipientOutcome {
    /// What became of a recipient that was sent to by other means than a [`Connection`](super::Connection).
    pub fn new(state: State, reply: Option<Reply>, error: Option<Error>) -> Self {
        Self::ended(state, reply, error.map(Arc::new))
    }

    /// Nothing is known of it.
    pub(crate) const fn waiting() -> Self {
        Self { state: State::Unknown, reply: None, cause: None, standing: Standing::Waiting }
    }

    /// This has become of it.
    pub(crate) const fn ended(state: State, reply: Option<Reply>, cause: Option<Arc<Error>>) -> Self {
        Self { state, reply, cause, standing: Standing::Ended }
    }

    /// Why it was not accepted, where no reply says so.
    pub(crate) fn cause(&self) -> Option<&Error> {
        self.cause.as_deref()
    }

    /// Whether it has been tried, or has ended.
    pub(crate) fn is_known(&self) -> bool {
        self.standing == Standing::Ended
    }

    /// The server takes it.
    pub(super) fn take(&mut self, reply: &Reply) {
        self.reply = Some(reply.clone());
        self.standing = Standing::Taken;
    }

    /// This is what became of it.
    pub(super) fn end(&mut self, state: State, reply: Option<Reply>, cause: Option<Arc<Error>>) {
        *self = Self::ended(state, reply, cause);
    }

    /// Why it was not accepted.
    pub fn error(&self) -> Option<Error> {
        match (&self.cause, &self.reply) {
            (Some(cause), _) => Some(Error::clone(cause)),
            (None, Some(reply)) if self.state != State::Accepted => Some(refusal(reply)),
            _ => None,
        }
    }
}

/// The error that a refusing reply stands for.
pub(super) fn refusal(reply: &Reply) -> Error {
    let code = match reply.code().as_u16() {
        421 => ErrorCode::ReplyClosing,
        530 => ErrorCode::AuthRequired,
        400..=499 => ErrorCode::ReplyDeferred,
        _ => ErrorCode::ReplyRejected,
    };
    Error::new(code, format!("the server said: {reply}"))
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Which message.
    pub message: MessageId,
    /// The envelope it was submitted with.
    pub envelope: Arc<Envelope>,
    /// One for each recipient of the envelope, in its order.
    pub recipients: Vec<RecipientOutcome>,
    /// The reply that decided about the message as a whole: to the content, or to a command that was refused. Of the
    /// last transaction, where the recipients had to be split over several.
    pub reply: Option<Reply>,
    /// What stopped the message as a whole, if it was not accepted for anybody.
    pub error: Option<Error>,
    /// How far it had come.
    pub progress: Progress,
    /// How often the connection had to wait for the server on its account.
    pub round_trips: u32,
}

impl Outcome {
    /// What became of the message as a whole.
    pub fn summary(&self) -> Summary {
        let count = |state| self.recipients.iter().filter(|recipient| recipient.state == state).count();
        match count(State::Accepted) {
            0 if count(State::Unknown) > 0 => Summary::Unknown,
            0 if count(State::Deferred) > 0 => Summary::Deferred,
            0 => Summary::Rejected,
            all if all == self.recipients.len() => Summary::Accepted,
            _ => Summary::Partial,
        }
    }

    /// The id under which the server has queued it, where its reply says so in a form that is known.
    pub fn queue_id(&self) -> Option<&str> {
        let accepted = self.recipients.iter().any(|recipient| recipient.state == State::Accepted);
        self.reply.as_ref().filter(|_| accepted)?.queue_id()
    }

    /// The outcome itself if every recipient was accepted, else the error that says why not.
    pub fn into_result(self) -> Result<Self, Error> {
        let refused = self.recipients.iter().find(|recipient| recipient.state != State::Accepted);
        let Some(refused) = refused else {
            return Ok(self);
        };
        let unexplained = || Error::new(ErrorCode::ProtocolClosed, "no reply came").at(Step::EndOfContent);
        Err(self.error.clone().or_else(|| refused.error()).unwrap_or_else(unexplained))
    }
}
