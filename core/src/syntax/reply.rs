use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};

use super::reply_scan::{ReplyLimits, frame};
use super::{EnhancedCode, ReplyCode, Severity, queue_id, quoting};
use crate::{Error, ErrorCode};

/// A whole reply of a server (RFC 5321 section 4.2), with every byte as it came.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// Whole lines, each beginning with the same code: what the framer has let through. Shared, since a reply may decide
    /// about many recipients. Nothing is kept beside it, since replies are moved more often than they are read.
    raw: Arc<[u8]>,
}

impl Reply {
    /// Parses exactly one whole reply, of any size.
    ///
    /// # Errors
    ///
    /// `protocol.malformed_reply` or `protocol.mixed_codes`.
    pub fn parse(raw: &[u8]) -> Result<Self, Error> {
        match frame(raw, &ReplyLimits::NONE)? {
            Some(end) if end == raw.len() => Ok(Self::from_frame(raw)),
            _ => Err(Error::new(
                ErrorCode::ProtocolMalformedReply,
                alloc::format!("{} is not exactly one SMTP reply", quoting::Bytes(raw)),
            )),
        }
    }

    /// A reply to be said: a line for each line of `text`, or several where one is too long (RFC 5321 §4.5.3.1.5), each with
    /// the code and, if there is one, the enhanced code. Control characters become question marks.
    pub fn new(code: ReplyCode, enhanced: Option<EnhancedCode>, text: &str) -> Self {
        let mut said = String::with_capacity(text.len() + 16);
        let mut lines = text.lines().flat_map(pieces_of_line).peekable();
        let mut first = true;
        while first || lines.peek().is_some() {
            let line = lines.next().unwrap_or_default();
            first = false;
            let separator = if lines.peek().is_some() { '-' } else { ' ' };
            // Writing to a String does not fail.
            let _ = write!(said, "{code}{separator}");
            if let Some(enhanced) = enhanced {
                let _ = write!(said, "{enhanced} ");
            }
            said.extend(line.chars().map(|c| if c.is_control() { '?' } else { c }));
            said.push_str("\r\n");
        }
        Self { raw: said.as_bytes().into() }
    }

    /// Appends the reply as a server says it: each line with the code, and ended by CR LF. Control characters become question
    /// marks.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut lines = self.lines().peekable();
        while let Some(line) = lines.next() {
            out.extend_from_slice(self.raw.get(..3).unwrap_or_default());
            out.push(if lines.peek().is_some() { b'-' } else { b' ' });
            out.extend(line.iter().map(|byte| if byte.is_ascii_control() { b'?' } else { *byte }));
            out.extend_from_slice(b"\r\n");
        }
    }

    /// A reply from `raw`, which the framer has found to be one.
    pub(super) fn from_frame(raw: &[u8]) -> Self {
        Self { raw: raw.into() }
    }

    /// The three digits.
    pub fn code(&self) -> ReplyCode {
        let code = self.raw.first_chunk().and_then(|&[x, y, z]| ReplyCode::from_digits(x, y, z));
        code.expect("the framer lets only replies through")
    }

    /// What the first digit says. Decide on this; codes that nobody knows are legal (RFC 5321 section 4.3.2).
    pub fn severity(&self) -> Severity {
        match self.raw.first() {
            Some(b'2') => Severity::Completion,
            Some(b'3') => Severity::Intermediate,
            Some(b'4') => Severity::Transient,
            _ => Severity::Permanent,
        }
    }

    /// The enhanced code on the first line, if its class agrees with the first digit (RFC 2034 section 4).
    ///
    /// It means nothing in a greeting or a reply to EHLO, and there is none in a 3yz.
    pub fn enhanced(&self) -> Option<EnhancedCode> {
        // The text of the first line begins here, and a code ends at the line end at the latest.
        let (enhanced, _) = EnhancedCode::split_from(self.raw.get(4..)?)?;
        (u16::from(enhanced.class) == self.code().as_u16() / 100).then_some(enhanced)
    }

    /// Each line's text as it came: behind the code and the separator, without the line end, any bytes but NUL.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> + Clone {
        split_lines(&self.raw)
    }

    /// The text of all lines joined with spaces, each as in [`Reply::text_lines`].
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(self.raw.len());
        for line in self.lines() {
            let line = self.without_enhanced(line).trim_ascii();
            if !text.is_empty() && !line.is_empty() {
                text.push(' ');
            }
            push_printable(line, &mut text);
        }
        text
    }

    /// The text of each line, without the enhanced code and blanks around it.
    ///
    /// What is not UTF-8 and what could steer a terminal is replaced by U+FFFD.
    pub fn text_lines(&self) -> impl Iterator<Item = String> {
        self.lines().map(|line| {
            let mut text = String::new();
            push_printable(self.without_enhanced(line).trim_ascii(), &mut text);
            text
        })
    }

    /// All bytes with the line ends, as they came.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// The id under which the server has queued the message, from a 2yz after the content.
    ///
    /// SMTP has no place for it. It is found in the words of the servers that are common today; any other gives `None`.
    pub fn queue_id(&self) -> Option<&str> {
        match self.severity() {
            Severity::Completion => self.lines().find_map(|line| queue_id::find(self.without_enhanced(line))),
            _ => None,
        }
    }

    fn without_enhanced<'a>(&self, line: &'a [u8]) -> &'a [u8] {
        match EnhancedCode::split_from(line) {
            Some((code, rest)) if Some(code) == self.enhanced() => rest.strip_prefix(b":").unwrap_or(rest),
            _ => line,
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code())?;
        if let Some(enhanced) = self.enhanced() {
            write!(f, " {enhanced}")?;
        }
        let text = self.text();
        if !text.is_empty() {
            f.write_char(' ')?;
        }
        f.write_str(&text)
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply(\"{}\")", self.raw.escape_ascii())
    }
}

