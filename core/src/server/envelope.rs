//! Where a message comes from and goes to, and the whole of it once its content is there.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::relay::Destination;
use crate::syntax::{ForwardPath, MailParameters, RcptParameters, ReversePath};

/// Counts the messages of a session, from 0. One whose content never begins has no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(pub u64);

/// Where a message comes from and goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Where bounces go.
    pub reverse_path: ReversePath,
    /// What MAIL said besides. AUTH is `<>` unless the client has authenticated (RFC 4954 §5).
    pub parameters: Box<MailParameters>,
    /// Those that were accepted, in the order in which they were named. The same may be there twice.
    pub recipients: Vec<Recipient>,
}

/// To whom a message goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// Where the message goes.
    pub path: ForwardPath,
    /// What RCPT said besides.
    pub parameters: RcptParameters,
    /// Whether it is one of ours.
    pub destination: Destination,
}

/// A message whose content is all there. No reply has been given yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Under which number its content came.
    pub message: MessageId,
    /// Where it comes from and goes to.
    pub envelope: Envelope,
    /// Octets of content.
    pub octets: u64,
    /// Whether an octet above 127 has been seen. Not looked for in BINARYMIME.
    pub eight_bit: bool,
    /// How it came, for the `with` clause of a Received field (RFC 3848, RFC 6531 §4.3): `ESMTPSA`.
    pub with: &'static str,
}
