//! What `--json` prints. Keys, once published, stay as they are; one without a value is null.

use okuru_core::Error;
use okuru_core::client::{Outcome, State, Summary};
use okuru_core::syntax::Reply;
use serde::Serialize;

/// A line of `--json`.
#[derive(Serialize)]
pub(crate) struct Line<'a> {
    message: u64,
    file: &'a str,
    outcome: &'static str,
    recipients: Vec<RecipientEntry<'a>>,
    reply: Option<ReplyEntry>,
    queue_id: Option<&'a str>,
    error: Option<ErrorEntry>,
    round_trips: u32,
}

#[derive(Serialize)]
struct RecipientEntry<'a> {
    address: &'a str,
    outcome: &'static str,
    code: Option<u16>,
    enhanced: Option<String>,
    text: Option<Vec<String>>,
    error: Option<ErrorEntry>,
}

/// A reply, as every `--json` has it.
#[derive(Serialize)]
pub(crate) struct ReplyEntry {
    pub(crate) code: u16,
    pub(crate) enhanced: Option<String>,
    pub(crate) text: Vec<String>,
}

/// An error, as every `--json` has it.
#[derive(Serialize)]
pub(crate) struct ErrorEntry {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl<'a> Line<'a> {
    /// Of a message that has ended.
    pub(crate) fn new(message: u64, file: &'a str, outcome: &'a Outcome) -> Self {
        let recipients = outcome.envelope.recipients.iter().zip(&outcome.recipients);
        Self {
            message,
            file,
            outcome: match outcome.summary() {
                Summary::Accepted => "accepted",
                Summary::Partial => "partial",
                Summary::Deferred => "deferred",
                Summary::Rejected => "rejected",
                Summary::Unknown => "unknown",
            },
            recipients: recipients
                .map(|(asked, recipient)| RecipientEntry {
                    address: asked.path.as_str(),
                    outcome: match recipient.state {
                        State::Accepted => "accepted",
                        State::Deferred => "deferred",
                        State::Rejected => "rejected",
                        State::Unknown => "unknown",
                    },
                    code: recipient.reply.as_ref().map(|reply| reply.code().as_u16()),
                    enhanced: recipient.reply.as_ref().and_then(enhanced),
                    text: recipient.reply.as_ref().map(|reply| reply.text_lines().collect()),
                    error: recipient.error().as_ref().map(Into::into),
                })
                .collect(),
            reply: outcome.reply.as_ref().map(Into::into),
            queue_id: outcome.queue_id(),
            error: outcome.error.as_ref().map(Into::into),
            round_trips: outcome.round_trips,
        }
    }

    /// Of a message that could not even be begun.
    pub(crate) fn unusable(message: u64, file: &'a str, error: &Error) -> Self {
        Self {
            message,
            file,
            outcome: "rejected",
            recipients: Vec::new(),
            reply: None,
            queue_id: None,
            error: Some(error.into()),
            round_trips: 0,
        }
    }
}

impl From<&Reply> for ReplyEntry {
    fn from(reply: &Reply) -> Self {
        Self { code: reply.code().as_u16(), enhanced: enhanced(reply), text: reply.text_lines().collect() }
    }
}

impl From<&Error> for ErrorEntry {
    fn from(error: &Error) -> Self {
        Self { code: error.code().as_str(), message: error.to_string() }
    }
}

fn enhanced(reply: &Reply) -> Option<String> {
    reply.enhanced().map(|code| code.to_string())
}
