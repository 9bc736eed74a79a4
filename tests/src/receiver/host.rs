//! A host of the machine, that answers by the rules of a script and keeps books.

use std::collections::VecDeque;
use std::time::Duration;

use okuru_core::sasl::{self, Hash, StoredKeys};
use okuru_core::server::{
    Answer, Closed, Event, MessageId, Output, Question, QuestionId, Received, Seed, Session, Trace,
};
use okuru_core::syntax::{DecodedPiece, encode_mail, encode_rcpt};

use super::script::{Action, Rule, Script};
use crate::vectors::text;

/// How many outputs come of one event at the most, before something is wrong.
const MOST_OUTPUTS: usize = 1_000_000;

#[derive(Clone)]
pub(super) struct Host<'a> {
    script: &'a Script,
    pub(super) session: Session,
    pub(super) now: Duration,
    /// What the client has said, from where the last bytes that were handed in begin.
    input: Vec<u8>,
    /// How many octets of the input have been taken.
    taken: usize,
    pub(super) said: Vec<u8>,
    pub(super) told: VecDeque<String>,
    pub(super) closed: Option<Closed>,
    pub(super) deadline: Option<Duration>,
    open: Vec<(QuestionId, Question)>,
    content: Vec<u8>,
    is_asked_for_tls: bool,
    tells_messages: bool,
    tells_trace: bool,
}

impl<'a> Host<'a> {
    pub(super) fn new(script: &'a Script) -> Self {
        let seed = Seed { random: [1; 32], unix_time: 1_700_000_000 };
        let tells = |what: &str| {
            let is_told =
                |step: &super::script::Step| matches!(&step.action, Action::Told(line) if line.starts_with(what));
            script.steps.iter().any(is_told)
        };
        Self {
            script,
            session: Session::new(script.config.clone(), script.peer.clone(), seed),
            now: Duration::from_secs(1000),
            input: Vec::new(),
            taken: 0,
            said: Vec::new(),
            told: VecDeque::new(),
            closed: None,
            deadline: None,
            open: Vec::new(),
            content: Vec::new(),
            is_asked_for_tls: false,
            tells_messages: tells("= message"),
            tells_trace: tells("* trace"),
        }
    }

