//! A host that carries out a script, and holds against the machine what must hold.

use std::collections::BTreeMap;
use std::time::Duration;

use arbitrary::Unstructured;
use okuru_core::sasl;
use okuru_core::server::{
    Answer, Closed, Config, Event, MessageId, Output, Peer, Protocol, Question, QuestionId, Seed, Session, TlsInfo,
    Trace,
};
use okuru_core::syntax::{DecodedPiece, Reply, Severity};
use okuru_core::{Error, ErrorCode};

use super::reader::Reader;
use super::script::{PASSWORD, PHRASES, USER};
use crate::bytes::{blob, byte};

const MOST_STEPS: usize = 300;
const MOST_OUTPUTS: usize = 10_000;

pub(super) struct Host {
    session: Session,
    config: Config,
    reader: Reader,
    now: Duration,
    input: Vec<u8>,
    taken: usize,
    open: Vec<(QuestionId, Question)>,
    contents: BTreeMap<u64, Vec<u8>>,
    recent: MessageId,
    wants_tls: bool,
    deadline: Option<Duration>,
    closed: Option<Closed>,
    has_ended: bool,
    /// What is answered at once: 0 nothing, 1 all, else by the next byte.
    policy: u8,
    shows: bool,
}

impl Host {
    pub(super) fn new(config: Config, shows: bool) -> Self {
        let seed = Seed { random: [1; 32], unix_time: 0 };
        Self {
            session: Session::new(config.clone(), Peer::default(), seed),
            reader: Reader::new(&config),
            config,
            now: Duration::from_secs(1000),
            input: Vec::new(),
            taken: 0,
            open: Vec::new(),
            contents: BTreeMap::new(),
            recent: MessageId(0),
            wants_tls: false,
            deadline: None,
            closed: None,
            has_ended: false,
            policy: 1,
            shows,
        }
    }

    pub(super) fn run(&mut self, from: &mut Unstructured<'_>) {
        self.drive();
        for _ in 0..MOST_STEPS {
            if from.is_empty() {
                break;
            }
            self.step(from);
            self.drive();
        }
        // Nothing goes on for ever.
        self.policy = 1;
        while let Some((id, question)) = self.open.pop() {
            self.answer(id, &question, 0);
            self.drive();
        }
        for _ in 0..10 {
            if let Some(deadline) = self.deadline {
                self.now = self.now.max(deadline);
                self.session.deadline_passed(self.now);
                self.drive();
            }
        }
        assert!(self.closed.is_some(), "it does not end");
        assert_eq!(self.session.receive(self.now, b"NOOP\r\n"), 6);
        self.session.stop();
        self.session.receive_eof(self.now);
        self.drive();
    }

    fn step(&mut self, from: &mut Unstructured<'_>) {
        let kind = byte(from);
        match kind {
            0..64 => self.say(PHRASES[usize::from(kind) % PHRASES.len()]),
            64 => {
                let bytes = blob(from).to_vec();
                self.say(&bytes);
            }
            65 => {
                let line = [blob(from), b"\r\n"].concat();
                self.say(&line);
            }
            // Several at once.
            66 => {
                let phrases: Vec<&[u8]> =
                    blob(from).iter().map(|it| PHRASES[usize::from(*it) % PHRASES.len()]).collect();
                self.say(&phrases.concat());
            }
            // Each byte for itself.
            67 => {
                let phrase = PHRASES[usize::from(byte(from)) % PHRASES.len()];
                for byte in phrase {
                    self.say(&[*byte]);
                    self.drive();
                }
            }
            68 => {
                let (which, kind) = (usize::from(byte(from)), byte(from));
                if !self.open.is_empty() {
                    let (id, question) = self.open.remove(which % self.open.len());
                    self.answer(id, &question, kind);
                }
            }
            69 => self.policy = byte(from) % 4,
            70 => self.now += Duration::from_millis(u64::from(byte(from)) * 10),
            71 => {
                if let Some(deadline) = self.deadline {
                    self.now = self.now.max(deadline);
                }
                self.session.deadline_passed(self.now);
            }
            72 if self.wants_tls => {
                self.wants_tls = false;
                if self.closed.is_none() {
                    self.reader.tls_started();
                }
                self.session
                    .tls_started(self.now, TlsInfo { client_verified: byte(from) % 2 == 1, ..TlsInfo::default() });
            }
            73 => {
                self.session.refuse_content(self.recent, reply("452 4.3.1 the disk is full\r\n"));
            }
            74 => self.session.stop(),
            75 if byte(from) % 4 == 3 => self.session.failed(Error::new(ErrorCode::ConnectLost, "it broke")),
            76 if self.input.len() == self.taken => {
                self.has_ended = true;
                self.session.receive_eof(self.now);
            }
            _ => {}
        }
    }

    fn say(&mut self, bytes: &[u8]) {
        if self.has_ended {
            return;
        }
        if self.shows {
            println!("C: {}", bytes.escape_ascii());
        }
        if self.wants_tls {
            // They came before TLS, and end the session.
            let taken = self.session.receive(self.now, bytes);
            assert!(bytes.is_empty() || taken > 0);
            return;
        }
        self.input.drain(..std::mem::take(&mut self.taken));
        self.input.extend_from_slice(bytes);
    }

