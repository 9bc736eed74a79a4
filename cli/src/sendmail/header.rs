//! The header of a message, as a submission program leaves it (RFC 6409 sections 4.2 and 8): every address with a domain, no Bcc, and
//! with Date, From and Message-ID.

use base64ct::{Base64, Encoding as _};
use okuru::{Error, ErrorCode, ReversePath};
use okuru_core::syntax::{Field, Header, Mailbox, MessageDate};

use super::addresses::{Addresses, unqualified};

/// The header of a message, and where it stood.
#[derive(Debug)]
pub(crate) struct Draft {
    header: Vec<u8>,
    /// How many octets of the message it replaces.
    replaced: usize,
    /// Whether the empty line behind it is missing.
    lacks_end: bool,
}

/// Who writes it, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Author<'a> {
    pub(crate) sender: &'a ReversePath,
    pub(crate) full_name: Option<&'a str>,
    pub(crate) date: MessageDate,
    /// Makes the name of the message unique.
    pub(crate) random: [u8; 16],
}

/// Without its end, nobody knows whether a Bcc follows.
const LONGEST: usize = 1 << 20;

impl Draft {
    /// The header at the front of a message, with the domain behind each name that has none. `whole` is whether `front` is all of the
    /// message.
    pub(crate) fn read(front: &[u8], whole: bool, addresses: &Addresses) -> Result<Self, Error> {
        let skipped = envelope_lines(front);
        let front = front.get(skipped..).unwrap_or_default();
        let header = Header::of(front);
        let length = fields_at_front(header);
        if length > LONGEST || !whole && length == front.len() {
            return Err(Error::new(
                ErrorCode::MessageUnreadable,
                "the header of the message does not end within 1 MiB",
            ));
        }
        let has_end = length == header.as_bytes().len() && header.ends();
        let mut bytes = front.get(..length).unwrap_or_default().to_vec();
        let domain = format!("@{}", addresses.domain());
        for place in names(Header::of(&bytes)).into_iter().rev() {
            bytes.splice(place..place, domain.bytes());
        }
        Ok(Self { header: bytes, replaced: skipped + length, lacks_end: !has_end })
    }

    /// To, Cc and Bcc, or those of the last time that it was sent on.
    pub(crate) fn recipients(&self) -> Result<Vec<Mailbox>, Error> {
        Header::of(&self.header).recipients()
    }

    /// Whether it needs SMTPUTF8.
    pub(crate) fn is_utf8(&self) -> bool {
        !self.header.is_ascii() && std::str::from_utf8(&self.header).is_ok()
    }

    /// The header that goes out, and how many octets of the message it replaces.
    pub(crate) fn complete(mut self, author: Author<'_>, addresses: &Addresses) -> (Vec<u8>, usize) {
        let header = Header::of(&self.header);
        let hidden: Vec<_> = header.fields().filter(is_hidden).map(|field| field.range()).collect();
        let mut complete = missing(header, author, addresses).into_bytes();
        for range in hidden.into_iter().rev() {
            self.header.drain(range);
        }
        complete.append(&mut self.header);
        if self.lacks_end {
            if !complete.ends_with(b"\n") && !complete.ends_with(b"\r") {
                complete.extend_from_slice(b"\r\n");
            }
            complete.extend_from_slice(b"\r\n");
        }
        (complete, self.replaced)
    }
}

/// How long the lines are in front of the header with which a mailbox file separates messages. Without a header behind, they are
/// sentences of somebody who begins so.
fn envelope_lines(message: &[u8]) -> usize {
    let mut length = 0;
    while let Some(rest) = message.get(length..)
        && (rest.starts_with(b"From ") || rest.starts_with(b">From "))
    {
        length += rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |end| end + 1);
    }
    let header = Header::of(message.get(length..).unwrap_or_default());
    if fields_at_front(header) > 0 { length } else { 0 }
}

/// How far the fields reach from the beginning on. What stands behind is the empty line, or else the body already.
fn fields_at_front(header: Header<'_>) -> usize {
    header.fields().fold(0, |length, field| if field.range().start == length { field.range().end } else { length })
}

/// Where names stand that have no domain.
fn names(header: Header<'_>) -> Vec<usize> {
    const NAMES: [&str; 10] =
        ["From", "Sender", "Reply-To", "To", "Cc", "Bcc", "Resent-From", "Resent-Sender", "Resent-To", "Resent-Cc"];
    let is_list = |field: &Field<'_>| NAMES.iter().any(|name| field.is(name)) || field.is("Resent-Bcc");
    let places = header.fields().filter(is_list).flat_map(|field| {
        let start = field.range().end - field.body().len();
        unqualified(field.body()).into_iter().map(move |place| start + place)
    });
    places.collect()
}

