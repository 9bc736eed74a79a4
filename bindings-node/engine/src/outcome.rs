//! What became of a message, packed.

use alloc::string::ToString as _;
use okuru_core::client::{Outcome, Progress, RecipientOutcome, State, Summary};
use okuru_core::syntax::{Mailbox, Reply};
use okuru_core::{Error, ErrorCode};

use crate::packing::Writer;

/// The record's values: the message, how it ended, how far it came (two octets), how often was waited (a count), the queue id
/// (optional text), reply and error (optional), the reverse-path (text), and a list of recipients: the forward-path (text), an octet for
/// how it ended, reply and error (optional).
pub(crate) fn pack(outcome: &Outcome, out: &mut Writer) {
    out.whole(outcome.message.0);
    out.octet(match outcome.summary() {
        Summary::Accepted => 0,
        Summary::Partial => 1,
        Summary::Deferred => 2,
        Summary::Rejected => 3,
        Summary::Unknown => 4,
    });
    out.octet(match outcome.progress {
        Progress::Queued => 0,
        Progress::Envelope => 1,
        Progress::Content => 2,
        Progress::Sent => 3,
    });
    out.count(outcome.round_trips as usize);
    out.optional(outcome.queue_id(), Writer::text);
    out.optional(outcome.reply.as_ref(), |out, reply| pack_reply(reply, out));
    out.optional(outcome.error.as_ref(), |out, error| pack_error(error, out));
    out.text(outcome.envelope.reverse_path.mailbox().map_or("", Mailbox::as_str));
    let paths = outcome.envelope.recipients.iter().map(|recipient| recipient.path.as_str());
    out.list(outcome.recipients.iter().zip(paths), pack_recipient);
}

fn pack_recipient(out: &mut Writer, (recipient, path): (&RecipientOutcome, &str)) {
    out.text(path);
    out.octet(match recipient.state {
        State::Accepted => 0,
        State::Deferred => 2,
        State::Rejected => 3,
        State::Unknown => 4,
    });
    out.optional(recipient.reply.as_ref(), |out, reply| pack_reply(reply, out));
    out.optional(recipient.error().as_ref(), |out, error| pack_error(error, out));
}

/// A reply: its code (a count), the enhanced code (optional text), the text of each line (a list), and all of it as it came
/// (bytes).
pub(crate) fn pack_reply(reply: &Reply, out: &mut Writer) {
    out.count(usize::from(u16::from(reply.code())));
    out.optional(reply.enhanced(), |out, enhanced| out.text(&enhanced.to_string()));
    out.sized(|out| {
        for line in reply.text_lines() {
            out.text(&line);
        }
    });
    out.bytes(reply.raw());
}

/// An error: its place in the catalogue (a count), the step (optional text), what happened, and the whole sentence (texts).
pub(crate) fn pack_error(error: &Error, out: &mut Writer) {
    out.count(ErrorCode::ALL.iter().position(|code| *code == error.code()).unwrap_or_default());
    out.optional(error.step(), |out, step| out.text(&step.to_string()));
    out.text(error.what());
    out.text(&error.to_string());
}
