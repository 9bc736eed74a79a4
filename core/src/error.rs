//! The one catalogue of errors, with stable codes.
//!
//! Every host shows the same dotted codes. The first word is the family: `reply`, `protocol`, `security`, `tls`, `auth`,
//! `timeout`, `connect`, `dns`, `address`, `message`, `limit`, `cancelled`, `usage`. A code, once published, keeps its
//! meaning; new ones may be added.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::fmt;
use core::time::Duration;

/// Defines [`ErrorCode`] from one table: variant, code, what the user can do.
macro_rules! catalogue {
    ($($(#[$doc:meta])+ $variant:ident = $code:literal, $advice:literal;)+) => {
        /// What went wrong, as a stable code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[$doc])+ $variant,)+
        }

        impl ErrorCode {
            /// Every code, in the order of the catalogue.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The dotted code, for instance `security.tls_stripped`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// What the user can do about it, as a clause without a full stop.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$variant => $advice,)+ }
            }
        }
    };
}

catalogue! {
    /// The server answered with a 4yz: it may work later.
    ReplyDeferred = "reply.deferred", "try again later";
    /// The server answered with a 5yz: it will not work by trying again.
    ReplyRejected = "reply.rejected", "see the server's words for the reason";
    /// The server said 421 and closes the connection.
    ReplyClosing = "reply.closing", "try again later";

    /// Bytes that are no reply.
    ProtocolMalformedReply = "protocol.malformed_reply", "check that the address and port are those of a mail server";
    /// The lines of one reply have different codes.
    ProtocolMixedCodes = "protocol.mixed_codes", "report it to whoever runs the server";
    /// A reply came that no command had asked for.
    ProtocolUnexpectedReply = "protocol.unexpected_reply", "report it to whoever runs the server";
    /// A reply whose code makes no sense at this step.
    ProtocolUnexpectedCode = "protocol.unexpected_code", "report it to whoever runs the server";
    /// The other side closed the connection without a word.
    ProtocolClosed = "protocol.closed", "try again later";
    /// The client spoke before it was its turn.
    ProtocolNotItsTurn = "protocol.not_its_turn", "report it to whoever runs the client";
    /// A command line that does not end in CR LF.
    ProtocolBareNewline = "protocol.bare_newline", "report it to whoever runs the client";
    /// The client speaks another protocol.
    ProtocolForeign = "protocol.foreign", "check that the client is meant for this port";

    /// TLS is required, and the server (or somebody in between) does not offer it.
    SecurityTlsStripped = "security.tls_stripped", "use a server that offers STARTTLS, or implicit TLS";
    /// Bytes arrived behind the reply to STARTTLS, before TLS.
    SecurityStarttlsInjection = "security.starttls_injection", "do not trust this network path";
    /// Credentials would have gone over a connection without verified TLS.
    SecurityPlaintextCredentials = "security.plaintext_credentials", "use TLS";
    /// The server could not prove that it knows the password.
    SecurityServerNotAuthenticated = "security.server_not_authenticated", "do not trust this server";
    /// The channel binding did not hold: somebody may sit in between.
    SecurityChannelBinding = "security.channel_binding", "do not trust this network path";
    /// Content that may be the end of a message for one server and not for another (SMTP smuggling).
    SecuritySmuggling = "security.smuggling", "do not trust this client";
    /// The message requires verified TLS all the way (RFC 8689), and this hop does not have it.
    SecurityTlsRequired = "security.tls_required", "use verified TLS, or send without REQUIRETLS";

    /// The TLS handshake failed.
    TlsHandshake = "tls.handshake", "check the port and the TLS mode";
    /// The certificate does not verify.
    TlsCertificate = "tls.certificate", "check the server's name and the trusted authorities";
    /// TLS can't be set up on our side (a CA file, a client certificate).
    TlsConfiguration = "tls.configuration", "check the TLS options";

    /// The server refused the credentials.
    AuthRefused = "auth.refused", "check the user name and the password or token";
    /// The server offers no mechanism that can be used with these credentials.
    AuthNoMechanism = "auth.no_mechanism", "choose other credentials or allow another mechanism";
    /// The server offers no authentication, and credentials were given.
    AuthNotOffered = "auth.not_offered", "check the port and the TLS mode, or send without credentials";
    /// The server broke the rules of the mechanism.
    AuthMalformedChallenge = "auth.malformed_challenge", "try another mechanism";
    /// The client broke the rules of the mechanism.
    AuthMalformedResponse = "auth.malformed_response", "report it to whoever made the client";
    /// The server can't check the credentials for now.
    AuthUnavailable = "auth.unavailable", "try again later";
    /// The server wants authentication, and no credentials were given.
    AuthRequired = "auth.required", "give a user name and a password or token";
    /// The credentials can't be used as they are (a NUL, a forbidden character, too long).
    AuthCredentials = "auth.credentials", "check the user name and the password";
    /// No token could be had.
    AuthToken = "auth.token", "check where the token comes from";

    /// No connection in time.
    TimeoutConnect = "timeout.connect", "check the address and the port, or raise the connect time-out";
    /// No complete reply in time.
    TimeoutReply = "timeout.reply", "try again later";
    /// The server did not take our bytes in time.
    TimeoutWrite = "timeout.write", "try again later";
    /// The TLS handshake did not end in time.
    TimeoutTls = "timeout.tls", "check the port and the TLS mode";
    /// The client said no whole command, or no more of its content, in time.
    TimeoutCommand = "timeout.command", "try again later";
    /// The session lasted too long.
    TimeoutSession = "timeout.session", "use another session";
    /// The deadline of the whole job passed.
    TimeoutDeadline = "timeout.deadline", "allow more time";

    /// Nobody listens there.
    ConnectRefused = "connect.refused", "check the address and the port";
    /// No way to the host.
    ConnectUnreachable = "connect.unreachable", "check the network";
    /// The connection broke.
    ConnectLost = "connect.lost", "try again later";
    /// The proxy did not let us through.
    ConnectProxy = "connect.proxy", "check the proxy";
    /// Any other failure to connect.
    ConnectFailed = "connect.failed", "check the address and the port";

    /// There is no such host.
    DnsNoSuchHost = "dns.no_such_host", "check the spelling of the host name";
    /// The look-up failed for now.
    DnsTemporary = "dns.temporary", "try again later";
    /// The domain says that it takes no mail (RFC 7505).
    DnsNullMx = "dns.null_mx", "check the spelling of the address";
    /// The mail would come back to ourselves.
    DnsLoop = "dns.loop", "check the domain's MX records, and which names and addresses are said to be our own";
    /// The domain names servers, and none of them can be reached by what it says of them.
    DnsNoServer = "dns.no_server", "report it to whoever runs the domain";

    /// Not an address.
    AddressSyntax = "address.syntax", "check the spelling of the address";
    /// An address outside ASCII, and the server does not take it.
    AddressNeedsSmtputf8 = "address.needs_smtputf8", "use a server that offers SMTPUTF8";
    /// Longer than SMTP allows.
    AddressTooLong = "address.too_long", "use a shorter address";

    /// The message is larger than the server takes.
    MessageTooLarge = "message.too_large", "make the message smaller";
    /// 8-bit content, and the server takes only 7-bit content.
    MessageNeeds8bitmime = "message.needs_8bitmime", "encode the message as 7-bit";
    /// Binary content, and the server does not take it.
    MessageNeedsBinarymime = "message.needs_binarymime", "encode the message";
    /// The message header is outside ASCII, and the server does not take it.
    MessageNeedsSmtputf8 = "message.needs_smtputf8", "encode the header";
    /// A parameter needs an extension that the server does not offer.
    MessageNeedsExtension = "message.needs_extension", "leave out the option";
    /// A parameter is outside of what the server allows.
    MessageParameterLimit = "message.parameter_limit", "choose a value within the server's limit";
    /// A bare CR or LF, where the user asked to refuse rather than to mend it.
    MessageBareNewline = "message.bare_newline", "end each line with CR LF";
    /// No recipients.
    MessageNoRecipients = "message.no_recipients", "name at least one recipient";
    /// Nobody to send it from.
    MessageNoSender = "message.no_sender", "name the sender, or give the message a From field";
    /// A message without a single octet.
    MessageEmpty = "message.empty", "check where the message comes from";
    /// The body ended before or after the size that had been said.
    MessageSizeMismatch = "message.size_mismatch", "say the right size, or none";
    /// The source of the body failed.
    MessageUnreadable = "message.unreadable", "check where the message comes from";

    /// A line of a reply is too long.
    LimitReplyLine = "limit.reply_line", "check that the address and port are those of a mail server";
    /// A reply has too many lines.
    LimitReplyLines = "limit.reply_lines", "check that the address and port are those of a mail server";
    /// A reply is too large in all.
    LimitReplyBytes = "limit.reply_bytes", "check that the address and port are those of a mail server";
    /// A command line would be longer than the server has to take.
    LimitCommandLine = "limit.command_line", "use shorter parameters";
    /// The message has more recipients than the server takes, and can't be split.
    LimitRecipients = "limit.recipients", "send it to fewer recipients at a time";
    /// The session ended since the server takes no more messages in one.
    LimitSession = "limit.session", "send the rest on another connection";

    /// The client made too many mistakes, or said too much to no purpose.
    LimitErrors = "limit.errors", "report it to whoever runs the client";

    /// The user cancelled.
    Cancelled = "cancelled", "send it again when you like";
    /// Not sent, since another recipient was refused and all or nothing was asked for.
    CancelledAllOrNothing = "cancelled.all_or_nothing", "see the refused recipient";

    /// An option or argument that makes no sense.
    Usage = "usage", "see the documentation of the option";
}

