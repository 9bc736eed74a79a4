//! What a server usually says.

use super::wire::{Asked, Due};
use crate::syntax::{Reply, ReplyFramer, Severity};

/// The last replies to the commands that are said for every message. Most servers answer each of them in the same words
/// every time, and so need not be parsed every time.
#[derive(Clone, Debug, Default)]
pub(super) struct Usual {
    mail: Option<Reply>,
    rcpt: Option<Reply>,
    rset: Option<Reply>,
}

impl Usual {
    /// The reply that is `due`, if it stands at the front of `input` in the usual words.
    pub(super) fn next(&self, due: Option<Due>, framer: &ReplyFramer, input: &mut &[u8]) -> Option<Reply> {
        let usual = match due?.asked {
            Asked::Mail => &self.mail,
            Asked::Rcpt => &self.rcpt,
            Asked::Rset => &self.rset,
            _ => return None,
        };
        framer.next_again(usual.as_ref()?, input)
    }

    /// The reply that is `due` has come in other words than the last time.
    pub(super) fn learn(&mut self, due: Option<Due>, reply: &Reply) {
        let usual = match due.map(|due| due.asked) {
            Some(Asked::Mail) => &mut self.mail,
            Some(Asked::Rcpt) => &mut self.rcpt,
            Some(Asked::Rset) => &mut self.rset,
            _ => return,
        };
        if reply.severity() == Severity::Completion {
            *usual = Some(reply.clone());
        }
    }
}
