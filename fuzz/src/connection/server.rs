//! A server that reads along.
//!
//! It shares no code with the machine. It reads what the host writes, one byte after the other, and what the host is
//! sent; it matches replies to commands, and so knows what was taken, what was refused and what is still open. It panics
//! where what was said is not well-formed, not offered, or not allowed yet.

use std::collections::{BTreeSet, VecDeque};

use okuru_core::client::{Chunking, Config, Pipelining, Protocol, Tls};
use okuru_core::syntax::Framing;

use super::offer::Offer;
use super::transaction::{Named, Transaction, is_refused, is_taken};
use crate::reply::Model;

/// What a reply is due for. The numbers are those of a transaction, and of one that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Greeting,
    Hello {
        esmtp: bool,
    },
    StartTls,
    Auth,
    Mail(usize),
    Rcpt(usize, usize),
    Data(usize),
    Chunk(usize),
    /// From LMTP for one recipient.
    Content(usize, Option<usize>),
    Rset,
    Query,
    Quit,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    pub(super) what: What,
    /// How many octets have been said when its command has been.
    pub(super) end: u64,
}

/// What the next octets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Command,
    /// An answer to a challenge.
    Response,
    Dotted(usize),
    Counted {
        transaction: usize,
        left: u64,
        last: bool,
    },
}

/// What has to come of what the server said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Anything,
    /// The connection must not go on.
    Closes,
}

#[derive(Debug)]
pub(super) struct Server {
    config: Config,
    pub(super) said: u64,
    pub(super) written: u64,
    mode: Mode,
    line: Vec<u8>,
    pub(super) due: VecDeque<Due>,
    pub(super) transactions: Vec<Transaction>,
    /// A transaction that has begun and not come to its end.
    open: Option<usize>,
    pub(super) offered: Offer,
    pub(super) tls: Option<bool>,
    /// TLS is being made.
    pub(super) handshake: bool,
    /// The beginning of a reply.
    half: Vec<u8>,
    /// Replies that the host has not been told of yet.
    pub(super) replies: VecDeque<Vec<u8>>,
    pub(super) over: bool,
    pub(super) ready: bool,
    /// The host was told that this server does not take everything that it offers.
    pub(super) reduced: bool,
    /// Whether nobody knows any more which reply answers what.
    out_of_step: bool,
    /// Those of the recipients so far.
    domains: BTreeSet<String>,
    auths: usize,
    cancelled_auth: bool,
    pub(super) quit: bool,
}

impl Server {
    pub(super) fn new(config: Config) -> Self {
        Self {
            config,
            said: 0,
            written: 0,
            mode: Mode::Command,
            line: Vec::new(),
            due: VecDeque::new(),
            transactions: Vec::new(),
            open: None,
            offered: Offer::default(),
            tls: None,
            handshake: false,
            half: Vec::new(),
            replies: VecDeque::new(),
            over: false,
            ready: false,
            reduced: false,
            out_of_step: false,
            domains: BTreeSet::new(),
            auths: 0,
            cancelled_auth: false,
            quit: false,
        }
    }

    /// The connection is polled for the first time.
    pub(super) fn begin(&mut self) {
        if self.config.tls == Tls::Implicit {
            self.handshake = true;
        } else {
            self.wait_for(What::Greeting);
        }
    }

    pub(super) fn tls_started(&mut self, verified: bool) {
        self.handshake = false;
        self.tls = Some(verified);
        self.offered = Offer::default();
        if self.config.tls == Tls::Implicit {
            self.wait_for(What::Greeting);
        }
    }

    /// Whether nothing is left in the middle.
    pub(super) fn is_between_commands(&self) -> bool {
        self.mode == Mode::Command && self.line.is_empty()
    }

    /// These octets are to be written.
    pub(super) fn hear(&mut self, bytes: &[u8]) {
        assert!(!self.handshake, "something was said while TLS was being made");
        for &byte in bytes {
            self.said += 1;
            if let Mode::Counted { transaction, left, last } = &mut self.mode {
                *left -= 1;
                let (transaction, left, last) = (*transaction, *left, *last);
                self.transactions[transaction].content.push(byte);
                if left == 0 {
                    self.chunk_ended(transaction, last);
                }
                continue;
            }
            assert!(byte == b'\n' || self.line.last() != Some(&b'\r'), "a bare CR");
            self.line.push(byte);
            if byte == b'\n' {
                assert!(self.line.ends_with(b"\r\n"), "a bare LF");
                let line = std::mem::take(&mut self.line);
                self.hear_line(&line);
            }
        }
    }

