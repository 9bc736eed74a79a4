//! What a message needs, beside what the server offers.
//!
//! Everything that can be known before MAIL is decided here, so that a message that can't work is rejected before
//! anything of it is sent.

use alloc::format;
use alloc::vec::Vec;

use super::config::Chunking;
use super::message::{Body, BodyDeclaration, Envelope, Message, Recipient, SmtpUtf8};
use crate::error::{Error, ErrorCode, Step};
use crate::syntax::{
    BodyType, Capabilities, ContentDeclaration, DeliverByMode, ForwardPath, Framing, Hold, Mailbox, Newlines,
    ReversePath, SizeLimit, encode_mail, encode_rcpt, mail_line_limit, rcpt_line_limit,
};

/// What the connection is like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ground<'a> {
    pub(super) offered: &'a Capabilities,
    pub(super) verified_tls: bool,
    pub(super) chunking: Chunking,
    /// Whether content goes by BDAT without need.
    pub(super) prefers_bdat: bool,
}

/// How a message is going to be sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) framing: Framing,
    /// What MAIL declares, beside what the user asked for.
    pub(super) declared: ContentDeclaration,
    /// Whether an octet above 127 in the content stops the message.
    pub(super) seven_bit: bool,
    /// How many octets the server takes.
    pub(super) size_limit: Option<u64>,
}

impl Plan {
    /// How `message` is sent to a server like this, or why it can't be.
    pub(super) fn of(message: &Message, ground: Ground<'_>) -> Result<Self, Error> {
        let envelope = &*message.envelope;
        if envelope.recipients.is_empty() {
            return Err(Error::new(ErrorCode::MessageNoRecipients, "the message has no recipients"));
        }
        check_newlines(message)?;
        check_extensions(envelope, ground)?;
        check_lengths(envelope, ground.offered)?;
        let smtputf8 = needs_smtputf8(message, ground.offered)?;
        let eight_bit_taken = ground.offered.eight_bit_mime() || smtputf8;
        let body = declare_body(message, ground, eight_bit_taken)?;
        Ok(Self {
            declared: ContentDeclaration { size: declare_size(message, ground.offered)?, body, smtputf8 },
            framing: match body {
                Some(BodyType::BinaryMime) => Framing::Binary,
                _ if ground.prefers_bdat => Framing::Counted,
                _ => Framing::Dotted,
            },
            seven_bit: message.declaration == BodyDeclaration::SevenBit || !eight_bit_taken,
            size_limit: ground.offered.size().and_then(SizeLimit::octets),
        })
    }
}

fn check_newlines(message: &Message) -> Result<(), Error> {
    match message.body {
        Body::Whole(inspection)
            if inspection.bare_newlines() > 0
                && message.newlines == Newlines::Refuse
                && message.declaration != BodyDeclaration::BinaryMime =>
        {
            let what = format!("the message has {} bare CR or LF", inspection.bare_newlines());
            Err(Error::new(ErrorCode::MessageBareNewline, what))
        }
        _ => Ok(()),
    }
}

/// RFC 1870 §6.1: what is larger than the server takes is not sent.
fn declare_size(message: &Message, offered: &Capabilities) -> Result<Option<u64>, Error> {
    let size = match message.body {
        Body::Whole(inspection) if message.declaration == BodyDeclaration::BinaryMime => Some(inspection.size()),
        Body::Whole(inspection) => Some(inspection.canonical_size()),
        Body::Stream { size, .. } => size,
    };
    let (Some(size), Some(limit)) = (size.or(message.envelope.parameters.size), offered.size()) else {
        return Ok(None);
    };
    match limit.octets() {
        Some(octets) if size > octets => Err(too_large(size, octets)),
        _ => Ok(Some(size)),
    }
}

/// The error for a message of `size` octets, where the server takes `limit`.
pub(super) fn too_large(size: u64, limit: u64) -> Error {
    Error::new(ErrorCode::MessageTooLarge, format!("the message has {size} octets, the server takes {limit}"))
}

