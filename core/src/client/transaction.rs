//! One mail transaction (RFC 5321 §3.3): what of it has been said, and what the server answered.

use alloc::format;

use super::job::{Job, state_after};
use super::needs::{Plan, can_be_split};
use super::outcome::{Progress, Standing, State};
use super::wire::Asked;
use crate::error::{Error, ErrorCode, Step};
use crate::syntax::{ContentEncoder, Reply, Severity};

/// How much of a transaction has been said.
#[derive(Clone, Debug)]
pub(super) enum Stage {
    /// MAIL is next.
    Begun,
    /// RCPT for this recipient is next.
    Envelope { next: usize },
    /// All RCPT were said. What follows waits for the replies, or goes without waiting.
    EnvelopeSaid,
    /// DATA was said.
    DataSaid,
    /// The content may begin. With nobody to take it, it is nothing but the final dot.
    Go { lone_dot: bool },
    /// Some content was said. `asked`: the host was asked for more of it.
    Content { encoder: ContentEncoder, asked: bool },
    /// All was said, up to this place of the wire.
    Said { place: u64 },
    /// No content is going to be said.
    Void,
}

/// What the server answered to MAIL.
#[derive(Clone, Debug)]
enum Mail {
    Unanswered,
    Taken,
    Refused(Reply),
}

/// What stood in front of MAIL, unanswered, when it was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ahead {
    Nothing,
    Content,
    /// Content that has turned out to be refused.
    RefusedContent,
}

/// What a reply means for the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Consequence {
    None,
    /// The transaction can't be stopped but by ending the connection.
    HangUp,
    /// The peer broke the protocol.
    Broken(Error),
}

#[derive(Clone, Debug)]
pub(super) struct Transaction {
    pub(super) job: Job,
    pub(super) plan: Plan,
    pub(super) stage: Stage,
    /// Where on the wire it began.
    pub(super) place: u64,
    /// How many replies are due.
    pub(super) due: usize,
    pub(super) ahead: Ahead,
    /// Whether the outcome has been told already, since the user cancelled.
    pub(super) cancelled: bool,
    mail: Mail,
    content_refused: bool,
    /// Which recipient the next reply to RCPT is about, or one before it.
    answering: usize,
    lmtp: bool,
}

impl Transaction {
    pub(super) fn new(job: Job, plan: Plan, place: u64, ahead: Ahead, lmtp: bool) -> Self {
        Self {
            job,
            plan,
            stage: Stage::Begun,
            place,
            due: 0,
            ahead,
            cancelled: false,
            mail: Mail::Unanswered,
            content_refused: false,
            answering: 0,
            lmtp,
        }
    }

    /// Whether the content is answered once for each recipient that was taken.
    pub(super) fn is_lmtp(&self) -> bool {
        self.lmtp
    }

    /// Whether nothing more will be said, and all replies have come.
    pub(super) fn is_over(&self) -> bool {
        self.due == 0 && self.is_said()
    }

    /// Whether nothing more will be said.
    pub(super) fn is_said(&self) -> bool {
        matches!(self.stage, Stage::Said { .. } | Stage::Void)
    }

    /// Whether the server may still hold this transaction open once its replies have come, so that RSET has to stand
    /// before the next.
    ///
    /// A refused content ends it (RFC 5321 §4.1.1.4), but not for Postfix 3.7, where a restriction at the end of the
    /// data refuses it.
    ///
    /// Nor does a refused MAIL keep Postfix from waiting for the last chunk, once there was a first.
    pub(super) fn needs_reset(&self) -> bool {
        let is_open = !matches!(self.mail, Mail::Refused(_)) || self.job.progress == Progress::Content;
        self.content_refused || matches!(self.stage, Stage::Void) && is_open
    }

    /// Whether MAIL was refused since it came behind content that had not been answered yet: some servers throw away, or
    /// answer with 503, what comes in one write with the end of content. Then the transaction is made again.
    pub(super) fn came_too_early(&self) -> bool {
        self.ahead != Ahead::Nothing
            && !self.cancelled
            && matches!(&self.mail, Mail::Refused(reply) if reply.code() == 503)
    }

    /// Whether it came too early for a server that takes nothing behind content. One that only kept the transaction of a
    /// refused content open, as [`needs_reset`](Self::needs_reset) tells of, says the same to MAIL.
    pub(super) fn shows_too_high_a_level(&self) -> bool {
        self.ahead == Ahead::Content && self.came_too_early()
    }

    /// The content in front of it was refused.
    pub(super) fn is_behind_refused_content(&mut self) {
        self.ahead = Ahead::RefusedContent;
    }

    /// Whether the server has refused the content.
    pub(super) fn is_content_refused(&self) -> bool {
        self.content_refused
    }

    /// Whether MAIL was refused, so that the server has no transaction to which content could belong.
    pub(super) fn has_no_sender(&self) -> bool {
        matches!(self.mail, Mail::Refused(_))
    }

