use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{
    Argument, ContentDeclaration, EhloName, ForwardPath, InitialResponse, MailParameters, MechanismName,
    RcptParameters, ReversePath, decimal,
};

/// A command of SMTP or LMTP (RFC 5321 section 4.1.1, RFC 2033, RFC 3030, RFC 3207, RFC 4954).
///
/// None of its parts can hold CR, LF or NUL, so that what is encoded is always one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// EHLO
    Ehlo(EhloName),
    /// HELO
    Helo(EhloName),
    /// LHLO
    Lhlo(EhloName),
    /// STARTTLS
    StartTls,
    /// AUTH
    Auth {
        /// Which one.
        mechanism: MechanismName,
        /// What the client says first, if it says it at once.
        initial_response: Option<InitialResponse>,
    },
    /// MAIL
    Mail {
        /// Where bounces go.
        path: ReversePath,
        /// What else.
        parameters: Box<MailParameters>,
    },
    /// RCPT
    Rcpt {
        /// Where the message goes.
        path: ForwardPath,
        /// What else.
        parameters: RcptParameters,
    },
    /// DATA
    Data,
    /// BDAT
    Bdat {
        /// Octets in the chunk that follows.
        size: u64,
        /// Whether it is the last one.
        last: bool,
    },
    /// RSET
    Rset,
    /// NOOP
    Noop(Option<Argument>),
    /// VRFY
    Vrfy(Argument),
    /// EXPN
    Expn(Argument),
    /// HELP
    Help(Option<Argument>),
    /// QUIT
    Quit,
}

impl Command {
    /// Appends the line with its end.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Ehlo(name) => encode_line("EHLO", Some(name.as_str()), out),
            Self::Helo(name) => encode_line("HELO", Some(name.as_str()), out),
            Self::Lhlo(name) => encode_line("LHLO", Some(name.as_str()), out),
            Self::StartTls => encode_line("STARTTLS", None, out),
            Self::Auth { mechanism, initial_response } => encode_auth(mechanism, initial_response.as_ref(), out),
            Self::Mail { path, parameters } => encode_mail(path, parameters, out),
            Self::Rcpt { path, parameters } => encode_rcpt(path, parameters, out),
            Self::Data => encode_line("DATA", None, out),
            Self::Bdat { size, last } => encode_bdat(*size, *last, out),
            Self::Rset => encode_line("RSET", None, out),
            Self::Noop(argument) => encode_line("NOOP", argument.as_ref().map(Argument::as_str), out),
            Self::Vrfy(argument) => encode_line("VRFY", Some(argument.as_str()), out),
            Self::Expn(argument) => encode_line("EXPN", Some(argument.as_str()), out),
            Self::Help(argument) => encode_line("HELP", argument.as_ref().map(Argument::as_str), out),
            Self::Quit => encode_line("QUIT", None, out),
        }
    }
}

/// Appends a MAIL command (RFC 5321 section 4.1.1.2).
pub fn encode_mail(path: &ReversePath, parameters: &MailParameters, out: &mut Vec<u8>) {
    encode_mail_declaring(parameters.declared(), path, parameters, out);
}

/// Appends a MAIL command that declares the content as `declared`, whatever `parameters` say of it.
pub fn encode_mail_declaring(
    declared: ContentDeclaration,
    path: &ReversePath,
    parameters: &MailParameters,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(b"MAIL FROM:");
    path.encode(out);
    declared.encode(out);
    parameters.encode_rest(out);
    out.extend_from_slice(CRLF);
}

/// Appends a RCPT command (RFC 5321 section 4.1.1.3).
pub fn encode_rcpt(path: &ForwardPath, parameters: &RcptParameters, out: &mut Vec<u8>) {
    out.extend_from_slice(b"RCPT TO:");
    path.encode(out);
    parameters.encode(out);
    out.extend_from_slice(CRLF);
}

/// Appends a BDAT command (RFC 3030 section 2); `size` octets of content follow it.
pub fn encode_bdat(size: u64, last: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(b"BDAT ");
    decimal::push(size, out);
    out.extend_from_slice(if last { b" LAST\r\n" } else { CRLF });
}

/// Appends an AUTH command (RFC 4954 section 4).
///
/// `out` then holds a secret. Reserve the line beforehand if it is to be zeroized, since a vector that grows leaves a copy
/// behind.
pub fn encode_auth(mechanism: &MechanismName, initial_response: Option<&InitialResponse>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"AUTH ");
    encode_line(mechanism.as_str(), initial_response.map(InitialResponse::as_base64), out);
}

fn encode_line(verb: &str, argument: Option<&str>, out: &mut Vec<u8>) {
    out.extend_from_slice(verb.as_bytes());
    if let Some(argument) = argument {
        out.push(b' ');
        out.extend_from_slice(argument.as_bytes());
    }
    out.extend_from_slice(CRLF);
}

const CRLF: &[u8] = b"\r\n";