impl ErrorCode {
    /// The first word of the code.
    pub fn family(self) -> &'static str {
        let code = self.as_str();
        code.split_once('.').map_or(code, |(family, _)| family)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where in the job it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// Reaching the server.
    Connect,
    /// Waiting for the server's first words.
    Greeting,
    /// EHLO, HELO or LHLO.
    Ehlo,
    /// CAPA (POP3).
    Capa,
    /// STARTTLS (POP3: STLS) and the handshake.
    StartTls,
    /// AUTH; of POP3 also USER, PASS and APOP.
    Auth,
    /// STAT (POP3).
    Stat,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// DATA, before the content.
    Data,
    /// Sending the content.
    Content,
    /// Waiting for the reply to the content.
    EndOfContent,
    /// RSET.
    Rset,
    /// NOOP, VRFY, EXPN, HELP.
    Command,
    /// QUIT.
    Quit,
    /// Between messages.
    Idle,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::Greeting => "at the greeting",
            Self::Ehlo => "at EHLO",
            Self::Capa => "at CAPA",
            Self::StartTls => "at STARTTLS",
            Self::Auth => "at AUTH",
            Self::Stat => "at STAT",
            Self::Mail => "at MAIL",
            Self::Rcpt => "at RCPT",
            Self::Data => "at DATA",
            Self::Content => "sending the content",
            Self::EndOfContent => "after the content",
            Self::Rset => "at RSET",
            Self::Command => "at a command",
            Self::Quit => "at QUIT",
            Self::Idle => "between messages",
        })
    }
}