    /// How many replies the end of the content brings: from LMTP one for each recipient that was taken (RFC 2033 §4.2).
    pub(super) fn final_replies(&self) -> usize {
        if self.lmtp { self.job.taken() } else { 1 }
    }

    /// Takes the reply to one of its commands.
    pub(super) fn answered(&mut self, asked: Asked, reply: &Reply) -> Consequence {
        self.due = self.due.saturating_sub(1);
        if reply.severity() == Severity::Intermediate && asked != Asked::Data {
            return broken(asked, reply);
        }
        match asked {
            Asked::Mail => self.mail_answered(reply),
            Asked::Rcpt => self.rcpt_answered(reply),
            Asked::Data => return self.data_answered(reply),
            Asked::Chunk => self.chunk_answered(reply),
            _ => self.content_answered(reply),
        }
        Consequence::None
    }

    /// Ends what has no outcome yet, if MAIL was refused. To be called when no more of it is going to be known.
    pub(super) fn conclude(&mut self) {
        if let Mail::Refused(reply) = &self.mail
            && !self.came_too_early()
        {
            self.job.refuse(reply, Step::Mail);
        }
    }

    fn mail_answered(&mut self, reply: &Reply) {
        self.mail = match reply.severity() {
            Severity::Completion => Mail::Taken,
            _ => Mail::Refused(reply.clone()),
        };
        // What has not been said yet need not be; only behind DATA it has to be seen first what the server makes of it.
        if matches!(self.mail, Mail::Refused(_)) && !matches!(self.stage, Stage::DataSaid | Stage::Said { .. }) {
            self.stage = Stage::Void;
        }
    }

    fn rcpt_answered(&mut self, reply: &Reply) {
        let rest = self.job.recipients.get(self.answering..).unwrap_or_default();
        let Some(skipped) = rest.iter().position(|recipient| recipient.standing == Standing::Asked) else {
            return;
        };
        let index = self.answering + skipped;
        self.answering = index + 1;
        if matches!(self.mail, Mail::Refused(_)) {
            return;
        }
        if reply.severity() == Severity::Completion {
            return self.job.recipients[index].take(reply);
        }
        // Nobody can be one too many where nobody was taken.
        let too_many = is_too_many_recipients(reply) && self.job.is_any(Standing::Taken);
        let recipient = &mut self.job.recipients[index];
        match too_many {
            true if can_be_split(&self.job.message) => recipient.standing = Standing::Later,
            true => recipient.end(State::Deferred, Some(reply.clone()), None),
            false => recipient.end(state_after(reply), Some(reply.clone()), None),
        }
    }

    fn data_answered(&mut self, reply: &Reply) -> Consequence {
        match reply.severity() {
            Severity::Completion => return broken(Asked::Data, reply),
            Severity::Intermediate => {
                let nobody = self.job.taken() == 0;
                if self.cancelled && !nobody || self.came_too_early() {
                    return Consequence::HangUp;
                }
                self.stage = Stage::Go { lone_dot: nobody };
            }
            Severity::Transient | Severity::Permanent => {
                self.stage = Stage::Void;
                if matches!(self.mail, Mail::Taken) && self.job.taken() > 0 {
                    self.job.refuse(reply, Step::Data);
                }
            }
        }
        Consequence::None
    }

    fn chunk_answered(&mut self, reply: &Reply) {
        if reply.severity() == Severity::Completion {
            return;
        }
        // RFC 3030 §2: no more chunks after one was refused.
        if !self.is_said() {
            self.stage = Stage::Void;
        }
        self.content_refused = true;
        // The first refusal has decided; those of the chunks behind it say nothing new.
        if matches!(self.mail, Mail::Taken) && self.job.taken() > 0 {
            self.job.refuse(reply, Step::Content);
        }
    }

    fn content_answered(&mut self, reply: &Reply) {
        if self.job.taken() == 0 {
            return;
        }
        match reply.severity() {
            _ if self.lmtp => self.job.end_next_taken(reply),
            Severity::Completion => self.job.accept(reply),
            _ => {
                self.content_refused = true;
                self.job.refuse(reply, Step::EndOfContent);
            }
        }
    }
}

/// RFC 5321 §4.5.3.1.10: 452, and from older servers 552, says that there are too many recipients; the others go in
/// another transaction. Both codes also have other meanings, which only an enhanced code tells apart.
fn is_too_many_recipients(reply: &Reply) -> bool {
    matches!(reply.code().as_u16(), 452 | 552)
        && reply.enhanced().is_none_or(|enhanced| (enhanced.subject, enhanced.detail) == (5, 3))
}

fn broken(asked: Asked, reply: &Reply) -> Consequence {
    let error = Error::new(ErrorCode::ProtocolUnexpectedCode, format!("the server answered with {}", reply.code()));
    Consequence::Broken(error.at(asked.step()))
}