    fn hear_line(&mut self, line: &[u8]) {
        if let Mode::Dotted(transaction) = self.mode {
            if line == b".\r\n" {
                self.mode = Mode::Command;
                return self.content_ended(transaction);
            }
            let line = line.strip_prefix(b".").unwrap_or(line);
            return self.transactions[transaction].content.extend_from_slice(line);
        }
        let line = std::str::from_utf8(&line[..line.len() - 2]).expect("a command is UTF-8");
        assert!(!line.chars().any(char::is_control), "{line:?} holds a control character");
        if self.mode == Mode::Response && line != "QUIT" {
            assert!(line == "*" || !line.contains([' ', ':']), "{line} is no response");
            self.mode = Mode::Command;
            self.cancelled_auth = line == "*";
            return self.wait_for(What::Auth);
        }
        self.mode = Mode::Command;
        self.command(line);
    }

    /// The first octets of content whose line has not ended yet.
    pub(super) fn half_line(&self, transaction: usize) -> &[u8] {
        match self.mode {
            Mode::Dotted(open) if open == transaction => self.line.strip_prefix(b".").unwrap_or(&self.line),
            _ => &[],
        }
    }

    fn wait_for(&mut self, what: What) {
        self.due.push_back(Due { what, end: self.said });
    }

    fn command(&mut self, line: &str) {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        assert!(!self.over || verb == "QUIT", "{line} was said when all was over");
        assert!(!self.quit, "{line} was said behind QUIT");
        if matches!(self.config.tls, Tls::StartTls | Tls::Implicit) && self.tls != Some(true) {
            assert!(matches!(verb, "EHLO" | "LHLO" | "HELO" | "STARTTLS" | "QUIT"), "{line} was said without TLS");
            assert!(self.config.tls == Tls::StartTls, "{line} was said before TLS");
        }
        if matches!(verb, "MAIL" | "RCPT" | "DATA" | "BDAT" | "RSET" | "NOOP" | "VRFY" | "EXPN" | "HELP") {
            assert!(self.ready, "{line} was said too early");
        }
        self.check_group(verb, line);
        match verb {
            "EHLO" | "LHLO" | "HELO" => {
                assert_eq!(rest, "client.example");
                assert_eq!(verb == "LHLO", self.is_lmtp());
                self.wait_for(What::Hello { esmtp: verb != "HELO" });
            }
            "STARTTLS" => {
                assert!(self.offered.has("STARTTLS") && self.tls.is_none());
                self.wait_for(What::StartTls);
            }
            "AUTH" => self.auth(rest),
            "MAIL" => self.mail(rest.strip_prefix("FROM:").expect("FROM: follows")),
            "RCPT" => self.rcpt(rest.strip_prefix("TO:").expect("TO: follows")),
            "DATA" => {
                let transaction = self.open.expect("DATA belongs to a transaction");
                assert_ne!(self.transactions[transaction].body.as_deref(), Some("BINARYMIME"));
                self.wait_for(What::Data(transaction));
            }
            "BDAT" => self.bdat(rest),
            "RSET" => {
                self.open = None;
                self.wait_for(What::Rset);
            }
            "NOOP" | "VRFY" | "EXPN" | "HELP" => self.wait_for(What::Query),
            "QUIT" => {
                self.quit = true;
                self.wait_for(What::Quit);
            }
            _ => panic!("{line:?} is no command"),
        }
    }

    fn is_lmtp(&self) -> bool {
        self.config.protocol == Protocol::Lmtp
    }

    /// How much may go together, by what was asked for and what is offered.
    fn level(&self) -> Pipelining {
        let streams = !self.is_lmtp() && self.offered.has("CHUNKING") && self.config.chunking != Chunking::Never;
        match self.config.pipelining {
            _ if !self.offered.has("PIPELINING") => Pipelining::None,
            level if self.reduced => level.min(Pipelining::Message),
            Pipelining::Streaming if !streams => Pipelining::Session,
            level => level,
        }
    }