/// Bcc is for nobody else to see (RFC 5322 section 3.6.3); Return-Path is for the last server alone to write (RFC 5321 section 4.4).
fn is_hidden(field: &Field<'_>) -> bool {
    ["Bcc", "Resent-Bcc", "Return-Path"].iter().any(|name| field.is(name))
}

/// The fields that a message must have, or should, and this one does not; of one that is sent on, those of that.
fn missing(header: Header<'_>, author: Author<'_>, addresses: &Addresses) -> String {
    let has = |name: &str| header.fields().any(|field| field.is(name));
    let is_resent =
        ["Date", "From", "Sender", "To", "Cc", "Bcc", "Message-ID"].iter().any(|name| has(&format!("Resent-{name}")));
    let prefix = if is_resent { "Resent-" } else { "" };
    let mut fields = String::new();
    let mut add = |name: &str, body: &dyn Fn() -> String| {
        let name = format!("{prefix}{name}");
        if !has(&name) {
            fields.push_str(&format!("{name}: {}\r\n", body()));
        }
    };
    add("Date", &|| author.date.to_string());
    add("From", &|| from(author, addresses));
    add("Message-ID", &|| format!("<{}@{}>", hexadecimal(&author.random), addresses.domain()));
    fields
}

fn from(author: Author<'_>, addresses: &Addresses) -> String {
    let mailbox = match author.sender {
        ReversePath::Mailbox(mailbox) => mailbox.to_string(),
        // Who sends a notification.
        ReversePath::Null => format!("MAILER-DAEMON@{}", addresses.domain()),
    };
    match author.full_name.map(phrase).filter(|name| !name.is_empty()) {
        Some(name) => format!("{name} <{mailbox}>"),
        None => mailbox,
    }
}

// RFC 5322 sections 3.2.3 and 3.2.5, RFC 2047 section 2
//
//   phrase       = 1*word
//   word         = atom / quoted-string
//   encoded-word = "=?" charset "?" encoding "?" encoded-text "?="

