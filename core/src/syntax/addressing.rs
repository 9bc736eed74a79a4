//! From whom and to whom a message says that it goes (RFC 5322 sections 3.6.2, 3.6.3 and 3.6.6).
//!
//! A message that was sent on by its recipient has Resent fields, the block of the last time on top. They say who sends it now
//! and to whom; From, To and the like are history then.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use super::Mailbox;
use super::address_list::mailboxes_in;
use super::header::{Field, Header};
use crate::Error;

impl<'a> Header<'a> {
    /// Who sends it: Sender, or else the first mailbox of From; of a message that was sent on, Resent-Sender or Resent-From.
    ///
    /// # Errors
    ///
    /// `address.syntax` or `address.too_long`, with the name of the field.
    pub fn sender(self) -> Result<Option<Mailbox>, Error> {
        let (sender, from) = if self.is_resent() { ("Resent-Sender", "Resent-From") } else { ("Sender", "From") };
        for name in [sender, from] {
            let mailboxes = self.mailboxes(&[name])?;
            if let Some(first) = mailboxes.into_iter().next() {
                return Ok(Some(first));
            }
        }
        Ok(None)
    }

    /// Who is to get it: the mailboxes of To, Cc and Bcc in the order in which they stand there, each once; of a message that
    /// was sent on, those of Resent-To, Resent-Cc and Resent-Bcc of the last time.
    ///
    /// # Errors
    ///
    /// `address.syntax` or `address.too_long`, with the name of the field.
    pub fn recipients(self) -> Result<Vec<Mailbox>, Error> {
        let mut mailboxes = self.mailboxes(match self.is_resent() {
            true => &["Resent-To", "Resent-Cc", "Resent-Bcc"],
            false => &["To", "Cc", "Bcc"],
        })?;
        let mut seen = BTreeSet::new();
        mailboxes.retain(|mailbox| {
            let at = mailbox.local_part().len();
            let mut key = String::from(mailbox.as_str());
            if let Some(domain) = key.get_mut(at..) {
                domain.make_ascii_lowercase();
            }
            seen.insert(key)
        });
        Ok(mailboxes)
    }

    /// Where Bcc and Resent-Bcc stand, in octets and in their order: what is not to go out (section 3.6.3).
    pub fn blind_copies(self) -> impl Iterator<Item = Range<usize>> {
        self.fields().filter(|field| field.is("Bcc") || field.is("Resent-Bcc")).map(|field| field.range())
    }

    fn is_resent(self) -> bool {
        self.fields().any(|field| is_resent_field(&field))
    }

    fn mailboxes(self, names: &[&str]) -> Result<Vec<Mailbox>, Error> {
        let mut mailboxes = Vec::new();
        let is_wanted = |field: &Field<'_>| names.iter().any(|name| field.is(name));
        for field in self.current().filter(is_wanted) {
            let list = String::from_utf8_lossy(field.body());
            mailboxes.extend(mailboxes_in(&list).map_err(|error| {
                Error::new(error.code(), format!("in the field {}, {}", field.name(), error.what()))
            })?);
        }
        Ok(mailboxes)
    }

    /// The fields without the Resent blocks of earlier times. A block has each of its fields once, so a name that comes again
    /// begins an older one; only a field that is repeated at once, as some programs do, is still of the same.
    fn current(self) -> impl Iterator<Item = Field<'a>> {
        let mut seen: Vec<&str> = Vec::new();
        let mut older = false;
        self.fields().filter(move |field| {
            if !is_resent_field(field) {
                return true;
            }
            let at = seen.iter().position(|name| field.is(name));
            older |= at.is_some_and(|at| at + 1 < seen.len());
            if at.is_none() {
                seen.push(field.name());
            }
            !older
        })
    }
}

