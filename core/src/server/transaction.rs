//! A message on its way in: from MAIL to the end of its content.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::envelope::{Envelope, MessageId, Recipient};
use super::output::QuestionId;
use super::words::Saying;
use crate::syntax::{BodyType, ContentDecoder, Framing, MailParameters, Newlines, ReversePath};

#[derive(Clone, Debug)]
pub(super) struct Transaction {
    pub(super) envelope: Envelope,
    /// Recipients about whom the host is asked, and those behind them, in the order of the commands.
    asked: VecDeque<Asked>,
    /// The content, once it has begun.
    pub(super) incoming: Option<Incoming>,
}

#[derive(Clone, Debug)]
struct Asked {
    question: QuestionId,
    recipient: Recipient,
    /// What the host says.
    accepted: Option<bool>,
}

impl Transaction {
    pub(super) fn new(reverse_path: ReversePath, parameters: Box<MailParameters>) -> Self {
        let envelope = Envelope { reverse_path, parameters, recipients: Vec::new() };
        Self { envelope, asked: VecDeque::new(), incoming: None }
    }

    /// Recipients who are accepted or may yet be.
    pub(super) fn recipients(&self) -> usize {
        self.envelope.recipients.len() + self.asked.len()
    }

    /// The host is asked about a recipient.
    pub(super) fn ask(&mut self, question: QuestionId, recipient: Recipient) {
        self.asked.push_back(Asked { question, recipient, accepted: None });
    }

    /// The host has said what becomes of a recipient.
    pub(super) fn answered(&mut self, question: QuestionId, accepted: bool) {
        if let Some(asked) = self.asked.iter_mut().find(|asked| asked.question == question) {
            asked.accepted = Some(accepted);
        }
        while let Some(accepted) = self.asked.front().and_then(|asked| asked.accepted) {
            let asked = self.asked.pop_front();
            self.envelope.recipients.extend(asked.filter(|_| accepted).map(|asked| asked.recipient));
        }
    }

    /// The content begins.
    pub(super) fn begin(&mut self, message: MessageId, dotted: bool, newlines: Newlines) {
        let framing = match self.envelope.parameters.body {
            _ if dotted => Framing::Dotted,
            Some(BodyType::BinaryMime) => Framing::Binary,
            _ => Framing::Counted,
        };
        let decoder = ContentDecoder::new(framing, newlines);
        self.incoming = Some(Incoming { message, decoder, octets: 0, is_shown: false, refusal: None });
    }
}

/// Content on its way in.
#[derive(Clone, Debug)]
pub(super) struct Incoming {
    pub(super) message: MessageId,
    pub(super) decoder: ContentDecoder,
    /// Octets that were handed on.
    pub(super) octets: u64,
    /// Whether the host has some of it.
    pub(super) is_shown: bool,
    /// What will be said at its end, if it is refused already.
    pub(super) refusal: Option<Saying>,
}