fn declare_body(message: &Message, ground: Ground<'_>, eight_bit_taken: bool) -> Result<Option<BodyType>, Error> {
    let eight_bit = match message.body {
        Body::Whole(inspection) => Some(inspection.eight_bit()),
        Body::Stream { .. } => None,
    };
    match message.declaration {
        BodyDeclaration::BinaryMime => {
            let offered = ground.offered.binarymime() && ground.offered.chunking();
            if !offered || ground.chunking == Chunking::Never {
                return Err(Error::new(
                    ErrorCode::MessageNeedsBinarymime,
                    "the message is binary, and the server does not offer BINARYMIME with CHUNKING",
                ));
            }
            Ok(Some(BodyType::BinaryMime))
        }
        BodyDeclaration::SevenBit if eight_bit == Some(true) => {
            Err(Error::new(ErrorCode::MessageNeeds8bitmime, "the message is declared as 7-bit, and is not"))
        }
        BodyDeclaration::SevenBit => Ok(None),
        BodyDeclaration::Auto if eight_bit == Some(false) => Ok(None),
        BodyDeclaration::Auto | BodyDeclaration::EightBitMime if eight_bit_taken => Ok(Some(BodyType::EightBitMime)),
        BodyDeclaration::EightBitMime if eight_bit != Some(false) => Err(needs_8bitmime()),
        BodyDeclaration::Auto if eight_bit == Some(true) => Err(needs_8bitmime()),
        BodyDeclaration::Auto | BodyDeclaration::EightBitMime => Ok(None),
    }
}

/// The error for 8-bit content that the server does not take.
pub(super) fn needs_8bitmime() -> Error {
    Error::new(ErrorCode::MessageNeeds8bitmime, "the message is 8-bit, and the server does not offer 8BITMIME")
}

/// RFC 6531 §3.1: whether the message is internationalised. Domains alone are not, since they have an ASCII form.
/// Recipients who need what is not offered are refused one by one, by [`ascii_forward_path`].
fn needs_smtputf8(message: &Message, offered: &Capabilities) -> Result<bool, Error> {
    let envelope = &*message.envelope;
    let header = matches!(message.body, Body::Whole(inspection) if inspection.header_utf8());
    let sender = matches!(&envelope.reverse_path, ReversePath::Mailbox(mailbox) if needs_utf8(mailbox));
    let recipient = || {
        envelope
            .recipients
            .iter()
            .any(|recipient| matches!(&recipient.path, ForwardPath::Mailbox(mailbox) if needs_utf8(mailbox)))
    };
    match message.smtputf8 {
        SmtpUtf8::Never => Ok(false),
        SmtpUtf8::Auto if offered.smtputf8() => Ok(header || sender || recipient()),
        SmtpUtf8::Require if offered.smtputf8() => Ok(true),
        SmtpUtf8::Auto if header => Err(Error::new(
            ErrorCode::MessageNeedsSmtputf8,
            "the message header is outside ASCII, and the server does not offer SMTPUTF8",
        )),
        SmtpUtf8::Auto => Ok(false),
        SmtpUtf8::Require => {
            Err(Error::new(ErrorCode::MessageNeedsSmtputf8, "SMTPUTF8 was asked for, and the server does not offer it"))
        }
    }
}

fn needs_utf8(mailbox: &Mailbox) -> bool {
    !mailbox.is_ascii() && !mailbox.local_part().is_ascii()
}

/// RFC 5321 §4.5.3.1.4: what is typed fits by itself; parameters that this house does not know may be of any length.
fn check_lengths(envelope: &Envelope, offered: &Capabilities) -> Result<(), Error> {
    let mut line = Vec::new();
    let mut check = |encode: &dyn Fn(&mut Vec<u8>), limit: usize| {
        line.clear();
        encode(&mut line);
        if line.len() > limit {
            let what = format!("a command line would have {} octets, the server has to take {limit}", line.len());
            return Err(Error::new(ErrorCode::LimitCommandLine, what));
        }
        Ok(())
    };
    if !envelope.parameters.other.is_empty() {
        let encode = |out: &mut Vec<u8>| encode_mail(&envelope.reverse_path, &envelope.parameters, out);
        check(&encode, mail_line_limit(offered))?;
    }
    for Recipient { path, parameters } in &envelope.recipients {
        if !parameters.other.is_empty() {
            check(&|out| encode_rcpt(path, parameters, out), rcpt_line_limit(offered))?;
        }
    }
    Ok(())
}