    /// RFC 2920 section 3.1: what may be said before the replies to what was said before.
    fn check_group(&self, verb: &str, line: &str) {
        assert!(
            !self.out_of_step || verb == "QUIT",
            "{line} was said although nobody knows what its reply will answer"
        );
        let Some(last) = self.due.back() else {
            return;
        };
        if self.over {
            return;
        }
        let level = self.level();
        let waits_alone = matches!(
            last.what,
            What::Greeting
                | What::Hello { .. }
                | What::StartTls
                | What::Auth
                | What::Data(_)
                | What::Query
                | What::Quit
        );
        assert!(!waits_alone, "{line} was said before the reply to {:?}", last.what);
        assert!(level >= Pipelining::Message, "{line} was pipelined, without PIPELINING");
        for due in &self.due {
            match due.what {
                What::Content(transaction, _) => {
                    assert!(level >= Pipelining::Session, "{line} was said before the reply to content");
                    let dotted = self.transactions[transaction].framing == Some(Framing::Dotted);
                    assert!(dotted || level == Pipelining::Streaming, "{line} was said before the reply to BDAT LAST");
                }
                What::Mail(_) | What::Rcpt(..) if verb == "BDAT" => {
                    assert_eq!(level, Pipelining::Streaming, "{line} was said before it was known to whom");
                }
                _ => {}
            }
        }
    }

    fn auth(&mut self, rest: &str) {
        let authentication = self.config.authentication.as_ref().expect("there are credentials");
        assert!(self.tls == Some(true) || authentication.dangerously_allow_plaintext, "AUTH without TLS");
        let (mechanism, _) = rest.split_once(' ').unwrap_or((rest, ""));
        assert!(self.offered.words("AUTH").any(|word| word == mechanism), "{mechanism} is not offered");
        self.auths += 1;
        assert!(self.auths == 1 || authentication.try_all, "AUTH was tried again");
        assert!(!self.ready);
        self.wait_for(What::Auth);
    }

    fn mail(&mut self, rest: &str) {
        if let Some(open) = self.open {
            let refused = self.transactions[open].mail.is_some_and(is_refused);
            assert!(refused, "MAIL was said within a transaction");
        }
        let mut transaction = Transaction::begin(rest);
        transaction.behind_content = self.due.iter().any(|due| matches!(due.what, What::Content(..)));
        transaction.check_parameters(rest, &self.offered, self.tls == Some(true));
        self.open = Some(self.transactions.len());
        self.transactions.push(transaction);
        if let Some(most) = self.offered.limit("MAILMAX") {
            assert!(self.transactions.len() as u64 <= most, "more than {most} transactions");
        }
        self.wait_for(What::Mail(self.transactions.len() - 1));
    }

    fn rcpt(&mut self, rest: &str) {
        let open = self.open.expect("RCPT belongs to a transaction");
        let transaction = &mut self.transactions[open];
        let named = Named::read(rest, &mut transaction.message);
        assert!(transaction.utf8 || rest.is_ascii(), "{rest} without SMTPUTF8");
        if rest.contains(" NOTIFY=") || rest.contains(" ORCPT=") {
            assert!(self.offered.has("DSN"), "{rest} without DSN");
        }
        assert!(transaction.named.iter().all(|other| other.recipient != named.recipient), "{rest} twice");
        transaction.named.push(named);
        let count = transaction.named.len();
        if let Some(most) = self.offered.limit("RCPTMAX") {
            assert!(count as u64 <= most, "more than {most} recipients");
        }
        if let (Some(most), Some(domain)) = (self.offered.limit("RCPTDOMAINMAX"), domain_of(rest)) {
            self.domains.insert(domain);
            assert!(self.domains.len() as u64 <= most, "more than {most} domains");
        }
        let transaction = &self.transactions[open];
        let (message, recipient) = (transaction.message, transaction.named[count - 1].recipient);
        for before in self.transactions[..open].iter().filter(|before| before.message == message) {
            let kept = before.end.is_some() && !before.was_refused(recipient) && before.names(recipient);
            assert!(!kept, "{rest} may get the message twice");
        }
        self.wait_for(What::Rcpt(open, count - 1));
    }

    fn bdat(&mut self, rest: &str) {
        assert!(self.offered.has("CHUNKING") && self.config.chunking != Chunking::Never);
        let transaction = self.open.expect("BDAT belongs to a transaction");
        let (size, last) = rest.strip_suffix(" LAST").map_or((rest, false), |size| (size, true));
        let left = size.parse().expect("BDAT has a size");
        self.transactions[transaction].framing = Some(match self.transactions[transaction].body.as_deref() {
            Some("BINARYMIME") => Framing::Binary,
            _ => Framing::Counted,
        });
        assert!(!self.transactions[transaction].chunk_refused, "a chunk behind a refused one");
        self.mode = Mode::Counted { transaction, left, last };
        if left == 0 {
            self.chunk_ended(transaction, last);
        }
    }

