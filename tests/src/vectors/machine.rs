//! A host without a network: it does what the machine asks, and keeps what there is to see.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use okuru_core::client::{self, Connection, MessageId, Output};
use okuru_core::{Error, ErrorCode};

use super::dialogue::{Action, Dialogue, Event};
use super::engine;
use super::witness::Witness;

/// Something that the machine told, besides bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    StartTls { server_name: String, verify: bool },
    GetToken,
    Event(Event),
}

/// A connection and its host.
#[derive(Clone)]
pub(super) struct Host<'a> {
    dialogue: &'a Dialogue,
    contents: &'a [Vec<u8>],
    pub(super) connection: Connection,
    pub(super) now: Duration,
    /// What the machine has said since somebody looked.
    pub(super) said: Vec<u8>,
    pub(super) told: VecDeque<Told>,
    /// The outcome of each message, as often as it was told.
    pub(super) outcomes: BTreeMap<usize, Vec<client::Outcome>>,
    pub(super) closed: Option<client::Closed>,
    /// What the last `Wait` said.
    pub(super) deadline: Option<Duration>,
    /// Lines of the trace.
    pub(super) trace: Vec<String>,
    /// Messages that are submitted once the machine wants them.
    waiting: VecDeque<usize>,
    keeps_back: bool,
    submitted: usize,
    /// Those that were submitted when it was over already.
    pub(super) too_late: BTreeSet<usize>,
    /// It is to quit once these have been submitted.
    quitting: bool,
    /// TLS or a token is the next thing, and it is the host's turn.
    is_asked: bool,
    /// What is to be read of which message, where the dialogue itself hands it in.
    asked: BTreeMap<usize, u64>,
    /// What was said and not written.
    unwritten: Vec<u8>,
    /// How much the network takes before it is stuck.
    room: Option<u64>,
    witness: Witness,
    /// The first outcome that the witness knows to be wrong.
    lie: Option<String>,
}

/// A machine that never waits is stopped after so many outputs.
const MOST_OUTPUTS: usize = 100_000;

impl<'a> Host<'a> {
    /// When it begins, on the clock of the host.
    pub(super) const START: Duration = Duration::from_secs(1000);

    pub(super) fn new(dialogue: &'a Dialogue, contents: &'a [Vec<u8>], connection: Connection) -> Self {
        Self {
            dialogue,
            contents,
            connection,
            now: Self::START,
            said: Vec::new(),
            told: VecDeque::new(),
            outcomes: BTreeMap::new(),
            closed: None,
            deadline: None,
            trace: Vec::new(),
            waiting: VecDeque::new(),
            keeps_back: false,
            submitted: 0,
            too_late: BTreeSet::new(),
            quitting: false,
            is_asked: false,
            asked: BTreeMap::new(),
            unwritten: Vec::new(),
            room: None,
            witness: Witness::new(dialogue.config.protocol == super::dialogue::Protocol::Lmtp),
            lie: None,
        }
    }

    /// Keeps messages back until the machine wants them, as a driver does that is handed a stream of messages.
    pub(super) fn submit_when_wanted(&mut self) {
        self.keeps_back = true;
        self.waiting = (0..self.dialogue.messages.len()).collect();
    }

    /// From now on the network takes so many octets, or all. What is stuck stays so.
    pub(super) fn limit_writing(&mut self, room: Option<u64>) {
        if room.is_some() || self.unwritten.is_empty() {
            self.room = room;
        }
    }

    /// Does one step that is no `Receive`, and whatever the machine asks for then.
    pub(super) fn act(&mut self, action: &Action) -> Result<(), String> {
        let now = self.now;
        if matches!(action, Action::TlsStarted { .. } | Action::Token(_)) {
            self.is_asked = false;
        }
        match action {
            Action::Submit(_) if self.keeps_back => {}
            Action::Submit(messages) => messages.iter().try_for_each(|message| self.submit(*message))?,
            Action::Abort(message) => self.connection.abort(MessageId(*message as u64)),
            Action::Command { verb, argument } => {
                self.connection.command(engine::query(verb, argument.as_deref())?);
            }
            Action::Quit {} if self.waiting.is_empty() => self.connection.quit(),
            Action::Quit {} => self.quitting = true,
            Action::Eof {} => self.connection.receive_eof(now),
            Action::TlsStarted { verified, channel_binding } => {
                self.connection.tls_started(now, engine::tls_info(*verified, channel_binding.as_ref()));
            }
            Action::Failed(code) => self.connection.failed(engine::error(code)?),
            Action::Token(token) => self.connection.token(now, engine::secret(token)),
            Action::Chunk(message) => self.hand_in(*message)?,
            Action::ContentEnd(message) => {
                self.asked.remove(message).ok_or("the machine has not asked for content")?;
                self.connection.content_end(now, MessageId(*message as u64));
            }
            Action::ContentFailed { message, code } => {
                self.asked.remove(message).ok_or("the machine has not asked for content")?;
                self.connection.content_failed(MessageId(*message as u64), &engine::error(code)?);
            }
            Action::Wait(milliseconds) => {
                self.now += Duration::from_millis(*milliseconds);
                if let Some(deadline) = self.deadline.filter(|deadline| *deadline <= self.now) {
                    return Err(format!("a deadline passes already after {:?}", deadline.saturating_sub(now)));
                }
            }
            Action::Deadline(milliseconds) => {
                self.now += Duration::from_millis(*milliseconds);
                match self.deadline {
                    Some(deadline) if deadline == self.now => self.connection.deadline_passed(self.now),
                    Some(deadline) => return Err(format!("the deadline is in {:?}", deadline.saturating_sub(now))),
                    None => return Err("there is no deadline".into()),
                }
            }
            Action::WriteRest {} => self.room = None,
            action => unreachable!("{action:?} is nothing to do"),
        }
        self.drive()
    }