    /// Takes bytes of the client.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.input.drain(..std::mem::take(&mut self.taken));
        self.input.extend_from_slice(bytes);
        if self.is_asked_for_tls {
            // They came before TLS, and must not be kept for later.
            self.taken = self.session.receive(self.now, &self.input);
        }
        self.drive()
    }

    /// Does one step that is no `Receive`, and whatever the machine asks for then.
    pub(super) fn act(&mut self, action: &Action) -> Result<(), String> {
        match action {
            Action::Answer(rule) => {
                let at = self.open.iter().position(|(_, question)| fits(rule, question));
                let (id, question) = self.open.remove(at.ok_or("no such question is open")?);
                let answer = rule.answer.clone().ok_or("that is no answer")?;
                self.give(id, &question, answer)?;
            }
            Action::TlsStarted(info) => {
                if !std::mem::take(&mut self.is_asked_for_tls) {
                    return Err("TLS is not asked for".into());
                }
                self.session.tls_started(self.now, info.clone());
            }
            Action::Failed(code) => self.fail(code),
            Action::Eof => self.session.receive_eof(self.now),
            Action::Stop => self.session.stop(),
            Action::RefuseContent(reply) => {
                let is_coming = |message| self.session.refuse_content(MessageId(message), reply.clone());
                if !(0..10).any(is_coming) {
                    return Err("no content comes".into());
                }
            }
            Action::Wait(milliseconds) => {
                self.now += Duration::from_millis(*milliseconds);
                if let Some(deadline) = self.deadline.filter(|deadline| *deadline <= self.now) {
                    return Err(format!("a deadline has passed {:?} before", self.now - deadline));
                }
            }
            Action::Deadline(milliseconds) => {
                let before = self.now;
                self.now += Duration::from_millis(*milliseconds);
                if self.deadline != Some(self.now) {
                    let deadline = self.deadline.map(|deadline| deadline.saturating_sub(before));
                    return Err(format!("the deadline is in {deadline:?}"));
                }
                self.session.deadline_passed(self.now);
            }
            action => unreachable!("{action:?} is nothing to do here"),
        }
        self.drive()
    }

    pub(super) fn fail(&mut self, code: &str) {
        let code = okuru_core::ErrorCode::ALL.iter().find(|known| known.as_str() == code);
        let code = code.copied().unwrap_or(okuru_core::ErrorCode::ConnectLost);
        self.session.failed(okuru_core::Error::new(code, "the host says so"));
    }

    /// Polls until there is nothing more to do.
    pub(super) fn drive(&mut self) -> Result<(), String> {
        let mut idle = 0;
        for _ in 0..MOST_OUTPUTS {
            match self.session.poll(self.now) {
                Output::Write(bytes) => self.said.extend(bytes),
                Output::Content { piece, .. } => match piece {
                    DecodedPiece::Received(range) => {
                        let bytes = self.input.get(range).ok_or("a range lies outside of what was handed in")?;
                        self.content.extend_from_slice(bytes);
                    }
                    DecodedPiece::Added(bytes) => self.content.extend_from_slice(bytes),
                },
                Output::Discard { message } => {
                    self.content.clear();
                    self.tell(format!("* discard {}", message.0));
                }
                Output::Ask { id, question } => self.asked(id, question)?,
                Output::StartTls => {
                    self.is_asked_for_tls = true;
                    self.tell("* starttls".into());
                }
                Output::Event(event) => self.learn(event),
                Output::Wait { deadline, reads } => {
                    self.deadline = deadline;
                    if deadline.is_none() && self.open.is_empty() {
                        return Err("it waits for ever".into());
                    }
                    self.input.drain(..std::mem::take(&mut self.taken));
                    if !reads || self.input.is_empty() {
                        return Ok(());
                    }
                    self.taken = self.session.receive(self.now, &self.input);
                    idle = if self.taken == 0 { idle + 1 } else { 0 };
                    if idle > 1 {
                        return Err("it says that it takes bytes, and takes none".into());
                    }
                }
                Output::Closed(closed) => {
                    self.deadline = None;
                    match &self.closed {
                        Some(before) if *before != closed => return Err(format!("{before:?}, then {closed:?}")),
                        _ => self.closed = Some(closed),
                    }
                    return Ok(());
                }
            }
        }
        Err(format!("after {MOST_OUTPUTS} outputs the machine still does not wait"))
    }

    /// Answers everything that is open, by the usual words.
    pub(super) fn answer_all(&mut self) -> Result<(), String> {
        while !self.open.is_empty() {
            let (id, question) = self.open.remove(0);
            if self.closed.is_none() {
                self.give(id, &question, Answer::Accept)?;
            }
            self.drive()?;
        }
        Ok(())
    }

    fn asked(&mut self, id: QuestionId, question: Question) -> Result<(), String> {
        if let Question::Message(received) = &question {
            self.tell_message(received)?;
        }
        let rule = self.script.rules.iter().find(|rule| fits(rule, &question));
        let answer = match (rule, &question) {
            (Some(Rule { answer: Some(answer), .. }), _) => answer.clone(),
            (Some(Rule { answer: None, .. }), _) => {
                let (stage, path) = stage(&question);
                let path = path.map(|path| format!(" {path}")).unwrap_or_default();
                self.tell(format!("? {stage}{path}"));
                self.open.push((id, question));
                return Ok(());
            }
            (None, Question::Credentials(question)) => Answer::Credentials(self.know(question)),
            (None, _) => Answer::Accept,
        };
        self.give(id, &question, answer)
    }

    fn give(&mut self, id: QuestionId, question: &Question, answer: Answer) -> Result<(), String> {
        let answer = match (answer, question) {
            (Answer::Accept, Question::Credentials(question)) => Answer::Credentials(self.know(question)),
            (answer, _) => answer,
        };
        match self.session.answer(self.now, id, answer) {
            true => Ok(()),
            false => Err("the question is not open any more".into()),
        }
    }

    /// What the host knows of users.
    fn know(&self, question: &sasl::Question) -> sasl::Answer {
        let users = &self.script.users;
        let password = |user: &str| users.passwords.iter().find(|(name, _)| name == user).map(|(_, password)| password);
        match question {
            sasl::Question::Keys { user, hash } => match password(user) {
                Some(password) => keys(*hash, password),
                None => sasl::Answer::Unknown,
            },
            sasl::Question::Password { user } => match password(user) {
                Some(password) => sasl::Answer::Password(password.clone()),
                None => sasl::Answer::Unknown,
            },
            sasl::Question::Verify { user, password: said, .. } => match password(user) {
                Some(password) if password == said => sasl::Answer::Accept { user: user.clone() },
                _ => sasl::Answer::Refuse,
            },
            sasl::Question::Token { token, .. } => match users.tokens.iter().find(|(_, known)| known == token) {
                Some((user, _)) => sasl::Answer::Accept { user: user.clone() },
                None => sasl::Answer::Refuse,
            },
            sasl::Question::External { .. } => match &users.external {
                Some(user) => sasl::Answer::Accept { user: user.clone() },
                None => sasl::Answer::Refuse,
            },
        }
    }

    fn tell_message(&mut self, received: &Received) -> Result<(), String> {
        let content = std::mem::take(&mut self.content);
        if content.len() as u64 != received.octets {
            return Err(format!("{} octets were handed on, and {} told", content.len(), received.octets));
        }
        if !self.tells_messages {
            return Ok(());
        }
        let eight_bit = if received.eight_bit { ", 8-bit" } else { "" };
        self.tell(format!(
            "= message {} by {}, {} octets{eight_bit}",
            received.message.0, received.with, received.octets
        ));
        let envelope = &received.envelope;
        let mut line = Vec::new();
        encode_mail(&envelope.reverse_path, &envelope.parameters, &mut line);
        let shown = |line: &[u8], verb: &str| {
            String::from_utf8_lossy(line).trim_end().strip_prefix(verb).unwrap_or_default().to_owned()
        };
        self.tell(format!("= from {}", shown(&line, "MAIL FROM:")));
        for recipient in &envelope.recipients {
            let mut line = Vec::new();
            encode_rcpt(&recipient.path, &recipient.parameters, &mut line);
            self.tell(format!("= to {}", shown(&line, "RCPT TO:")));
        }
        for line in text::show(&content) {
            self.tell(format!("| {line}").trim_end().to_owned());
        }
        Ok(())
    }

    fn learn(&mut self, event: Event) {
        match event {
            Event::Authenticated(user) => {
                let acts_for = user.acts_for.map(|other| format!(" for {other}")).unwrap_or_default();
                self.tell(format!("* authenticated {}{acts_for} by {}", user.name, user.mechanism));
            }
            Event::NotAuthenticated { mechanism, error } => {
                self.tell(format!("* not authenticated by {mechanism}: {}", error.code()));
            }
            Event::ContentRefused { message, error } => {
                self.tell(format!("* content {} refused: {}", message.0, error.code()));
            }
            Event::Trace(trace) if self.tells_trace => self.tell(match trace {
                Trace::Received(line) => format!("* trace C: {line}"),
                Trace::ReceivedContent(octets) => format!("* trace C: ({octets} octets)"),
                Trace::Sent(line) => format!("* trace S: {line}"),
                Trace::Tls => "* trace TLS".into(),
            }),
            _ => {}
        }
    }

    fn tell(&mut self, line: String) {
        self.told.push_back(line);
    }
}

fn keys(hash: Hash, password: &sasl::Secret) -> sasl::Answer {
    match StoredKeys::derive(hash, password, [9; StoredKeys::SALT_LEN], sasl::MIN_ITERATIONS) {
        Ok(keys) => sasl::Answer::Keys(keys),
        Err(_) => sasl::Answer::Unavailable,
    }
}

fn fits(rule: &Rule, question: &Question) -> bool {
    let (stage, path) = stage(question);
    rule.stage == stage && (rule.path.is_none() || rule.path == path)
}

fn stage(question: &Question) -> (&'static str, Option<String>) {
    match question {
        Question::Connect => ("connect", None),
        Question::Hello(_) => ("hello", None),
        Question::StartTls => ("starttls", None),
        Question::Credentials(_) => ("credentials", None),
        Question::ActFor(_) => ("act-for", None),
        Question::ReversePath { path, .. } => ("mail", Some(path.to_string())),
        Question::ForwardPath(recipient) => ("rcpt", Some(recipient.path.to_string())),
        Question::Data => ("data", None),
        Question::Message(received) => ("message", Some(format!("<{}>", received.message.0))),
        Question::Quit => ("quit", None),
        question => panic!("a question that no dialogue can tell: {question:?}"),
    }
}
