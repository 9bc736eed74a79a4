//! One connection's dialogue: commands in, replies out, content to the digest. It knows no socket.

use memchr::{memchr, memrchr};

use super::data::Data;
use super::totals::Totals;
use crate::digest::Digest;

/// The longest line that a command may have, its CRLF with it.
const LONGEST_LINE: usize = 4096;

/// The extensions that the sink knows how to take.
const KNOWN: [&str; 7] =
    ["PIPELINING", "CHUNKING", "8BITMIME", "BINARYMIME", "SIZE", "SMTPUTF8", "ENHANCEDSTATUSCODES"];

/// What the reply to EHLO offers.
#[derive(Clone, Debug)]
pub struct Offer {
    keywords: Vec<&'static str>,
    ehlo: Vec<u8>,
}

impl Offer {
    /// From keywords with commas between them; an empty text offers nothing.
    pub fn parse(text: &str) -> Result<Offer, String> {
        let keywords = text
            .split(',')
            .filter(|keyword| !keyword.is_empty())
            .map(|keyword| {
                let known = KNOWN.into_iter().find(|known| known.eq_ignore_ascii_case(keyword));
                known.ok_or_else(|| format!("the sink can't offer {keyword}, only {}", KNOWN.join(", ")))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut lines = vec!["sink.test"];
        lines.extend(&keywords);
        let mut ehlo = String::new();
        for (index, line) in lines.iter().enumerate() {
            let separator = if index + 1 == lines.len() { ' ' } else { '-' };
            ehlo.push_str(&format!("250{separator}{line}\r\n"));
        }
        Ok(Offer { keywords, ehlo: ehlo.into_bytes() })
    }

    fn has(&self, keyword: &str) -> bool {
        self.keywords.contains(&keyword)
    }

    /// Whether a parameter of MAIL belongs to an extension that was offered.
    fn takes(&self, parameter: &[u8]) -> bool {
        let extension = match parameter.to_ascii_uppercase().as_slice() {
            b"BODY=7BIT" | b"BODY=8BITMIME" => "8BITMIME",
            b"BODY=BINARYMIME" => "BINARYMIME",
            b"SMTPUTF8" => "SMTPUTF8",
            other if other.starts_with(b"SIZE=") => "SIZE",
            _ => return false,
        };
        self.has(extension)
    }
}

impl Default for Offer {
    fn default() -> Offer {
        Offer::parse(&KNOWN.join(",")).expect("every name in KNOWN is known")
    }
}

/// What the next byte belongs to.
enum Expects {
    Command,
    Data(Data),
    Chunk {
        left: u64,
        last: bool,
    },
    /// Nothing: it has been closed.
    Nothing,
}

enum Transaction {
    None,
    /// MAIL and so many RCPT.
    Envelope(u64),
    /// A BDAT that was not the last.
    Chunks(u64),
}

pub(super) struct Session {
    expects: Expects,
    transaction: Transaction,
    /// The beginning of a command whose end has not come.
    line: Vec<u8>,
    digest: Digest,
    has_mail: bool,
}

impl Session {
    /// A session that has just said its greeting into `replies`.
    pub(super) fn open(replies: &mut Vec<u8>) -> Session {
        replies.extend_from_slice(b"220 sink.test ESMTP\r\n");
        Session {
            expects: Expects::Command,
            transaction: Transaction::None,
            line: Vec::new(),
            digest: Digest::default(),
            has_mail: false,
        }
    }

    /// Whether a MAIL has come.
    pub(super) fn has_mail(&self) -> bool {
        self.has_mail
    }

    /// Whether the client may be waiting for what was said: it is not, in the midst of a line, a chunk or a message.
    pub(super) fn is_between(&self) -> bool {
        match self.expects {
            Expects::Command => self.line.is_empty(),
            Expects::Data(data) => data == Data::LineStart && self.digest.is_empty(),
            Expects::Chunk { .. } => false,
            Expects::Nothing => true,
        }
    }

    /// Whether the connection ends once the replies are out.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.expects, Expects::Nothing)
    }

    /// Takes what came, and adds what there is to say to `replies`.
    pub(super) fn receive(&mut self, mut input: &[u8], offer: &Offer, replies: &mut Vec<u8>, totals: &mut Totals) {
        while !input.is_empty() {
            match &mut self.expects {
                Expects::Command => input = self.receive_line(input, offer, replies, totals),
                Expects::Data(data) => match data.receive(input, &mut self.digest) {
                    None => return,
                    Some((message, behind)) => {
                        input = behind;
                        totals.add(message, self.end_transaction());
                        self.expects = Expects::Command;
                        replies.extend_from_slice(b"250 2.0.0 Ok: taken\r\n");
                    }
                },
                Expects::Chunk { left, last } => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                    let (piece, behind) = input.split_at(here);
                    *left -= here as u64;
                    input = behind;
                    if *left > 0 || !*last {
                        self.digest.update(piece);
                    }
                    if *left == 0 {
                        let is_last = *last;
                        self.end_chunk(is_last, piece, replies, totals);
                    }
                }
                Expects::Nothing => return,
            }
        }
    }

