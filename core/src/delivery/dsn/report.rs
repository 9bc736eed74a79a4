//! A report, and the message that it becomes.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::fate::{Action, Fate};
use super::lines::{exact_field, field};
use super::original::{Original, part};
use super::{status, words};
use crate::client::{Envelope, Recipient};
use crate::syntax::{
    EhloName, ForwardPath, MailParameters, Mailbox, MessageDate, Ret, ReversePath, encode_quoted_printable,
};

/// What has become of a message, to be told to its sender.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// Who says so: our own name.
    pub reporting_mta: EhloName,
    /// Under which the message came. What its sender asked for (NOTIFY, RET, ENVID, ORCPT, REQUIRETLS) is respected.
    pub envelope: &'a Envelope,
    /// What has become of whom.
    pub fates: &'a [Fate],
    /// What is at hand of the message. Leave it at the header where the message is large.
    pub original: Original<'a>,
    /// When the message came to us.
    pub arrival: Option<MessageDate>,
    /// Now.
    pub date: MessageDate,
    /// Random bytes, used once: for the Message-ID, and for a boundary that nobody can have put into the message.
    pub random: [u8; 16],
    /// Whether it has to be 7-bit, since it goes where 8BITMIME is not offered. A message that is not comes back without its body.
    pub seven_bit: bool,
}

/// A message to the sender of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// From nobody, so that nobody answers if it can't be delivered either.
    pub envelope: Envelope,
    /// Header and body, with CR LF at the end of each line.
    pub content: Vec<u8>,
}

impl<'a> Report<'a> {
    /// A report without anything of the message. `date` is now, in seconds since 1970-01-01T00:00:00Z.
    pub fn new(
        reporting_mta: EhloName,
        envelope: &'a Envelope,
        fates: &'a [Fate],
        date: i64,
        random: [u8; 16],
    ) -> Self {
        Self {
            reporting_mta,
            envelope,
            fates,
            original: Original::None,
            arrival: None,
            date: MessageDate::from_unix_seconds(date),
            random,
            seven_bit: false,
        }
    }

    /// The notification; `None` if nobody is to be told: the message is a notification itself (its reverse-path is null,
    /// RFC 5321 §4.5.5), or nothing has happened that its sender wanted to hear of.
    pub fn notification(&self) -> Option<Notification> {
        let to = self.envelope.reverse_path.mailbox()?;
        let to = to.to_ascii().unwrap_or_else(|_| to.clone());
        let told: Vec<(&Fate, &Recipient)> = self.fates.iter().filter_map(|fate| self.told(fate)).collect();
        if told.is_empty() {
            return None;
        }
        let content = self.content(&to, &told);
        let parameters = MailParameters {
            // RFC 8689 §5: what must not go in the clear must not come back in the clear.
            requiretls: self.envelope.parameters.requiretls,
            ..MailParameters::default()
        };
        let recipients = [Recipient::from(ForwardPath::Mailbox(to))].into();
        Some(Notification { envelope: Envelope { reverse_path: ReversePath::Null, parameters, recipients }, content })
    }

    /// The fate with its recipient, if the sender wants to hear of it.
    fn told<'b>(&'b self, fate: &'b Fate) -> Option<(&'b Fate, &'b Recipient)> {
        let recipient = self.envelope.recipients.get(fate.recipient)?;
        fate.action.is_wanted(recipient.parameters.notify).then_some((fate, recipient))
    }

    fn content(&self, to: &Mailbox, told: &[(&Fate, &Recipient)]) -> Vec<u8> {
        let unicode = !to.is_ascii();
        let original = part(self.original, self.returns_all(told), unicode, self.seven_bit);
        let unique = hexadecimal(&self.random);
        let boundary = format!("=_{unique}");
        let mut out = Vec::new();
        field("From", &format!("Mail Delivery System <MAILER-DAEMON@{}>", self.reporting_mta), unicode, &mut out);
        exact_field("To", &format!("<{to}>"), unicode, &mut out);
        field("Subject", words::subject(told), unicode, &mut out);
        field("Date", &format!("{}", self.date), unicode, &mut out);
        field("Message-ID", &format!("<{unique}@{}>", self.reporting_mta), unicode, &mut out);
        field("Auto-Submitted", "auto-replied", unicode, &mut out);
        field("MIME-Version", "1.0", unicode, &mut out);
        let media_type = format!("multipart/report; report-type=delivery-status; boundary=\"{boundary}\"");
        field("Content-Type", &media_type, unicode, &mut out);
        if unicode || original.as_ref().is_some_and(|part| part.encoding == "8bit") {
            field("Content-Transfer-Encoding", "8bit", unicode, &mut out);
        }

        begin_part(&boundary, &mut out);
        let text = words::text(self, told);
        if text.is_ascii() {
            field("Content-Type", "text/plain; charset=us-ascii", unicode, &mut out);
            out.extend_from_slice(b"\r\n");
            out.extend_from_slice(&text);
        } else {
            field("Content-Type", "text/plain; charset=utf-8", unicode, &mut out);
            field("Content-Transfer-Encoding", "quoted-printable", unicode, &mut out);
            out.extend_from_slice(b"\r\n");
            encode_quoted_printable(&text, &mut out);
        }

        begin_part(&boundary, &mut out);
        if unicode {
            field("Content-Type", "message/global-delivery-status", unicode, &mut out);
            field("Content-Transfer-Encoding", "8bit", unicode, &mut out);
        } else {
            field("Content-Type", "message/delivery-status", unicode, &mut out);
        }
        out.extend_from_slice(b"\r\n");
        status::write(self, told, unicode, &mut out);

        if let Some(part) = original {
            begin_part(&boundary, &mut out);
            field("Content-Type", part.media_type, unicode, &mut out);
            field("Content-Transfer-Encoding", part.encoding, unicode, &mut out);
            out.extend_from_slice(b"\r\n");
            out.extend_from_slice(&part.content);
        }
        out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        out
    }

    /// RFC 3461 §4.3: RET is about failures only. Whoever does not ask gets the header. What went by REQUIRETLS is not spread further
    /// than it has to be.
    fn returns_all(&self, told: &[(&Fate, &Recipient)]) -> bool {
        let parameters = &self.envelope.parameters;
        let failed = told.iter().any(|(fate, _)| fate.action == Action::Failed);
        failed && parameters.ret == Some(Ret::Full) && !parameters.requiretls
    }
}

fn begin_part(boundary: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("\r\n--{boundary}\r\n").as_bytes());
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
