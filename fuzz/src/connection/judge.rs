//! Whether outcomes are true.

use okuru_core::ErrorCode;
use okuru_core::client::{Body, Outcome, Progress, RecipientOutcome, State};
use okuru_core::syntax::{Framing, Newlines};

use super::script::Letter;
use super::server::Server;
use super::transaction::{Transaction, is_taken};
use crate::content::{expected, first_bare};

/// Compares the outcome of a message with what the server knows.
pub(super) fn outcome(server: &Server, letter: &Letter, outcome: &Outcome) {
    assert_eq!(outcome.envelope, letter.message.envelope);
    assert_eq!(outcome.recipients.len(), letter.message.envelope.recipients.len());
    let number = usize::try_from(outcome.message.0).expect("it is small");
    let transactions: Vec<&Transaction> = server.transactions.iter().filter(|it| it.message == Some(number)).collect();
    for (index, recipient) in outcome.recipients.iter().enumerate() {
        let truth = Truth {
            accepted: transactions.iter().any(|it| it.was_accepted(index)),
            open: transactions.iter().any(|it| it.is_open(index, server.written)),
            said: transactions.iter().any(|it| it.is_open(index, server.said)),
            early: transactions.last().is_some_and(|it| it.came_too_early()),
        };
        truth.judge(recipient, number, index);
    }
    let accepted = outcome.recipients.iter().any(|recipient| recipient.state == State::Accepted);
    assert!(!accepted || outcome.error.is_none());
    let all_accepted = outcome.recipients.iter().all(|recipient| recipient.state == State::Accepted);
    assert_eq!(outcome.clone().into_result().is_ok(), all_accepted);
    assert!(outcome.error.is_some() || all_accepted || accepted || has_reply(outcome), "{outcome:?} has no reason");
    assert!(outcome.queue_id().is_none() || accepted);
    match outcome.progress {
        Progress::Queued => assert!(transactions.is_empty(), "something had been said"),
        Progress::Sent => assert!(transactions.iter().any(|it| it.end.is_some()), "the content had not been said"),
        Progress::Envelope | Progress::Content => {
            let sent = transactions.last().is_some_and(|it| it.end.is_some_and(|end| end <= server.written));
            let to_nobody = transactions.last().is_some_and(|it| it.taken().is_empty());
            // Another transaction for the rest of the recipients has begun, with MAIL FROM:<>.
            let unnamed = server.transactions.last().is_some_and(|it| it.message.is_none());
            assert!(!sent || to_nobody || unnamed, "the content had been sent");
        }
    }
}

fn has_reply(outcome: &Outcome) -> bool {
    outcome.recipients.iter().all(|recipient| recipient.error().is_some())
}

/// What the server knows of a recipient.
#[derive(Debug)]
struct Truth {
    /// It has taken the responsibility.
    accepted: bool,
    /// All content was written, and it has said nothing about it.
    open: bool,
    /// The same, once what has been said will have been written.
    said: bool,
    /// It did not take the last transaction only since it came too early.
    early: bool,
}

impl Truth {
    fn judge(&self, recipient: &RecipientOutcome, message: usize, index: usize) {
        let code = recipient.reply.as_ref().map(|reply| reply.code().as_u16());
        let error = recipient.error();
        let cause = error.as_ref().map(|error| error.code());
        // Who gives up in the middle of writing does not wait for what gets through.
        let gave_up =
            matches!(cause, Some(ErrorCode::Cancelled | ErrorCode::TimeoutDeadline | ErrorCode::MessageUnreadable));
        let is_true = match recipient.state {
            State::Accepted => self.accepted && code.is_some_and(is_taken) && error.is_none(),
            State::Unknown => !self.accepted && (self.open || gave_up && self.said) && error.is_some(),
            // Too many recipients, in the words of older servers.
            State::Deferred => {
                !self.accepted && !self.open && code.is_none_or(|code| (400..500).contains(&code) || code == 552)
            }
            State::Rejected => {
                let early = self.early && code == Some(503);
                !self.accepted && !self.open && !early && code.is_none_or(|code| code >= 500)
            }
        };
        assert!(is_true, "message {message}, recipient {index}: {recipient:?}, but {self:?}");
        if recipient.state == State::Rejected && code.is_none() {
            let family = cause.map(|code| code.family().to_owned()).unwrap_or_default();
            assert!(matches!(&*family, "message" | "address" | "security" | "limit"), "rejected for {cause:?}");
        }
        assert!(recipient.state == State::Accepted || error.is_some(), "there is no reason");
    }
}

/// Compares what the server has read of each content with what the host holds.
pub(super) fn contents(server: &Server, letters: &[Letter]) {
    for (index, transaction) in server.transactions.iter().enumerate() {
        let (Some(framing), Some(message)) = (transaction.framing, transaction.message) else {
            continue;
        };
        let letter = &letters[message];
        let whole = expected(framing, &letter.content);
        let read = [&*transaction.content, server.half_line(index)].concat();
        let declared = transaction.body.as_deref();
        assert!(read.is_ascii() || declared.is_some_and(|body| body != "7BIT"), "8-bit content was not declared");
        assert_eq!(declared == Some("BINARYMIME"), framing == Framing::Binary);
        let to_nobody = transaction.taken().is_empty();
        if transaction.end.is_none() {
            let read = read.strip_suffix(b"\r").unwrap_or(&read);
            assert!(whole.starts_with(read), "{} is not the beginning", read.escape_ascii());
        } else if framing != Framing::Dotted || !to_nobody {
            assert_eq!(read, whole, "other content was sent");
            let bare = first_bare(&letter.content).is_some();
            assert!(framing == Framing::Binary || letter.message.newlines == Newlines::Fix || !bare);
            check_size(letter, transaction, read.len() as u64);
        } else {
            assert!(read.is_empty() || read == whole, "content was sent to nobody");
        }
    }
}

fn check_size(letter: &Letter, transaction: &Transaction, octets: u64) {
    match letter.message.body {
        // A line end that DATA has to add is not counted.
        Body::Whole(_) => assert!(transaction.size.is_none_or(|size| size == octets || size + 2 == octets)),
        Body::Stream { size: Some(size), .. } => assert_eq!(size, letter.content.len() as u64),
        Body::Stream { size: None, .. } => {}
    }
}
