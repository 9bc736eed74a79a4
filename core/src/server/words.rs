//! What a session says by itself.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use crate::syntax::{CommandError, EnhancedCode, Reply, ReplyCode, Severity};

/// A reply in our own words. The class of the enhanced code is the first digit (RFC 3463 §2).
#[derive(Clone, Debug)]
pub(super) struct Words {
    code: u16,
    /// Subject and detail, where there is an enhanced code: not in a greeting, a reply to EHLO, or a 3yz.
    enhanced: Option<(u16, u16)>,
    text: Cow<'static, str>,
}

impl Words {
    pub(super) const fn plain(code: u16, text: &'static str) -> Self {
        Self { code, enhanced: None, text: Cow::Borrowed(text) }
    }

    pub(super) const fn new(code: u16, enhanced: (u16, u16), text: &'static str) -> Self {
        Self { code, enhanced: Some(enhanced), text: Cow::Borrowed(text) }
    }

    /// The same with a text of its own.
    pub(super) fn with(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.text = text.into();
        self
    }

    pub(super) fn is_refusal(&self) -> bool {
        self.code >= 400
    }

    /// The text, for an error.
    pub(super) fn text(&self) -> &Cow<'static, str> {
        &self.text
    }

    /// Appends the reply; with its enhanced code where those are offered.
    pub(super) fn encode(&self, with_enhanced: bool, out: &mut Vec<u8>) {
        let enhanced = self.enhanced.filter(|_| with_enhanced).map(|(subject, detail)| EnhancedCode {
            class: if self.code < 300 {
                2
            } else if self.code < 500 {
                4
            } else {
                5
            },
            subject,
            detail,
        });
        if let Some(code) = ReplyCode::new(self.code) {
            out.extend_from_slice(Reply::new(code, enhanced, &self.text).raw());
        }
    }
}

impl From<CommandError> for Words {
    fn from(error: CommandError) -> Self {
        let EnhancedCode { subject, detail, .. } = error.enhanced();
        let text = alloc::string::String::from(error.what());
        Self { code: error.code().as_u16(), enhanced: Some((subject, detail)), text: text.into() }
    }
}

/// A reply, ours or the host's.
#[derive(Clone, Debug)]
pub(super) enum Saying {
    Ours(Words),
    Hosts(Reply),
}

impl Saying {
    pub(super) fn severity(&self) -> Severity {
        match self {
            Self::Ours(words) => ReplyCode::new(words.code).map_or(Severity::Permanent, ReplyCode::severity),
            Self::Hosts(reply) => reply.severity(),
        }
    }

    pub(super) fn is_refusal(&self) -> bool {
        matches!(self.severity(), Severity::Transient | Severity::Permanent)
    }

    /// Whether the server closes behind it (RFC 5321 §3.8).
    pub(super) fn is_last(&self) -> bool {
        match self {
            Self::Ours(words) => words.code == 421,
            Self::Hosts(reply) => reply.code() == 421,
        }
    }

    pub(super) fn encode(&self, with_enhanced: bool, out: &mut Vec<u8>) {
        match self {
            Self::Ours(words) => words.encode(with_enhanced, out),
            Self::Hosts(reply) => reply.encode(out),
        }
    }
}

impl From<Words> for Saying {
    fn from(words: Words) -> Self {
        Self::Ours(words)
    }
}

pub(super) const GOODBYE: Words = Words::new(221, (0, 0), "Bye");
pub(super) const GO_AHEAD_WITH_TLS: Words = Words::new(220, (0, 0), "Go ahead");
pub(super) const AUTHENTICATED: Words = Words::new(235, (7, 0), "Authenticated");
pub(super) const OK: Words = Words::new(250, (0, 0), "Ok");
pub(super) const SENDER_OK: Words = Words::new(250, (1, 0), "Ok");
pub(super) const RECIPIENT_OK: Words = Words::new(250, (1, 5), "Ok");
pub(super) const STORED: Words = Words::new(250, (0, 0), "Message accepted");
pub(super) const CHUNK_OK: Words = Words::new(250, (0, 0), "Chunk received");
pub(super) const CANNOT_VERIFY: Words = Words::new(252, (5, 0), "Send some mail, and it will be tried");
pub(super) const HELP: Words = Words::new(214, (0, 0), "See RFC 5321");
pub(super) const GO_AHEAD: Words = Words::plain(354, "End the content with CRLF.CRLF");

