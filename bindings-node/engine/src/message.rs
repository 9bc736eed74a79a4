//! A message as a host packs it.
//!
//! | value | |
//! |---|---|
//! | text | the reverse-path, with its angle brackets or without; nothing for `<>` |
//! | text | the parameters of MAIL, as they stand in the command |
//! | optional text | ENVID (RFC 3461), not encoded |
//! | list | recipients: the forward-path and the parameters of RCPT (texts), and ORCPT as optional text: the address, not encoded |
//! | octet | how the content is declared: 0 as is needed, 1 7BIT, 2 8BITMIME, 3 BINARYMIME |
//! | octet | SMTPUTF8: 0 where it is needed, 1 always, 2 never |
//! | flag | bare line ends are refused, not mended |
//! | flag | all recipients or none |
//! | number | when to give up, in milliseconds on the host's clock; or none |
//! | octet | 0: here is the whole content; 1: it comes in chunks, when it is asked for |
//! | bytes | for 0: the content |
//! | number, flag | for 1: its size, or none; and whether it can be read again from its beginning |

use okuru_core::Error;
use okuru_core::client::{Body, BodyDeclaration, Envelope, Message, Recipient, SmtpUtf8};
use okuru_core::syntax::{
    ForwardPath, Inspection, MailParameters, Mailbox, Newlines, OriginalRecipient, Parameter, RcptParameters,
    ReversePath,
};

use crate::packing::{Reader, broken, moment};

/// A message that was packed, not looked at yet: whatever is wrong with an address is the outcome of this message alone.
#[derive(Clone, Debug)]
pub(crate) struct Parcel<'a> {
    from: &'a str,
    parameters: &'a str,
    envelope_id: Option<&'a str>,
    recipients: Vec<PackedRecipient<'a>>,
    declaration: BodyDeclaration,
    smtputf8: SmtpUtf8,
    newlines: Newlines,
    all_or_nothing: bool,
    deadline: Option<f64>,
    content: Content<'a>,
}

#[derive(Clone, Copy, Debug)]
struct PackedRecipient<'a> {
    to: &'a str,
    parameters: &'a str,
    original: Option<&'a str>,
}

#[derive(Clone, Copy, Debug)]
enum Content<'a> {
    Whole(&'a [u8]),
    Stream { size: Option<f64>, rewindable: bool },
}

impl<'a> Parcel<'a> {
    pub(crate) fn read(input: &mut Reader<'a>) -> Result<Self, Error> {
        let (from, parameters) = (input.text()?, input.text()?);
        let envelope_id = optional_text(input)?;
        let count = input.count()?;
        let recipients = (0..count).map(|_| PackedRecipient::read(input)).collect::<Result<_, _>>()?;
        Ok(Self {
            from,
            parameters,
            envelope_id,
            recipients,
            declaration: match input.octet()? {
                0 => BodyDeclaration::Auto,
                1 => BodyDeclaration::SevenBit,
                2 => BodyDeclaration::EightBitMime,
                3 => BodyDeclaration::BinaryMime,
                _ => return Err(broken("there is no such declaration")),
            },
            smtputf8: match input.octet()? {
                0 => SmtpUtf8::Auto,
                1 => SmtpUtf8::Require,
                2 => SmtpUtf8::Never,
                _ => return Err(broken("there is no such choice of SMTPUTF8")),
            },
            newlines: if input.flag()? { Newlines::Refuse } else { Newlines::Fix },
            all_or_nothing: input.flag()?,
            deadline: input.optional_number()?,
            content: match input.octet()? {
                0 => Content::Whole(input.bytes()?),
                1 => Content::Stream { size: input.optional_number()?, rewindable: input.flag()? },
                _ => return Err(broken("there is no such kind of content")),
            },
        })
    }

    /// The message, if its envelope is one.
    pub(crate) fn message(&self) -> Result<Message, Error> {
        let mut parameters = MailParameters::default();
        each(self.parameters, |parameter| parameters.add(parameter))?;
        if let Some(id) = self.envelope_id {
            parameters.envid = Some(id.parse()?);
        }
        let recipients = self.recipients.iter().map(PackedRecipient::recipient).collect::<Result<_, _>>()?;
        let envelope = Envelope { reverse_path: reverse_path(self.from)?, parameters, recipients };
        let body = match self.content {
            Content::Whole(bytes) => Body::Whole(Inspection::of(bytes)),
            Content::Stream { size, rewindable } => Body::Stream { size: size.map(|size| size as u64), rewindable },
        };
        Ok(Message {
            declaration: self.declaration,
            smtputf8: self.smtputf8,
            newlines: self.newlines,
            all_or_nothing: self.all_or_nothing,
            deadline: self.deadline.map(moment),
            ..Message::new(envelope, body)
        })
    }

    /// The content, if it is here.
    pub(crate) fn content(&self) -> Option<Vec<u8>> {
        match self.content {
            Content::Whole(bytes) => Some(bytes.to_owned()),
            Content::Stream { .. } => None,
        }
    }
}

impl<'a> PackedRecipient<'a> {
    fn read(input: &mut Reader<'a>) -> Result<Self, Error> {
        Ok(Self { to: input.text()?, parameters: input.text()?, original: optional_text(input)? })
    }

    fn recipient(&self) -> Result<Recipient, Error> {
        let mut parameters = RcptParameters::default();
        each(self.parameters, |parameter| parameters.add(parameter))?;
        if let Some(address) = self.original {
            parameters.orcpt = Some(OriginalRecipient::new(if address.is_ascii() { "rfc822" } else { "utf-8" }, address)?);
        }
        Ok(Recipient { path: forward_path(self.to)?, parameters })
    }
}

fn optional_text<'a>(input: &mut Reader<'a>) -> Result<Option<&'a str>, Error> {
    if input.flag()? { input.text().map(Some) } else { Ok(None) }
}

fn each(parameters: &str, mut add: impl FnMut(Parameter) -> Result<(), Error>) -> Result<(), Error> {
    parameters.split(' ').filter(|word| !word.is_empty()).try_for_each(|word| add(word.parse()?))
}

fn reverse_path(text: &str) -> Result<ReversePath, Error> {
    match text {
        "" => Ok(ReversePath::Null),
        path if path.starts_with('<') => path.parse(),
        mailbox => mailbox.parse::<Mailbox>().map(ReversePath::from),
    }
}

fn forward_path(text: &str) -> Result<ForwardPath, Error> {
    match text {
        path if path.starts_with('<') => path.parse(),
        postmaster if postmaster.eq_ignore_ascii_case("postmaster") => Ok(ForwardPath::Postmaster),
        mailbox => mailbox.parse::<Mailbox>().map(ForwardPath::from),
    }
}
