//! A message to send.

use std::sync::Arc;
use std::time::Duration;

use okuru_core::Error;
use okuru_core::client::{Body, BodyDeclaration, Envelope, Recipient, SmtpUtf8};
use okuru_core::syntax::{ForwardPath, MailParameters, Mailbox, Newlines, ReversePath};

use crate::content::{Content, Source};

/// A message to send: from whom, to whom, and what.
///
/// ```
/// use okuru::{Content, Message};
///
/// # fn main() -> Result<(), okuru::Error> {
/// let content = "From: jones@example.com\r\nSubject: hello\r\n\r\nHello!\r\n";
/// let short = Message::new("jones@example.com", ["brown@example.org", "green@example.org"], content)?;
/// let long = Message::new("jones@example.com", ["brown@example.org"], Content::file("long.eml"))?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Message {
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) content: Content,
    pub(crate) declaration: BodyDeclaration,
    pub(crate) smtputf8: SmtpUtf8,
    pub(crate) newlines: Newlines,
    pub(crate) all_or_nothing: bool,
    pub(crate) deadline: Option<Duration>,
}

impl Message {
    /// A message `from` a mailbox (or from nobody: the empty string or `<>`), `to` mailboxes. They may stand in angle
    /// brackets, but have no display name.
    pub fn new<T: AsRef<str>>(
        from: &str,
        to: impl IntoIterator<Item = T>,
        content: impl Into<Content>,
    ) -> Result<Self, Error> {
        let envelope = Envelope {
            reverse_path: reverse_path(from)?,
            parameters: MailParameters::default(),
            recipients: to
                .into_iter()
                .map(|to| forward_path(to.as_ref()).map(Recipient::from))
                .collect::<Result<_, _>>()?,
        };
        Ok(Self::with_envelope(envelope, content))
    }

    /// A message with an envelope that is there already; it can be shared by many.
    pub fn with_envelope(envelope: impl Into<Arc<Envelope>>, content: impl Into<Content>) -> Self {
        Self {
            envelope: envelope.into(),
            content: content.into(),
            declaration: BodyDeclaration::default(),
            smtputf8: SmtpUtf8::default(),
            newlines: Newlines::default(),
            all_or_nothing: false,
            deadline: None,
        }
    }

    /// The same message once more, for the next recipient of a mailing for instance, if its
    /// [content](Content::try_clone) can be had once more.
    pub fn try_clone(&self) -> Option<Self> {
        Some(Self {
            envelope: Arc::clone(&self.envelope),
            content: self.content.try_clone()?,
            declaration: self.declaration,
            smtputf8: self.smtputf8,
            newlines: self.newlines,
            all_or_nothing: self.all_or_nothing,
            deadline: self.deadline,
        })
    }

    /// The message as the core is to know it. `deadline` is on the clock of the client.
    pub(crate) fn for_core(&self, deadline: Option<Duration>) -> okuru_core::client::Message {
        let body = match &self.content.0 {
            Source::Held(_, inspection) => Body::Whole(*inspection),
            Source::Stream { reader, size } => Body::Stream { size: *size, rewindable: reader.is_rewindable() },
            Source::File(_) => Body::Stream { size: None, rewindable: true },
        };
        okuru_core::client::Message {
            envelope: Arc::clone(&self.envelope),
            body,
            declaration: self.declaration,
            smtputf8: self.smtputf8,
            newlines: self.newlines,
            all_or_nothing: self.all_or_nothing,
            deadline,
        }
    }

    /// From whom and to whom.
    pub fn envelope(&self) -> &Arc<Envelope> {
        &self.envelope
    }

    /// The same message from and to others.
    #[must_use]
    pub fn envelope_replaced(mut self, envelope: impl Into<Arc<Envelope>>) -> Self {
        self.envelope = envelope.into();
        self
    }

    /// How content that is not plain 7-bit text is declared.
    #[must_use]
    pub fn body_declaration(mut self, declaration: BodyDeclaration) -> Self {
        self.declaration = declaration;
        self
    }

    /// Whether the message is declared as internationalised.
    #[must_use]
    pub fn smtputf8(mut self, smtputf8: SmtpUtf8) -> Self {
        self.smtputf8 = smtputf8;
        self
    }

    /// What to do about a bare CR or LF.
    #[must_use]
    pub fn newlines(mut self, newlines: Newlines) -> Self {
        self.newlines = newlines;
        self
    }

    /// Sends it to every recipient or to none: one that is refused stops the others.
    #[must_use]
    pub fn all_or_nothing(mut self, all_or_nothing: bool) -> Self {
        self.all_or_nothing = all_or_nothing;
        self
    }

    /// How long it may take, from being handed to the client to its outcome.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use okuru_core::ErrorCode;

    #[test]
    fn addresses_are_taken_with_and_without_brackets() {
        for (from, to, reverse_path, forward_path) in [
            ("a@example.com", "b@example.org", "<a@example.com>", "<b@example.org>"),
            ("<a@example.com>", "<b@example.org>", "<a@example.com>", "<b@example.org>"),
            ("", "postmaster", "<>", "<Postmaster>"),
            ("<>", "<postmaster>", "<>", "<Postmaster>"),
        ] {
            let message = Message::new(from, [to], "").unwrap();
            assert_eq!(message.envelope.reverse_path.to_string(), reverse_path);
            assert_eq!(message.envelope.recipients[0].path.to_string(), forward_path);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for (from, to) in [("a", "b@c"), ("a@b", ""), ("a@b", "c@d\r\nDATA"), ("A <a@b>", "c@d"), ("a@b", "<>")] {
            assert_eq!(Message::new(from, [to], "").unwrap_err().code(), ErrorCode::AddressSyntax, "{from} {to}");
        }
    }
}
