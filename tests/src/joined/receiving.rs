//! The server's host.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use okuru_core::sasl::{self, Hash, Secret, StoredKeys};
use okuru_core::server::{Answer, Output, Peer, Protocol, Question, QuestionId, Received, Seed, Session, TlsInfo};
use okuru_core::syntax::{DecodedPiece, Reply};
use okuru_core::{Error, ErrorCode};

use super::books::Books;
use super::wire::{Side, Wire};
use super::{Scenario, Verdict, in_turn};

/// Who may send, if the client has to say who it is.
pub const USER: (&str, &str) = ("tim", "tanstaaftanstaaf");

#[derive(Debug)]
pub(super) struct Receiving {
    session: Session,
    input: Vec<u8>,
    taken: usize,
    has_ended: bool,
    told_end: bool,
    pub(super) wants_tls: bool,
    deadline: Option<Duration>,
    is_closed: bool,
    reads: bool,
    verdicts: Vec<Verdict>,
    delays: Vec<u16>,
    is_lmtp: bool,
    asked: usize,
    /// When which question is answered.
    open: Vec<(Duration, QuestionId, Question, Verdict)>,
    content: BTreeMap<u64, Vec<u8>>,
}

const MOST_OUTPUTS: usize = 100_000;

impl Receiving {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let seed = Seed { random: [3; 32], unix_time: 1_700_000_000 };
        Self {
            session: Session::new(scenario.server.clone(), Peer::default(), seed),
            input: Vec::new(),
            taken: 0,
            has_ended: false,
            told_end: false,
            wants_tls: false,
            deadline: None,
            is_closed: false,
            reads: false,
            verdicts: scenario.verdicts.clone(),
            delays: scenario.delays.clone(),
            is_lmtp: scenario.server.protocol == Protocol::Lmtp,
            asked: 0,
            open: Vec::new(),
            content: BTreeMap::new(),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        self.deadline.filter(|_| !self.is_closed)
    }

    /// When the next question is answered.
    pub(super) fn next(&self) -> Option<Duration> {
        self.open.iter().map(|(due, ..)| *due).min()
    }

    pub(super) fn receive(&mut self, bytes: Option<Vec<u8>>) {
        match bytes {
            Some(bytes) if self.wants_tls => {
                // They came before TLS, and must not be kept for later.
                let _ = self.session.receive(Duration::ZERO, &bytes);
            }
            Some(bytes) => {
                self.input.drain(..std::mem::take(&mut self.taken));
                self.input.extend(bytes);
            }
            None => self.has_ended = true,
        }
    }

    pub(super) fn lost(&mut self, _now: Duration) {
        self.session.failed(Error::new(ErrorCode::ConnectLost, "the wire broke"));
    }

    pub(super) fn stop(&mut self) {
        self.session.stop();
    }

    pub(super) fn tls_started(&mut self, now: Duration) {
        self.wants_tls = false;
        self.session.tls_started(now, TlsInfo::default());
    }