pub(super) const STOPPING: Words = Words::new(421, (3, 2), "The server is being stopped");
pub(super) const TOO_SLOW: Words = Words::new(421, (4, 2), "That took too long");
pub(super) const TOO_MANY_ERRORS: Words = Words::new(421, (7, 0), "Too many errors");
pub(super) const TOO_MUCH_IDLING: Words = Words::new(421, (7, 0), "Too many commands without a message");
pub(super) const TOO_MANY_MESSAGES: Words = Words::new(421, (7, 0), "Too many messages in one session");
pub(super) const TOO_MANY_ATTEMPTS: Words = Words::new(421, (7, 0), "Too many attempts to authenticate");
pub(super) const TOO_MUCH_REFUSED: Words = Words::new(421, (5, 0), "Too much of what is refused");
pub(super) const NOT_CHECKED: Words = Words::new(454, (7, 0), "The credentials can't be checked now");
pub(super) const NO_TLS_NOW: Words = Words::new(454, (7, 0), "TLS is not available now");
pub(super) const LOCAL_ERROR: Words = Words::new(451, (3, 0), "Local error");
pub(super) const TOO_MANY_RECIPIENTS: Words = Words::new(452, (5, 3), "Too many recipients");
pub(super) const TOO_MANY_DOMAINS: Words = Words::new(452, (5, 3), "Too many different domains among the recipients");

pub(super) const LINE_TOO_LONG: Words = Words::new(500, (5, 2), "The line is too long");
pub(super) const BARE_LINE_END: Words = Words::new(500, (5, 2), "A line ends in CR LF, not in LF alone");
pub(super) const THIS_IS_LMTP: Words = Words::new(500, (5, 1), "This is LMTP, say LHLO");
pub(super) const THIS_IS_SMTP: Words = Words::new(500, (5, 1), "This is SMTP, say EHLO");
pub(super) const FOREIGN: Words = Words::new(500, (5, 1), "This is SMTP");
pub(super) const NOT_BASE64: Words = Words::new(501, (5, 2), "This is not base64");
pub(super) const MALFORMED_RESPONSE: Words = Words::new(501, (5, 2), "This is no response of the mechanism");
pub(super) const CANCELLED: Words = Words::new(501, (0, 0), "Cancelled");
pub(super) const NO_EXPANSION: Words = Words::new(502, (5, 1), "Lists are not expanded here");
pub(super) const NOT_THERE: Words = Words::new(502, (5, 1), "The command is not offered");
pub(super) const OUT_OF_SEQUENCE: Words = Words::new(503, (5, 1), "Bad sequence of commands");
pub(super) const SAY_HELLO_FIRST: Words = Words::new(503, (5, 1), "Say EHLO first");
pub(super) const SAY_LHLO_FIRST: Words = Words::new(503, (5, 1), "Say LHLO first");
pub(super) const SAY_QUIT: Words = Words::new(503, (5, 1), "You have been refused, say QUIT");
pub(super) const NOT_ITS_TURN: Words = Words::new(503, (5, 0), "Nothing may follow this command before its reply");
pub(super) const EARLY_TALKER: Words = Words::new(554, (5, 0), "Wait for the greeting");
pub(super) const NO_SUCH_MECHANISM: Words = Words::new(504, (5, 4), "The mechanism is not offered");
pub(super) const UNKNOWN_PARAMETER: Words = Words::new(555, (5, 4), "The parameter is not offered");
pub(super) const BINARY_NEEDS_BDAT: Words = Words::new(503, (5, 1), "BINARYMIME goes by BDAT only");
pub(super) const ENCRYPT_FIRST: Words = Words::new(530, (7, 0), "Say STARTTLS first");
pub(super) const AUTHENTICATE_FIRST: Words = Words::new(530, (7, 0), "Authentication required");
pub(super) const NOT_PROVED: Words = Words::new(535, (7, 8), "The credentials are not valid");
pub(super) const NEEDS_ENCRYPTION: Words = Words::new(538, (7, 11), "The mechanism needs TLS");
pub(super) const RELAYING_DENIED: Words = Words::new(550, (7, 1), "Relaying denied");
pub(super) const REFUSED: Words = Words::new(550, (7, 1), "Refused");
pub(super) const NO_SUCH_USER: Words = Words::new(550, (1, 1), "No such mailbox here");
pub(super) const BARE_NEWLINE: Words = Words::new(550, (6, 0), "The content has a CR or LF that stands alone");
pub(super) const SMUGGLING: Words = Words::new(550, (7, 7), "A dot stands alone between line ends that are not CR LF");
pub(super) const TOO_LARGE: Words = Words::new(552, (3, 4), "The message is too large");
pub(super) const NEEDS_SMTPUTF8: Words = Words::new(553, (6, 7), "The address needs SMTPUTF8");
pub(super) const NO_RECIPIENTS: Words = Words::new(554, (5, 1), "No valid recipients");
pub(super) const NO_SERVICE: Words = Words::plain(554, "No service for you");
