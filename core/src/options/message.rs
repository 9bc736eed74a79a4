//! How one message is sent, and from whom to whom.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::set_all;
use super::value::Value;
use crate::client::{Body, BodyDeclaration, Envelope, Message, Recipient, SmtpUtf8};
use crate::error::{Error, ErrorCode};
use crate::syntax::{
    ForwardPath, Header, MailParameters, Mailbox, Newlines, OriginalRecipient, Parameter, RcptParameters, ReversePath,
};

/// How messages are sent: what is said for all of them, and of each.
///
/// | name | value |
/// |---|---|
/// | `timeout` | seconds, or a text such as `5m`: how long it may take, from being handed over to its outcome |
/// | `body` | `auto`, `7bit`, `8bitmime`, `binarymime`: how content that is not plain 7-bit text is declared |
/// | `smtputf8` | `auto`, `require`, `never`: whether it is declared as internationalised |
/// | `newlines` | `fix`, `refuse`: what to do about a bare CR or LF |
/// | `all_or_nothing` | flag: one recipient who is refused stops the others |
/// | `param` | parameters of MAIL, such as `REQUIRETLS` or `BY=3600;R` |
/// | `ret`, `envid` | `full` or `hdrs`; a name that notices carry (RFC 3461) |
/// | `notify` | when to be told of each recipient: `never`, or a list of `success`, `failure`, `delay` |
/// | `keep_bcc` | flag: a Bcc field goes out as it is |
#[derive(Clone, Debug, Default)]
pub struct MessageOptions {
    timeout: Option<Duration>,
    declaration: BodyDeclaration,
    smtputf8: SmtpUtf8,
    newlines: Newlines,
    all_or_nothing: bool,
    parameters: MailParameters,
    rcpt_parameters: RcptParameters,
    keep_bcc: bool,
}

const BODY: &[(&str, BodyDeclaration)] = &[
    ("auto", BodyDeclaration::Auto),
    ("7bit", BodyDeclaration::SevenBit),
    ("8bitmime", BodyDeclaration::EightBitMime),
    ("binarymime", BodyDeclaration::BinaryMime),
];

const SMTPUTF8: &[(&str, SmtpUtf8)] =
    &[("auto", SmtpUtf8::Auto), ("require", SmtpUtf8::Require), ("never", SmtpUtf8::Never)];

const NEWLINES: &[(&str, Newlines)] = &[("fix", Newlines::Fix), ("refuse", Newlines::Refuse)];

impl MessageOptions {
    /// The same with these options changed: for one message.
    ///
    /// # Errors
    ///
    /// `usage` for a name that is not in the table, and for a value that it can't have.
    pub fn with<N: AsRef<str>>(&self, options: impl IntoIterator<Item = (N, Value)>) -> Result<Self, Error> {
        let mut changed = self.clone();
        set_all(options, |name, value| changed.set(name, value))?;
        Ok(changed)
    }

    /// Says whether there is an option of this name.
    pub(super) fn set(&mut self, name: &str, value: &Value) -> Result<bool, Error> {
        match name {
            "timeout" | "deadline" => self.timeout = Some(value.duration()?),
            "body" => self.declaration = value.word(BODY)?,
            "smtputf8" => self.smtputf8 = value.word(SMTPUTF8)?,
            "newlines" => self.newlines = value.word(NEWLINES)?,
            "all_or_nothing" => self.all_or_nothing = value.flag()?,
            "keep_bcc" => self.keep_bcc = value.flag()?,
            "ret" => self.parameters.ret = Some(value.text()?.to_ascii_uppercase().parse()?),
            "envid" => self.parameters.envid = Some(value.parsed()?),
            "notify" => self.rcpt_parameters.notify = Some(value.texts()?.join(",").parse()?),
            "param" => {
                for text in value.texts()? {
                    self.add_parameter(text.parse()?)?;
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn add_parameter(&mut self, parameter: Parameter) -> Result<(), Error> {
        match parameter.keyword() {
            "BODY" | "SMTPUTF8" => {
                Err(Error::new(ErrorCode::Usage, format!("{} has an option of its own", parameter.keyword())))
            }
            "SIZE" => Err(Error::new(ErrorCode::Usage, "SIZE is counted and declared without being asked for")),
            _ => self.parameters.add(parameter),
        }
    }

    /// Whether Bcc fields are left out of what goes out.
    pub fn hides_bcc(&self) -> bool {
        !self.keep_bcc
    }

    /// From whom and to whom a message goes: what is said, else what its header says.
    ///
    /// # Errors
    ///
    /// `address` for what is none, `message.no_sender`, `message.no_recipients`.
    pub fn envelope(
        &self,
        sender: Option<&str>,
        recipients: Vec<Recipient>,
        header: Header<'_>,
    ) -> Result<Arc<Envelope>, Error> {
        let reverse_path = match sender {
            Some(sender) => reverse_path(sender)?,
            None => header.sender()?.ok_or_else(no_sender)?.into(),
        };
        let recipients = match recipients.is_empty() {
            false => recipients,
            true => header.recipients()?.into_iter().map(|mailbox| self.with_notify(mailbox.into())).collect(),
        };
        if recipients.is_empty() {
            return Err(Error::new(ErrorCode::MessageNoRecipients, "the message has no recipients"));
        }
        Ok(Arc::new(Envelope { reverse_path, parameters: self.parameters.clone(), recipients }))
    }

    /// A recipient: a mailbox, with angle brackets or without, or Postmaster; and when to be told of it, and who it was at
    /// first, where that is said for this one (RFC 3461).
    ///
    /// # Errors
    ///
    /// `address` if it is none, `usage` for what `notify` and `orcpt` can't be.
    pub fn recipient(&self, text: &str, notify: Option<&str>, orcpt: Option<&str>) -> Result<Recipient, Error> {
        let mut recipient = self.with_notify(forward_path(text)?);
        if let Some(notify) = notify {
            recipient.parameters.notify = Some(notify.parse()?);
        }
        if let Some(orcpt) = orcpt {
            let (address_type, address) = orcpt.split_once(';').unwrap_or(("rfc822", orcpt));
            recipient.parameters.orcpt = Some(OriginalRecipient::new(address_type, address)?);
        }
        Ok(recipient)
    }

    /// The message that is submitted at `now`.
    pub fn message(&self, now: Duration, envelope: Arc<Envelope>, body: Body) -> Message {
        Message {
            envelope,
            body,
            declaration: self.declaration,
            smtputf8: self.smtputf8,
            newlines: self.newlines,
            all_or_nothing: self.all_or_nothing,
            deadline: self.timeout.map(|timeout| now.saturating_add(timeout)),
        }
    }

    fn with_notify(&self, path: ForwardPath) -> Recipient {
        Recipient { path, parameters: self.rcpt_parameters.clone() }
    }
}

fn no_sender() -> Error {
    Error::new(ErrorCode::MessageNoSender, "the message names no sender, and none was said")
}

/// A mailbox, with angle brackets or without; nobody is `<>` or nothing at all.
fn reverse_path(text: &str) -> Result<ReversePath, Error> {
    match text {
        "" => Ok(ReversePath::Null),
        path if path.starts_with('<') => path.parse(),
        mailbox => mailbox.parse::<Mailbox>().map(Into::into),
    }
}

fn forward_path(text: &str) -> Result<ForwardPath, Error> {
    match text {
        path if path.starts_with('<') => path.parse(),
        name if name.eq_ignore_ascii_case("postmaster") => Ok(ForwardPath::Postmaster),
        mailbox => mailbox.parse::<Mailbox>().map(Into::into),
    }
}
