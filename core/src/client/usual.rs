//! What a server usually says.

use super::wire::Asked;
use crate::error::Error;
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
    /// The next reply, which answers `asked`.
    pub(super) fn next(
        &mut self,
        asked: Option<Asked>,
        framer: &mut ReplyFramer,
        input: &mut &[u8],
    ) -> Result<Option<Reply>, Error> {
        let usual = match asked {
            Some(Asked::Mail) => &mut self.mail,
            Some(Asked::Rcpt) => &mut self.rcpt,
            Some(Asked::Rset) => &mut self.rset,
            _ => return framer.next(input),
        };
        if let Some(reply) = usual.as_ref().and_then(|usual| framer.next_again(usual, input)) {
            return Ok(Some(reply));
        }
        let next = framer.next(input)?;
        if let Some(reply) = next.as_ref().filter(|reply| reply.severity() == Severity::Completion) {
            *usual = Some(reply.clone());
        }
        Ok(next)
    }
}
