//! How messages end before their time: the user cancels, time runs out, the connection breaks.

use core::time::Duration;

use super::message::MessageId;
use super::outcome::{Progress, State};
use super::sending::Sender;
use super::transaction::{Consequence, Stage, Transaction};
use super::wire::Wire;
use crate::error::{Error, ErrorCode, Step};
use crate::syntax::{Framing, Reply};

impl Sender {
    /// Ends one message, telling its outcome at once: `state` where its content was not fully said, else `unknown`.
    ///
    /// Between DATA and the end of the content nothing stops a transaction but the end of the connection.
    pub(super) fn give_up(&mut self, id: MessageId, state: State, error: &Error, wire: &mut Wire) -> Consequence {
        if let Some(index) = self.queue.iter().position(|job| job.id == id)
            && let Some(mut job) = self.queue.remove(index)
        {
            job.end(state, error, None);
            self.tell(job, wire);
            return Consequence::None;
        }
        let Some(transaction) = self.row.iter_mut().find(|transaction| transaction.job.id == id) else {
            return Consequence::None;
        };
        if transaction.cancelled {
            return Consequence::None;
        }
        transaction.conclude();
        transaction.cancelled = true;
        let mut job = transaction.job.clone();
        let consequence = transaction.stop();
        match transaction.stage {
            Stage::Said { .. } if !transaction.has_no_sender() => job.end(State::Unknown, error, None),
            _ => job.end(state, error, None),
        }
        self.tell(job, wire);
        self.conclude(wire);
        consequence
    }

    /// The server refuses content whose end has not been said yet. Says whether there is any.
    pub(super) fn refuse_early(&mut self, reply: &Reply) -> bool {
        match self.row.front_mut() {
            Some(front) if matches!(front.stage, Stage::Go { .. } | Stage::Content { .. }) => {
                front.job.refuse(reply, Step::Content);
                true
            }
            _ => false,
        }
    }

    /// Ends every message: the connection is over. `state` is for those whose content was not fully sent; the others
    /// are `unknown`.
    pub(super) fn cut_off(&mut self, state: State, error: &Error, reply: Option<&Reply>, wire: &mut Wire) {
        while let Some(mut transaction) = self.row.pop_front() {
            if transaction.cancelled {
                continue;
            }
            transaction.conclude();
            let sent = transaction.is_sent(wire);
            let mut job = transaction.job;
            if sent {
                job.end(State::Unknown, error, None);
            } else {
                job.progress = job.progress.min(Progress::Content);
                job.end(state, error, reply);
            }
            self.tell(job, wire);
        }
        while let Some(mut job) = self.queue.pop_front() {
            job.end(state, error, reply);
            self.tell(job, wire);
        }
    }

    /// The first moment at which a message is to be given up.
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        if !self.has_deadlines {
            return None;
        }
        let row = self.row.iter().filter(|transaction| !transaction.cancelled).map(|transaction| &transaction.job);
        row.chain(&self.queue).filter_map(|job| job.message.deadline).min()
    }

    /// A message whose deadline has passed.
    pub(super) fn overdue(&self, now: Duration) -> Option<MessageId> {
        let row = self.row.iter().filter(|transaction| !transaction.cancelled).map(|transaction| &transaction.job);
        let is_overdue = |deadline: Duration| deadline <= now;
        row.chain(&self.queue).find(|job| job.message.deadline.is_some_and(is_overdue)).map(|job| job.id)
    }
}

impl Transaction {
    /// Whether all content has been handed to the network, for a server that may have taken it.
    fn is_sent(&self, wire: &Wire) -> bool {
        matches!(self.stage, Stage::Said { place } if wire.is_written(place)) && !self.has_no_sender()
    }

    /// Says no more of it, if that is possible.
    fn stop(&mut self) -> Consequence {
        match self.stage {
            Stage::Go { lone_dot: true } | Stage::DataSaid | Stage::Said { .. } | Stage::Void => Consequence::None,
            Stage::Go { .. } | Stage::Content { .. } if self.plan.framing == Framing::Dotted => Consequence::HangUp,
            Stage::Begun | Stage::Envelope { .. } | Stage::EnvelopeSaid | Stage::Go { .. } | Stage::Content { .. } => {
                self.stage = Stage::Void;
                Consequence::None
            }
        }
    }
}

/// What an error that is no reply means for a message whose content was not fully sent.
pub(super) fn state_of(error: &Error) -> State {
    match error.code() {
        ErrorCode::MessageUnreadable => State::Deferred,
        code if matches!(code.family(), "message" | "address") => State::Rejected,
        _ => State::Deferred,
    }
}