    fn drive(&mut self) {
        let mut idle = 0;
        let mut unwritten = 0;
        for _ in 0..MOST_OUTPUTS {
            let output = self.session.poll(self.now);
            if self.shows && !matches!(output, Output::Event(Event::Trace(_))) {
                println!("    {output:?}");
            }
            assert!(self.closed.is_none() || matches!(output, Output::Closed(_)), "it was over");
            match output {
                Output::Write(bytes) => {
                    unwritten += bytes.len();
                    self.reader.hear(&bytes);
                }
                Output::Content { message, piece } => {
                    self.recent = message;
                    let bytes = match piece {
                        DecodedPiece::Received(range) => &self.input[range],
                        DecodedPiece::Added(bytes) => bytes,
                    };
                    assert!(!bytes.is_empty());
                    let content = self.contents.entry(message.0).or_default();
                    content.extend_from_slice(bytes);
                    assert!(content.len() as u64 <= self.config.bounds.message, "larger than it may be");
                }
                Output::Discard { message } => {
                    assert!(self.contents.remove(&message.0).is_some(), "what is discarded was never there");
                }
                Output::Ask { id, question } => self.asked(id, question),
                Output::StartTls => self.wants_tls = true,
                Output::Event(event) => learn(&event),
                Output::Wait { deadline, reads } => {
                    assert!(unwritten <= self.config.bounds.unwritten + 200 * 1000, "too much at once");
                    self.deadline = deadline;
                    assert!(deadline.is_some() || !self.open.is_empty(), "it waits for ever");
                    self.input.drain(..std::mem::take(&mut self.taken));
                    if reads && self.open.is_empty() && self.input.is_empty() {
                        self.reader.nothing_is_due();
                    }
                    if !reads || self.input.is_empty() {
                        return;
                    }
                    self.taken = self.session.receive(self.now, &self.input);
                    self.reader.taken(&self.input[..self.taken]);
                    idle = if self.taken == 0 { idle + 1 } else { 0 };
                    assert!(idle < 2, "it says that it takes bytes, and takes none");
                }
                Output::Closed(closed) => {
                    assert!(self.closed.as_ref().is_none_or(|before| *before == closed));
                    assert!(self.contents.is_empty(), "half a message is left");
                    self.closed = Some(closed);
                    self.deadline = None;
                    return;
                }
            }
        }
        panic!("there is no end of outputs");
    }

    fn asked(&mut self, id: QuestionId, question: Question) {
        assert!(self.open.len() < self.config.bounds.pending.max(1), "more is asked than may be");
        if let Question::Message(received) = &question {
            let content = self.contents.remove(&received.message.0).unwrap_or_default();
            self.reader.asked(received, &content);
        }
        match self.policy {
            0 => self.open.push((id, question)),
            1 => self.answer(id, &question, 0),
            // Credentials at once, and the others later; or the other way round.
            2 if matches!(question, Question::Credentials(_)) => self.answer(id, &question, 0),
            3 if !matches!(question, Question::Credentials(_)) => self.answer(id, &question, 0),
            _ => self.open.push((id, question)),
        }
    }

    fn answer(&mut self, id: QuestionId, question: &Question, kind: u8) {
        let answer = match (question, kind % 16) {
            (Question::Credentials(question), 0..=8) => Answer::Credentials(know(question)),
            (_, 0..=3) => Answer::Accept,
            (_, 4) => Answer::Refuse,
            (_, 5) => Answer::Reply(reply("250-yes\r\n250 indeed\n")),
            (_, 6) => Answer::Reply(reply("451 4.3.0 later\r\n")),
            (_, 7) => Answer::Reply(reply("550 5.7.1 never\r\n")),
            (_, 8) => Answer::Reply(reply("354 go\r\n")),
            (_, 9) => Answer::Reply(reply("421 4.3.2 bye\r\n")),
            (_, 10) => Answer::ReplyAndClose(reply("554 5.7.1 bye\r\n")),
            (_, 11) => Answer::Close,
            (_, 12) => Answer::Replies(vec![reply("250 one\r\n"), reply("452 two\r\n")]),
            (_, 13) => Answer::Replies(Vec::new()),
            (_, 14) => Answer::Credentials(sasl::Answer::Unavailable),
            _ => Answer::ReplyAndClose(reply("250 2.0.0 yes and bye\r\n")),
        };
        if let Question::Message(received) = question {
            let count = received.envelope.recipients.len();
            self.reader.answered(received.message.0, accepted(&answer, count, self.config.protocol));
        }
        if self.shows {
            println!("    {answer:?} to {id:?}");
        }
        let was_open = self.session.answer(self.now, id, answer);
        assert!(was_open || self.session.is_closed(), "the question is not open");
    }
}

/// Whom the host has accepted by such an answer.
fn accepted(answer: &Answer, count: usize, protocol: Protocol) -> Vec<bool> {
    let is_yes = |reply: &Reply| reply.severity() == Severity::Completion;
    match answer {
        Answer::Accept => vec![true; count],
        Answer::Reply(reply) | Answer::ReplyAndClose(reply) => vec![is_yes(reply); count],
        Answer::Replies(replies) if protocol == Protocol::Lmtp => {
            (0..count).map(|place| replies.get(place).is_some_and(is_yes)).collect()
        }
        _ => vec![false; count],
    }
}

fn know(question: &sasl::Question) -> sasl::Answer {
    match question {
        sasl::Question::Verify { user, password, .. } if user == USER && password.expose() == PASSWORD => {
            sasl::Answer::Accept { user: user.clone() }
        }
        sasl::Question::Password { user } if user == USER => sasl::Answer::Password(PASSWORD.into()),
        sasl::Question::External { .. } => sasl::Answer::Accept { user: USER.into() },
        sasl::Question::Token { .. } => sasl::Answer::Refuse,
        _ => sasl::Answer::Unknown,
    }
}

fn learn(event: &Event) {
    // The password can come in the clear only where no secret is expected: those are the client's own lines.
    if let Event::Trace(Trace::Sent(line)) = event {
        assert!(!line.contains(PASSWORD) && !line.contains('\n') && !line.contains('\r'));
    }
}

fn reply(text: &str) -> Reply {
    Reply::parse(text.as_bytes()).expect("it is a reply")
}