/// What was asked for by a parameter has to be offered.
fn check_extensions(envelope: &Envelope, ground: Ground<'_>) -> Result<(), Error> {
    let Ground { offered, verified_tls, .. } = ground;
    let asked = &envelope.parameters;
    let dsn = asked.ret.is_some()
        || asked.envid.is_some()
        || envelope
            .recipients
            .iter()
            .any(|recipient| recipient.parameters.notify.is_some() || recipient.parameters.orcpt.is_some());
    let lacking = match offered {
        _ if dsn && !offered.dsn() => Some("DSN"),
        _ if asked.auth.is_some() && offered.auth().is_empty() => Some("AUTH"),
        _ if asked.requiretls && !offered.requiretls() => Some("REQUIRETLS"),
        _ if asked.deliver_by.is_some() && offered.deliver_by().is_none() => Some("DELIVERBY"),
        _ if asked.hold.is_some() && offered.future_release().is_none() => Some("FUTURERELEASE"),
        _ if asked.mt_priority.is_some() && offered.mt_priority().is_none() => Some("MT-PRIORITY"),
        _ => None,
    };
    if let Some(extension) = lacking {
        let what = format!("the message asks for {extension}, and the server does not offer it");
        return Err(Error::new(ErrorCode::MessageNeedsExtension, what));
    }
    if asked.requiretls && !verified_tls {
        let what = "the message requires TLS, and this connection has no verified TLS";
        return Err(Error::new(ErrorCode::SecurityTlsRequired, what));
    }
    // RFC 2852 §4.1: with mode R the time must not be less than what the server says that it needs.
    if let (Some(asked), Some(offered)) = (&asked.deliver_by, offered.deliver_by())
        && let Some(least) = offered.min_time
        && asked.mode() == DeliverByMode::Return
        && i64::from(asked.seconds()) < i64::from(least)
    {
        let what = format!("DELIVERBY asks for {} s, the server needs {least}", asked.seconds());
        return Err(Error::new(ErrorCode::MessageParameterLimit, what));
    }
    // RFC 4865 §4: not longer than the server is ready to hold it.
    if let (Some(Hold::For(interval)), Some(offered)) = (&asked.hold, offered.future_release())
        && let Some(most) = offered.max_interval
        && u64::from(interval.seconds()) > most
    {
        let what = format!("FUTURERELEASE asks for {} s, the server holds for {most}", interval.seconds());
        return Err(Error::new(ErrorCode::MessageParameterLimit, what));
    }
    Ok(())
}

/// The reverse-path as it goes to a server without SMTPUTF8.
pub(super) fn ascii_reverse_path(path: &ReversePath) -> Result<ReversePath, Error> {
    match path {
        ReversePath::Null => Ok(ReversePath::Null),
        ReversePath::Mailbox(mailbox) => Ok(ReversePath::Mailbox(mailbox.to_ascii().map_err(|e| e.at(Step::Mail))?)),
    }
}

/// The forward-path as it goes to a server without SMTPUTF8.
pub(super) fn ascii_forward_path(path: &ForwardPath) -> Result<ForwardPath, Error> {
    match path {
        ForwardPath::Postmaster => Ok(ForwardPath::Postmaster),
        ForwardPath::Mailbox(mailbox) => Ok(ForwardPath::Mailbox(mailbox.to_ascii().map_err(|e| e.at(Step::Rcpt))?)),
    }
}

/// Whether the message may go in several transactions, each to some of its recipients.
pub(super) fn can_be_split(message: &Message) -> bool {
    let repeatable = match message.body {
        Body::Whole(_) => true,
        Body::Stream { rewindable, .. } => rewindable,
    };
    repeatable && !message.all_or_nothing
}