    /// Takes one command, or the part of one that has come, and gives what is behind it.
    fn receive_line<'a>(
        &mut self,
        input: &'a [u8],
        offer: &Offer,
        replies: &mut Vec<u8>,
        totals: &mut Totals,
    ) -> &'a [u8] {
        let end = memchr(b'\n', input);
        let (piece, behind) = input.split_at(end.map_or(input.len(), |at| at + 1));
        if self.line.len() + piece.len() > LONGEST_LINE {
            refuse(b"500 5.5.2 Line too long\r\n", replies, totals);
            self.expects = Expects::Nothing;
        } else if end.is_none() {
            self.line.extend_from_slice(piece);
        } else if self.line.is_empty() {
            self.obey(piece.trim_ascii_end(), offer, replies, totals);
        } else {
            let mut line = core::mem::take(&mut self.line);
            line.extend_from_slice(piece);
            self.obey(line.trim_ascii_end(), offer, replies, totals);
        }
        behind
    }

    fn obey(&mut self, line: &[u8], offer: &Offer, replies: &mut Vec<u8>, totals: &mut Totals) {
        let (verb, argument) = line.split_at(line.len().min(4));
        let mut keyword = [0; 4];
        if let (Ok(verb), [] | [b' ', ..]) = (<[u8; 4]>::try_from(verb), argument) {
            keyword = verb.map(|byte| byte.to_ascii_uppercase());
        }
        let argument = argument.trim_ascii_start();
        match (&keyword, &self.transaction) {
            (b"MAIL", Transaction::None) => {
                let parameters = memrchr(b'>', argument).and_then(|at| argument.get(at + 1..)).unwrap_or_default();
                let mut parameters = parameters.split(|&byte| byte == b' ');
                if parameters.all(|parameter| parameter.is_empty() || offer.takes(parameter)) {
                    self.transaction = Transaction::Envelope(0);
                    self.has_mail = true;
                    totals.first_mail.get_or_insert_with(std::time::Instant::now);
                    replies.extend_from_slice(b"250 2.1.0 Ok\r\n");
                } else {
                    refuse(b"555 5.5.4 Not offered\r\n", replies, totals);
                }
            }
            (b"RCPT", &Transaction::Envelope(recipients)) => {
                self.transaction = Transaction::Envelope(recipients + 1);
                replies.extend_from_slice(b"250 2.1.5 Ok\r\n");
            }
            (b"DATA", Transaction::Envelope(1..)) => {
                self.expects = Expects::Data(Data::LineStart);
                replies.extend_from_slice(b"354 Go on\r\n");
            }
            (b"BDAT", &(Transaction::Envelope(recipients @ 1..) | Transaction::Chunks(recipients)))
                if offer.has("CHUNKING") =>
            {
                self.transaction = Transaction::Chunks(recipients);
                match chunk(argument) {
                    Some((0, last)) => self.end_chunk(last, b"", replies, totals),
                    Some((left, last)) => self.expects = Expects::Chunk { left, last },
                    None => self.close(b"501 5.5.4 No such size\r\n", replies, totals),
                }
            }
            // What follows a refused BDAT is content, and can't be told from commands (RFC 3030 §2).
            (b"BDAT", _) => self.close(b"503 5.5.1 Not now\r\n", replies, totals),
            (b"EHLO", _) => {
                self.reset();
                replies.extend_from_slice(&offer.ehlo);
            }
            (b"HELO", _) => {
                self.reset();
                replies.extend_from_slice(b"250 sink.test\r\n");
            }
            (b"RSET", _) => {
                self.reset();
                replies.extend_from_slice(b"250 2.0.0 Ok\r\n");
            }
            (b"NOOP", _) => replies.extend_from_slice(b"250 2.0.0 Ok\r\n"),
            (b"QUIT", _) => {
                self.expects = Expects::Nothing;
                replies.extend_from_slice(b"221 2.0.0 Bye\r\n");
            }
            (b"MAIL" | b"RCPT" | b"DATA", _) => refuse(b"503 5.5.1 Not now\r\n", replies, totals),
            _ => refuse(b"502 5.5.1 Not here\r\n", replies, totals),
        }
    }

    fn end_chunk(&mut self, last: bool, piece: &[u8], replies: &mut Vec<u8>, totals: &mut Totals) {
        if last {
            let message = self.digest.finish(piece);
            totals.add(message, self.end_transaction());
        }
        self.expects = Expects::Command;
        replies.extend_from_slice(b"250 2.0.0 Ok: taken\r\n");
    }

    /// Ends the transaction and gives its recipients.
    fn end_transaction(&mut self) -> u64 {
        match core::mem::replace(&mut self.transaction, Transaction::None) {
            Transaction::None => 0,
            Transaction::Envelope(recipients) | Transaction::Chunks(recipients) => recipients,
        }
    }

    fn reset(&mut self) {
        self.end_transaction();
        self.digest.abandon();
    }

    fn close(&mut self, reply: &[u8], replies: &mut Vec<u8>, totals: &mut Totals) {
        refuse(reply, replies, totals);
        self.expects = Expects::Nothing;
    }
}