/// An error: what happened, at which step, and what the user can do.
///
/// [`Display`](fmt::Display) gives it as one sentence. Nothing in it is ever a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Box<Inner>); // one word, since every result and every outcome has room for one

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    code: ErrorCode,
    step: Option<Step>,
    what: Cow<'static, str>,
}

impl Error {
    /// An error whose sentence begins with `what`, a clause without a full stop and without secrets.
    #[cold]
    pub fn new(code: ErrorCode, what: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner { code, step: None, what: what.into() }))
    }

    /// The same error, known to have happened at `step`.
    #[must_use]
    pub fn at(mut self, step: Step) -> Self {
        self.0.step = Some(step);
        self
    }

    /// The stable code.
    pub fn code(&self) -> ErrorCode {
        self.0.code
    }

    /// Where it happened, if that is known.
    pub fn step(&self) -> Option<Step> {
        self.0.step
    }

    /// What happened, without the step and the advice.
    pub fn what(&self) -> &str {
        &self.0.what
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what())?;
        if let Some(step) = self.step() {
            write!(f, " ({step})")?;
        }
        write!(f, "; {}.", self.code().advice())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { code, step, what } = &*self.0;
        f.debug_struct("Error").field("code", code).field("step", step).field("what", what).finish()
    }
}

impl core::error::Error for Error {}

/// A time for an error. Floating-point numbers would take a twentieth of the core where size counts.
pub(crate) fn in_words(time: Duration) -> String {
    match time.subsec_millis() {
        0 => format!("{} s", time.as_secs()),
        _ => format!("{} ms", time.as_millis()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn codes_are_dotted_lower_case_and_unique() {
        const FAMILIES: &[&str] = &[
            "reply",
            "protocol",
            "security",
            "tls",
            "auth",
            "timeout",
            "connect",
            "dns",
            "address",
            "message",
            "limit",
            "cancelled",
            "usage",
        ];
        for (i, code) in ErrorCode::ALL.iter().enumerate() {
            assert!(FAMILIES.contains(&code.family()), "{code}");
            assert!(code.as_str().bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_')), "{code}");
            assert!(!ErrorCode::ALL[..i].iter().any(|other| other.as_str() == code.as_str()), "{code}");
            assert!(!code.advice().ends_with('.') && !code.advice().is_empty(), "{code}");
        }
    }

    #[test]
    fn an_error_is_one_sentence() {
        let error = Error::new(ErrorCode::TimeoutReply, "no reply within 300 s").at(Step::Mail);
        assert_eq!(error.to_string(), "no reply within 300 s (at MAIL); try again later.");
    }
}