fn is_resent_field(field: &Field<'_>) -> bool {
    const NAMES: [&str; 7] =
        ["Resent-Date", "Resent-From", "Resent-Sender", "Resent-To", "Resent-Cc", "Resent-Bcc", "Resent-Message-ID"];
    NAMES.iter().any(|name| field.is(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorCode;

    fn texts(mailboxes: &[Mailbox]) -> Vec<&str> {
        mailboxes.iter().map(Mailbox::as_str).collect()
    }

    #[track_caller]
    fn check(content: &[u8], sender: Option<&str>, recipients: &[&str]) {
        let header = Header::of(content);
        assert_eq!(header.sender().unwrap().as_ref().map(Mailbox::as_str), sender);
        assert_eq!(texts(&header.recipients().unwrap()), recipients);
    }

    #[test]
    fn known_answers() {
        check(b"", None, &[]);
        check(b"Subject: x\r\n\r\nTo: a@b\r\n", None, &[]);
        check(b"From: Ann <ann@a>, Bob <bob@b>\r\nTo: x@y\r\n", Some("ann@a"), &["x@y"]);
        check(b"From: ann@a, bob@b\r\nSender: eve@c\r\n\r\n", Some("eve@c"), &[]);
        check(b"From: ann@a\r\nSender:\r\n\r\n", Some("ann@a"), &[]);
        check(
            b"bcc: 1@x,\r\n 2@x\r\nTO: 3@x\r\nCc : 4@x\r\nTo: 5@x\r\n\r\n",
            None,
            &["1@x", "2@x", "3@x", "4@x", "5@x"],
        );
        check(b"To: a@x, A@x, a@X, g: a@x;\r\nCc: a@x\r\nReply-To: b@x\r\n\r\n", None, &["a@x", "A@x"]);
        check(b"From: Ren\xe9 <a@x>\r\nTo: \"\xff\" <b@x>\r\n\r\n", Some("a@x"), &["b@x"]);
    }

    #[test]
    fn what_was_sent_on() {
        let once = b"Resent-From: eve@c\r\nResent-To: 1@x\r\nResent-Bcc: 2@x\r\nFrom: ann@a\r\nSender: s@a\r\nTo: old@x\r\n\r\n";
        check(once, Some("eve@c"), &["1@x", "2@x"]);
        let twice = b"Resent-To: 1@x\r\nResent-To: 2@x\r\nResent-Date: now\r\nResent-From: eve@c\r\nResent-Cc: 3@x\r\n\
            Received: x\r\nResent-From: bob@b\r\nResent-Bcc: 4@x\r\nResent-To: 5@x\r\nResent-Sender: 6@x\r\nFrom: ann@a\r\n\
            To: old@x\r\n\r\n";
        check(twice, Some("eve@c"), &["1@x", "2@x", "3@x"]);
        check(b"Resent-Sender: s@c\r\nResent-From: eve@c\r\nTo: old@x\r\n\r\n", Some("s@c"), &[]);
        check(b"Resent-Reply-To: s@c\r\nFrom: a@c\r\nTo: b@x\r\n\r\n", Some("a@c"), &["b@x"]);
    }

    #[test]
    fn the_error_names_the_field() {
        let header = Header::of(b"From: Ann\r\nTo: a@x\r\nCc: \xff@x\r\n\r\n");
        let error = header.sender().unwrap_err();
        assert_eq!(
            (error.code(), error.what()),
            (ErrorCode::AddressSyntax, r#"in the field From, the address "Ann" has no @"#)
        );
        assert!(header.recipients().unwrap_err().what().ends_with("is not UTF-8"));
    }

    #[test]
    fn bcc_goes_and_all_else_stays() {
        for (content, rest) in [
            (&b"To: a\r\nBcc: b,\r\n\tc\r\nSubject: x\r\n\r\nBcc: d\r\n"[..], &b"To: a\r\nSubject: x\r\n"[..]),
            (b"Bcc: b\r\n\r\n", b""),
            (b"To: a\nbCC : b\nResent-Bcc: c\n d\nX: y\n\n", b"To: a\nX: y\n"),
            (b"To: a\rBcc: b\rX: y\r\r", b"To: a\rX: y\r"),
            (b"To: a\r\nBcc: b", b"To: a\r\n"),
            (b"X-Bcc: b\r\nBccc: c\r\n bcc: d\r\n\r\n", b"X-Bcc: b\r\nBccc: c\r\n bcc: d\r\n"),
            (b"", b""),
        ] {
            let mut kept = content[..Header::of(content).as_bytes().len()].to_vec();
            for hidden in Header::of(content).blind_copies().collect::<Vec<_>>().into_iter().rev() {
                kept.drain(hidden);
            }
            assert_eq!(kept, rest, "{}", content.escape_ascii());
        }
    }
}
