//! A client that reads along: what it has said, what each reply answers, and what the server has promised by it.

use std::collections::VecDeque;

use okuru_core::server::{Config, Protocol, Received, Tls};
use okuru_core::syntax::{Command, ForwardPath, Newlines, Reply, ReplyFramer, ReplyLimits, ReversePath, Severity};

pub(super) struct Reader {
    config: Config,
    framer: ReplyFramer,
    /// What the server has taken, and has not been read here.
    bytes: Vec<u8>,
    mode: Mode,
    due: VecDeque<Unit>,
    transaction: Option<Transaction>,
    has_tls: bool,
    pub(super) is_authenticated: bool,
    offers_chunking: bool,
    /// Replies of LMTP to the content at the front that have not come.
    left: Option<usize>,
    /// Messages that the host was asked about, and what it has said.
    asked: VecDeque<Asked>,
    /// The contents whose end has been read, in order, each as its chunks. Those in front may have been refused.
    contents: VecDeque<Vec<Vec<u8>>>,
    chunks: Vec<Vec<u8>>,
    /// The chunk that comes now, or the content by DATA.
    content: Vec<u8>,
    /// Something was said that nobody had asked for: only the end can follow.
    has_last_words: bool,
}

#[derive(Debug)]
enum Mode {
    Greeting,
    Command,
    /// The reply decides about what follows.
    Waits,
    Data,
    Chunk {
        left: u64,
        last: bool,
    },
    Auth,
    Handshake,
}

/// What is to be answered.
#[derive(Debug)]
enum Unit {
    Greeting,
    Hello,
    Mail(ReversePath),
    Rcpt(ForwardPath),
    Data,
    End,
    Chunk { last: bool },
    Rset,
    StartTls,
    Auth,
    Other,
}

#[derive(Debug)]
struct Transaction {
    from: ReversePath,
    to: Vec<ForwardPath>,
    /// Whether a chunk was taken.
    has_begun: bool,
    /// Whether a chunk was refused, so that nothing can come of it.
    is_lost: bool,
}

struct Asked {
    message: u64,
    from: ReversePath,
    to: Vec<ForwardPath>,
    accepted: Option<Vec<bool>>,
}