/// A name as it may stand in front of an address, whatever it is: what is not printable is left out.
fn phrase(name: &str) -> String {
    let printable: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words: Vec<&str> = printable.split_whitespace().collect();
    let name = words.join(" ");
    if !name.is_ascii() {
        return encoded_words(&name);
    }
    let is_atext = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~ ".contains(c);
    match name.chars().all(is_atext) && !name.contains("=?") {
        true => name,
        false => format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

/// Each has at most 75 characters, and holds whole characters only (RFC 2047 sections 2 and 5).
fn encoded_words(name: &str) -> String {
    const MOST: usize = 45;
    let mut pieces = vec![String::new()];
    for character in name.chars() {
        match pieces.last_mut() {
            Some(piece) if piece.len() + character.len_utf8() <= MOST => piece.push(character),
            _ => pieces.push(character.to_string()),
        }
    }
    let words: Vec<_> =
        pieces.iter().map(|piece| format!("=?utf-8?B?{}?=", Base64::encode_string(piece.as_bytes()))).collect();
    words.join("\r\n ")
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Addresses {
        Addresses::of("here.test".parse().unwrap())
    }

    fn complete_from(message: &str, sender: &str, full_name: Option<&str>) -> String {
        let draft = Draft::read(message.as_bytes(), true, &here()).unwrap();
        let date = MessageDate::from_unix_seconds(1_795_328_000);
        let author = Author { sender: &sender.parse().unwrap(), full_name, date, random: [0xab; 16] };
        let (mut header, replaced) = draft.complete(author, &here());
        header.extend_from_slice(&message.as_bytes()[replaced..]);
        String::from_utf8(header).unwrap()
    }

    fn complete(message: &str) -> String {
        complete_from(message, "<ann@here.test>", Some("Ann"))
    }

    const DATE: &str = "Date: Sun, 22 Nov 2026 06:13:20 +0000\r\n";
    const FROM: &str = "From: Ann <ann@here.test>\r\n";
    const ID: &str = "Message-ID: <abababababababababababababababab@here.test>\r\n";

    #[test]
    fn what_is_missing_is_added() {
        let all = format!("{DATE}{FROM}{ID}");
        for (message, expected) in [
            ("", format!("{all}\r\n")),
            ("hello\n", format!("{all}\r\nhello\n")),
            (" hello: x\n", format!("{all}\r\n hello: x\n")),
            ("\nhello\n", format!("{all}\nhello\n")),
            ("Subject: x\n\nhello\n", format!("{all}Subject: x\n\nhello\n")),
            ("Subject: x\nhello\n", format!("{all}Subject: x\n\r\nhello\n")),
            ("Subject: x\nhello\nTo: bob\n\n", format!("{all}Subject: x\n\r\nhello\nTo: bob\n\n")),
            ("Subject: x", format!("{all}Subject: x\r\n\r\n")),
            ("Subject: x\r\n", format!("{all}Subject: x\r\n\r\n")),
            ("From: a@a.test\ndate: x\nMessage-Id: y\n\n", "From: a@a.test\ndate: x\nMessage-Id: y\n\n".to_owned()),
            ("FROM: a@a.test\n\n", format!("{DATE}{ID}FROM: a@a.test\n\n")),
            ("From ann Mon Jan  1 00:00:00 2001\nSubject: x\n\ny", format!("{all}Subject: x\n\ny")),
            (">From ann\nFrom ann\nSubject: x\n\n", format!("{all}Subject: x\n\n")),
            ("From now on, this is a body.\nSo: it goes.", format!("{all}So: it goes.\r\n\r\n")),
            ("From now on, this is a body.\n", format!("{all}\r\nFrom now on, this is a body.\n")),
        ] {
            assert_eq!(complete(message), expected, "{message}");
        }
    }

    #[test]
    fn what_is_sent_on_gets_fields_of_its_own() {
        let fields = format!("Resent-{DATE}Resent-{FROM}Resent-{ID}");
        let message = "Resent-To: bob@b.test\nFrom: a@a.test\n\n";
        assert_eq!(complete(message), format!("{fields}{message}"));
        let message = "Resent-Reply-To: bob@b.test\nFrom: a@a.test\nDate: x\nMessage-ID: y\n\n";
        assert_eq!(complete(message), message);
    }

    #[test]
    fn names_get_the_domain_and_bcc_goes() {
        let message = "From: root (Cron Daemon)\nTo: root, Bob\n\t<bob>\nBcc: eve\nReturn-Path: <x@y>\nDate: x\n\
            Message-ID: y\nX-To: z\n\nTo: z\n";
        let draft = Draft::read(message.as_bytes(), true, &here()).unwrap();
        let recipients: Vec<_> = draft.recipients().unwrap().iter().map(Mailbox::to_string).collect();
        assert_eq!(recipients, ["root@here.test", "bob@here.test", "eve@here.test"]);
        let expected = "From: root@here.test (Cron Daemon)\nTo: root@here.test, Bob\n\t<bob@here.test>\nDate: x\n\
            Message-ID: y\nX-To: z\n\nTo: z\n";
        assert_eq!(complete(message), expected);
    }

    #[test]
    fn who_it_is_from() {
        let from = |sender, full_name| {
            let message = complete_from("Date: x\nMessage-ID: y\n\n", sender, full_name);
            message.split_once("\r\nDate").unwrap().0.to_owned()
        };
        let ann = "<ann@a.test>";
        for (sender, full_name, expected) in [
            (ann, None, "From: ann@a.test"),
            (ann, Some(""), "From: ann@a.test"),
            (ann, Some("Ann of A"), "From: Ann of A <ann@a.test>"),
            (ann, Some("Dr. \"A\" \\ (x)"), r#"From: "Dr. \"A\" \\ (x)" <ann@a.test>"#),
            (ann, Some("Ann\r\nBcc: eve@e.test\0"), "From: \"Ann Bcc: eve@e.test\" <ann@a.test>"),
            (ann, Some("=?x?="), "From: \"=?x?=\" <ann@a.test>"),
            (ann, Some("Jürgen"), "From: =?utf-8?B?SsO8cmdlbg==?= <ann@a.test>"),
            ("<>", Some("x"), "From: x <MAILER-DAEMON@here.test>"),
        ] {
            assert_eq!(from(sender, full_name), expected);
        }
        let long = from(ann, Some(&"送る".repeat(20)));
        assert!(long.lines().count() == 3 && long.lines().all(|line| line.len() <= 96), "{long}");
    }

    #[test]
    fn a_header_without_end_is_refused() {
        let endless = format!("Subject: x\n{}", "X: y\n".repeat(LONGEST / 5 + 1));
        assert!(Draft::read(endless.as_bytes(), true, &here()).is_err());
        assert!(Draft::read(b"Subject: x\n", false, &here()).is_err());
        assert!(Draft::read(b"Subject: x\n\n", false, &here()).is_ok());
        assert!(Draft::read(b"Subject: x\nbody", false, &here()).is_ok());
    }
}