fn refuse(reply: &[u8], replies: &mut Vec<u8>, totals: &mut Totals) {
    totals.refusals += 1;
    replies.extend_from_slice(reply);
}

/// `chunk-size [ SP "LAST" ]` (RFC 3030 §2).
fn chunk(argument: &[u8]) -> Option<(u64, bool)> {
    let digits = argument.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (size, last) = argument.split_at(digits);
    let last = match last {
        b"" => false,
        [b' ', word @ ..] if word.eq_ignore_ascii_case(b"LAST") => true,
        _ => return None,
    };
    let size = size.iter().try_fold(0u64, |size, digit| size.checked_mul(10)?.checked_add(u64::from(digit - b'0')))?;
    (digits > 0).then_some((size, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said to a client that says `input`, cut into pieces of `cut` bytes, and the totals.
    fn talk(offer: &str, input: &str, cut: usize) -> (String, Totals) {
        let (offer, mut replies, mut totals) = (Offer::parse(offer).unwrap(), Vec::new(), Totals::default());
        let mut session = Session::open(&mut replies);
        replies.clear();
        for piece in input.as_bytes().chunks(cut) {
            session.receive(piece, &offer, &mut replies, &mut totals);
        }
        let codes = String::from_utf8(replies).unwrap();
        (codes.lines().map(|line| &line[..4]).collect::<String>().trim().to_owned(), totals)
    }

    const ENVELOPE: &str = "MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\n";

    #[test]
    fn dialogues_whole_and_cut() {
        for (offer, input, codes, messages, refusals) in [
            ("", "EHLO a\r\nHELO a\r\nnoop\r\nRSET\r\nQUIT\r\n", "250 250 250 250 221", 0, 0),
            ("SIZE,PIPELINING", "EHLO a\r\n", "250-250-250", 0, 0),
            ("", &format!("{ENVELOPE}DATA\r\na\r\n.\r\n{ENVELOPE}"), "250 250 354 250 250 250", 1, 0),
            ("CHUNKING", &format!("{ENVELOPE}BDAT 3\r\na\r\nBDAT 0 LAST\r\nQUIT\r\n"), "250 250 250 250 221", 1, 0),
            (
                "CHUNKING",
                &format!("{ENVELOPE}BDAT 3 last\r\na\r\n{ENVELOPE}BDAT 1 LAST\r\na"),
                "250 250 250 250 250 250",
                2,
                0,
            ),
            ("", &format!("{ENVELOPE}BDAT 3 LAST\r\na\r\n"), "250 250 503", 0, 1),
            ("CHUNKING", &format!("{ENVELOPE}BDAT x\r\na\r\n"), "250 250 501", 0, 1),
            (
                "",
                "RCPT TO:<c@d.test>\r\nMAIL FROM:<>\r\nDATA\r\nMAIL FROM:<>\r\nAUTH PLAIN\r\n",
                "503 250 503 503 502",
                0,
                4,
            ),
            ("SIZE", "MAIL FROM:<> SIZE=3\r\n", "250", 0, 0),
            ("SIZE", "MAIL FROM:<> SIZE=3 BODY=8BITMIME\r\n", "555", 0, 1),
            ("8BITMIME,SMTPUTF8", "MAIL FROM:<> body=8bitmime SMTPUTF8\r\n", "250", 0, 0),
        ] {
            for cut in [1, 2, 3, 1000] {
                let (said, totals) = talk(offer, input, cut);
                assert_eq!(
                    (said.as_str(), totals.messages, totals.refusals),
                    (codes, messages, refusals),
                    "{input:?}, {cut}"
                );
                assert_eq!(totals.recipients, messages);
            }
        }
    }

    #[test]
    fn a_long_line_ends_the_session() {
        let (said, totals) = talk("", &"x".repeat(LONGEST_LINE + 2), 1000);
        assert_eq!((said.as_str(), totals.refusals), ("500", 1));
    }

    #[test]
    fn data_and_bdat_give_the_same_digest() {
        let (_, data) = talk("", &format!("{ENVELOPE}DATA\r\n..a\r\n.\r\n"), 7);
        let (_, bdat) = talk("CHUNKING", &format!("{ENVELOPE}BDAT 2\r\n.aBDAT 2 LAST\r\n\r\n"), 5);
        assert_eq!((data.digest, data.bytes), (bdat.digest, bdat.bytes));
        assert_eq!(data.bytes, 4);
    }

    #[test]
    fn a_reset_leaves_no_content_behind() {
        let content = format!("{ENVELOPE}BDAT 3 LAST\r\na\r\n");
        let (_, one) = talk("CHUNKING", &content, 1000);
        let (_, other) = talk("CHUNKING", &format!("{ENVELOPE}BDAT 2\r\nxxRSET\r\n{content}"), 1000);
        assert_eq!(one.digest, other.digest);
    }
}
