//! A message as a host packs it.
//!
//! | value | |
//! |---|---|
//! | optional text | the reverse-path; without, what the header says |
//! | list | recipients: forward-path, parameters of RCPT as they stand in the command (texts), NOTIFY and ORCPT (optional texts); with none, those of the header |
//! | text | parameters of MAIL, as they stand in the command |
//! | table | options of this message alone, as `options.rs` has them |
//! | octet | 0: here is the whole content; 1: it comes in chunks, when it is asked for; 2: here it is to be looked at, and comes when it is asked for |
//! | bytes | for 0 and 2: the content; for 2 without what is not to go out |
//! | number, flag | for 1: its size, or none; and whether it can be read again from its beginning. Nothing is then known of the header |

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;
use core::time::Duration;

use okuru_core::Error;
use okuru_core::client::{Body, Message, Recipient};
use okuru_core::options::{MessageOptions, Value};
use okuru_core::syntax::{Header, Inspection, Parameter};

use crate::options;
use crate::packing::{Reader, Writer, broken};

/// A message that was packed, not looked at yet: whatever is wrong with it is the outcome of this message alone.
#[derive(Clone, Debug)]
pub(crate) struct Parcel<'a> {
    from: Option<&'a str>,
    recipients: Vec<PackedRecipient<'a>>,
    parameters: &'a str,
    options: Vec<(String, Value)>,
    content: Content<'a>,
}

#[derive(Clone, Copy, Debug)]
struct PackedRecipient<'a> {
    to: &'a str,
    parameters: &'a str,
    notify: Option<&'a str>,
    original: Option<&'a str>,
}

#[derive(Clone, Copy, Debug)]
enum Content<'a> {
    Kept(&'a [u8]),
    Seen(&'a [u8]),
    Stream { size: Option<f64>, rewindable: bool },
}

impl<'a> Parcel<'a> {
    pub(crate) fn read(input: &mut Reader<'a>) -> Result<Self, Error> {
        let from = optional_text(input)?;
        let count = input.count()?;
        Ok(Self {
            from,
            recipients: (0..count).map(|_| PackedRecipient::read(input)).collect::<Result<_, _>>()?,
            parameters: input.text()?,
            options: options::table(input)?,
            content: match input.octet()? {
                0 => Content::Kept(input.bytes()?),
                2 => Content::Seen(input.bytes()?),
                1 => Content::Stream { size: input.optional_number()?, rewindable: input.flag()? },
                _ => return Err(broken("there is no such kind of content")),
            },
        })
    }

    /// The message, and its content if that is here. `usual` is what all messages have in common.
    pub(crate) fn message(self, now: Duration, usual: &MessageOptions) -> Result<(Message, Option<Vec<u8>>), Error> {
        let changed;
        let options = if self.options.is_empty() {
            usual
        } else {
            changed = usual.with(self.options)?;
            &changed
        };
        let recipients = self.recipients.iter().map(|it| it.recipient(options)).collect::<Result<_, _>>()?;
        let header = match self.content {
            Content::Kept(content) | Content::Seen(content) => Header::of(content),
            Content::Stream { .. } => Header::of(b""),
        };
        let mut envelope = options.envelope(self.from, recipients, header)?;
        if !self.parameters.is_empty() {
            let parameters = &mut Arc::make_mut(&mut envelope).parameters;
            each(self.parameters, |parameter| parameters.add(parameter))?;
        }
        Ok(match self.content {
            Content::Seen(content) => (options.message(now, envelope, Body::Whole(Inspection::of(content))), None),
            Content::Kept(content) => {
                let content =
                    without(content, if options.hides_bcc() { header.blind_copies().collect() } else { Vec::new() });
                (options.message(now, envelope, Body::Whole(Inspection::of(&content))), Some(content))
            }
            Content::Stream { size, rewindable } => {
                let body = Body::Stream { size: size.map(|size| size as u64), rewindable };
                (options.message(now, envelope, body), None)
            }
        })
    }
}

impl<'a> PackedRecipient<'a> {
    fn read(input: &mut Reader<'a>) -> Result<Self, Error> {
        let (to, parameters) = (input.text()?, input.text()?);
        Ok(Self { to, parameters, notify: optional_text(input)?, original: optional_text(input)? })
    }

    fn recipient(&self, options: &MessageOptions) -> Result<Recipient, Error> {
        let mut recipient = options.recipient(self.to, self.notify, self.original)?;
        each(self.parameters, |parameter| recipient.parameters.add(parameter))?;
        Ok(recipient)
    }
}

/// What the header of a content says, for a host that keeps it: the sender (optional text), the recipients (a list of texts), and
/// what is not to go out (a list of numbers, two for each range). `head` is the content up to the end of its header, or beyond.
pub(crate) fn header(head: &[u8], wants_sender: bool, wants_recipients: bool, out: &mut Writer) -> Result<(), Error> {
    let header = Header::of(head);
    // What nobody wants to know may be wrong.
    let sender = if wants_sender { header.sender()? } else { None };
    let recipients = if wants_recipients { header.recipients()? } else { Vec::new() };
    let hidden: Vec<Range<usize>> = header.blind_copies().collect();
    out.optional(sender, |out, mailbox| out.text(mailbox.as_str()));
    out.list(recipients.iter(), |out, mailbox| out.text(mailbox.as_str()));
    out.list(hidden.iter(), |out, range| {
        out.whole(range.start as u64);
        out.whole(range.end as u64);
    });
    Ok(())
}

/// The content without what is not to go out.
fn without(content: &[u8], hidden: Vec<Range<usize>>) -> Vec<u8> {
    let mut kept = Vec::with_capacity(content.len());
    let mut begin = 0;
    for range in hidden {
        kept.extend_from_slice(content.get(begin..range.start).unwrap_or_default());
        begin = range.end;
    }
    kept.extend_from_slice(content.get(begin..).unwrap_or_default());
    kept
}

fn optional_text<'a>(input: &mut Reader<'a>) -> Result<Option<&'a str>, Error> {
    if input.flag()? { input.text().map(Some) } else { Ok(None) }
}

fn each(parameters: &str, mut add: impl FnMut(Parameter) -> Result<(), Error>) -> Result<(), Error> {
    parameters.split(' ').filter(|word| !word.is_empty()).try_for_each(|word| add(word.parse()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blind_copies_are_left_out() {
        for (content, expected) in [
            ("Bcc: a@x.example\r\nSubject: s\r\n\r\nBcc: body\r\n", "Subject: s\r\n\r\nBcc: body\r\n"),
            ("A: b\r\nBcc: a@x.example,\r\n b@x.example\r\n\r\nt", "A: b\r\n\r\nt"),
            ("Subject: s\r\n\r\nt", "Subject: s\r\n\r\nt"),
            ("", ""),
        ] {
            let hidden = Header::of(content.as_bytes()).blind_copies().collect();
            assert_eq!(String::from_utf8(without(content.as_bytes(), hidden)).unwrap(), expected);
        }
    }
}