    pub(super) fn pass_deadline(&mut self, now: Duration) {
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            self.session.deadline_passed(now);
        }
    }

    /// Hands in what has come, if it is wanted.
    pub(super) fn goes_on(&mut self, now: Duration, _wire: &mut Wire) -> Result<bool, String> {
        if self.is_closed {
            return Ok(false);
        }
        self.input.drain(..std::mem::take(&mut self.taken));
        if self.reads && !self.input.is_empty() {
            self.taken = self.session.receive(now, &self.input);
            self.reads = false;
            return Ok(true);
        }
        if self.has_ended && self.input.is_empty() && !self.told_end {
            self.told_end = true;
            self.session.receive_eof(now);
            return Ok(true);
        }
        Ok(false)
    }

    pub(super) fn drive(&mut self, now: Duration, wire: &mut Wire, books: &mut Books) -> Result<(), String> {
        for _ in 0..MOST_OUTPUTS {
            match self.session.poll(now) {
                Output::Write(bytes) => wire.send(now, Side::Server, &bytes),
                Output::Content { message, piece } => {
                    let bytes = match piece {
                        DecodedPiece::Received(range) => self.input.get(range).ok_or("no such bytes")?,
                        DecodedPiece::Added(bytes) => bytes,
                    };
                    self.content.entry(message.0).or_default().extend_from_slice(bytes);
                }
                Output::Discard { message } => {
                    self.content.remove(&message.0).ok_or("what is discarded was never there")?;
                }
                Output::Ask { id, question } => {
                    let mut turn = self.asked;
                    let verdict = in_turn(&self.verdicts, &mut turn).unwrap_or(Verdict::Accept);
                    let delay = in_turn(&self.delays, &mut self.asked).unwrap_or_default();
                    self.open.push((now + Duration::from_millis(delay.into()), id, question, verdict));
                    self.answer_due(now, books);
                }
                Output::StartTls => self.wants_tls = true,
                Output::Event(_) => {}
                Output::Wait { deadline, reads } => {
                    if deadline.is_none() && self.open.is_empty() {
                        return Err("the server waits for ever".into());
                    }
                    (self.deadline, self.reads) = (deadline, reads);
                    return Ok(());
                }
                Output::Closed(_) => {
                    self.is_closed = true;
                    self.open.clear();
                    wire.close(now, Side::Server);
                    return Ok(());
                }
            }
        }
        Err("there is no end of the server's outputs".into())
    }

    /// Gives an answer that is due.
    pub(super) fn answer_due(&mut self, now: Duration, books: &mut Books) -> bool {
        let Some(at) = self.open.iter().position(|(due, ..)| *due <= now) else {
            return false;
        };
        let (_, id, question, verdict) = self.open.remove(at);
        let answer = self.answer(&question, verdict, books);
        self.session.answer(now, id, answer);
        true
    }

    fn answer(&mut self, question: &Question, verdict: Verdict, books: &mut Books) -> Answer {
        let reply = |text: &str| Reply::parse(text.as_bytes()).expect("it is a reply");
        match question {
            Question::Credentials(question) => return Answer::Credentials(know(question)),
            Question::Message(received) => return self.take(received, verdict, books),
            _ => {}
        }
        match verdict {
            Verdict::Accept | Verdict::Alternate => Answer::Accept,
            Verdict::Reject => Answer::Reply(reply("550 5.7.1 no\r\n")),
            Verdict::Defer => Answer::Reply(reply("451 4.7.1 later\r\n")),
            Verdict::Quit => Answer::Reply(reply("421 4.3.2 closing\r\n")),
            Verdict::Close => Answer::Close,
        }
    }

    /// Stores a message, or not.
    fn take(&mut self, received: &Received, verdict: Verdict, books: &mut Books) -> Answer {
        let content = self.content.remove(&received.message.0).unwrap_or_default();
        let reply = |text: &str| Reply::parse(text.as_bytes()).expect("it is a reply");
        let recipients = &received.envelope.recipients;
        let mut store = |takes: &dyn Fn(usize) -> bool| {
            for (place, recipient) in recipients.iter().enumerate().filter(|(place, _)| takes(*place)) {
                let _ = place;
                books.stored(&received.envelope.reverse_path, &recipient.path, &content, received.octets);
            }
        };
        match verdict {
            Verdict::Alternate if !self.is_lmtp => {
                store(&|_| true);
                Answer::Accept
            }
            Verdict::Accept => {
                store(&|_| true);
                Answer::Accept
            }
            Verdict::Alternate => {
                store(&|place| place % 2 == 0);
                let replies = (0..recipients.len())
                    .map(|place| reply(if place % 2 == 0 { "250 2.1.5 stored\r\n" } else { "552 5.2.2 full\r\n" }));
                Answer::Replies(replies.collect())
            }
            Verdict::Reject => Answer::Reply(reply("554 5.6.0 no\r\n")),
            Verdict::Defer => Answer::Reply(reply("452 4.3.1 full\r\n")),
            Verdict::Quit => Answer::Reply(reply("421 4.3.2 closing\r\n")),
            // It is lost that the message is safe.
            Verdict::Close => {
                store(&|_| true);
                Answer::Close
            }
        }
    }
}

/// What the host knows of [`USER`].
fn know(question: &sasl::Question) -> sasl::Answer {
    let (name, password) = USER;
    let is_user = |user: &str| user == name;
    match question {
        sasl::Question::Keys { user, hash } if is_user(user) => sasl::Answer::Keys(keys(*hash)),
        sasl::Question::Password { user } if is_user(user) => sasl::Answer::Password(Secret::from(password)),
        sasl::Question::Verify { user, password: said, .. } if is_user(user) && said.expose() == password => {
            sasl::Answer::Accept { user: user.clone() }
        }
        _ => sasl::Answer::Unknown,
    }
}

/// Made once, since that takes its time.
fn keys(hash: Hash) -> StoredKeys {
    static KEYS: OnceLock<[StoredKeys; 2]> = OnceLock::new();
    let keys = KEYS.get_or_init(|| {
        [Hash::Sha1, Hash::Sha256].map(|hash| {
            let salt = [9; StoredKeys::SALT_LEN];
            StoredKeys::derive(hash, &Secret::from(USER.1), salt, sasl::MIN_ITERATIONS).expect("it is a password")
        })
    });
    keys[usize::from(hash == Hash::Sha256)].clone()
}
