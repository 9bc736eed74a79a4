//! A witness reads what went over the wire, as a server would, and knows which outcomes are lies.
//!
//! It shares no code with the machine. It cuts our bytes into commands and content, the server's into replies, matches them
//! in order, and keeps for each transaction what was asked, answered and fully sent. From that follows, whatever else
//! happened:
//!
//! - *accepted* if and only if the recipient was taken and a 2yz came after the content;
//! - *unknown* if and only if the content was fully sent, nothing of it had been refused, and no reply came.

use std::collections::VecDeque;

use super::dialogue::{Message, State};

/// What has been seen so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Witness {
    lmtp: bool,
    /// The beginning of a line of ours, or of a reply.
    half_said: Vec<u8>,
    half_heard: Vec<u8>,
    mode: Mode,
    due: VecDeque<Due>,
    transactions: Vec<Transaction>,
    /// The server has said what is no reply, or 421: from then on nothing can be told for certain.
    lost: bool,
    complaint: Option<String>,
}

/// What the next bytes of ours are.
#[derive(Clone, Debug, Default)]
enum Mode {
    #[default]
    Command,
    /// An answer to a challenge.
    Response,
    /// Content, up to a line with a dot.
    Dotted,
    /// So many octets of content.
    Counted { left: usize, last: bool },
}

/// What a reply is due for. The numbers are those of a transaction and of one of its recipients.
#[derive(Clone, Copy, Debug)]
enum Due {
    Other,
    Auth,
    Mail(usize),
    Rcpt(usize, usize),
    Data(usize),
    Chunk(usize),
    Content(usize),
}

#[derive(Clone, Debug, Default)]
struct Transaction {
    from: String,
    recipients: Vec<Recipient>,
    /// Something that concerns all recipients was refused.
    refused: bool,
    /// The content has been written to its end.
    sent: bool,
    /// The reply to the content; LMTP: one for each recipient, which stands there.
    answer: Option<u16>,
}

#[derive(Clone, Debug, Default)]
struct Recipient {
    to: String,
    code: Option<u16>,
    answer: Option<u16>,
}

/// The code of a reply, if it is one: the same in all lines.
fn reply_code(reply: &[u8]) -> Option<u16> {
    let mut lines = reply.split_inclusive(|&byte| byte == b'\n').map(|line| line.split_at_checked(3));
    let (code, _) = lines.clone().next()??;
    let is_line = |(other, rest): (&[u8], &[u8])| {
        other == code && matches!(rest.first(), Some(b' ' | b'-' | b'\r' | b'\n')) && !rest.contains(&0)
    };
    let is_reply = lines.all(|line| line.is_some_and(is_line));
    std::str::from_utf8(code).ok().filter(|_| is_reply)?.parse().ok()
}

fn is_positive(code: u16) -> bool {
    (200..300).contains(&code)
}

impl Witness {
    pub(super) fn new(lmtp: bool) -> Self {
        let mut witness = Self { lmtp, ..Self::default() };
        witness.due.push_back(Due::Other);
        witness
    }

    /// These bytes of ours were written.
    pub(super) fn said(&mut self, mut bytes: &[u8]) {
        while let Some(&byte) = bytes.first() {
            if let Mode::Counted { left, last } = &mut self.mode {
                let taken = bytes.len().min(*left);
                *left -= taken;
                bytes = &bytes[taken..];
                if *left == 0 {
                    let last = *last;
                    self.chunk_said(last);
                }
                continue;
            }
            bytes = &bytes[1..];
            self.half_said.push(byte);
            if self.half_said.ends_with(b"\r\n") {
                let line = std::mem::take(&mut self.half_said);
                self.line_said(&line);
            } else if byte == b'\n' || self.half_said.ends_with(b"\r\r") {
                self.complain("a bare CR or LF was sent");
            }
        }
    }

    fn line_said(&mut self, line: &[u8]) {
        match self.mode {
            Mode::Command => self.command(&String::from_utf8_lossy(line)),
            Mode::Response => {
                self.mode = Mode::Command;
                self.due.push_back(Due::Auth);
            }
            Mode::Dotted if line == b".\r\n" => {
                self.mode = Mode::Command;
                self.content_said();
            }
            Mode::Dotted | Mode::Counted { .. } => {}
        }
    }

