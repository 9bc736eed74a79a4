//! What a server repeats of our secrets, such as `500 AUTH PLAIN ... is no command`: it is shown to nobody.

use alloc::format;

use super::connection::{Connection, Phase};
use crate::error::{Error, ErrorCode};
use crate::syntax::{Reply, ReplyFramer};

/// Fewer octets stand in a text by chance.
const SHORTEST: usize = 4;

impl Connection {
    /// The reply to a line of AUTH without its text, if that holds what we have just said, or the secret itself.
    #[cold]
    pub(super) fn without_secret(&self, reply: &Reply) -> Option<Reply> {
        let Phase::Auth(auth) = &self.phase else {
            return None;
        };
        let said = auth.said.as_bytes();
        let is_repeated = said.len() >= SHORTEST && reply.raw().windows(said.len()).any(|window| window == said);
        if !is_repeated && !auth.credentials.are_told_by(reply.raw(), SHORTEST) {
            return None;
        }
        let enhanced = reply.enhanced().map(|code| format!(" {code}")).unwrap_or_default();
        let text = format!("{}{enhanced} (not shown, since a secret is in it)\r\n", reply.code());
        Reply::parse(text.as_bytes()).ok()
    }

    /// An error of the framer, which quotes what was no reply, as it may be shown.
    #[cold]
    pub(super) fn without_quotation(&mut self, error: Error) -> Error {
        match (&self.phase, error.code()) {
            (Phase::Auth(_), ErrorCode::ProtocolMalformedReply) => {
                // It remembers the error. Nothing is going to be read any more.
                self.framer = ReplyFramer::default();
                Error::new(ErrorCode::ProtocolMalformedReply, "the server sent what is no SMTP reply")
            }
            _ => error,
        }
    }
}
