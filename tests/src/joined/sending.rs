//! The client's host.

use std::time::Duration;

use okuru_core::client::{Body, Connection, Envelope, Event, Message, MessageId, Output, TlsInfo};
use okuru_core::syntax::{ForwardPath, Inspection, MailParameters};
use okuru_core::{Error, ErrorCode};

use super::books::Books;
use super::wire::{Side, Wire};
use super::{Letter, Scenario};

#[derive(Debug)]
pub(super) struct Sending {
    connection: Connection,
    letters: Vec<Letter>,
    submitted: usize,
    pub(super) wants_tls: bool,
    deadline: Option<Duration>,
    is_closed: bool,
}

/// How many outputs come of one event at the most.
const MOST_OUTPUTS: usize = 100_000;

impl Sending {
    pub(super) fn new(scenario: &Scenario) -> Self {
        Self {
            connection: Connection::new(scenario.client.clone()),
            letters: scenario.letters.clone(),
            submitted: 0,
            wants_tls: false,
            deadline: None,
            is_closed: false,
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        self.deadline.filter(|_| !self.is_closed)
    }

    pub(super) fn receive(&mut self, now: Duration, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.connection.receive(now, bytes),
            None => self.connection.receive_eof(now),
        }
    }

    pub(super) fn lost(&mut self, _now: Duration) {
        self.connection.failed(Error::new(ErrorCode::ConnectLost, "the wire broke"));
    }

    pub(super) fn tls_started(&mut self, now: Duration) {
        self.wants_tls = false;
        self.connection.tls_started(now, TlsInfo { verified: true, channel_binding: None });
    }

    pub(super) fn pass_deadline(&mut self, now: Duration) {
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            self.connection.deadline_passed(now);
        }
    }

    pub(super) fn drive(&mut self, now: Duration, wire: &mut Wire, books: &mut Books) -> Result<(), String> {
        let mut unwritten = 0;
        for _ in 0..MOST_OUTPUTS {
            while self.connection.wants_message() && self.submitted < self.letters.len() {
                self.submit();
            }
            match self.connection.poll(now) {
                Output::Write(bytes) => {
                    unwritten += bytes.len() as u64;
                    wire.send(now, Side::Client, &bytes);
                }
                Output::WriteBody { message, range } => {
                    let content = &self.letter(message)?.content;
                    let bytes = content.get(range.start as usize..range.end as usize).ok_or("no such content")?;
                    unwritten += bytes.len() as u64;
                    wire.send(now, Side::Client, bytes);
                }
                Output::ReadBody { message, offset } => self.read(now, message, offset)?,
                Output::StartTls { .. } => self.wants_tls = true,
                Output::GetToken => return Err("there are no tokens here".into()),
                Output::Event(Event::Finished(outcome)) => books.finished(&outcome)?,
                Output::Event(_) => {}
                Output::Wait { deadline } => {
                    self.deadline = deadline;
                    if unwritten == 0 {
                        return Ok(());
                    }
                    self.connection.written(now, std::mem::take(&mut unwritten));
                }
                // What is submitted late has its outcome too.
                Output::Closed(_) if self.submitted < self.letters.len() => self.submit(),
                Output::Closed(_) => {
                    self.is_closed = true;
                    wire.close(now, Side::Client);
                    return Ok(());
                }
            }
        }
        Err("there is no end of the client's outputs".into())
    }

    fn submit(&mut self) {
        let letter = &self.letters[self.submitted];
        let recipient = |place: u8| -> ForwardPath { format!("<r{place}@x.example>").parse().expect("it is a path") };
        let envelope = Envelope {
            reverse_path: format!("<m{}@client.example>", self.submitted).parse().expect("it is a path"),
            parameters: MailParameters::default(),
            recipients: (0..letter.recipients).map(|place| recipient(place).into()).collect(),
        };
        let body = match letter.chunks {
            None => Body::Whole(Inspection::of(&letter.content)),
            Some(_) => Body::Stream { size: None, rewindable: true },
        };
        let message = Message { declaration: letter.declaration, ..Message::new(envelope, body) };
        self.connection.submit(message);
        self.submitted += 1;
        if self.submitted == self.letters.len() {
            self.connection.quit();
        }
    }

    fn letter(&self, message: MessageId) -> Result<&Letter, String> {
        self.letters.get(message.0 as usize).ok_or_else(|| format!("there is no {message:?}"))
    }

    fn read(&mut self, now: Duration, message: MessageId, offset: u64) -> Result<(), String> {
        let letter = self.letter(message)?;
        let rest = letter.content.get(offset as usize..).unwrap_or_default();
        match letter.chunks {
            None => {
                let rest = rest.to_vec();
                self.connection.content(now, message, &rest);
            }
            Some(_) if rest.is_empty() => self.connection.content_end(now, message),
            Some(size) => {
                let chunk = rest.get(..usize::from(size.max(1))).unwrap_or(rest).to_vec();
                self.connection.content(now, message, &chunk);
            }
        }
        Ok(())
    }
}