    /// Takes bytes of the server.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.witness.heard(bytes);
        self.connection.receive(self.now, bytes);
        self.drive()
    }

    fn submit(&mut self, message: usize) -> Result<(), String> {
        let id = self.connection.submit(engine::message(&self.dialogue.messages[message], &self.contents[message])?);
        self.submitted += 1;
        if self.closed.is_some() {
            self.too_late.insert(message);
        }
        match id {
            MessageId(id) if id == message as u64 => Ok(()),
            id => Err(format!("message {message} was given the number {id:?}")),
        }
    }

    /// Hands in the chunk that was asked for.
    fn hand_in(&mut self, message: usize) -> Result<(), String> {
        let offset = self.asked.remove(&message).ok_or("the machine has not asked for content")?;
        self.hand_in_from(message, offset);
        Ok(())
    }

    fn hand_in_from(&mut self, message: usize, offset: u64) {
        let mut begin = 0;
        for chunk in &self.dialogue.messages[message].content {
            let end = begin + chunk.0.len() as u64;
            if offset < end {
                let from = usize::try_from(offset - begin).expect("less than the length of a chunk");
                self.connection.content(self.now, MessageId(message as u64), &chunk.0[from..]);
                return;
            }
            begin = end;
        }
        self.connection.content_end(self.now, MessageId(message as u64));
    }

    /// Polls until there is nothing more to do without the other side.
    pub(super) fn drive(&mut self) -> Result<(), String> {
        let stuck = self.unwritten.len();
        for _ in 0..MOST_OUTPUTS {
            self.submit_what_is_wanted()?;
            match self.connection.poll(self.now) {
                Output::Write(bytes) => {
                    self.said.extend_from_slice(&bytes);
                    self.unwritten.extend_from_slice(&bytes);
                }
                Output::WriteBody { message, range } => {
                    let content = usize::try_from(message.0).ok().and_then(|message| self.contents.get(message));
                    let range = range.start as usize..range.end as usize;
                    let bytes = content.and_then(|content| content.get(range.clone()));
                    let bytes = bytes.ok_or_else(|| format!("{message:?} has no octets {range:?}"))?;
                    self.said.extend_from_slice(bytes);
                    self.unwritten.extend_from_slice(bytes);
                }
                Output::ReadBody { message, offset } => self.read(message, offset),
                Output::StartTls { server_name, verify } => {
                    self.is_asked = true;
                    self.told.push_back(Told::StartTls { server_name, verify });
                }
                Output::GetToken => {
                    self.is_asked = true;
                    self.told.push_back(Told::GetToken);
                }
                Output::Event(event) => self.learn(event),
                Output::Wait { deadline } => {
                    self.deadline = deadline;
                    if !self.write() {
                        return Ok(());
                    }
                }
                Output::Closed(closed) => {
                    // What was stuck when it ended must not follow: its outcome says that it was not sent.
                    if stuck == 0 {
                        self.write();
                    }
                    match &self.closed {
                        Some(before) if *before != closed => {
                            return Err(format!("closed first by {before:?}, then by {closed:?}"));
                        }
                        _ => self.closed = Some(closed),
                    }
                    self.deadline = None;
                    if self.waiting.is_empty() {
                        return Ok(());
                    }
                    while let Some(message) = self.waiting.pop_front() {
                        self.submit(message)?;
                    }
                }
            }
        }
        Err(format!("after {MOST_OUTPUTS} outputs the machine still does not wait"))
    }

    fn submit_what_is_wanted(&mut self) -> Result<(), String> {
        while !self.waiting.is_empty() && self.connection.wants_message() {
            if let Some(message) = self.waiting.pop_front() {
                self.submit(message)?;
            }
        }
        if self.quitting && self.waiting.is_empty() {
            self.quitting = false;
            self.connection.quit();
        }
        Ok(())
    }

    fn read(&mut self, message: MessageId, offset: u64) {
        let Ok(index) = usize::try_from(message.0) else {
            return;
        };
        let whole_or_held = self.dialogue.messages[index].stream.map(|stream| stream.held);
        match whole_or_held {
            Some(true) => {
                self.asked.insert(index, offset);
            }
            Some(false) => self.hand_in_from(index, offset),
            None => {
                let rest = usize::try_from(offset).ok().and_then(|offset| self.contents[index].get(offset..));
                self.connection.content(self.now, message, rest.unwrap_or_default());
            }
        }
    }

    /// Writes what the network takes; false if that is nothing.
    fn write(&mut self) -> bool {
        let octets = self.room.map_or(self.unwritten.len(), |room| self.unwritten.len().min(room as usize));
        if octets == 0 {
            return false;
        }
        self.room = self.room.map(|room| room - octets as u64);
        let written: Vec<u8> = self.unwritten.drain(..octets).collect();
        self.witness.said(&written);
        self.connection.written(self.now, octets as u64);
        true
    }

    fn learn(&mut self, event: client::Event) {
        let event = match event {
            client::Event::Finished(outcome) => {
                let message = usize::try_from(outcome.message.0).unwrap_or(usize::MAX);
                let states = outcome.recipients.iter().map(|recipient| engine::state(recipient.state)).enumerate();
                let mut witness = self.witness.clone();
                if !self.connection.is_closed() {
                    // What is stuck will be written yet.
                    witness.said(&self.unwritten);
                }
                if let Err(lie) = witness.judge(&self.dialogue.messages, message, states) {
                    self.lie.get_or_insert(lie);
                }
                self.outcomes.entry(message).or_default().push(outcome);
                return;
            }
            client::Event::Trace(trace) => {
                let line = engine::trace(&trace);
                self.trace.push(line.clone());
                Event::Trace(line)
            }
            client::Event::Greeting(reply) => Event::Greeting(reply.code().into()),
            client::Event::Capabilities(_) => Event::Capabilities {},
            client::Event::Authenticated(mechanism) => Event::Authenticated(mechanism.to_string()),
            client::Event::Ready => Event::Ready {},
            client::Event::PipeliningReduced => Event::PipeliningReduced {},
            client::Event::Reply { id, reply } => {
                Event::Reply { command: usize::try_from(id).unwrap_or(usize::MAX), code: reply.code().into() }
            }
            event => panic!("an event that no dialogue can tell: {event:?}"),
        };
        let is_told =
            |step: &super::dialogue::Step| matches!(&step.action, Action::Event(told) if told.is_like(&event));
        if event.is_always_told() || self.dialogue.steps.iter().any(is_told) {
            self.told.push_back(Told::Event(event));
        }
    }

    /// All that there is to see of it. Two machines that look the same do the same.
    pub(super) fn looks(&self) -> String {
        let Self { connection, now, said, told, outcomes, closed, deadline, asked, unwritten, room, witness, .. } =
            self;
        format!(
            "{connection:?} {now:?} {said:?} {told:?} {outcomes:?} {closed:?} {deadline:?} {asked:?} {unwritten:?} {room:?} \
             {witness:?}"
        )
    }

    /// What holds at any time, whatever the server did.
    pub(super) fn check(&self) -> Result<(), String> {
        for (message, outcomes) in &self.outcomes {
            if outcomes.len() > 1 {
                return Err(format!("message {message} has ended {} times", outcomes.len()));
            }
        }
        let unfinished = (0..self.submitted).any(|message| !self.outcomes.contains_key(&message));
        if self.closed.is_none() && self.deadline.is_none() && unfinished && !self.is_asked && self.asked.is_empty() {
            return Err("it waits for ever: no deadline, and nothing is asked of the host".into());
        }
        match self.lie.as_ref().or(self.witness.complaint()) {
            Some(what) => Err(what.clone()),
            None => Ok(()),
        }
    }

    /// What holds once it is over.
    pub(super) fn check_end(&self) -> Result<(), String> {
        for (index, message) in self.dialogue.messages.iter().enumerate().take(self.submitted) {
            match self.outcomes.get(&index).and_then(|outcomes| outcomes.first()) {
                Some(outcome) if outcome.recipients.len() == message.recipients.len() => {}
                Some(_) => return Err(format!("not each recipient of message {index} has an outcome")),
                None => return Err(format!("message {index} never ended")),
            }
        }
        self.check()
    }

    /// The error that a test throws in.
    pub(super) fn lost() -> Error {
        Error::new(ErrorCode::ConnectLost, "the connection broke")
    }
}