    fn command(&mut self, line: &str) {
        let line = line.trim_end();
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let last = self.transactions.len().wrapping_sub(1);
        if self.due.iter().any(|due| matches!(due, Due::Data(_))) {
            self.complain("something was said behind DATA before its reply came");
        }
        let due = match verb {
            "MAIL" => {
                let from = key(rest.strip_prefix("FROM:").unwrap_or(rest));
                self.transactions.push(Transaction { from, ..Transaction::default() });
                Due::Mail(last.wrapping_add(1))
            }
            "RCPT" => match self.transactions.last_mut() {
                Some(transaction) => {
                    let to = key(rest.strip_prefix("TO:").unwrap_or(rest));
                    transaction.recipients.push(Recipient { to, ..Recipient::default() });
                    Due::Rcpt(last, transaction.recipients.len() - 1)
                }
                None => return self.complain("RCPT before any MAIL"),
            },
            "DATA" => Due::Data(last),
            "BDAT" => {
                let (size, behind) = rest.split_once(' ').unwrap_or((rest, ""));
                let Ok(left) = size.parse() else {
                    return self.complain("BDAT without a size");
                };
                let last = behind == "LAST";
                self.mode = Mode::Counted { left, last };
                if left == 0 {
                    self.chunk_said(last);
                }
                return;
            }
            "AUTH" => Due::Auth,
            "EHLO" | "HELO" | "LHLO" | "STARTTLS" | "RSET" | "NOOP" | "VRFY" | "EXPN" | "HELP" | "QUIT" => Due::Other,
            "*" => Due::Auth,
            _ => return self.complain(&format!("no command: {line}")),
        };
        self.due.push_back(due);
    }

    fn chunk_said(&mut self, last: bool) {
        self.mode = Mode::Command;
        if last {
            self.content_said();
        } else {
            self.due.push_back(Due::Chunk(self.transactions.len().wrapping_sub(1)));
        }
    }

    fn content_said(&mut self) {
        match self.transactions.last_mut() {
            Some(transaction) => transaction.sent = true,
            None => return self.complain("content before any MAIL"),
        }
        self.due.push_back(Due::Content(self.transactions.len() - 1));
    }

    /// These bytes of the server were handed in.
    pub(super) fn heard(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.half_heard.push(byte);
            let line = self.half_heard.split_inclusive(|&byte| byte == b'\n').next_back().unwrap_or_default();
            if byte == b'\n' && line.get(3) != Some(&b'-') {
                match reply_code(&self.half_heard) {
                    Some(code) if !self.lost => self.reply(code),
                    _ => self.lost = true,
                }
                self.half_heard.clear();
            }
        }
    }

    fn reply(&mut self, code: u16) {
        let Some(due) = self.due.pop_front() else {
            self.lost = true;
            return;
        };
        self.lost |= code == 421;
        let refused = !is_positive(code);
        match due {
            Due::Other => {}
            Due::Auth if code == 334 => self.mode = Mode::Response,
            Due::Auth => {}
            Due::Mail(t) | Due::Chunk(t) => self.transactions[t].refused |= refused,
            Due::Rcpt(t, r) => self.transactions[t].recipients[r].code = Some(code),
            Due::Data(_) if (300..400).contains(&code) => self.mode = Mode::Dotted,
            Due::Data(t) => self.transactions[t].refused = true,
            // Neither yes nor no.
            Due::Content(_) if (300..400).contains(&code) => self.lost = true,
            Due::Content(t) if self.lmtp => {
                let mut taken = self.transactions[t].recipients.iter_mut().filter(|r| r.code.is_some_and(is_positive));
                if let Some(recipient) = taken.find(|recipient| recipient.answer.is_none()) {
                    recipient.answer = Some(code);
                }
                if taken.next().is_some() {
                    self.due.push_front(due);
                }
            }
            Due::Content(t) => self.transactions[t].answer = Some(code),
        }
    }

    fn complain(&mut self, what: &str) {
        self.complaint.get_or_insert_with(|| what.to_owned());
    }

    /// What was wrong with what was said.
    pub(super) fn complaint(&self) -> Option<&String> {
        self.complaint.as_ref()
    }

    /// What is wrong with these outcomes of a message that has just ended, one for each recipient.
    pub(super) fn judge(
        &self,
        messages: &[Message],
        message: usize,
        outcomes: impl Iterator<Item = (usize, State)>,
    ) -> Result<(), String> {
        let names = |message: &Message| -> Vec<(String, String)> {
            let from = key(&message.from);
            message.recipients.iter().map(|recipient| (from.clone(), key(&recipient.address))).collect()
        };
        let all: Vec<(String, String)> = messages.iter().flat_map(names).collect();
        let of_this = messages.get(message).map(names).unwrap_or_default();
        for (recipient, state) in outcomes {
            let Some(name) = of_this.get(recipient) else {
                return Err(format!("message {message} has no recipient {recipient}"));
            };
            if all.iter().filter(|other| *other == name).count() == 1 {
                let (from, to) = name;
                self.judge_one(from, to, state).map_err(|what| format!("<{to}> is {state:?}, but {what}"))?;
            }
        }
        Ok(())
    }

    fn judge_one(&self, from: &str, to: &str, state: State) -> Result<(), &'static str> {
        let transactions = self.transactions.iter().filter(|transaction| transaction.from == from);
        let mut seen = transactions.flat_map(|transaction| {
            transaction.recipients.iter().filter(|recipient| recipient.to == to).map(move |r| (transaction, r))
        });
        let answer = |transaction: &Transaction, recipient: &Recipient| {
            if self.lmtp { recipient.answer } else { transaction.answer }
        };
        let accepted = seen.clone().any(|(transaction, recipient)| {
            recipient.code.is_some_and(is_positive) && answer(transaction, recipient).is_some_and(is_positive)
        });
        let open = seen.any(|(transaction, recipient)| {
            let refused = transaction.refused || recipient.code.is_some_and(|code| !is_positive(code));
            transaction.sent && !refused && answer(transaction, recipient).is_none()
        });
        match state {
            State::Accepted if !accepted => Err("no 2yz came after the content"),
            State::Unknown if !open => Err("the content had not been sent, or was refused, or was answered"),
            State::Deferred | State::Rejected | State::Unknown if accepted => Err("a 2yz came after the content"),
            State::Deferred | State::Rejected if open && !self.lost => Err("the content was sent, and no reply came"),
            _ => Ok(()),
        }
    }
}

