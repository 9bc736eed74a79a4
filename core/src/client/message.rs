//! What is to be sent: an envelope, and what is known of the content.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use crate::syntax::{ForwardPath, Inspection, MailParameters, Newlines, RcptParameters, ReversePath};

/// Names a message on its connection. Numbers are given in the order of submission, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(pub u64);

/// One recipient, with the parameters of its RCPT command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// Where to.
    pub path: ForwardPath,
    /// NOTIFY, ORCPT and others.
    pub parameters: RcptParameters,
}

impl From<ForwardPath> for Recipient {
    fn from(path: ForwardPath) -> Self {
        Self { path, parameters: RcptParameters::default() }
    }
}

/// From whom and to whom (RFC 5321 §2.3.1).
///
/// SIZE, BODY and SMTPUTF8 need not be set: the connection adds them where the message needs them and the server
/// offers them. What is set here is sent, or the message is rejected where the server does not offer it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Where notices of failure go.
    pub reverse_path: ReversePath,
    /// The parameters of MAIL.
    pub parameters: MailParameters,
    /// To whom; at least one.
    pub recipients: Vec<Recipient>,
}

/// What is known of the content before it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// The host holds all of it, and it was looked at.
    Whole(Inspection),
    /// It comes in chunks.
    Stream {
        /// Octets as handed in, if that is known.
        size: Option<u64>,
        /// Whether it can be read again from its beginning, should the recipients have to be split over several
        /// transactions.
        rewindable: bool,
    },
}

/// How content that is not plain 7-bit text is declared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BodyDeclaration {
    /// BODY=8BITMIME where the content needs it, or may need it and the server offers it.
    #[default]
    Auto,
    /// The content is 7-bit; anything else rejects the message.
    SevenBit,
    /// BODY=8BITMIME (RFC 6152).
    EightBitMime,
    /// BODY=BINARYMIME (RFC 3030): sent by BDAT as it is, line ends and all.
    BinaryMime,
}

/// Whether a message is declared as internationalised (RFC 6531).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SmtpUtf8 {
    /// Where an address or the header needs it. Domains alone are sent as A-labels instead.
    #[default]
    Auto,
    /// Always; a server that does not offer it rejects the message.
    Require,
    /// Never; an address that needs it is rejected.
    Never,
}

/// A message to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// From whom and to whom.
    pub envelope: Arc<Envelope>,
    /// What is known of the content.
    pub body: Body,
    /// How the content is declared.
    pub declaration: BodyDeclaration,
    /// Whether it is declared as internationalised.
    pub smtputf8: SmtpUtf8,
    /// What to do about a bare CR or LF.
    pub newlines: Newlines,
    /// Send to every recipient or to none: one that is refused stops the others.
    pub all_or_nothing: bool,
    /// The moment at which to give up, on the clock of the host.
    pub deadline: Option<Duration>,
}

impl Message {
    /// A message with the usual choices.
    pub fn new(envelope: impl Into<Arc<Envelope>>, body: Body) -> Self {
        Self {
            envelope: envelope.into(),
            body,
            declaration: BodyDeclaration::default(),
            smtputf8: SmtpUtf8::default(),
            newlines: Newlines::default(),
            all_or_nothing: false,
            deadline: None,
        }
    }
}