impl Reader {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            config: config.clone(),
            framer: ReplyFramer::new(ReplyLimits::default()),
            bytes: Vec::new(),
            mode: if config.tls == Tls::Implicit { Mode::Handshake } else { Mode::Greeting },
            due: VecDeque::from([Unit::Greeting]),
            transaction: None,
            has_tls: false,
            is_authenticated: false,
            offers_chunking: false,
            left: None,
            asked: VecDeque::new(),
            contents: VecDeque::new(),
            chunks: Vec::new(),
            content: Vec::new(),
            has_last_words: false,
        }
    }

    pub(super) fn tls_started(&mut self) {
        self.has_tls = true;
        self.mode = if self.config.tls == Tls::Implicit { Mode::Greeting } else { Mode::Command };
        (self.transaction, self.is_authenticated, self.offers_chunking) = (None, false, false);
    }

    /// The server has taken these bytes of the client.
    pub(super) fn taken(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.read();
    }

    /// The host is asked about a message.
    pub(super) fn asked(&mut self, received: &Received, content: &[u8]) {
        assert_eq!(content.len() as u64, received.octets);
        assert!(received.octets <= self.config.bounds.message, "larger than it may be");
        let envelope = &received.envelope;
        let to: Vec<ForwardPath> = envelope.recipients.iter().map(|recipient| recipient.path.clone()).collect();
        assert!(!to.is_empty() && to.len() <= self.config.bounds.recipients as usize);
        let is_binary = envelope.parameters.body == Some(okuru_core::syntax::BodyType::BinaryMime);
        assert!(is_binary || !has_bare_newline(content), "a bare CR or LF passes");
        let refuses = self.config.newlines == Newlines::Refuse && !is_binary;
        let is_it = |chunks: &Vec<Vec<u8>>| {
            (0..chunks.len()).any(|from| {
                let raw = chunks[from..].concat();
                match is_binary {
                    true => raw == content,
                    false => mended(&raw) == content && !(refuses && has_bare_newline(&raw)),
                }
            })
        };
        // Those before it were refused.
        let at = self.contents.iter().position(is_it);
        self.contents.drain(..=at.expect("it is what the client has said"));
        let from = envelope.reverse_path.clone();
        self.asked.push_back(Asked { message: received.message.0, from, to, accepted: None });
    }

    /// The host has answered about a message: whom it has accepted.
    pub(super) fn answered(&mut self, message: u64, accepted: Vec<bool>) {
        if let Some(asked) = self.asked.iter_mut().find(|asked| asked.message == message) {
            asked.accepted = Some(accepted);
        }
    }

    /// The server says these bytes.
    pub(super) fn hear(&mut self, mut bytes: &[u8]) {
        assert!(!matches!(self.mode, Mode::Handshake), "something is said before TLS");
        while !bytes.is_empty() {
            let reply = self.framer.next(&mut bytes).expect("what is said is a reply").expect("it is a whole one");
            assert!(reply.raw().split_inclusive(|byte| *byte == b'\n').all(|line| line.ends_with(b"\r\n")));
            self.reply(&reply);
            self.read();
        }
    }

    /// The server waits, and the host is asked nothing: everything has been answered.
    pub(super) fn nothing_is_due(&self) {
        assert!(self.due.is_empty(), "not answered: {:?}", self.due);
        assert!(!self.has_last_words, "it goes on after its last words");
    }

    fn read(&mut self) {
        loop {
            match &mut self.mode {
                Mode::Greeting | Mode::Waits | Mode::Handshake => return,
                Mode::Command | Mode::Auth => {
                    let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') else {
                        return;
                    };
                    let line: Vec<u8> = self.bytes.drain(..=end).collect();
                    match self.mode {
                        Mode::Auth => {
                            self.mode = Mode::Waits;
                            self.due.push_back(Unit::Auth);
                        }
                        _ => self.command(&line),
                    }
                }
                Mode::Data => {
                    // The line end before it is that of the command.
                    let from = self.content.len().saturating_sub(4);
                    self.content.append(&mut self.bytes);
                    let Some(at) = end_of_data(&self.content, from) else {
                        return;
                    };
                    self.bytes = self.content.split_off(at);
                    self.content.truncate(at - 3);
                    let raw = std::mem::take(&mut self.content);
                    self.contents.push_back(vec![without_dots(&raw)]);
                    self.due.push_back(Unit::End);
                    self.mode = Mode::Command;
                }
                Mode::Chunk { left, last } => {
                    let most = usize::try_from(*left).unwrap_or(usize::MAX).min(self.bytes.len());
                    self.content.extend(self.bytes.drain(..most));
                    *left -= most as u64;
                    let last = *last;
                    if *left > 0 {
                        return;
                    }
                    self.chunks.push(std::mem::take(&mut self.content));
                    if last {
                        self.contents.push_back(std::mem::take(&mut self.chunks));
                    }
                    self.due.push_back(Unit::Chunk { last });
                    self.mode = Mode::Command;
                }
            }
        }
    }

    fn command(&mut self, line: &[u8]) {
        let is_too_long = line.len() > self.config.bounds.command_line && !line[..5].eq_ignore_ascii_case(b"AUTH ");
        let command = if is_too_long { None } else { Command::parse(line).ok() };
        let unit = match command {
            Some(Command::Ehlo(_) | Command::Helo(_) | Command::Lhlo(_)) => Unit::Hello,
            Some(Command::Mail { path, .. }) => Unit::Mail(path),
            Some(Command::Rcpt { path, .. }) => Unit::Rcpt(path),
            Some(Command::Data) => Unit::Data,
            Some(Command::Bdat { size, last }) => {
                self.mode = Mode::Chunk { left: size, last };
                return;
            }
            Some(Command::Rset) => Unit::Rset,
            Some(Command::StartTls) => Unit::StartTls,
            Some(Command::Auth { .. }) => Unit::Auth,
            _ => Unit::Other,
        };
        if matches!(unit, Unit::Data | Unit::StartTls | Unit::Auth) {
            self.mode = Mode::Waits;
        }
        self.due.push_back(unit);
    }

    fn reply(&mut self, reply: &Reply) {
        assert!(!self.has_last_words, "it says more after its last words: {reply}");
        let Some(unit) = self.due.pop_front() else {
            assert!(matches!(reply.severity(), Severity::Transient | Severity::Permanent), "nobody asked: {reply}");
            self.has_last_words = true;
            return;
        };
        let is_yes = reply.severity() == Severity::Completion;
        match unit {
            Unit::Greeting => self.mode = Mode::Command,
            Unit::Hello if is_yes => {
                self.transaction = None;
                let offers = |line: &[u8]| line.eq_ignore_ascii_case(b"CHUNKING");
                self.offers_chunking = reply.lines().any(offers);
            }
            Unit::Mail(from) if is_yes => {
                let is_free = self.transaction.as_ref().is_none_or(|transaction| transaction.is_lost);
                assert!(is_free, "a transaction within a transaction");
                assert!(self.has_tls || self.config.tls != Tls::Required, "without TLS");
                self.transaction = Some(Transaction { from, to: Vec::new(), has_begun: false, is_lost: false });
            }
            Unit::Rcpt(to) if is_yes => {
                let transaction = self.transaction.as_mut().expect("there is a transaction");
                assert!(!transaction.has_begun && !transaction.is_lost);
                let is_ours = match &to {
                    ForwardPath::Postmaster => true,
                    ForwardPath::Mailbox(mailbox) => mailbox.domain().eq_ignore_ascii_case("x.example"),
                };
                assert!(
                    is_ours || self.is_authenticated || self.config.relay.dangerously_for_anyone,
                    "relayed to {to}"
                );
                transaction.to.push(to);
            }
            Unit::Data => {
                let goes_on = reply.severity() == Severity::Intermediate;
                self.mode = if goes_on { Mode::Data } else { Mode::Command };
                assert!(!is_yes, "DATA is answered by {reply}");
                if goes_on {
                    let transaction = self.transaction.as_ref().expect("there is a transaction");
                    assert!(!transaction.to.is_empty() && !transaction.has_begun && !transaction.is_lost);
                }
            }
            Unit::End => self.content_answered(Unit::End, reply),
            Unit::Chunk { last: true } => self.content_answered(Unit::Chunk { last: true }, reply),
            Unit::Chunk { last: false } => {
                let is_there = self.transaction.as_ref().is_some_and(|it| !it.to.is_empty()) && self.offers_chunking;
                assert!(is_there || !is_yes, "a chunk of nothing is taken");
                match &mut self.transaction {
                    Some(transaction) if is_there => {
                        assert!(!(is_yes && transaction.is_lost), "a chunk is taken behind one that was refused");
                        transaction.has_begun = true;
                        transaction.is_lost |= !is_yes;
                    }
                    _ => self.transaction = None,
                }
            }
            Unit::Rset if is_yes => self.transaction = None,
            Unit::StartTls => self.mode = if is_yes { Mode::Handshake } else { Mode::Command },
            Unit::Auth => {
                self.mode = if reply.severity() == Severity::Intermediate { Mode::Auth } else { Mode::Command };
                self.is_authenticated |= is_yes;
            }
            Unit::Hello | Unit::Mail(_) | Unit::Rcpt(_) | Unit::Rset | Unit::Other => {}
        }
        // Only what has a place for it.
        if reply.code() == 421 {
            self.has_last_words = true;
        }
    }

    /// One reply to the content, or in LMTP one of several.
    fn content_answered(&mut self, unit: Unit, reply: &Reply) {
        let is_yes = reply.severity() == Severity::Completion;
        let is_there = self.transaction.as_ref().is_some_and(|it| !it.to.is_empty())
            && (self.offers_chunking || matches!(unit, Unit::End));
        let transaction = self.transaction.as_mut().filter(|_| is_there);
        let Some(transaction) = transaction else {
            assert!(!is_yes, "content of nothing is accepted");
            self.transaction = None;
            return;
        };
        let all = match self.config.protocol {
            Protocol::Smtp => 1,
            Protocol::Lmtp => transaction.to.len(),
        };
        let left = self.left.take().unwrap_or(all);
        if is_yes {
            assert!(!transaction.is_lost, "accepted, although a chunk was refused");
            let is_same = |asked: &Asked| asked.from == transaction.from && asked.to == transaction.to;
            let place = all - left;
            // Who is refused has an answer too, or none was asked for.
            let asked = self.asked.iter().find(|asked| is_same(asked)).expect("the host was asked");
            let accepted = asked.accepted.as_ref().expect("the host has answered");
            let has = match self.config.protocol {
                Protocol::Smtp => accepted.iter().all(|it| *it),
                Protocol::Lmtp => accepted[place],
            };
            assert!(has, "the host has not accepted it");
        }
        if left > 1 && reply.code() != 421 {
            self.left = Some(left - 1);
            self.due.push_front(unit);
        } else {
            let is_same = |asked: &Asked| asked.from == transaction.from && asked.to == transaction.to;
            if let Some(at) = self.asked.iter().position(|asked| asked.accepted.is_some() && is_same(asked)) {
                self.asked.remove(at);
            }
            self.transaction = None;
        }
    }
}