/// What tells one address from another, however it is written on the wire: the local part, without a source route.
fn key(path: &str) -> String {
    let path = path.strip_prefix('<').map_or(path, |path| path.rsplit_once('>').map_or(path, |(path, _)| path));
    let path = if path.starts_with('@') { path.split_once(':').map_or(path, |(_, path)| path) } else { path };
    path.rsplit_once('@').map_or(path, |(local, _)| local).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn witness(lmtp: bool, dialogue: &[(char, &str)]) -> Witness {
        let mut witness = Witness::new(lmtp);
        for (who, text) in dialogue {
            match who {
                'S' => witness.heard(text.as_bytes()),
                _ => witness.said(text.as_bytes()),
            }
        }
        witness
    }

    const OPENING: [(char, &str); 3] =
        [('S', "220 x\r\n"), ('C', "EHLO c\r\n"), ('S', "250-x\r\n250-PIPELINING\r\n250 CHUNKING\r\n")];

    fn judged(lmtp: bool, dialogue: &[(char, &str)], to: &str) -> Vec<State> {
        let witness = witness(lmtp, &[&OPENING, dialogue].concat());
        assert_eq!(witness.complaint, None);
        [State::Accepted, State::Deferred, State::Rejected, State::Unknown]
            .into_iter()
            .filter(|state| witness.judge_one("a", to, *state).is_ok())
            .collect()
    }

    #[test]
    fn what_may_be_said_of_a_recipient() {
        use State::{Accepted, Deferred, Rejected, Unknown};
        let envelope = ('C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nRCPT TO:<c@x>\r\nDATA\r\n");
        let ready = ('S', "250 ok\r\n250 ok\r\n550 no\r\n354 go\r\n");
        let content = ('C', "..x\r\n.\r\n");
        let refused: &[State] = &[Deferred, Rejected];
        for (dialogue, b, c) in [
            ([envelope, ready, content, ('S', "250 ok\r\n")].as_slice(), [Accepted].as_slice(), refused),
            (&[envelope, ready, content, ('S', "250 ok")], &[Unknown], refused),
            (&[envelope, ready, content], &[Unknown], refused),
            (&[envelope, ready, content, ('S', "451-x\r\n451 x\r\n")], refused, refused),
            (&[envelope, ready, ('C', "..x\r\n.\r")], refused, refused),
            (&[envelope, ready], refused, refused),
            (&[], refused, refused),
        ] {
            assert_eq!(judged(false, dialogue, "b"), b, "{dialogue:?}");
            assert_eq!(judged(false, dialogue, "c"), c, "{dialogue:?}");
        }
    }

    #[test]
    fn chunks_in_flight_and_lmtp() {
        use State::{Accepted, Deferred, Rejected, Unknown};
        let all = ('C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nRCPT TO:<c@x>\r\nBDAT 2\r\n\r\nBDAT 1 LAST\r\nx");
        let refused = [Deferred, Rejected];
        assert_eq!(judged(true, &[all], "b"), [Unknown]);
        assert_eq!(judged(true, &[all, ('S', "250\r\n")], "b"), [Unknown]);
        assert_eq!(judged(true, &[all, ('S', "250\r\n250\r\n250\r\n550\r\n")], "b"), refused);
        let answered = ('S', "250\r\n250\r\n250\r\n250\r\n250\r\n452\r\n");
        assert_eq!(judged(true, &[all, answered], "b"), [Accepted]);
        assert_eq!(judged(true, &[all, answered], "c"), refused);
    }

    #[test]
    fn complaints() {
        for said in ["MAIL FROM:<a@x>\r\nDATA\r\nx\r\n", "RCPT TO:<a@x>\r\n", "MAIL\n", "hello\r\n", "BDAT x\r\n"] {
            assert!(witness(false, &[('C', said)]).complaint.is_some(), "{said}");
        }
    }
}
