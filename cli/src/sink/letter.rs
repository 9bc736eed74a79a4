//! A message that was taken, and what is told of it.

use std::path::PathBuf;
use std::time::SystemTime;

use bytes::Bytes;
use okuru::server::{Destination, Received, Visit};
use okuru_core::syntax::{MailParameters, ReversePath};
use serde::Serialize;

/// A message that was taken.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    /// Counted from 1.
    pub(crate) number: u64,
    /// How we call it.
    pub(crate) id: String,
    pub(crate) time: SystemTime,
    pub(crate) visit: Visit,
    pub(crate) received: Received,
    /// The SHA-256 of its content, in hexadecimal digits, if that is wanted.
    pub(crate) sha256: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) place: Place,
}

/// Where the content is.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Memory(Bytes),
    File(PathBuf),
}

impl Letter {
    /// What is printed of it.
    pub(super) fn text(&self) -> String {
        let Received { envelope, octets, with, .. } = &self.received;
        let recipients: Vec<_> = envelope.recipients.iter().map(|it| format!("<{}>", it.path.as_str())).collect();
        let mut text = format!("{} <{}> -> {}", self.id, address(&envelope.reverse_path), recipients.join(", "));
        text.push_str(&format!("  {octets} octets  {with}"));
        if let Some(user) = self.visit.user() {
            text.push_str(&format!("  user {}", printable(&user.name)));
        }
        if let Some(subject) = &self.subject {
            text.push_str(&format!("  \"{}\"", printable(subject)));
        }
        if let Place::File(path) = &self.place {
            text.push_str(&format!("  {}", path.display()));
        }
        text
    }

    /// The same as a line of JSON.
    pub(super) fn json(&self) -> serde_json::Result<String> {
        let Received { envelope, octets, eight_bit, with, .. } = &self.received;
        let since = self.time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        serde_json::to_string(&Line {
            event: "message",
            number: self.number,
            id: &self.id,
            time: (since.as_secs_f64() * 1000.0).round() / 1000.0,
            session: self.visit.number(),
            client: self.visit.address().map(|address| address.to_string()),
            hello: self.visit.hello().map(|hello| hello.name.as_str()),
            protocol: with,
            tls: self.visit.tls().map(|tls| TlsEntry {
                version: tls.version,
                cipher_suite: tls.cipher_suite,
                server_name: tls.server_name.as_deref(),
            }),
            user: self.visit.user().map(|user| user.name.as_str()),
            mechanism: self.visit.user().map(|user| user.mechanism.name()),
            reverse_path: address(&envelope.reverse_path),
            parameters: parameters(&envelope.parameters),
            recipients: envelope
                .recipients
                .iter()
                .map(|recipient| RecipientEntry {
                    address: recipient.path.as_str(),
                    parameters: words(|out| recipient.parameters.encode(out)),
                    ours: recipient.destination == Destination::Local,
                })
                .collect(),
            subject: self.subject.as_deref(),
            size: *octets,
            eight_bit: *eight_bit,
            sha256: self.sha256.as_deref(),
            stored: match &self.place {
                Place::File(path) => Some(path.to_string_lossy().into_owned()),
                Place::Memory(_) => None,
            },
        })
    }
}

/// A line of `--json`. Keys, once published, stay as they are; one without a value is null.
#[derive(Serialize)]
struct Line<'a> {
    event: &'static str,
    number: u64,
    id: &'a str,
    time: f64,
    session: u64,
    client: Option<String>,
    hello: Option<&'a str>,
    protocol: &'static str,
    tls: Option<TlsEntry<'a>>,
    user: Option<&'a str>,
    mechanism: Option<&'static str>,
    reverse_path: &'a str,
    parameters: Vec<String>,
    recipients: Vec<RecipientEntry<'a>>,
    subject: Option<&'a str>,
    size: u64,
    eight_bit: bool,
    sha256: Option<&'a str>,
    stored: Option<String>,
}

#[derive(Serialize)]
struct TlsEntry<'a> {
    version: &'static str,
    cipher_suite: &'static str,
    server_name: Option<&'a str>,
}

#[derive(Serialize)]
struct RecipientEntry<'a> {
    address: &'a str,
    parameters: Vec<String>,
    ours: bool,
}

pub(super) fn address(path: &ReversePath) -> &str {
    path.mailbox().map_or("", |mailbox| mailbox.as_str())
}

fn parameters(parameters: &MailParameters) -> Vec<String> {
    words(|out| parameters.encode(out))
}

fn words(encode: impl FnOnce(&mut Vec<u8>)) -> Vec<String> {
    let mut out = Vec::new();
    encode(&mut out);
    String::from_utf8_lossy(&out).split_whitespace().map(str::to_owned).collect()
}

/// What could steer a terminal is replaced.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// The subject as it stands in the header, unfolded, if it is among the first octets.
pub(super) fn subject(content: &[u8]) -> Option<String> {
    let mut lines = content.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let mut header = lines.by_ref().take_while(|line| !line.is_empty());
    let first = header.find_map(|line| {
        let (name, value) = line.split_at_checked(8)?;
        name.eq_ignore_ascii_case(b"subject:").then_some(value)
    })?;
    let mut subject = String::from_utf8_lossy(first.trim_ascii()).into_owned();
    for folded in header.take_while(|line| line.starts_with(b" ") || line.starts_with(b"\t")) {
        subject.push(' ');
        subject.push_str(&String::from_utf8_lossy(folded.trim_ascii()));
    }
    Some(subject)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects() {
        for (content, expected) in [
            (&b"From: a@b\r\nSUBJECT:  one\r\n two\r\n\tthree\r\nTo: c@d\r\n\r\nx"[..], Some("one two three")),
            (b"Subject:\r\n\r\n", Some("")),
            (b"X: y\r\n\r\nSubject: in the body\r\n", None),
            (b"Subject", None),
            (b"", None),
        ] {
            assert_eq!(subject(content).as_deref(), expected);
        }
    }
}