    fn chunk_ended(&mut self, transaction: usize, last: bool) {
        self.mode = Mode::Command;
        if last {
            self.content_ended(transaction);
        } else {
            self.wait_for(What::Chunk(transaction));
        }
    }

    fn content_ended(&mut self, transaction: usize) {
        // RFC 3030 section 2: until the last chunk is answered nobody knows what the server makes of MAIL.
        if self.transactions[transaction].framing == Some(Framing::Dotted) {
            self.open = None;
        }
        self.transactions[transaction].end = Some(self.said);
        let taken = self.transactions[transaction].taken();
        // RFC 2033 section 4.2: nobody was taken, so there may be no reply, or one as in SMTP.
        self.out_of_step |= self.is_lmtp() && taken.is_empty();
        if !self.is_lmtp() {
            return self.wait_for(What::Content(transaction, None));
        }
        for named in taken {
            self.wait_for(What::Content(transaction, Some(named)));
        }
    }

    /// The server says this, which reaches at most to the end of a line.
    pub(super) fn speak(&mut self, bytes: &[u8]) -> Then {
        if self.handshake {
            return Then::Closes;
        }
        self.half.extend_from_slice(bytes);
        let model = Model::of(&self.half, self.config.reply_limits);
        if model.error.is_some() {
            return Then::Closes;
        }
        match *model.replies {
            [] => Then::Anything,
            [reply] => {
                let reply = reply.to_vec();
                self.half.clear();
                self.replies.push_back(reply.clone());
                self.reply(&reply)
            }
            _ => panic!("one line holds two replies"),
        }
    }

    fn reply(&mut self, raw: &[u8]) -> Then {
        let code = raw[..3].iter().fold(0, |code, digit| 10 * code + u16::from(digit - b'0'));
        let then = if code == 421 { Then::Closes } else { Then::Anything };
        let Some(&Due { what, end }) = self.due.front() else {
            if let Mode::Dotted(transaction) = self.mode
                && is_refused(code)
            {
                self.transactions[transaction].chunk_refused = true;
            }
            return Then::Closes;
        };
        let refuses_early = is_refused(code) && matches!(what, What::Chunk(_) | What::Content(..));
        if end > self.written && !refuses_early && code != 421 {
            return Then::Closes;
        }
        self.due.pop_front();
        if matches!(what, What::Content(transaction, _) if self.open == Some(transaction)) {
            self.open = None;
        }
        let is_go_on = (300..400).contains(&code);
        match what {
            What::Hello { esmtp } if is_taken(code) => {
                self.offered = if esmtp { Offer::read(raw) } else { Offer::default() };
            }
            What::StartTls if is_taken(code) => self.handshake = true,
            What::Auth => {
                if is_go_on && !self.cancelled_auth {
                    self.mode = Mode::Response;
                }
            }
            What::Mail(transaction) => self.transactions[transaction].mail = Some(code),
            What::Rcpt(transaction, named) => self.transactions[transaction].named[named].code = Some(code),
            What::Data(transaction) => {
                self.transactions[transaction].data = Some(code);
                if is_go_on {
                    self.transactions[transaction].framing = Some(Framing::Dotted);
                    self.mode = Mode::Dotted(transaction);
                }
                return if is_taken(code) { Then::Closes } else { then };
            }
            What::Chunk(transaction) => self.transactions[transaction].chunk_refused |= is_refused(code),
            // That is no answer.
            What::Content(..) if is_go_on => {}
            What::Content(transaction, None) => self.transactions[transaction].answer = Some(code),
            What::Content(transaction, Some(named)) => {
                self.transactions[transaction].named[named].answer = Some(code);
            }
            What::Greeting | What::Hello { .. } | What::StartTls | What::Rset | What::Query | What::Quit => {}
        }
        match what {
            // RSET may be a query of the user.
            What::Auth | What::Query | What::Rset => then,
            What::Quit => Then::Closes,
            _ if is_go_on => Then::Closes,
            _ => then,
        }
    }
}

/// The domain in what stands behind `RCPT TO:`, in one of its forms.
fn domain_of(rest: &str) -> Option<String> {
    let (_, behind) = rest.split_once('@')?;
    let (domain, _) = behind.split_once('>')?;
    Some(domain.replace("xn--exmple-cua", "exämple"))
}