/// Where the end of data is over, in content that begins behind a line end.
fn end_of_data(content: &[u8], from: usize) -> Option<usize> {
    if content.starts_with(b".\r\n") {
        return Some(3);
    }
    let at = content[from..].windows(5).position(|window| window == b"\r\n.\r\n")?;
    Some(from + at + 5)
}

/// The content as it was before dots were added, where its lines end in CR LF.
fn without_dots(raw: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    let mut before: [u8; 2] = *b"\r\n";
    for &byte in raw {
        if !(byte == b'.' && before == *b"\r\n") {
            content.push(byte);
        }
        before = [before[1], byte];
    }
    content
}

/// The content with a CR LF for each CR or LF that stands alone.
fn mended(raw: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    let mut rest = raw;
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'\r' => {
                rest = behind.strip_prefix(b"\n").unwrap_or(behind);
                content.extend_from_slice(b"\r\n");
            }
            b'\n' => content.extend_from_slice(b"\r\n"),
            byte => content.push(*byte),
        }
    }
    content
}

fn has_bare_newline(content: &[u8]) -> bool {
    let mut before = 0;
    let bare = content.iter().any(|&byte| {
        let bare = (before == b'\r') != (byte == b'\n');
        before = byte;
        bare
    });
    bare || before == b'\r'
}
