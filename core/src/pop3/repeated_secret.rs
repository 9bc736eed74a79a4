//! What a server repeats of our secrets, such as `-ERR PASS ... is no command`: it is shown to nobody.

use alloc::format;
use alloc::string::String;

use super::connection::{Connection, Phase};
use crate::error::{Error, ErrorCode};
use crate::syntax::{Pop3Framer, Pop3Response};

/// Fewer octets stand in a text by chance.
const SHORTEST: usize = 4;

const NOT_SHOWN: &str = "(not shown, since a secret is in it)";

impl Connection {
    /// Whether a line holds what we have said last of a secret, or the secret itself.
    pub(super) fn repeats_secret(&self, line: &[u8]) -> bool {
        let said = &self.said;
        let is_repeated = said.len() >= SHORTEST && line.windows(said.len()).any(|window| window == said.as_slice());
        is_repeated || self.config.authentication.credentials.are_told_by(line, SHORTEST)
    }

    /// An error that quotes what the server said and was no response, as it may be shown.
    pub(super) fn without_quotation(&mut self, error: Error) -> Error {
        let nothing_said = !matches!(self.phase, Phase::LoggingIn(_) | Phase::Stat | Phase::Quitting);
        if nothing_said || error.code() != ErrorCode::ProtocolMalformedReply {
            return error;
        }
        // It remembers the error. Nothing is going to be read any more.
        self.framer = Pop3Framer::new(0);
        Error::new(ErrorCode::ProtocolMalformedReply, "the server sent what is no POP3 response")
    }
}

/// A line that repeats a secret, as it may be shown.
pub(super) fn without_text(line: &[u8]) -> String {
    let status = [&b"+OK"[..], b"-ERR", b"+"].into_iter().find(|status| line.starts_with(status)).unwrap_or_default();
    format!("{} {NOT_SHOWN}", String::from_utf8_lossy(status))
}

/// A response that repeats a secret, as it may be shown. A challenge is not shown anyway.
pub(super) fn without_secret(response: Pop3Response) -> Pop3Response {
    match response {
        Pop3Response::Ok(_) => Pop3Response::Ok(NOT_SHOWN.into()),
        Pop3Response::Err(code, _) => Pop3Response::Err(code, NOT_SHOWN.into()),
        Pop3Response::Challenge(_) => response,
    }
}