/// What of a line fits one line of a reply, with a code and an enhanced code in front.
fn pieces_of_line(mut line: &str) -> impl Iterator<Item = &str> {
    const LONGEST: usize = 480;
    let mut first = true;
    core::iter::from_fn(move || {
        if line.is_empty() && !core::mem::take(&mut first) {
            return None;
        }
        first = false;
        let mut end = line.len().min(LONGEST);
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        let (piece, rest) = line.split_at(end);
        line = rest;
        Some(piece)
    })
}

/// Appends `line`; what is not UTF-8 and what could steer a terminal is replaced by U+FFFD.
pub(super) fn push_printable(line: &[u8], text: &mut String) {
    for chunk in line.utf8_chunks() {
        text.extend(chunk.valid().chars().map(|c| match c {
            '\t' => c,
            _ if c.is_control() => char::REPLACEMENT_CHARACTER,
            _ => c,
        }));
        if !chunk.invalid().is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
}

/// The text of each line of `raw`, which ends in a line end.
fn split_lines(raw: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    raw.split_inclusive(|byte| *byte == b'\n').map(|line| {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        line.get(4..).unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn lines(reply: &Reply) -> Vec<&[u8]> {
        reply.lines().collect()
    }

    /// Bytes, code, severity, enhanced code, lines, display.
    type Answer = (&'static [u8], u16, Severity, Option<&'static str>, &'static [&'static [u8]], &'static str);

    #[test]
    fn known_answers() {
        let table: &[Answer] = &[
            (
                b"250 2.0.0 Ok queued\r\n",
                250,
                Severity::Completion,
                Some("2.0.0"),
                &[b"2.0.0 Ok queued"],
                "250 2.0.0 Ok queued",
            ),
            (b"250\r\n", 250, Severity::Completion, None, &[b""], "250"),
            (b"250 \r\n", 250, Severity::Completion, None, &[b""], "250"),
            (b"250-\r\n250\r\n", 250, Severity::Completion, None, &[b"", b""], "250"),
            (b"252 Cannot VRFY\n", 252, Severity::Completion, None, &[b"Cannot VRFY"], "252 Cannot VRFY"),
            (b"299 x\r\n", 299, Severity::Completion, None, &[b"x"], "299 x"),
            (b"354 go\r\n", 354, Severity::Intermediate, None, &[b"go"], "354 go"),
            (b"334 2.0.0 x\r\n", 334, Severity::Intermediate, None, &[b"2.0.0 x"], "334 2.0.0 x"),
            (b"421 4.3.2 bye\r\n", 421, Severity::Transient, Some("4.3.2"), &[b"4.3.2 bye"], "421 4.3.2 bye"),
            (b"550 5.7.509 no\r\n", 550, Severity::Permanent, Some("5.7.509"), &[b"5.7.509 no"], "550 5.7.509 no"),
            // The class must agree with the first digit.
            (b"550 4.7.1 no\r\n", 550, Severity::Permanent, None, &[b"4.7.1 no"], "550 4.7.1 no"),
            (
                b"550-5.7.26 Not\r\n550-5.7.26 authenticated. \r\n550 5.7.26\r\n",
                550,
                Severity::Permanent,
                Some("5.7.26"),
                &[b"5.7.26 Not", b"5.7.26 authenticated. ", b"5.7.26"],
                "550 5.7.26 Not authenticated.",
            ),
            (b"554 Gr\xc3\xbc\xc3\x9fe\r\n", 554, Severity::Permanent, None, &[b"Gr\xc3\xbc\xc3\x9fe"], "554 Grüße"),
            (b"554 Gr\xfc\xdfe\r\n", 554, Severity::Permanent, None, &[b"Gr\xfc\xdfe"], "554 Gr\u{fffd}\u{fffd}e"),
            (b"554 \x1b[2J\r\n", 554, Severity::Permanent, None, &[b"\x1b[2J"], "554 \u{fffd}[2J"),
        ];
        for (raw, code, severity, enhanced, texts, display) in table {
            let reply = Reply::parse(raw).unwrap();
            assert_eq!(reply.code(), *code);
            assert_eq!(reply.severity(), *severity);
            assert_eq!(reply.enhanced().map(|code| code.to_string()).as_deref(), *enhanced);
            assert_eq!(lines(&reply), *texts);
            assert_eq!(reply.to_string(), *display);
            assert_eq!(reply.raw(), *raw);
        }
    }

    #[test]
    fn lines_as_text() {
        let reply = Reply::parse(b"550-5.7.26 Gr\xc3\xbc\xfc\r\n550-\r\n550 5.7.26 \x1b[2J\r\n").unwrap();
        assert_eq!(reply.text_lines().collect::<Vec<_>>(), ["Gr\u{fc}\u{fffd}", "", "\u{fffd}[2J"]);
    }

    #[test]
    fn what_a_server_says() {
        let enhanced = |class, subject, detail| Some(EnhancedCode { class, subject, detail });
        for (code, enhanced, text, raw) in [
            (250, enhanced(2, 0, 0), "Ok", "250 2.0.0 Ok\r\n"),
            (250, None, "", "250 \r\n"),
            (550, enhanced(5, 1, 1), "no such\nuser", "550-5.1.1 no such\r\n550 5.1.1 user\r\n"),
            (550, None, "a\r\n\nb\rc\0", "550-a\r\n550-\r\n550 b?c?\r\n"),
        ] {
            let reply = Reply::new(ReplyCode::new(code).unwrap(), enhanced, text);
            assert_eq!(reply.raw(), raw.as_bytes());
            assert_eq!(Reply::parse(raw.as_bytes()).as_ref(), Ok(&reply));
        }
        let long = Reply::new(ReplyCode::new(250).unwrap(), None, &"\u{e9}".repeat(1000));
        assert!(long.raw().split_inclusive(|byte| *byte == b'\n').all(|line| line.len() <= 512));
        assert_eq!((long.lines().count(), long.text().chars().filter(|c| *c == '\u{e9}').count()), (5, 1000));
        let mut said = Vec::new();
        Reply::parse(b"250-a\r\n250 b\tc\n").unwrap().encode(&mut said);
        assert_eq!(said, b"250-a\r\n250 b?c\r\n");
    }

    #[test]
    fn only_exactly_one() {
        for raw in
            ["", "250 Ok", "250 Ok\r", "250-Ok\r\n", "250 Ok\r\n250 Ok\r\n", "199 x\r\n", "600 x\r\n", "25 x\r\n"]
        {
            let error = Reply::parse(raw.as_bytes()).unwrap_err();
            assert_eq!(error.code(), ErrorCode::ProtocolMalformedReply, "{raw:?}");
        }
        let error = Reply::parse(b"250-x\r\n550 y\r\n").unwrap_err();
        assert_eq!(error.code(), ErrorCode::ProtocolMixedCodes);
    }

    #[test]
    fn a_refusal_has_no_queue_id() {
        assert_eq!(Reply::parse(b"250 2.0.0 Ok: queued as 4XyZ\r\n").unwrap().queue_id(), Some("4XyZ"));
        assert_eq!(Reply::parse(b"450 4.0.0 Ok: queued as 4XyZ\r\n").unwrap().queue_id(), None);
    }

    #[test]
    fn debug_shows_the_bytes() {
        assert_eq!(alloc::format!("{:?}", Reply::parse(b"250 Ok\r\n").unwrap()), r#"Reply("250 Ok\r\n")"#);
    }
}
